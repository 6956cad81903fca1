"""One action on all that is marked, agents or tasks: the list to confirm, and one sentence about the outcome."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.tasks import row as task_row
from controlroom.domain.display.views import agent_row
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.many import AnyPlan
from controlroom.domain.model import Agent
from controlroom.domain.tasks import Task
from controlroom.tui.context import SubmitPlan
from controlroom.tui.screens.base import plain_key
from controlroom.tui.screens.dialogs import Choices, Sheet, Words
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText

_ANSWERS = ("allow", "always", "deny")


class Listed(ScrollableText):
    """What it is about, one a line, agents with what they ask where that is to be answered; then who is left out."""

    DEFAULT_CSS = "Listed { height: auto; max-height: 1fr; }"

    def __init__(self, todo: AnyPlan) -> None:
        super().__init__(id="listed")
        self._plan = todo
        self._length = 1
        self._read_to = self._width = 0
        self._made: tuple[int, ViewState, Palette, list[Line]] | None = None
        """The lines for a width, as made of what was known then, and in these colours."""

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    @property
    def read(self) -> bool:
        """Whether all of it was on show."""
        return self._read_to >= self._length

    def on_mount(self) -> None:
        """As high as there is room for."""
        self.fit()

    def fit(self) -> None:
        """Take the height that the list needs and the screen has, under its title and above its keys."""
        width, height = self.app.size
        self.styles.height = max(1, min(len(self.lines(width)), height - 6))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits; its last line says how much is below."""
        if width != self._width:  # what was read was of other lines
            self._width, self._top, self._read_to = width, 0, 0
        lines = self.lines(width)
        self._length = len(lines)
        shown = self.part(lines, height)
        below = self._length - self._top - height
        says = below > 0 and height > 1
        self._read_to = max(self._read_to, self._top + height - says)
        if says:
            shown[-1] = styled.line((f"  … {below + 1} more lines: j or Space", self.palette.warn))
        return shown

    def lines(self, width: int) -> list[Line]:
        """All of it, a line each; made anew when something has happened since."""
        made, view, palette = self._made, self.context.view, self.palette
        if made is None or made[0] != width or made[1] is not view or made[2] is not palette:
            made = self._made = width, view, palette, self._make_lines(width)
        return made[3]

    def _make_lines(self, width: int) -> list[Line]:
        subjects, lines = [target.subject for target in self._plan.targets], list[Line]()
        name_cells = self._name_cells(width)
        for subject, following in zip_longest(subjects, subjects[1:]):
            if isinstance(subject, Task):
                lines.append(self._task_line(subject, width))
                continue
            lines.append(self._named(subject, width, *name_cells))
            if self._plan.action in _ANSWERS and _asked(subject) != _asked(following):
                lines += self._asked(subject, width)  # what several ask stands once, below the last of them
        hidden = ((subject, "stays marked: the filter hides it") for subject in self._plan.hidden)
        left_out = [*self._plan.left_out, *hidden]
        if left_out:
            lines.append(styled.line(("  left out:", self.palette.quiet)))
        cells = max((len(subject.id) for subject, _ in left_out), default=0)
        cells = min(cells, 18 if width < 60 else 40)
        for subject, reason in left_out:
            name = subject.id.rpartition("/")[2]
            words = f"    {styled.left(subject.id, cells)}  {reason.removeprefix(f'{name} ')}"
            lines.append(styled.line((styled.cut(words, width), self.palette.quiet)))
        return lines

    def _name_cells(self, width: int) -> tuple[int, int]:
        """How wide the names of agents and hosts are."""
        agents = [target.subject for target in self._plan.targets if isinstance(target.subject, Agent)]
        names = max((len(agent.name) for agent in agents), default=0)
        hosts = max((len(agent.host) for agent in agents), default=0)
        return min(names, 14 if width < 60 else 24), min(hosts, 10 if width < 60 else 16)

    def _named(self, agent: Agent, width: int, name_cells: int, host_cells: int) -> Line:
        palette, view = self.palette, self.context.view
        present = view.fleet.agents.get(agent.id)
        if present is not None and present.epoch == agent.epoch and self._plan.action not in _ANSWERS:
            agent = present  # it is ended in this run, whatever that does by now; an answer is for what was asked
        row = agent_row(view.fleet, agent, view.now)
        return styled.line(
            (f"  {palette.glyphs.states[row.state]} ", palette.states[row.state]),
            (styled.left(agent.name, name_cells), palette.strong),
            (f"  {styled.left(agent.host, host_cells)}", palette.text),
            (f"  {styled.left(str(row.state), 8)}", palette.states[row.state]),
            (f" {styled.right(row.age, 4)}", palette.quiet),
            (f"  {row.line}" if width >= 60 else "", palette.quiet),
        )

    def _task_line(self, task: Task, width: int) -> Line:
        palette, view = self.palette, self.context.view
        row = task_row(view.fleet, task, view.now)
        state = "" if width < 60 else f"{styled.left(row.state, 8)} {styled.right(row.age, 4)}  "
        return styled.line(
            (f"  {palette.glyphs.drawn(row.glyph)} ", palette.quiet),
            (styled.left(row.id, 5), palette.strong),
            (f" {state}", palette.quiet),
            (styled.cut(row.title, max(8, width - 12 - len(state))), palette.text),
        )

    def _asked(self, agent: Agent, width: int) -> list[Line]:
        parts = [part for line in _asked(agent) for part in styled.wrap(line, max(8, width - 6))]
        return [styled.line((f"    {part}", self.palette.text)) for part in parts]


def _asked(subject: Agent | Task | None) -> list[str]:
    """All that an agent asks, line by line."""
    return subject.question.lines if isinstance(subject, Agent) and subject.question is not None else []


class ListSheet(Sheet):
    """Shows whom it is about. Their number and Enter do it: no single key can, and none that is held.

    Where all of them ask the same, Enter alone answers it: there is one thing to decide, and it was read.
    """

    def __init__(self, plan: AnyPlan) -> None:
        super().__init__()
        self.plan = plan
        self.typed = ""
        self.painted = False
        """Whether the list was on show; keys count from then on."""
        self._painted_at = 0.0
        """When that was, in seconds of the room's monotonic clock."""

    def compose(self) -> ComposeResult:
        """A title, the list, what to type."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield Words(self.plan.title, "", danger=self._danger)
            yield Listed(self.plan)
            yield Choices([], id="answers")

    def on_mount(self) -> None:
        """Ask, and count keys from the first painting on."""
        self._say()
        self.call_after_refresh(self._now_painted)

    def _now_painted(self) -> None:
        self.painted, self._painted_at = True, self.context.monotonic()

    def news(self, view: ViewState) -> None:
        """Show what those that were listed do now; who is listed stays."""
        for listed in self.query(Listed):  # none, once it is being left
            listed.redraw()

    def on_resize(self) -> None:
        """The height is another one."""
        self.query_one(Listed).fit()

    def _say(self, trouble: str = "") -> None:
        self.query_one("#heading", Rule).show("", trouble, style=self.palette.danger)
        number, verb = len(self.plan.targets), self.plan.verb
        typed = f": {self.typed}▏" if self.typed else ""
        keys = "Enter" if self.plan.alike and not self.typed else f"{number} Enter"
        self.query_one("#answers", Choices).show([(keys, f"{verb} {number}{typed}"), ("q", "leave it")])

    @property
    def _danger(self) -> bool:
        """Whether runs or logs end with it."""
        action = BY_NAME.get(self.plan.action)
        return (action is not None and action.danger) or self.plan.action == "reassign"

    def on_key(self, event: events.Key) -> None:
        """Digits are the number, Enter does it when that is right; `q`, `n`, Esc leave; others move the list."""
        event.stop()
        if not self.painted or self.gone:
            return  # typed ahead of a list that nobody has seen
        key = plain_key(event)
        if key in set("0123456789"):
            self.typed = (self.typed + key)[-4:]
            self._say()
        elif key == "backspace" and self.typed:
            self.typed = self.typed[:-1]
            self._say()
        elif key in ("q", "n", "escape", "backspace"):
            self.dismiss()
        elif key == "enter":
            self._enter()
        else:
            self.query_one(Listed).press(key)

    def _enter(self) -> None:
        number = str(len(self.plan.targets))
        if self.typed != number and (self.typed or not self.plan.alike):
            self.typed = ""
            self._say(f"type {number} first")
        elif not self.typed and self.context.keyboard.timing.is_new(self._painted_at):
            self._say("this has just appeared: look, then press again")
        elif self.plan.action in ("allow", "always") and not self.query_one(Listed).read:
            self._say("read all of it first: Space")
        else:
            self.dismiss()
            self.app.post_message(SubmitPlan(self.plan))

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap on the way out leaves, one on the answer to what all ask gives it; else the number is typed."""
        if event.key == "q":
            self.dismiss()
        elif event.key == "Enter" and self.painted and not self.gone:
            self._enter()
