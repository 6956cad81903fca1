"""What a host says of git worktrees that were made there for agents. Names and paths are as the host has them."""

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class WorktreeSeen:
    """The worktree that an agent works in."""

    path: str
    branch: str
    base: str
    """The commit that it began from, in hexadecimal."""
    onto: str = ""
    """What that was called: a branch or a commit; "": what its repository stood at."""
    origin: str = ""
    """Which repository it is, without credentials (`runner.git.origin`); "": it has no origin."""
    checkout: str = ""
    """The work tree that it was made from."""
    ports: tuple[int, ...] = ()
    """The first port that is its own, and how many; nothing: none."""


# --------------------------------------------------------------------------- inquiry


@dataclass(frozen=True)
class ListWorktrees:
    """Which worktrees have been made for agents here? Answered by `WorktreesListed`."""

    id: int


@dataclass(frozen=True)
class WorktreeFound:
    """A worktree that was made here; it outlives its agent."""

    key: str
    """What names it on its host: the agent's name and run that it was made for, as `docs-1.2`."""
    agent: str
    epoch: int
    """The first run of its agent that worked in it, and `last` the newest."""
    last: int
    path: str
    branch: str
    onto: str = ""
    origin: str = ""
    checkout: str = ""
    made: int = 0
    """UTC ms."""
    ready: bool = True
    """It was made to the end."""
    alive: bool = False
    """A run of its agent works in it."""
    bytes: int = 0
    """What it takes on the disk."""
    bytes_bound: bool = False
    """It takes more: not all of it was looked at."""
    uncommitted: int = -1
    """Files that no commit has; -1: not known."""
    only_here: int = -1
    """Commits that no other branch, remote or tag has; -1: not known."""
    problem: str = ""
    """Why that is not known."""


@dataclass(frozen=True)
class WorktreesListed:
    """The answer to `ListWorktrees`; `more`: so many further ones were left out."""

    id: int
    worktrees: tuple[WorktreeFound, ...] = ()
    more: int = 0
    reason: str = ""


# --------------------------------------------------------------------------- order


@dataclass(frozen=True)
class DropWorktree:
    """Remove a worktree in which nobody works, and its branch; `unsaved`: also what would be lost by it."""

    id: int
    name: str
    """The agent that it was made for."""
    key: str
    unsaved: bool = False
