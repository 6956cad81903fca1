"""How far a reader is behind: whole keyed records that replace what it holds.

The newest wins: a patch is made between what a reader was last given and what is true now, however much lies between.
`apply(old, diff(old, new))` equals `new`, always. What moves all the time, an agent's newest line and its load, are
small records of their own here: a line costs a patch about a hundred bytes, a whole agent a thousand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, fields, replace
from operator import attrgetter
from typing import TypeVar

from controlroom.domain.budgets import Budget
from controlroom.domain.changes import Changes, between
from controlroom.domain.fleet_files import AppliedFleet, Member
from controlroom.domain.gauges import Alarm, Headroom
from controlroom.domain.leads import Lead
from controlroom.domain.model import Agent, Fleet, Host, Limits, LinkState, Money, Profile, with_changes
from controlroom.domain.persistent_tables import differing, hosted, table
from controlroom.domain.tasks import Queue, Restarts, Task
from controlroom.text.lazy_dataclass import dataclass

LINE = ("last_line", "last_line_at")
"""What is different of an agent that said something."""

LOAD = ("rss", "cpu_percent", "processes", "spent")
"""What it uses: its process tree, and money."""

_FIGURES = ("seen", "sample", "cpu_history", "memory_history", "iowait_history", "network_history")

rest = attrgetter(*(part.name for part in fields(Agent) if part.name not in (*LINE, *LOAD)))
"""All of an agent that does not move all the time."""

_still = attrgetter(*(part.name for part in fields(Agent) if part.name not in (*LINE, *LOAD) or part.name == "spent"))
load_of = attrgetter(*LOAD)
_apart = attrgetter(*(part.name for part in fields(Fleet) if part.name not in ("hosts", "agents")))
_standing = attrgetter(*(part.name for part in fields(Host) if part.name not in _FIGURES))


def changed_rows(old: Fleet, new: Fleet) -> frozenset[str] | None:
    """The ids of agents that have another line or load. None: something else is different too, be it of a host.

    Money moves seldom, and more follows from it than a row. Other figures of a host are nothing else, but when it is
    away: what is shown of it grows old.
    """
    if _apart(new) != _apart(old):
        return None
    if new.hosts is not old.hosts and not _hosts_stand(old, new):
        return None
    if len(old.agents) != len(new.agents):
        return None
    changed = differing(old.agents, new.agents)
    pairs = [(old.agents.get(key), new.agents.get(key)) for key in changed]
    same = all(before and now and _still(before) == _still(now) for before, now in pairs)
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


V = TypeVar("V")


@dataclass(frozen=True)
class Line:
    """An agent's newest line."""

    text: str = ""
    at: int = 0


@dataclass(frozen=True)
class Load:
    """What an agent uses: its process tree, and money."""

    rss: int | None = None
    cpu_percent: float | None = None
    processes: int | None = None
    spent: int | None = None


_line = attrgetter(*LINE)


@dataclass(frozen=True)
class Patch:
    """Records to put and keys to drop. `whole`: forget everything first (a snapshot)."""

    whole: bool = False
    room: str = ""
    hosts: Mapping[str, Host] = field(default_factory=dict)
    agents: Mapping[str, Agent] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)
    """Newest lines of agents that else are as they were."""
    loads: Mapping[str, Load] = field(default_factory=dict)
    """Loads of such agents."""
    profiles: Mapping[str, Profile] | None = None
    """All of them, or None when they are as they were."""
    limits: Limits | None = None
    money: Money | None = None
    """None: as it was; there is no way back to no reading."""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    headroom: Mapping[str, Headroom] = field(default_factory=dict)
    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    queue: Queue | None = None
    """Without its restarts; None: as it was."""
    restarts: Mapping[str, Restarts] = field(default_factory=dict)
    """Those of the queue."""
    leads: Mapping[str, Lead] | None = None
    """All of them, or None when they are as they were."""
    fleets: Mapping[str, AppliedFleet] = field(default_factory=dict)
    members: Mapping[str, Member] = field(default_factory=dict)
    dropped_hosts: tuple[str, ...] = ()
    dropped_agents: tuple[str, ...] = ()
    dropped_budgets: tuple[str, ...] = ()
    dropped_headroom: tuple[str, ...] = ()
    dropped_alarms: tuple[str, ...] = ()
    dropped_tasks: tuple[str, ...] = ()
    dropped_restarts: tuple[str, ...] = ()
    dropped_fleets: tuple[str, ...] = ()
    dropped_members: tuple[str, ...] = ()


_news = attrgetter(*(part.name for part in fields(Patch) if part.name != "room"))
_NOTHING = _news(Patch())


def snapshot(fleet: Fleet) -> Patch:
    """A patch that brings any reader to `fleet`."""
    return Patch(
        True,
        fleet.room,
        dict(fleet.hosts),
        dict(fleet.agents),
        profiles=fleet.profiles,
        limits=fleet.limits,
        money=fleet.money,
        budgets=dict(fleet.budgets),
        headroom=dict(fleet.headroom),
        alarms=dict(fleet.alarms),
        tasks=dict(fleet.tasks),
        queue=_alone(fleet.queue),
        restarts=dict(fleet.queue.restarts),
        leads=fleet.leads,
        fleets=dict(fleet.fleets),
        members=dict(fleet.members),
    )


def diff(old: Fleet, new: Fleet, changes: Changes | None = None) -> Patch:
    """What a reader that holds `old` lacks. With `changes`, only those records are looked at."""
    at = changes or between(old, new)
    agents, lines, loads = _agents(old.agents, new.agents, at.agents)
    restarts = _restarts_changed(old.queue.restarts, new.queue.restarts)
    return Patch(
        room=new.room,
        hosts=_put(old.hosts, new.hosts, at.hosts),
        agents=agents,
        lines=lines,
        loads=loads,
        profiles=None if old.profiles == new.profiles else new.profiles,
        limits=None if old.limits == new.limits else new.limits,
        money=None if old.money == new.money else new.money,
        budgets=_put(old.budgets, new.budgets, at.budgets),
        headroom=_put(old.headroom, new.headroom, at.headroom),
        alarms=_put(old.alarms, new.alarms, at.alarms),
        tasks=_put(old.tasks, new.tasks, at.tasks),
        queue=None if old.queue is new.queue or _alone(old.queue) == _alone(new.queue) else _alone(new.queue),
        restarts=_put(old.queue.restarts, new.queue.restarts, restarts),
        leads=None if old.leads == new.leads else new.leads,
        fleets=_put(old.fleets, new.fleets, at.fleets),
        members=_put(old.members, new.members, at.members),
        dropped_hosts=_gone(old.hosts, new.hosts, at.hosts),
        dropped_agents=_gone(old.agents, new.agents, at.agents),
        dropped_budgets=_gone(old.budgets, new.budgets, at.budgets),
        dropped_headroom=_gone(old.headroom, new.headroom, at.headroom),
        dropped_alarms=_gone(old.alarms, new.alarms, at.alarms),
        dropped_tasks=_gone(old.tasks, new.tasks, at.tasks),
        dropped_restarts=_gone(old.queue.restarts, new.queue.restarts, restarts),
        dropped_fleets=_gone(old.fleets, new.fleets, at.fleets),
        dropped_members=_gone(old.members, new.members, at.members),
    )


def _alone(queue: Queue) -> Queue:
    """A queue without what is known of restarts, which changes one by one."""
    return replace(queue, restarts={}) if queue.restarts else queue


def _restarts_changed(old: Mapping[str, Restarts], new: Mapping[str, Restarts]) -> set[str]:
    if old is new:
        return set()
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


def apply(fleet: Fleet, patch: Patch) -> Fleet:
    """The fleet that a reader holds after `patch`."""
    if patch.whole:
        fleet = Fleet()
    return replace(
        fleet,
        room=patch.room,
        hosts=table(fleet.hosts).updated(patch.hosts, patch.dropped_hosts),
        agents=hosted(fleet.agents).updated({**patch.agents, **_moved(fleet.agents, patch)}, patch.dropped_agents),
        profiles=fleet.profiles if patch.profiles is None else patch.profiles,
        limits=patch.limits or fleet.limits,
        money=patch.money or fleet.money,
        budgets=table(fleet.budgets).updated(patch.budgets, patch.dropped_budgets),
        headroom=table(fleet.headroom).updated(patch.headroom, patch.dropped_headroom),
        alarms=table(fleet.alarms).updated(patch.alarms, patch.dropped_alarms),
        tasks=table(fleet.tasks).updated(patch.tasks, patch.dropped_tasks),
        queue=_queue(fleet.queue, patch),
        leads=fleet.leads if patch.leads is None else patch.leads,
        fleets=table(fleet.fleets).updated(patch.fleets, patch.dropped_fleets),
        members=table(fleet.members).updated(patch.members, patch.dropped_members),
    )


def _queue(held: Queue, patch: Patch) -> Queue:
    if patch.queue is None and not patch.restarts and not patch.dropped_restarts:
        return held
    kept = {key: known for key, known in held.restarts.items() if key not in patch.dropped_restarts}
    return replace(patch.queue or held, restarts={**kept, **patch.restarts})


def is_empty(patch: Patch) -> bool:
    """Whether a patch changes nothing."""
    return _news(patch) == _NOTHING


def _moved(held: Mapping[str, Agent], patch: Patch) -> dict[str, Agent]:
    """The agents that have another line or load, and nothing else that is new."""
    moved_agents: dict[str, Agent] = {}
    for key, line in patch.lines.items():
        if (agent := held.get(key)) is not None:
            moved_agents[key] = with_changes(agent, last_line=line.text, last_line_at=line.at)
    for key, load in patch.loads.items():
        if (agent := moved_agents.get(key) or held.get(key)) is not None:
            moved_agents[key] = with_changes(
                agent, rss=load.rss, cpu_percent=load.cpu_percent, processes=load.processes, spent=load.spent
            )
    return moved_agents


def _agents(
    old: Mapping[str, Agent], new: Mapping[str, Agent], keys: Iterable[str]
) -> tuple[dict[str, Agent], dict[str, Line], dict[str, Load]]:
    """Agents of which anything else is new, and the lines and loads of those of which nothing else is."""
    agents, lines, loads = {}, {}, {}
    for key in sorted(keys):
        before, agent = old.get(key), new.get(key)
        if agent is None or agent is before:
            continue
        if before is None or rest(before) != rest(agent):
            agents[key] = agent
            continue
        if _line(agent) != _line(before):
            lines[key] = Line(agent.last_line, agent.last_line_at)
        if load_of(agent) != load_of(before):
            loads[key] = Load(*load_of(agent))
    return agents, lines, loads


def _put(old: Mapping[str, V], new: Mapping[str, V], keys: Iterable[str]) -> dict[str, V]:
    replaced = {}
    for key in sorted(keys):
        value = new.get(key)
        if value is not None and (before := old.get(key)) is not value and before != value:
            replaced[key] = value
    return replaced


def _gone(old: Mapping[str, V], new: Mapping[str, V], keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(key for key in sorted(keys) if key not in new and key in old)
