"""Processor time for the front ends at one socket, all of them together.

Operators take what they need. Watchers wait their turn, in order of arrival, while they have used up their share of a
core; every step done for them counts, on the engine's loop and in threads. What blocks (reading the ledger) has threads
of its own for each kind: neither operators nor the engine wait for a thread that works for a watcher.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SHARE = 0.15
"""Of a core: what all watchers together may take for long."""

AT_ONCE = 0.5
"""Seconds of work that they may have done at once."""

THREADS = 4
"""Questions of operators that are worked on at once."""


class Turns:
    """Front ends that wait for nothing but a thread."""

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="answers")

    async def turn(self) -> None:
        """Wait until something may be done for one of them."""

    def counted(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """Return the same work for a task, whose processor time is counted."""
        return work

    async def apart(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Start nothing more in a thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class SharedTurns(Turns):
    """Front ends that have a share of the engine's time together. `clock`: seconds, of a clock that is never set."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(threads=1)
        self._clock = clock
        self._left, self._at = AT_ONCE, clock()
        self._line = asyncio.Lock()

    async def turn(self) -> None:
        """Wait until those before have had their turn, and there is something left of the share."""
        async with self._line:
            while True:
                seconds = self.owed()
                if not seconds:
                    return
                await asyncio.sleep(seconds)

    def counted(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """Return the same work for a task, whose processor time is counted."""
        return _Counted(work, self.used)

    async def apart(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks in the one thread for them, in turn."""
        await self.turn()
        result, seconds = await super().apart(_timed, lambda: call(*args, **kwargs))
        self.used(seconds)
        return result

    def used(self, seconds: float) -> None:
        """Count processor time that was taken for one of them."""
        self.owed()
        self._left -= seconds

    def owed(self) -> float:
        """The seconds to wait until something is left of the share."""
        now = self._clock()
        self._left, self._at = min(AT_ONCE, self._left + SHARE * max(0.0, now - self._at)), now
        return max(0.0, -self._left / SHARE)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return what a call gives, and the processor time that it took its thread."""
    began = time.thread_time()
    return call(), time.thread_time() - began


class _Counted(Coroutine[Any, Any, T]):
    """Work for a task: what each of its steps takes, from one wait to the next, is counted."""

    def __init__(self, work: Coroutine[Any, Any, T], used: Callable[[float], None]) -> None:
        self._work, self._used = work, used

    def send(self, value: Any) -> Any:
        return self._step(lambda: self._work.send(value))

    def throw(self, *problem: Any) -> Any:
        return self._step(lambda: self._work.throw(*problem))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._work.__await__()

    def _step(self, go_on: Callable[[], Any]) -> Any:
        began = time.thread_time()
        try:
            return go_on()
        finally:
            self._used(time.thread_time() - began)
