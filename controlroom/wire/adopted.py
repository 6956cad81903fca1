"""What home asks about an agent that others started and that it has adopted: a signal is all that reaches it.

A mark names one process of one run of a machine for ever: `BOOT.PID.START`. The order carries the marks that a person
was shown, so that it can fit no other process, whatever has its pid by now.
"""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AdoptedSignal


@dataclass(frozen=True)
class SignalAdopted:
    """Interrupt or end an agent that others started: the process with this mark, and what it has started."""

    id: int
    name: str
    mark: str
    signal: AdoptedSignal
    script: str = ""
    """The mark of the script that runs it, which ends with it; empty: there is none, or it runs others, too."""
    session: str = ""
    """Done only when no other process is at work on this session; empty: that matters to nobody."""
