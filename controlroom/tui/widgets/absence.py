"""One line for who comes back: what has happened since they looked."""

from collections.abc import Sequence

from textual import events

from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines


class AbsenceLine(Lines):
    """Takes no room while there is nothing to tell."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._when = self._what = ""

    def show(self, when: str, what: str) -> None:
        """Say what has happened since then; an empty text: nothing."""
        if (when, what) != (self._when, self._what):
            self._when, self._what = when, what
            self.display = bool(what)
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """What has happened stands in the logs."""
        event.stop()
        self.room.do("timeline")

    def on_mount(self) -> None:
        """Begin with nothing."""
        self.display = False

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        glyphs = self.palette.glyphs
        start = f" since {self._when}  "
        what = styled.cut(glyphs.drawn(self._what), width - styled.width(start) - 1)
        return (styled.line((start, self.palette.quiet), (what, self.palette.text)),)
