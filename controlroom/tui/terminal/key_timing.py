"""When keys came: one that is held down decides nothing, nor one that was pressed before anybody could have read."""

from collections.abc import Callable

HELD = 0.3
"""Seconds within which the same key again is taken for one that is held down."""

STARTLE = 0.4
"""Seconds that something must have been on show, unless a key brought it there, before a key may answer it."""


class KeyTiming:
    """Remembers the last keys. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._key = ""
        self._key_at = self._key_before = -1000.0

    def held(self, key: str) -> bool:
        """Take note of a key; says whether it is the same as before, held down: such a key decides nothing."""
        now = self._monotonic()
        held = key == self._key and now - self._key_at < HELD
        self._key, self._key_at, self._key_before = key, now, self._key_at
        return held

    def startled(self, shown_at: float | None) -> bool:
        """Say whether something came under the finger: it appeared by itself, too late for a key to be meant for it."""
        if shown_at is None:
            return True
        by_hand = self._key_before >= shown_at - STARTLE
        return not by_hand and self._monotonic() - shown_at < STARTLE
