"""A line that separates meanings, with a title at its left and a word at its right."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

_BETWEEN = " · "
_TITLE = 24
"""Cells of a title that a long word at the right leaves to it."""


class Rule(Lines):
    """`─ title ───────── word ─`."""

    class Tapped(Message):
        """It was tapped. `part`: what stands there: one of its words, which ` · ` keeps apart, its title, nothing."""

        def __init__(self, rule: "Rule", part: str) -> None:
            super().__init__()
            self.rule, self.part = rule, part

        @property
        def control(self) -> "Rule":
            """Which one."""
            return self.rule

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._title = title
        self._strong = self._chosen = False
        self._word = ""
        self._word_style: Style | None = None
        self._places: list[tuple[int, int, str]] = []

    def show(
        self, title: str, word: str = "", style: Style | None = None, *, strong: bool = False, chosen: bool = False
    ) -> None:
        """Say this from now on. `chosen`: it stands above what keys act on."""
        self._chosen = chosen
        self._title, self._word, self._word_style, self._strong = title, word, style, strong
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Say so."""
        at = next((part for start, end, part in self._places if start <= event.x < end), "")
        self.tell(self.Tapped(self, at))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette, sign = self.palette, self.palette.glyphs.rule
        line = palette.accent if self._chosen else palette.rule
        first = palette.glyphs.cursor if self._chosen else sign
        kept = min(styled.width(self._title), _TITLE)
        word = styled.cut(self._word, max(0, width - 8 - kept))
        title = styled.cut(self._title, max(0, width - styled.width(word) - 8))
        start = styled.line(
            (f"{first} " if title else first, line),
            (f"{title} " if title else "", palette.strong if self._strong else palette.quiet),
        )
        end = styled.line((f" {word} " if word else "", self._word_style or palette.quiet), (sign, line))
        self._places = [(0, styled.length(start), title), *_parts(word, width - styled.length(end) + 1)]
        between = max(0, width - styled.length(start) - styled.length(end))
        return ((*start, *styled.line((sign * between, line)), *end),)


def _parts(words: str, at: int) -> list[tuple[int, int, str]]:
    """Say from which cell to which each part of the words stands, the first of which is at `at`."""
    places = []
    for part in words.split(_BETWEEN):
        places.append((at, at + styled.width(part), part))
        at += styled.width(part) + len(_BETWEEN)
    return places
