"""A log on the screen: follows its end or stands still at a line, whatever arrives; only drawn lines are decoded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.message import Message

from controlroom.domain.model import LogPlace
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Glyphs, run_style
from controlroom.tui.widgets.lines import Wheeled

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.domain.display.loglines import LogLine
    from controlroom.tui.logs.log_buffer import Entry, LogBuffer
    from controlroom.tui.logs.log_search import LogSearch

_CACHED = 2000
"""Entries whose drawn lines are kept."""
_SHORTEST = 0.02
"""Seconds between two paintings of what arrives, at least."""
_PAN = 20
_GUTTER = {"say": "●", "tool": "›", "error": "✕", "err": "!", "ask": "▲", "note": "·", "input": "»", "done": "✓"}
_GUTTER |= {"think": "…"}
_PLAIN_GUTTER = {"say": "*", "tool": ">", "error": "x", "err": "!", "ask": "?", "note": "-", "input": "<", "done": "+"}
_PLAIN_GUTTER |= {"think": "."}

Position = tuple[int, int]
"""An entry, and a line of it."""


class LogView(Wheeled):
    """What is held of a log, from the newest line back to the very first."""

    class Wanted(Message):
        """Text is wanted that is not held. `which`: older, newer or newest."""

        def __init__(self, book: LogBuffer, which: str) -> None:
            super().__init__()
            self.book = book
            self.which = which
            self._edge = self._edge_now()

        def _edge_now(self) -> LogPlace | None:
            return self.book.start if self.which == "older" else self.book.end

        @property
        def over(self) -> bool:
            """Whether it has come while this was on its way; who still lacks text then has asked again."""
            if self.which == "newest":
                return not self.book.behind
            return self._edge != self._edge_now() or (self.which == "newer" and not self.book.behind)

    @dataclass(eq=False, repr=False)
    class Jumped(Message):
        """The view is to stand at a place that is not held."""

        book: LogBuffer
        place: LogPlace

    class Moved(Message):
        """The view stands elsewhere, or what can be said of it has changed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.book: LogBuffer | None = None
        self.log_search: LogSearch | None = None
        """What is searched for: it is marked wherever it stands."""
        self.taps = False
        """Whether a tap above or below the middle turns a page."""
        self.arrived = 0
        """Entries that came while the view stood still."""
        self.ended = False
        """Whether its agent has ended."""
        self.paint_pause = 0.0
        """Seconds between two paintings of what arrives; a phone on a thin link has more of it."""
        self._top: Position | None = None
        self._shown: list[Position] = []
        self._pan = self._widest = 0
        self._cache: OrderedDict[int, tuple[Entry, list[Line]]] = OrderedDict()
        self._made_for: tuple[object, ...] = ()
        self._target: LogPlace | None = None
        """Where the view goes as soon as that is held."""
        self._known_end = self._known_unseen = 0
        self.watched = True
        """Whether to post `Moved` when what can be said of it has changed."""
        self._painted_at = float("-inf")
        self._late: asyncio.TimerHandle | None = None
        """The painting that waits."""
        self._waiting_words = "reading the log…"

    # ------------------------------------------------------------------ what is shown

    @property
    def wrapped(self) -> bool:
        """Whether long lines are broken."""
        return self.context.layouts.now.wrap

    @property
    def following(self) -> bool:
        """Whether the newest line is on show and new ones will be."""
        return self._top is None

    @property
    def top(self) -> int | None:
        """The entry at the top, when there is one on show that is still held."""
        if self.book is None or not self._shown:
            return None
        number = self._shown[0][0]
        return number if self.book.first <= number < self.book.after_last else None

    def show(self, book: LogBuffer | None) -> None:
        """Show this log from now on, from its end."""
        if book is self.book:
            return
        self.book, self._top, self.arrived = book, None, 0
        self._pan = self._widest = 0
        self._known_end, self._known_unseen = (book.after_last, book.unseen) if book else (0, 0)
        self._target = None
        self._shown = []
        self._cache.clear()
        self.redraw()

    def grown(self) -> None:
        """Show what has become of the book; painted at once, or when the pause between two paintings is over."""
        book = self.book
        if book is None:
            return
        if self._top is not None and not book.behind:
            self.arrived += max(0, book.after_last - self._known_end)
        if self._top is not None:
            self.arrived += max(0, book.unseen - self._known_unseen)
        self._known_end, self._known_unseen = book.after_last, book.unseen
        loop = asyncio.get_running_loop()
        early = self._painted_at + max(self.paint_pause, _SHORTEST) - loop.time()
        if early <= 0:
            self._paint_grown()
        elif self._late is None:
            self._late = loop.call_later(early, self._paint_grown)

    def _paint_grown(self) -> None:
        self._late, self._painted_at = None, asyncio.get_running_loop().time()
        self._paint()

    def _paint(self) -> None:
        if self.book is not None:
            self.book.anchored = self._top is not None
        self.redraw()
        if self.watched:
            self.tell(self.Moved())

    def mark(self, log_search: LogSearch | None) -> None:
        """Mark what is searched for, from now on."""
        self.log_search = log_search
        self._paint()

    def toggle_wrap(self) -> None:
        """Break long lines, or cut them and move sideways."""
        self._pan = 0
        self.context.layouts.change(wrap=not self.wrapped)
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
        """Go to the first line of the run that is read; from there to that of the run before."""
        book, top = self.book, self.top
        if book is None or top is None:
            return
        epoch, first = book.place(top).epoch, book.beginnings
        if epoch in first and top <= first[epoch] and epoch > 1:
            epoch -= 1
        if epoch in first:
            self._stand(first[epoch])
        else:
            self.go_to(LogPlace(epoch, 0, 0))

    def go_to(self, place: LogPlace) -> None:
        """Stand at a place, with some lines before it; what is not held is read first."""
        book = self.book
        if book is None:
            return
        number = book.find(place) if place.segment else None
        if number is None:
            self._target = place
            self.tell(self.Jumped(book, place))
        else:
            self._stand(number, self.size.height // 3)

    def _stand(self, number: int, above: int = 0) -> None:
        """Put an entry so many lines below the top, or as near to that as what is held allows."""
        position: Position = (number, 0)
        for _ in range(above):
            before = self._step(position, -1)
            if before is None:
                break
            position = before
        self._top = position
        self._paint()

    def pan(self, steps: int) -> None:
        """Move sideways where lines are cut."""
        furthest = max(0, self._widest - self.size.width + 4)
        self._pan = 0 if self.wrapped else max(0, min(furthest, self._pan + steps * _PAN))
        self._paint()

    def on_click(self, event: events.Click) -> None:
        """A tap near the top turns a page back, one near the bottom a page on."""
        third = max(1, self.size.height // 3)
        if self.taps and (event.y < third or event.y >= self.size.height - third):
            event.stop()
            self.scroll_pages(-1 if event.y < third else 1)

    def wheel(self, lines: int) -> None:
        """Move by lines."""
        self.scroll_rows(lines)

    # ------------------------------------------------------------------ drawing

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the lines on show, and ask for older ones before they are needed."""
        book = self.book
        if book is None or not book.loaded:
            return (styled.line((f"  {self._waiting_words}" if book else "", self.palette.quiet)),)
        made_for = (
            width,
            self.wrapped,
            self._pan,
            self.log_search and self.log_search.looks,
            book.generation,
            self.palette,
        )
        if made_for != self._made_for:
            self._made_for = made_for
            self._cache.clear()
            self._land(book)
        self._shown = self._from_top(height) if self._top else self._from_end(height)
        self._ask_for_more(book, height)
        if not self._shown:
            return (styled.line((f"  {self._nothing(book)}", self.palette.quiet)),)
        return [self._rows(number)[row] for number, row in self._shown]

    def _land(self, book: LogBuffer) -> None:
        if self._target is None or book.jumped is None or book.jumped[0] != self._target:
            return
        position: Position = (book.jumped[1], 0)
        for _ in range(self.size.height // 3 if self._target.segment else 0):
            position = self._step(position, -1) or position
        self._target, self._top, book.anchored = None, position, True

    def _nothing(self, book: LogBuffer) -> str:
        if book.absent:
            return "there is no log of this run" if self.ended else "its log has not begun yet"
        return book.trouble or ("nothing said yet" if book.complete else self._waiting_words)

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

    def _at_the_end(self, book: LogBuffer, height: int) -> list[Position]:
        """There is not enough below to fill the view: it stands at the end, and follows if that is the true one."""
        shown = self._from_end(height)
        if book.behind:
            self._top = shown[0] if shown else None
        else:
            self._top, self.arrived = None, 0
        return shown

    def _ask_for_more(self, book: LogBuffer, height: int) -> None:
        """Read on in time: when less than a screen of lines is left above, or below."""
        if book.trouble:
            return
        top = self._shown[0][0] if self._shown else book.first
        if not book.complete and not self._enough(top, -1, height):
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
        """The nearest entry before or after `number` that has a line to show."""
        book = self.book
        if book is None:
            return None
        number = number + direction
        while book.first <= number < book.after_last:
            if self._rows(number):
                return number
            number += direction
        return None

    def _rows(self, number: int) -> list[Line]:
        """The drawn lines of an entry, from the cache if it has not grown."""
        if self.book is None or not self.book.first <= number < self.book.after_last:
            return []
        from controlroom.domain.display.loglines import log_lines

        entry = self.book.entry(number)
        known = self._cache.get(number)
        if known is not None and known[0] is entry:
            self._cache.move_to_end(number)
            return known[1]
        marks = self.log_search.marks_at(self.book.place(number)) if self.log_search else ()
        chosen = self.log_search is not None and self.log_search.chosen(self.book.place(number))
        rows = [drawn for line in log_lines(entry) for drawn in self._draw(line, marks, chosen)]
        self._cache[number] = (entry, rows)
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return rows

    def _draw(self, line: LogLine, marks: Sequence[str], chosen: bool) -> list[Line]:
        palette, ground, cells = self.palette, self.ground(), max(4, self.size.width - 4)
        style = palette.kinds.get(line.kind, palette.text)
        sign, sign_style = (palette.glyphs.cursor, palette.accent) if chosen else (" ", style)
        gutter = (Segment(sign, sign_style), Segment(f"{gutter_of(palette.glyphs, line.kind)} ", style))
        whole = [
            Segment(styled.settled(span.text), style + run_style(palette, span.style, ground)) for span in line.spans
        ]
        for mark in marks:
            whole = styled.marked(whole, mark, palette.found)
        text = "".join(segment.text for segment in whole)
        if not self.wrapped:
            self._widest = max(self._widest, sum(segment.cell_length for segment in whole))
            return [(*gutter, *styled.window(whole, self._pan, cells))]
        pieces = styled.breaks(text, cells)
        return [
            (*(gutter if index == 0 else (Segment("   "),)), *styled.piece(whole, start, end))
            for index, (start, end) in enumerate(pieces)
        ]


def gutter_of(glyphs: Glyphs, kind: str) -> str:
    """The sign before a line of this kind."""
    return (_PLAIN_GUTTER if glyphs.plain else _GUTTER).get(kind, " ")
