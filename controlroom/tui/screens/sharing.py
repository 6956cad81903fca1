"""How the overview shares its lines out: gauges, hosts, agents, panes. Pure arithmetic on a size and what is there."""

from dataclasses import dataclass, replace

from controlroom.domain.display.layout import Layout

_ROWS = 5
"""Lines that agents keep whatever else wants to be seen."""


@dataclass(frozen=True)
class Wishes:
    """What there is to show."""

    meters: int
    """Lines that gauges of budgets and limits want."""
    alarms: int
    hosts: int
    agents: int
    """Rows of the table, headings too."""
    many_panes: bool
    arranged: bool
    """Whether agents stand in an unusual order, or some are marked."""
    fold_hosts: bool = False


@dataclass(frozen=True)
class Shares:
    """Lines of each part; what has none is not shown."""

    meters: int
    alarm: bool
    hosts: int
    host_line: bool
    """All hosts in one line."""
    agents_rule: bool
    left: int
    """Lines of hosts and agents together where panes stand under them; 0: all there are."""


def folded(wish: Wishes, layout: Layout) -> Wishes:
    """Give what is still wanted where something is folded."""
    meters = min(wish.meters, 1) if layout.fold_limits else wish.meters
    return replace(wish, meters=meters, fold_hosts=layout.fold_hosts)


def share(width: int, height: int, wish: Wishes) -> Shares:
    """Share a screen of this size out."""
    alarm = bool(wish.alarms) and height >= 12
    spare = height - 2 - _ROWS - alarm
    meters = max(0, min(wish.meters, spare))
    body = height - meters - alarm
    most = 0 if width < 60 or body < 16 else max(1, min(8, (body - 8) // 4))
    hosts = 0 if wish.fold_hosts else min(wish.hosts, most)
    host_line = bool(wish.hosts) and not hosts and body >= 8 and (width >= 60 or not wish.fold_hosts)
    agents_rule = (width >= 60 or wish.arranged) and body >= 10
    left = 0
    if 100 <= width < 160:
        used = 4 + (hosts + 1 if hosts else 0)
        room = (body - used) * (2 if wish.many_panes else 3) // 6
        left = used - 3 + min(max(4, wish.agents + 2), max(6, room))
    return Shares(meters, alarm, hosts, host_line, agents_rule, left)
