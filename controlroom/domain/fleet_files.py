"""What a fleet file says, and what this room knows of each entry of it that was applied."""

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property

from controlroom.domain.tasks import Task, TaskWish
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum

MOST_AGENTS = 2_000
MOST_TASKS = 2_000
MOST_TEXT = 1024 * 1024
"""Characters of all texts of one fleet file together; a template counts once."""

MOST_FILLED = 64 * 1024 * 1024
"""Characters of all texts once its templates are filled."""


@dataclass(frozen=True)
class AgentEntry:
    """An agent as a fleet file says it, without its text. Empty texts: as its profile says."""

    name: str
    profile: str = ""
    model: str = ""
    credential: str = ""
    host: str = ""
    """Where it must run; empty: wherever there is room."""
    labels: tuple[str, ...] = ()
    """What its host must have, beside the labels of its profile."""
    cwd: str = ""
    worktree: str = ""
    keep: bool = False
    """It is standing: started again whenever it ends by itself."""
    digest: str = ""
    """Of its whole text."""


@dataclass(frozen=True)
class AgentWish:
    """An agent as a fleet file says it, with its text or what makes that."""

    entry: AgentEntry
    text: str = ""
    template: str = ""
    """Its text, with the variables filled in, is the agent's."""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FleetTask:
    """A task as a fleet file says it; it always has a key."""

    wish: TaskWish
    template: str = ""


@dataclass(frozen=True)
class FleetFile:
    """A fleet file that was read."""

    name: str
    agents: tuple[AgentWish, ...] = ()
    tasks: tuple[FleetTask, ...] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    """Its own, which come before those of the room."""


@dataclass(frozen=True)
class Member:
    """An agent of an applied fleet file, and how far this room is with it."""

    fleet: str
    entry: AgentEntry
    wanted: int = 0
    """Which application of the file (`AppliedFleet.number`) last wanted it started; 0: none did."""
    begun: int = 0
    """The newest application for which it was started."""
    host: str = ""
    epoch: int = 0
    """The run that was started for this fleet last; 0: none, whoever else has started an agent of this name."""
    arrived: bool = False
    """A host has shown that run."""
    done: bool = False
    """That run was done."""
    gone: bool = False
    """That run has ended, as its host has shown."""
    ends: str = ""
    ends_epoch: int = 0
    """A run that is to end, by its agent's id: the entry has gone, or is another one now."""
    tells: bool = False
    """Its run is to be told its model."""
    leaves: bool = False
    """Its entry has gone from the file."""
    goes_to: str = ""
    """The host that it is being moved to."""
    carried: bool = False
    """Its run was moved here: what it was told, and its folder, are those of the move."""

    @property
    def is_owned(self) -> bool:
        """Whether this fleet has started it."""
        return self.epoch > 0

    @property
    def id(self) -> str:
        """Id of the agent whose run was started for this fleet last."""
        return f"{self.host}/{self.entry.name}"


class TaskStep(StrEnum):
    """What is still to be done about a task of an applied fleet file."""

    NONE = ""
    ADD = "add"
    EDIT = "edit"
    RETRY = "retry"
    DROP = "drop"


@dataclass(frozen=True)
class TaskMember:
    """A task of an applied fleet file, and how far this room is with it."""

    wish: TaskWish
    """Without its text."""
    digest: str
    """Of its whole text."""
    id: str = ""
    """The task that this fleet has added; empty: none yet, or somebody else had."""
    step: TaskStep = TaskStep.NONE


@dataclass(frozen=True)
class AppliedFleet:
    """A fleet file as it was applied last."""

    name: str
    who: str
    at: int
    number: int
    """How often it was applied with changes."""
    tasks: Mapping[str, TaskMember] = field(default_factory=dict)
    """By key."""

    @cached_property
    def task_ids(self) -> frozenset[str]:
        """The tasks that it has added, by id."""
        return frozenset(member.id for member in self.tasks.values() if member.id)


ALIAS = "task-"
"""How an exported file names a task that has no key: by this and its number."""


def is_named(task: Task, key: str) -> bool:
    """Whether a key in a fleet file names a task."""
    return task.key == key if task.key else key == f"{ALIAS}{task.number}"
