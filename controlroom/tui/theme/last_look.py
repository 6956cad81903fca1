"""When somebody looked last: remembered from key to key, and from one time to the next."""

from controlroom.domain.display.absence import AWAY, Look, look
from controlroom.domain.model import Fleet
from controlroom.tui.theme.memory import Memory

_KEEP = 60_000
"""Milliseconds between two writings of it at least."""


class LastLook:
    """Keeps the last look, and the one before an absence; times are UTC milliseconds.

    What stood on the screen is summed up when that is asked for, not at each key.
    """

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._last = memory.looked() if memory else None
        self._seen: tuple[Fleet, int] | None = None
        """What was seen since, and when, while that is not summed up."""
        self._before: Look | None = None
        self._kept = 0

    def touched(self, fleet: Fleet, now: int) -> None:
        """Somebody pressed a key or tapped."""
        at = self._looked_at()
        if at is not None and now - at >= AWAY:
            self._before = self._look()
        self._seen = fleet, now
        if self._memory is not None and now - self._kept >= _KEEP and (last := self._look()):
            self._kept = now
            self._memory.remember_look(last)

    def before(self, now: int) -> Look | None:
        """Give the look since which things are news; None: somebody was here all the time."""
        at = self._looked_at()
        return self._look() if at is not None and now - at >= AWAY else self._before

    def leave(self, fleet: Fleet, now: int) -> None:
        """The screen closes: what was on it was seen."""
        self._kept = 0
        self.touched(fleet, now)

    def _looked_at(self) -> int | None:
        if self._seen is not None:
            return self._seen[1]
        return self._last.at if self._last else None

    def _look(self) -> Look | None:
        """Give the last look."""
        if self._seen is not None:
            self._last, self._seen = look(*self._seen), None
        return self._last
