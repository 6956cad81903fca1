"""The tasks: what runs, what waits in the order in which it starts, what is held, what has ended; one in full."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical

from controlroom.domain.display.arrange import TaskSort, following
from controlroom.domain.display.tasks import TaskRow, counted, facts, listed, why, words_of
from controlroom.domain.display.tasks import row as task_row
from controlroom.domain.keys.action import Action
from controlroom.domain.keys.availability import unavailable
from controlroom.domain.model import Agent, State
from controlroom.domain.tasks import Task, TaskState
from controlroom.tui.context import RunAction
from controlroom.tui.screens.arranging import MarkingScreen, RulePart
from controlroom.tui.screens.base import Motion
from controlroom.tui.terminal.throttle import NARROW, frame_of
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText, set_lines
from controlroom.tui.widgets.log import LogView
from controlroom.tui.widgets.notices import halt_lines
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.type_line import FilterLine

_LIKE: Mapping[TaskState, State] = {
    TaskState.RUNNING: State.WORKING,
    TaskState.HELD: State.PAUSED,
    TaskState.FAILED: State.FAILED,
    TaskState.DONE: State.DONE,
}
"""The states of agents that tasks are drawn like."""

_ROOMY = 100
"""Columns from which a table has every column."""
_BROAD = 150
"""Columns from which a table has profile and host, too, and the log stands beside what is known of a task."""
_ID, _AGE, _PRIORITY, _TRIES, _COST, _PROFILE, _HOST = 5, 4, 4, 5, 7, 12, 10
_STATE = max(map(len, TaskState))
_TEXT = 4
"""Lines that what is known of the chosen task has at least."""
_LOG = 6
"""Lines that the log of its agent has at least; with fewer there is none."""


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
        texts = ("TASK", "STATE", "AGE", "PRIO", "TRIES", "COST", "PROFILE", "HOST", "WHAT", "WHY")
        return (styled.line(("   " + "".join(self._cells(width, texts)), self.palette.quiet)),)

    def _cells(self, width: int, texts: Sequence[str]) -> tuple[str, str, str, str]:
        """The cells of a row: id and state, figures, what it is, why it stands there."""
        id_, state, age, priority, tries, cost, profile, host, title, line = texts
        start = styled.left(id_, _ID)
        if width < NARROW:
            return start, styled.right(age, _AGE) + "  ", title, ""
        figures = styled.right(age, _AGE) + "  " + styled.right(priority, _PRIORITY) + "  "
        start += " " + styled.left(state, _STATE) + " "
        if width >= _ROOMY:
            figures += styled.right(tries, _TRIES) + "  " + styled.right(cost, _COST) + "  "
        if width >= _BROAD:
            figures += styled.left(profile, _PROFILE) + "  " + styled.left(host, _HOST) + "  "
        left = width - 3 - styled.width(start) - styled.width(figures)
        cells = max(12, min(left * 2 // 5, 60))
        return start, figures, styled.left(title, cells) + "  ", line

    def draw(self, row: Task, width: int, chosen: bool) -> Line:
        """What it is, how old, what it cost, and why it stands where it stands."""
        return self._line_of(self.lends(row), width, chosen)

    def _line_of(self, row: TaskRow, width: int, chosen: bool) -> Line:
        palette, agent = self.palette, row.agent.rpartition("/")[2]
        line = f"{agent}: {row.line}".rstrip(": ") if agent and row.state is TaskState.RUNNING else row.line
        figures = (row.age, str(row.priority), str(row.attempts), row.cost or "–")
        texts = (row.id, row.state, *figures, row.profile or "–", row.host or "any", row.title, line)
        start, numbers, title, why_line = self._cells(width, texts)
        style = style_of(palette, row.state)
        return styled.line(
            (self.sign(row.id, chosen), palette.accent),
            (f"{palette.glyphs.drawn(row.glyph)} ", style),
            (start, style),
            (numbers, palette.quiet),
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

    def lines_wanted(self, width: int) -> int:
        """The lines that all of it needs."""
        return len(self._all(self._shown, width)) if self._shown else 0

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        return self.part(self._all(self._shown, width), height) if self._shown else ()

    def _all(self, task: Task, width: int) -> list[Line]:
        palette, view = self.palette, self.context.view
        told = [
            *((words, palette.strong) for words in self._reasons),
            *((words, palette.quiet) for words in facts(task, view.now, view.room_zone)),
        ]
        told.append((task.text, palette.text))
        cells = max(8, width - 4)
        return [styled.line((f"  {part}", style)) for words, style in told for part in styled.wrap(words, cells)]


class TasksScreen(MarkingScreen):
    """The tasks that a filter leaves, and the one under the cursor in full."""

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
            with Container(id="about"):
                yield TaskText(id="task")
                with Vertical(id="task-log"):
                    yield Rule(id="log-rule")
                    yield LogView(id="log")
        yield StatusMessage(id="says")
        yield FilterLine(id="filter")
        yield Keys(id="keys")

    def on_mount(self) -> None:
        """Borders, too, are of the set of signs that is asked for."""
        self.set_class(self.palette.glyphs.plain, "-plain")

    @property
    def table(self) -> TaskTable:
        """The tasks."""
        return self.query_one(TaskTable)

    def turn_to(self, task: str) -> None:
        """Put the cursor on a task; an empty name leaves it where it is."""
        if task:
            self._go_to(task)
        self.see(self.view)

    def _go_to(self, task: str) -> None:
        """Put the cursor on a task, and have it on show: no filter hides it."""
        line = self.query_one(FilterLine)
        if task in self.view.fleet.tasks and task not in self.ids and line.text:
            self.say(f"all tasks are shown again: {task} does not match “{line.text}”")
            line.write("")
            self.arrange_anew()
        self.table.choose(task)

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        self._see_tasks(view)
        if self._first:
            self.table.choose(self._first)
            self._first = ""
            self._see_chosen(view)
        super().see(view)

    def _see_tasks(self, view: ViewState, *, by_hand: bool = False) -> None:
        table, wanted = self.table, self.query_one(FilterLine).text
        table.empty_lines = self._nothing(view, wanted)
        table.mark(table.marks.without([name for name in table.marks.names if name not in view.fleet.tasks]))
        table.show(listed(view.fleet, view.now, self.layout_now.task_sort, wanted), by_hand=by_hand)
        self._share_out()
        self._see_rule(view, wanted)
        self._see_chosen(view)

    def arrange_anew(self) -> None:
        """Arrange everything anew, as somebody has just asked for."""
        self._see_tasks(self.view, by_hand=True)
        self.show_keys()

    def turn_sort(self) -> None:
        """Order the rows by the next thing."""
        self._change(task_sort=following(self.layout_now.task_sort))

    @property
    def ids(self) -> Sequence[str]:
        """The tasks on show, in order."""
        return [row.id for row in self.table.rows]

    def reason_at(self, action: Action, name: str) -> str | None:
        """Why an action cannot be done to one task, or None."""
        return unavailable(action, self.view.fleet, task=name)

    def _nothing(self, view: ViewState, wanted: str) -> list[Line]:
        """What to do where there is no task, or none that the filter leaves."""
        palette, key = self.palette, self.context.keys.shown("task_add")
        if wanted and view.fleet.tasks:
            change = (self.context.keys.shown("filter"), palette.key)
            return [
                styled.line(("  no task matches.  ", palette.quiet), change, (" changes the filter", palette.quiet))
            ]
        if not view.known:
            parts = styled.wrap(view.reason or "starting the engine…", max(8, self.size.width - 4))
            return [styled.line((f"  {part}", palette.quiet)) for part in parts]
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

    def _see_rule(self, view: ViewState, wanted: str) -> None:
        counts, queue = counted(view.fleet.tasks.values()), view.fleet.queue
        ended = counts[TaskState.DONE] + counts[TaskState.FAILED] + counts[TaskState.DROPPED]
        words = [f"{counts[state]} {state}" for state in TaskState if state.is_open and counts[state]]
        words += [f"{ended} ended"] * bool(ended)
        if queue.hold is not None:
            words.insert(0, f"the queue is held by {queue.hold.who}")
        elif queue.blocked is not None and counts[TaskState.WAITING]:
            words.insert(0 if self.size.width >= _ROOMY else len(words), words_of(queue.blocked, view.now))
        parts = [*self.mark_parts(), *self._arranged_parts(view, wanted), *((part, lambda: None) for part in words)]
        self.rule_parts = parts
        style = self.palette.warn if queue.hold or wanted or self.table.marks.names else None
        self.query_one("#tasks-rule", Rule).show("tasks", *(part for part, _ in parts), style=style)

    def _arranged_parts(self, view: ViewState, wanted: str) -> list[RulePart]:
        """How they are arranged, where that is not as usual."""
        parts: list[RulePart] = []
        if self.layout_now.task_sort is not TaskSort.TURN:
            parts.append((f"sort: {self.layout_now.task_sort}", partial(self.post_action, "sort")))
        if wanted:
            shown = f"{len(self.table.rows)} of {len(view.fleet.tasks)} with “{wanted}”"
            parts.append((shown, partial(self.filter_by, wanted)))
        return parts

    def _see_chosen(self, view: ViewState) -> None:
        task, rule = self._chosen_task, self.query_one("#task-rule", Rule)
        rule.display = task is not None
        reasons: Sequence[str] = ()
        if task is not None:
            whole = self.layout_now.task_sort is TaskSort.TURN and not self.query_one(FilterLine).text
            waiting = (row.id for row in self.table.rows if row.state is TaskState.WAITING)
            order = {id_: place for place, id_ in enumerate(waiting)} if whole else None
            _, *reasons = why(view.fleet, task, view.now, verbs=False, order=order)
            rule.show(f"{task.id} {task.title}", str(task.state), style=style_of(self.palette, task.state), strong=True)
        self.query_one(TaskText).show(task, reasons)
        self._see_log(task)

    def _see_log(self, task: Task | None) -> None:
        """Show what the agent of the chosen task says, where there is room for it."""
        agent, box, log, text = self._agent_of(task), *self._log_parts
        width, height = self.size
        below = height - 4 - halt_lines(self.view, width) - self.table.size.height
        beside = width >= _BROAD
        lines = max(_TEXT, text.lines_wanted(width))
        box.display = agent is not None and width >= _ROOMY and below - (0 if beside else lines) >= _LOG
        text.styles.height = lines if box.display and not beside else "1fr"
        text.styles.width = "2fr" if box.display and beside else "100%"
        self.set_class(beside, "-broad")
        if self.on_top:
            self.context.logs.show({agent.id: agent.epoch} if agent and box.display else {})
        if agent is None or not box.display:
            return
        log.paint_pause, log.ended = frame_of(width), agent.has_ended
        log.show(self.context.logs.book(agent))
        state = self.view.fleet.state_of(agent)
        words = f"{self.palette.glyphs.states[state]} {state}"
        self.query_one("#log-rule", Rule).show(f"{agent.name} · {agent.host}", words, style=self.palette.states[state])

    @property
    def _log_parts(self) -> tuple[Vertical, LogView, TaskText]:
        return self.query_one("#task-log", Vertical), self.query_one(LogView), self.query_one(TaskText)

    def _agent_of(self, task: Task | None) -> Agent | None:
        """The agent whose present run is the newest attempt at a task."""
        last = task.last if task else None
        agent = self.view.fleet.agents.get(last.id) if last else None
        return agent if agent is not None and last is not None and agent.epoch == last.epoch else None

    def log_grown(self, agent: str) -> None:
        """Paint what came."""
        here, log = self._agent_of(self._chosen_task), self.query_one(LogView)
        if here is not None and here.id == agent:
            log.show(self.context.logs.book(here))
            log.grown()

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
        """What is held is released with the key that held it; back ends a filter, then takes the marks away."""
        task, names = self._chosen_task, dict[str, str]()
        tasks = self.view.fleet.tasks
        about = [tasks[name] for name in self.marked() or ([task.id] if task else [])]
        if about and all(each.state is TaskState.HELD for each in about):
            names["task_hold"] = "release"
        if self.query_one(FilterLine).text or self.table.marks.names:
            names["back"] = "show all" if self.query_one(FilterLine).text else "unmark"
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
            self.motion("first", lambda: table.move(-len(table.rows))),
            self.motion("last", lambda: table.move(len(table.rows))),
            self.motion("page_down", lambda: text.move(text.page)),
            self.motion("page_up", lambda: text.move(-text.page)),
            *numbers,
        ]

    def _number(self, number: int) -> None:
        self.table.choose_number(number)

    @on(Rule.Tapped, "#tasks-rule")
    def _tapped_rule(self, event: Rule.Tapped) -> None:
        """Each part of the rule is tapped for what it says, its title for another order."""
        event.stop()
        if event.part == -1:
            self.turn_sort()
        else:
            self.tap_rule(event.part)

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
