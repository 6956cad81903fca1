"""What home and node say to each other on one channel: JSON lines, each one message, `"is"` naming its kind.

Times are UTC milliseconds of the host unless a name says otherwise, sizes bytes, shares per cent of one core (CPU of a
process) or of the machine (CPU of a host). Text is as the host gave it: hostile until `translate` has sanitized it.
"""

import typing
from typing import Any

from controlroom.text.checks import Checks
from controlroom.text.host_sample import HostSample
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Item, ItemAnswer, Outcome, TellKind, Verdict
from controlroom.wire.adopted import SignalAdopted
from controlroom.wire.branches import BranchOrder
from controlroom.wire.carrying import CarryAnswer, CarryStep
from controlroom.wire.codec import decode, encode
from controlroom.wire.edits import EditsSeen
from controlroom.wire.grants import Grant, GrantOrder
from controlroom.wire.inquiries import Finding, Inquiry
from controlroom.wire.lines import PeerError, from_line, to_line
from controlroom.wire.runner import (
    Answer,
    AskPlan,
    Interrupt,
    Message,
    Seal,
    SealedRequest,
    SetModel,
    digest_of,
    request_fields,
)
from controlroom.wire.spec import AgentSpec
from controlroom.wire.usage import LimitsSeen, UsageGaps, UsageOrder, UsageSeen
from controlroom.wire.worktrees import DropWorktree, WorktreeSeen


@dataclass(frozen=True)
class QuestionSeen:
    """What an agent asks, and waits for a person to answer."""

    id: str
    tool: str
    text: str
    """All of it as plain lines: the command, the file, the questions with their choices."""
    at: int
    kind: str = ""
    """`permission`, `plan` or `choices`; "": an older runner, which does not say."""
    items: tuple[Item, ...] = ()
    """What is to be chosen, for the kind `choices`."""
    cut: bool = False
    """It asks more than this: nothing but a no is an answer."""
    always: tuple[str, ...] = ()
    """What the answer `always` allows beside this, for the session, in words; nothing: `always` is no answer to it."""
    input: str = ""
    """The input of the tool, whole, as JSON in ASCII; "": it is not known whole, or its runner is an older one."""

    @property
    def digest(self) -> str:
        """What an answer to it must carry."""
        return digest_of(self.id, self.kind, self.tool, self.text, self.items, self.always, self.input)


# --------------------------------------------------------------------------- home -> node


@dataclass(frozen=True)
class Greet:
    """The first message: who we are. The node answers `Welcome`."""

    version: str
    room: str
    """Random id of the room. The node acts only for the room in `owner.json` (or for the first that comes)."""
    namespace: str = ""
    """"" for the default, else the hash of CONTROLROOM_HOME: part of the state folder and the tmux socket name."""
    read_only: bool = False
    adopt: bool = True
    """Whether to look for agents that others started."""
    adopted_logs: tuple[str, ...] = ()
    """Where those have their log files: paths with `*`, from the user's home (`~/`) or the root on."""


@dataclass(frozen=True)
class Ping:
    """A heartbeat. The node answers `Pong`, and ends by itself when none has come for `NODE_PATIENCE` seconds."""

    number: int


@dataclass(frozen=True)
class Spawn:
    """Start an agent. Idempotent by name and epoch: the same `epoch` twice is one agent.

    With `replaces`, the agent of that epoch is ended first, and its tree proved gone.
    """

    id: int
    name: str
    epoch: int
    spec: AgentSpec
    task: str
    replaces: int = 0
    grant: Grant | None = None
    """What it may spend, in force before it begins; None: no budget binds it."""
    key: str = ""
    """The room's public key (Ed25519, hexadecimal): its runner takes orders that are signed by it, and no others."""
    owner: str = ""
    """The room and the host (`wire.signing.owner_of`), which they are signed for."""


@dataclass(frozen=True)
class Kill:
    """End an agent: TERM the tree, wait, KILL, sweep, look. Done only when nothing of it is left. `why`: in a word."""

    id: int
    name: str
    epoch: int
    why: str = ""


@dataclass(frozen=True)
class Tell:
    """Something for a running agent: a message, an answer, an interrupt, another model; or how its plan stands."""

    id: int
    name: str
    epoch: int
    what: TellKind
    """`USAGE` is for headless ones; it comes home as `LimitsSeen`."""
    text: str = ""
    question: str = ""
    """The id of the question that the answer was shown for; refused when it is no longer open."""
    verdict: Verdict = Verdict.UNKNOWN
    digest: str = ""
    """What was shown of the question (`wire.runner.digest_of`); refused when it shows something else."""
    answers: tuple[ItemAnswer, ...] = ()
    """One for each of its items, in their order."""
    nonce: str = ""
    """Names this order alone: the same one a second time is refused."""
    signature: str = ""
    """The room's, under `wire.signing.order_bytes`, for runners that began before they knew of `bound`."""
    bound: str = ""
    """The room's signature with the owner of the run."""
    by: str = ""
    """The rules that gave an answer, by name; "": a person did."""

    @property
    def request(self) -> SealedRequest | None:
        """What its runner is asked to do; None: nothing that a runner is ever asked."""
        if self.what is TellKind.ANSWER:
            return Answer(self.question, self.verdict, self.digest, self.text, self.answers, self.by)
        if self.what is TellKind.MESSAGE:
            return Message(self.text)
        if self.what is TellKind.INTERRUPT:
            return Interrupt()
        if self.what is TellKind.MODEL:
            return SetModel(self.text)
        return AskPlan() if self.what is TellKind.USAGE else None

    @property
    def seal(self) -> Seal:
        """What shows its runner that the room ordered it."""
        return Seal(self.nonce, self.bound, self.signature)

    @property
    def signed_fields(self) -> dict[str, Any]:
        """What home signs of it: all that its runner gets, but for the older signature."""
        return request_fields(self.request, self.seal._replace(signature="")) if self.request is not None else {}


@dataclass(frozen=True)
class Forget:
    """Remove an ended agent's folder (this epoch and earlier ones) from the host."""

    id: int
    name: str
    epoch: int


@dataclass(frozen=True)
class Take:
    """Become the owner of this host: the epoch in `owner.json` goes up by one."""

    id: int


@dataclass(frozen=True)
class LogStart:
    """Where the log of an agent is to be sent from; `segment` 0 is the very first record."""

    name: str
    epoch: int
    segment: int
    offset: int


@dataclass(frozen=True)
class Follow:
    """The whole set of logs to send from now on, each from its place. A log already followed goes on where it was."""

    logs: tuple[LogStart, ...] = ()


@dataclass(frozen=True)
class LinesOnShow:
    """The agents whose newest lines somebody looks at. Theirs are sent at once, those of others together and seldom."""

    names: tuple[str, ...] | None = None
    """None: all, as until the first word of this."""


@dataclass(frozen=True)
class Credit:
    """The receiver has taken `size` bytes of log records; so many more may be sent (`LOG_WINDOW` in flight)."""

    size: int


@dataclass(frozen=True)
class Fetch:
    """Read older text: the last `count` records before the place, or before the end when `segment` is -1.

    Answered by `Fetched`; for a followed log everything before the place given there has been sent as `LogChunk`.
    """

    id: int
    name: str
    epoch: int
    segment: int = -1
    offset: int = 0
    count: int = 200
    forward: bool = False
    """Read `count` records after the place instead; `segment` 0 is the beginning."""


@dataclass(frozen=True)
class GiveUp:
    """Nobody waits any more for the answer to this `Fetch` or inquiry: it is to be dropped, and needs none."""

    id: int


# --------------------------------------------------------------------------- node -> home


@dataclass(frozen=True)
class Welcome:
    """What the node is and stands on. Sent once, after `Greet`."""

    version: str
    hostname: str
    user: str
    home: str
    platform: str
    python: str
    machine_id: str
    boot_id: str
    cores: int
    memory_total: int
    clock: int
    """The host's clock at sending, UTC ms."""
    tmux: str = ""
    """Its version, "" when there is none: agents can be seen but not started."""
    owner: str = ""
    """Room id of the owner, "" when nobody owns the host yet."""
    owner_epoch: int = 0
    place: str = ""
    """Names this user's home on this run of this machine: two connections that show the same one end in one place."""
    tmux_problem: str = ""
    """Why tmux's version is not known although it is there."""


@dataclass(frozen=True)
class Pong:
    """The answer to `Ping`."""

    number: int
    clock: int


@dataclass(frozen=True)
class Reply:
    """What became of a request."""

    id: int
    outcome: Outcome
    reason: str = ""
    conflicts: tuple[str, ...] = ()
    """Of a merge that was not made: the files that both sides have changed."""


@dataclass(frozen=True)
class EvidenceSeen:
    """One source's view of an agent's state. `state` is a state word, `value` what was seen, in the source's words."""

    source: str
    """`runner`, `stream`, `session file`, `process` or `tmux`."""
    state: str
    value: str
    at: int


@dataclass(frozen=True)
class AgentSeen:
    """The truth about one agent as its host knows it. `status.json` holds the same fields (but the node's evidence)."""

    name: str
    epoch: int
    kind: str
    state: str
    since: int
    detail: str = ""
    """In a few words: why this state (`exit 1`, `asks: git push`, `probably out of memory`, `done, 3 denied`)."""
    cause: str = ""  # why, where something follows from it (`text.states`); older runners say none
    profile: str = ""
    model: str = ""
    cwd: str = ""
    task: str = ""
    """The first 200 characters of the task."""
    pid: int = 0
    """The agent's own process; 0 when it has none."""
    session: str = ""
    """Claude's session id."""
    started: int = 0
    ended: int = 0
    exit_code: int | None = None
    exit_signal: int | None = None
    question: QuestionSeen | None = None
    limited_until: int = 0
    denied: int = 0
    billing: str = ""
    """Who pays for its messages: `api` or `plan`, "" when that is not known, and for what is not Claude."""
    billing_doubt: str = ""
    """How what its Claude says of that disagrees with what is set up on its host."""
    stray_key: str = ""  # what moves it off its host's plan though nothing asks for it, by name
    grant: int = 0
    """The number of the grant that its runner goes by; 0: none."""
    run_spent: int = 0
    """Micro-dollars that its run has cost by its runner's count: said with each grant it took, and at the end."""
    run_tokens: int = 0
    """Tokens of all kinds, likewise."""
    subagents: int | None = None  # how many are at work, while a grant binds it; None: not known, nor to older runners
    forged: int = 0
    """How many orders have come to its runner that its room had not signed."""
    trouble: str = ""  # what is wrong with it though it runs, in a few words
    checks: Checks | None = None  # what came of its checks; None: none have run
    nothing_changed: bool = False  # it is done, has changed no file and answered nothing
    log_bytes: int = 0
    """Bytes in its log segments by now."""
    evidence: tuple[EvidenceSeen, ...] = ()
    place: str = ""
    """Of one that others started: where it lives, `tmux work` (a session of the user's own server) or `pid 1234`."""
    pane: str = ""
    """Its tmux pane there, as `%12`; "" for one outside tmux."""
    mark: str = ""  # likewise: names its process for ever (`wire.adopted`); "": it cannot be told from others
    script: str = ""  # likewise: the mark of the script that runs it and nothing else; "": there is none
    worktree: WorktreeSeen | None = None
    """The git worktree of its own that it works in."""


@dataclass(frozen=True)
class AgentsSeen:
    """Agents that are new or changed; `complete`: these are all there are on this host."""

    agents: tuple[AgentSeen, ...]
    complete: bool = False
    gone: tuple[str, ...] = ()
    """Names whose folders are no longer there."""


@dataclass(frozen=True)
class AdoptedSeen:
    """Agents on this host that others started. Kind `adopted`, epoch 0.

    `complete`: these are all that live. Else they are those of which something has changed; one that has ended is told
    of once, and kept at home.
    """

    agents: tuple[AgentSeen, ...]
    complete: bool = True


@dataclass(frozen=True)
class LastLine:
    """The newest line of an agent's log, as text for people."""

    name: str
    epoch: int
    text: str
    at: int


@dataclass(frozen=True)
class LastLines:
    """Newest lines since the last such message, one an agent at most; coalesced for 20 to 50 ms."""

    lines: tuple[LastLine, ...]


@dataclass(frozen=True)
class AgentLoad:
    """What an agent's whole process tree uses: memory, CPU of one core, number of processes."""

    name: str
    epoch: int
    rss: int
    """Resident bytes, what its processes share counted once."""
    cpu_percent: float
    processes: int
    rss_bound: bool = False
    """`rss` is an upper bound: what is shared could not be read, or not yet."""


@dataclass(frozen=True)
class Loads:
    """Loads that changed, at most once a second."""

    at: int
    agents: tuple[AgentLoad, ...]


@dataclass(frozen=True)
class LogChunk:
    """Whole records of one followed log, in order. `skipped` bytes before `segment`/`offset` were not sent."""

    name: str
    epoch: int
    segment: int
    offset: int
    data: str
    """The records as base64."""
    next_segment: int
    next_offset: int
    skipped: int = 0


@dataclass(frozen=True)
class Fetched:
    """The answer to `Fetch`: whole records from `segment`/`offset` up to `next_*`, as base64.

    Records that span segments are sent up to the end of one segment; ask again for more. `first`: nothing older exists.
    """

    id: int
    segment: int
    offset: int
    data: str
    next_segment: int
    next_offset: int
    first: bool = False
    reason: str = ""
    """Why there is nothing, when the log cannot be read."""
    before: int = 0
    """Bytes of this run's log before the records."""
    total: int = 0
    """Bytes of all of it."""


@dataclass(frozen=True)
class OwnerSeen:
    """Who owns this host: said once after the welcome, and whenever it has changed hands."""

    room: str
    epoch: int


@dataclass(frozen=True)
class TmuxSeen:
    """What tmux is like on this host, where that has changed since the welcome."""

    version: str = ""
    problem: str = ""
    """Why its version is not known although it is there; both empty: there is none."""

    @property
    def missing(self) -> bool:
        """Whether there is none."""
        return not self.version and not self.problem


@dataclass(frozen=True)
class Notice:
    """What this host's operator should know, in words (`tmux is missing: apt-get install tmux`); "": nothing more."""

    text: str


_Order = Spawn | Kill | Tell | Forget | Take | GrantOrder | BranchOrder | DropWorktree | SignalAdopted
ToNode = Greet | Ping | _Order | Follow | LinesOnShow | Credit | Fetch | GiveUp | Inquiry | CarryStep | UsageOrder
HostRecord = HostSample | OwnerSeen | TmuxSeen | UsageGaps | Notice
AgentRecord = AgentsSeen | AdoptedSeen | LastLines | Loads | EditsSeen | HostRecord
FromNode = Welcome | Pong | Reply | AgentRecord | LogChunk | Fetched | Finding | CarryAnswer | UsageSeen | LimitsSeen

NODE_PATIENCE = 30.0
"""Seconds without a message from home after which a node ends."""

LOG_WINDOW = 256 * 1024
"""Bytes of log records that may be under way to one receiver before it must give credit."""

TO_NODE: dict[str, type] = {cls.__name__: cls for cls in typing.get_args(ToNode)}
FROM_NODE: dict[str, type] = {cls.__name__: cls for cls in typing.get_args(FromNode)}
"""The kinds of messages in each direction, by name."""


def pack(message: ToNode | FromNode) -> bytes:
    """Write a message as one line, newline included."""
    return to_line({"is": type(message).__name__, **encode(message)})


def read_to_node(line: bytes) -> ToNode:
    """Read what home said. Raises `PeerError`."""
    value = from_line(line)
    message: ToNode = decode(_kind(TO_NODE, value.pop("is", None)), value)
    return message


def read_from_node(line: bytes) -> FromNode:
    """Read what a node said. Raises `PeerError`."""
    value = from_line(line)
    message: FromNode = decode(_kind(FROM_NODE, value.pop("is", None)), value)
    return message


def _kind(kinds: dict[str, type], name: object) -> type:
    cls = kinds.get(name) if isinstance(name, str) else None
    if cls is None:
        raise PeerError(f"unknown message {ascii(name)[:40]}")
    return cls
