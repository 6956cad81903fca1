"""Reads logs for the screen: keeps a book for each log on show, follows those, and fetches older text when asked."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from controlroom.domain.model import Agent, LogPlace
from controlroom.tui.engine_client import Source

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.client.client import LogPage
    from controlroom.tui.logs.log_buffer import LogBuffer
    from controlroom.tui.logs.log_search import LogSearch

KEPT = 16
"""Books kept of logs that were on show, so that going back shows them at once."""
MOST_KEPT, MOST_BYTES_KEPT = 10_000, 4 * 1024 * 1024
"""Entries, and bytes of records, of all those books together."""
PAGE = 300
"""Records of one fetch."""
CONTEXT = 60
"""Records before a place that are read with what stands there."""
_RETRY = 2.0
"""Seconds until a log that could not be read is tried again."""


class LogFollower:
    """The logs on show. `run` starts a coroutine; `changed` is called with a buffer that has grown."""

    def __init__(
        self,
        run: Callable[[Coroutine[Any, Any, None]], object],
        changed: Callable[[LogBuffer], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._changed = changed
        self._monotonic = monotonic
        self._source: Source | None = None
        self._buffers: OrderedDict[str, LogBuffer] = OrderedDict()
        self.wanted: dict[str, int] = {}
        """The logs on show: agent id -> epoch."""
        self._looked_at: frozenset[str] | None = None
        self._busy: set[tuple[int, str]] = set()
        self._tried: dict[str, float] = {}

    def connect(self, source: Source | None) -> None:
        """Read through this from now on; books go on where they stood."""
        self._source = source
        self._busy.clear()
        if source is not None:
            self._begin_all()
            self._follow()
            self._run(source.show_lines(self._looked_at))

    def look_at(self, agents: frozenset[str] | None) -> None:
        """Ask for the newest lines of these agents as they come, and for those of others seldom; None: for all."""
        if agents != self._looked_at:
            self._looked_at = agents
            if self._source is not None:
                self._run(self._source.show_lines(agents))

    def show(self, wanted: Mapping[str, int]) -> None:
        """Follow these logs from now on: agent id -> epoch."""
        if wanted != self.wanted:
            self.wanted = dict(wanted)
            self._begin_all()
            self._follow()
            return
        for agent in wanted:
            book = self._buffers[agent]
            stands = book.anchored and len(book) > 0
            if book.trouble and not stands and self._monotonic() - self._tried.get(agent, 0.0) > _RETRY:
                self._fetch(book, "newest")

    def book(self, agent: Agent | None) -> LogBuffer | None:
        """The buffer of an agent's present run; None where its log is not on show."""
        book = self._buffers.get(agent.id) if agent else None
        return book if book is not None and agent is not None and book.epoch == agent.epoch else None

    def search(self, log_search: LogSearch, advanced: Callable[[LogSearch], None]) -> bool:
        """Search on as far as is wanted, calling `advanced` after each piece; False while there is no engine to ask."""
        if self._source is None:
            return False
        if log_search.wants_more and not log_search.busy:
            self._run(self._search_now(self._source, log_search, advanced))
        return True

    async def _search_now(self, source: Source, log_search: LogSearch, advanced: Callable[[LogSearch], None]) -> None:
        log_search.busy = True
        try:
            while log_search.wants_more and source is self._source:
                await log_search.piece(source)
                advanced(log_search)
        finally:
            log_search.busy = False

    def want(self, book: LogBuffer, which: str) -> None:
        """Fetch text that is not held: `older`, `newer` or `newest`. What did not work is tried again after a while."""
        early = self._monotonic() - self._tried.get(book.agent, 0.0) < _RETRY
        if self._buffers.get(book.agent) is book and not (book.stuck and early):
            self._fetch(book, which)

    def jump(self, book: LogBuffer, place: LogPlace) -> None:
        """Hold the part of the log around a place, instead of what is held."""
        if self._source is not None and self._buffers.get(book.agent) is book:
            self._run(self._jump_now(self._source, book, place))

    async def _jump_now(self, source: Source, book: LogBuffer, place: LogPlace) -> None:
        generation = book.generation
        page = await source.fetch(book.agent, place.epoch, None, PAGE, place)
        before = None
        if page.records and not page.first:
            before = await source.fetch(book.agent, place.epoch, place, CONTEXT)
        if generation != book.generation or source is not self._source:
            return
        if page.records:
            book.begin_at(place, page, before)
        else:
            book.stuck = page.reason or "that part of the log is gone"
        self._changed(book)

    async def pump(self, source: Source) -> None:
        """Take in what followed logs say, for as long as the source has pages."""
        async for page in source.pages():
            if source is self._source:
                self._take(page)

    # ------------------------------------------------------------------ following

    def _begin_all(self) -> None:
        from controlroom.tui.logs.log_buffer import LogBuffer

        for agent, epoch in self.wanted.items():
            book = self._buffers.get(agent)
            if book is None or book.epoch != epoch:
                book = self._buffers[agent] = LogBuffer(agent, epoch)
            self._buffers.move_to_end(agent)
            if not book.loaded or (book.trouble and not len(book)):
                self._fetch(book, "newest")
        for agent in self.wanted:
            self._buffers[agent].share_with(len(self.wanted))
        self._let_go(list(self._buffers)[: -len(self.wanted) or None])

    def _let_go(self, kept: list[str]) -> None:
        """Let go of logs that are not on show any more, the oldest first, until the others are few and small."""
        while kept and (
            len(self._buffers) > KEPT
            or sum(len(self._buffers[agent]) for agent in kept) > MOST_KEPT
            or sum(self._buffers[agent].size for agent in kept) > MOST_BYTES_KEPT
        ):
            del self._buffers[kept.pop(0)]

    def _follow(self) -> None:
        if self._source is not None:
            self._run(self._follow_now(self._source))

    async def _follow_now(self, source: Source) -> None:
        books = [self._buffers[agent] for agent in self.wanted if agent in self._buffers]
        await source.follow({book.agent: book.end for book in books if book.loaded and not book.trouble})

    def _take(self, page: LogPage) -> None:
        """Put a page of a followed log where it belongs; one that overlaps what is held is read again instead."""
        from controlroom.tui.logs.log_buffer import place_order

        book = self._buffers.get(page.agent)
        if book is None or not book.loaded or book.end is None or page.start.epoch != book.epoch:
            return
        if place_order(page.end) <= place_order(book.end):
            return
        if book.behind or (book.anchored and not book.fits(page)):
            book.behind, book.missed = True, page.end
            book.unseen += len(page.records)
            self._changed(book)
            return
        if place_order(page.start) < place_order(book.end):
            book.behind, book.missed = True, page.end
            self._fetch(book, "newer")
            return
        if page.skipped:
            book.skipped += page.skipped
            book.begin_again(page)
        else:
            book.append(page)
        self._changed(book)

    # ------------------------------------------------------------------ fetching

    def _fetch(self, book: LogBuffer, which: str) -> None:
        """Fetch a page, but for what is on its way; what follows on the newest is asked for when that is here."""
        which = "newest" if book.trouble and not len(book) else which
        if self._source is None or not self._busy.isdisjoint({(id(book), which), (id(book), "newest")}):
            return
        self._busy.add((id(book), which))
        self._tried[book.agent] = self._monotonic()
        self._run(self._fetch_now(self._source, book, which))

    async def _fetch_now(self, source: Source, book: LogBuffer, which: str) -> None:
        generation = book.generation
        try:
            page = await self._page(source, book, which)
        finally:
            self._busy.discard((id(book), which))
        if page is None or generation != book.generation or source is not self._source:
            return
        self._put(book, which, page)
        self._changed(book)
        if which == "newest" or not book.behind:
            await self._follow_now(source)

    async def _page(self, source: Source, book: LogBuffer, which: str) -> LogPage | None:
        if which == "newest" or book.start is None or book.end is None:
            return await source.fetch(book.agent, book.epoch, None, PAGE)
        if which == "newer":
            return await source.fetch(book.agent, book.end.epoch, None, PAGE, book.end)
        before = None if book.start.segment < 0 else book.start
        return await source.fetch(book.agent, book.start.epoch, before, PAGE)

    def _put(self, book: LogBuffer, which: str, page: LogPage) -> None:
        if which == "newest":
            book.begin_again(page)
        elif which == "older":
            book.prepend(page)
        elif page.reason and page.end.epoch == book.epoch:
            book.stuck = page.reason
        elif page.records:
            book.append(page)
        else:
            book.at_end(page)
