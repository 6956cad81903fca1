"""Tasks that nobody awaits: collected, so that they end with the engine, or repeated at a bounded pace."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

log = logging.getLogger("controlroom.engine")


GOODBYE = 1.5
"""Seconds for what is cancelled to tidy up when the engine ends. What it does not get done the next engine finds."""


async def end_all(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel tasks, and wait until they have ended; one that tidies up for too long is cancelled in that, too."""
    left = set(tasks)
    for _ in range(2):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=GOODBYE)


class BackgroundTasks:
    """A set of tasks of one kind. All methods are called on the event loop."""

    def __init__(self, name: str) -> None:
        """`name` says of what kind they are."""
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._tasks)

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task; its failure is a line in the log."""
        task = asyncio.get_running_loop().create_task(work, name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def close(self) -> None:
        """End all that are under way."""
        for task in self._tasks:
            task.cancel()

    async def end(self) -> None:
        """Cancel all that are under way, and wait until they have ended."""
        await end_all(self._tasks)

    async def wait_idle(self) -> None:
        """Wait until none is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (mistake := task.exception()) is not None:
            log.error("%s failed", self._name, exc_info=mistake)


SOON = 0.1
"""Seconds for which what happens is gathered, and between two rounds at least when nobody wants one."""

SLOWEST, SHARE = 1.0, 8
"""Seconds for which it is gathered at most; how many times longer that is than a round took of the loop's time."""

_NEVER = float("inf")


class Debouncer:
    """Repeated work, soon after it was wanted and never twice at a time. Times are seconds. Of the event loop."""

    def __init__(self, work: Callable[[], Awaitable[float]], name: str, again: float) -> None:
        """`work` gives the seconds until it should be done again at the latest; `again`: those after a failure."""
        self._work, self._name, self._again = work, name, again
        self._wanted = self._latest = _NEVER
        """The loop's times at which one was wanted, and is due though nobody wants it."""
        self._pace = SOON
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether one is on, or was wanted and will begin soon."""
        return self._task is not None or self._comes_soon()

    def want(self, seconds: float | None = None) -> None:
        """Schedule a round within `seconds`, or at its pace, or after the round that is on.

        One that was wanted and comes soon is not hurried: all that happens until then is gathered for it.
        """
        if not self._closed and not self._comes_soon():
            due = asyncio.get_running_loop().time() + (self._pace if seconds is None else seconds)
            self._wanted = min(self._wanted, due)
            self._set()

    def close(self) -> None:
        """Do it no more."""
        self._closed, self._wanted = True, _NEVER
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def wait_idle(self) -> None:
        """Wait until none is on, and none that was wanted will begin soon."""
        while self.busy:
            if self._task is not None:
                await asyncio.wait([self._task])
            else:
                await asyncio.sleep(max(0.0, self._wanted - asyncio.get_running_loop().time()))

    def _comes_soon(self) -> bool:
        return self._wanted - asyncio.get_running_loop().time() <= SLOWEST

    def _set(self) -> None:
        """Schedule the next round, unless one is on."""
        if self._task is None and not self._closed:
            if self._timer is not None:
                self._timer.cancel()
            due = min(self._wanted, self._latest)
            self._timer = asyncio.get_running_loop().call_at(due, self._begin)

    def _begin(self) -> None:
        self._wanted = _NEVER
        self._task = asyncio.get_running_loop().create_task(self._round(), name=self._name)

    async def _round(self) -> None:
        task, began, pause = asyncio.current_task(), time.thread_time(), self._again
        try:
            pause = await self._work()
        except (Exception, asyncio.CancelledError):
            if task is not None and task.cancelling():  # what it awaited may be cancelled, too: that is a failure
                self._closed, self._wanted = True, _NEVER
                raise
            log.exception("%s failed", self._name)
        finally:
            self._task = None
        self._pace = min(SLOWEST, max(SOON, SHARE * (time.thread_time() - began)))
        self._latest = asyncio.get_running_loop().time() + max(SOON, pause)
        self._set()
