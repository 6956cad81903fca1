"""The part of one agent's log that is held here: an unbroken stretch of it, which grows at both ends.

Entries are numbered by whole numbers that never change while they are held: what is put before the first gets a lower
number. So a reader stays where it is, whatever arrives. Nothing here is drawn or decoded.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from controlroom.domain.model import LogPlace
from controlroom.text.event_text import LogRecord
from controlroom.text.names import is_adopted_name

if TYPE_CHECKING:
    from controlroom.client.client import LogPage

Entry = tuple[LogRecord, ...]
"""One line of an agent as it was written: a record, with those that continue it."""

MOST = 10_000
"""Entries of one log held at most; beyond that the far end is let go and read again when somebody goes there."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of records of one log held at most, but for the last page."""

MOST_OF_ALL, MOST_BYTES_OF_ALL = 20_000, 8 * 1024 * 1024
"""The same of all logs on show together, which share it out evenly."""

LEAST, LEAST_BYTES = 500, 64 * 1024
"""What one log may hold however many there are."""


class _Mark(NamedTuple):
    """An entry whose place is known whole: where a page began, or a run. `before`: bytes of its run before it."""

    number: int
    place: LogPlace
    before: int


def place_order(place: LogPlace) -> tuple[int, int, int]:
    """The order of places in a log."""
    return place.epoch, place.segment, place.offset


class LogBuffer:
    """What is held of one agent's log."""

    def __init__(self, agent: str, epoch: int) -> None:
        self.agent = agent
        self.epoch = epoch
        """The run that is followed; older ones are read when a person scrolls back to them."""
        self.start: LogPlace | None = None
        self.end: LogPlace | None = None
        self.complete = False
        """Whether the very first line of all is held."""
        self.behind = False
        """Whether newer text exists that is not held."""
        self.missed: LogPlace | None = None
        """Up to where newer text was sent while this was behind."""
        self.anchored = False
        """Whether a view stands still in it: then the newest entries are let go first."""
        self.unseen = 0
        """Records that were sent while this was behind."""
        self.skipped = 0
        """Bytes that were left out to keep up, and lie before `start`."""
        self.trouble = ""
        """Why the log cannot be read, when it cannot."""
        self.absent = False
        """Whether its host has no log of this run: none was begun, or it is gone."""
        self.stuck = ""
        """Why nothing further can be read now, when what is held is fine."""
        self.loaded = False
        self.most, self.most_bytes = MOST, MOST_BYTES
        """Entries, and bytes of records, that are held at most."""
        self.generation = 0
        """Counts how often numbers may have changed their meaning."""
        self.jumped: tuple[LogPlace, int] | None = None
        """The place that was gone to last, and the entry that stands there."""
        self.beginnings: dict[int, int] = {}
        """Runs whose first line is held: epoch -> entry."""
        self._totals: dict[int, int] = {}
        self._empty()

    def _empty(self) -> None:
        self._zero = self._bytes = 0
        self._new: list[Entry] = []
        """Entries from `_zero` upwards."""
        self._old: list[Entry] = []
        """Entries from `_zero - 1` downwards."""
        self._new_at: list[int] = []
        self._old_at: list[int] = []
        """Where each entry begins in its segment."""
        self._marks: list[_Mark] = []
        self.beginnings.clear()

    # ------------------------------------------------------------------ reading

    @property
    def first(self) -> int:
        """The number of the oldest entry held."""
        return self._zero - len(self._old)

    @property
    def after_last(self) -> int:
        """One more than the number of the newest entry held."""
        return self._zero + len(self._new)

    @property
    def full(self) -> bool:
        """Whether something must be let go before more is taken."""
        return len(self) > self.most or self._bytes > self.most_bytes

    @property
    def size(self) -> int:
        """Bytes of records that are held."""
        return self._bytes

    def share_with(self, logs: int) -> None:
        """Hold no more than a share: there are so many logs on show."""
        self.most = min(MOST, max(LEAST, MOST_OF_ALL // logs))
        self.most_bytes = min(MOST_BYTES, max(LEAST_BYTES, MOST_BYTES_OF_ALL // logs))
        held = 0
        while self.full and not self.anchored and held != len(self):
            held = len(self)
            self._let_go_of_oldest()

    def fits(self, page: "LogPage") -> bool:
        """Whether a page can be taken without letting anything go."""
        return (
            len(self) + len(page.records) <= self.most
            and self._bytes + sum(map(_size, page.records)) <= self.most_bytes
        )

    def __len__(self) -> int:
        return len(self._old) + len(self._new)

    def entry(self, number: int) -> Entry:
        """One entry."""
        below = self._zero - 1 - number
        return self._old[below] if below >= 0 else self._new[number - self._zero]

    def place(self, number: int) -> LogPlace:
        """Where an entry begins."""
        place = self._mark(number).place
        return LogPlace(place.epoch, place.segment, self._offset(number))

    def find(self, place: LogPlace) -> int | None:
        """The entry that a place lies in, if it is held."""
        wanted = place_order(place)
        if not len(self) or self.end is None or not self._order(self.first) <= wanted < place_order(self.end):
            return None
        low, high = self.first, self.after_last
        while low < high:
            middle = (low + high) // 2
            if self._order(middle) <= wanted:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def share(self, number: int) -> float | None:
        """How much of an entry's run lies before it, from 0 to 1; None: not known."""
        mark = self._mark(number)
        total = self._totals.get(mark.place.epoch, 0)
        if not total:
            return None
        return max(0.0, min(1.0, (mark.before + self._offset(number) - mark.place.offset) / total))

    def _order(self, number: int) -> tuple[int, int, int]:
        return place_order(self.place(number))

    def _offset(self, number: int) -> int:
        below = self._zero - 1 - number
        return self._old_at[below] if below >= 0 else self._new_at[number - self._zero]

    def _mark(self, number: int) -> _Mark:
        return self._marks[max(0, bisect_right(self._marks, number, key=lambda mark: mark.number) - 1)]

    # ------------------------------------------------------------------ growing

    def begin_again(self, page: "LogPage") -> None:
        """Hold just this page, from now on."""
        self._empty()
        self.start, self.end = page.start, page.end
        self.generation += 1
        self.complete = self.behind = False
        self.missed = self.jumped = None
        self.unseen = 0
        self.absent = page.absent and not is_adopted_name(self.agent.partition("/")[2])
        self.loaded, self.trouble, self.stuck = True, "" if self.absent else page.reason, ""
        self._note_total(page)
        self._put(page)
        if page.first or not (page.records or page.unanswered):
            self._end_of_epoch(page.start.epoch)

    def begin_at(self, place: LogPlace, page: "LogPage", before: "LogPage | None") -> None:
        """Hold just this page, which begins at a place, with what stands before it; the rest is read again."""
        self.begin_again(page)
        self.behind = True
        self.jumped = place, self._zero
        if before is not None:
            self.prepend(before)

    def at_end(self, page: "LogPage") -> None:
        """There is nothing newer in the run that `end` lies in: go on in the next one, or be up to date."""
        if page.end.epoch < self.epoch:
            self.end = LogPlace(page.end.epoch + 1, 0, 0)
            return
        self.end = page.end
        self.behind = self.missed is not None and place_order(self.missed) > place_order(page.end)
        self.unseen *= self.behind

    def append(self, page: "LogPage") -> None:
        """Put a page after the newest entry."""
        if page.records and len(self) and page.start.epoch > self.place(self.after_last - 1).epoch:
            self._new.append(_begins(page.start.epoch, page.records[0].at))
            self._new_at.append(0)
            self._marks.append(_Mark(self.after_last - 1, LogPlace(page.start.epoch, 0, 0), 0))
            self.beginnings[page.start.epoch] = self.after_last
        self.end, self.absent = page.end, False
        self._note_total(page)
        self._put(page)
        if self.full:
            self._let_go_of_oldest()

    def _note_total(self, page: "LogPage") -> None:
        if page.total:
            self._totals[page.start.epoch] = page.total

    def _put(self, page: "LogPage") -> None:
        held = list(_placed(page))
        self._bytes += sum(map(_size, page.records))
        before = self._before(page)
        while held and self._new and self._new[-1][-1].continued:
            self._new[-1] = self._new[-1] + held.pop(0)[0]
        if held:
            place = LogPlace(page.start.epoch, page.start.segment, held[0][1])
            self._marks.append(_Mark(self.after_last, place, before + held[0][1] - page.start.offset))
        self._new.extend(entry for entry, _ in held)
        self._new_at.extend(at for _, at in held)
        if page.offsets:
            end = before + page.offsets[-1] - page.start.offset + _size(page.records[-1])
            self._totals[page.start.epoch] = max(self._totals.get(page.start.epoch, 0), end)

    def _before(self, page: "LogPage") -> int:
        """How many bytes of its run lie before a page: as its host says, or by what is held."""
        if page.total:
            return page.before
        last = self._marks[-1] if self._marks else None
        if last and (last.place.epoch, last.place.segment) == (page.start.epoch, page.start.segment):
            return last.before + page.start.offset - last.place.offset
        return self._totals.get(page.start.epoch, 0) + page.skipped

    def prepend(self, page: "LogPage") -> None:
        """Put a page before the oldest entry. A page without a record says that there is nothing older."""
        self.stuck = page.reason if not page.first else ""
        if self.stuck:
            return
        self.start = page.start
        self._note_total(page)
        older = list(_placed(page))
        self._bytes += sum(map(_size, page.records))
        if older and older[-1][0][-1].continued and len(self):
            self._join_first(*older.pop())
        self._old.extend(entry for entry, _ in reversed(older))
        self._old_at.extend(at for _, at in reversed(older))
        if page.records:
            self._marks.insert(0, _Mark(self.first, page.start, page.before))
        if page.first or not page.records:
            self._end_of_epoch(page.start.epoch)
        if self.full:
            self._let_go_of_newest()

    def _join_first(self, begun: Entry, at: int) -> None:
        entries, places = (self._old, self._old_at) if self._old else (self._new, self._new_at)
        index = -1 if self._old else 0
        entries[index], places[index] = begun + entries[index], at
        mark, following = self._marks.pop(0), self.first + 1
        if following < self.after_last and not (self._marks and self._marks[0].number == following):
            place = LogPlace(mark.place.epoch, mark.place.segment, self._offset(following))
            self._marks.insert(0, _Mark(following, place, mark.before + place.offset - mark.place.offset))

    def _end_of_epoch(self, epoch: int) -> None:
        """Before the first line of a run stands the end of the run before it."""
        self.beginnings[epoch] = self.first
        if epoch <= 1 or (self.trouble and not len(self)):  # of a run that cannot be read no beginning is known
            self.complete = True
            return
        at = self.entry(self.first)[0].at if len(self) else 0
        self._old.append(_begins(epoch, at))
        self._old_at.append(0)
        self._marks.insert(0, _Mark(self.first, LogPlace(epoch, 0, 0), 0))
        self.start = LogPlace(epoch - 1, -1, 0)

    # ------------------------------------------------------------------ letting go

    def _let_go_of_oldest(self) -> None:
        """Drop about a tenth, up to where a page began."""
        wanted = self.first + self._surplus()
        marks = [mark for mark in self._marks if mark.number >= wanted and mark.place.segment > 0]
        if not marks or marks[0].number >= self.after_last:
            return
        number = marks[0].number
        self._keep(number, self.after_last)
        self.start, self.complete = marks[0].place, False

    def _let_go_of_newest(self) -> None:
        wanted = self.after_last - self._surplus()
        marks = [mark for mark in self._marks if self.first < mark.number <= wanted and mark.place.segment > 0]
        if not marks:
            return
        self._keep(self.first, marks[-1].number)
        self.end, self.behind = marks[-1].place, True

    def _surplus(self) -> int:
        """How many entries are to go: what is too much, and a tenth."""
        share = max(1 - self.most / len(self), 1 - self.most_bytes / max(1, self._bytes), 0.0)
        return int(len(self) * min(0.9, share + 0.1))

    def _keep(self, first: int, after_last: int) -> None:
        """Keep only these entries."""
        numbers = range(first, after_last)
        entries, places = [self.entry(number) for number in numbers], [self._offset(number) for number in numbers]
        self._new, self._new_at, self._old, self._old_at, self._zero = entries, places, [], [], first
        self._bytes = sum(_size(record) for entry in entries for record in entry)
        self._marks = [mark for mark in self._marks if first <= mark.number < after_last]
        self.beginnings = {epoch: at for epoch, at in self.beginnings.items() if first <= at < after_last}
        self.generation += 1


def _begins(epoch: int, at: int) -> Entry:
    return (LogRecord(at, "n", f"──── run {epoch} begins here ────".encode()),)


def _size(record: LogRecord) -> int:
    return len(record.body) + 17


def _placed(page: "LogPage") -> Iterator[tuple[Entry, int]]:
    """The entries of a page, each with where it begins in its segment."""
    index = 0
    for entry in entries(page.records):
        yield entry, page.offsets[index]
        index += len(entry)


def entries(records: Iterable[LogRecord]) -> Iterator[Entry]:
    """Join records that continue each other."""
    held: Entry = ()
    for record in records:
        held = (*held, record)
        if not record.continued:
            yield held
            held = ()
    if held:
        yield held
