"""An agent's changes on the screen: the files, a line each, and one file's diff. What colour says a sign says, too."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.domain.display.diff import SIGNS, DiffLine, amount, letter, remarks, shown_path
from controlroom.domain.words import count, size
from controlroom.text.changes import ChangedFile, FileSort, LineKind
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.logs.diff_pages import DiffPages
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import run_style
from controlroom.tui.widgets.lines import Wheeled
from controlroom.tui.widgets.rows import Rows

_ADDED, _REMOVED, _HUNK = "2", "1", "6"
"""Colours of a terminal, by number."""
_CACHED = 500
"""Lines that are kept as they were drawn."""
_BOTH, _ONE = 90, 60
"""Columns from which on a line has both its numbers, or one."""

Place = tuple[str, int, int]
"""A file's path, and a line's numbers in the base and in the new file."""


def file_key(file: ChangedFile) -> str:
    """What names a file among those that changed: git may know a path, and a file stand there that it does not know."""
    return f"{file.kind} {file.path}"


class ChangedFiles(Rows[ChangedFile]):
    """The files that an agent has changed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.comments: Mapping[str, int] = {}
        """Comments by path."""
        self.guarded: frozenset[str] = frozenset()
        """The paths of those that its checks guard."""
        self.nothing = ""
        """Why there is no file."""

    def name_of(self, row: ChangedFile) -> str:
        """Named by its path."""
        return file_key(row)

    def empty(self, width: int) -> Sequence[Line]:
        """Why there is none."""
        parts = styled.wrap(self.nothing, max(8, width - 4))
        return [styled.line((f"  {part}", self.palette.quiet)) for part in parts]

    def lends(self, row: ChangedFile) -> object:
        """Comments on it, and whether it is guarded."""
        return self.comments.get(row.path, 0), row.path in self.guarded

    def draw(self, row: ChangedFile, width: int, chosen: bool) -> Line:
        """What became of it, its path, what else is to be known, and how many lines."""
        palette, ground = self.palette, self.ground()
        added, removed = amount(row)
        said = self.comments.get(row.path, 0)
        end = styled.line(
            (f" {added}", _hue(self, _ADDED, ground) if added.startswith("+") else palette.quiet),
            (f" {removed}" if removed else "", _hue(self, _REMOVED, ground)),
            (f" »{said}" if said else "", palette.warn),
            (" ", None),
        )
        room = max(8, width - styled.length(end) - 4 - 9 * (row.path in self.guarded))
        path = _tail(shown_path(row.path), room)
        beside = "; ".join(remarks(row))
        start = styled.line(
            (palette.glyphs.cursor if chosen else " ", palette.accent),
            (f"{letter(row)} ", palette.strong),
            (path, palette.text),
            ("  guarded" if row.path in self.guarded else "", palette.warn),
            (f"  {beside}" if beside else "", palette.quiet),
        )
        return styled.spread(start, end, width)


def _tail(path: str, cells: int) -> str:
    """A path whose end is on show, where not all of it fits."""
    path = styled.settled(path)
    if styled.width(path) <= cells:
        return path
    start = len(path)
    while start and styled.width(path[start - 1 :]) < cells:
        start -= 1
    return f"…{path[start:]}"


def _hue(lines: Rows[ChangedFile] | Wheeled, number: str, ground: Style) -> Style:
    return run_style(lines.palette, (number, "", False, False, False, False), ground)


class DiffView(Wheeled):
    """One file's diff; the line under the cursor is what a comment is about."""

    @dataclass(eq=False, repr=False)
    class Wanted(Message):
        """Lines are to be read, from a number on."""

        pages: DiffPages
        start: int

    class Moved(Message):
        """Another line is under the cursor."""

    class Tapped(Message):
        """The line under the cursor was tapped again."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.pages: DiffPages | None = None
        self.comments: Mapping[Place, str] = {}
        """What was said of lines, by where they stand."""
        self.reads = False
        """Whether the keys are for it: its cursor is shown."""
        self._at = self._top = 0
        self._below_top = 0
        """Drawn lines of the line at the top that are above the view."""
        self._shown: list[int] = []
        self._made_for: tuple[object, ...] = ()
        self._cache: OrderedDict[int, list[Line]] = OrderedDict()

    # ------------------------------------------------------------------ what is shown

    def show(self, pages: DiffPages | None) -> None:
        """Show this from now on; another one from its top."""
        if pages is not self.pages:
            self._at = self._top = self._below_top = 0
            self.pages = pages
        self.renew()

    def renew(self) -> None:
        """Draw anew: lines have come, or were commented on."""
        self._cache.clear()
        self.redraw()

    @property
    def line(self) -> DiffLine | None:
        """The line under the cursor."""
        return self.pages.line(self._at) if self.pages is not None else None

    @property
    def number(self) -> int:
        """Its number, counted from 1."""
        return self._at + 1

    # ------------------------------------------------------------------ moving

    def step(self, lines: int) -> None:
        """Move the cursor."""
        self.go_to(self._at + lines)

    def page(self, pages: int) -> None:
        """Move by almost a whole screen of lines."""
        shown = len(set(self._shown))
        self.step(pages * max(1, shown - 1))

    def hunk(self, step: int) -> bool:
        """Go to where the next (1) or the last (-1) lines that changed begin; says whether there are some."""
        pages, number = self.pages, self._at + step
        while pages is not None and 0 <= number < pages.total and (line := pages.line(number)) is not None:
            if line.kind is LineKind.HUNK:
                self.go_to(number)
                return True
            number += step
        if pages is not None and 0 <= number < pages.total:  # not held yet: go there, and on from there
            self.go_to(number)
            return True
        return False

    def go_to(self, number: int) -> None:
        """Put the cursor on a line."""
        last = max(0, (self.pages.total if self.pages else 0) - 1)
        at = max(0, min(number, last))
        if at != self._at:
            self._at = at
            self.tell(self.Moved())
        self.redraw()

    def wheel(self, lines: int) -> None:
        """Move the cursor."""
        self.step(lines)

    def on_click(self, event: events.Click) -> None:
        """Choose the tapped line."""
        event.stop()
        if event.y < len(self._shown):
            number = self._shown[event.y]
            again = self.reads and number == self._at
            self.go_to(number)
            if again:
                self.tell(self.Tapped())

    # ------------------------------------------------------------------ drawing

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The lines around the cursor."""
        pages = self.pages
        made_for = (width, self.palette, self.reads, id(pages))
        if made_for != self._made_for:
            self._made_for = made_for
            self._cache.clear()
        if pages is None or not pages.total:
            self._shown = []
            return [styled.line((f"  {part}", self.palette.quiet)) for part in self._nothing(width)]
        for start in pages.wanted(max(0, self._at - height), min(pages.total - 1, self._at + height)):
            self.tell(self.Wanted(pages, start))
        self._bring_into_view(height)
        drawn: list[Line] = []
        self._shown, number, skip = [], self._top, self._below_top
        while number < pages.total and len(drawn) < height:
            rows = self._chosen(number, width)[skip:]
            drawn += rows
            self._shown += [number] * len(rows)
            number, skip = number + 1, 0
        if number >= pages.total and len(drawn) < height and pages.endless:
            drawn.append(styled.line(("  the diff is longer than can be read here", self.palette.warn)))
        return drawn[:height]

    def _nothing(self, width: int) -> list[str]:
        """Why there is no line."""
        pages = self.pages
        if pages is None:
            return [""]
        if pages.reason or not pages.read:
            return styled.wrap(pages.reason or "reading…", max(8, width - 4))
        if pages.binary:
            return styled.wrap("binary: its contents differ, and are no text", max(8, width - 4))
        if pages.file.sort is FileSort.REPOSITORY:
            return styled.wrap("a repository of its own: what is in it is not looked at", max(8, width - 4))
        return styled.wrap("no line of it differs", max(8, width - 4))

    def _bring_into_view(self, height: int) -> None:
        """Scroll as little as brings the whole line under the cursor into view."""
        width = self.size.width
        if self._at <= self._top:
            self._top, self._below_top = self._at, 0
            return
        room, first, skipped = height - len(self._rows(self._at, width)), self._at, 0
        while room > 0 and first > 0:
            rows = len(self._rows(first - 1, width))
            first, skipped, room = first - 1, max(0, rows - room), room - rows
        if (self._top, self._below_top) < (first, skipped):
            self._top, self._below_top = first, skipped

    def _chosen(self, number: int, width: int) -> list[Line]:
        rows = self._rows(number, width)
        if number != self._at or not self.reads:
            return rows
        sign = Segment(self.palette.glyphs.cursor, self.palette.accent)
        first = (sign, *styled.piece(rows[0], 1, 10_000))
        return [self.palette.selected(line, width) for line in (first, *rows[1:])]

    def _rows(self, number: int, width: int) -> list[Line]:
        """The drawn lines of one, with what was said of it."""
        known = self._cache.get(number)
        if known is not None:
            return known
        line = self.pages.line(number) if self.pages is not None else None
        if line is None or self.pages is None:
            return [styled.line(("  …", self.palette.quiet))]
        rows = self._draw(line, width)
        if said := self.comments.get((self.pages.file.path, line.old, line.new)) if line.old or line.new else "":
            rows += _said(said, width, self.palette.warn)
        self._cache[number] = rows
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return rows

    def _draw(self, line: DiffLine, width: int) -> list[Line]:
        palette = self.palette
        style = self._style(line.kind)
        numbers = self._numbers(line, width)
        start = styled.line((" ", None), (numbers, palette.quiet), (f"{SIGNS.get(line.kind, ' ')} ", style))
        indent = styled.length(start)
        text = styled.settled(line.text)
        if line.left_out:
            text += f" … {size(line.left_out)} more in this line"
        whole = [Segment(text, style)]
        pieces = styled.breaks(text, max(8, width - indent))
        return [
            (*(start if index == 0 else (Segment(" " * indent),)), *styled.piece(whole, first, end))
            for index, (first, end) in enumerate(pieces)
        ]

    def _style(self, kind: LineKind) -> Style:
        hues = {LineKind.ADDED: _ADDED, LineKind.REMOVED: _REMOVED, LineKind.HUNK: _HUNK}
        if kind in hues:
            return _hue(self, hues[kind], self.ground())
        return self.palette.quiet if kind is LineKind.NOTE else self.palette.text

    def _numbers(self, line: DiffLine, width: int) -> str:
        """The numbers of a line, where there is room for them."""
        old, new = (str(number) if number else "" for number in (line.old, line.new))
        if width >= _BOTH:
            return f"{old:>5} {new:>5} "
        return f"{new or old:>5} " if width >= _ONE else ""


def _said(text: str, width: int, style: Style) -> list[Line]:
    cells = max(8, width - 6)
    parts = [part for words in text.split("\n") for part in styled.wrap(words, cells)]
    return [styled.line((f"   {'»' if index == 0 else ' '} {part}", style)) for index, part in enumerate(parts)]


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count(number)} {thing}{'s' * (number != 1)}"
