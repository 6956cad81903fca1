"""Checks: the commands that prove an agent's work, how they are to be run, and what came of them."""

from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import OpenStrEnum

MOST_COMMANDS = 20
MOST_WORDS = 200
"""Words of one command."""
MOST_PATTERNS = 100
MOST_TOLD = 20
MOST_MINUTES = 24 * 60
MOST_GUARDED = 20
"""Guarded files that are named."""
OUTPUT = 2_000
"""Characters that are kept of what a check printed: the end."""


CHECKING = "checking: "
"""How the note begins that stands in an agent's log before what a check prints."""


class CheckOrder(NamedTuple):
    """What is to be run when an agent says that it is done. Without commands nothing is."""

    commands: tuple[tuple[str, ...], ...] = ()
    """Each word by word, run one after the other until one fails."""
    minutes: float = 15.0
    """How long each of them may take; 0: nobody has said."""
    attempts: int = 3
    """How often the agent is told that they failed, and goes on; -1: nobody has said."""
    clean: bool = False
    """They run in a fresh checkout of what the agent has committed."""
    guarded: tuple[str, ...] = ()
    """Patterns of files that are named beside the result when the agent has changed them."""

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.commands)

    def over(self, profile: "CheckOrder") -> "CheckOrder":
        """What is to be done where a task says this, and its profile that."""
        return CheckOrder(
            self.commands or profile.commands,
            self.minutes or profile.minutes,
            profile.attempts if self.attempts < 0 else self.attempts,
            self.clean or profile.clean,
            self.guarded or profile.guarded,
        )


AS_PROFILE = CheckOrder(minutes=0.0, attempts=-1)
"""What a task says that leaves all to its profile."""


class CheckState(OpenStrEnum):
    """How checks stand. `unfinished`: what they would have shown is not known."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    UNKNOWN = ""


class CheckRun(NamedTuple):
    """One command that ran."""

    command: str
    """As a shell would take it."""
    failure: str = ""
    """Why it did not pass: `exit 2`, `no end in 15 min`; "": it passed."""
    seconds: float = 0.0


class Checks(NamedTuple):
    """What came of an agent's checks, the last time that they ran."""

    state: CheckState = CheckState.UNKNOWN
    runs: tuple[CheckRun, ...] = ()
    """Those that have ended, in order; the last one is the one that failed."""
    command: str = ""
    """The one that runs now."""
    told: int = 0
    """How often the agent was told that they had failed."""
    attempts: int = 0
    """How often it is, at most."""
    at: int = 0
    """When they began, or ended; UTC ms."""
    output: str = ""
    """The end of what the one that failed printed, with its lines."""
    clean: bool = False
    """They ran in a fresh checkout."""
    commit: str = ""
    """What was checked out there."""
    guarded: tuple[str, ...] = ()
    """Guarded files that the agent changed."""
    more_guarded: int = 0
    """How many more there are."""
    guards_unknown: str = ""
    """Why it is not known whether it changed any; "": it is known, or none are guarded."""

    @property
    def guarded_words(self) -> str:
        """Name the guarded files that the agent changed; "": none, as far as is known."""
        if self.guarded:
            more = f" and {self.more_guarded} more" if self.more_guarded else ""
            return f"changed guarded files: {', '.join(self.guarded)}{more}"
        unknown = self.guards_unknown
        return f"whether it changed guarded files is not known: {unknown}" if unknown else ""

    @property
    def failure(self) -> CheckRun | None:
        """The one that failed."""
        last = self.runs[-1] if self.runs else None
        return last if last is not None and last.failure else None
