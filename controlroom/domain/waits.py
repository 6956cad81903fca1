"""Why a task, or an agent that is to be started again, waits. Times are UTC milliseconds of the engine's clock."""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import OpenStrEnum


class WaitReason(OpenStrEnum):
    """Why a task does not start, or a host takes no task now."""

    HALTED = "halted"
    QUEUE_HELD = "queue held"
    NOT_YET = "not yet"
    """It is not to start before a moment."""
    RETRY = "retry"
    """It failed, and is tried again at a moment."""
    AFTER = "after"
    """It comes after tasks that are not done."""
    AFTER_FAILED = "after failed"
    """It comes after a task that will not be done."""
    COST = "cost"
    """It has cost what it may: a person tries it again, and has not raised that."""
    FLEET_FULL = "fleet full"
    PROFILE_FULL = "profile full"
    NO_CREDENTIAL = "no credential"
    """Its profile no longer names the one that was chosen for it."""
    NO_PROFILE = "no profile"
    FOLDER = "folder"
    """Another task's agent works in its folder."""
    STAGGER = "stagger"
    """The last start was a moment ago."""
    BUDGET = "budget"
    LIMIT = "limit"
    """A limit is nearly used up."""
    AT_WORK = "at work"
    """Its agent is at work again: a person had it go on, or gave it other work."""
    OUTSIDE = "outside"
    """Its profile takes no tasks whose text comes from a file or an agent."""
    LEAD = "lead"
    """The lead that gave it may start nothing now; the words say why."""
    NEW_WINDOW = "new window"
    """As much of a window that has just begun is used as may be handed out at once."""
    LOGIN = "login"
    """The last agents of its profile failed to log in there: it is tried again at a moment, by one of them."""
    LIMITED = "limited"
    """The API turned agents of its credential away: one of them tries again at a moment."""
    OVERLOADED = "overloaded"
    ACCOUNT = "account"
    """The account of its credential has no credit, or may not be used."""
    SPEND_CAP = "spend cap"
    """What the organisation of its credential may spend is spent."""
    ORGANISATION = "organisation"
    """The organisation of its credential is disabled, or does not let it in."""
    CREDENTIALS = "credentials"
    """Each of the credentials that its profile names is held."""
    PACED = "paced"
    """Others of its credential have just got through again: they follow a few at a time."""
    NO_HOST = "no host"
    """No host takes it; why, each of them says."""
    HOST_UNKNOWN = "host unknown"
    HOST_DOWN = "host down"
    HOST_FOREIGN = "host foreign"
    """Another control room owns it."""
    HOST_FULL = "host full"
    HOST_TMUX = "host without tmux"
    HOST_UNFIT = "host unfit"
    """It lacks something that such an agent needs, or is being looked at."""
    HOST_MEMORY = "host memory"
    HOST_DISK = "host disk"
    HOST_DRAINING = "host draining"
    """An operator has it take nothing new."""
    HOST_LABELS = "host labels"
    """It lacks a label."""
    HOST_LOAD = "host load"
    HOST_NAME = "host name"  # an agent is at work there under the same name that nobody ordered
    HOST_OTHER = "another host"
    """Its session is on another host."""
    REFUSED = "refused"
    """It was to be started, and that was refused; the words say why."""
    BEHIND = "behind"
    """Others come first."""
    UNKNOWN = ""


@dataclass(frozen=True)
class HostWait:
    """Why one host takes a task not now. Bytes or counts, as the reason says."""

    host: str
    reason: WaitReason
    has: int = 0
    needs: int = 0
    until: int = 0
    about: str = ""
    """The agent in the folder, who drains the host, or the labels that it lacks."""


@dataclass(frozen=True)
class CredentialWait:
    """Why one of several credentials takes no work now; numbers and names as `Wait` has them."""

    name: str
    reason: WaitReason
    until: int = 0
    about: tuple[str, ...] = ()
    has: int = 0
    most: int = 0


@dataclass(frozen=True)
class Wait:
    """Why a task waits. Numbers and names are what the reason says."""

    reason: WaitReason
    until: int = 0
    """When it is looked at again; 0: when something changes."""
    about: tuple[str, ...] = ()
    """Tasks that it waits for, the budget or limit, the agent in its folder, the words of a refusal."""
    has: int = 0
    most: int = 0
    hosts: tuple[HostWait, ...] = ()
    credentials: tuple[CredentialWait, ...] = ()
