"""What home asks a node about the commits of an agent, and what it orders to be done with them.

Names of branches keep `text.names.branch_name_problem`, commits are hexadecimal; subjects, paths and answers are as the
host has them. What is checked before a merge counts comes with the order: no host is asked what was ordered.
"""

from dataclasses import dataclass, field

from controlroom.wire.spec import AgentSpec

# --------------------------------------------------------------------------- inquiry


@dataclass(frozen=True)
class ReadWork:
    """What has an agent committed, and what did it say last? Answered by `WorkRead`."""

    id: int
    name: str
    epoch: int


@dataclass(frozen=True)
class Commit:
    """One commit, and when it was made (UTC ms)."""

    id: str
    subject: str
    at: int


@dataclass(frozen=True)
class ChangedFile:
    """A file that differs from the base. Lines: -1 for what is no text."""

    path: str
    added: int
    removed: int


@dataclass(frozen=True)
class WorkRead:
    """The answer to `ReadWork`."""

    id: int
    answer: str = ""
    """What it said last; "": nothing was found."""
    answered: int = 0
    answer_cut: bool = False
    clone: str = ""
    """The repository's folder on the host, which all its worktrees share; "": there is none, for this reason."""
    reason: str = ""
    origin: str = ""
    """Which repository it was cloned from, without credentials: `example.org/team/docs`."""
    branch: str = ""
    """"": none, its head is a commit alone."""
    head: str = ""
    base: str = ""
    """The commit that its work began at; "": that is not known, nor what follows of commits and files."""
    base_name: str = ""
    """What the base was found by, as `origin/main`."""
    commits: tuple[Commit, ...] = ()
    """The newest ones, newest first."""
    commit_count: int = 0
    files: tuple[ChangedFile, ...] = ()
    """The first ones by name."""
    file_count: int = 0
    added: int = 0
    removed: int = 0
    uncommitted: int = 0
    """Files that are changed, or new, and not committed."""
    unpushed: int = 0
    """Commits that are on no branch of a remote, as far as this clone knows."""
    only_here: int = 0
    """Commits that no other branch has, here or at a remote, nor a tag: lost when this one is dropped."""


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
