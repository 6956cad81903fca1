"""Closed sets that both ends share, from the runner on a host to the row on a screen: states, outcomes, answers."""

from enum import Enum

from controlroom.text.lazy_named_tuple import NamedTuple


class StrEnum(str, Enum):
    """A closed set whose members are their words, as in later Pythons."""

    __hash__ = str.__hash__  # as the word, which it equals; an enum's own is slow

    def __str__(self) -> str:
        return str(self.value)


class OpenStrEnum(StrEnum):
    """One that versions may add words to: a word that this version does not know is its member `UNKNOWN`."""

    @classmethod
    def _missing_(cls, value: object) -> "OpenStrEnum":
        return cls["UNKNOWN"]


class State(StrEnum):
    """What an agent does now. `waiting`: a person is asked; `limited`: stopped by a limit, with the time it ends."""

    STARTING = "starting"
    WORKING = "working"
    WAITING = "waiting"
    LIMITED = "limited"
    IDLE = "idle"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"
    LOST = "lost"
    UNKNOWN = "unknown"


LIVE = frozenset({State.STARTING, State.WORKING, State.WAITING, State.LIMITED, State.IDLE})
"""States in which the agent's process may be running on its host; see `has_ended`."""

ENDED = frozenset({State.DONE, State.FAILED, State.PAUSED})
"""States that an agent leaves only by a new epoch; see `has_ended`."""


def has_ended(state: str, ended: int, pid: int | None) -> bool:
    """Whether an agent has ended, and goes on only by a new epoch. `ended`: when it did, 0 for not.

    `limited` and `paused` are said of processes that live (they wait for a limit, or are stopped) and of runs that
    ended in that state; `unknown` also of a run that ended nobody saw how.
    """
    if state in ENDED:
        return state != _PAUSED or ended > 0 or not pid
    return ended > 0 and state in _ENDED_IN


def lives(state: str, ended: int, pid: int | None) -> bool:
    """Whether an agent's process may be running on its host."""
    return state in _LIVE_OR_PAUSED and not has_ended(state, ended, pid)


_PAUSED = State.PAUSED
_ENDED_IN = frozenset({State.LIMITED, State.UNKNOWN})
"""States that are said of processes that live, and of runs that have ended."""
_LIVE_OR_PAUSED = LIVE | {State.PAUSED}


class Outcome(OpenStrEnum):
    """`refused` promises that nothing has changed, `unknown` means: look again. Any other word counts as unknown."""

    DONE = "done"
    REFUSED = "refused"
    HALF = "half"
    """Of an order to end a run and begin another: the old one was ended, and the new one does not begin."""
    ASKED = "asked"
    """It is on its way, and nobody waited for more."""
    UNKNOWN = "unknown"


class AgentKind(OpenStrEnum):
    """What runs as an agent: Claude by its events, Claude on its terminal, a command, or what somebody else started."""

    HEADLESS = "headless"
    INTERACTIVE = "interactive"
    COMMAND = "command"
    ADOPTED = "adopted"
    UNKNOWN = "unknown"
    """Of a version that this one does not know, or of none."""
    UNSAID = ""
    """Nobody has said."""


KINDS = (AgentKind.HEADLESS, AgentKind.INTERACTIVE, AgentKind.COMMAND)
"""The kinds that a room starts."""


class Verdict(OpenStrEnum):
    """An answer to a question. `always`: yes, and also to what the question names, until the session ends."""

    ALLOW = "allow"
    ALWAYS = "always"
    DENY = "deny"
    UNKNOWN = ""
    """No answer that this version knows: refused."""


class TellKind(OpenStrEnum):
    """What an agent that runs is told. `model`: to go on with another one; `usage`: to say how far its plan is used."""

    MESSAGE = "message"
    ANSWER = "answer"
    INTERRUPT = "interrupt"
    MODEL = "model"
    USAGE = "usage"
    UNKNOWN = ""
    """Nothing that this version knows: refused."""


class AdoptedSignal(StrEnum):
    """What is done to its processes."""

    INTERRUPT = "interrupt"
    """SIGINT to its Claude, which ends a headless one and stops what another is at."""
    END = "end"
    """SIGTERM to all of it, a wait, SIGKILL, and a look: done only when nothing of it is left."""


class Option(NamedTuple):
    """One choice."""

    label: str
    description: str = ""
    preview: str = ""
    """What it would look like: several lines, to be shown as they stand."""


class Item(NamedTuple):
    """One of the questions that are asked together."""

    question: str
    header: str = ""
    options: tuple[Option, ...] = ()
    several: bool = False
    """Whether several choices may be taken."""
    own_words: bool = False
    """Whether words of one's own are an answer, too."""


class ItemAnswer(NamedTuple):
    """The answer to one of several questions that are asked together: choices by number, from 1, or words, or both."""

    choices: tuple[int, ...] = ()
    words: str = ""


YES = (Verdict.ALLOW, Verdict.ALWAYS)
"""The answers that let something happen."""


class Payer(OpenStrEnum):
    """Who pays for an agent's messages: a key, in dollars, or a plan's login."""

    API = "api"
    PLAN = "plan"
    UNKNOWN = ""


class Uncounted(OpenStrEnum):
    """Why what Claudes of others have used cannot be counted."""

    NO_TRANSCRIPT = "no-transcript"
    """One kept none (`--no-session-persistence`)."""
    GONE = "gone"
    """The transcripts of one that was at work are there no more."""
    UNREADABLE = "unreadable"
    """Where transcripts lie cannot be read."""
    TOO_MANY = "too-many"
    """There were more than are read."""
    NO_LAST_LOOK = "no-last-look"
    """When a node last looked cannot be read, or not be written down."""
    UNKNOWN = ""


class Cause(StrEnum):
    """Why an agent is paused, has failed or is unknown, where something follows from that."""

    UNSAID = ""
    """Nobody has said: older runners do not."""
    NONE = "none"
    """None of these."""
    BUDGET = "budget"
    """What it was granted is used up, has ended, or cannot be metered."""
    NO_LOGIN = "no-login"
    """Claude is not logged in."""
    LOGIN_REFUSED = "login-refused"
    """The login was refused."""
    NO_CREDENTIAL = "no-credential"
    """What it was to log in with cannot be had on its host: a file that is not there, a command that fails."""
    OVERLOADED = "overloaded"
    """The API had no room for it, however often Claude tried."""
    ACCOUNT = "account"
    """The account that pays has no credit, or may not be used."""
    SPEND_CAP = "spend-cap"
    """What its organisation may spend is spent."""
    ORGANISATION = "organisation"
    """Its organisation is disabled, or does not let such a login in."""
    COST = "cost"
    """It has cost what it may, by Claude's own count (`max_budget_usd`)."""
    OUT_OF_MEMORY = "out-of-memory"
    """The kernel killed it for want of memory, probably."""
    REBOOTED = "rebooted"
    """Its host was rebooted."""
    RUNNER_KILLED = "runner-killed"
    """Its runner was killed from outside."""
    NEVER_STARTED = "never-started"
    """Its runner never came up."""
    RUNNER_FAILED = "runner-failed"
    """Its runner could not work on its host."""
    DISK_FULL = "disk-full"
    """Its runner could not work, because the disk was full."""
    QUIET = "quiet"
    """Nothing was heard of it for longer than its profile allows."""
    REPEATING = "repeating"
    """The same action of it failed again and again."""
    OVER_LIMIT = "over-limit"
    """It took more memory, processes or time than its profile allows."""
    CHECKS = "checks"
    """What it did has not passed its checks."""
    KILLED = "killed"
    """It was ordered to end, and ended for that."""
    UNSEEN = "unseen"
    """The engine knows of it from its ledger alone: its host has said nothing yet. No host says this."""


TROUBLES = frozenset({Cause.QUIET, Cause.REPEATING, Cause.OVER_LIMIT})
"""What a runner ends an agent for, where its profile says so."""


_OLDER = (
    (State.DONE, "killed", Cause.KILLED),
    (State.PAUSED, "budget", Cause.BUDGET),
    (State.FAILED, "not logged in", Cause.NO_LOGIN),
    (State.FAILED, "the login was refused", Cause.LOGIN_REFUSED),
    (State.FAILED, "probably out of memory", Cause.OUT_OF_MEMORY),
    (State.FAILED, "exit 137, probably out of memory", Cause.OUT_OF_MEMORY),
    (State.FAILED, "the host was rebooted", Cause.REBOOTED),
    (State.FAILED, "its runner was killed", Cause.RUNNER_KILLED),
    (State.FAILED, "its runner never came up", Cause.NEVER_STARTED),
    (State.FAILED, "its runner cannot work here", Cause.RUNNER_FAILED),
)
"""How the words begin of runners that say no cause: they run on through an upgrade."""


def read_cause(said: str, state: str, detail: str) -> Cause:
    """The cause that a host's status names; one that this version does not know is none."""
    try:
        cause = Cause(said)
    except ValueError:
        return Cause.NONE
    if cause is Cause.UNSEEN:
        return Cause.NONE
    if cause is Cause.NONE and (state, detail) == (State.DONE, "killed"):
        return Cause.KILLED  # a runner that began before there was this cause
    if cause is not Cause.UNSAID:
        return cause
    words = detail.removeprefix("paused: ")
    return next((of for when, begins, of in _OLDER if state == when and words.startswith(begins)), Cause.UNSAID)


DISK_FULL = 16 * 1024 * 1024
"""Bytes free below which lines may be lost: file systems and quotas stop a little before nothing is left."""
