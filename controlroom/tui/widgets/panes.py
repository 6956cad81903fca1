"""Live panes: one agent with its question and its log, and a grid of them."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message

from controlroom.domain.display.layout import Panes, Pick, seats
from controlroom.domain.display.views import agent_row, flat, limit_end, memory_words, short_model
from controlroom.domain.model import Agent, State
from controlroom.domain.overlap import row_words
from controlroom.domain.tasks import Task
from controlroom.domain.words import age, ago, percent, size
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.context import RunAction, context_of
from controlroom.tui.terminal.throttle import NARROW, frame_of
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.log import LogView
from controlroom.tui.widgets.question import QuestionPanel

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.tui.logs.log_buffer import LogBuffer

_LOW = 12
"""Lines of a screen below which a question has all of it: a phone's keyboard is up."""

_BACK = 4
"""Cells of the sign that leads back."""


def _task_of(view: ViewState, agent: Agent) -> Task | None:
    from controlroom.domain.display.tasks import task_of  # the first frame does not wait for it

    return task_of(view.fleet, agent)


def state_words(view: ViewState, agent: Agent) -> str:
    """An agent's state with its age: `waiting 2m`, `lost, last seen 4m ago: was working`."""
    row = agent_row(view.fleet, agent, view.now)
    if row.pending:
        return row.pending
    if row.state is State.LOST:
        host = view.fleet.hosts.get(agent.host)
        heard = f"heard {ago(view.now - host.seen)}" if host and host.seen else "not heard yet"
        return f"lost, was {agent.state}; {heard}"
    ended = f": {agent.detail}" if agent.has_ended and agent.detail else ""
    end = limit_end(agent, view.now) if row.state is State.LIMITED else None
    until = f" to {view.clock(end)}" if end else ""
    return f"{row.state}{until} {row.age}{ended}"


class Head(Lines):
    """What is known of an agent, in a few lines."""

    DEFAULT_CSS = "Head { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._view = ViewState()
        self._agent: Agent | None = None

    def show(self, view: ViewState, agent: Agent | None) -> None:
        """Show this agent from now on."""
        self._view, self._agent = view, agent
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """The sign at the left leads back; the rest says more of the state."""
        event.stop()
        self.app.post_message(RunAction("back" if event.y == 0 and event.x < _BACK else "explain"))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """As many lines as there is height for, the most telling first."""
        return self._lines(width)[:height]

    def lines_wanted(self, most: int) -> int:
        """How many lines there are to show, at most so many and at least one."""
        return max(1, min(most, len(self._lines(80))))

    def _lines(self, width: int) -> list[Line]:
        if self._agent is None:
            return []
        lines = [self._named(self._agent, width), self._stated(self._agent), self._doubted(self._agent)]
        lines.append(self._overlapping(self._agent))
        lines.append(self._tasked(self._agent))
        lines += [self._evidence(self._agent), self._places(self._agent)]
        return [line for line in lines if line]

    def _named(self, agent: Agent, width: int) -> Line:
        palette = self.palette
        parts = [agent.host, short_model(agent.model), f"run {agent.epoch}" if agent.epoch > 1 else ""]
        start = styled.line(
            (f" {palette.glyphs.back} ", palette.key),
            (agent.name, palette.strong),
            ("".join(f" · {part}" for part in parts if part), palette.quiet),
        )
        memory = palette.glyphs.drawn(memory_words(agent))
        figures = "  ".join(text for text in (memory, percent(agent.cpu_percent)) if text not in ("–", "-"))
        return styled.spread(start, styled.line((f"{figures} ", palette.text)) if width >= 60 else (), width)

    def _stated(self, agent: Agent) -> Line:
        palette, view = self.palette, self._view
        state = view.fleet.state_of(agent)
        words = state_words(view, agent)
        detail = "" if agent.has_ended or agent.question else agent.detail
        return styled.line(
            (f" {palette.glyphs.states[state]} {words}", palette.states[state]),
            (f"  {detail}" if detail and detail not in words else "", palette.text),
        )

    def _doubted(self, agent: Agent) -> Line:
        from controlroom.domain.claims import doubt_words  # the first frame does not wait for it

        words = doubt_words(agent)
        return styled.line((f" ? {words}", self.palette.warn)) if words else ()

    def _overlapping(self, agent: Agent) -> Line:
        words = row_words(agent.edited)
        return styled.line((f" ! {words}", self.palette.warn)) if words else ()

    def _tasked(self, agent: Agent) -> Line:
        palette, words = self.palette, flat(agent.task)
        task = _task_of(self._view, agent)
        key = context_of(self.app).keys.shown("tasks")
        way = ((f"{task.id} ", palette.strong), (key, palette.key), (" · ", palette.quiet)) if task else ()
        return styled.line(("   task  ", palette.quiet), *way, (words, palette.text)) if words or task else ()

    def _evidence(self, agent: Agent) -> Line:
        palette, runs = self.palette, list[tuple[str, Style | None]]()
        for piece in agent.evidence[:4]:
            at = self._view.clock(piece.at) if piece.at else ""
            runs.append(
                (f"{' · ' if runs else ''}{piece.source}: {piece.value or piece.state} {at}".rstrip(), palette.quiet)
            )
            if not piece.agrees:
                runs.append((f" (says {piece.state})", palette.note))
        return styled.line(("   seen  ", palette.quiet), *runs) if runs else ()

    def _places(self, agent: Agent) -> Line:
        parts = [agent.cwd, f"profile {agent.profile}" if agent.profile else "", f"{agent.kind} {agent.place}".rstrip()]
        parts += [f"branch {agent.worktree.branch}"] if agent.worktree else []
        parts += [f"pid {agent.pid}"] * bool(agent.pid)
        parts += [f"started {ago(self._view.since(agent.started))}"] * bool(agent.started)
        return styled.line(
            ("   in    ", self.palette.quiet), (" · ".join(part for part in parts if part), self.palette.quiet)
        )


class Tag(NamedTuple):
    """What a pane among others says of itself. `number`: its key; 0: it stands alone."""

    number: int = 0
    chosen: bool = False
    pinned: bool = False


class AgentPane(Vertical):
    """Head, question, log of one agent. `full`: as a screen of its own, with a longer head."""

    DEFAULT_CSS = """
    AgentPane { height: 1fr; }
    AgentPane LogView { height: 1fr; }
    """

    @dataclass(eq=False, repr=False)
    class Tapped(Message):
        """The pane of an agent was tapped."""

        agent: str

    def __init__(self, *, full: bool = False, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.agent: Agent | None = None
        self._full = full
        self._view = ViewState()
        self._book: LogBuffer | None = None
        self._shown: tuple[object, ...] = ()
        """What the pane was last made from: it is as it was for as long as that is."""
        self.tag = Tag()
        self.calm = False
        """Whether nobody asked for it, so that it may be painted seldom."""

    def compose(self) -> ComposeResult:
        """Head, question, a rule above the log (on a screen of its own), log."""
        if self._full:
            yield Head(id="head")
        else:
            yield Rule(id="pane-rule")
        where = "agent" if self._full else "overview"
        yield QuestionPanel(("allow", "always", "deny", "message"), where=where, id="question")
        if self._full:
            yield Rule(id="pane-rule")
        view = LogView(id="log")
        view.taps = view.watched = self._full
        yield view

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    @property
    def question(self) -> QuestionPanel:
        """The question."""
        return self.query_one(QuestionPanel)

    def show(self, view: ViewState, agent: Agent | None, book: "LogBuffer | None") -> None:
        """Show this agent from now on."""
        state = view.fleet.state_of(agent) if agent else None
        palette = context_of(self.app).palette
        task = _task_of(view, agent) if agent and self._full else None
        shown = (
            agent,
            state,
            book,
            view.now,
            view.zone,
            self.tag,
            self.calm,
            self.size,
            self.made,
            palette,
            task and task.id,
        )
        self._view, self.agent, self._book = view, agent, book
        if self.made and shown != self._shown:
            self._shown = shown
            self.log_view.ended = agent is not None and agent.has_ended
            self.log_view.show(book)
            self.fit()

    made = False
    """Whether its parts are there; what it is to show before is shown when they are."""

    def on_mount(self) -> None:
        """Note that all parts are there."""
        self.made = True
        self.show(self._view, self.agent, self._book)

    def fit(self) -> None:
        """Share the height out among head, question and log."""
        height = self.size.height
        if not height:
            return
        agent = self.agent
        self.log_view.paint_pause = UNASKED if self.calm else frame_of(self.app.size.width)
        low = self._full and height < _LOW and agent is not None and agent.question is not None
        if self._full:
            head = self.query_one(Head)
            head.show(self._view, agent)
            lines = head.lines_wanted(5 if height >= 28 else 3 if height >= 14 else 2 if height >= 8 and not low else 1)
            if head.styles.height is None or head.styles.height.value != lines:
                head.styles.height = lines
        spare = 1 if low else 8 if height >= 16 else 4
        most = max(3, height - spare if self._full else height * 2 // 3)
        question = agent.question if agent else None
        self.question.show(question, agent.id if agent else "", self._view.now, most)
        self.query_one(Rule).display = not (low and self.question.long)
        self.title()

    def on_resize(self) -> None:
        """The height is another one: share it out anew."""
        if self.made:
            self.fit()

    def on_click(self, event: events.Click) -> None:
        """Choose the agent."""
        if self.agent is not None and not self._full:
            event.stop()
            self.post_message(self.Tapped(self.agent.id))

    @on(LogView.Moved)
    def _moved(self, event: LogView.Moved) -> None:
        event.stop()
        if self._full:
            self.title()

    def title(self) -> None:
        """Show on the rule whose log this is, and where in it the view stands."""
        rule, agent, palette = self.query_one(Rule), self.agent, context_of(self.app).palette
        if agent is None:
            rule.show("")
            return
        if self._full:
            rule.show("log", self._where(), style=palette.note if not self.log_view.following else None)
            return
        state = self._view.fleet.state_of(agent)
        title, tag = f"{agent.name} · {agent.host}", self.tag
        words = state_words(self._view, agent)
        if tag.number:
            title = f"{tag.number} {title}{' · pinned' if tag.pinned else ''}"
            until = limit_end(agent, self._view.now) if state is State.LIMITED else None
            words = f"to {self._view.clock(until)}" if until else words.partition(": ")[0]
        sign = palette.glyphs.states[state]
        rule.show(title, f"{sign} {words}", style=palette.states[state], strong=True, chosen=tag.chosen)

    @on(Rule.Tapped)
    def _to_end(self, event: Rule.Tapped) -> None:
        """The rule says how many lines came: a tap on it leads to them."""
        if self._full:
            event.stop()
            self.log_view.to_end()

    def _where(self) -> str:
        view = self.log_view
        book = view.book
        found = f"{view.log_search.words(self._view.clock)} · " if view.log_search else ""
        if book is None or not book.loaded:
            return found.removesuffix(" · ")
        if view.following:
            skipped = f"skipped {size(book.skipped)} to keep up; it is in the log · " if book.skipped else ""
            return found.removesuffix(" · ") if found else f"{skipped}following"
        newer = f"{view.arrived} new below" if view.arrived else ""
        parts = [book.stuck, *self._place_words(view, book), newer, "l: end"]
        return found + " · ".join(part for part in parts if part)

    def _place_words(self, view: LogView, book: "LogBuffer") -> list[str]:
        """How old the line at the top is, and how much of its run lies before it."""
        if view.top is None:
            return []
        at, share = book.entry(view.top)[0].at, book.share(view.top)
        old = age(self._view.since(at)) if at else ""
        words = ["just now" if old == "now" else f"{old} ago"] if old else []
        return words if share is None else [*words, f"{100 * share:.0f} %"]


LEAST = (38, 6)
"""Columns and lines that a pane needs."""
SIDE = 160
"""Columns of a screen from which panes stand beside the table."""
_AT_MOST, _TALL, _BROAD = 3, 20, 66
"""Panes that are shown unasked on a wide screen, and the lines that each of them has beside the table, or the columns
under it."""
UNASKED = 1.0
"""Seconds between two paintings of a pane that nobody asked for: its newest line stands in the table at once."""
_LOOKS = 5.0
"""Columns for each line of a pane that reads well."""


def room_for(width: int, height: int) -> int:
    """How many panes there is room for: on a phone one."""
    return max(1, width // LEAST[0]) * max(1, height // LEAST[1]) if width >= NARROW else 1


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
        self._picked = wish.pick
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
        roomy = self.app.size.width >= SIDE
        fit = max(self.size.height // _TALL, self.size.width // _BROAD)
        room = max(1, min(_AT_MOST, fit)) if roomy else 1
        before = self.seats if self.wish.pick is self._picked else self.seats[:1]  # others were there unasked
        self._picked = self.wish.pick
        self.seats = seats(view.fleet, shown, self.wish, chosen, before, room)
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

    def show(self, view: ViewState, chosen: str | None, book: "Callable[[Agent | None], LogBuffer | None]") -> None:
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
            pane.calm = not self.many and agent is not None and agent.id != chosen
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
        """The pane that shows an agent."""
        return next((pane for pane in self.panes if pane.display and pane.agent and pane.agent.id == agent), None)

    def on_resize(self) -> None:
        """Whoever shows something here decides what fits."""
        self.post_message(self.Resized())
