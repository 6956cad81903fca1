"""What became of something that was asked for. One set, from the node on a host to the exit code of a verb."""

from enum import Enum


class Outcome(str, Enum):
    """`refused` promises that nothing has changed, `unknown` means: look again. Any other word counts as unknown."""

    DONE = "done"
    REFUSED = "refused"
    HALF = "half"
    """Of an order to end a run and begin another: the old one was ended, and the new one does not begin."""
    ASKED = "asked"
    """It is on its way, and nobody waited for more."""
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def _missing_(cls, value: object) -> "Outcome":
        return cls.UNKNOWN
