"""What is written to the terminal when a part of the screen changes: that part, and nothing beside it."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rich.console import Console
from textual._compositor import Compositor, CompositorUpdate
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from controlroom.tui.widgets.lines import Lines

Span = tuple[int, int]
"""Cells of a line: from, and up to."""


class _Stretch(NamedTuple):
    """Where a widget stands on one line of the screen."""

    start: int
    end: int
    widget: Widget
    region: Region
    whole: bool
    """It is nothing but its lines: it can be asked for one of them."""


class Pieces(CompositorUpdate):
    """Pieces of lines, each with its place: line and column from 0."""

    def __init__(self, pieces: list[tuple[int, int, Strip]]) -> None:
        self.pieces = pieces

    def render_segments(self, console: Console) -> str:
        """Give the bytes, as text."""
        return "".join(f"\x1b[{y + 1};{x + 1}H{strip.render(console)}" for y, x, strip in self.pieces)


class Painting(Compositor):
    """Textual's compositor, with updates of just what changed.

    Textual 8.2 renders all that lies in the rectangle around all changes, and cuts it at its right end only: with two
    hundred agents that took most of the time, and twice the bytes.
    """

    _index: tuple[Mapping[Widget, object], list[list[_Stretch]]] | None = None
    """The widgets on each line, the foremost first, as long as they stand where they do."""

    def render_partial_update(self) -> Pieces | None:  # type: ignore[override]
        """Give what is to be painted, if anything is."""
        screen = self.size.region
        regions = [region.intersection(screen) for region in self._dirty_regions]
        self._dirty_regions.clear()
        spans = self._regions_to_spans([region for region in regions if region])
        pieces = [piece for y, start, end in spans for piece in self._pieces(y, (start, end))]
        return Pieces(pieces) if pieces else None

    def _pieces(self, y: int, span: Span) -> Iterator[tuple[int, int, Strip]]:
        """Ask the widgets for what they show of a span; the foremost is asked first, for all that it covers."""
        bare = [span]
        for stretch in self._stretches[y]:
            for start, end in list(bare):
                left, right = max(start, stretch.start), min(end, stretch.end)
                if left < right:
                    yield y, left, _cells(stretch, y, left, right)
                    bare.remove((start, end))
                    bare += [rest for rest in ((start, left), (right, end)) if rest[0] < rest[1]]
            if not bare:
                return

    @property
    def _stretches(self) -> list[list[_Stretch]]:
        visible = self.visible_widgets
        if self._index is None or self._index[0] is not visible:
            lines: list[list[_Stretch]] = [[] for _ in range(self.size.height)]
            for widget, (region, clip) in visible.items():
                shown = region.intersection(clip).intersection(self.size.region)
                whole = isinstance(widget, Lines) and widget.size == region.size
                for y in shown.line_range if shown else ():
                    lines[y].append(_Stretch(shown.x, shown.right, widget, region, whole))
            self._index = visible, lines
        return self._index[1]


def _cells(stretch: _Stretch, y: int, left: int, right: int) -> Strip:
    """Give what a widget shows on a line between two columns."""
    x, top = stretch.region.x, stretch.region.y
    if stretch.whole:
        assert isinstance(stretch.widget, Lines)
        return stretch.widget.strip(y - top, stretch.region.width).crop(left - x, right - x)
    return stretch.widget.render_lines(Region(left - x, y - top, right - left, 1))[0]
