"""How a process ended, in words, and how a request is refused."""

import os
import signal

from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import Cause

VMSTAT = "/proc/vmstat"


class Refused(Exception):
    """A request that cannot be done now; the text says why, and nothing has changed."""


class Unsigned(Refused):
    """An order that is not its room's: whoever gave it is to be known at home."""


class Unfit(Exception):
    """The agent cannot be started; the text says what is wrong, where, and what to do."""

    def __init__(self, words: str, cause: Cause = Cause.NONE) -> None:
        super().__init__(words)
        self.cause = cause


class Unpaid(Exception):
    """The agent must not be started: no budget pays for it. The text says which."""


class Exit(NamedTuple):
    """How the agent's own process ended: by itself with a code, or by a signal."""

    code: int | None = None
    signal: int | None = None
    starved: bool = False
    """The kernel killed for want of memory on this machine while the agent ran."""

    @property
    def cause(self) -> Cause:
        """Why it ended so, where that is known."""
        killed = self.signal == signal.SIGKILL or self.code == 128 + signal.SIGKILL
        return Cause.OUT_OF_MEMORY if killed and self.starved else Cause.NONE

    def words(self) -> str:
        """Say it in a few words: `exit 1`, `killed by SIGSEGV`, `probably out of memory`."""
        if self.cause is Cause.OUT_OF_MEMORY:
            return "probably out of memory" if self.signal else f"exit {self.code}, probably out of memory"
        return f"killed by {signal_name(self.signal)}" if self.signal else f"exit {self.code}"


def from_status(status: int, starved: bool = False) -> Exit:
    """Read what `waitpid` gave."""
    if os.WIFSIGNALED(status):
        return Exit(signal=os.WTERMSIG(status), starved=starved)
    return Exit(code=os.waitstatus_to_exitcode(status), starved=starved)


def signal_name(number: int) -> str:
    """Name a signal; one without a name is `signal 40`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def starved_since(before: int | None) -> bool:
    """Return whether the kernel has killed for want of memory since `oom_kills` gave `before`."""
    now = oom_kills()
    return now is not None and before is not None and now > before


def oom_kills(path: str = VMSTAT) -> int | None:
    """Read how often the kernel has killed for want of memory since boot; None where it does not say."""
    try:
        with open(path, "rb") as file:
            for line in file:
                name, _, value = line.partition(b" ")
                if name == b"oom_kill":
                    return int(value)
    except (OSError, ValueError):
        return None
    return None
