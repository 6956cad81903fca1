"""What home asks a node that changes nothing there, and what the node finds. Each answer carries its question's id.

A node answers every inquiry, with a reason when there is nothing to give. Text and bytes are as the host has them.
"""

from dataclasses import field

from controlroom.text.changes import BEGINNING, Changes, DiffPlace
from controlroom.text.host_sample import FolderCheck, HostCheck
from controlroom.text.lazy_dataclass import dataclass
from controlroom.wire.branches import ReadWork, WorkRead
from controlroom.wire.imports import ListTranscripts, ReadTranscripts, TranscriptsListed, TranscriptsRead
from controlroom.wire.spec import AgentSpec
from controlroom.wire.worktrees import ListWorktrees, WorktreesListed

# --------------------------------------------------------------------------- home -> node


@dataclass(frozen=True)
class ReadSpec:
    """How was this epoch of an agent to be run, and what is its whole task? Answered by `SpecRead`."""

    id: int
    name: str
    epoch: int


@dataclass(frozen=True)
class ShowScreen:
    """What stands on an agent's terminal now? Answered by `ScreenShown`."""

    id: int
    name: str


@dataclass(frozen=True)
class Search:
    """Where does a text stand in this run of an agent's log? Answered by `Found` for a piece of the way.

    Looked at is what a person would read. Backwards from before the place (segment -1: the end), or forwards from it.
    """

    id: int
    name: str
    epoch: int
    text: str
    regex: bool = False
    """The text is a regular expression (syntax: Python's `re`)."""
    exact: bool = False
    """Capital and small letters differ."""
    segment: int = -1
    offset: int = 0
    forward: bool = False
    count: int = 100
    """Hits of one answer at most."""
    lines: bool = False
    """The lines themselves are wanted, too."""


@dataclass(frozen=True)
class Check:
    """What does this host have of all that agents need? Answered by `Checked`."""

    id: int
    folders: tuple[str, ...] = ()
    """In which agents are to work, as `AgentSpec.cwd` names them: up to `MOST_FOLDERS`."""
    folders_alone: bool = False
    """Nothing else is to be looked at."""


MOST_FOLDERS = 100
"""Folders that one check-up looks at."""


@dataclass(frozen=True)
class ListChanges:
    """Which files has this run of an agent changed? Answered by `ChangesListed`."""

    id: int
    name: str
    epoch: int


@dataclass(frozen=True)
class ReadDiff:
    """What has this run of an agent changed in a file? Answered by `DiffRead` with lines from number `start` on."""

    id: int
    name: str
    epoch: int
    path: str
    was: str = ""
    """The path that it had in the base, where that is another one."""
    untracked: bool = False
    """It is meant as a file that git does not know, whatever git knows of that path."""
    start: int = 0
    """Lines before it are not wanted."""


# --------------------------------------------------------------------------- node -> home


@dataclass(frozen=True)
class SpecRead:
    """The answer to `ReadSpec`; no spec: it cannot be read, for this reason."""

    id: int
    spec: AgentSpec | None = None
    task: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ScreenShown:
    """The answer to `ShowScreen`: the screen's lines as base64, colours as SGR; nothing, for this reason."""

    id: int
    data: str = ""
    columns: int = 0
    rows: int = 0
    reason: str = ""


@dataclass(frozen=True)
class FoundLine:
    """A line that holds what was searched for: what kind of thing it is, and its text."""

    kind: str
    text: str


@dataclass(frozen=True)
class Hit:
    """Something found: the place where its first record begins, and when that was written (UTC ms)."""

    segment: int
    offset: int
    at: int
    lines: tuple[FoundLine, ...] = ()
    marks: tuple[str, ...] = ()
    """What an expression stood for there; a few of them at most."""


@dataclass(frozen=True)
class Found:
    """The answer to `Search`: hits in the order they were met. The search goes on from `segment`/`offset`."""

    id: int
    hits: tuple[Hit, ...] = ()
    segment: int = 0
    offset: int = 0
    done: bool = False
    """There is nothing further that way."""
    searched: int = 0
    """Bytes of the log that were searched."""
    at: int = 0
    """When the record at that place was written (UTC ms); 0: not known."""
    reason: str = ""
    """Why the search cannot go on."""


@dataclass(frozen=True)
class Checked:
    """The answer to `Check`."""

    id: int
    clock: int = 0
    """UTC ms of the host's clock when it answered."""
    host: HostCheck = field(default_factory=HostCheck)
    folders: tuple[FolderCheck, ...] = ()


@dataclass(frozen=True)
class ChangesListed:
    """The answer to `ListChanges`; none, for this reason."""

    id: int
    changes: Changes | None = None
    reason: str = ""


@dataclass(frozen=True)
class CutLine:
    """A line of a diff that was too long: its place among those that were sent, and the bytes that were not."""

    index: int
    left_out: int


@dataclass(frozen=True)
class DiffRead:
    """The answer to `ReadDiff`: lines of a unified diff from its first `@@` on; nothing, for this reason."""

    id: int
    data: str = ""
    """The lines as base64, each with its newline."""
    place: DiffPlace = BEGINNING
    """Where the first of them stands."""
    start: int = 0
    """Its number, counted from 0."""
    total: int = 0
    """Lines of the diff in all."""
    cut: tuple[CutLine, ...] = ()
    endless: bool = False
    """The file has changed in more than can be read: there are more lines than `total`."""
    binary: bool = False
    """Its contents differ, and are no text."""
    version: str = ""
    """Another one: what is read has changed since."""
    reason: str = ""


Inquiry = (
    ReadSpec
    | ShowScreen
    | Search
    | Check
    | ListChanges
    | ReadDiff
    | ReadWork
    | ListWorktrees
    | ListTranscripts
    | ReadTranscripts
)
Finding = (
    SpecRead
    | ScreenShown
    | Found
    | Checked
    | ChangesListed
    | DiffRead
    | WorkRead
    | WorktreesListed
    | TranscriptsListed
    | TranscriptsRead
)
