"""The agent table: which agents it holds, in what order, under which headings. Rows that did not change are kept."""

import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from controlroom.domain.display.filters import fits
from controlroom.domain.display.views import ORDER, AgentRow, agent_row, need, row_age, short_model
from controlroom.domain.model import Agent, Fleet, LinkState, State
from controlroom.domain.persistent_tables import differing
from controlroom.domain.went_on import moved_from
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum


class Sort(StrEnum):
    """What the order of the rows follows."""

    NEED = "need"
    """What needs a person first, then what is wrong, then what runs, then what is over."""
    NAME = "name"
    HOST = "host"
    STATE = "state"
    """As need; within a state what is so for longest comes first."""
    AGE = "age"
    """What changed last comes first."""
    MODEL = "model"
    RAM = "ram"
    """The largest first."""
    CPU = "cpu"
    """The busiest first."""
    COST = "cost"
    """The dearest first."""


class TaskSort(StrEnum):
    """What the order of the tasks follows."""

    TURN = "turn"
    """What runs, what waits in the order in which it starts, what is held, what has ended, newest first."""
    PRIORITY = "priority"
    """The highest first."""
    AGE = "age"
    """What changed last comes first."""
    COST = "cost"
    """The dearest first."""
    NAME = "name"
    """By the words of their titles."""


class Group(StrEnum):
    """What rows stand together."""

    NONE = "none"
    HOST = "host"
    STATE = "state"
    PROFILE = "profile"


RESTLESS = frozenset({Sort.RAM, Sort.CPU})
"""Orders that follow figures which always move: whoever shows them lets them rest between two readings."""


@dataclass(frozen=True)
class Arrangement:
    """How somebody wants the table: its order, its headings, and the text that every row must contain."""

    sort: Sort = Sort.NEED
    group: Group = Group.NONE
    text: str = ""


@dataclass(frozen=True)
class GroupRow:
    """A heading above the agents that stand together. Its id is no agent's."""

    id: str
    title: str
    counts: tuple[tuple[State, int], ...]
    """How many of them are in each state that occurs, in the order of need."""

    @property
    def count(self) -> int:
        """How many agents stand below."""
        return sum(number for _, number in self.counts)


TableRow = AgentRow | GroupRow


class Basis(NamedTuple):
    """What a table follows from, apart from the agents: the same basis gives the same rows for the same agents."""

    now: int
    links: Mapping[str, tuple[LinkState, int]]
    """Each host with its link, and for one that is away when it was last heard."""

    @classmethod
    def of(cls, fleet: Fleet, now: int) -> "Basis":
        """Gather it."""
        hosts = fleet.hosts.values()
        return cls(now, {one.name: (one.link, 0 if one.link is LinkState.UP else one.seen) for one in hosts})


Placed = tuple[Any, str]
"""What an agent is ordered by, and its id: together they are no other agent's."""

Change = tuple[AgentRow | None, AgentRow | None]
"""A row of the table as it was, and as it is; None: it is not in the table."""


class Ids(Sequence[str]):
    """The agents of a table in their order, by id."""

    def __init__(self, order: list[Placed], placed: Mapping[str, Placed]) -> None:
        self._order, self._placed = order, placed

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(id_ for _, id_ in self._order[index])
        return self._order[index][1]

    def __iter__(self) -> Iterator[str]:
        return (id_ for _, id_ in self._order)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._placed

    def index(self, id_: str, *_: int) -> int:
        """Where an agent stands."""
        return bisect_left(self._order, self._placed[id_])


class Arranged(Sequence[TableRow]):
    """A table: its rows with their headings. It follows the fleet in place.

    What an agent costs does not grow with the others: it is put in its place by halving, and its row alone is made.
    """

    def __init__(self) -> None:
        self.arrangement = Arrangement()
        self._order: list[Placed] = []
        self._placed: dict[str, Placed] = {}
        self.ids: Sequence[str] = Ids(self._order, self._placed)
        """The agents in the order of the table."""
        self._waiting: list[Placed] = []
        """Those that wait for a person."""
        self._made: dict[str, tuple[Agent, AgentRow]] = {}
        """All agents with their rows; also those that the filter hides."""
        self._outdated: set[str] = set()
        """Agents whose rows are made anew when they are read."""
        self._fleet = Fleet()
        self._groups: dict[Any, Counter[State]] = {}
        """What a group is ordered by -> how many of its agents are in which state."""
        self._titles: dict[Any, str] = {}
        self._headings: list[tuple[int, Any]] = []
        """The place of each heading among the rows, and what its group is ordered by."""
        self._agents: Mapping[str, Agent] | None = None
        self._aged: dict[str, int] = {}
        """Agent id -> the time at which its row was found to be right: ages move when a row is looked at."""
        self._basis = Basis(0, {})
        self._held = False

    # ------------------------------------------------------------------ following the fleet

    def follow(self, fleet: Fleet, now: int, arrangement: Arrangement, *, hold: bool = False) -> list[Change] | None:
        """Arrange these agents; gives the rows that have become others, None: all may have.

        `hold` leaves the agents in their places, whatever they are ordered by has become; new ones stand behind.
        """
        basis, agents = Basis.of(fleet, now), self._agents
        self._fleet = fleet
        same = agents is not None and arrangement == self.arrangement
        changes: list[Change] | None = None
        sifted_anew = now != self._basis.now and bool(arrangement.text)
        if agents is None or not same or sifted_anew or (self._held and not hold):
            alike, self._agents, self._basis, self.arrangement = basis == self._basis, fleet.agents, basis, arrangement
            self._begin_anew(fleet, alike, hold and same)
        else:
            changed = differing(agents, fleet.agents)
            for host in {name for name, _ in basis.links.items() ^ self._basis.links.items()}:
                changed.update(agent.id for agent in fleet.agents_on(host))
            self._agents, self._basis = fleet.agents, basis
            changes = [self._put(fleet, id_, hold) for id_ in changed]
        self._held = hold and same
        self._place_headings()
        return changes

    def renew(self, fleet: Fleet, ids: Iterable[str]) -> list[Change]:
        """Take the lines and loads of these agents, and nothing else that is new; gives the rows of another load.

        A line changes nothing but its row, which is made when it is read: most are out of sight.
        """
        from controlroom.domain.patch import load_of  # the first frame of a screen has no agents

        loaded = []
        for id_ in ids:
            agent, (before, row) = fleet.agents[id_], self._made[id_]
            if load_of(before) != load_of(agent):
                loaded.append(id_)
            else:
                self._made[id_] = agent, row
                self._outdated.add(id_)
        self._fleet, self._agents = fleet, fleet.agents
        return [self._put(fleet, id_, hold=False) for id_ in loaded]

    def _begin_anew(self, fleet: Fleet, alike: bool, hold: bool) -> None:
        """Make all rows, but those that would be the same, and put them in order."""
        before, was_placed = dict(self._made), dict(self._placed)
        for id_ in self._outdated:
            del before[id_]
        for table in (self._made, self._placed, self._groups, self._outdated, self._aged):
            table.clear()
        now = self._basis.now
        for id_, agent in fleet.agents.items():
            known = before.get(id_)
            if known is None or known[0] is not agent or not (alike or _holds(fleet, now, *known)):
                known = (agent, agent_row(fleet, agent, now))
            self._made[id_], self._aged[id_] = known, now
            if placed := self._place(known, hold, was_placed.get(id_)):
                self._placed[id_] = placed
                self._count(placed, known[1], 1)
        self._order[:] = sorted(self._placed.values())
        self._waiting = [placed for placed in self._order if self._made[placed[1]][1].state is State.WAITING]

    def _put(self, fleet: Fleet, id_: str, hold: bool) -> Change:
        """Put one agent where it belongs now, or take it away."""
        before, was_placed = self._made.pop(id_, None), self._placed.pop(id_, None)
        self._outdated.discard(id_)
        self._aged.pop(id_, None)
        agent = fleet.agents.get(id_)
        known = None if agent is None else (agent, agent_row(fleet, agent, self._basis.now))
        placed = self._place(known, hold, was_placed) if known else None
        stays = before and known and placed == was_placed and before[1].state is known[1].state
        if before and was_placed and not stays:
            _take(self._order, was_placed)
            if before[1].state is State.WAITING:
                _take(self._waiting, was_placed)
            self._count(was_placed, before[1], -1)
        if known and placed:
            self._placed[id_] = placed
            if not stays:
                insort(self._order, placed)
                if known[1].state is State.WAITING:
                    insort(self._waiting, placed)
                self._count(placed, known[1], 1)
        if known:
            self._made[id_], self._aged[id_] = known, self._basis.now
            self._outdated.update(name for name in moved_from(fleet, known[0]) if name in self._made)
        return before[1] if before and was_placed else None, known[1] if known and placed else None

    def _place(self, known: tuple[Agent, AgentRow], hold: bool, before: Placed | None) -> Placed | None:
        """What an agent is ordered by: its group, whether it stands behind, what the order follows; None: hidden."""
        group, sort = self.arrangement.group, self.arrangement.sort
        if not fits(*known, self.arrangement.text):
            return None
        order: Any = ()
        if group is not Group.NONE:
            title = _GROUPS[group](*known)
            order = _group_order(group, title)
            self._titles[order] = title
        if hold and before is not None and before[0][0] == order:
            return before
        return (order, hold, KEYS[sort](*known)), known[0].id

    def _count(self, placed: Placed, row: AgentRow, sign: int) -> None:
        order = placed[0][0]
        if self.arrangement.group is not Group.NONE:
            counts = self._groups.setdefault(order, Counter())
            counts[row.state] += sign
            if not counts.total():
                del self._groups[order]

    def _place_headings(self) -> None:
        self._headings, at = [], 0
        for order in sorted(self._groups):
            self._headings.append((at, order))
            at += 1 + self._groups[order].total()

    # ------------------------------------------------------------------ reading it

    def __len__(self) -> int:
        return len(self._order) + len(self._headings)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        index = index if index >= 0 else len(self) + index
        above = bisect_left(self._headings, (index + 1,))
        if above and self._headings[above - 1][0] == index:
            return self._heading(self._headings[above - 1][1])
        return self._row(self._order[index - above][1])

    def _row(self, id_: str) -> AgentRow:
        """An agent's row as it is now: what it says and its age may have moved since it was made."""
        (agent, row), now = self._made[id_], self._basis.now
        aged = self._aged[id_] != now and not _holds(self._fleet, now, agent, row)
        if aged or id_ in self._outdated:
            self._outdated.discard(id_)
            row = agent_row(self._fleet, agent, now)
            self._made[id_] = agent, row
        self._aged[id_] = now
        return row

    def _heading(self, order: Any) -> GroupRow:
        group, title, counts = self.arrangement.group, self._titles[order], self._groups[order]
        in_order = tuple((state, counts[state]) for state in ORDER if counts[state])
        return GroupRow(f"{group}: {title}", title or f"no {group}", in_order)

    def agents_before(self, place: int) -> int:
        """Count the agents among the rows before a place."""
        return place - bisect_left(self._headings, (place,))

    def place_of(self, number: int) -> int:
        """The place among the rows of an agent, counted from 0."""
        starts = [place - above for above, (place, _) in enumerate(self._headings)]
        return number + bisect_right(starts, number)

    def waiting(self, places: range) -> int:
        """Count the agents among some rows that wait for a person."""
        first, last = self.agents_before(places.start), self.agents_before(places.stop)
        ends = [
            bisect_left(self._waiting, self._order[at]) if at < len(self._order) else len(self._waiting)
            for at in (first, last)
        ]
        return ends[1] - ends[0]


def _take(ordered: list[Placed], placed: Placed) -> None:
    del ordered[bisect_left(ordered, placed)]


def _holds(fleet: Fleet, now: int, agent: Agent, row: AgentRow) -> bool:
    """Whether the row of an agent that did not change would be the same now."""
    state = fleet.state_of(agent)
    return row.state is state and row.age == row_age(fleet, agent, state, now)


def _group_order(group: Group, title: str) -> tuple[object, ...]:
    """States in the order of need, everything else by name; what has no name comes last."""
    return (ORDER.index(State(title)),) if group is Group.STATE else (not title, natural(title))


_GROUPS: dict[Group, Callable[[Agent, AgentRow], str]] = {
    Group.HOST: lambda agent, row: row.host,
    Group.STATE: lambda agent, row: str(row.state),
    Group.PROFILE: lambda agent, row: agent.profile,
}


@lru_cache(maxsize=20_000)
def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """What names are ordered by, so that web-2 comes before web-10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d{1,18})", text))


def _named(row: AgentRow) -> tuple[object, ...]:
    return natural(row.name), natural(row.host)


def _falling(value: float | None) -> float:
    """Order by falling values; what is not known comes last."""
    return 1.0 if value is None else -value


KEYS: dict[Sort, Callable[[Agent, AgentRow], Any]] = {
    Sort.NEED: lambda agent, row: (need(agent, row.state), agent.adopted, _named(row)),
    Sort.NAME: lambda agent, row: _named(row),
    Sort.HOST: lambda agent, row: (natural(row.host), natural(row.name)),
    Sort.STATE: lambda agent, row: (need(agent, row.state), agent.since, _named(row)),
    Sort.AGE: lambda agent, row: (-agent.since, _named(row)),
    Sort.MODEL: lambda agent, row: (not agent.model, natural(short_model(agent.model)), _named(row)),
    Sort.RAM: lambda agent, row: (_falling(row.rss), _named(row)),
    Sort.CPU: lambda agent, row: (_falling(row.cpu_percent), _named(row)),
    Sort.COST: lambda agent, row: (_falling(agent.spent), _named(row)),
}
"""What rows are compared by, for each order."""


def following(choice: StrEnum) -> Any:
    """The next of its kind; after the last one the first."""
    kinds = list(type(choice))
    return kinds[(kinds.index(choice) + 1) % len(kinds)]
