"""What applying a fleet file would change, agent by agent and task by task."""

from collections.abc import Mapping, Set
from dataclasses import field

from controlroom.domain.tasks import Task
from controlroom.domain.waits import Wait
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum


class Act(StrEnum):
    """What applying a file does about one of its entries, or about one that has gone from it."""

    START = "start"
    RENEW = "new run"
    """Its run is ended, and another one begun."""
    MODEL = "model"
    """Its run goes on with another model."""
    UPDATE = "update"
    """What is kept of it becomes another; nothing is started or ended."""
    END = "end"
    ADD = "add"
    EDIT = "edit"
    RETRY = "retry"
    DROP = "drop"
    NOTHING = ""


class Drift(StrEnum):
    """How something is not as it was applied."""

    NONE = ""
    COMING = "coming"
    """It is on its way to be as it was applied."""
    MISSING = "missing"
    ENDED = "ended"
    FAILED = "failed"
    MOVED = "moved"
    CHANGED = "changed"
    EXTRA = "extra"
    """It is at work, and no fleet file, task or profile says so."""
    TAKEN = "taken"
    """Somebody else has started an agent, or added a task, of this name."""


@dataclass(frozen=True)
class Change:
    """What becomes of one agent or task."""

    name: str
    """The agent's name, or the task's key."""
    act: Act = Act.NOTHING
    drift: Drift = Drift.NONE
    why: str = ""
    is_task: bool = False
    subject: str = ""
    """Id of the agent or task that is there already."""
    epoch: int = 0
    """The agent's run."""
    host: str = ""
    """Where it would start, or is."""
    memory: int | None = None
    """Bytes that it is expected to take, where it would start; None: not known."""
    hourly: int | None = None
    """Micro-dollars at list prices that it is expected to cost in an hour at work; None: not known."""
    wait: Wait | None = None
    """Why it would not start for now; None: it would, in its turn."""

    @property
    def is_start(self) -> bool:
        """Whether an agent begins a run by it."""
        return self.act in (Act.START, Act.RENEW) or (self.is_task and self.act in (Act.ADD, Act.RETRY))


@dataclass(frozen=True)
class HostShare:
    """What applying a file would mean for one host."""

    name: str
    starts: int = 0
    ends: int = 0
    memory: int = 0
    """Bytes that what starts is expected to take."""
    free: int | None = None
    """Bytes that the queue would still fill there afterwards; None: there is no reading."""
    hourly: int = 0
    """Micro-dollars an hour, of those whose cost is known."""
    unknown: int = 0
    """How many starts there are of whose cost nothing is known."""


@dataclass(frozen=True)
class FleetPlan:
    """What applying a fleet file would do, or how things are not as they were applied."""

    fleet: str
    changes: tuple[Change, ...] = ()
    """All that is to be said; what is as it should be is only counted."""
    same: int = 0
    hosts: tuple[HostShare, ...] = ()
    notes: tuple[str, ...] = ()
    """What holds for all starts: a hold, a halt."""
    mark: str = ""
    """Names what would be done: another plan of the same mark does the same."""

    @property
    def acts(self) -> tuple[Change, ...]:
        """What would be done."""
        return tuple(change for change in self.changes if change.act is not Act.NOTHING)


@dataclass(frozen=True)
class Known:
    """What a plan goes by beside the fleet: the ledger has it."""

    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the whole texts that agents were given, by id."""
    stopped: Set[str] = frozenset()
    """Ids of agents whose last run a person ended."""
    rates: Mapping[str, int] = field(default_factory=dict)
    """Micro-dollars that an agent of a profile has cost in an hour, by profile."""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    """By key: also those that ended long ago."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Digests of the whole texts of tasks, by id."""
