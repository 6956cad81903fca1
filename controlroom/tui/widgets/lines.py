"""The base of everything drawn here: lines that are built anew and compared, so that only changed ones are painted."""

from collections.abc import Sequence
from typing import ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from controlroom.tui.room import Room
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette


class Lines(Widget):
    """A widget that is its lines. Subclasses say in `build` what stands there at a width and height."""

    DEFAULT_CSS = "Lines { height: 1; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id, classes=classes)
        self._built: Sequence[Line] = ()
        self._drawn: Sequence[Line] = ()
        self._canvas: tuple[object, ...] = ()
        self._strips: dict[int, Strip] = {}
        """What was given to Textual of the lines as they are."""

    @property
    def room(self) -> Room:
        """The app that this stands in."""
        return cast(Room, self.app)

    @property
    def palette(self) -> Palette:
        """The styles to draw with."""
        return self.room.palette

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Give the lines to show, from the top."""
        raise NotImplementedError

    def ground(self) -> Style:
        """Give the style that lies under every line."""
        return self.palette.page

    def tell(self, message: Message) -> None:
        """Post a message as one's own. Else it would not rise past the screen whose key handler led here."""
        self.post_message(message.set_sender(self))

    def redraw(self) -> None:
        """Build the lines and paint those that changed."""
        width, height = self.size
        if not self.is_attached or width <= 0 or height <= 0:
            return
        canvas = (width, height, self.ground(), self.palette)
        if canvas != self._canvas:
            self._canvas, self._built, self._drawn = canvas, (), ()
            self._strips.clear()
            self._draw_all(width, height)
            self.refresh()
            return
        before = self._drawn
        self._draw_all(width, height)
        changed: list[Region] = []
        for y in range(height):
            old, new = self._line(before, y), self._line(self._drawn, y)
            if old is not new and (spans := changes(old, new, width)):
                self._strips.pop(y, None)
                changed += [Region(start, y, end - start, 1) for start, end in spans]
        if changed:
            self.refresh(*changed)

    def _draw_all(self, width: int, height: int) -> None:
        """Build the lines and cut them to size; a line that was built before is taken as it was drawn then."""
        known = dict(zip(map(id, self._built), self._drawn, strict=True))
        built = list(self.build(width, height))[:height]
        self._drawn = [known.get(id(line)) or self._signed(styled.clip(line, width)) for line in built]
        self._built = built

    def _signed(self, line: Line) -> Line:
        glyphs = self.palette.glyphs
        return tuple(Segment(glyphs.drawn(part.text), part.style) for part in line) if glyphs.plain else line

    @staticmethod
    def _line(lines: Sequence[Line], y: int) -> Line:
        return lines[y] if y < len(lines) else ()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give Textual the lines it asks for, each made once. Its own way past borders and styles takes long."""
        width = self.size.width
        if self.outer_size.width != width:
            return super().render_lines(crop)
        strips = [self.strip(y, width) for y in crop.line_range]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """Give one line to Textual."""
        return self.strip(y, self.size.width)

    def strip(self, y: int, width: int) -> Strip:
        """Give one line, made once, at the width that it has."""
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
    """Give the cells of a line, from and to, that are to be painted anew: between what is the same at both ends."""
    if old == new:
        return []
    start = 0
    same = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        start += after.cell_length
        same += 1
    end = width
    if styled.length(old) == styled.length(new):
        end = styled.length(new)
        for before, after in zip(reversed(old[same:]), reversed(new[same:]), strict=False):
            if before != after:
                break
            end -= after.cell_length
    return [(start, min(end, width))] if start < min(end, width) else []


def set_lines(widget: Widget, lines: int) -> None:
    """Give a widget so many lines; without any it is not shown."""
    widget.display = lines > 0
    height = widget.styles.height
    if lines and (height is None or not height.is_cells or height.value != lines):
        widget.styles.height = lines


def _filled(line: Line, width: int, ground: Style) -> list[Segment]:
    rest = width - styled.length(line)
    padded = (*line, Segment(" " * rest)) if rest > 0 else line
    return list(styled.over(padded, ground))
