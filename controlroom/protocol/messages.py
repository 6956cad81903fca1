"""What a front end and the engine say on the engine's socket: JSON lines, each one message, `"is"` naming its kind.

A front end begins with `Hello`; the engine answers `Welcome`, or `Unwelcome` and closes. Only equal versions talk.
After `Watch` come `FleetNews`: a snapshot, then patches. Answers carry the id of their request. Imports are light.
"""

from dataclasses import field
from typing import get_args

from controlroom import __version__
from controlroom.domain.attached import FrontEnd
from controlroom.domain.audit import AuditLine
from controlroom.domain.calculators.comparison import Comparison, Terms
from controlroom.domain.calculators.estimate import Estimate, Wish
from controlroom.domain.display.checkup import Check
from controlroom.domain.figures import Figures
from controlroom.domain.history import Point
from controlroom.domain.intents import Intent
from controlroom.domain.model import LogPlace
from controlroom.domain.money.costs import CostRow
from controlroom.domain.money.forecast import Runway
from controlroom.domain.money.plausible import DoubtedUse
from controlroom.domain.orders import Result
from controlroom.domain.patch import Patch
from controlroom.protocol.branches import AskWork, AskWorktrees, WorkTold, WorktreesTold
from controlroom.protocol.fleet_messages import FleetAnswer, FleetQuestion
from controlroom.protocol.rule_messages import AskRules, Judged, Rules, TryCall
from controlroom.text.changes import Changes
from controlroom.text.lazy_dataclass import dataclass
from controlroom.wire.codec import base64_size, decode, encode
from controlroom.wire.inquiries import DiffRead, Hit
from controlroom.wire.lines import PeerError, from_line, to_line


@dataclass(frozen=True)
class AskComparison:
    """What would the use of the last days cost in other ways? Answered by `Compared`."""

    id: int
    days: int
    terms: Terms


@dataclass(frozen=True)
class AskEstimate:
    """What would such a fleet need? Answered by `Estimated`."""

    id: int
    wish: Wish


@dataclass(frozen=True)
class Compared:
    """The answer to `AskComparison`; none, for this reason."""

    id: int
    comparison: Comparison | None = None
    reason: str = ""


@dataclass(frozen=True)
class Estimated:
    """The answer to `AskEstimate`; none, for this reason."""

    id: int
    estimate: Estimate | None = None
    reason: str = ""


@dataclass(frozen=True)
class AskAudit:
    """Who did what: the newest `count` lines of the audit that contain `text`? Answered by `Audit`."""

    id: int
    count: int = 100
    text: str = ""


@dataclass(frozen=True)
class AskAttached:
    """Who is attached to the engine now? Answered by `Attached`."""

    id: int


@dataclass(frozen=True)
class AskRunways:
    """How far can agents go alone? Answered by `Runways`."""

    id: int


@dataclass(frozen=True)
class CheckLedger:
    """Is the ledger whole, and do its sums add up? Answered by `LedgerResult`."""

    id: int


@dataclass(frozen=True)
class BackUpLedger:
    """Copy the ledger into a new file on this machine. Answered by `LedgerResult`."""

    id: int
    path: str


@dataclass(frozen=True)
class AskDoubted:
    """Which bookings were set aside as impossible? Answered by `SetAside`."""

    id: int


@dataclass(frozen=True)
class SetAside:
    """The answer to `AskDoubted`, oldest first."""

    id: int
    bookings: tuple[DoubtedUse, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Attached:
    """The answer to `AskAttached`."""

    id: int
    front_ends: tuple[FrontEnd, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Runways:
    """The answer to `AskRunways`: of every agent that a grant binds."""

    id: int
    ways: tuple[Runway, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Audit:
    """The answer to `AskAudit`, oldest line first; none, for this reason."""

    id: int
    lines: tuple[AuditLine, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class LedgerResult:
    """The answer to `CheckLedger` (what is wrong) and `BackUpLedger` (the path of the copy)."""

    id: int
    lines: tuple[str, ...] = ()
    reason: str = ""
    """Why it could not be done."""


MAX_REQUEST = 8 * 1024 * 1024
"""Bytes of one request at most: a task of a mebibyte, every character escaped, fits."""

PROTOCOL = 15
"""Counts what can be said here: raised whenever a message, or a record in one, becomes another. A test sees to it."""

VERSION = f"{__version__}+{PROTOCOL}"
"""What engines, front ends and bridges call themselves: Control Room's version, and that of what they say."""

ALL, LOOK, LEAD = "all", "look", "lead"
"""What a front end may do, as `Welcome` says it."""

STOPPED = "the engine has ended; agents live on"
"""What is said of an engine that has ended; by this reason alone those before protocol 6 take their leave."""

CHECKING = 40.0
"""Seconds for a host to look up all that a check-up is about."""

MAX_NEWS = 256 * 1024 * 1024
"""Bytes of one line from the engine at most."""

# --------------------------------------------------------------------------- front end -> engine


@dataclass(frozen=True)
class Hello:
    """The first line of a front end.

    `role`: tui, cli, watch, lead (no promise: what it may do the socket decides) or stop (just that, of any version).
    """

    version: str
    role: str
    user: str = ""
    """Who sits there, for the audit: the name of an account, and where it was logged in from when that is known."""
    terminal: str = ""
    """The terminal there, as `pts/3`."""
    token: str = field(default="", repr=False)
    """Of an agent that leads others: says which lead it is."""


@dataclass(frozen=True)
class Bridged:
    """Before `Hello`: this front end is at the other end of an SSH link, and a bridge passes on what it says."""

    version: str
    """Of the bridge, which is installed where the engine is."""
    origin: str = ""
    """The address that sshd says it comes from."""


@dataclass(frozen=True)
class Watch:
    """Send the fleet, now and whenever it changes."""

    pace: float = 0.0
    """Seconds between two pieces of news at least: a screen that paints so often wants no more."""


@dataclass(frozen=True)
class Submit:
    """Carry out an intent. With `wait` the answer comes when the host has answered, else when the order has left."""

    id: int
    intent: Intent
    wait: bool = True
    deadline: float = 60.0
    """Seconds to wait for the host."""


@dataclass(frozen=True)
class FollowedAgent:
    """An agent whose new records are wanted: from this place on, without one from the end."""

    agent: str
    place: LogPlace | None = None


@dataclass(frozen=True)
class FollowLogs:
    """The whole set of agents whose new records are wanted. One that was wanted already goes on where it was."""

    id: int
    logs: tuple[FollowedAgent, ...] = ()


@dataclass(frozen=True)
class LinesOnShow:
    """The agents whose newest lines are looked at. Those of others may come seldom, unless another reader sees them."""

    agents: tuple[str, ...] | None = None
    """None: all, as until the first word of this."""


@dataclass(frozen=True)
class FetchLog:
    """Read up to `count` records before a place (or the end), or after one."""

    id: int
    agent: str
    epoch: int
    count: int
    before: LogPlace | None = None
    after: LogPlace | None = None


@dataclass(frozen=True)
class SearchLog:
    """Search one run of an agent's log: a piece of the way before a place (or the end), or after one."""

    id: int
    agent: str
    epoch: int
    text: str
    regex: bool = False
    exact: bool = False
    before: LogPlace | None = None
    after: LogPlace | None = None
    count: int = 100
    lines: bool = False


@dataclass(frozen=True)
class LookAtScreen:
    """What stands on an agent's terminal now? Answered by `Screen`."""

    id: int
    agent: str


@dataclass(frozen=True)
class AskChanges:
    """Which files has this run of an agent changed? Answered by `AgentChanges`."""

    id: int
    agent: str
    epoch: int


@dataclass(frozen=True)
class AskDiff:
    """What has this run of an agent changed in a file? Answered by `DiffPage`, from line number `start` on."""

    id: int
    agent: str
    epoch: int
    path: str
    """As it was listed, and the path that it had before, where that is another one."""
    was: str = ""
    untracked: bool = False
    start: int = 0


@dataclass(frozen=True)
class CheckHost:
    """Has a host all that agents need? Answered by `HostChecked`."""

    id: int
    host: str


@dataclass(frozen=True)
class AskHistory:
    """What did a host do, or how full was a window, in a span of time (UTC milliseconds)? Answered by `History`."""

    id: int
    subject: str
    """A host's name, or the key of a window (`Headroom.key`)."""
    since: int
    until: int
    points: int
    """How many of each metric at most."""


@dataclass(frozen=True)
class AskCosts:
    """What was spent from one moment up to another (UTC milliseconds)? Answered by `Costs`."""

    id: int
    by: str
    """One of `domain.money.costs.BY`."""
    since: int
    until: int


@dataclass(frozen=True)
class AskFigures:
    """How well does work flow? Answered by `Flowing`."""

    id: int


@dataclass(frozen=True)
class AskTask:
    """What is the whole text of a task? Answered by `TaskText`."""

    id: int
    task: str


@dataclass(frozen=True)
class StopEngine:
    """End the engine; agents live on. Answered by the end of the connection."""


# What a watcher may ask of these stands in `engine.frontends.watcher_view`; any other is refused to watchers.
Question = (
    FetchLog | SearchLog | LookAtScreen | CheckHost | AskCosts | AskHistory | AskAudit | CheckLedger | BackUpLedger
    | AskComparison | AskEstimate | AskAttached | AskRunways | AskDoubted | AskFigures | AskTask | AskChanges | AskDiff
    | AskWork | AskWorktrees | AskRules | TryCall | FleetQuestion
)  # fmt: skip
"""What changes nothing in the fleet; each is answered."""

Request = Bridged | Hello | Watch | Submit | FollowLogs | LinesOnShow | Question | StopEngine

# --------------------------------------------------------------------------- engine -> front end


@dataclass(frozen=True)
class Welcome:
    """The engine accepts the front end."""

    version: str
    room: str
    rights: str = ALL
    """`ALL`, `LOOK` or `LEAD`."""
    clock: int = 0
    """The engine's clock as this was sent, UTC ms; 0: it does not say."""


@dataclass(frozen=True)
class Unwelcome:
    """The engine refuses to talk, for this reason; the connection ends."""

    reason: str
    ends: bool = False
    """Whether it is the engine that ends, in order: it was meant, so let it be."""


@dataclass(frozen=True)
class FleetNews:
    """What this reader lacks to hold the fleet of `revision`."""

    revision: int
    patch: Patch
    clock: int = 0
    """The engine's clock as this was sent, UTC ms: all times in the fleet are times of it. 0: it does not say."""


@dataclass(frozen=True)
class Answered:
    """What became of a `Submit`."""

    id: int
    result: Result


@dataclass(frozen=True)
class Page:
    """Whole records of one log, in order, from `start` up to `end`."""

    agent: str
    start: LogPlace
    end: LogPlace
    data: str = ""
    """The records as base64."""
    id: int = 0
    """Of the `FetchLog` that this answers, else of the `FollowLogs` since which the agent is followed, so that what was
    under way before is not taken for what was asked for since."""
    skipped: int = 0
    """Bytes before `start` that were left out."""
    first: bool = False
    """Nothing older exists in this run."""
    reason: str = ""
    """Why there is nothing, when the log cannot be read."""
    before: int = 0
    """Bytes of this run's log before the records; 0 where that was not asked for."""
    total: int = 0
    """Bytes of all of it, likewise."""
    unanswered: bool = False
    """Its host could not be asked, or did not answer: what it has is not known."""
    withheld: bool = False
    """This reader is not shown it."""

    @property
    def size(self) -> int:
        """Bytes of its records."""
        return base64_size(self.data)


@dataclass(frozen=True)
class Screen:
    """The answer to `LookAtScreen`: the screen's lines as base64, colours as SGR; nothing, for this reason."""

    id: int
    data: str = ""
    columns: int = 0
    rows: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Hits:
    """The answer to `SearchLog`: what was found on the way to `place`, as its host says."""

    id: int
    place: LogPlace
    hits: tuple[Hit, ...] = ()
    done: bool = False
    searched: int = 0
    reason: str = ""
    at: int = 0
    unanswered: bool = False
    """Its host could not be asked, or did not answer."""


@dataclass(frozen=True)
class AgentChanges:
    """The answer to `AskChanges`; none, for this reason. Paths are as its host has them."""

    id: int
    changes: Changes | None = None
    reason: str = ""


@dataclass(frozen=True)
class DiffPage:
    """The answer to `AskDiff`: what its host read; none, for this reason."""

    id: int
    read: DiffRead | None = None
    reason: str = ""


@dataclass(frozen=True)
class HostChecked:
    """The answer to `CheckHost`: what is known without the host, then what it says; `reason`: why it says nothing."""

    id: int
    checks: tuple[Check, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class History:
    """The answer to `AskHistory`, oldest first; none, for this reason."""

    id: int
    points: tuple[Point, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Costs:
    """The answer to `AskCosts`; none, for this reason."""

    id: int
    rows: tuple[CostRow, ...] = ()
    reason: str = ""
    ran: dict[str, int] = field(default_factory=dict)
    """By key: milliseconds that the agents of it ran in the span; of those where that is known."""


@dataclass(frozen=True)
class Flowing:
    """The answer to `AskFigures`; none, for this reason."""

    id: int
    figures: Figures | None = None
    reason: str = ""


@dataclass(frozen=True)
class TaskText:
    """The answer to `AskTask`; none, for this reason."""

    id: int
    text: str = ""
    reason: str = ""


Answer = (
    Answered | Page | Screen | Hits | HostChecked | Costs | History | Audit | LedgerResult | Compared | Estimated
    | Attached | Runways | SetAside | TaskText | Flowing | AgentChanges | DiffPage | WorkTold | Rules
    | Judged | WorktreesTold | FleetAnswer
)  # fmt: skip
Told = Welcome | Unwelcome | FleetNews | Answer

_REQUESTS: dict[str, type] = {cls.__name__: cls for cls in get_args(Request)}
_TOLD: dict[str, type] = {cls.__name__: cls for cls in get_args(Told)}
_INTENTS: dict[str, type] = {cls.__name__: cls for cls in get_args(Intent)}


@dataclass(frozen=True)
class _Terms:
    """A `Submit` without its intent."""

    id: int
    wait: bool = True
    deadline: float = 60.0


def pack(message: Request | Told) -> bytes:
    """Write a message as one line, newline included."""
    value = {"is": type(message).__name__, **encode(message)}
    if isinstance(message, Submit):
        value["intent"] = {"is": type(message.intent).__name__, **encode(message.intent)}
    return to_line(value)


def read_request(line: bytes) -> Request:
    """Read what a front end said. Raises `PeerError`."""
    value = from_line(line)
    name = value.pop("is", None)
    if name == "Submit":
        wanted = value.pop("intent", None)
        if not isinstance(wanted, dict):
            raise PeerError("Submit without an intent")
        intent: Intent = decode(_kind(_INTENTS, wanted.pop("is", None)), wanted)
        terms = decode(_Terms, value)
        return Submit(terms.id, intent, terms.wait, terms.deadline)
    request: Request = decode(_kind(_REQUESTS, name), value)
    return request


def read_told(line: bytes) -> Told:
    """Read what the engine said. Raises `PeerError`."""
    value = from_line(line)
    message: Told = decode(_kind(_TOLD, value.pop("is", None)), value)
    return message


def _kind(kinds: dict[str, type], name: object) -> type:
    cls = kinds.get(name) if isinstance(name, str) else None
    if cls is None:
        raise PeerError(f"unknown message {ascii(name)[:40]}")
    return cls
