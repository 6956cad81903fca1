"""The part of one agent's log that is held here: an unbroken stretch of it, which grows at both ends.

Entries are numbered by whole numbers that never change while they are held: what is put before the first gets a lower
number. So a reader stays where it is, whatever arrives. Nothing here is drawn or decoded.
"""

from collections.abc import Iterable

from controlroom.domain.model import LogPlace, LogRecord
from controlroom.tui.source import Page

Entry = tuple[LogRecord, ...]
"""One line of an agent as it was written: a record, with those that continue it."""

MOST = 100_000
"""Entries held at most; beyond that the far end is let go and read again when somebody goes there."""


def place_order(place: LogPlace) -> tuple[int, int, int]:
    """Give what places in a log are ordered by."""
    return place.epoch, place.segment, place.offset


class LogBook:
    """What is held of one agent's log."""

    def __init__(self, agent: str, epoch: int) -> None:
        self.agent = agent
        self.epoch = epoch
        """The run that is followed; older ones are read when somebody scrolls back to them."""
        self.start: LogPlace | None = None
        self.end: LogPlace | None = None
        self.complete = False
        """Whether the very first line of all is held."""
        self.behind = False
        """Whether newer text exists that is not held."""
        self.missed: LogPlace | None = None
        """Up to where newer text was sent while this was behind."""
        self.skipped = 0
        """Bytes that were left out to keep up, and lie before `start`."""
        self.trouble = ""
        """Why the log cannot be read, when it cannot."""
        self.loaded = False
        self.generation = 0
        """Counts how often numbers may have changed their meaning."""
        self._zero = 0
        self._new: list[Entry] = []
        """Entries from `_zero` upwards."""
        self._old: list[Entry] = []
        """Entries from `_zero - 1` downwards."""
        self._marks: list[tuple[int, LogPlace]] = []
        """Places known by entry: where pages began, oldest first."""

    # ------------------------------------------------------------------ reading

    @property
    def first(self) -> int:
        """The number of the oldest entry held."""
        return self._zero - len(self._old)

    @property
    def after_last(self) -> int:
        """One more than the number of the newest entry held."""
        return self._zero + len(self._new)

    def __len__(self) -> int:
        return len(self._old) + len(self._new)

    def entry(self, number: int) -> Entry:
        """Give one entry."""
        below = self._zero - 1 - number
        return self._old[below] if below >= 0 else self._new[number - self._zero]

    # ------------------------------------------------------------------ growing

    def begin_again(self, page: Page) -> None:
        """Hold just this page, from now on."""
        self._old, self._new, self._marks = [], [], []
        self.start, self.end = page.start, page.end
        self.generation += 1
        self.complete = self.behind = False
        self.missed = None
        self.loaded, self.trouble = True, page.reason
        self._put(page)
        if page.first or not page.records:
            self._end_of_epoch(page.start.epoch)

    def begin_from_start(self, page: Page) -> None:
        """Hold just this page, which is the beginning of a run; everything after it is to be read again."""
        self.begin_again(page)
        if not (page.first or not page.records):
            self._end_of_epoch(page.start.epoch)
        self.behind = True

    def at_end(self, page: Page) -> None:
        """There is nothing newer in the run that `end` lies in: go on in the next one, or be up to date."""
        if page.end.epoch < self.epoch:
            self.end = LogPlace(page.end.epoch + 1, 0, 0)
            return
        self.end = page.end
        self.behind = self.missed is not None and place_order(self.missed) > place_order(page.end)

    def append(self, page: Page) -> None:
        """Put a page after the newest entry."""
        self.end = page.end
        self._put(page)
        if len(self) > MOST:
            self._let_go_of_oldest()

    def _put(self, page: Page) -> None:
        records = list(page.records)
        if records:
            self._marks.append((self.after_last, page.start))
        while records and self._new and self._new[-1][-1].continued:
            self._new[-1] = (*self._new[-1], records.pop(0))
        self._new.extend(entries(records))

    def prepend(self, page: Page) -> None:
        """Put a page before the oldest entry. A page without a record says that there is nothing older."""
        self.start, self.trouble = page.start, page.reason
        older = list(entries(page.records))
        if older and older[-1][-1].continued and len(self):
            self._join_first(older.pop())
        self._old.extend(reversed(older))
        if page.records:
            self._marks.insert(0, (self.first, page.start))
        if page.first or not page.records:
            self._end_of_epoch(page.start.epoch)
        if len(self) > MOST:
            self._let_go_of_newest()

    def _join_first(self, begun: Entry) -> None:
        if self._old:
            self._old[-1] = begun + self._old[-1]
        else:
            self._new[0] = begun + self._new[0]

    def _end_of_epoch(self, epoch: int) -> None:
        """Before the first line of a run stands the end of the run before it."""
        if epoch <= 1:
            self.complete = True
            return
        at = self.entry(self.first)[0].at if len(self) else 0
        self._old.append((LogRecord(at, "n", f"──── run {epoch} begins here ────".encode()),))
        self.start = LogPlace(epoch - 1, -1, 0)

    # ------------------------------------------------------------------ letting go

    def _let_go_of_oldest(self) -> None:
        """Drop about a tenth, up to where a page began."""
        wanted = max(self.first + MOST // 10, self._zero)
        marks = [mark for mark in self._marks if mark[0] >= wanted]
        if not marks or marks[0][0] >= self.after_last:
            return
        number, place = marks[0]
        self._old, self._new, self._zero = [], self._new[number - self._zero :], number
        self._marks = marks
        self.start, self.complete = place, False
        self.generation += 1

    def _let_go_of_newest(self) -> None:
        wanted = self.after_last - MOST // 10
        marks = [mark for mark in self._marks if self.first < mark[0] <= wanted]
        if not marks:
            return
        number, place = marks[-1]
        if number >= self._zero:
            self._new = self._new[: number - self._zero]
        else:
            self._old, self._new, self._zero = self._old[self._zero - number :], [], number
        self._marks = [mark for mark in self._marks if mark[0] < number]
        self.end, self.behind = place, True
        self.generation += 1


def entries(records: Iterable[LogRecord]) -> Iterable[Entry]:
    """Join records that continue each other."""
    held: Entry = ()
    for record in records:
        held = (*held, record)
        if not record.continued:
            yield held
            held = ()
    if held:
        yield held
