"""What agents of others have said, read like a log: the transcript of its Claude, else its screen as last seen.

A place is (segment, offset): which of its transcripts since this node looked, and a byte in that file where a line
begins. Only lines in which somebody speaks become records, so records have fewer or more bytes than the lines between
two places. Nothing is kept: each answer is read anew.
"""

import base64
import os
import re
from collections.abc import Callable, Iterator

from controlroom.node.adopted.agents import AdoptedAgents, AdoptedSources
from controlroom.node.adopted.claudes import said_at, spoken
from controlroom.runner.files import read_piece
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.names import is_adopted_name
from controlroom.wire.messages import Fetch, Fetched, Follow, LogChunk
from controlroom.wire.records import EVENT, NOTE, OUT, pack

_WINDOW = 1024 * 1024
_FURTHEST = 16 * _WINDOW
"""Bytes looked through for one request at most."""

_FETCHED, _CHUNK = 512 * 1024, 64 * 1024
"""Bytes of records in one answer, and in one piece of a followed transcript, unless one line has more."""

_LONGEST = 256 * 1024
"""Bytes of a line that is told whole."""

_MOST = 64

Reader = Callable[[bytes, int], Iterator[tuple[int, int, bytes]]]
"""Reads records: where each begins, where it ends, and its bytes."""


class Piece(NamedTuple):
    """Records that stand between two places of a transcript."""

    start: int
    end: int
    data: bytes = b""


@dataclass
class _Feed:
    segment: int
    offset: int


class AdoptedLogs:
    """Reads for one connection."""

    def __init__(self, adopted: AdoptedAgents, send: Callable[[LogChunk], None]) -> None:
        self._adopted, self._send = adopted, send
        self._feeds: dict[str, _Feed] = {}

    def follow(self, wanted: Follow) -> None:
        """Send what is added to these from now on, and to no others."""
        feeds = {log.name: _Feed(log.segment, log.offset) for log in wanted.logs if is_adopted_name(log.name)}
        self._feeds = {name: self._feeds.get(name, feed) for name, feed in list(feeds.items())[:_MOST]}

    def look(self) -> None:
        """Send what has been added; a piece of each at most."""
        for name, feed in self._feeds.items():
            spot = self._adopted.find(name)
            if spot is not None and spot.transcript:
                self._advance(name, feed, spot)

    def fetch(self, wanted: Fetch) -> Fetched:
        """Read older text, or what comes after a place."""
        spot = self._adopted.find(wanted.name)
        if spot is None:
            return _nothing(wanted, f"{wanted.name[:60]} is no longer there")
        if not spot.transcript:
            return self._screen(wanted, spot)
        size, count = _size(spot.transcript), max(1, wanted.count)
        offset = _offset(spot.segment, wanted.segment, wanted.offset, size)
        records = _lines if spot.plain else _records
        if wanted.forward:
            piece = after(spot.transcript, offset, count, _FETCHED, records)
        else:
            piece = before(spot.transcript, offset, count, records)
        data = base64.b64encode(piece.data).decode()
        places = (spot.segment, piece.start), (spot.segment, piece.end)
        return Fetched(wanted.id, *places[0], data, *places[1], first=piece.start == 0)

    def _screen(self, wanted: Fetch, spot: AdoptedSources) -> Fetched:
        lines = self._adopted.tmux.screens.get(spot.pane, ())
        if not lines:
            return _nothing(wanted, "there is nothing to read: it has no transcript, and its screen was not seen yet")
        if wanted.forward or 0 <= wanted.offset < len(lines) <= wanted.segment:
            return Fetched(wanted.id, 1, 1, "", 1, 1)
        records = [
            pack(spot.at, NOTE, b"its screen as it was seen last; it keeps no transcript"),
            *_as_records(lines, spot.at),
        ]
        return Fetched(wanted.id, 1, 0, base64.b64encode(b"".join(records)).decode(), 1, 1, first=True)

    def _advance(self, name: str, feed: _Feed, spot: AdoptedSources) -> None:
        size = _size(spot.transcript)
        if feed.segment != spot.segment or feed.offset > size:
            feed.segment, feed.offset, skipped = spot.segment, max(0, size - _CHUNK), 1
        else:
            skipped = max(0, size - feed.offset - _WINDOW)
            feed.offset += skipped
        piece = after(spot.transcript, feed.offset, 1000, _CHUNK, _lines if spot.plain else _records)
        if piece.data or skipped or piece.end - piece.start > _CHUNK:
            data = base64.b64encode(piece.data).decode()
            self._send(LogChunk(name, 0, feed.segment, feed.offset, data, feed.segment, piece.end, skipped=skipped))
            feed.offset = piece.end


def before(path: str, offset: int, count: int, read: "Reader | None" = None) -> Piece:
    """Read the last `count` records before `offset`, looking back as far as is bearable."""
    window = _WINDOW
    while True:
        start = max(0, offset - window)
        data = read_piece(path, start, offset - start)
        first = data.find(b"\n") + 1 if start else 0
        records = list((read or _records)(data[first:], start + first))[-count:]
        if records or start == 0 or window >= _FURTHEST:
            break
        window *= 4
    kept, size = 0, 0
    for _, _, record in reversed(records):
        size += len(record)
        if kept and size > _FETCHED:
            break
        kept += 1
    records = records[len(records) - kept :]
    return Piece(records[0][0] if records else start, offset, b"".join(record for _, _, record in records))


def after(path: str, offset: int, count: int, limit: int, read: "Reader | None" = None) -> Piece:
    """Read the first `count` records after `offset`, up to about `limit` bytes."""
    data = read_piece(path, offset, _WINDOW)
    whole = data[: data.rfind(b"\n") + 1]
    parts, end = [], offset + len(whole)
    for _, stop, record in (read or _records)(whole, offset):
        parts.append(record)
        if len(parts) >= count or sum(map(len, parts)) >= limit:
            end = stop
            break
    if not whole and len(data) == _WINDOW:
        end = offset + len(data)  # a line that long repeats a request; what is left of it says nothing
    return Piece(offset, end, b"".join(parts))


def _records(data: bytes, offset: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield each line that says something: where it begins, where it ends, and its records."""
    for start, event, line in spoken(data):
        end = offset + start + len(line) + 1
        if len(line) > _LONGEST:
            yield offset + start, end, pack(said_at(event), NOTE, b"a line of %d bytes is left out" % len(line))
        else:
            yield offset + start, end, pack(said_at(event), EVENT, line)


def _lines(data: bytes, offset: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield each line of a log file: where it begins, where it ends, and its record; events as Claude prints them."""
    end = offset
    for line in re.findall(rb"[^\n]*\n|[^\n]+", data):
        start, end = end, end + len(line)
        text = line.rstrip(b"\r\n")
        if len(text) > _LONGEST:
            yield start, end, pack(0, NOTE, b"a line of %d bytes is left out" % len(text))
        else:
            yield start, end, pack(0, EVENT if text.startswith(b'{"type":') else OUT, text)


def _as_records(lines: tuple[str, ...], at: int) -> Iterator[bytes]:
    for line in lines:
        yield pack(at, OUT, line.encode("utf-8", "surrogateescape")[:4096])


def _nothing(wanted: Fetch, reason: str) -> Fetched:
    return Fetched(wanted.id, 1, 0, "", 1, 0, first=True, reason=reason)


def _offset(current: int, segment: int, offset: int, size: int) -> int:
    """Turn a place into an offset in the transcript as it is now: -1 is the end, another transcript its beginning."""
    if segment == current:
        return min(max(0, offset), size)
    return 0 if 0 <= segment < current else size


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        return 0
