"""What somebody wants of an agent that others started, and what its host is then asked."""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AdoptedSignal


@dataclass(frozen=True)
class AdoptAgent:
    """Take over an agent that somebody else started; one that was taken over before is renamed, or begun anew."""

    agent: str
    mark: str
    """The process that it was shown with: refused when it is another one by now."""
    name: str = ""
    """What it is called from now on; empty: as it was, else as its session or folder is."""
    profile: str = ""
    """Whose limits bind it from now on (`adopted_care`), and what it is begun with under a runner."""
    restart: bool = False
    """End it now, and go on with its session under a runner."""
    when_ended: bool = False
    """Go on with its session under a runner once it has ended by itself."""
    task: str = ""
    """What it is told then; empty: to go on where it stopped."""


@dataclass(frozen=True)
class RestartAdopted:
    """Go on with the session of an agent that was taken over, under a runner; its processes are ended first."""

    agent: str
    mark: str


@dataclass(frozen=True)
class SignalOn:
    """Interrupt or end, by signals to its processes, an agent that others started and that was taken over."""

    host: str
    name: str
    mark: str
    signal: AdoptedSignal
    script: str = ""
    """The mark of the script that ends with it."""
    session: str = ""
    """The session that is to go on: nobody else may be at work on it."""
    epoch: int = 0
