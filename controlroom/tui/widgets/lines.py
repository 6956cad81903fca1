"""What all parts of the screen are made of: lines that are painted only where they changed, and text that scrolls."""

import asyncio
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._compositor import Compositor, CompositorUpdate
from textual._styles_cache import StylesCache
from textual.app import App
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from controlroom.tui.context import Context, context_of
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette


class _Canvas(NamedTuple):
    """What lines are drawn for: with another one all of them are drawn anew."""

    width: int
    height: int
    ground: Style
    palette: Palette


class Lines(Widget):
    """A widget that is its lines. Subclasses say in `build` what stands there at a width and height."""

    DEFAULT_CSS = "Lines { height: 1; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id, classes=classes)
        self._built: list[Line] = []
        self._drawn: list[Line] = []
        self._canvas: _Canvas | None = None
        self._strips: dict[int, Strip] = {}
        """What was given to Textual of the lines as they are."""

    @property
    def context(self) -> Context:
        """The parts of the app that this reads."""
        return context_of(self.app)

    @property
    def palette(self) -> Palette:
        """The styles to draw with."""
        return self.context.palette

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The lines to show, from the top."""
        raise NotImplementedError

    def ground(self) -> Style:
        """The style that lies under every line."""
        return self.palette.page

    def tell(self, message: Message) -> None:
        """Post a message as one's own. Else it would not rise past the screen whose key handler led here."""
        self.post_message(message.set_sender(self))

    def redraw(self) -> None:
        """Build the lines and paint those that changed."""
        width, height = self.size
        if not self.is_attached or width <= 0 or height <= 0:
            return
        canvas = _Canvas(width, height, self.ground(), self.palette)
        if canvas != self._canvas:
            self._canvas, self._built, self._drawn = canvas, [], []
            self._strips.clear()
            self._draw_all(width, height)
            self.refresh()
            return
        before = self._drawn
        self._draw_all(width, height)
        pairs = ((y, self._line(before, y), self._line(self._drawn, y)) for y in range(height))
        self._paint_changes(pairs, width)

    def redraw_lines(self, lines: Mapping[int, Line]) -> None:
        """Paint some of the lines, by their places, which `build` would make so, too; all others are as they were."""
        width, height = self.size
        if not self.is_attached or _Canvas(width, height, self.ground(), self.palette) != self._canvas:
            self.redraw()
            return
        replaced = []
        for y, line in lines.items():
            if y < len(self._built) and self._built[y] is not line:
                replaced.append((y, self._drawn[y], self._cut(line, width)))
                self._built[y], self._drawn[y] = line, replaced[-1][2]
        self._paint_changes(replaced, width)

    def _paint_changes(self, pairs: Iterable[tuple[int, Line, Line]], width: int) -> None:
        """Paint what is different in lines, each with its place, as it was and as it is."""
        changed: list[Region] = []
        for y, old, new in pairs:
            if old is not new and (spans := changes(old, new, width)):
                self._strips.pop(y, None)
                changed += [Region(start, y, end - start, 1) for start, end in spans]
        if changed:
            self.refresh(*changed)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Paint these parts soon, by a shorter way than Textual's; everything else goes that way."""
        screen = self.screen if regions and repaint and self.is_mounted else None
        if layout or recompose or not isinstance(screen, PaintedScreen):
            return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        self._set_dirty(*regions)
        screen.paint_soon(self)
        return self

    def _draw_all(self, width: int, height: int) -> None:
        """Build the lines and cut them to size; a line that was built before is taken as it was drawn then."""
        drawn = dict(zip(map(id, self._built), self._drawn, strict=True))
        built = list(self.build(width, height))[:height]
        self._drawn = [drawn.get(id(line)) or self._cut(line, width) for line in built]
        self._built = built

    def _cut(self, line: Line, width: int) -> Line:
        return self._signed(styled.clip(line, width))

    def _signed(self, line: Line) -> Line:
        glyphs = self.palette.glyphs
        return tuple(Segment(glyphs.drawn(part.text), part.style) for part in line) if glyphs.plain else line

    @staticmethod
    def _line(lines: Sequence[Line], y: int) -> Line:
        return lines[y] if y < len(lines) else ()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return Textual the lines it asks for, each made once: its own way past borders and styles is slow."""
        width = self.size.width
        if self.outer_size.width != width:
            return super().render_lines(crop)
        strips = [self.strip(y, width) for y in crop.line_range]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """Return Textual one line."""
        return self.strip(y, self.size.width)

    def strip(self, y: int, width: int) -> Strip:
        """One line, made once, at the width that it has."""
        strip = self._strips.get(y)
        if strip is None or strip.cell_length != width:
            strip = Strip(_filled(self._line(self._drawn, y), width, self.ground()), width)
            for each in self.app.get_line_filters():
                if not isinstance(each, ANSIToTruecolor):  # all that is drawn here is of the theme's true colours
                    strip = strip.apply_filter(each, self.app.background_colors[1])
            self._strips[y] = strip
        return strip

    def on_resize(self, event: events.Resize) -> None:
        """Draw for the new size."""
        self.redraw()


def changes(old: Line, new: Line, width: int) -> list[tuple[int, int]]:
    """The cells of a line, from and to, that are to be painted anew: between what is the same at both ends."""
    if old == new:
        return []
    if _hangs(old) or _hangs(new):
        return [(0, width)]
    before, after = styled.length(old), styled.length(new)
    start, end = _alike(zip(old, new, strict=False), 1), max(before, after)
    if before == after:
        end -= min(end - start, _alike(zip(reversed(old), reversed(new), strict=False), -1))
    return [(start, min(end, width))] if start < min(end, width) else []


def _hangs(line: Line) -> bool:
    """Whether a part begins with a mark that is drawn over the last cell of the part before it."""
    return any(not part.text[:1].isascii() and not cell_len(part.text[:1]) for part in line)


def _alike(pairs: Iterable[tuple[Segment, Segment]], step: int) -> int:
    """The cells that two lines begin with alike (`step` 1), or end with (-1)."""
    cells = 0
    for before, after in pairs:
        if before != after:
            if before.style == after.style and before.text.isascii() and after.text.isascii():
                cells += _same_words(before.text[::step], after.text[::step])
            break
        cells += after.cell_length
    return cells


def _same_words(old: str, new: str) -> int:
    """The characters that two texts begin with alike, up to a blank: a word is painted whole."""
    pairs = enumerate(zip(old, new, strict=False))
    alike = next((place for place, (before, after) in pairs if before != after), min(len(old), len(new)))
    return new.rfind(" ", 0, alike) + 1


def set_lines(widget: Widget, lines: int) -> None:
    """Set the height of a widget in lines; 0 hides it."""
    widget.display = lines > 0
    height = widget.styles.height
    if lines and (height is None or not height.is_cells or height.value != lines):
        widget.styles.height = lines


def _filled(line: Line, width: int, ground: Style) -> list[Segment]:
    rest = width - styled.length(line)
    padded = (*line, Segment(" " * rest)) if rest > 0 else line
    return list(styled.over(padded, ground))


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
        """The bytes, as text."""
        return "".join(f"\x1b[{y + 1};{x + 1}H{strip.render(console)}" for y, x, strip in self.pieces)


class Painting(Compositor):
    """Textual's compositor, with updates of just what changed.

    Textual 8.2 renders all that lies in the rectangle around all changes, and cuts it at its right end only: with two
    hundred agents that took most of the time, and twice the bytes.
    """

    _index: tuple[Mapping[Widget, object], list[list[_Stretch]]] | None = None
    """The widgets on each line, the foremost first, as long as they stand where they do."""

    def render_partial_update(self) -> Pieces | None:  # type: ignore[override]
        """What is to be painted, if anything is."""
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
    """What a widget shows on a line, between two columns."""
    x, top = stretch.region.x, stretch.region.y
    if stretch.whole:
        assert isinstance(stretch.widget, Lines)
        return stretch.widget.strip(y - top, stretch.region.width).crop(left - x, right - x)
    return stretch.widget.render_lines(Region(left - x, y - top, right - left, 1))[0]


TIDY_AFTER = 2.0
"""Seconds after which what is left of a screen is looked for: it takes as long as some keys do."""


def tidy_later(app: App[Any]) -> None:
    """Free what a screen that has gone leaves behind, with what other screens will leave until then."""
    context = context_of(app)
    if not (context.tidying or context.closing):
        context.tidying = True
        app.set_timer(TIDY_AFTER, partial(_tidy, context))


def _tidy(context: Context) -> None:
    """Free what was drawn of screens that are gone, and what of them refers to itself.

    Textual 8.2 keeps what was drawn by a cache of one of its methods (`StylesCache.get_inner_outer`), whose keys are up
    to 1,024 widgets with all their lines: a megabyte for each screen that was opened.
    """
    context.tidying = False
    StylesCache.get_inner_outer.cache_clear()
    gc.collect()


_GATHER = 0.004
"""Seconds that a painting waits for more: a fleet and its logs come one right after the other."""


class PaintedScreen(Screen[None]):
    """A screen that paints what changed in its lines without Textual's way over three messages and a timer.

    That way took as long as drawing the lines, and up to a sixtieth of a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._compositor = Painting()
        self._due: asyncio.TimerHandle | None = None

    def on_unmount(self) -> None:
        """It is gone for good."""
        tidy_later(self.app)

    def paint_soon(self, widget: Widget) -> None:
        """Paint what a widget has marked as changed."""
        self._dirty_widgets.add(widget)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(_GATHER, self._paint)

    def _paint(self) -> None:
        self._due = None
        if self.is_running and self.is_current and not self.app._batch_count:
            self._on_timer_update()
        else:
            self.check_idle()


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
        """The part of all lines that is shown."""
        self._top = max(0, min(self._top, len(lines) - height))
        return list(lines[self._top : self._top + height])
