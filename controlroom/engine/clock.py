"""The engine's clocks: that of the wall, which may be set, and one that nobody sets. Times are milliseconds."""

import time

JUMP = 1_000
"""By how much the clock of the wall has to be set to count as set: less is the daily care of time servers."""

_STEADY = getattr(time, "CLOCK_BOOTTIME", None) or time.CLOCK_MONOTONIC
"""Both go on while the machine sleeps (clock_gettime(2) of Linux and of macOS): the time slept has passed, indeed."""


def steady() -> int:
    """Give the time since some moment of the past, which is the same until the machine is started anew."""
    return time.clock_gettime_ns(_STEADY) // 1_000_000


class ClockWatch:
    """Notices that the clock of the wall was set, by one that is not."""

    def __init__(self, wall: int, steady: int) -> None:
        self._lead = wall - steady

    def was_set(self, wall: int, steady: int) -> int:
        """Say by how much it was set since the last look: 0 when it was not."""
        by = wall - steady - self._lead
        self._lead += by
        return by if abs(by) >= JUMP else 0
