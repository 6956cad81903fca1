"""When somebody looked last: remembered from key to key, and from one time to the next."""

from controlroom.domain.display.absence import AWAY, Look, look
from controlroom.domain.model import Fleet
from controlroom.tui.look.memory import Memory

_KEEP = 60_000
"""Milliseconds between two writings of it at least."""


class LastLook:
    """Keeps the last look, and the one before an absence; times are UTC milliseconds."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._last = memory.looked() if memory else None
        self._before: Look | None = None
        self._kept = 0

    def touched(self, fleet: Fleet, now: int) -> None:
        """Somebody pressed a key or tapped."""
        if self._last is not None and now - self._last.at >= AWAY:
            self._before = self._last
        self._last = look(fleet, now)
        if self._memory is not None and now - self._kept >= _KEEP:
            self._kept = now
            self._memory.remember_look(self._last)

    def before(self, now: int) -> Look | None:
        """Give the look since which things are news; None: somebody was here all the time."""
        away = self._last is not None and now - self._last.at >= AWAY
        return self._last if away else self._before

    def leave(self, fleet: Fleet, now: int) -> None:
        """The screen closes: what was on it was seen."""
        self._kept = 0
        self.touched(fleet, now)
