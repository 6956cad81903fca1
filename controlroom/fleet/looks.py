"""One look after another, never two at once: soon after something has happened, and when there is nothing new, too."""

import asyncio
import time
from collections.abc import Awaitable, Callable

SOON = 0.1
"""Seconds for which what happens is gathered."""

SLOWEST, SHARE = 0.5, 8
"""Seconds between two looks at most; how many times longer than a look takes the time to the next one is."""


class Looks:
    """Has something looked at. All methods are called on the event loop."""

    def __init__(self, look: Callable[[], Awaitable[float]]) -> None:
        """`look` does it, raises nothing, and gives the seconds after which it is to be done again in any case."""
        self._look_once = look
        self._task: asyncio.Task[None] | None = None
        self._wanted = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._pace = SOON

    @property
    def busy(self) -> bool:
        """Whether it is being looked, or will be soon."""
        return self._task is not None or self._wanted

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def stir(self, seconds: float | None = None) -> None:
        """Look soon, or after so many seconds."""
        if not self._wanted:
            self._wanted = True
            self._look_in(self._pace if seconds is None else seconds)

    def _look_in(self, seconds: float) -> None:
        """Look after so many seconds, or before, when that was said already."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._due <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._due = loop.time() + seconds
        self._timer = loop.call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._task is not None:
            self._look_in(SOON)
            return
        self._wanted = False
        self._task = asyncio.get_running_loop().create_task(self._look(), name="look")

    async def _look(self) -> None:
        began, again = time.thread_time(), SLOWEST
        try:
            again = await self._look_once()
        finally:
            self._task = None
            self._pace = min(SLOWEST, max(SOON, SHARE * (time.thread_time() - began)))
        self._look_in(max(SOON, again))
