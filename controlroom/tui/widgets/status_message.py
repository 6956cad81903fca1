"""What the program has to say about what was just done: a few lines above the footer, gone by themselves."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.timer import Timer

from controlroom.tui.room import Level
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

_MOST = 4


class StatusMessage(Lines):
    """One saying at a time; a new one takes its place."""

    DEFAULT_CSS = "StatusMessage { display: none; dock: bottom; offset-y: -1; height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.text = ""
        self._level = Level.NOTE
        self._timer: Timer | None = None

    def ground(self) -> Style:
        """It stands on the page, and out by its background."""
        return self.palette.page

    def say(self, text: str, level: Level, seconds: float) -> None:
        """Say `text` for so long; an empty text takes back what was said."""
        self.text, self._level = " ".join(text.split()), level
        if self._timer:
            self._timer.stop()
            self._timer = None
        if not self.text:
            self.display = False
            return
        self._timer = self.set_timer(seconds, self._over)
        self.styles.height = min(_MOST, len(styled.wrap(self.text, max(10, self.app.size.width - 4))))
        self.display = True
        self.redraw()

    def _over(self) -> None:
        self._timer = None
        self.say("", Level.NOTE, 0)

    def build(self, width: int, height: int) -> Sequence[Line]:
        """A sign, then the words."""
        palette = self.palette
        sign, style = {
            Level.DONE: ("✓", palette.accent),
            Level.NOTE: ("▸", palette.warn),
            Level.DANGER: ("✕", palette.danger),
        }[self._level]
        words = styled.wrap(self.text, max(10, width - 4))
        drawn = [
            styled.line((f" {sign} " if index == 0 else "   ", style), (part, palette.strong))
            for index, part in enumerate(words)
        ]
        return [palette.selected(line, width) for line in drawn[:height]]

    def on_click(self, event: events.Click) -> None:
        """A tap takes it away."""
        event.stop()
        self._over()
