"""What one run of Claude adds to one session: the usage of its messages, and what it reports to have cost.

A resumed session's files go on where they ended; a fork's begin with copies of its parent's messages, which keep their
times and bear the fork's session id, and nothing else marks them (Claude Code 2.1.332, observed): what stood there
before is another's, and in a session that may be a fork, what is older than the run.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from controlroom.metering.usage import Damaged, Message, message_of
from controlroom.metering.usage_file import Record, Report, to_line, transcript_total
from controlroom.runner.claude.transcripts import Tail, files_of

A_PART = 48 * 1024
"""Bytes of records that make a part, one record more or less."""

A_LOOK = 64 * 1024 * 1024
"""Bytes read in one look, a piece more or less; the next one goes on."""


TURNED = 500
"""Milliseconds by which a clock that goes evenly may seem to go back."""


class Part(NamedTuple):
    """Records of one file, up to where in it, and whether there is more to be read already."""

    records: list[Record]
    end: int
    more: bool


class SessionUsage:
    """One run's part of one session. `run` names it, `since` is when it began (UTC ms)."""

    def __init__(self, run: str, since: int, *, fresh: bool = False) -> None:
        """`fresh`: the session is new and no fork, so all that stands in it is the run's, whatever the clock says."""
        self.run = run
        self.fresh = fresh
        self.reported = 0
        """Pico-dollars that the run has cost by Claude's own account."""
        self._since = since
        self._files: dict[str, _File] = {}
        self._had: int | None = None
        """What the session had cost when the run began; None: not known."""
        self._first: int | None = None
        """The first total that Claude showed."""
        self._inherits = False
        """Whether messages of others stand in it."""

    def resume(self, transcript: str) -> None:
        """Take what stands in the session's files by now as that of earlier runs."""
        for path in files_of(transcript):
            with contextlib.suppress(OSError):
                self._files[path] = _File(path, os.stat(path, follow_symlinks=False).st_size)
        self._had = 0
        self.fresh = True

    def put_back(self, by: int) -> None:
        """The clock has been put back by so many milliseconds: by it the run began earlier."""
        self._since -= by

    def began_with(self, pico: int) -> None:
        """Note what the session had cost when the run began, as Claude tells it elsewhere."""
        self._had = pico

    def report(self, total: int, at: int) -> Report | None:
        """Take a total of the session; give what the run is known to have cost when that is more than was known."""
        had = self._had
        if had is None:
            had = self._first if self._inherits else 0
        return None if had is None else self._beyond(had, total, at)

    def show(self, total: int, at: int) -> Report | None:
        """Take a total that Claude shows all the time; by the first one it has done nothing yet."""
        if self._first is None:
            self._first = total
        had = self._first if self._had is None else self._had
        return self._beyond(had, total, at)

    def _beyond(self, had: int, total: int, at: int) -> Report | None:
        if total - had <= self.reported:
            return None
        self.reported = total - had
        return Report(self.run, self.reported, at)

    def pieces(self, transcript: str, now: int) -> Iterator["Piece"]:
        """Give what has been added, piece by piece. What is not `taken` at once comes again."""
        left = A_LOOK
        for path in files_of(transcript):
            file = self._files.setdefault(path, _File(path))
            while left > 0 and (data := file.next()):
                left -= len(data)
                records = (self._record(file, *line, now, main=path == transcript) for line in file.tail.lines(data))
                piece = Piece(file.tail, data, latest(records))
                yield piece
                if not piece.is_taken:
                    return

    def part(self, path: str, start: int, now: int, *, main: bool) -> Part:
        """Give the records that stand from `start` on, some `A_PART` bytes of them.

        A file is read from its beginning on all the same, for what stands there says what belongs to whom.
        """
        file = self._files.setdefault(path, _File(path))
        if file.tail.offset > start:
            file.tail.rewind()
            file.begun = False
        found, size, left = [], 0, A_LOOK
        while left > 0 and size < A_PART and (data := file.next()):
            end = file.tail.offset + len(data)
            for offset, line in file.tail.lines(data):
                record = self._record(file, offset, line, now, main=main)
                if record and offset >= start:
                    found.append(record)
                    size += len(to_line(record))
                if size >= A_PART:
                    end = min(end, offset + len(line) + 1)
                    break
            left -= len(data)
            file.tail.taken(data[: end - file.tail.offset])
        return Part(latest(found), file.tail.offset, more=left <= 0 or size >= A_PART)

    def _record(self, file: "_File", offset: int, line: bytes, now: int, *, main: bool) -> Record | None:
        """Read one line; None for one that is damaged, or speaks of something else."""
        old = offset < file.older
        if main and (total := transcript_total(line)) is not None:
            return self._totalled(total, now, old=old or (self._inherits and not file.begun and not self.fresh))
        try:
            message = message_of(line)
        except Damaged:
            return None
        return self._attributed(message, file, old=old) if message else None

    def _totalled(self, total: int, now: int, *, old: bool) -> Report | None:
        """Take a total that stands in the transcript; an old one is what the run began with."""
        if old:
            self._had = total
            return None
        return self.report(total, now)

    def _attributed(self, message: Message, file: "_File", *, old: bool) -> Message:
        """Say whose a message is: copies stand before what the run adds itself."""
        if not old and (self.fresh or file.begun or message.at >= self._since or not message.at):
            file.begun = True
            return message._replace(run=self.run)
        self._inherits = True
        return message


def latest(records: Iterable[Record | None]) -> list[Record]:
    """Leave out what other records of a message say as well: its lines only ever tell more.

    A line that tells less of one kind and more of another is kept beside the others; home knows which is dearer.
    """
    kept: dict[object, Record] = {}
    for record in records:
        if isinstance(record, Message):
            known = kept.get(record.key)
            if not isinstance(known, Message) or _tells_more(record, known):
                kept[record.key] = record
            elif not _tells_more(known, record):
                kept[record] = record
        elif record is not None:
            kept[record] = record
    return list(kept.values())


def _tells_more(record: Message, known: Message) -> bool:
    same = record._replace(usage=known.usage, at=known.at) == known
    return same and all(count >= before for count, before in zip(record.usage, known.usage, strict=True))


class Piece:
    """What stands in a few megabytes of a transcript. It counts when it is `taken`."""

    def __init__(self, tail: Tail, data: bytes, records: list[Record]) -> None:
        self.records = records
        self.size = len(data)
        self.is_taken = False
        self._tail, self._data = tail, data

    def taken(self) -> None:
        """It is done with."""
        self.is_taken = True
        self._tail.taken(self._data)


class _File:
    """One transcript. `older`: bytes that were there before the run began."""

    def __init__(self, path: str, older: int = 0) -> None:
        self.tail = Tail(path)
        self.older = older
        self.begun = False
        """Whether something that the run has added was met."""

    def next(self) -> bytes:
        """Give what has been added; in a file that has been cut short nothing stood there before."""
        offset = self.tail.offset
        data = self.tail.next()
        if self.tail.offset < offset:
            self.older = 0
        return data
