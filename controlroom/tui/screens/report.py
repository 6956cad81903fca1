"""A sheet to read: lines with a label before them, as high as they need, moved by lines where they are too many."""

from collections.abc import Sequence

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.explain import Line as Told
from controlroom.tui.screens.dialogs import Choices, ReadingSheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.rule import Rule
from controlroom.tui.widgets.scrollable_text import ScrollableText

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
        """Say what it is about, and what has become known since it was opened."""
        self._ready = True
        self.report(self.heading, self.told)

    def report(self, heading: str, told: Sequence[Told]) -> None:
        """Show this from now on."""
        self.heading, self.told = heading, told
        if self._ready:
            self.query_one(Rule).show(heading, strong=True)
            self.query_one(ReportText).tell_anew(told)
