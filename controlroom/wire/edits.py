"""What agents have edited in repositories, told by their host as far as it is known there."""

from controlroom.text.lazy_dataclass import dataclass

MOST_PATHS = 500
"""Paths of one agent that are told, and bytes that they may have together: of further files nothing is known."""

MOST_BYTES = 32 * 1024

LONGEST_PATH = 400
"""Characters of a path that is told."""

MOST_REPOSITORIES = 8
"""Repositories of one agent that are looked at."""


@dataclass(frozen=True)
class RepositoryEdits:
    """What one agent has edited of one repository since it began, and that is not merged or undone yet."""

    tree: str
    """The working tree that it did so in: its folder's path on the host."""
    common: str = ""
    """Where the repository lies on the host; "": the tree is in no repository."""
    origin: str = ""
    """Where the repository came from, as `runner.git` writes it: without anything secret. "": nowhere else."""
    paths: tuple[str, ...] = ()
    """From the top of the tree on, sorted."""
    more: bool = False
    """There may be more files than these."""


@dataclass(frozen=True)
class AgentEdits:
    """All that one agent has edited, as far as is known. `epoch`: 0 for one that others started."""

    name: str
    epoch: int
    repositories: tuple[RepositoryEdits, ...] = ()
    known: bool = True
    """Whether it could be looked at."""


@dataclass(frozen=True)
class EditsSeen:
    """Agents of which it is another than was told before, or that are told of for the first time."""

    agents: tuple[AgentEdits, ...]
