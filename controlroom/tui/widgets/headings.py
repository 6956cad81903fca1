"""What heads a part of a screen: a rule with a title, or a line of tabs."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

_BETWEEN = " · "
_TITLE = 24
"""Cells of a title that a long word at the right leaves to it."""


class Rule(Lines):
    """`─ title ───────── word ─`."""

    @dataclass(eq=False, repr=False)
    class Tapped(Message):
        """It was tapped. `part`: the number of the part that was tapped; -1: its title; None: what is between."""

        rule: "Rule"
        part: int | None

        @property
        def control(self) -> "Rule":
            """Which one."""
            return self.rule

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._title = title
        self._strong = self._chosen = False
        self.cut = False
        """Whether its title had no room."""
        self._words: tuple[str, ...] = ()
        self._word_style: Style | None = None
        self._places: list[tuple[int, int, int]] = []

    def show(
        self, title: str, *words: str, style: Style | None = None, strong: bool = False, chosen: bool = False
    ) -> None:
        """Show a title and parts at the right, kept apart by ` · `. `chosen`: it stands above what keys act on."""
        self._chosen = chosen
        self._title, self._words, self._word_style, self._strong = title, words, style, strong
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Post that it was tapped."""
        at = next((part for start, end, part in self._places if start <= event.x < end), None)
        self.tell(self.Tapped(self, at))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette, sign = self.palette, self.palette.glyphs.rule
        line = palette.accent if self._chosen else palette.rule
        first = palette.glyphs.cursor if self._chosen else sign
        kept = min(styled.width(self._title), _TITLE)
        word = styled.cut(_BETWEEN.join(self._words), max(0, width - 8 - kept))
        title = styled.cut(self._title, max(0, width - styled.width(word) - 8))
        self.cut = title != self._title
        start = styled.line(
            (f"{first} " if title else first, line),
            (f"{title} " if title else "", palette.strong if self._strong else palette.quiet),
        )
        end = styled.line((f" {word} " if word else "", self._word_style or palette.quiet), (sign, line))
        self._places = [(0, styled.length(start), -1), *_parts(self._words, width - styled.length(end) + 1)]
        between = max(0, width - styled.length(start) - styled.length(end))
        return ((*start, *styled.line((sign * between, line)), *end),)


def _parts(words: Sequence[str], at: int) -> list[tuple[int, int, int]]:
    """The first cell, the cell after the last, and the number of each part; the first part begins at `at`."""
    places = []
    for number, part in enumerate(words):
        places.append((at, at + styled.width(part), number))
        at += styled.width(part) + len(_BETWEEN)
    return places


Tab = tuple[str, str, str]
"""What it is called, its key as it is shown, and its words."""


class Tabs(Lines):
    """`[agent] host model`: the chosen one stands in brackets, keys are marked in the words that hold them."""

    @dataclass(eq=False, repr=False)
    class Taken(Message):
        """One was tapped."""

        tab_name: str

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._groups: Sequence[Sequence[Tab]] = ()
        self._chosen: Sequence[str] = ()
        self._places: list[tuple[int, int, int, str]] = []

    def show(self, groups: Sequence[Sequence[Tab]], chosen: Sequence[str]) -> None:
        """Show these from now on; `chosen` names one of each group."""
        self._groups, self._chosen = groups, chosen
        self.redraw()

    def lines_wanted(self, width: int) -> int:
        """One for all groups, or one each."""
        return 1 if sum(map(_cells, self._groups)) + 4 <= width else len(self._groups)

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The groups, beside each other where they fit."""
        self._places = []
        if self.lines_wanted(width) > 1:
            return [styled.line(*self._group(group, row, 0)) for row, group in enumerate(self._groups)]
        runs: list[tuple[str, Style | None]] = []
        at = 0
        for group in self._groups:
            drawn = [*self._group(group, 0, at), ("   ", None)]
            at += sum(styled.width(text) for text, _ in drawn)
            runs += drawn
        return (styled.line(*runs),)

    def _group(self, group: Sequence[Tab], row: int, at: int) -> list[tuple[str, Style | None]]:
        palette, runs = self.palette, list[tuple[str, Style | None]]()
        for name, key, words in group:
            chosen = name in self._chosen
            style = palette.strong if chosen else palette.text
            before, mark, after = words.partition(key) if key and key in words else ("", key, f" {words}" * bool(key))
            inner = [(before, style), (mark, palette.key), (after if key else words, style)]
            cells = sum(styled.width(part) for part, _ in inner) + 2
            self._places.append((row, at, at + cells, name))
            at += cells
            runs += [("[" if chosen else " ", palette.accent), *inner, ("]" if chosen else " ", palette.accent)]
        return runs

    def on_click(self, event: events.Click) -> None:
        """Choose what was tapped."""
        event.stop()
        for row, start, end, name in self._places:
            if row == event.y and start <= event.x < end:
                self.tell(self.Taken(name))


def _cells(group: Sequence[Tab]) -> int:
    return sum(
        styled.width(words) + 2 + (styled.width(key) + 1) * (bool(key) and key not in words) for _, key, words in group
    )
