"""When an agent that a budget has paused is told to go on: at once; later each time that it is paused again soon.

What counts is that it has gone on: an order that came to nothing holds no other up for long.
"""

from dataclasses import replace

from controlroom.text.lazy_dataclass import dataclass

SOON = 60_000
"""Milliseconds until one that was paused again may go on again; then twice that, and so on."""

LONGEST = 3_600_000

WELL = 600_000
"""Milliseconds that an agent must have run for its pause to be a new matter."""

NOTHING = 1_000
"""Milliseconds until it is told again where the last order came to nothing; then twice that, and so on."""


@dataclass(frozen=True)
class Resumptions:
    """What was done about the pauses of one agent, by the engine that runs."""

    at: int = 0
    """When it went on last by an order of ours; UTC ms."""
    count: int = 0
    """How often it did, one soon after the other."""
    began: int = 0
    """When the youngest period of its budgets had begun."""
    told: int = 0
    """When it was told last to go on; UTC ms."""
    epoch: int = 0
    """The run that had been paused then; 0: what came of it is counted."""
    nothing: int = 0
    """How many orders came to nothing, one after the other."""

    def seen(self, epoch: int, ended: int, began: int) -> "Resumptions":
        """Take in a pause: which run it is, when that ended, and when the youngest period of its budgets began."""
        known = self
        if self.epoch and epoch == self.epoch:
            known = replace(self, epoch=0, nothing=self.nothing + 1)
        elif self.epoch:
            known = replace(self, epoch=0, nothing=0, at=self.told, count=self.count + 1)
        if began > known.began or ended - known.at > WELL:
            known = replace(known, count=0, began=began)
        return known

    def wait(self, now: int) -> int:
        """Milliseconds until it may be told to go on."""
        again = _left(self.at, min(LONGEST, SOON << min(self.count - 1, 16)), now) if self.count else 0
        nothing = _left(self.told, min(LONGEST, NOTHING << min(self.nothing - 1, 16)), now) if self.nothing else 0
        return max(again, nothing)

    def telling(self, epoch: int, now: int) -> "Resumptions":
        """It is told to go on, after this run."""
        return replace(self, epoch=epoch, told=now)


def _left(since: int, most: int, now: int) -> int:
    """What is left of a wait; a clock that was set back ends it."""
    return max(0, since + most - now) if since <= now else 0
