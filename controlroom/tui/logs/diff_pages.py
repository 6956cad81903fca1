"""What is held here of one file's diff: pages around what is looked at, and no more, however long it is."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from controlroom.text.changes import DIFF_PAGE

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.client.client import DiffLines
    from controlroom.domain.display.diff import DiffLine
    from controlroom.text.changes import ChangedFile

MOST_PAGES = 12
"""Pages that are held; those that were looked at last stay."""


class DiffPages:
    """One file's diff. Lines are counted from 0."""

    def __init__(self, file: ChangedFile) -> None:
        self.file = file
        self.total = 0
        self.read = False
        """Whether anything has come."""
        self.endless = self.binary = False
        self.reason = ""
        """Why nothing can be read."""
        self._version = ""
        self._pages: OrderedDict[int, tuple[DiffLine, ...]] = OrderedDict()
        self._asked: set[int] = set()

    @property
    def held(self) -> int:
        """Lines that are held."""
        return sum(map(len, self._pages.values()))

    def line(self, number: int) -> DiffLine | None:
        """A line; None: it is not held now."""
        page = self._pages.get(number // DIFF_PAGE)
        index = number % DIFF_PAGE
        return page[index] if page is not None and index < len(page) else None

    def wanted(self, first: int, last: int) -> list[int]:
        """The numbers of lines from which on something is to be read, so that these can be shown; asked for once."""
        pages = range(first // DIFF_PAGE, last // DIFF_PAGE + 1)
        for page in pages:
            if page in self._pages:
                self._pages.move_to_end(page)
        lacking = [page for page in pages if page not in self._pages and page not in self._asked]
        self._asked.update(lacking)
        return [page * DIFF_PAGE for page in lacking]

    def failed(self, start: int) -> None:
        """What was asked for does not come: it may be asked for again."""
        self._asked.discard(start // DIFF_PAGE)

    def take(self, told: DiffLines) -> bool:
        """Take a page; False: the file has changed since the pages before it, which are let go."""
        same = not self._pages or told.version == self._version
        if not same:
            self._pages.clear()
            self._asked.clear()
        self.read, self.reason, self._version = True, told.reason, told.version
        self.total, self.endless, self.binary = told.total, told.endless, told.binary
        self._asked.discard(told.start // DIFF_PAGE)
        if told.lines:
            self._pages[told.start // DIFF_PAGE] = told.lines
        while len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        return same
