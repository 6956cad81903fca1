"""What a profile says its agents may take, and what ends those that take more."""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Cause


@dataclass(frozen=True)
class CareRules:
    """The limits of a profile's agents. A runner holds its own to them; of the others only this room can. 0: none."""

    hours: float = 0.0
    """After which an agent is ended, whatever else is said here."""
    quiet: int = 0
    """Milliseconds that an agent may work without a word."""
    same_failures: int = 0
    """Times in a row that the same call may fail."""
    memory: int = 0
    """Bytes that an agent and everything it starts may take."""
    processes: int = 0
    ends: tuple[Cause, ...] = ()
    """The troubles (`text.states.TROUBLES`) that end an agent: of the others it is told."""
