"""All open questions: those that ask alike stand together, and are answered at once after a list of them was shown."""

from collections.abc import Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.keys.action import Action
from controlroom.domain.keys.availability import unavailable
from controlroom.domain.open_questions import Asking, alike
from controlroom.domain.questions import asking
from controlroom.domain.words import age
from controlroom.tui.context import RunAction
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.terminal.throttle import NARROW
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText, set_lines
from controlroom.tui.widgets.question import TITLES, QuestionPanel
from controlroom.tui.widgets.rows import Rows

_AGE = 4


class Askings(Rows[Asking]):
    """What is asked, one line for all who ask it."""

    now = 0

    def name_of(self, row: Asking) -> str:
        """Named by what is asked."""
        return row.id

    def lends(self, row: Asking) -> object:
        """Its age follows the clock."""
        return self.now

    def draw(self, row: Asking, width: int, chosen: bool) -> Line:
        """How many ask, what, and for how long the first has waited."""
        palette, first = self.palette, row.whom[0]
        who = first.rpartition("/")[2] if len(row.whom) == 1 else f"{len(row.whom)} agents"
        cells = 9 if width < NARROW else 20
        start = styled.line(
            (palette.glyphs.cursor if chosen else " ", palette.accent),
            (f"{palette.glyphs.asking} ", palette.warn),
            (styled.left(who, cells), palette.strong),
            (f"  {row.question.title if width < NARROW else asking(row.question)}", palette.text),
        )
        waited = styled.right(age(self.now - row.question.asked), _AGE)
        return styled.spread(start, styled.line((f" {waited} ", palette.quiet)), width)


class AskedText(ScrollableText):
    """The chosen question in whole, once; what only one of several says stands under its name."""

    DEFAULT_CSS = "AskedText { height: 1fr; }"
    asked: Asking | None = None

    def show(self, asked: Asking | None) -> None:
        """Show this from now on; another one from its top."""
        if (asked and asked.id) != (self.asked and self.asked.id):
            self._top = 0
        self.asked = asked
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        return self.part(self._all(width), height) if self.asked else ()

    def _all(self, width: int) -> list[Line]:
        if self.asked is None:
            return []
        said = _said(self.asked)
        first = self.asked.question.lines[0]
        alike = all(words[0] == first for words, _ in said)
        lasting = next(iter(said))[1] if len({lasting for _, lasting in said}) == 1 else ()
        lines = self._wrapped(first, width, strong=True) if alike else []
        for (words, more), whom in said.items():
            if len(said) > 1:
                lines += [styled.line((f"   {part}", self.palette.quiet)) for part in _listed(whom, width - 6)]
            indented = "  " * (len(said) > 1)
            for part in (*words[alike:], *(more if not lasting else ())):
                lines += self._wrapped(f"{indented}{part}", width)
        return lines + [line for words in lasting for line in self._wrapped(words, width)]

    def _wrapped(self, words: str, width: int, *, strong: bool = False) -> list[Line]:
        style = self.palette.strong if strong else self.palette.text
        return [styled.line((f"   {part}", style)) for part in styled.wrap(words, max(8, width - 6))]


Words = tuple[str, ...]


def _said(asked: Asking) -> dict[tuple[Words, Words], list[str]]:
    """What is said by whom: the lines of a question, and those of what `always` would allow."""
    said: dict[tuple[Words, Words], list[str]] = {}
    for asker in asked.askers:
        lines, always = asker.question.lines, asker.question.always
        at = len(lines) - (len(always) + 1 if always else 0)
        said.setdefault((tuple(lines[:at]), tuple(lines[at:])), []).append(asker.subject)
    return said


def _listed(names: Sequence[str], width: int) -> list[str]:
    return styled.wrap(", ".join(names), max(8, width))


class QuestionsScreen(RoomScreen):
    """Everything that is asked."""

    where = "questions"

    def compose(self) -> ComposeResult:
        """The questions, then the chosen one in whole."""
        yield Gauges(id="gauges")
        with Vertical(id="body"):
            yield Rule("questions", id="questions-rule")
            yield Askings(id="askings")
            yield Rule(id="asked-rule")
            yield QuestionPanel(("allow", "always", "message", "deny"), where="questions", id="question")
            yield AskedText(id="asked")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    @property
    def table(self) -> Askings:
        """The questions."""
        return self.query_one(Askings)

    @property
    def chosen(self) -> Asking | None:
        """What is under the cursor."""
        return next((row for row in self.table.rows if row.id == self.table.chosen), None)

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        if self.app.screen is self:
            self.context.logs.show({})
        rows, table = alike(view.fleet), self.table
        table.now = view.now
        table.empty_lines = [styled.line((f"   {self._nothing(view)}", self.palette.quiet))]
        table.show(rows)
        set_lines(table, max(1, min(len(rows), (self.size.height - 5) // 2)))
        total = sum(len(row.whom) for row in rows)
        self.query_one("#questions-rule", Rule).show("questions", str(total) if total else "")
        self._see_chosen()
        super().see(view)

    def _nothing(self, view: ViewState) -> str:
        """What to say where nothing is asked, or nobody knows."""
        return "nothing is asked now" if view.known else view.reason or "starting the engine…"

    def _see_chosen(self) -> None:
        chosen, rule = self.chosen, self.query_one("#asked-rule", Rule)
        rule.display = chosen is not None
        if chosen is not None:
            names = ", ".join(subject.rpartition("/")[2] for subject in chosen.whom)
            rule.show(names, TITLES[chosen.question.kind], style=self.palette.warn)
        text, panel = self.query_one(AskedText), self.query_one(QuestionPanel)
        alone = chosen is not None and not self.host_here() and (len(chosen.whom) == 1 or bool(chosen.question.items))
        text.display = not alone
        text.show(chosen)
        subject, question = (chosen.whom[0], chosen.question) if alone and chosen else ("", None)
        panel.show(question, subject, self.view.now, max(3, self.size.height - self.table.size.height - 6))

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)

    # ------------------------------------------------------------------ doing

    def list_here(self) -> Askings:
        """The questions."""
        return self.table

    def question_here(self) -> QuestionPanel | None:
        """The chosen question, where it has choices or one agent asks it."""
        panel = self.query_one(QuestionPanel)
        return panel if panel.question is not None else None

    @property
    def asked_here(self) -> Asking | None:
        """The chosen question of agents, with all who ask it."""
        return self.chosen if not self.host_here() else None

    def alike(self) -> Asking | None:
        """All who ask the chosen question, where several do."""
        chosen = self.chosen
        return chosen if chosen is not None and len(chosen.whom) > 1 and not self.host_here() else None

    def agent_here(self) -> str | None:
        """The first who asks it."""
        chosen = self.chosen
        return chosen.whom[0] if chosen is not None and not self.host_here() else None

    def host_here(self) -> str | None:
        """The host that asks it."""
        chosen = self.chosen
        return chosen.whom[0] if chosen is not None and chosen.whom[0] in self.view.fleet.hosts else None

    def reason_against(self, action: Action) -> str | None:
        """What can be done to one of them can be done."""
        if self.chosen is None and action.needs:
            return "nothing is asked now"
        together = self.alike() if action.many else None
        reasons = (unavailable(action, self.view.fleet, agent) for agent in (together.whom if together else ()))
        if together is None:
            return super().reason_against(action)
        first = next(reasons)
        return None if first is None or None in reasons else first

    def items(self) -> list[Item]:
        """The answers stand in the footer, here no panel has them; on a phone they take the place of help and halt."""
        narrow = self.size.width < NARROW
        shown = [item for item in super().items() if not (narrow and item.action.name in ("help", "halt", "rule"))]
        return [replace(item, action=replace(item.action, needs="agent")) for item in shown]

    def motions(self) -> list[Motion]:
        """Keys that move the cursor, and the text below it."""
        panel = self.question_here()
        numbers = range(1, panel.offered + 1) if panel is not None and not self.view.read_only else ()
        return [
            *(Motion(str(number), "Choose this answer.", answer=number) for number in numbers),
            self.motion("down", lambda: self.table.move(1)),
            self.motion("up", lambda: self.table.move(-1)),
            self.motion("page_down", lambda: self._turn(1)),
            self.motion("page_up", lambda: self._turn(-1)),
        ]

    def _turn(self, pages: int) -> None:
        if panel := self.question_here():
            panel.turn()
        else:
            text = self.query_one(AskedText)
            text.move(pages * text.page)

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._see_chosen()
        self.show_keys()

    @on(Rows.Tapped)
    def _row_tapped(self, event: Rows.Tapped) -> None:
        event.stop()
        if event.again:
            self.app.post_message(RunAction("open"))
