"""Searching an agent's log where it lies: over raw bytes, whole segments at a time, then over what a person would read.

A search is done in pieces of bounded work, and each says where the next one goes on. Segments may grow, be cut or be
deleted meanwhile. An entry is a record with those that it is continued by; it is found as one, within its segment.
A `Query` is bytes that stand wherever it is met, and the test on what a person would read.
"""

import importlib
import itertools
import json
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

from controlroom.node.logs import segments
from controlroom.text.event_text import shown_lines
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.sanitize import sanitize
from controlroom.wire.inquiries import Found, FoundLine, Hit, Search
from controlroom.wire.records import Position, unpack_all

LONGEST = 1000
"""Characters of a query at most."""

_SHORTEST = 3
"""Characters of an expression's own text that are worth being looked for first."""
_MARKS, _MARK = 8, 200


class QueryProblem(Exception):
    """There can be no such search; the text is a sentence for people."""


class Query:
    """A text, or a regular expression. Raises `QueryProblem` when it is neither."""

    def __init__(self, text: str, *, regex: bool = False, exact: bool = False) -> None:
        if not text or "\n" in text or len(text) > LONGEST:
            raise QueryProblem(f"search for one line of 1 to {LONGEST} characters")
        self.exact = exact
        self.text = text if exact else text.lower()
        self._expression = _compiled(text, exact) if regex else None
        sought = _literal(text, exact) if regex else text
        self.needles = tuple(_needles(sought, exact)) if sought else ()
        """One of these stands in every record that shows the text; without any, each record must be looked at.

        Unless `exact`, they are meant for bytes whose ASCII letters are small.
        """

    def found(self, line: str) -> tuple[str, ...] | None:
        """Return what an expression stands for in a line (a text: nothing), or None when it is not there."""
        if self._expression is None:
            return () if self.text in (line if self.exact else line.lower()) else None
        met = [match[0] for match in itertools.islice(self._expression.finditer(line), _MARKS)]
        return tuple(dict.fromkeys(mark[:_MARK] for mark in met if mark)) if met else None


def _compiled(text: str, exact: bool) -> re.Pattern[str]:
    try:
        return re.compile(text, 0 if exact else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise QueryProblem(f"this is no regular expression: {error}") from None


def _literal(text: str, exact: bool) -> str:
    """Return the longest text that stands in everything an expression matches; "" when none is sure."""
    parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    parsed = parser.parse(text)
    if exact and parsed.state.flags & re.IGNORECASE:
        return ""
    runs = [""]
    _collect(parsed, runs)
    longest = max(runs, key=len)
    return longest if len(longest) >= _SHORTEST else ""


def _collect(parsed: Any, runs: list[str]) -> None:
    """Add what stands in a sequence one after the other to the last run; what may vary begins a new one."""
    for what, given in parsed:
        name = str(what)
        if name == "LITERAL":
            runs[-1] += chr(given)
        elif name == "SUBPATTERN" and not given[1] and not given[2]:
            _collect(given[3], runs)
        elif name != "AT":
            runs.append("")


def _needles(text: str, exact: bool) -> set[bytes]:
    """Return the text as it may stand in a record: as it is, or within JSON. Letters beyond ASCII: in usual case."""
    cases = {text} if exact else {text.lower(), text.upper(), text.capitalize()}
    forms = {form for case in cases for form in (case, json.dumps(case, ensure_ascii=False)[1:-1])}
    forms |= {json.dumps(case)[1:-1] for case in cases}
    whole = {form.encode("utf-8", "surrogatepass") for form in forms}
    return whole if exact else {form.lower() for form in whole}


WORK = 0.25
"""Seconds of work for one answer, about."""

HITS = 500
"""Hits of one answer at most."""

ANSWER = 128 * 1024
"""Characters of lines in one answer, about."""

WINDOW = 8 * 1024 * 1024
"""Bytes read at once. No segment that a runner wrote is longer."""
_LINES, _LINE = 40, 4000
_HEADER = 17
"""Bytes before a record's body, with the newline before it."""
_CONTINUED = re.compile(rb"\n\d{13} [OEAIN] ")
_COLOURS = re.compile(rb"(?:\x1b|\\u001b)\[[0-9;:]{0,64}m")


class _Entry(NamedTuple):
    """Where an entry begins and ends: newlines in the searched text, and its bytes in the segment."""

    first: int
    last: int
    start: int
    end: int


class Block:
    """A part of a segment, whole records. What is searched has no colours, and small letters unless they matter."""

    def __init__(self, data: bytes, query: Query) -> None:
        self.data = b"\n" + data
        """A newline stands before every record."""
        self._needles = query.needles
        coloured = b"\x1b" in data or (b"\\" in data and b"\\u001b[" in data)
        self._plain = _COLOURS.sub(b"", self.data) if coloured else self.data
        self.text = self._plain if query.exact else self._plain.lower()
        """What is searched."""
        self._across = self._cut_needles() if self._needles else []
        self._newlines: tuple[list[int], list[int]] | None = None
        self._met: dict[bytes, int] = {}
        """Where each needle stands next; looked up again only when it has been passed."""

    def backwards(self) -> Iterator[_Entry]:
        """Yield the entries that may hold what is searched for, last one first."""
        before = len(self.text) - 1
        while before > 0 and (at := self._last(before)) >= 0:
            entry = self._entry(at)
            yield entry
            before = entry.first

    def forwards(self) -> Iterator[_Entry]:
        """Yield the entries that may hold what is searched for, first one first."""
        after = 0
        while after < len(self.text) - 1 and (at := self._first(after)) >= 0:
            entry = self._entry(at)
            yield entry
            after = entry.last

    def _last(self, before: int) -> int:
        if not self._needles:
            return before - 1
        index = bisect_left(self._across, before) - 1
        for needle in self._needles:
            at = self._met.get(needle, before)
            if at + len(needle) > before:
                self._met[needle] = self.text.rfind(needle, 0, before)
        return max(*self._met.values(), self._across[index] if index >= 0 else -1)

    def _first(self, after: int) -> int:
        if not self._needles:
            return after + 1
        index = bisect_left(self._across, after)
        for needle in self._needles:
            if -1 < self._met.get(needle, 0) < max(after, 1):
                self._met[needle] = self.text.find(needle, after)
        starts = [*self._met.values(), *self._across[index : index + 1]]
        return min((at for at in starts if at >= 0), default=-1)

    def _entry(self, at: int) -> _Entry:
        """Return the entry that stands at a place in the text."""
        first = self.text.rfind(b"\n", 0, at)
        while first > 0 and self._continued(previous := self.text.rfind(b"\n", 0, first)):
            first = previous
        last = self.text.find(b"\n", max(at, first + 1))
        while self._continued(self.text.rfind(b"\n", 0, last)) and last < len(self.text) - 1:
            last = self.text.find(b"\n", last + 1)
        return _Entry(first, last, self._in_data(first), self._in_data(last))

    def _continued(self, newline: int) -> bool:
        return _CONTINUED.match(self._plain, newline) is not None

    def _in_data(self, newline: int) -> int:
        """Return where a newline of the text stands in the data."""
        if len(self._plain) == len(self.data):
            return newline
        if self._newlines is None:
            self._newlines = _newlines(self._plain), _newlines(self.data)
        return self._newlines[1][bisect_left(self._newlines[0], newline)]

    def _cut_needles(self) -> list[int]:
        """Return the places before a cut between two records of a line that a needle may stand across."""
        reach = max(map(len, self._needles)) - 1
        places = []
        for match in _CONTINUED.finditer(self._plain):
            end = self._plain.find(b"\n", match.end())
            following = self.text[end + _HEADER : end + _HEADER + reach].split(b"\n")[0]
            around = self.text[max(match.end(), end - reach) : end] + following
            if len(following) < reach or any(needle in around for needle in self._needles):
                places.append(max(match.start() + 1, end - 1))
        return places


def _newlines(data: bytes) -> list[int]:
    return [match.start() for match in re.finditer(b"\n", data)]


class Searching:
    """One piece of a search in a folder of segments. `clock` counts seconds."""

    def __init__(self, folder: str, wanted: Search, query: Query, clock: Callable[[], float]) -> None:
        self._folder, self._wanted, self._query, self._clock = folder, wanted, query, clock
        self._end = clock() + WORK
        self._hits: list[Hit] = []
        self._characters = self._searched = 0

    def run(self) -> Found:
        """Search until there is nothing more that way, or enough was found or done."""
        place = segments.resolved(self._folder, Position(self._wanted.segment, self._wanted.offset))
        step = self._forwards if self._wanted.forward else self._backwards
        place, done = step(place)
        while not done and not self._enough():
            place, done = step(place)
        head = segments.read_at(self._folder, *place, 13)
        at = int(head) if len(head) == 13 and head.isdigit() else 0
        return Found(self._wanted.id, tuple(self._hits), *place, done=done, searched=self._searched, at=at)

    def _enough(self) -> bool:
        most = max(1, min(self._wanted.count, HITS))
        return len(self._hits) >= most or self._characters > ANSWER or self._clock() > self._end

    def _backwards(self, place: Position) -> tuple[Position, bool]:
        stop = min(place.offset, max(0, segments.size(self._folder, place.segment)))
        if stop <= 0:
            older = segments.previous_segment(self._folder, place.segment)
            return (Position(older, segments.size(self._folder, older)), False) if older else (place, True)
        start = max(0, stop - WINDOW)
        data = segments.read_at(self._folder, place.segment, start, stop - start)
        cut = data.find(b"\n") + 1 if start else 0
        block = Block(data[cut : data.rfind(b"\n") + 1], self._query)
        for entry in block.backwards():
            self._look_at(block, entry, place.segment, start + cut)
            if self._enough():
                self._searched += len(data) - cut - entry.start
                return Position(place.segment, start + cut + entry.start), False
        self._searched += len(data)
        return Position(place.segment, start + cut if cut < len(data) else start), False

    def _forwards(self, place: Position) -> tuple[Position, bool]:
        data = segments.read_at(self._folder, place.segment, place.offset, WINDOW)
        data = data[: data.rfind(b"\n") + 1] if b"\n" in data or len(data) < WINDOW else data
        if not data:
            following = segments.next_segment(self._folder, place.segment)
            return (Position(following, 0), False) if following else (place, True)
        block = Block(data, self._query)
        for entry in block.forwards():
            self._look_at(block, entry, place.segment, place.offset)
            if self._enough():
                self._searched += entry.end
                return Position(place.segment, place.offset + entry.end), False
        self._searched += len(data)
        return Position(place.segment, place.offset + len(data)), False

    def _look_at(self, block: Block, entry: _Entry, segment: int, offset: int) -> None:
        """Take an entry for a hit when a person would find it there."""
        matches: list[FoundLine] = []
        marks: list[str] = []
        records = unpack_all(block.data[entry.start + 1 : entry.end + 1])
        hit = False
        for line in shown_lines(records):
            text = sanitize(line.text)
            met = self._query.found(text)
            if met is None:
                continue
            hit = True
            marks += met
            if not self._wanted.lines:
                if not self._query.needles:
                    continue
                break
            matches.append(FoundLine(line.kind, text[:_LINE]))
        if hit:
            few = tuple(dict.fromkeys(marks))[:8]
            self._hits.append(Hit(segment, offset + entry.start, records[0].at, tuple(matches[:_LINES]), few))
            self._characters += sum(len(line.text) for line in matches) + 100
