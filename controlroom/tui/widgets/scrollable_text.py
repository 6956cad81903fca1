"""What is longer than its place: moved by the wheel, and a text by the keys that move every text."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events

from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines


class Wheeled(Lines):
    """Lines that the wheel moves. Subclasses say in `wheel` what that does."""

    WHEEL: ClassVar[int] = 3
    """Lines for each turn."""

    def wheel(self, lines: int) -> None:
        """Move on, or back."""
        raise NotImplementedError

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move on."""
        event.stop()
        self.wheel(self.WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move back."""
        event.stop()
        self.wheel(-self.WHEEL)


class ScrollableText(Wheeled):
    """A text of which the part that fits is shown."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._top = 0

    @property
    def page(self) -> int:
        """Lines of a page: almost all that fit."""
        return max(1, self.size.height - 2)

    def move(self, rows: int) -> None:
        """Move by lines."""
        self._top += rows
        self.redraw()

    def wheel(self, lines: int) -> None:
        """Move by lines."""
        self.move(lines)

    def press(self, key: str) -> bool:
        """Move as a key says; False: it is none of those that move a text."""
        page = self.page
        moves = {"j": 1, "down": 1, "k": -1, "up": -1, "space": page, "pagedown": page, "b": -page, "pageup": -page}
        if key in moves:
            self.move(moves[key])
        return key in moves

    def part(self, lines: Sequence[Line], height: int) -> list[Line]:
        """Give the part of all lines that is shown."""
        self._top = max(0, min(self._top, len(lines) - height))
        return list(lines[self._top : self._top + height])
