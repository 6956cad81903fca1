"""The agent table: which agents it holds, in what order, under which headings. Rows that did not change are kept."""

import re
from bisect import insort
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from typing import Any

from controlroom.domain.display.views import ORDER, AgentRow, agent_row, contains, need, row_age, short_model
from controlroom.domain.model import Agent, Fleet, LinkState, State
from controlroom.domain.persistent_tables import differing


class Sort(str, Enum):
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

    def __str__(self) -> str:
        return self.value


class Group(str, Enum):
    """What rows stand together."""

    NONE = "none"
    HOST = "host"
    STATE = "state"
    PROFILE = "profile"

    def __str__(self) -> str:
        return self.value


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


@dataclass(frozen=True)
class Basis:
    """What a table follows from, apart from the agents: the same basis gives the same rows for the same agents."""

    now: int
    links: tuple[tuple[str, LinkState, int], ...]
    """Each host with its link, and for one that is away when it was last heard."""

    @classmethod
    def of(cls, fleet: Fleet, now: int) -> "Basis":
        """Gather it."""
        hosts = fleet.hosts.values()
        return cls(now, tuple((one.name, one.link, 0 if one.link is LinkState.UP else one.seen) for one in hosts))


Made = dict[str, tuple[Agent, AgentRow]]
"""Agent id -> what its row was made from, and the row."""

Placed = tuple[Any, str]
"""What an agent is ordered by, and its id: together they are no other agent's."""


@dataclass(frozen=True)
class Arranged:
    """A table: its rows with their headings, and what they were made from."""

    rows: tuple[TableRow, ...] = ()
    ids: tuple[str, ...] = ()
    """The agents in the order of the table."""
    arrangement: Arrangement = field(default_factory=Arrangement)
    basis: Basis | None = None
    agents: Mapping[str, Agent] | None = None
    made: Made = field(default_factory=dict)
    order: Sequence["Placed"] = ()
    """The agents in the order of the arrangement, without headings."""
    held: bool = False
    """Whether the order is an older one."""


def arrange(
    fleet: Fleet, now: int, arrangement: Arrangement, before: Arranged | None = None, *, hold: bool = False
) -> Arranged:
    """Arrange the agents. What `before` has of it is used again: its rows, or all of it where nothing changed.

    Where nothing but agents changed those alone are put in their places: to order five thousand takes 30 ms.

    `hold` keeps the order of `before` for all agents that it had; others are put where the order wants them, behind.
    """
    before, basis = before or Arranged(), Basis.of(fleet, now)
    same = before.agents is not None and (before.basis, before.arrangement) == (basis, arrangement)
    if same and before.agents is fleet.agents and (hold or not before.held):
        return before
    if same and not (hold or before.held):
        made, order = _amended(fleet, now, before)
    else:
        made = _made(fleet, now, before, basis)
        order = sorted(_placed(made, made, arrangement))
    if hold:
        places = {agent: place for place, agent in enumerate(before.ids)}
        order.sort(key=lambda placed: places.get(placed[1], len(places)))
    ids = [id_ for _, id_ in order]
    rows: list[TableRow] = [made[id_][1] for id_ in ids]
    if arrangement.group is not Group.NONE:
        rows = _headed([made[id_] for id_ in ids], arrangement.group)
        ids = [row.id for row in rows if isinstance(row, AgentRow)]
    return Arranged(tuple(rows), tuple(ids), arrangement, basis, fleet.agents, made, order, hold)


def renewed(before: Arranged, fleet: Fleet, now: int, changed: Collection[str]) -> Arranged:
    """Arrange agents of which some have another line or load, and nothing else is different (`changed_rows`).

    Those follow neither an order nor a filter that looks at such.
    """
    made = dict(before.made)
    for id_ in changed:
        made[id_] = fleet.agents[id_], agent_row(fleet, fleet.agents[id_], now)
    rows = tuple(made[row.id][1] if row.id in changed else row for row in before.rows)
    return replace(before, rows=rows, agents=fleet.agents, made=made)


def _amended(fleet: Fleet, now: int, before: Arranged) -> tuple[Made, list[Placed]]:
    """The rows and their order where only agents differ from `before`."""
    changed = differing(before.agents or {}, fleet.agents)
    made = dict(before.made)
    for id_ in changed:
        agent = fleet.agents.get(id_)
        if agent is None:
            made.pop(id_, None)
        else:
            made[id_] = agent, agent_row(fleet, agent, now)
    order = [placed for placed in before.order if placed[1] not in changed]
    for placed in _placed(made, changed, before.arrangement):
        insort(order, placed)
    return made, order


def _placed(made: Made, ids: Iterable[str], arrangement: Arrangement) -> Iterator[Placed]:
    """Where those of these agents stand that are on show."""
    key = _KEYS[arrangement.sort]
    return ((key(*made[id_]), id_) for id_ in ids if id_ in made and contains(*made[id_], arrangement.text))


def _made(fleet: Fleet, now: int, before: Arranged, basis: Basis) -> Made:
    """Make the rows: those from before, where they would be the same."""
    alike = before.basis == basis
    made: Made = {}
    for id_, agent in fleet.agents.items():
        known = before.made.get(id_)
        if known is None or known[0] is not agent or not (alike or _holds(fleet, now, *known)):
            known = (agent, agent_row(fleet, agent, now))
        made[id_] = known
    return made


def _holds(fleet: Fleet, now: int, agent: Agent, row: AgentRow) -> bool:
    """Whether the row of an agent that did not change would be the same now."""
    state = fleet.state_of(agent)
    return row.state is state and row.age == row_age(fleet, agent, state, now)


def _headed(shown: Sequence[tuple[Agent, AgentRow]], group: Group) -> list[TableRow]:
    """Put the rows under headings; within a group they stay in their order."""
    groups: dict[str, list[AgentRow]] = {}
    for agent, row in shown:
        groups.setdefault(_GROUPS[group](agent, row), []).append(row)
    headed: list[TableRow] = []
    for title in sorted(groups, key=lambda title: _group_order(group, title)):
        states = [row.state for row in groups[title]]
        counts = tuple((state, states.count(state)) for state in ORDER if state in states)
        headed += [GroupRow(f"{group}: {title}", title or f"no {group}", counts), *groups[title]]
    return headed


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


_KEYS: dict[Sort, Callable[[Agent, AgentRow], Any]] = {
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


def following(choice: Sort | Group) -> Any:
    """The next sort or group; after the last one the first."""
    kinds = list(type(choice))
    return kinds[(kinds.index(choice) + 1) % len(kinds)]
