"""Tasks and the queue that they wait in. Times are UTC milliseconds of the engine's clock.

A task is what is to be done; each try is an attempt, carried out by one agent. What the fleet holds of a task is short;
its whole text stands in the ledger.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from functools import cached_property
from typing import Any

from controlroom.domain.waits import HostWait, Wait
from controlroom.text.checks import AS_PROFILE, CheckOrder, Checks
from controlroom.text.host_sample import FolderCheck
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import OpenStrEnum


class TaskState(OpenStrEnum):
    """Where a task stands. `waiting`: it starts once it may; `held`: a person must release it first."""

    WAITING = "waiting"
    RUNNING = "running"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    DROPPED = "dropped"
    UNKNOWN = ""
    """Of a version that this one does not know."""

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self in (TaskState.WAITING, TaskState.RUNNING, TaskState.HELD)


class Source(OpenStrEnum):
    """Where the text of a task comes from."""

    OPERATOR = "operator"
    """An operator wrote it."""
    FILE = "file"
    """It was read from a file or from stdin: issues, lists, what other programs print."""
    AGENT = "agent"
    """An agent that leads others wrote it."""
    UNKNOWN = ""


class AttemptEnd(OpenStrEnum):
    """How an attempt ended, where something follows from it."""

    OPEN = "open"
    """It has not ended, as far as is known."""
    DONE = "done"
    FAILED = "failed"
    LIMITED = "limited"
    """A rate or plan limit stopped it: it goes on in its session when that ends."""
    LOGIN = "login"
    """Its login failed: no fault of the task's."""
    NO_CREDENTIAL = "no credential"
    """What it was to log in with could not be had on its host: no fault of the task's."""
    OVERLOADED = "overloaded"
    """The API had no room for it: no fault of the task's."""
    ACCOUNT = "account"
    """The account that pays has no credit, or may not be used: no fault of the task's."""
    SPEND_CAP = "spend cap"
    """What its organisation may spend is spent: no fault of the task's."""
    ORGANISATION = "organisation"
    """Its organisation is disabled, or does not let its login in: no fault of the task's."""
    CRASHED = "crashed"
    """Its host, its runner or its memory ended it: it goes on in its session."""
    HALTED = "halted"
    """The halt of the room ended it."""
    KILLED = "killed"
    """An operator ended its agent."""
    TAKEN = "taken"
    """An operator gave its agent other work."""
    CHECKS = "checks"
    """What was done did not pass its checks, however often it was mended: to retry goes on in its session."""
    COST = "cost"
    """It has cost what the task may."""
    LOST = "lost"
    """Its host left the room, or no longer knows its agent: nobody knows how it ended."""
    NEVER_BEGAN = "never began"
    """Its host refused to start it."""
    UNKNOWN = ""

    @property
    def counts(self) -> bool:
        """Whether it counts against the attempts that a task has."""
        return self in _COUNT

    @property
    def goes_on(self) -> bool:
        """Whether the next attempt goes on in the same Claude session."""
        return self in _GO_ON


CENT = 10_000
"""Micro-dollars."""

_COUNT = frozenset(
    {
        AttemptEnd.FAILED,
        AttemptEnd.CRASHED,
        AttemptEnd.CHECKS,
        AttemptEnd.COST,
        AttemptEnd.LOST,
        AttemptEnd.UNKNOWN,
    }
)

_GO_ON = frozenset(
    {
        AttemptEnd.LIMITED,
        AttemptEnd.CRASHED,
        AttemptEnd.CHECKS,
        AttemptEnd.HALTED,
        AttemptEnd.LOGIN,
        AttemptEnd.NO_CREDENTIAL,
        AttemptEnd.OVERLOADED,
        AttemptEnd.ACCOUNT,
        AttemptEnd.SPEND_CAP,
        AttemptEnd.ORGANISATION,
    }
)


KEPT_OUT = frozenset({AttemptEnd.LOGIN, AttemptEnd.ACCOUNT, AttemptEnd.SPEND_CAP, AttemptEnd.ORGANISATION})
"""Ends that a person must see to: the API lets nobody in with that credential."""


@dataclass(frozen=True)
class Attempt:
    """One try at a task, by one run of one agent."""

    host: str
    agent: str
    """The agent's name on its host."""
    epoch: int
    at: int
    ended: int = 0
    end: AttemptEnd = AttemptEnd.OPEN
    reason: str = ""
    """How it ended, in words, where there are any."""
    session: str = ""
    spent: int | None = None
    """What its agent had cost by then, micro-dollars at list prices; None: no reading."""
    left: Mapping[str, int] = field(default_factory=dict)  # spent on hosts it was moved from, by its agent's id there
    killed: bool = False
    """An operator ordered its agent to end."""
    halted: bool = False
    """That was the halt of the room: nobody wanted this agent of all to end."""
    paused: bool = False
    """An operator paused its agent: the attempt goes on when they resume it."""
    until: int = 0
    """When the limit that stopped it ends, as its host says; 0: it does not."""
    shown: bool = False
    """Its host has shown its run: it has begun, and may be at work whatever that host says later."""
    credential: str = ""
    """Which of the credentials that its profile names."""
    checks: Checks | None = None
    """What came of the checks of its work; None: none have run."""

    @property
    def id(self) -> str:
        """The agent's id."""
        return f"{self.host}/{self.agent}"

    @property
    def is_open(self) -> bool:
        """Whether its agent may still be at work."""
        return self.end is AttemptEnd.OPEN


@dataclass(frozen=True)
class Origin:
    """Who gave a task, and where its text comes from."""

    who: str = ""
    source: Source = Source.OPERATOR
    lead: str = ""
    """The lead that gave it; empty: a person did."""

    @property
    def is_outside(self) -> bool:
        """Whether somebody else may have written its text."""
        return self.source is not Source.OPERATOR


@dataclass(frozen=True, kw_only=True)
class TaskTerms:
    """How a task is to be carried out."""

    priority: int = 0
    profile: str = ""
    host: str = ""
    """Where it must run; empty: anywhere."""
    model: str = ""
    cwd: str = ""
    after: tuple[str, ...] = ()
    """Tasks that must be done first: by id; of a wish also by key, and those of the same addition."""
    key: str = ""
    """Names it for whoever adds it: to add the same key again changes nothing."""
    max_attempts: int = 0
    """Attempts that may fail; 0: as the queue's setting says."""
    max_cost: int = 0
    """Micro-dollars at list prices that all its attempts together may cost; 0: no limit."""
    max_hours: float = 0.0  # that one attempt may take; 0: as its profile says
    checks: CheckOrder = AS_PROFILE
    """What proves its work, where it says otherwise than its profile."""
    labels: tuple[str, ...] = ()
    """What its host must have, beside the labels of its profile."""
    not_before: int = 0
    every: str = ""  # how often it is done again (`queue.repeat`); empty: once
    worktree: str = ""  # what its agent's own git worktree begins from; empty: as its profile says
    credential: str = ""  # which of those that its profile names; empty: the one with the most left

    @property
    def terms(self) -> dict[str, Any]:
        """These fields alone, by name."""
        return {field.name: getattr(self, field.name) for field in fields(TaskTerms)}


@dataclass(frozen=True)
class Task(TaskTerms):
    """What is to be done, and how far it is."""

    number: int
    title: str
    """The first line of its text that says something, made safe to show."""
    state: TaskState
    since: int
    added: int
    text: str = ""
    """The first 200 characters of its text, made safe to show."""
    place: float = 0.0
    """Of tasks of one priority the one with the lower place starts first, then the one with the lower number."""
    origin: Origin = Origin()
    attempts: tuple[Attempt, ...] = ()
    reason: str = ""
    """Why it is held, has failed or was dropped."""
    counted_from: int = 0
    """The first attempt that counts, from 0: those before it a person forgave by `retry`."""
    anew_from: int = 0
    """The first attempt in whose session it may go on, from 0: it was another task before."""
    wait: Wait | None = None
    """Why it waits, as far as it was looked at; worked out anew by each engine."""

    @cached_property
    def id(self) -> str:
        """What names it: `t12`."""
        return f"t{self.number}"

    @cached_property
    def ages_from(self) -> int:
        """From when on waiting makes it more urgent: one that is done again and again begins anew with each time."""
        return max(self.added, self.not_before) if self.every else self.added

    @property
    def last(self) -> Attempt | None:
        """Its newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def goes_on_from(self) -> Attempt | None:
        """The attempt in whose session it goes on; None: it begins anew."""
        began = (attempt for attempt in reversed(self.attempts) if attempt.end is not AttemptEnd.NEVER_BEGAN)
        last = next(began, None)
        if last is None or not last.end.goes_on or not last.session:
            return None
        return last if last in self.attempts[self.anew_from :] else None

    @property
    def failures(self) -> int:
        """The attempts that count against those it has."""
        return sum(attempt.end.counts for attempt in self.attempts[self.counted_from :])

    @property
    def spent(self) -> int | None:
        """What its ended attempts cost, micro-dollars at list prices; None: there is no reading."""
        return sum(self.readings.values()) if self.readings else None

    @property
    def readings(self) -> dict[str, int]:
        """What each of its agents had cost at the end of its last attempt of which there is a reading, by id."""
        known = ((*attempt.left.items(), (attempt.id, attempt.spent)) for attempt in self.attempts)
        return {id_: cost for costs in known for id_, cost in costs if cost is not None}

    @property
    def cost_left(self) -> int:
        """What it may still cost, micro-dollars, at least a cent, where it may not cost all that there is."""
        return max(CENT, self.max_cost - (self.spent or 0)) if self.max_cost else 0


@dataclass(frozen=True)
class TaskWish(TaskTerms):
    """A task as somebody wants it."""

    text: str
    source: Source = Source.OPERATOR
    variables: Mapping[str, str] = field(default_factory=dict)
    """For a template."""


@dataclass(frozen=True)
class TaskChange:
    """Changes to a waiting task; None leaves a field as it is."""

    priority: int | None = None
    profile: str | None = None
    host: str | None = None
    model: str | None = None
    cwd: str | None = None
    after: tuple[str, ...] | None = None
    max_attempts: int | None = None
    not_before: int | None = None
    every: str | None = None
    labels: tuple[str, ...] | None = None
    max_cost: int | None = None
    max_hours: float | None = None
    checks: CheckOrder | None = None
    worktree: str | None = None
    credential: str | None = None
    body: str | None = None
    """Its whole text."""


@dataclass(frozen=True)
class QueueRules:
    """What the queue keeps to. The config says it; `controlroom queue set` says otherwise."""

    max_tasks: int = 200
    """Open tasks at most."""
    max_agents: int = 10
    """Agents at work at once, those that people started counted; the queue starts none beyond."""
    max_agents_per_host: int = 0
    """0: as many as its memory allows."""
    stagger: int = 5_000
    """Milliseconds between two starts."""
    memory_percent: int = 80
    """How full a host's memory may become by a start, per cent."""
    min_disk: int = 1024 * 1024 * 1024
    """Bytes of disk that a host must have free for a start."""
    max_attempts: int = 3
    """Attempts of a task that may fail."""
    retry: int = 30_000
    """Milliseconds before the second attempt; doubled for each further one."""
    aging: int = 3_600_000
    """Milliseconds of waiting that raise a task's priority by one; 0: it stays as it is."""
    window_percent: int = 85
    """Nothing new starts while a window of a plan is used so far, per cent; 100: until it is full."""
    load_percent: int = 0
    """A host's load average of one minute per core, per cent, from which nothing starts there; 0: it does not count."""
    backoff: int = 60_000
    """Milliseconds after the API turned an agent away until one task tries again; doubled each time."""
    new_window_percent: int = 50
    """Nothing new starts while a window of a plan that is young is used so far, per cent; 100: as for any other."""


@dataclass(frozen=True)
class Restarts:
    """How one agent has been started without being asked, and what comes next."""

    host: str = ""
    epoch: int = 0
    """The run that all of this is about, with its host: what a person starts afterwards begins it anew."""
    starts: tuple[int, ...] = ()
    """When it was started so, UTC milliseconds: those that still count."""
    gave_up: str = ""
    """Why it is not started any more; empty: it is."""
    since: int = 0
    """Since when it is given up."""
    halted: int = 0
    """The run that the halt of the room ended: nobody wanted this agent of all to end."""
    asked: int = 0
    """The run that a person wants to go on once there is room for it; 0: none."""
    not_before: int = 0
    """Its start was refused, and is tried again then."""
    refused: str = ""
    """Why it was refused."""
    starting: bool = False
    """Its start is on its way, and no host has shown it yet. The ledger does not keep this."""
    wait: Wait | None = None
    """Why it is not started now. The ledger does not keep this."""


@dataclass(frozen=True)
class Preflight:
    """What a host was found to lack before agents are started there; empty texts: nothing, as far as is known."""

    at: int = 0
    """When it was looked up; 0: not yet."""
    looking: bool = False
    """It is being looked up."""
    machine: str = ""
    """What keeps any agent from running there, and what mends it."""
    claude: str = ""
    """Why its Claude cannot be started, and what mends that."""
    login: str = ""
    """Why Claude has no login there, and what mends that."""
    dialogs: str = ""
    """What Claude would ask first on a terminal, and how to answer it."""
    git: str = ""
    """Why no git worktree is to be made there, and what mends that."""
    folders: Mapping[str, FolderCheck] = field(default_factory=dict)
    """Those in which agents are to work, by what the tasks and profiles call them."""
    blocking: str = ""
    """What of that keeps anything out that is to start: an alarm says it."""

    @property
    def again(self) -> int:
        """When the host is looked at again for what it lacks; 0: it is being looked at."""
        return 0 if self.looking or not self.at else self.at + (_AGAIN if self.blocking else _SELDOM)


_AGAIN, _SELDOM = 60_000, 600_000
"""Milliseconds until a host that lacks something is looked at again, where that keeps somebody out and where not."""


@dataclass(frozen=True)
class Hold:
    """The queue starts nothing new."""

    who: str
    at: int
    reason: str = ""


BATCH = 10
"""Agents that leave a drained host at once, where nobody says otherwise."""


@dataclass(frozen=True)
class Leaving:
    """An agent that has been ordered from a drained host to another, and is not known to be at work there yet."""

    name: str
    to: str
    run: int
    """The epoch that it begins there."""
    at: int


@dataclass(frozen=True)
class Drain:
    """A host takes nothing new, until an operator says so; with `move` what is at work there leaves it in batches."""

    who: str
    at: int
    reason: str = ""
    move: bool = False
    """What is at work there goes on elsewhere."""
    batch: int = BATCH
    """Agents that leave at once: the next ones follow when all of these are at work."""
    to: str = ""
    """The host that takes its place, and all that leaves; empty: whichever has room."""
    number: int = 0
    """The batch that is on its way, or was the last; 0: none has begun."""
    size: int = 0
    """Agents that left in it."""
    failures: int = 0
    """Those of them that did not arrive."""
    leaving: tuple[Leaving, ...] = ()
    """Those of them that are on their way."""
    moved: int = 0
    """Agents that are at work elsewhere, of all batches."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Those that did not arrive, by name, and why: they are not tried again until somebody has the drain go on."""
    stopped: int = 0
    """Since when it stands still, because too many of a batch failed or all that is left has; 0: it goes on."""
    emptied: int = 0
    """Since when nothing of this room is at work there; 0: something is."""
    waits: tuple[HostWait, ...] = ()
    """Why each other host does not take the next agent now. The ledger does not keep this."""
    went: Mapping[str, int] = field(default_factory=dict)
    """Runs, by name, that a reboot of the host had ended and that have gone on elsewhere: none leaves twice."""


@dataclass(frozen=True)
class Halt:
    """The room stands still: nothing new starts, nothing goes on, until a person says so."""

    who: str
    at: int
    reason: str = ""
    kill: bool = False
    """Agents are ended, not interrupted."""
    reached: tuple[str, ...] = ()
    """Runs that were ended or interrupted, as `host/name epoch`."""


@dataclass(frozen=True)
class Queue:
    """The queue of a room, beside its tasks."""

    rules: QueueRules = QueueRules()
    changed: Mapping[str, int] = field(default_factory=dict)
    """Rules that an operator has changed, by name."""
    hold: Hold | None = None
    halt: Halt | None = None
    last_start: int = 0
    blocked: Wait | None = None
    """Why nothing starts though tasks wait; None: something is about to, or none waits."""
    restarts: Mapping[str, Restarts] = field(default_factory=dict)
    """Agents that are started without being asked, by id; those that a profile keeps running, by name."""
    preflights: Mapping[str, Preflight] = field(default_factory=dict)
    """What hosts lack, by name: of those that were looked at since they are up. The ledger does not keep this."""


def read_id(text: str) -> int:
    """The number of a task by what names it, `t12` or `12`; 0: it names none."""
    digits = text[1:] if text[:1] in ("t", "T", "#") else text
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else 0


def in_order(tasks: Iterable[Task], queue: Queue, now: int) -> list[Task]:
    """Tasks in the order in which they start: by priority, which rises with waiting, then place and number."""
    aging = queue.rules.aging
    return sorted(tasks, key=lambda task: (-urgency(task, aging, now), task.place, task.number))


def runs_of(tasks: Iterable[Task]) -> set[tuple[str, int]]:
    """The runs of agents that carried out some tasks, by id and epoch: whether they go on is their tasks' business.

    Those of earlier attempts too: a task may have its next one on another host, while they can still go on in theirs.
    """
    return {(attempt.id, attempt.epoch) for task in tasks for attempt in task.attempts}


def with_wait(task: Task, wait: Wait | None) -> Task:
    """Do what `dataclasses.replace` does, without setting thirty fields one by one: thousands wait for one thing."""
    made = object.__new__(Task)
    made.__dict__.update(task.__dict__, wait=wait)
    return made


def urgency(task: Task, aging: int, now: int) -> int:
    """The priority of a task with what waiting has added to it: one more for each `aging` milliseconds, 0 for never."""
    return (now - task.ages_from) // aging + task.priority if aging else task.priority
