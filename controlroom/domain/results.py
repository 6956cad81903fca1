"""What became of what somebody wanted: one record, from the host that answers to the key that was pressed."""

from dataclasses import dataclass, field

from controlroom.text.outcome import Outcome


@dataclass(frozen=True)
class Result:
    """What became of an intent or of the order that came of it, and why."""

    outcome: Outcome
    reason: str = ""
    op: int = field(default=0, compare=False)
    """Number of the order; 0: there was none."""
    agent: str = field(default="", compare=False)
    """Id of the agent that it is about, where there is one, and the epoch that it wanted of it."""
    epoch: int = field(default=0, compare=False)
    half: bool = False
    """Of an order to end a run and begin another: the first half was done, and the second for certain was not."""
    looked: bool = field(default=False, compare=False)
    """Its host did not say so: it was seen there, after the link was lost."""

    @property
    def ok(self) -> bool:
        """Whether it is done, or on its way as was wished."""
        return self.outcome in (Outcome.DONE, Outcome.ASKED)
