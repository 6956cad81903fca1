"""Writing an agent's log: lines out of a byte stream, numbered segments, and what happens when a disk is full."""

import contextlib
import json
import os
from typing import Any

from controlroom.runner.files import create
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.sanitize import redact_bytes
from controlroom.wire import records

EVENT_LINE = 8 * 1024 * 1024
"""Bytes of one line of an event stream that are held to be read as an event. Longer ones are logged as plain output."""
EVENT_KEPT = 256 * 1024
"""Bytes of one event in the log at most; of longer ones the long texts are cut."""

# What may be the beginning of a key at the end of a piece: it waits for the rest, so that no cut hides it.
_KEY_BEGUN = pattern(rb"(?:s|sk|sk-|sk-a|sk-an|sk-ant|sk-ant-[A-Za-z0-9_-]{0,400})\Z")


class LinePart(NamedTuple):
    """One line, or a part of one: `whole` is false when the rest of the line is still to come."""

    body: bytes
    whole: bool


class LineCutter:
    """Cuts what a process writes at newlines. What is longer than `limit` comes in pieces."""

    def __init__(self, limit: int = records.MAX_BODY) -> None:
        self._limit = limit
        self._held = bytearray()

    @property
    def holding(self) -> bool:
        """Whether a line without its end is waiting."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[LinePart]:
        """Take what has arrived; return the lines that are complete, and pieces of one that has grown too long."""
        if not self._held and len(data) <= self._limit and data.endswith(b"\n"):
            return [LinePart(line, True) for line in data[:-1].split(b"\n")]
        *lines, rest = data.split(b"\n")
        pieces: list[LinePart] = []
        for line in lines:
            pieces += self._completed(line)
        self._held += rest
        while len(self._held) > self._limit:
            pieces.append(LinePart(self._taken(self._limit), False))
        return pieces

    def flush(self, final: bool = False) -> list[LinePart]:
        """Return what waits, as a piece (`final`: as a line)."""
        body = self._taken(len(self._held), final)
        return [LinePart(body, final)] if body else []

    def _completed(self, line: bytes) -> list[LinePart]:
        if not self._held and len(line) <= self._limit:
            return [LinePart(line, True)]
        self._held += line
        pieces = []
        while len(self._held) > self._limit:
            pieces.append(LinePart(self._taken(self._limit), False))
        pieces.append(LinePart(bytes(self._held), True))
        self._held.clear()
        return pieces

    def _taken(self, size: int, final: bool = False) -> bytes:
        """Take up to `size` bytes off the front, but not the beginning of a key from its end."""
        begun = None if final else _KEY_BEGUN.search(self._held, max(0, size - 420), size)
        if begun and begun.start() > 0:
            size = begun.start()
        elif begun and size < self._limit:
            return b""
        body = bytes(self._held[:size])
        del self._held[:size]
        return body


class RunLog:
    """The segments of one agent's log in the current folder. Writing never raises: what is lost is counted and told."""

    def __init__(self, most: int, folder: str = ".") -> None:
        self._folder = folder
        self._most = most
        self._closes_at = max(64 * 1024, min(records.SEGMENT_BYTES, most // 4))
        self._sizes: dict[int, int] = {}
        self._last = self._size = 0
        self._end = -1
        self._lost_records = self._lost_bytes = 0
        self._why = ""

    @property
    def size(self) -> int:
        """Bytes in all segments."""
        return self._size

    def add(self, at: int, data: bytes) -> None:
        """Append packed records, and drop the oldest ones of a log that has grown too large."""
        size = self._sizes.get(self._last, self._closes_at)
        room = size < self._closes_at and self._size + len(data) <= self._most and not self._lost_records
        if room and self._added(data, size):
            return
        self.write(at, data)
        self.trim(at)

    def _added(self, data: bytes, size: int) -> bool:
        """Append to the last segment, which has this size, all of it or nothing."""
        written = 0
        with contextlib.suppress(OSError):
            written = os.write(self._end, data)
        if written < len(data):
            with contextlib.suppress(OSError):
                os.ftruncate(self._end, size)
            return False
        self._sizes[self._last] = size + written
        self._size += written
        return True

    def write(self, at: int, data: bytes) -> None:
        """Append packed records. Of those that do not fit any more, the first ones are kept."""
        if self._lost_records:
            lines = "1 line" if self._lost_records == 1 else f"{self._lost_records} lines"
            note = _note(at, f"{lines} ({self._lost_bytes} bytes) could not be kept here: {self._why}")
            if self._append(note) < len(note):
                self._lose(data)
                return
            self._lost_records = self._lost_bytes = 0
        self._lose(data[self._append(data) :])

    def _lose(self, data: bytes) -> None:
        self._lost_records += data.count(b"\n")
        self._lost_bytes += len(data)

    def _append(self, data: bytes) -> int:
        """Write whole records; return how many bytes of them are in the log now."""
        number = self._open_segment()
        if number == 0:
            return 0
        before, rest = self._sizes[number], memoryview(data)
        kept = len(data)
        try:
            while rest:
                rest = rest[os.write(self._end, rest) :]
        except OSError as error:
            self._why = error.strerror or str(error)
            kept = data.rfind(b"\n", 0, len(data) - len(rest)) + 1
            with contextlib.suppress(OSError):
                os.ftruncate(self._end, before + kept)
        self._sizes[number] = before + kept
        self._size += kept
        return kept

    def _open_segment(self) -> int:
        """Return the number of the segment to write to, a new one when the last is full; 0: none can be opened.

        What lies in the place of a new one is not ours: nobody but us makes segments, and each of them once.
        """
        last = self._last
        if last and self._sizes[last] < self._closes_at:
            return last
        path = os.path.join(self._folder, records.segment_name(last + 1))
        try:
            end = create(path)
        except OSError as error:
            self._why = error.strerror or str(error)
            return last
        if self._end >= 0:
            os.close(self._end)
        self._end = end
        self._last += 1
        self._sizes[self._last] = os.fstat(end).st_size
        self._size += self._sizes[self._last]
        return self._last

    def trim(self, at: int) -> bool:
        """Drop the oldest segments while the log is larger than it may be, and say so in the log."""
        if self._size <= self._most:
            return False
        gone = 0
        while self._size > self._most and len(self._sizes) > 1:
            oldest = min(self._sizes)
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._folder, records.segment_name(oldest)))
            dropped = self._sizes.pop(oldest)
            gone += dropped
            self._size -= dropped
        if gone:
            self.write(at, _note(at, f"the oldest {gone} bytes of this log were dropped: it may hold {self._most}"))
        return gone > 0


def _note(at: int, words: str) -> bytes:
    return records.pack(at, records.NOTE, words.encode("utf-8", "replace"))


def packed(at: int, stream: bytes, piece: LinePart) -> bytes:
    """Pack one line or piece without its secrets."""
    return records.pack(at, stream if piece.whole else stream.upper(), redact_bytes(piece.body))


def kept_event(event: dict[str, Any], line: bytes) -> bytes:
    """Return an event as it is kept in the log: as it came, or with its long texts cut when it is too long."""
    if len(line) <= EVENT_KEPT:
        return line
    for longest in (8_000, 1_000, 100):
        body = json.dumps({**_cut(event, longest, 8), "controlroom_cut_bytes": len(line)}).encode()
        if len(body) <= EVENT_KEPT:
            return body
    bare = {name: event[name] for name in ("type", "subtype") if isinstance(event.get(name), str)}
    return json.dumps({**_cut(bare, 100, 1), "controlroom_cut_bytes": len(line)}).encode()


def _cut(value: Any, longest: int, depth: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}… [{len(value) - longest} characters left out]"
    if isinstance(value, dict):
        kept = list(value.items())[:200] if depth else []
        return {name[:100]: _cut(item, longest, depth - 1) for name, item in kept}
    if isinstance(value, list):
        return [_cut(item, longest, depth - 1) for item in value[:200]] if depth else []
    return value
