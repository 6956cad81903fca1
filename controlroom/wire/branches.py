"""What home asks a node about the commits of an agent, and what it orders to be done with them.

Names of branches keep `text.names.branch_name_problem`. What is checked before a merge counts comes with the order: no
host is asked what was ordered.
"""

from dataclasses import field

from controlroom.text.branch_work import BranchWork
from controlroom.text.lazy_dataclass import dataclass
from controlroom.wire.spec import AgentSpec

# --------------------------------------------------------------------------- inquiry


@dataclass(frozen=True)
class ReadWork:
    """What has an agent committed, and what did it say last? Answered by `WorkRead`."""

    id: int
    name: str
    epoch: int


@dataclass(frozen=True)
class WorkRead:
    """The answer to `ReadWork`."""

    id: int
    work: BranchWork = field(default_factory=BranchWork)


# --------------------------------------------------------------------------- orders


@dataclass(frozen=True)
class AcceptWork:
    """Merge what an agent has committed into a branch, once the checks of `spec` have passed on the merge.

    Refused with `Reply.conflicts` where it conflicts. With `push` the branch is the origin's.
    """

    id: int
    name: str
    epoch: int
    into: str
    rebase: bool = False
    push: bool = False
    head: str = ""
    spec: AgentSpec = field(default_factory=AgentSpec)
    """How its runs are run, as home has it."""


@dataclass(frozen=True)
class PushWork:
    """Push an agent's branch to the origin, under this name or its own, never by force."""

    id: int
    name: str
    epoch: int
    branch: str = ""
    head: str = ""


@dataclass(frozen=True)
class RequestPull:
    """Push an agent's branch, and ask for its merge with `gh`, into a branch or the origin's default one."""

    id: int
    name: str
    epoch: int
    into: str = ""
    title: str = ""
    body: str = ""
    draft: bool = False
    head: str = ""


@dataclass(frozen=True)
class DropBranch:
    """Remove the worktree and the branch of an agent that has ended; `unsaved`: also what would be lost by it."""

    id: int
    name: str
    epoch: int
    unsaved: bool = False
    head: str = ""


BranchOrder = AcceptWork | PushWork | RequestPull | DropBranch
