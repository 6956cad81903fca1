"""What one run of Claude adds to one session: the usage of its messages, and what it reports to have cost.

A resumed session's files go on where they ended; a fork's begin with copies of its parent's messages, which keep their
times and bear the fork's session id, and nothing else marks them (Claude Code 2.1.332, observed): what stood there
before is another's, and in a session that may be a fork, what is older than the run.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import Record, Refusal, Report, to_line
from controlroom.runner.claude.transcripts import Piece, RecentPieces, Tail, Told, files_of
from controlroom.text.lazy_named_tuple import NamedTuple

A_PART = 48 * 1024
"""Bytes of records that make a part, one record more or less."""

A_LOOK = 64 * 1024 * 1024
"""Bytes read in one look, a piece more or less; the next one goes on."""


_MOST_ASKED = 32
"""Requests of earlier pieces whose answers may still come."""

TURNED = 500
"""Milliseconds by which a clock that goes evenly may seem to go back."""


class Stop(NamedTuple):
    """Where a run's part of a file ends."""

    offset: int
    """Bytes of it that are looked at."""
    until: int = 0
    """UTC ms from which on what stands there is another run's; 0: nothing is."""


class RecordBatch(NamedTuple):
    """Records of one file, up to where in it, and whether there is more to be read already."""

    records: list[Record]
    end: int
    more: bool


class SessionUsage:
    """One run's part of one session. `run` names it, `since` is when it began (UTC ms)."""

    def __init__(self, run: str, since: int, *, fresh: bool = False, recent: RecentPieces | None = None) -> None:
        """`fresh`: the session is new and no fork, so all that stands in it is the run's, whatever the clock says.

        `recent`: what another reader of the same files has had parsed.
        """
        self.run = run
        self.fresh = fresh
        self.reported = 0
        """Pico-dollars that the run has cost by Claude's own account."""
        self._since, self._recent = since, recent
        self._files: dict[str, _File] = {}
        self._had: int | None = None
        """What the session had cost when the run began; None: not known."""
        self._first: int | None = None
        """The first total that Claude showed."""
        self._inherits = False
        """Whether messages of others stand in it."""

    def resume(self, transcript: str) -> int | None:
        """Take what stands in the session's files by now as that of earlier runs.

        Returns how many bytes the transcript has; None when that cannot be seen.
        """
        for path in files_of(transcript):
            with contextlib.suppress(OSError):
                self._files[path] = _File(path, self._recent, os.stat(path, follow_symlinks=False).st_size)
        self._had = 0
        self.fresh = True
        return self._files[transcript].older if transcript in self._files else None

    def put_back(self, by: int) -> None:
        """The clock has been put back by so many milliseconds: by it the run began earlier."""
        self._since -= by

    def began_with(self, pico: int) -> None:
        """Note what the session had cost when the run began, as Claude tells it elsewhere."""
        self._had = pico

    def report(self, total: int, at: int) -> Report | None:
        """Take a total of the session; return what the run is known to have cost when that is more than was known."""
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

    def news(self, transcript: str, now: int) -> Iterator["News"]:
        """Yield what has been added, piece by piece. What is not `taken` at once comes again."""
        left = A_LOOK
        for path in files_of(transcript):
            file = self._file(path)
            while left > 0 and (piece := file.next()):
                left -= piece.size
                asked = file.requests(piece)
                records = [self._record(file, line, now, asked, main=path == transcript) for line in piece.told]
                news = News(file.tail, piece, latest([*records, *self._refused(file, piece)]))
                yield news
                if not news.is_taken:
                    return

    def part(self, path: str, start: int, stop: Stop, now: int, *, main: bool) -> RecordBatch:
        """Read the records that stand from `start` on and before `stop`, some `A_PART` bytes of them.

        A file is read from its beginning on all the same, once, for what stands there says what belongs to whom.
        """
        file = self._file(path)
        if start < file.told or file.tail.offset > stop.offset:
            file.tail.rewind()
            file.begun, file.told = False, 0
        records, size, left = [], 0, A_LOOK
        while left > 0 and size < A_PART and (piece := file.next(stop.offset)):
            end, asked = 0, file.requests(piece)
            for line in piece.told:
                record = self._record(file, line, now, asked, main=main)
                if record and line.offset >= start and not 0 < stop.until <= record.at:
                    records.append(record)
                    size += len(to_line(record))
                if size >= A_PART:
                    end = line.end
                    break
            left -= piece.size
            file.tail.taken(piece, end)
            refused = self._refused(file, piece, range(start, end or piece.end))
            records += [refusal for refusal in refused if not 0 < stop.until <= refusal.at]
        if records:
            file.told = file.tail.offset
        return RecordBatch(latest(records), file.tail.offset, more=left <= 0 or size >= A_PART)

    def read_anew(self, path: str) -> None:
        """Another file lies there."""
        self._files.pop(path, None)

    def _file(self, path: str) -> "_File":
        return self._files.setdefault(path, _File(path, self._recent))

    def _refused(self, file: "_File", piece: Piece, span: range | None = None) -> Iterator[Refusal]:
        """Yield the requests of the run that the API refused; `span`: where in the file they stand."""
        for request in piece.requests:
            is_of_run = request.offset >= file.older and (self.fresh or request.at >= self._since)
            if request.status and is_of_run and (span is None or request.offset in span):
                yield Refusal(request.id, request.status, request.at)

    def _record(self, file: "_File", told: Told, now: int, asked: Mapping[str, int], *, main: bool) -> Record | None:
        """Turn what a line says into a record; None for a damaged one, and for what is not of this run."""
        old = told.offset < file.older
        if told.message:
            message = self._attributed(told.message, file, old=old)
            began = asked.get(told.request, 0) if message.run else 0
            return message._replace(took=max(0, message.at - began)) if began else message
        if not main or told.total is None:
            return None
        return self._totalled(told.total, now, old=old or (self._inherits and not file.begun and not self.fresh))

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
            before = kept.get(record.key)
            if not isinstance(before, Message) or _tells_more(record, before):
                kept[record.key] = record
            elif not _tells_more(before, record):
                kept[record] = record
        elif record is not None:
            kept[record] = record
    return list(kept.values())


def _tells_more(record: Message, known: Message) -> bool:
    same = record._replace(usage=known.usage, at=known.at, took=known.took) == known
    return same and all(count >= before for count, before in zip(record.usage, known.usage, strict=True))


class News:
    """What a piece of a transcript adds. It counts when it is `taken`."""

    def __init__(self, tail: Tail, piece: Piece, records: list[Record]) -> None:
        self.records = records
        self.size = piece.size
        self.is_taken = False
        self._tail, self._piece = tail, piece

    def taken(self) -> None:
        """Go on behind it."""
        self.is_taken = True
        self._tail.taken(self._piece)


class _File:
    """One transcript. `older`: bytes that were there before the run began."""

    def __init__(self, path: str, recent: RecentPieces | None, older: int = 0) -> None:
        self.tail = Tail(path, recent)
        self.older = older
        self.begun = False
        """Whether something that the run has added was met."""
        self.told = 0
        """Up to where a part has told what stands there."""
        self._asked: dict[str, int] = {}
        """When the last requests were made."""

    def requests(self, piece: Piece) -> Mapping[str, int]:
        """When the requests were made that messages of a piece may answer."""
        self._asked.update((request.id, request.at) for request in piece.requests if not request.status)
        while len(self._asked) > _MOST_ASKED + len(piece.requests):
            del self._asked[next(iter(self._asked))]
        return self._asked

    def next(self, stop: int | None = None) -> Piece | None:
        """Read what has been added; in a file that has been cut short nothing stood there before."""
        offset = self.tail.offset
        piece = self.tail.next(stop)
        if self.tail.offset < offset:
            self.older = 0
        return piece
