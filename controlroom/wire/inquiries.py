"""What home asks a node that changes nothing there, and what the node finds. Each answer carries its question's id.

A node answers every inquiry, with a reason when there is nothing to give. Text and bytes are as the host has them.
"""

from dataclasses import dataclass, field

from controlroom.text.host_sample import FolderCheck, HostCheck
from controlroom.wire.spec import AgentSpec

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


Inquiry = ReadSpec | ShowScreen | Search | Check
Finding = SpecRead | ScreenShown | Found | Checked
