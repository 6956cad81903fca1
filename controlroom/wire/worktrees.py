"""What a host says of git worktrees that were made there for agents. Names and paths are as the host has them."""

from dataclasses import dataclass


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
