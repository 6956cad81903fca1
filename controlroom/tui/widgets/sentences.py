"""What a form says below its fields: sentences that change with what is chosen."""

from collections.abc import Sequence

from rich.style import Style
from textual import events

from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import ScrollableText

Told = tuple[str, bool]
"""A sentence, and whether it wants to be noticed."""


class Sentences(ScrollableText):
    """Sentences, one below the other; the form says how many lines there is room for."""

    DEFAULT_CSS = "Sentences { height: 1; }"

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._told: Sequence[Told] = ()
        self.painted_at = float("inf")
        """When this was painted, in seconds of the room's monotonic clock."""

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def say(self, told: Sequence[Told], most: int) -> None:
        """Show these sentences, each with whether it wants to be noticed, in at most so many lines."""
        self._told = told
        self.painted_at = float("inf")
        self.styles.height = max(1, min(len(self._lines(self.app.size.width)), most))
        self.redraw()
        self.call_after_refresh(self._painted)

    def on_click(self, event: events.Click) -> None:
        """Turn a page."""
        event.stop()
        self.move(self.page)

    def _painted(self) -> None:
        self.painted_at = self.context.monotonic()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits; its last line says how much is below."""
        lines = self._lines(width)
        shown = self.part(lines, height)
        below = len(lines) - self._top - height
        if below > 0 and height > 1:
            shown[-1] = styled.line((f"  … {below + 1} more lines: PageDown or tap", self.palette.quiet))
        return shown

    def _lines(self, width: int) -> list[Line]:
        palette = self.palette
        return [
            styled.line((f"  {part}", palette.warn if notice else palette.text))
            for words, notice in self._told
            for part in styled.wrap(words, max(8, width - 4))
        ]
