"""Reads transcripts for what they say of use, an answer at a time."""

import contextlib
import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable

from controlroom.metering.scan import WHOLE_LIMIT, scan
from controlroom.metering.usage import Message
from controlroom.metering.usage_file import to_line
from controlroom.node.imports.found import folder_of
from controlroom.runner.claude.session_usage import latest
from controlroom.runner.files import open_regular
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.wire.imports import ANSWER_READ, ANSWER_RECORDS, TranscriptPart, TranscriptPlace

_BLOCK = 128 * 1024
_HEAD, _MARKED = 64 * 1024, 256
_CWD = pattern(rb'"cwd":("(?:[^"\\]|\\.){1,4000}")')
A_LOOK = 2.0
"""Seconds after which an answer is given with what there is."""


class Budget(NamedTuple):
    """What an answer may still have: bytes of records, bytes that are read, and until when (`clock`)."""

    records: int
    read: int
    until: float


def read(
    places: Iterable[TranscriptPlace],
    since: int,
    payer: Callable[[str], str],
    clock: Callable[[], float] = time.monotonic,
) -> list[TranscriptPart]:
    """Read transcripts from these places on, one after the other, until there is enough for an answer.

    `payer`: who pays by what a settings folder says. What cannot be read is done.
    """
    left = Budget(ANSWER_RECORDS, ANSWER_READ, clock() + A_LOOK)
    parts: list[TranscriptPart] = []
    for place in places:
        if parts and (left.records <= 0 or left.read <= 0 or clock() > left.until):
            break
        part = _part(place, since, payer, left, clock)
        parts.append(part)
        left = left._replace(records=left.records - len(part.data), read=left.read - (part.end - part.start) - 4096)
        if not part.done:
            break
    return parts


def _part(
    place: TranscriptPlace, since: int, payer: Callable[[str], str], left: Budget, clock: Callable[[], float]
) -> TranscriptPart:
    path, settings = place.path, folder_of(place.path)
    if not settings:
        return TranscriptPart(path, 0, 0, done=True)
    try:
        descriptor, size = open_regular(path)
    except (OSError, ValueError):
        return TranscriptPart(path, place.offset, place.offset, place.mark, done=True)
    try:
        mark = _mark_of(descriptor)
        start = place.offset if place.mark == mark and 0 <= place.offset <= size else 0
        at = os.fstat(descriptor).st_mtime_ns // 1_000_000
        found = _Lines(descriptor, start, since)
        done = found.read(left, clock)
        data = b"".join(map(to_line, latest(found.messages))).decode()
        folder = _folder(descriptor) if data else ""
        billing = payer(settings) if data else ""
        return TranscriptPart(path, start, found.end, mark, data, folder, billing, at, found.damaged, done)
    except OSError:
        return TranscriptPart(path, place.offset, place.offset, place.mark, done=True)
    finally:
        os.close(descriptor)


class _Lines:
    """What stands in a file from a place on."""

    def __init__(self, descriptor: int, start: int, since: int) -> None:
        self._descriptor, self._since = descriptor, since
        self.end = start
        """Behind the last whole line that was read."""
        self.messages: list[Message] = []
        self.damaged = 0

    def read(self, left: Budget, clock: Callable[[], float]) -> bool:
        """Read until there is enough; return whether nothing more stands there."""
        rest, size, offset = b"", 0, self.end
        begin = offset
        while size < left.records and offset - begin < left.read and clock() <= left.until:
            data = os.pread(self._descriptor, _BLOCK, offset)
            if not data:
                self._take_last(rest)
                return True
            offset += len(data)
            data = rest + data
            cut = data.rfind(b"\n", len(rest)) + 1
            size += self._take(data, cut)
            rest, self.end = data[cut:], self.end + cut
            if len(rest) > WHOLE_LIMIT:
                rest, offset = b"", self._pass_over(offset, begin + left.read, left, clock)
        return False

    def _take_last(self, line: bytes) -> None:
        """Take a last line without end if it is whole: what is cut off is no JSON, and is read when it has its end."""
        damaged = self.damaged
        if self._take(line, len(line)):
            self.end += len(line)
        self.damaged = damaged

    def _take(self, data: bytes, size: int) -> int:
        """Take the messages in the whole lines of so many bytes; return how many bytes their records are, roughly."""
        before = len(self.messages)
        for message in scan(data, size):
            if message is None:
                self.damaged += 1
            elif message.at >= self._since or not message.at:
                self.messages.append(message)
        return (len(self.messages) - before) * _RECORD

    def _pass_over(self, offset: int, most: int, left: Budget, clock: Callable[[], float]) -> int:
        """Pass over a line that is too long, up to its end, that of the file or of this answer; return where that is.

        A file may be one line without end: the next answer goes on within it.
        """
        while offset < most and clock() <= left.until:
            offset = _behind_hole(self._descriptor, offset)
            data = os.pread(self._descriptor, _BLOCK, offset)
            cut = data.find(b"\n") + 1
            offset += cut or len(data)
            if cut or not data:
                break
        self.end = offset
        return offset


_RECORD = 220
"""Bytes of a record, roughly."""


def _behind_hole(descriptor: int, offset: int) -> int:
    """Return where the next bytes are that a file has on the disk, or its end: nothing stands in a hole."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        return os.fstat(descriptor).st_size if error.errno == errno.ENXIO else offset
    except AttributeError:  # not on every system
        return offset


def _mark_of(descriptor: int) -> str:
    """Name a file by its first line, or by the beginning of a long one."""
    line = os.pread(descriptor, _MARKED, 0).partition(b"\n")[0]
    return hashlib.sha256(line).hexdigest()[:12]


def _folder(descriptor: int) -> str:
    """Return the working folder that the session began in, "" when its first lines name none."""
    named = _CWD.search(os.pread(descriptor, _HEAD, 0))
    with contextlib.suppress(ValueError):
        folder = json.loads(named[1]) if named else ""
        return folder if isinstance(folder, str) else ""
    return ""
