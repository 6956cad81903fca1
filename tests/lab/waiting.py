"""Wait for a condition with a deadline; the failure shows the last value seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

Value = TypeVar("Value")
LONGEST_SHOWN = 4000  # characters of the last value in a failure
LOADED = 4  # times longer than a free machine a busy one may take: deadlines say what is usual
SHARE, LONGEST_PAUSE = 3, 0.5
"""A pause lasts at least so many times as long as the look before it, up to this many seconds: a look may start a
process or read a whole log, and what waits must leave the processor to what it waits for."""
NOT_YET = (AssertionError, LookupError, FileNotFoundError)
"""What a condition raises while what it looks into has not come."""


def pause_after(began: float, poll: float) -> float:
    """Seconds until the next look, after one that began then."""
    return max(poll, min(LONGEST_PAUSE, SHARE * (time.monotonic() - began)))


class NotInTime(AssertionError):
    """The condition did not come true before its deadline."""


def failure(what: str, deadline: float, last: object) -> NotInTime:
    """The error for a condition that was last seen as `last`."""
    shown = last if isinstance(last, str) else repr(last)
    return NotInTime(
        f"not within {LOADED * deadline:g} s: {what or 'the condition'}\nlast seen: {shown[:LONGEST_SHOWN]}"
    )


def wait_for(
    condition: Callable[[], Value],
    deadline: float = 10.0,
    what: str = "",
    poll: float = 0.02,
) -> Value:
    """Call `condition` until its value is true, and return that value.

    An error of NOT_YET inside the condition means "not yet"; any other exception passes through.
    `deadline` and `poll` are seconds of a machine that has nothing else to do. Raises NotInTime.
    """
    end = time.monotonic() + LOADED * deadline
    while True:
        last: object
        began = time.monotonic()
        try:
            value = condition()
            if value:
                return value
            last = value
        except NOT_YET as error:
            last = error
        if time.monotonic() > end:
            raise failure(what, deadline, last)
        time.sleep(pause_after(began, poll))


@overload
async def wait_for_async(
    condition: Callable[[], Awaitable[Value]], deadline: float = 10.0, what: str = "", poll: float = 0.02
) -> Value: ...


@overload
async def wait_for_async(
    condition: Callable[[], Value], deadline: float = 10.0, what: str = "", poll: float = 0.02
) -> Value: ...


async def wait_for_async(
    condition: Callable[[], object], deadline: float = 10.0, what: str = "", poll: float = 0.02
) -> object:
    """The twin of `wait_for` for an event loop; the condition may be a plain or an async function."""
    end = time.monotonic() + LOADED * deadline
    while True:
        last: object
        began = time.monotonic()
        try:
            made = condition()
            left = max(0.0, end - time.monotonic()) + poll
            value = await asyncio.wait_for(made, left) if isinstance(made, Awaitable) else made
            if value:
                return value
            last = value
        except TimeoutError:
            raise failure(what, deadline, "still running") from None
        except NOT_YET as error:
            last = error
        if time.monotonic() > end:
            raise failure(what, deadline, last)
        await asyncio.sleep(pause_after(began, poll))
