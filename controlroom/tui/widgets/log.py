"""A log on the screen: follows its end or stands still at a line, whatever arrives; only drawn lines are decoded."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.timer import Timer

from controlroom.domain.loglines import LogLine, log_lines
from controlroom.tui import ink, theme
from controlroom.tui.ink import Line
from controlroom.tui.logbook import Entry, LogBook
from controlroom.tui.widgets.lines import Lines

_CACHED = 2000
"""Entries whose drawn lines are kept."""
_SLICE = 400
"""Entries looked through for a filter before the screen gets its turn."""
_PAN = 20
_GUTTER = {"say": "●", "tool": "›", "error": "✕", "err": "!", "ask": "▲", "note": "·", "input": "»", "done": "✓"}
_PLAIN_GUTTER = {"say": "*", "tool": ">", "error": "x", "err": "!", "ask": "!", "note": "-", "input": ">", "done": "+"}

Position = tuple[int, int]
"""An entry, and a line of it."""


class LogView(Lines):
    """What is held of a log, from the newest line back to the very first."""

    class Wanted(Message):
        """Text is wanted that is not held. `which`: older, newer or newest."""

        def __init__(self, book: LogBook, which: str) -> None:
            super().__init__()
            self.book = book
            self.which = which

    class Moved(Message):
        """The view stands elsewhere, or what can be said of it has changed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.book: LogBook | None = None
        self.wrapped = True
        self.filter = ""
        self.arrived = 0
        """Entries that came while the view stood still."""
        self.paint_pause = 0.0
        """Seconds between two paintings of what arrives; a phone on a thin link has more of it."""
        self._top: Position | None = None
        self._shown: list[Position] = []
        self._pan = self._widest = 0
        self._cache: OrderedDict[int, tuple[Entry, list[Line]]] = OrderedDict()
        self._made_for: tuple[object, ...] = ()
        self._matches: list[int] = []
        self._looked: tuple[int, int] = (0, 0)
        self._known_end = 0
        self._timer: Timer | None = None
        self._waiting_words = "reading the log…"

    # ------------------------------------------------------------------ what is shown

    @property
    def following(self) -> bool:
        """Whether the newest line is on show and new ones will be."""
        return self._top is None

    @property
    def found(self) -> int:
        """How many entries the filter has found by now."""
        return len(self._matches)

    def show(self, book: LogBook | None) -> None:
        """Show this log from now on, from its end."""
        if book is self.book:
            return
        self.book, self._top, self.arrived = book, None, 0
        self._pan = self._widest = 0
        self._known_end = book.after_last if book else 0
        self._forget()
        self.redraw()

    def grown(self) -> None:
        """Show what has become of the book; painted at once, or when the pause between two paintings is over."""
        book = self.book
        if book is None:
            return
        if self._top is not None and book.after_last > self._known_end:
            self.arrived += book.after_last - self._known_end
        self._known_end = book.after_last
        if self._timer is None:
            self._paint()
            self._timer = self.set_timer(max(self.paint_pause, 1 / 30), self._pause_over)
        else:
            self._late = True

    _late = False

    def _pause_over(self) -> None:
        self._timer = None
        if self._late:
            self._late = False
            self.grown()

    def _paint(self) -> None:
        self.redraw()
        self.tell(self.Moved())

    def look_for(self, text: str) -> None:
        """Show only lines that contain `text`; an empty text shows all."""
        if text == self.filter:
            return
        self.filter, self._top = text, None
        self._forget()
        self._paint()

    def toggle_wrap(self) -> None:
        """Break long lines, or cut them and move sideways."""
        self.wrapped, self._pan = not self.wrapped, 0
        self._paint()

    # ------------------------------------------------------------------ moving

    def scroll_rows(self, rows: int) -> None:
        """Move by lines; downwards past the end means to follow."""
        if self.book is None or (self._top is None and rows >= 0):
            return
        position = self._top or (self._shown[0] if self._shown else None)
        for _ in range(abs(rows)):
            following = self._step(position, 1 if rows > 0 else -1) if position else None
            if following is None:
                break
            position = following
        self._top = position
        self._paint()

    def scroll_pages(self, pages: int) -> None:
        """Move by almost a whole screen of lines."""
        self.scroll_rows(pages * max(1, self.size.height - 2))

    def to_end(self) -> None:
        """Follow the newest line."""
        self._top, self.arrived = None, 0
        if self.book and self.book.behind:
            self.tell(self.Wanted(self.book, "newest"))
        self._paint()

    def to_start(self) -> None:
        """Go to the very first line of this run; what lies between is read when somebody scrolls there."""
        if self.book is None or not self.book.loaded:
            return
        if not self.book.complete and not self.book.trouble:
            self._landing = True
            self.tell(self.Wanted(self.book, "oldest"))
            return
        first = self._beyond(self.book.first - 1, 1)
        self._top = (first, 0) if first is not None else None
        self._paint()

    _landing = False
    """Whether the view goes to the first line as soon as that is held."""

    def pan(self, steps: int) -> None:
        """Move sideways where lines are cut."""
        furthest = max(0, self._widest - self.size.width + 4)
        self._pan = 0 if self.wrapped else max(0, min(furthest, self._pan + steps * _PAN))
        self._paint()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves three lines."""
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves three lines."""
        event.stop()
        self.scroll_rows(-3)

    # ------------------------------------------------------------------ drawing

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the lines on show, and ask for older ones before they are needed."""
        book = self.book
        if book is None or not book.loaded:
            return (ink.line((f"  {self._waiting_words}" if book else "", self.palette.quiet)),)
        made_for = (width, self.wrapped, self._pan, self.filter, book.generation, self.palette)
        if made_for != self._made_for:
            self._made_for = made_for
            self._cache.clear()
            self._land(book)
        if self.filter:
            self._search(book)
        self._shown = self._from_top(height) if self._top else self._from_end(height)
        self._ask_for_more(book, height)
        if not self._shown:
            return (ink.line((f"  {self._nothing(book)}", self.palette.quiet)),)
        return [self._rows(number)[row] for number, row in self._shown]

    def _land(self, book: LogBook) -> None:
        if self._landing and book.behind:
            self._landing, self._top = False, (book.first, 0)

    def _nothing(self, book: LogBook) -> str:
        if book.trouble:
            return book.trouble
        if self.filter:
            return "no line contains that" if book.complete else "looking further back…"
        return "nothing said yet" if book.complete else self._waiting_words

    def _from_end(self, height: int) -> list[Position]:
        shown: list[Position] = []
        number = self._beyond(self.book.after_last if self.book else 0, -1)
        while number is not None and len(shown) < height:
            rows = len(self._rows(number))
            shown[:0] = [(number, row) for row in range(rows)][-(height - len(shown)) :]
            number = self._beyond(number, -1)
        return shown

    def _from_top(self, height: int) -> list[Position]:
        book, position = self.book, self._top
        if book is None or position is None:
            return []
        if position[0] < book.first:
            position = (book.first, 0)
        if position[0] >= book.after_last or position[1] >= len(self._rows(position[0])):
            position = self._step((min(position[0], book.after_last - 1), 0), 1)
        shown: list[Position] = []
        while position is not None and len(shown) < height:
            shown.append(position)
            position = self._step(position, 1)
        if position is None and len(shown) < height:
            return self._at_the_end(book, height)
        self._top = shown[0]
        return shown

    def _at_the_end(self, book: LogBook, height: int) -> list[Position]:
        """There is not enough below to fill the view: it stands at the end, and follows if that is the true one."""
        shown = self._from_end(height)
        if book.behind:
            self._top = shown[0] if shown else None
        else:
            self._top, self.arrived = None, 0
        return shown

    def _ask_for_more(self, book: LogBook, height: int) -> None:
        """Read on in time: when less than a screen of lines is left above, or below."""
        if book.trouble:
            return
        top = self._shown[0][0] if self._shown else book.first
        unsearched = self.filter and self._looked[0] > book.first
        if not book.complete and not unsearched and not self._enough(top, -1, height):
            self.tell(self.Wanted(book, "older"))
        if book.behind and self._shown and not self._enough(self._shown[-1][0], 1, height):
            self.tell(self.Wanted(book, "newer"))

    def _enough(self, number: int, direction: int, lines: int) -> bool:
        following: int | None = number
        while lines > 0:
            following = self._beyond(following, direction) if following is not None else None
            if following is None:
                return False
            lines -= len(self._rows(following))
        return True

    def _step(self, position: Position, direction: int) -> Position | None:
        number, row = position
        if 0 <= row + direction < len(self._rows(number)):
            return number, row + direction
        following = self._beyond(number, direction)
        if following is None:
            return None
        return following, 0 if direction > 0 else len(self._rows(following)) - 1

    def _beyond(self, number: int, direction: int) -> int | None:
        """Give the nearest entry before or after `number` that has a line to show."""
        book = self.book
        if book is None:
            return None
        if self.filter:
            index = bisect_right(self._matches, number) if direction > 0 else bisect_left(self._matches, number) - 1
            return self._matches[index] if 0 <= index < len(self._matches) else None
        number = number + direction
        while book.first <= number < book.after_last:
            if self._rows(number):
                return number
            number += direction
        return None

    def _rows(self, number: int) -> list[Line]:
        """Give the drawn lines of an entry, from the cache if it has not grown."""
        if self.book is None or not self.book.first <= number < self.book.after_last:
            return []
        entry = self.book.entry(number)
        known = self._cache.get(number)
        if known is not None and known[0] is entry:
            self._cache.move_to_end(number)
            return known[1]
        rows = [drawn for line in self._lines_of(entry) for drawn in self._draw(line)]
        self._cache[number] = (entry, rows)
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return rows

    def _lines_of(self, entry: Entry) -> list[LogLine]:
        wanted = self.filter.lower()
        return [line for line in log_lines(entry) if not wanted or wanted in line.text.lower()]

    def _draw(self, line: LogLine) -> list[Line]:
        palette, cells = self.palette, max(4, self.size.width - 4)
        style = palette.kinds.get(line.kind, palette.text)
        signs = _PLAIN_GUTTER if palette.glyphs.plain else _GUTTER
        gutter = Segment(f" {signs.get(line.kind, ' ')} ", style)
        whole = [
            Segment(ink.settled(span.text), style + theme.run_style(palette.terminal, *span.style))
            for span in line.spans
        ]
        if self.filter:
            whole = ink.marked(whole, self.filter, palette.found)
        text = "".join(segment.text for segment in whole)
        if not self.wrapped:
            self._widest = max(self._widest, sum(segment.cell_length for segment in whole))
            return [(gutter, *ink.window(whole, self._pan, cells))]
        pieces = ink.breaks(text, cells)
        return [
            (gutter if index == 0 else Segment("   "), *ink.piece(whole, start, end))
            for index, (start, end) in enumerate(pieces)
        ]

    # ------------------------------------------------------------------ filtering

    def _forget(self) -> None:
        self._cache.clear()
        self._matches = []
        start = self.book.after_last if self.book else 0
        self._looked = (start, start)
        self._generation = self.book.generation if self.book else 0

    _generation = 0

    def _search(self, book: LogBook) -> None:
        """Look through what was not looked through: what is new at once, what is old a slice at a time."""
        if self._generation != book.generation:
            self._forget()
        low, high = self._looked
        fresh = [number for number in range(high, book.after_last) if self._lines_of(book.entry(number))]
        self._matches += fresh
        below = max(book.first, low - _SLICE)
        older = [number for number in range(below, min(low, book.after_last)) if self._lines_of(book.entry(number))]
        self._matches = older + self._matches
        self._looked = (below, book.after_last)
        if below > book.first:
            self.call_later(self._paint)
