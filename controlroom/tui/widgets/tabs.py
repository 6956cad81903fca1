"""One line of things to choose from, one of which is chosen; each has its key and can be tapped."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

Tab = tuple[str, str, str]
"""What it is called, its key as it is shown, and its words."""


class Tabs(Lines):
    """`[agent] host model`: the chosen one stands in brackets, keys are marked in the words that hold them."""

    class Taken(Message):
        """One was tapped."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.tab_name = name

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
