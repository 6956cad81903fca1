"""What home and two nodes say while an agent is moved with its Claude session and its folder.

Each question is about one step, which may be asked for again: the same step twice is one step. Parts travel in pieces,
each asked for by home, so that no more is under way than home has asked for.
"""

from dataclasses import field

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.spec import AgentSpec

PIECE = 96 * 1024
"""Bytes of one piece at most."""

MOST_FILES = 2000
"""Files of one session at most."""

MOST_TIPS = 200
"""Commits at most that a host names of those it has already."""

MOST_LEFT = 12
"""Ignored files and folders that are named of those left behind."""


class Part(NamedTuple):
    """One of the files that are carried: what it is called, its size in bytes and its SHA-256."""

    name: str
    size: int
    sha256: str


class SessionFile(NamedTuple):
    """A file of a Claude session, below the folder of its project."""

    path: str
    size: int
    sha256: str


class Folder(NamedTuple):
    """The state of a folder in a git repository: names of git objects prove that it arrived as it was."""

    head: str
    """The commit that is checked out."""
    staged: str
    """The tree that its index holds."""
    work: str
    """The tree of its files: all but those that git ignores and `.worktreeinclude` does not name."""
    branch: str = ""
    """The branch that is checked out; "": none."""
    base: str = ""
    """The commit that the agent's worktree began from; "": it had none of its own."""
    onto: str = ""
    inner: str = ""
    """The folder below the top that the agent works in."""
    name: str = ""
    """What the checkout is called."""
    origin: str = ""
    """Which repository it is, without credentials (`runner.git.origin`); "": it has no origin."""
    url: str = ""
    """How that is reached, without credentials; "": not over ssh or https."""
    format: str = "sha1"
    changed: int = 0
    """Files that are in no commit as they are."""
    bytes: int = 0
    """What its commits take that the other host lacks, about."""
    left: tuple[str, ...] = ()
    """Ignored files and folders that stay behind, the first of them."""
    more_left: int = 0


class Manifest(NamedTuple):
    """What was packed."""

    parts: tuple[Part, ...] = ()
    session: str = ""
    files: tuple[SessionFile, ...] = ()
    folder: Folder | None = None


# --------------------------------------------------------------------------- home -> node


@dataclass(frozen=True)
class LookAtFolder:
    """What would be carried of this agent? Nothing is changed. Answered by `FolderLooked`."""

    id: int
    name: str
    epoch: int
    session: str = ""
    folder: bool = True
    have: tuple[str, ...] = ()
    """Commits that the other host has."""


@dataclass(frozen=True)
class FindRepository:
    """Is there a checkout of this origin? Answered by `RepositoryFound`."""

    id: int
    origin: str
    folders: tuple[str, ...] = ()
    """Where it may be, as `AgentSpec.cwd` names folders, the likeliest first."""


@dataclass(frozen=True)
class PushHead:
    """Push the commit that an agent's folder stands at to its origin, as a branch of ours. Answered by `HeadPushed`.

    `gone`: remove that branch again.
    """

    id: int
    name: str
    epoch: int
    op: int
    gone: bool = False


@dataclass(frozen=True)
class FetchHead:
    """Fetch that branch from the origin into a checkout of it. Answered by `Stepped`."""

    id: int
    name: str
    op: int
    repository: str
    head: str


@dataclass(frozen=True)
class Pack:
    """Pack what the agent, which has ended, has: its session, its folder. Answered by `Packed`."""

    id: int
    name: str
    epoch: int
    op: int
    """Names the move."""
    session: str = ""
    folder: bool = True
    have: tuple[str, ...] = ()
    most: int = 0
    """Bytes of all parts at most."""


@dataclass(frozen=True)
class ReadPiece:
    """Read a piece of a packed part. Answered by `PieceRead`."""

    id: int
    name: str
    op: int
    part: str
    offset: int


@dataclass(frozen=True)
class Receive:
    """How much of a part has arrived? Answered by `Received`."""

    id: int
    name: str
    op: int
    part: Part


@dataclass(frozen=True)
class WritePiece:
    """Take a piece of a part, in base64. Answered by `Received`."""

    id: int
    name: str
    op: int
    part: Part
    offset: int
    data: str


@dataclass(frozen=True)
class Unpack:
    """Put what has arrived into its place, and prove that it is what was packed. Answered by `Unpacked`."""

    id: int
    name: str
    epoch: int
    """The run that will begin with it."""
    op: int
    manifest: Manifest
    repository: str = ""
    """The checkout that its worktree is to belong to (`RepositoryFound.path`); "": it is made from what came."""
    spec: AgentSpec = field(default_factory=AgentSpec)
    """How the run will be run: it says where its Claude keeps its sessions."""


@dataclass(frozen=True)
class Fence:
    """Let no run go on in a session that has moved to another host (`to`), or again (""). Answered by `Stepped`."""

    id: int
    name: str
    epoch: int
    op: int
    session: str
    to: str = ""


@dataclass(frozen=True)
class Discard:
    """Remove what was packed or received for a move; `undo`: and what was unpacked. Answered by `Stepped`."""

    id: int
    name: str
    op: int
    undo: bool = False


# --------------------------------------------------------------------------- node -> home


@dataclass(frozen=True)
class FolderLooked:
    """The answer to `LookAtFolder`; a reason: it cannot be carried."""

    id: int
    folder: Folder | None = None
    path: str = ""
    """The checkout that the agent's worktree was made from, else the top that it works in."""
    session_bytes: int = 0
    reason: str = ""


@dataclass(frozen=True)
class RepositoryFound:
    """The answer to `FindRepository`; no path: there is none."""

    id: int
    path: str = ""
    tips: tuple[str, ...] = ()
    """Commits that it has: where its branches stand, its own and its origin's."""
    free: int = -1
    """Bytes of disk that are free; -1: not known."""
    reason: str = ""
    """Why no folder can be received here at all."""


@dataclass(frozen=True)
class HeadPushed:
    """The answer to `PushHead`; a reason: it was not."""

    id: int
    head: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Packed:
    """The answer to `Pack`; a reason: nothing was."""

    id: int
    manifest: Manifest | None = None
    reason: str = ""


@dataclass(frozen=True)
class PieceRead:
    """The answer to `ReadPiece`, in base64; a reason: it is not there."""

    id: int
    data: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Received:
    """How many bytes of a part have arrived, from its first one on."""

    id: int
    size: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Unpacked:
    """The answer to `Unpack`; a reason: it is not in its place."""

    id: int
    cwd: str = ""
    """Where the agent will work; "": no folder came."""
    checkout: str = ""
    """The folder that its later runs begin at."""
    branch: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Stepped:
    """The answer to `Fence` and `Discard`; a reason: it was not done."""

    id: int
    reason: str = ""


_Before = LookAtFolder | FindRepository | PushHead | FetchHead
CarryStep = _Before | Pack | ReadPiece | Receive | WritePiece | Unpack | Fence | Discard
CarryAnswer = FolderLooked | RepositoryFound | HeadPushed | Packed | PieceRead | Received | Unpacked | Stepped
