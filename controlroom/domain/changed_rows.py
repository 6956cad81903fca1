"""What moves all the time, apart from what matters: newest lines, loads, a machine's figures."""

from dataclasses import fields, replace
from operator import attrgetter

from controlroom.domain.model import Agent, Fleet, Host, LinkState
from controlroom.domain.tables import differing

LINE = ("last_line", "last_line_at")
"""What is different of an agent that said something."""

LOAD = ("rss", "cpu_percent", "processes", "spent")
"""What it uses: its process tree, and money."""

_FIGURES = ("seen", "sample", "cpu_history", "memory_history", "iowait_history", "network_history")

rest = attrgetter(*(part.name for part in fields(Agent) if part.name not in (*LINE, *LOAD)))
"""Gives all of an agent that does not move all the time."""

_still = attrgetter(*(part.name for part in fields(Agent) if part.name not in (*LINE, *LOAD) or part.name == "spent"))
_standing = attrgetter(*(part.name for part in fields(Host) if part.name not in _FIGURES))


def lively(old: Fleet, new: Fleet) -> frozenset[str] | None:
    """Name the agents that have another line or process tree. None: something else is different too, be it of a host.

    Money moves seldom, and more follows from it than a row. Other figures of a host are nothing else, but when it is
    away: what is shown of it grows old.
    """
    if replace(new, hosts=old.hosts, agents=old.agents) != old:
        return None
    if new.hosts is not old.hosts and not _hosts_stand(old, new):
        return None
    if len(old.agents) != len(new.agents):
        return None
    changed = differing(old.agents, new.agents)
    known = all(key in old.agents and key in new.agents for key in changed)
    same = known and all(_still(old.agents[key]) == _still(new.agents[key]) for key in changed)
    return frozenset(changed) if same else None


def _hosts_stand(old: Fleet, new: Fleet) -> bool:
    if old.hosts.keys() != new.hosts.keys():
        return False
    pairs = [(old.hosts[name], host) for name, host in new.hosts.items()]
    return all(
        before is host
        or (_standing(before) == _standing(host) and (host.link is LinkState.UP or before.seen == host.seen))
        for before, host in pairs
    )
