"""An order to a host, from the decision to its result; and what was ordered of a run, beside what its host claims."""

from dataclasses import field

from controlroom.text.checks import AS_PROFILE, CheckOrder
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind, Outcome

STARTS = frozenset({"spawn", "reassign", "resume"})
"""Verbs that begin a new run of an agent."""

ENDS = frozenset({"kill", "pause"})
"""Verbs that end a run, and begin none."""

ROWS = STARTS | ENDS | {"forget"}
"""Verbs whose order shows in the row of their agent."""


OF_BRANCHES = frozenset({"accept", "push", "pull-request", "drop"})
"""Verbs about what an agent has committed."""


@dataclass(frozen=True)
class Order:
    """One order. While it is open, the row of its agent shows it, and what it starts counts against limits."""

    op: int
    """Names it for ever."""
    verb: str
    """`spawn`, `kill`, `reassign`, `resume`, `pause`, `move`, `forget`, `answer`, `message`, `host take` and so on."""
    host: str
    agent: str
    """Name of the agent on its host; empty: it is about the host itself."""
    epoch: int
    at: int
    """When it was given: UTC milliseconds."""
    who: str = ""
    """Who gave it, and from where."""

    @property
    def subject(self) -> str:
        """Id of its agent, or the name of its host."""
        return f"{self.host}/{self.agent}" if self.agent else self.host


@dataclass(frozen=True)
class Work:
    """What was ordered of a run, as far as later orders go by it. Empty texts: nothing was said about it."""

    kind: AgentKind
    profile: str = ""
    """It brings the permission mode, the environment, the credential and the limits: from the config, from no host."""
    model: str = ""
    cwd: str = ""
    chosen: str = ""
    """The model that a person or a task chose; empty: as the profile says."""
    credential: str = ""
    """Which of the credentials that its profile names; empty: the profile names no several."""
    worktree: str = ""
    """What a git worktree of its own begins from; empty: it works in its folder itself."""
    chosen_credential: str = ""
    """The one that a person or a task chose; empty: at each new beginning the one with the most left."""
    lead: str = ""
    """The lead that began it, whose later runs stay its own; empty: a person did."""


@dataclass(frozen=True)
class RunTerms:
    """What its task says of a run, beside what its profile says. Zeros: nothing is said."""

    hours: float = 0.0
    micro: int = 0
    """Micro-dollars at list prices, by Claude's own count."""
    checks: CheckOrder = AS_PROFILE


NO_TERMS = RunTerms()


@dataclass(frozen=True)
class Claim:
    """Something that a host says of a run and that cannot be, by what this room ordered."""

    field: str
    ordered: str
    said: str
    """Empty where it may hold what is told to agents."""


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
    conflicts: tuple[str, ...] = ()
    """Of a merge that was not made: the files that both sides have changed."""
    looked: bool = field(default=False, compare=False)
    """Its host did not say so: it was seen there, after the link was lost."""
    unreached: bool = field(default=False, compare=False)
    """Nothing was begun, for a host that is away could not be asked: it can be ordered again once that is back."""

    @property
    def ok(self) -> bool:
        """Whether it is done, or on its way as was wished."""
        return self.outcome in (Outcome.DONE, Outcome.ASKED)
