"""What somebody wants done with what an agent has committed: merge it, push it, ask for its merge, or drop it.

Each names the run it was shown for, and the commit where one was shown: it is refused where that is no longer so.
"""

from controlroom.text.checks import AS_PROFILE, CheckOrder
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Accept:
    """Merge what an agent has committed into a branch of its repository, once its checks have passed on the merge."""

    agent: str
    epoch: int
    into: str
    """The branch, by its short name; one that is not there begins where the agent's work began."""
    rebase: bool = False
    """Put its commits on top of the branch, instead of a merge."""
    push: bool = False
    """Begin with what the origin has of the branch, and push the result there: for work in several clones."""
    head: str = ""
    """The commit that was shown, in hexadecimal; empty: whatever it has committed by now."""


@dataclass(frozen=True)
class PushBranch:
    """Push an agent's branch to the origin of its repository, never by force."""

    agent: str
    epoch: int
    branch: str = ""
    """What it is called there; empty: as the agent's branch is called."""
    head: str = ""


@dataclass(frozen=True)
class PullRequest:
    """Push an agent's branch, and ask for its merge with `gh` on its host."""

    agent: str
    epoch: int
    into: str = ""
    """The branch that it is to be merged into; empty: the origin's default branch."""
    title: str = ""
    """Empty: the first line of its newest commit."""
    body: str = ""
    """Markdown."""
    draft: bool = False
    head: str = ""


@dataclass(frozen=True)
class DropWork:
    """Remove the worktree and the branch of an agent that has ended."""

    agent: str
    epoch: int
    typed: str = ""
    """The agent's name, typed by a person: without it nothing is removed that is not committed and pushed."""
    head: str = ""


BranchIntent = Accept | PushBranch | PullRequest | DropWork

# --------------------------------------------------------------------------- effects: asked of a host


@dataclass(frozen=True)
class AcceptOn:
    """Merge what an agent has committed, on its host."""

    host: str
    name: str
    epoch: int
    into: str
    rebase: bool = False
    push: bool = False
    head: str = ""
    profile: str = ""
    """Says what is checked first, as it was ordered; empty: nothing is, but for what its task says."""
    checks: CheckOrder = AS_PROFILE
    """What its task says of that."""


@dataclass(frozen=True)
class PushOn:
    """Push an agent's branch from its host."""

    host: str
    name: str
    epoch: int
    branch: str = ""
    head: str = ""


@dataclass(frozen=True)
class PullRequestOn:
    """Push an agent's branch from its host, and ask there for its merge."""

    host: str
    name: str
    epoch: int
    into: str = ""
    title: str = ""
    body: str = ""
    draft: bool = False
    head: str = ""


@dataclass(frozen=True)
class DropOn:
    """Remove the worktree and the branch of an agent on its host."""

    host: str
    name: str
    epoch: int
    unsaved: bool = False
    """Also what is not committed, or in no other branch."""
    head: str = ""


BranchEffect = AcceptOn | PushOn | PullRequestOn | DropOn
