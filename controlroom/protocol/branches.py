"""What front ends ask about the work of agents, and are told."""

from controlroom.domain.worktrees import KeptWorktree
from controlroom.text.branch_work import BranchWork
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class AskWork:
    """What has an agent done, and committed? Answered by `WorkTold`."""

    id: int
    agent: str
    epoch: int


@dataclass(frozen=True)
class WorkTold:
    """The answer to `AskWork`; none, for this reason."""

    id: int
    work: BranchWork | None = None
    reason: str = ""


@dataclass(frozen=True)
class AskWorktrees:
    """Which worktrees have been made for agents on a host? Answered by `WorktreesTold`."""

    id: int
    host: str


@dataclass(frozen=True)
class WorktreesTold:
    """The answer to `AskWorktrees`, the newest first; `more`: so many were left out. None, for this reason."""

    id: int
    worktrees: tuple[KeptWorktree, ...] = ()
    more: int = 0
    reason: str = ""
