"""Live panes side by side: as many rows and columns as there is room for, each agent in the seat it has."""

import math
from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from controlroom.domain.display.panes import Panes, Pick, seats
from controlroom.domain.model import Agent
from controlroom.tui.logs.log_buffer import LogBuffer
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.pane import AgentPane, Tag

LEAST = (38, 6)
"""Columns and lines that a pane needs."""
PHONE = 60
"""Columns below which panes are shown one at a time."""
_LOOKS = 5.0
"""Columns for each line of a pane that reads well."""


def room_for(width: int, height: int) -> int:
    """Give how many panes there is room for: on a phone one."""
    return max(1, width // LEAST[0]) * max(1, height // LEAST[1]) if width >= PHONE else 1


def shape(count: int, width: int, height: int) -> tuple[int, int]:
    """Choose rows and columns for `count` panes: those that read best, with few places empty."""

    def strain(columns: int) -> float:
        rows = math.ceil(count / columns)
        looks = (width / columns) / max(1.0, height / rows)
        return abs(math.log(max(0.1, looks) / _LOOKS)) + (rows * columns - count) / count

    rows_most = max(1, height // LEAST[1])
    fitting = [n for n in range(1, max(1, width // LEAST[0]) + 1) if math.ceil(count / n) <= rows_most] or [1]
    columns = min(fitting, key=strain)
    return math.ceil(count / columns), columns


class PaneGrid(Container):
    """The panes. It keeps who sits where; where not all fit, the part of them that holds the chosen one is shown."""

    DEFAULT_CSS = "PaneGrid { layout: grid; height: 1fr; }"

    class Resized(Message):
        """There is another room for panes."""

    def __init__(self, wish: Panes, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.wish = wish
        self.seats: tuple[str, ...] = ()
        self.panes = [AgentPane(id="pane")]
        self._page = 0
        self._shape = (0, 0, 0)

    def compose(self) -> ComposeResult:
        """One to begin with."""
        yield self.panes[0]

    @property
    def many(self) -> bool:
        """Whether it is more than the pane of the chosen agent."""
        return self.wish.pick is not Pick.CHOSEN

    @property
    def fitting(self) -> int:
        """How many panes fit."""
        return room_for(*self.size)

    def seat(self, view: ViewState, shown: Sequence[str], chosen: str | None) -> None:
        """Decide who sits where. `shown`: the agents of the table."""
        self.seats = seats(view.fleet, shown, self.wish, chosen, self.seats)
        fitting = self.fitting
        if chosen in self.seats:
            self._page = self.seats.index(chosen) // fitting
        self._page = max(0, min(self._page, (len(self.seats) - 1) // fitting))

    @property
    def live(self) -> tuple[str, ...]:
        """The agents that have a pane now."""
        first = self._page * self.fitting
        return self.seats[first : first + self.fitting]

    @property
    def first(self) -> int:
        """The number of the first pane on show, counted from 1."""
        return self._page * self.fitting + 1

    def show(self, view: ViewState, chosen: str | None, book: Callable[[Agent | None], LogBuffer | None]) -> None:
        """Paint the agents that have a pane."""
        agents = [view.fleet.agents[agent] for agent in self.live if agent in view.fleet.agents]
        while len(self.panes) < len(agents):
            self.panes.append(AgentPane())
            self.mount(self.panes[-1])
        self._lay_out(max(1, len(agents)))
        for index, pane in enumerate(self.panes):
            agent = agents[index] if index < len(agents) else None
            pane.display = agent is not None or index == 0
            if self.many and agent is not None:
                pane.tag = Tag(self.first + index, agent.id == chosen, agent.id in self.wish.pinned)
            else:
                pane.tag = Tag()
            pane.show(view, agent, book(agent))

    def _lay_out(self, count: int) -> None:
        rows, columns = shape(count, *self.size)
        if (count, rows, columns) == self._shape:
            return
        self._shape = (count, rows, columns)
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        for index, pane in enumerate(self.panes[:count]):
            pane.set_class(index % columns > 0, "-beside")
            pane.styles.column_span = rows * columns - index if index == count - 1 else 1

    def of(self, agent: str | None) -> AgentPane | None:
        """Give the pane that shows an agent."""
        return next((pane for pane in self.panes if pane.display and pane.agent and pane.agent.id == agent), None)

    def on_resize(self) -> None:
        """Whoever shows something here decides what fits."""
        self.post_message(self.Resized())
