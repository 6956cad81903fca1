"""What became of an order."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """What became of an order: `done`, `refused` (nothing changed) or `unknown`, and why."""

    outcome: str
    reason: str = ""
    half: bool = False
    """Of an order to end a run and begin another: the first half was done, and the second for certain was not."""
    looked: bool = field(default=False, compare=False)
    """Its host did not say so: it was seen there, after the link was lost."""
