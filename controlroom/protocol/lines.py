"""Whole lines from a stream of the engine's socket."""

import asyncio
from collections import deque

from controlroom.wire.lines import LineSplitter


class Lines:
    """Reads a stream line by line; lines have at most `limit` bytes."""

    def __init__(self, stream: asyncio.StreamReader, limit: int) -> None:
        self._stream = stream
        self._splitter = LineSplitter(limit)
        self._ready: deque[bytes] = deque()

    async def next(self) -> bytes | None:
        """Give the next line, or None at the end. Raises `PeerError` for one that is too long, `OSError`."""
        while not self._ready:
            data = await self._stream.read(65536)
            if not data:
                return None
            self._ready.extend(self._splitter.feed(data))
        return self._ready.popleft()
