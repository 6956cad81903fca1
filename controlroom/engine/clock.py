"""Clocks: the wall clock, which may be set, one that nobody sets, and those of hosts. Times are milliseconds.

What a host reports was dated by its clock as it stood then. If that clock has been set since, a time is read by the
newest of its courses that can have shown it.
"""

import time
from typing import NamedTuple

JUMP = 1_000
"""By how much the clock of the wall has to be set to count as set: less is the daily care of time servers."""

_STEADY = getattr(time, "CLOCK_BOOTTIME", None) or time.CLOCK_MONOTONIC
"""Both go on while the machine sleeps (clock_gettime(2) of Linux and of macOS): the time slept has passed, indeed."""


def steady() -> int:
    """Return the time since some moment of the past, which is the same until the machine is started anew."""
    return time.clock_gettime_ns(_STEADY) // 1_000_000


class ClockWatch:
    """Notices that the clock of the wall was set, by one that is not."""

    def __init__(self, wall: int, steady: int) -> None:
        self._lead = wall - steady

    def was_set(self, wall: int, steady: int) -> int:
        """Return by how much it was set since the last look: 0 when it was not."""
        by = wall - steady - self._lead
        self._lead += by
        return by if abs(by) >= JUMP else 0


_DOUBT = 5_000
"""By how much two measurements may differ though the clock was not set: messages are under way for a while."""

_DRIFT = 1_000
"""One part in so many by which the clocks of two machines may drift from each other."""

_MOST = 16
"""Courses that are remembered."""


class _Course(NamedTuple):
    """What a clock showed between two settings."""

    first: int
    last: int
    lead: int


class HostClock:
    """One host's clock."""

    def __init__(self) -> None:
        self._lead: int | None = None
        """How far it is ahead of our steady clock; None: not measured yet."""
        self._first, self._looked = -(2**62), 0
        self._before: list[_Course] = []

    def measured(self, shown: int, steady: int) -> None:
        """Take what it showed at a moment of our steady clock."""
        passed = max(0, steady - self._looked)
        if self._lead is not None:
            expected = self._lead + steady
            if abs(shown - expected) > _DOUBT + passed // _DRIFT:
                self._before = [*self._before[1 - _MOST :], _Course(self._first, expected, self._lead)]
                self._first = shown - passed
        self._lead, self._looked = shown - steady, steady

    def ahead(self, wall: int, steady: int) -> int:
        """Return how far it is ahead of our wall's clock; 0 when it was never measured."""
        return 0 if self._lead is None else self._lead + steady - wall

    def as_now(self, at: int, steady: int) -> int:
        """A time that the host wrote down as its clock would have shown it, had it always stood as it does now."""
        lead = self._lead
        if lead is None or not self._before or self._first - JUMP <= at <= lead + steady + JUMP:
            return at
        for course in reversed(self._before):
            if course.first - JUMP <= at <= course.last + JUMP:
                return at + lead - course.lead
        return at
