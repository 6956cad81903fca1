"""A piece of work that is done again and again: soon after it was wanted, and never twice at a time."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("controlroom.engine")

_NEVER = float("inf")


class Rounds:
    """All methods are called on the event loop. Times are seconds."""

    def __init__(self, work: Callable[[], Awaitable[float]], name: str, again: float) -> None:
        """`work` gives the seconds until it should be done again at the latest; `again`: those after a failure."""
        self._work, self._name, self._again = work, name, again
        self._due = _NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def want(self, seconds: float) -> None:
        """Have it done within so many seconds, or as soon as the round that is on has ended."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if due < self._due:
            self._due = due
            if self._task is None:
                self._set(due)

    def close(self) -> None:
        """Do it no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def wait_idle(self, seconds: float) -> None:
        """Wait until none is on, and none is due within so many seconds."""
        loop = asyncio.get_running_loop()
        while self._task is not None or self._due - loop.time() <= seconds:
            if self._task is not None:
                await asyncio.wait([self._task])
            else:
                await asyncio.sleep(max(0.0, self._due - loop.time()))

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._begin)

    def _begin(self) -> None:
        self._due = _NEVER
        self._task = asyncio.get_running_loop().create_task(self._round(), name=self._name)

    async def _round(self) -> None:
        pause = self._again
        with contextlib.suppress(asyncio.CancelledError):
            try:
                pause = await self._work()
            except Exception:
                log.exception("%s failed", self._name)
            self._task = None
            self.want(pause)
            self._set(self._due)
