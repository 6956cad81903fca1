"""Lines of the engine's socket, read whole, and log pages that wait for it, within a bound."""

import asyncio
from collections import deque
from dataclasses import replace

from controlroom.protocol.messages import Page
from controlroom.wire.lines import LineSplitter


class Lines:
    """Reads a stream line by line; lines have at most `limit` bytes."""

    def __init__(self, stream: asyncio.StreamReader, limit: int) -> None:
        self._stream = stream
        self._splitter = LineSplitter(limit)
        self._ready: deque[bytes] = deque()

    async def next(self) -> bytes | None:
        """Return the next line, or None at the end. Raises `PeerError` for one that is too long, `OSError`."""
        while not self._ready:
            data = await self._stream.read(65536)
            if not data:
                return None
            self._ready.extend(self._splitter.feed(data))
        return self._ready.popleft()


LIMIT = 512 * 1024
"""Bytes of records that may wait for one reader."""


class PageQueue:
    """Pages of many agents, given out in turn so that one flood delays nobody; in order for each agent."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting: dict[str, deque[Page]] = {}
        self._sizes: dict[str, int] = {}
        self._skipped: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def size(self) -> int:
        """Bytes of records that wait."""
        return sum(self._sizes.values())

    def agents(self) -> set[str]:
        """Return the agents whose pages wait, or some of whose pages were skipped."""
        return {*self._waiting, *self._skipped}

    def put(self, page: Page) -> None:
        """Add a page; when that is too much, the oldest of whoever has most are skipped."""
        self._waiting.setdefault(page.agent, deque()).append(page)
        self._sizes[page.agent] = self._sizes.get(page.agent, 0) + page.size
        while self.size > self._limit:
            fattest = max(self._sizes, key=self._sizes.__getitem__)
            dropped = self._take(fattest)
            self._skipped[fattest] = self._skipped.get(fattest, 0) + dropped.size + dropped.skipped

    def pop(self) -> Page:
        """Return the next page, the agents taking turns. Raises `IndexError` when nothing waits."""
        if not self._waiting:
            raise IndexError("no page waits")
        agent = next(iter(self._waiting))
        page = self._take(agent)
        if agent in self._waiting:
            self._waiting[agent] = self._waiting.pop(agent)
        skipped = self._skipped.pop(agent, 0)
        return replace(page, skipped=page.skipped + skipped) if skipped else page

    def drop(self, agent: str) -> None:
        """Forget what waits for an agent that is no longer wanted."""
        self._waiting.pop(agent, None)
        self._sizes.pop(agent, None)
        self._skipped.pop(agent, None)

    def _take(self, agent: str) -> Page:
        pages = self._waiting[agent]
        page = pages.popleft()
        self._sizes[agent] -= page.size
        if not pages:
            del self._waiting[agent], self._sizes[agent]
        return page
