"""The arrangement of the screen: sort, groups, live panes; how it is kept and read again. Damage counts as none."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from controlroom.domain.display.arrange import Group, Sort, TaskSort
from controlroom.domain.model import Agent, Fleet, State
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum

MOST = 16
"""Panes at most."""
_LOOKED_THROUGH = 60
"""Agents, from the top of the table, of which some are shown live unasked."""
WHILE = 60_000
"""Milliseconds that others must have been active after an agent went quiet before one of them takes its seat."""


class Pick(StrEnum):
    """Who is shown live."""

    CHOSEN = "chosen"
    """The agent under the cursor, alone."""
    ACTIVE = "active"
    """Whoever is active."""
    HOST = "host"
    """The agents of one host."""
    STATE = "state"
    """The agents in one state."""
    HAND = "hand"
    """Those that were pinned, and nobody else."""


class PaneSize(StrEnum):
    """How much of the screen live panes have beside the table."""

    FITTED = "fitted"
    """What the table does not need."""
    LARGE = "large"
    """Most of it."""
    HIDDEN = "hidden"
    """Nothing."""


@dataclass(frozen=True)
class Panes:
    """Who somebody wants to see live."""

    pick: Pick = Pick.CHOSEN
    count: int = 4
    """How many panes; pinned agents have theirs in any case."""
    of: str = ""
    """The name of the host, or the state."""
    pinned: tuple[str, ...] = ()
    """Agents that keep their panes whoever else comes and goes."""

    def words(self) -> str:
        """Say it in a word or two."""
        named = {Pick.CHOSEN: "the chosen one", Pick.HAND: "by hand", Pick.ACTIVE: "active"}
        return named.get(self.pick, self.of)


def seats(
    fleet: Fleet, shown: Sequence[str], panes: Panes, chosen: str | None, before: Sequence[str], room: int = 1
) -> tuple[str, ...]:
    """The agents to show live, each in its seat. `shown`: the agents of the table, in its order.

    Where there is room for more panes than that of the chosen agent, the most active others are below it. An agent
    of `before` stays where it was for as long as it belongs; whoever replaces it takes its seat.
    """
    if panes.pick is Pick.CHOSEN:
        return _chosen_first(fleet, shown, chosen, before, room) if chosen is not None and chosen in shown else ()
    here = set(shown)
    pinned = [agent for agent in panes.pinned if agent in here][:MOST]
    free = max(0, min(panes.count, MOST) - len(pinned)) if panes.pick is not Pick.HAND else 0
    seated = [agent for agent in before if agent in here and agent not in pinned]
    candidates = [agent for agent in shown if agent not in pinned and _belongs(fleet, agent, panes)]
    if panes.pick is Pick.ACTIVE:
        taken = _active(fleet, [agent for agent in seated if agent in set(candidates)], candidates, free)
    else:
        belonging = set(candidates)
        stay = [agent for agent in seated if agent in belonging]
        taken = [*stay, *(agent for agent in candidates if agent not in stay)][:free]
    return _seated(before, [*pinned, *taken])


def _chosen_first(fleet: Fleet, shown: Sequence[str], chosen: str, before: Sequence[str], room: int) -> tuple[str, ...]:
    if room < 2:
        return (chosen,)

    def at_work(agent: str) -> bool:
        return agent != chosen and agent in shown and fleet.state_of(fleet.agents[agent]) is State.WORKING

    seated = [agent for agent in before[1:] if at_work(agent)][: room - 1]
    if len(seated) < room - 1:  # else nobody is looked for: there may be thousands
        first = (shown[index] for index in range(min(len(shown), _LOOKED_THROUGH)))
        seated = _active(
            fleet, seated, [*seated, *(one for one in first if one not in seated and at_work(one))], room - 1
        )
    return (chosen, *_seated(before[1:], seated))


def _belongs(fleet: Fleet, agent: str, panes: Panes) -> bool:
    shown_agent = fleet.agents[agent]
    if panes.pick is Pick.HOST:
        return shown_agent.host == panes.of
    return panes.pick is not Pick.STATE or fleet.state_of(shown_agent).value == panes.of


def _active(fleet: Fleet, seated: Sequence[str], candidates: Sequence[str], free: int) -> list[str]:
    """Choose by activity; one that is seated goes only when another was active for a while after its last sign."""
    rank = {agent: _activity(fleet.agents[agent]) for agent in candidates}
    taken = sorted(seated, key=lambda agent: rank[agent], reverse=True)[:free]
    waiting = sorted((agent for agent in candidates if agent not in taken), key=lambda agent: rank[agent], reverse=True)
    while waiting and len(taken) < free:
        taken.append(waiting.pop(0))
    while waiting and taken:
        quietest = min(taken, key=lambda agent: rank[agent])
        (lives, last), (alive, newest) = rank[quietest], rank[waiting[0]]
        if not ((alive and not lives) or (alive == lives and newest - last >= WHILE)):
            break
        taken[taken.index(quietest)] = waiting.pop(0)
    return taken


def _activity(agent: Agent) -> tuple[bool, int]:
    """Whether it runs, and when it last said or did something."""
    return not agent.has_ended, max(agent.last_line_at, agent.since)


def _seated(before: Sequence[str], taken: Sequence[str]) -> tuple[str, ...]:
    """Seat these: who had a seat keeps it, who is new takes one that became free, else the next one."""
    new = [agent for agent in taken if agent not in before]
    placed: list[str] = []
    for agent in before:
        if agent in taken:
            placed.append(agent)
        elif new:
            placed.append(new.pop(0))
    return (*placed, *new)


def pin(panes: Panes, agents: Sequence[str]) -> Panes:
    """Pin these agents, or unpin them where all of them are pinned. The first pin makes it a choice by hand."""
    if all(agent in panes.pinned for agent in agents):
        kept = tuple(agent for agent in panes.pinned if agent not in agents)
        left = Pick.CHOSEN if panes.pick is Pick.HAND and not kept else panes.pick
        return Panes(left, panes.count, panes.of, kept)
    pinned = (*panes.pinned, *(agent for agent in agents if agent not in panes.pinned))[:MOST]
    return Panes(Pick.HAND if panes.pick is Pick.CHOSEN else panes.pick, panes.count, panes.of, pinned)


_Choice = TypeVar("_Choice", bound=Enum)
_LONGEST = 200
"""Characters of a name that is read."""


@dataclass(frozen=True)
class Layout:
    """Order and groups of the agents, live panes, what is folded, whether long lines are broken."""

    sort: Sort = Sort.NEED
    group: Group = Group.NONE
    panes: Panes = field(default_factory=Panes)
    pane_size: PaneSize = PaneSize.FITTED
    fold_hosts: bool = False
    """All hosts in one line."""
    fold_limits: bool = False
    """Of budgets and limits the first line only."""
    wrap: bool = True
    """Whether long lines of a log are broken rather than cut."""
    task_sort: TaskSort = TaskSort.TURN


def written(layout: Layout) -> dict[str, object]:
    """As JSON."""
    panes = layout.panes
    return {
        "sort": layout.sort.value,
        "group": layout.group.value,
        "panes": {"pick": panes.pick.value, "count": panes.count, "of": panes.of, "pinned": list(panes.pinned)},
        "pane_size": layout.pane_size.value,
        "fold_hosts": layout.fold_hosts,
        "fold_limits": layout.fold_limits,
        "wrap": layout.wrap,
        "task_sort": layout.task_sort.value,
    }


def read(known: object) -> Layout:
    """Read what was written; each part that is not as it should be is as it is for somebody new."""
    fields: Mapping[str, Any] = known if isinstance(known, dict) else {}
    new = Layout()
    return Layout(
        _choice(fields.get("sort"), new.sort),
        _choice(fields.get("group"), new.group),
        _panes(fields.get("panes")),
        _choice(fields.get("pane_size"), new.pane_size),
        _flag(fields.get("fold_hosts"), new.fold_hosts),
        _flag(fields.get("fold_limits"), new.fold_limits),
        _flag(fields.get("wrap"), new.wrap),
        _choice(fields.get("task_sort"), new.task_sort),
    )


def _panes(known: object) -> Panes:
    fields: Mapping[str, Any] = known if isinstance(known, dict) else {}
    pick, count, of, pinned = (fields.get(name) for name in ("pick", "count", "of", "pinned"))
    fit = (
        type(count) is int and 1 <= count <= MOST,
        _name(of),
        isinstance(pinned, list) and len(pinned) <= MOST and all(map(_name, pinned)),
    )
    if not all(fit):
        return Panes()
    chosen = _choice(pick, Pick.CHOSEN)
    return Panes() if chosen is Pick.HAND and not pinned else Panes(chosen, count, of, tuple(pinned))  # type: ignore[arg-type]


def _choice(value: object, otherwise: _Choice) -> _Choice:
    return next((choice for choice in type(otherwise) if choice.value == value), otherwise)


def _flag(value: object, otherwise: bool) -> bool:
    return value if isinstance(value, bool) else otherwise


def _name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and (value == "" or value.isprintable())


@dataclass(frozen=True)
class ScreenSettings:
    """The settings of a front end on this machine, as the user wrote them: themes and keys are checked later."""

    themes: Path
    """The folder of the user's own themes; it need not be there."""
    memory: Path
    """The file in which the screen remembers what was chosen on it."""
    theme: str = ""
    """The theme that the config names; empty: none."""
    keys: Mapping[str, object] | None = None
    """The table [keys] of the config: action -> key, or keys."""
    bell: bool = True
    """Whether the terminal rings when something is asked, and its title says how much."""
    source: str = "config.toml"
    """The path of the config, for sentences about it."""
    problem: str = ""
    """Why the config could not be read, in a sentence."""
