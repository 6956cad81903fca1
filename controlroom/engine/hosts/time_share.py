"""How much of the engine's time one host may take: what goes beyond is put off, and who never gives way is cut off.

Messages cost very different things, so it is their cost that is counted: seconds of processor time that the engine took
to read and to follow them.
"""

from dataclasses import dataclass

SHARE = 0.15
"""Of a core: what one host may take for long."""

AT_ONCE = 1.5
"""Seconds of work that it may ask for at once: all of five thousand agents, and again when its link comes back."""

PATIENCE = 30.0
"""Seconds for which it may go on asking for more than its share. Till then it is only slowed."""

SLICE = 0.005
"""Seconds of work after which others have their turn."""


@dataclass
class _Allowance:
    """Seconds of work that are left; they come back as time passes."""

    left: float = AT_ONCE
    at: float = 0.0
    empty_since: float | None = None

    def take(self, cost: float, now: float) -> None:
        self.left = min(AT_ONCE, self.left + SHARE * max(0.0, now - self.at)) - cost
        self.at = now
        if self.left >= AT_ONCE / 2:
            self.empty_since = None
        elif self.left < 0 and self.empty_since is None:
            self.empty_since = now


class Share:
    """One host's share, from when its link is up. Times are seconds of one clock."""

    def __init__(self, now: float) -> None:
        self._all, self._unasked = _Allowance(at=now), _Allowance(at=now)
        self._slice = 0.0
        self._costs: dict[str, float] = {}

    def used(self, kind: str, cost: float, now: float, *, asked: bool) -> float | None:
        """Count what a message of this kind has cost; give the seconds to wait before the next is read.

        `asked`: it answers us; as much as we asked for is slowed, but never held against the host. None: nothing is
        to be waited for.
        """
        self._all.take(cost, now)
        self._unasked.take(0.0 if asked else cost, now)
        if not asked:
            self._costs[kind] = self._costs.get(kind, 0.0) + cost
        self._slice += cost
        if self._all.left < 0:
            self._slice = 0.0
            return -self._all.left / SHARE
        if self._slice >= SLICE:
            self._slice = 0.0
            return 0.0
        return None

    def is_spent(self, now: float) -> bool:
        """Say whether a host has asked for more than its share for too long."""
        since = self._unasked.empty_since
        return since is not None and now - since >= PATIENCE

    @property
    def dearest(self) -> str:
        """The kind of message that has cost the most."""
        return max(self._costs, key=lambda kind: self._costs[kind], default="")
