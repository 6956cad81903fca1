"""How long to wait before trying again: longer each time, never all at once, never for ever."""

import random

FIRST, MOST = 0.5, 30.0
"""Seconds."""


class Backoff:
    """Waits of `uniform(.2, 1) * min(30, .5 * 2^n)` seconds."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._tries = 0

    def next(self) -> float:
        """Give the seconds to wait now; the next wait will be longer."""
        most = min(MOST, FIRST * 2.0 ** min(self._tries, 16))
        self._tries += 1
        return self._rng.uniform(0.2, 1.0) * most

    def longest(self) -> float:
        """Give a wait from the longest ones, for who has misbehaved."""
        return self._rng.uniform(0.2, 1.0) * MOST

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._tries = 0
