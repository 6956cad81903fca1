"""A question in full, with the keys that answer it. It counts as read when its last line was on show."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.domain.keys.action import Action
from controlroom.domain.keys.keymap import shown
from controlroom.domain.questions import CUT, Draft, Question, QuestionKind, Row, same
from controlroom.domain.words import age
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Verdict
from controlroom.tui.context import NOTHING_ASKED, Asked, Say
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.domain.intents import AnswerQuestion

TITLES = {
    QuestionKind.PERMISSION: "asks for permission",
    QuestionKind.PLAN: "shows its plan",
    QuestionKind.CHOICES: "asks you",
    QuestionKind.HOST_KEY: "shows a key that is not known yet",
    QuestionKind.SECRET: "needs something that only you know",
}
REPLACED = "it asks something else now: read it again"


class QuestionPanel(Lines):
    """Says what is asked; hides itself when nothing is."""

    DEFAULT_CSS = "QuestionPanel { display: none; height: 1; }"

    @dataclass(eq=False, repr=False)
    class Answered(Message):
        """One of the answers was tapped."""

        panel: "QuestionPanel"
        action_name: str

    @dataclass(eq=False, repr=False)
    class Chosen(Message):
        """One of its numbered answers was tapped."""

        panel: "QuestionPanel"
        number: int

    def __init__(self, answers: Sequence[str], *, where: str, id: str | None = None) -> None:  # noqa: A002
        """`answers` are actions by name; `where` is the screen it stands on, as the table of keys calls it."""
        super().__init__(id=id)
        self._where = where
        self.question: Question | None = None
        self.subject = ""
        self._answers = answers
        self._now = 0
        self._most = 10
        self._top = 0
        self._read_to = self._width = 0
        self.shown_at: float | None = None
        """When it was painted, in seconds of the room's monotonic clock."""
        self.draft: Draft | None = None
        """What is said so far to its items, when it has some."""
        self._words: list[Row] = []
        self._places: list[tuple[int, int, str]] = []

    def ground(self) -> Style:
        """A question is a panel."""
        return self.palette.panel

    @property
    def more(self) -> str:
        """The key that shows the next part of a long question."""
        return shown(self.context.keys.motion(self._where, "page_down").keys[0])

    @property
    def asked(self) -> Asked:
        """The question on show."""
        return (self.subject, self.question.id) if self.question is not None else NOTHING_ASKED

    @property
    def read(self) -> bool:
        """Whether all of the question was on show."""
        return self.question is not None and self._read_to >= len(self._words)

    def show(self, question: Question | None, subject: str, now: int, most: int) -> None:
        """Show a question (or none) of an agent or host, in at most so many lines."""
        before = self.question
        if not same(question, before) or subject != self.subject:
            if question is not None and before is not None and (question.id, subject) == (before.id, self.subject):
                self.app.post_message(Say(REPLACED))
            self.turn_to(Draft(question) if question is not None and question.items else None)
        self.question, self.subject, self._now, self._most = question, subject, now, max(3, most)
        self.display = question is not None
        self.fit()

    def turn_to(self, draft: Draft | None) -> None:
        """Show this step of the answer: it is to be read from its top."""
        if (
            draft is None
            or self.draft is None
            or draft.step != self.draft.step
            or not same(draft.question, self.question)
        ):
            self._top = self._read_to = 0
            self.shown_at = None
            self.call_after_refresh(self._painted)
        self.draft = draft
        self.fit()

    @property
    def answer(self) -> "AnswerQuestion | None":
        """The whole answer, when all of it has been said."""
        from controlroom.domain.intents import AnswerQuestion

        draft = self.draft
        if draft is None or not draft.ready:
            return None
        asked = draft.question
        return AnswerQuestion(self.subject, asked.id, Verdict.ALLOW, digest=asked.digest, answers=draft.answers)

    def _painted(self) -> None:
        """Note when a question is on the screen; where none is shown there is nothing that one could be startled by."""
        self.shown_at = self.context.monotonic() if self.question is not None else None

    def fit(self) -> None:
        """Take the height that the question needs, and draw it."""
        if self.question is None:
            return
        width = max(8, (self.size.width or self.app.size.width) - 5)
        if width != self._width:  # what was read was of other lines
            self._width, self._top, self._read_to = width, 0, 0
        self._words = [
            replace(row, text=part) for row in self._rows(self.question) for part in styled.wrap(row.text, width)
        ]
        height = min(len(self._words) + 2, self._most)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.redraw()

    def _rows(self, question: Question) -> list[Row]:
        head = [Row(CUT, strong=True)] * question.cut
        if self.draft is not None:
            return [*head, *self.draft.rows()]
        lines = question.lines
        heads = {0, len(lines) - len(question.always) - 1} if question.always else {0}
        return [*head, *(Row(line, strong=number in heads) for number, line in enumerate(lines))]

    def on_resize(self, event: events.Resize) -> None:
        """Wrap for the new width."""
        self.fit()

    def turn(self) -> None:
        """Show the next part of a long question; after the last one the first."""
        room = max(1, self.size.height - 2)
        self._top = 0 if self._top + room >= len(self._words) else self._top + room
        self.redraw()

    @property
    def long(self) -> bool:
        """Whether it does not fit as a whole."""
        return self.question is not None and len(self._words) > max(1, self.size.height - 2)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel turns to the next part of a long question."""
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """And back."""
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        if self.long:
            event.stop()
            room = max(1, self.size.height - 2)
            self._top = max(0, min(self._top + step, len(self._words) - room))
            self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The title, the words, the answers."""
        question, palette = self.question, self.palette
        if question is None:
            return ()
        room = max(1, height - 2)
        shown = self._words[self._top : self._top + room]
        self._read_to = max(self._read_to, self._top + len(shown))
        asked = age(self._now - question.asked)
        since = "just now" if asked == "now" else f"{asked} ago"
        title = f" {palette.glyphs.asking} {TITLES[question.kind]}"
        hidden = len(self._words) - self._top - len(shown)
        more = f"{self.more}: from the top " if self._top else ""
        if hidden:
            more = f"{hidden} more line{'s' * (hidden != 1)}: {self.more} "
        head = styled.spread(
            styled.line((title, palette.warn), (f"  {since}", palette.quiet)), styled.line((more, palette.warn)), width
        )
        body = [styled.line(("   " + row.text, palette.strong if row.strong else palette.text)) for row in shown]
        rest = [()] * (room - len(body))  # the answers stay where they are when the last part is short
        return [head, *body, *rest, self._keys(width)]

    def _keys(self, width: int) -> Line:
        palette, runs = self.palette, list[tuple[str, Style | None]]([("  ", None)])
        self._places, at = [], 2
        if self.context.view.read_only:
            return styled.line(("   an operator answers", palette.quiet))
        if offered := self.offered:
            digits = self._where in ("agent", "questions")  # elsewhere they choose rows and panes: there a tap chooses
            keys = f" 1-{offered}" if offered > 1 else " 1"
            opens = f" {self.context.keys.shown('open')}"
            verb = " choose " if self.draft is not None and self.draft.item else " change "
            runs += [(keys if digits else opens, palette.key), (verb, palette.text)]
            at = sum(styled.width(text) for text, _ in runs)
            self._places.append((2, at, "" if digits else "open"))
        for name in self._answers:
            action = self.context.keys[name]
            title = self._title_of(action, width)
            if not title:
                continue
            key = self.context.keys.shown(name)
            text = f" {key} {title} "
            self._places.append((at, at + len(text), action.name))
            at += len(text)
            runs += [(f" {key}", palette.key), (f" {title} ", palette.text)]
        return styled.line(*runs)

    @property
    def offered(self) -> int:
        """How many numbers can be taken now."""
        return self.draft.offered if self.draft is not None and not self.draft.question.cut else 0

    def _title_of(self, action: Action, width: int) -> str:
        """Name an answer; nothing: it does not fit the question."""
        kind = self.question.kind if self.question else QuestionKind.PERMISSION
        if self.question is not None and self.question.cut:
            return action.title if action.name == "deny" else ""
        if kind is QuestionKind.HOST_KEY:
            return {"allow": "trust this key", "deny": "refuse it"}.get(action.name, "")
        if kind is QuestionKind.SECRET:
            return {"allow": "enter it", "deny": "do not"}.get(action.name, "")
        if kind is QuestionKind.CHOICES:
            titles = {"allow": self._onward, "message": "answer", "deny": "deny"}
            return (
                titles.get(action.name, "") if self.draft is None or self.draft.item or action.name != "message" else ""
            )
        if action.name == "always" and self.question is not None and not self.question.always:
            return ""
        if kind is QuestionKind.PLAN:
            return {"allow": "approve", "always": "and its edits"}.get(action.name, action.title)
        return "allow once" if action.name == "allow" and width >= 60 else action.title

    @property
    def _onward(self) -> str:
        """What the key does that goes on: nothing, while a number alone does."""
        draft = self.draft
        if draft is None or (draft.item is not None and not draft.item.several):
            return ""
        return "send" if draft.item is None or len(draft.question.items) == 1 else "next"

    def on_click(self, event: events.Click) -> None:
        """Answer by tapping the answer, or a numbered line; tapping a long question shows more of it."""
        event.stop()
        if event.y < self.size.height - 1:
            number = self._number_at(event.y - 1 + self._top)
            if number and not self.long:
                self.tell(self.Chosen(self, number))
            else:
                self.turn()
            return
        for start, end, name in self._places:
            if name and start <= event.x < end:
                self.tell(self.Answered(self, name))

    def _number_at(self, index: int) -> int:
        """The number that a tap on a line of the words takes; 0: none."""
        return self._words[index].number if self.draft is not None and 0 <= index < len(self._words) else 0
