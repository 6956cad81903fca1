"""A line that separates meanings, with a title at its left and a word at its right."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.tui import ink
from controlroom.tui.ink import Line
from controlroom.tui.widgets.lines import Lines

_TITLE = 24
"""Cells of a title that a long word at the right leaves to it."""


class Rule(Lines):
    """`─ title ───────── word ─`."""

    class Tapped(Message):
        """It was tapped."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._title = title
        self._strong = self._chosen = False
        self._word = ""
        self._word_style: Style | None = None

    def show(
        self, title: str, word: str = "", style: Style | None = None, *, strong: bool = False, chosen: bool = False
    ) -> None:
        """Say this from now on. `chosen`: it stands above what keys act on."""
        self._chosen = chosen
        self._title, self._word, self._word_style, self._strong = title, word, style, strong
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Say so."""
        self.tell(self.Tapped())

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette, sign = self.palette, self.palette.glyphs.rule
        line = palette.accent if self._chosen else palette.rule
        first = palette.glyphs.cursor if self._chosen else sign
        kept = min(ink.width(self._title), _TITLE)
        word = ink.cut(self._word, max(0, width - 8 - kept))
        title = ink.cut(self._title, max(0, width - ink.width(word) - 8))
        start = ink.line(
            (f"{first} " if title else first, line),
            (f"{title} " if title else "", palette.strong if self._strong else palette.quiet),
        )
        end = ink.line((f" {word} " if word else "", self._word_style or palette.quiet), (sign, line))
        between = max(0, width - ink.length(start) - ink.length(end))
        return ((*start, *ink.line((sign * between, line)), *end),)
