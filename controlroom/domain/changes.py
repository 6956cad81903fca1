"""What an event changes: the records that become others, gathered while it is reduced.

Whoever follows the fleet is given their keys, and looks at nothing else: what one agent does costs the same in a fleet
of ten thousand as in one of ten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Generic, TypeVar

from controlroom.domain.budgets import Budget
from controlroom.domain.fleet_files import AppliedFleet, Member
from controlroom.domain.gauges import Alarm, Headroom
from controlroom.domain.leads import Lead
from controlroom.domain.model import Agent, Fleet, Host, Limits, Money, Profile, with_changes, with_parts
from controlroom.domain.persistent_tables import HostedTable, Table, hosted, table
from controlroom.domain.tasks import Queue, Task
from controlroom.text.lazy_dataclass import dataclass

V = TypeVar("V")


@dataclass
class Changes:
    """The keys of records that may be others than before. Those of several events are gathered by `add`."""

    hosts: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    budgets: set[str] = field(default_factory=set)
    headroom: set[str] = field(default_factory=set)
    alarms: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    fleets: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    room: bool = False
    """Profiles, limits, the money of the whole room, the queue, or leads."""

    def __bool__(self) -> bool:
        parts = self.agents, self.hosts, self.alarms, self.budgets, self.headroom, self.tasks, self.room
        return any((*parts, self.fleets, self.members))

    def add(self, more: "Changes") -> None:
        """Count what changed afterwards, too."""
        self.hosts |= more.hosts
        self.agents |= more.agents
        self.budgets |= more.budgets
        self.headroom |= more.headroom
        self.alarms |= more.alarms
        self.tasks |= more.tasks
        self.fleets |= more.fleets
        self.members |= more.members
        self.room |= more.room


_ROOM = ("profiles", "limits", "money", "queue", "leads")


def between(old: Fleet, new: Fleet) -> Changes:
    """Name all records of two fleets, but those of tables that are the same: for whom nobody has told what changed."""

    def keys(before: Mapping[str, V], after: Mapping[str, V]) -> set[str]:
        return set() if before is after else {*before, *after}

    return Changes(
        keys(old.hosts, new.hosts),
        keys(old.agents, new.agents),
        keys(old.budgets, new.budgets),
        keys(old.headroom, new.headroom),
        keys(old.alarms, new.alarms),
        keys(old.tasks, new.tasks),
        keys(old.fleets, new.fleets),
        keys(old.members, new.members),
        room=any(getattr(old, part) != getattr(new, part) for part in _ROOM),
    )


class _Layer(Generic[V]):
    """Records that are put over a table's."""

    def __init__(self, below: Table[V] | HostedTable[V]) -> None:
        self._below = below
        self._put: dict[str, V] = {}
        self._dropped: dict[str, None] = {}

    def get(self, key: str) -> V | None:
        """A record as it is by now."""
        if key in self._dropped:
            return None
        record: V | None = self._put.get(key)
        return self._below.get(key) if record is None else record

    def put(self, key: str, value: V) -> None:
        """Put a record; one that equals what is there stays the object that it is."""
        record = self.get(key)
        if record is not value and record != value:
            self._dropped.pop(key, None)
            self._put[key] = value

    def replace(self, key: str, value: V) -> None:
        """Put a record in the place of one that is there and is another."""
        self._put[key] = value

    def drop(self, key: str) -> None:
        """Have a record no more."""
        self._put.pop(key, None)
        if key in self._below:
            self._dropped[key] = None

    def become(self, records: Mapping[str, V]) -> None:
        """Have these and no others."""
        for key in [*self._below, *self._put]:
            if key not in records:
                self.drop(key)
        for key, value in records.items():
            self.put(key, value)

    def changed(self) -> set[str]:
        """Name what is not as it was."""
        return {*self._put, *self._dropped} if self._put or self._dropped else set()

    def made(self) -> Table[V] | HostedTable[V]:
        """The table as it is by now."""
        return self._below.updated(self._put, self._dropped)

    def items(self, below: Mapping[str, V], begin: str) -> Iterable[tuple[str, V]]:
        """The records whose keys begin so; `below`: those of the table."""
        for key, value in below.items():
            if key not in self._put and key not in self._dropped:
                yield key, value
        for key, value in self._put.items():
            if key.startswith(begin):
                yield key, value


_TABLES = ("hosts", "agents", "budgets", "headroom", "alarms", "tasks", "fleets", "members")


class Draft:
    """A fleet that is being changed. The layer of a table is made when it is asked for: an event changes one or two."""

    hosts: _Layer[Host]
    agents: _Layer[Agent]
    budgets: _Layer[Budget]
    headroom: _Layer[Headroom]
    alarms: _Layer[Alarm]
    tasks: _Layer[Task]
    fleets: _Layer[AppliedFleet]
    members: _Layer[Member]

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self._agents_below = fleet, hosted(fleet.agents)
        """The fleet before anything was changed."""
        self._layers: dict[str, _Layer[Any]] = {}
        self._room: dict[str, Any] = {}

    def __getattr__(self, name: str) -> _Layer[Any]:
        if name not in _TABLES:
            raise AttributeError(name)
        layer: _Layer[Any] = _Layer(self._agents_below if name == "agents" else table(getattr(self.fleet, name)))
        self._layers[name] = layer
        setattr(self, name, layer)
        return layer

    def agents_on(self, host: str, *, adopted: bool = False) -> list[Agent]:
        """The agents of a host that we started, or those that others did."""
        below = self._agents_below.adopted_on(host) if adopted else self._agents_below.on(host)
        begin = f"{host}/~" if adopted else f"{host}/"
        return [
            agent for key, agent in self.agents.items(below, begin) if adopted or not key.startswith("~", len(begin))
        ]

    def move(self, key: str, agent: Agent, **figures: object) -> None:
        """Give an agent, as it is by now, other figures; one that has them stays the object that it is."""
        held = agent.__dict__
        if any(held[name] != value for name, value in figures.items()):
            self.agents.replace(key, with_changes(agent, **figures))

    def set_room(
        self,
        *,
        profiles: Mapping[str, Profile] | None = None,
        limits: Limits | None = None,
        money: Money | None = None,
        queue: Queue | None = None,
        leads: Mapping[str, Lead] | None = None,
    ) -> None:
        """Set what belongs to the whole room."""
        parts = {"profiles": profiles, "limits": limits, "money": money, "queue": queue, "leads": leads}
        for name, value in parts.items():
            if value is not None and value != getattr(self.fleet, name):
                self._room[name] = value

    def done(self) -> tuple[Fleet, Changes]:
        """The fleet as it is by now (the same one when nothing has changed), and what has."""
        changes, made = Changes(room=bool(self._room)), self._room
        for name, layer in self._layers.items():
            if keys := layer.changed():
                setattr(changes, name, keys)
                made[name] = layer.made()
        return with_parts(self.fleet, made) if made else self.fleet, changes
