"""How long to wait before trying again: about a second at first, then longer each time, never all at once."""

import random

FIRST, KEEN, MOST = 0.5, 1.0, 30.0
"""Seconds: the first wait, those of the first minute (a network that was away is back soon), the longest, at most."""

_KEEN_TRIES = 60


class Backoff:
    """Waits of a fifth to the whole of a time that grows from `FIRST` to `KEEN`, and after a minute to `MOST`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._tries = 0

    def next(self) -> float:
        """Give the seconds to wait now; the next wait will be longer."""
        most = min(KEEN, FIRST * 2.0 ** min(self._tries, 1))
        if self._tries > _KEEN_TRIES:
            most = min(MOST, KEEN * 2.0 ** min(self._tries - _KEEN_TRIES, 16))
        self._tries += 1
        return self._rng.uniform(0.2, 1.0) * most

    def longest(self) -> float:
        """Give a wait from the longest ones, for who has misbehaved."""
        return self._rng.uniform(0.2, 1.0) * MOST

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._tries = 0
