"""Reading an agent's log: whole records at a place, forwards and backwards, in files that may change under our hands.

Nothing here reads more than its limit, and a segment that is truncated, deleted or not a file yields nothing.
"""

import os

from controlroom.runner.files import read_piece, read_piece_of
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.records import MAX_BODY, Position, segment_name, segment_number

MAX_RECORD = MAX_BODY + 64
"""Bytes of one record at most; a longer line is damage."""

_BLOCK = 64 * 1024
_CLOSED_FROM = 64 * 1024
"""A segment with fewer bytes is the newest one: no runner closes it before."""


class Records(NamedTuple):
    """Whole records from `start` up to `end`. `skipped` bytes before `start` are damage that nobody can read."""

    start: Position
    end: Position
    data: bytes
    skipped: int = 0


def numbers(folder: str) -> list[int]:
    """Return the numbers of the segments that are there, oldest first."""
    try:
        return sorted(number for name in os.listdir(folder) if (number := segment_number(name)))
    except OSError:
        return []


def size(folder: str, segment: int) -> int:
    """Return a segment's bytes, -1 when there is none."""
    try:
        return os.stat(_path(folder, segment), follow_symlinks=False).st_size
    except OSError:
        return -1


def begin(folder: str) -> Position:
    """Return the place of the oldest record there is."""
    there = numbers(folder)
    return Position(there[0] if there else 1, 0)


def end(folder: str) -> Position:
    """Return the place after the newest whole record."""
    there = numbers(folder)
    if not there:
        return Position(1, 0)
    length = max(0, size(folder, there[-1]))
    data = read_at(folder, there[-1], max(0, length - MAX_RECORD), MAX_RECORD)
    return Position(there[-1], length - len(data) + data.rfind(b"\n") + 1)


def resolved(folder: str, place: Position) -> Position:
    """Return a place where a record begins: segment -1 is the end, what lies before the oldest record is that.

    A place within a record stands for the next one: nobody is sent a part, which says less of what it is than a whole.
    """
    if place.segment < 0:
        return end(folder)
    place = max(begin(folder), Position(place.segment, max(0, place.offset)))
    return min(place, end(folder)) if size(folder, place.segment) < 0 else _at_record(folder, place)


def _at_record(folder: str, place: Position) -> Position:
    if _begins_record(folder, place):
        return place
    length = size(folder, place.segment)
    if length < place.offset:
        return _at_record(folder, Position(place.segment, length)) if length > 0 else Position(place.segment, 0)
    rest = _damage(folder, place)
    if rest is not None:
        return Position(place.segment, place.offset + rest)
    start = max(0, place.offset - MAX_RECORD)
    return Position(place.segment, start + read_at(folder, place.segment, start, place.offset - start).rfind(b"\n") + 1)


def pending(folder: str, place: Position) -> int:
    """Count the bytes after `place`."""
    there = [number for number in numbers(folder) if number >= place.segment]
    return sum(max(0, size(folder, n) - (place.offset if n == place.segment else 0)) for n in there)


def after(folder: str, place: Position, limit: int) -> Records | None:
    """Read whole records after `place`, up to about `limit` bytes and to the end of one segment; None: nothing new."""
    skipped = 0
    while True:
        following = next_segment(folder, place.segment)
        length = size(folder, place.segment)
        if length < place.offset:
            place = _at_record(folder, Position(place.segment, max(0, length)))
        data = read_at(folder, place.segment, place.offset, limit)
        if len(data) == limit and b"\n" not in data:
            data = read_at(folder, place.segment, place.offset, MAX_RECORD)
        cut = data.rfind(b"\n") + 1
        if cut:
            return Records(place, Position(place.segment, place.offset + cut), data[:cut], skipped)
        if len(data) >= MAX_RECORD:
            damage = _damage(folder, place)
            if damage is None:
                return None
            skipped, place = skipped + damage, Position(place.segment, place.offset + damage)
        elif following:
            skipped, place = skipped + len(data), Position(following, 0)
        else:
            return None


def before(folder: str, place: Position, count: int, limit: int) -> Records:
    """Read the last `count` whole records before `place`, of one segment and up to `limit` bytes."""
    start = Position(place.segment, min(place.offset, max(0, size(folder, place.segment))))
    while start.offset == 0 and (older := previous_segment(folder, start.segment)):
        start = Position(older, size(folder, older))
    stop, data = start.offset, b""
    while start.offset and len(data) < limit and data.count(b"\n") <= count:
        block = min(_BLOCK, start.offset, limit - len(data))
        start = Position(start.segment, start.offset - block)
        data = read_at(folder, start.segment, start.offset, block) + data
    whole = _last_records(data, count, at_start=_begins_record(folder, start))
    return Records(Position(start.segment, stop - len(whole) if whole else 0), place, whole)


def tail(folder: str, place: Position, limit: int) -> Records | None:
    """Read the newest whole records after `place`, at most about `limit` bytes; None: nothing new.

    `end` is where the next read goes on.
    """
    most = min(limit, _BLOCK)
    data, length = read_piece_of(_path(folder, place.segment), place.offset, most)
    small = place.offset < length < _CLOSED_FROM
    if 0 <= length - place.offset <= most and (small or size(folder, place.segment + 1) < 0):
        cut = data.rfind(b"\n") + 1
        return Records(place, Position(place.segment, place.offset + cut), data[:cut]) if cut else None
    newest = end(folder)
    if newest <= place:
        return None if newest == place else Records(newest, newest, b"")
    data = b""
    if newest.offset:
        start = place.offset if newest.segment == place.segment else 0
        data = before(folder, newest, limit, min(limit, newest.offset - start)).data
    if not data and newest.segment > place.segment:
        data = before(folder, Position(newest.segment, 0), limit, limit).data
    return Records(newest, newest, data)


def read_at(folder: str, segment: int, offset: int, limit: int) -> bytes:
    """Read up to `limit` bytes; fewer, or none, when there are no more."""
    return read_piece(_path(folder, segment), offset, limit)


def _last_records(data: bytes, count: int, *, at_start: bool) -> bytes:
    """Return the last `count` lines of `data`; unless it begins `at_start` of a segment its first line is a part."""
    position = len(data)
    for _ in range(count):
        newline = data.rfind(b"\n", 0, max(0, position - 1)) + 1
        if not newline:
            whole_first = at_start or position == len(data)
            return data if whole_first else data[position:]
        position = newline
    return data[position:]


def _begins_record(folder: str, place: Position) -> bool:
    return place.offset == 0 or read_at(folder, place.segment, place.offset - 1, 1) == b"\n"


def _damage(folder: str, place: Position) -> int | None:
    """Count the bytes of a line that is longer than a record may be; None while it has not ended."""
    length = 0
    while block := read_at(folder, place.segment, place.offset + length, _BLOCK):
        newline = block.find(b"\n")
        if newline >= 0:
            return length + newline + 1
        length += len(block)
    return None


def next_segment(folder: str, segment: int) -> int:
    """Return the segment after this one, 0 when there is none; looked up by name, as it nearly always is the next."""
    if size(folder, segment + 1) >= 0:
        return segment + 1
    if 0 <= size(folder, segment) < _CLOSED_FROM:
        return 0
    return next((number for number in numbers(folder) if number > segment), 0)


def previous_segment(folder: str, segment: int) -> int:
    """Return the segment before this one, 0 when there is none."""
    return max((number for number in numbers(folder) if number < segment), default=0)


def _path(folder: str, segment: int) -> str:
    return os.path.join(folder, segment_name(segment))
