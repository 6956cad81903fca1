"""The tasks: what runs, what waits in the order in which it starts, what is held, what has ended; one in full."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.tasks import TaskRow, counted, facts, listed, why, words_of
from controlroom.domain.display.tasks import row as task_row
from controlroom.domain.model import State
from controlroom.domain.tasks import Task, TaskState
from controlroom.tui.context import RunAction
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.terminal.throttle import NARROW
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText, set_lines
from controlroom.tui.widgets.notices import halt_lines
from controlroom.tui.widgets.rows import Rows

_LIKE: Mapping[TaskState, State] = {
    TaskState.RUNNING: State.WORKING,
    TaskState.HELD: State.PAUSED,
    TaskState.FAILED: State.FAILED,
    TaskState.DONE: State.DONE,
}
"""The states of agents that tasks are drawn like."""

_ROOMY = 100
"""Columns from which a table has every column."""
_ID, _AGE, _PRIORITY, _TRIES, _COST = 5, 4, 4, 5, 7
_STATE = max(map(len, TaskState))
_TEXT = 4
"""Lines that what is known of the chosen task has at least."""


def style_of(palette: Palette, state: TaskState) -> Style:
    """What a task in this state is drawn in."""
    like = _LIKE.get(state)
    return palette.states[like] if like else palette.text if state.is_open else palette.quiet


class TaskTable(Rows[Task]):
    """One task a row; words are made for those on show alone, as there may be ten thousand."""

    DEFAULT_CSS = "TaskTable { height: 1fr; }"

    def name_of(self, row: Task) -> str:
        """Named by its id."""
        return row.id

    def lends(self, row: Task) -> TaskRow:
        """Its words, which also change with its agent and with time."""
        return task_row(self.context.fleet, row, self.context.view.now)

    def begin(self, width: int, height: int) -> Sequence[Line]:
        """The names of the columns, where there is room."""
        if width < NARROW or height < 4:
            return ()
        texts = ("TASK", "STATE", "AGE", "PRIO", "TRIES", "COST", "WHAT", "WHY")
        return (styled.line(("   " + "".join(self._cells(width, texts)), self.palette.quiet)),)

    def _cells(self, width: int, texts: Sequence[str]) -> tuple[str, str, str, str]:
        """The cells of a row: id and state, figures, what it is, why it stands there."""
        id_, state, age, priority, tries, cost, title, line = texts
        start = styled.left(id_, _ID)
        if width < NARROW:
            return start, styled.right(age, _AGE) + "  ", title, ""
        figures = styled.right(age, _AGE) + "  " + styled.right(priority, _PRIORITY) + "  "
        start += " " + styled.left(state, _STATE) + " "
        if width >= _ROOMY:
            figures += styled.right(tries, _TRIES) + "  " + styled.right(cost, _COST) + "  "
        left = width - 3 - styled.width(start) - styled.width(figures)
        cells = max(12, min(left * 2 // 5, 60))
        return start, figures, styled.left(title, cells) + "  ", line

    def draw(self, row: Task, width: int, chosen: bool) -> Line:
        """What it is, how old, what it cost, and why it stands where it stands."""
        return self._line_of(self.lends(row), width, chosen)

    def _line_of(self, row: TaskRow, width: int, chosen: bool) -> Line:
        palette, agent = self.palette, row.agent.rpartition("/")[2]
        line = f"{agent}: {row.line}" if agent and row.state is TaskState.RUNNING else row.line
        texts = (row.id, row.state, row.age, str(row.priority), str(row.attempts), row.cost or "–", row.title, line)
        start, figures, title, why_line = self._cells(width, texts)
        style = style_of(palette, row.state)
        return styled.line(
            (palette.glyphs.cursor if chosen else " ", palette.accent),
            (f"{palette.glyphs.drawn(row.glyph)} ", style),
            (start, style),
            (figures, palette.quiet),
            (title, palette.strong if row.state.is_open else palette.text),
            (why_line, palette.quiet),
        )


class TaskText(ScrollableText):
    """Why the chosen task stands where it stands, what is wished of it, and how its text begins."""

    DEFAULT_CSS = "TaskText { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._shown: Task | None = None
        self._reasons: Sequence[str] = ()

    def show(self, task: Task | None, reasons: Sequence[str]) -> None:
        """Show this from now on; another task from its top."""
        if (task and task.id) != (self._shown and self._shown.id):
            self._top = 0
        self._shown, self._reasons = task, reasons
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        return self.part(self._all(self._shown, width), height) if self._shown else ()

    def _all(self, task: Task, width: int) -> list[Line]:
        palette = self.palette
        told = [
            *((words, palette.strong) for words in self._reasons),
            *((words, palette.quiet) for words in facts(task)),
        ]
        told.append((task.text, palette.text))
        cells = max(8, width - 4)
        return [styled.line((f"  {part}", style)) for words, style in told for part in styled.wrap(words, cells)]


class TasksScreen(RoomScreen):
    """All tasks, and the one under the cursor in full."""

    where = "tasks"

    def __init__(self, chosen: str = "") -> None:
        super().__init__()
        self._first = chosen

    def compose(self) -> ComposeResult:
        """The table, then the chosen one."""
        yield Gauges(id="gauges")
        with Vertical(id="body"):
            yield Rule("tasks", id="tasks-rule")
            yield TaskTable(id="tasks")
            yield Rule(id="task-rule")
            yield TaskText(id="task")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    @property
    def table(self) -> TaskTable:
        """The tasks."""
        return self.query_one(TaskTable)

    def turn_to(self, task: str) -> None:
        """Put the cursor on a task; an empty name leaves it where it is."""
        if task:
            self.table.choose(task)
        self.see(self.view)

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        if self.app.screen is self:
            self.context.logs.show({})
        table = self.table
        table.empty_lines = self._nothing(view)
        table.show(listed(view.fleet, view.now))
        if self._first:
            table.choose(self._first)
            self._first = ""
        self._share_out()
        self._see_rule(view)
        self._see_chosen(view)
        super().see(view)

    def _nothing(self, view: ViewState) -> list[Line]:
        """What to do where there is no task."""
        palette, key = self.palette, self.context.keys.shown("task_add")
        lines = [styled.line(("  No tasks yet. ", palette.strong))]
        if not view.read_only:
            words = " adds one: it starts as soon as a host has room for its agent."
            cells = max(8, self.size.width - 4)
            first, *others = styled.wrap(f"{key}{words}", cells)
            lines.append(styled.line(("  ", None), (key, palette.key), (first[len(key) :], palette.quiet)))
            lines += [styled.line((f"  {part}", palette.quiet)) for part in others]
            many = styled.wrap("Many at once: controlroom task add --from FILE", cells)
            lines += [(), *(styled.line((f"  {part}", palette.quiet)) for part in many)]
        return lines

    def _share_out(self) -> None:
        """Size the table: what it needs, but for what is known of the chosen task."""
        table, room = self.table, self.size.height - 4 - halt_lines(self.view, self.size.width)
        most = max(3, room - max(_TEXT, room // 3))
        wanted = len(table.rows) + len(table.begin(self.size.width, 4)) if table.rows else most
        set_lines(table, max(1, min(wanted, most)))

    def _see_rule(self, view: ViewState) -> None:
        counts, queue = counted(view.fleet.tasks.values()), view.fleet.queue
        ended = counts[TaskState.DONE] + counts[TaskState.FAILED] + counts[TaskState.DROPPED]
        words = [f"{counts[state]} {state}" for state in TaskState if state.is_open and counts[state]]
        words += [f"{ended} ended"] * bool(ended)
        if queue.hold is not None:
            words.insert(0, f"the queue is held by {queue.hold.who}")
        elif queue.blocked is not None and counts[TaskState.WAITING]:
            words.insert(0 if self.size.width >= _ROOMY else len(words), words_of(queue.blocked, view.now))
        style = self.palette.warn if queue.hold else None
        self.query_one("#tasks-rule", Rule).show("tasks", *words, style=style)

    def _see_chosen(self, view: ViewState) -> None:
        task, rule = self._chosen_task, self.query_one("#task-rule", Rule)
        rule.display = task is not None
        reasons: Sequence[str] = ()
        if task is not None:
            waiting = (row.id for row in self.table.rows if row.state is TaskState.WAITING)
            order = {id_: place for place, id_ in enumerate(waiting)}
            _, *reasons = why(view.fleet, task, view.now, verbs=False, order=order)
            rule.show(f"{task.id} {task.title}", str(task.state), style=style_of(self.palette, task.state), strong=True)
        self.query_one(TaskText).show(task, reasons)

    @property
    def _chosen_task(self) -> Task | None:
        return self.view.fleet.tasks.get(self.table.chosen or "")

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)

    # ------------------------------------------------------------------ doing

    def list_here(self) -> TaskTable:
        """The tasks."""
        return self.table

    def task_here(self) -> str | None:
        """The task under the cursor; none when it has just gone."""
        return self.table.chosen if self.table.chosen in self.view.fleet.tasks else None

    def items(self) -> list[Item]:
        """What is held is released with the key that held it."""
        task, names = self._chosen_task, dict[str, str]()
        if task is not None and task.state is TaskState.HELD:
            names["task_hold"] = "release"
        if self.view.fleet.queue.hold is not None:
            names["queue_hold"] = "release all"
        return [replace(item, title=names.get(item.action.name, item.title)) for item in super().items()]

    def motions(self) -> list[Motion]:
        """Keys that move the cursor, and the text under it."""
        table, text = self.table, self.query_one(TaskText)
        numbers = [Motion(str(number), "", partial(self._number, number)) for number in range(1, 10)]
        return [
            self.motion("down", lambda: table.move(1)),
            self.motion("up", lambda: table.move(-1)),
            self.motion("page_down", lambda: text.move(text.page)),
            self.motion("page_up", lambda: text.move(-text.page)),
            *numbers,
        ]

    def _number(self, number: int) -> None:
        self.table.choose_number(number)

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._see_chosen(self.view)
        self.show_keys()

    @on(Rows.Tapped)
    def _tapped_row(self, event: Rows.Tapped) -> None:
        """A second tap on a task opens it."""
        event.stop()
        if event.again:
            self.app.post_message(RunAction("task_open"))
