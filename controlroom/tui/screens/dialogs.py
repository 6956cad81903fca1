"""Sheets: dialogs at the foot of a screen. A confirmation, a report to read, and the base of forms."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from controlroom.domain.display.views import Line as Told
from controlroom.domain.intents import Intent
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.context import Context, SubmitOrder, context_of
from controlroom.tui.screens.base import BREAKPOINTS, plain_key
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import Lines, ScrollableText, tidy_later


class Sheet(ModalScreen[None]):
    """A dialog that lies over a screen."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS: ClassVar[str | None] = ""
    ALLOW_SELECT: ClassVar[bool] = False

    made = False
    """Whether everything on it is there; keys wait for that."""

    @property
    def context(self) -> Context:
        """The parts of the app that this reads."""
        return context_of(self.app)

    @property
    def palette(self) -> Palette:
        """The styles to draw with."""
        return self.context.palette

    def on_mount(self) -> None:
        """Note that all parts are there."""
        self.made = True
        self.set_class(self.context.fleet.queue.halt is not None, "-halted")
        self.app.call_later(self.context.keyboard.screen_made)

    def on_unmount(self) -> None:
        """It is gone for good."""
        tidy_later(self.app)

    @property
    def gone(self) -> bool:
        """Whether it has been left: keys that came together with the one that left it are for nobody."""
        return self.app.screen is not self

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, once."""
        return AwaitComplete() if self.gone else super().dismiss(None)

    def news(self, view: ViewState) -> None:
        """Show what has changed, where that is of it."""

    def leave(self) -> None:
        """Leave, and do nothing."""
        self.dismiss()

    def on_click(self, event: events.Click) -> None:
        """A tap beside the sheet leaves it."""
        if event.widget is self and self.made:
            event.stop()
            self.leave()


class Choices(Lines):
    """Keys with what they do, each of which can be tapped; on as many lines as they need."""

    @dataclass(eq=False, repr=False)
    class Taken(Message):
        """One was tapped."""

        key: str

    def __init__(self, choices: Sequence[tuple[str, str]], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._choices = list(choices)
        self._places: list[tuple[int, int, int, str]] = []

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def show(self, choices: Sequence[tuple[str, str]]) -> None:
        """Offer these from now on."""
        self._choices = list(choices)
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """As many lines as they need."""
        palette, lines = self.palette, list[list[tuple[str, Style | None]]]()
        self._places, at = [], 0
        for key, words in self._choices:
            cells = styled.width(f" {key} {words} ")
            if not lines or (at + cells > width and at > 2):
                lines.append([("  ", None)])
                at = 2
            self._places.append((len(lines) - 1, at, at + cells, key))
            at += cells
            lines[-1] += [(f" {key}", palette.key), (f" {words} ", palette.text)]
        if self.styles.height is None or self.styles.height.value != len(lines):
            self.styles.height = len(lines)
        return [styled.line(*runs) for runs in lines]

    def on_click(self, event: events.Click) -> None:
        """Take what was tapped."""
        event.stop()
        for line, start, end, key in self._places:
            if line == event.y and start <= event.x < end:
                self.tell(self.Taken(key))


class Words(Lines):
    """A title in bold and a text under it, as high as they need."""

    def __init__(self, title: str, text: str, *, danger: bool = False) -> None:
        super().__init__()
        self._title, self._text, self._danger = title, text, danger

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def tell_anew(self, title: str, text: str) -> None:
        """Say this from now on."""
        self._title, self._text = title, text
        self.redraw()

    def on_mount(self) -> None:
        """Take the height that the words need."""
        self.styles.height = len(self._lines(self.app.size.width))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The title, then the text."""
        self.styles.height = len(self._lines(width))
        return self._lines(width)

    def _lines(self, width: int) -> list[Line]:
        palette = self.palette
        style = palette.danger if self._danger else palette.strong
        cells = max(8, width - 4)
        title = [styled.line((f"  {part}", style)) for part in styled.wrap(self._title, cells)]
        parts = [part for words in self._text.split("\n") for part in styled.wrap(words, cells)] if self._text else []
        return [*title, *(styled.line((f"  {part}", palette.text)) for part in parts), ()]


class PickSheet(Sheet):
    """A numbered list: a digit, or a tap, takes one of it."""

    def take(self, key: str) -> None:
        """Do what a key stands for."""
        raise NotImplementedError

    def on_key(self, event: events.Key) -> None:
        """A digit takes one, `q` leaves."""
        event.stop()
        self._pressed(plain_key(event))

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key."""
        self._pressed(event.key)

    def _pressed(self, key: str) -> None:
        if key in ("q", "backspace", "escape"):
            self.dismiss()
        elif not self.gone:
            self.take(key)


class YesSheet(Sheet):
    """Asks before something is done. `y` counts only when the sheet was on show before it was pressed."""

    def __init__(self, title: str, text: str, verb: str) -> None:
        super().__init__()
        self.title_words, self._text, self._verb = title, text, verb
        self.painted = False
        """Whether the question was on show; `y` counts from then on."""

    def do(self) -> None:
        """Do it."""
        raise NotImplementedError

    def choices(self) -> list[tuple[str, str]]:
        """The answers, each with its key."""
        return [("y", self._verb), ("q", "leave it")]

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        from textual.containers import Vertical

        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield Words(self.title_words, self._text, danger=True)
            yield Choices(self.choices())

    def on_mount(self) -> None:
        """Count keys from the first painting on."""
        self.call_after_refresh(self._now_painted)

    def _now_painted(self) -> None:
        self.painted = True

    def on_key(self, event: events.Key) -> None:
        """`y` does it, `q`, `n`, Backspace or Esc leave; anything else, a held key too, does nothing."""
        event.stop()
        self._take(plain_key(event))

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key."""
        self._take(event.key)

    def _take(self, key: str) -> None:
        if key == "y" and self.painted and not self.gone:
            self.dismiss()
            self.do()
        elif key in ("q", "n", "backspace", "escape"):
            self.dismiss()


class ConfirmSheet(YesSheet):
    """Asks before something ends, naming it."""

    def __init__(self, title: str, text: str, verb: str, intent: Intent, done: str = "") -> None:
        super().__init__(title, text, verb)
        self._done = done
        self.intent = intent
        """Carries the epoch that was shown, so that it can end nothing else."""

    def do(self) -> None:
        """Order it."""
        self.app.post_message(SubmitOrder(self.intent, self._done))


class AskSheet(YesSheet):
    """Asks before a form is sent; over the form, which stays where that is left."""

    def __init__(self, title: str, text: str, verb: str, then: Callable[[], None]) -> None:
        super().__init__(title, text, verb)
        self._then = then

    def do(self) -> None:
        """Go on with the form, once it is on top again."""
        self.app.call_later(self._then)


class ReadingSheet(Sheet):
    """A text to read, which keys and taps move. Subclasses compose it, with the choices `q` and another."""

    WAYS_OUT: ClassVar[tuple[str, ...]] = ("q", "backspace", "escape", "enter")

    def on_key(self, event: events.Key) -> None:
        """Move, or go back."""
        event.stop()
        key = plain_key(event)
        if not self.query_one(ScrollableText).press(key) and key in self.WAYS_OUT:
            self.dismiss()

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap goes back or moves on."""
        if event.key == "q":
            self.dismiss()
        else:
            text = self.query_one(ScrollableText)
            text.move(text.page)


_LABEL = 9
_AROUND = 3
"""Lines of a sheet that are not its text: heading, keys, and one of the screen below."""


class ReportText(ScrollableText):
    """The lines, from the one at its top on."""

    def __init__(self, told: Sequence[Told], *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._told = told

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def tell_anew(self, told: Sequence[Told]) -> None:
        """Show these lines from now on, from the first."""
        self._told, self._top = told, 0
        self._fit()
        self.redraw()

    def on_mount(self) -> None:
        """Take the height that the text needs."""
        self._fit()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        self._fit()
        return self.part(self._all(width), height)

    def _fit(self) -> None:
        cells = self.app.size
        height = max(1, min(len(self._all(cells.width)), cells.height - _AROUND))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def _all(self, width: int) -> list[Line]:
        palette, drawn = self.palette, list[Line]()
        styles = {"warn": palette.warn, "strong": palette.strong, "do": palette.text, "good": palette.text}
        styles["bad"] = palette.danger
        for line in self._told:
            style = styles.get(line.tone, palette.text)
            label = palette.key if line.tone == "do" else palette.quiet
            for index, part in enumerate(styled.wrap(line.words, max(8, width - _LABEL - 1))):
                start = styled.right(line.label if index == 0 else "", _LABEL - 1) + " "
                drawn.append(styled.line((start, label), (part, style)))
        return drawn


class ReportSheet(ReadingSheet):
    """Something to read, with a heading."""

    def __init__(self, heading: str, told: Sequence[Told]) -> None:
        super().__init__()
        self.heading, self.told = heading, told
        self._ready = False

    def compose(self) -> ComposeResult:
        """Heading, text, keys."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield ReportText(self.told, id="text")
            yield Choices([("q", "back"), ("j k", "down, up")])

    def on_mount(self) -> None:
        """Show what is known by now."""
        self._ready = True
        self.report(self.heading, self.told)

    def report(self, heading: str, told: Sequence[Told]) -> None:
        """Show this from now on."""
        self.heading, self.told = heading, told
        if self._ready:
            self.query_one(Rule).show(heading, strong=True)
            self.query_one(ReportText).tell_anew(told)
