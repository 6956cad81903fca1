"""Git worktrees of agents, as hosts tell of them: claims, made fit to show."""

import re

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import agent_name_problem

HEAD = "HEAD"
"""The base that stands for whatever the repository stands at."""


_MOST = 200
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")
"""What cannot stand in the name of a branch (git check-ref-format); `~1` of a commit is no name."""


def base_problem(base: str) -> str:
    """Why a text cannot name what a worktree begins from; "" when it can."""
    if not base or len(base) > _MOST or not base.isprintable() or _NO_REF.search(base):
        return f"{ascii(base)[:60]} cannot name a branch or commit"
    return ""


@dataclass(frozen=True)
class Worktree:
    """The git worktree of its own that an agent works in."""

    path: str
    branch: str
    base: str
    """The commit that it began from."""
    onto: str = ""
    """What that was called: a branch or a commit; empty: what its repository stood at."""
    origin: str = ""
    """Which repository it is, the same for each way to reach it; empty: it has no origin."""
    checkout: str = ""
    """The work tree that it was made from."""
    ports: tuple[int, ...] = ()
    """The first port that is its own, and how many; nothing: none."""


_KEY = re.compile(r"(?P<agent>.+)\.[0-9]{1,10}(?:-[0-9]{1,4})?")


def is_key(key: str, agent: str = "") -> bool:
    """Whether a text can name a worktree on its host; `agent`: that it was made for this one."""
    match = _KEY.fullmatch(key)
    return match is not None and agent_name_problem(match["agent"]) is None and agent in ("", match["agent"])


def agent_of(key: str) -> str:
    """The name of the agent that a worktree was made for."""
    return key.rpartition(".")[0]


@dataclass(frozen=True)
class KeptWorktree:
    """A worktree that lies on a host, as that host says."""

    host: str
    key: str
    """What names it there: the agent's name and run that it was made for, as `docs-1.2`."""
    agent: str
    path: str
    branch: str
    onto: str = ""
    origin: str = ""
    checkout: str = ""
    made: int = 0
    ready: bool = True
    """It was made to the end."""
    alive: bool = False
    """Its agent works in it."""
    bytes: int = 0
    """What it takes on the disk."""
    bytes_bound: bool = False
    """It takes more than that."""
    uncommitted: int | None = None
    """Files that no commit has; None: not known."""
    only_here: int | None = None
    """Commits that no other branch, remote or tag has; None: not known."""
    problem: str = ""
    """Why that is not known."""

    @property
    def id(self) -> str:
        """What names it in the whole fleet: `vm1/docs-1.2`."""
        return f"{self.host}/{self.key}"


@dataclass(frozen=True)
class DropWorktree:
    """Remove a worktree in which nobody works, also one whose agent was forgotten, and its branch."""

    worktree: str
    """As `KeptWorktree.id` has it."""
    typed: str = ""
    """The agent's name, typed by a person: without it nothing is removed that no commit, or no other branch, has."""


@dataclass(frozen=True)
class DropWorktreeOn:
    """Remove a worktree on its host."""

    host: str
    name: str
    """The agent that it was made for."""
    key: str
    unsaved: bool = False
    epoch: int = 0
    """It is about none of the agent's runs."""


def lost_with(worktree: KeptWorktree) -> str:
    """Say what is lost when a worktree is dropped; empty: nothing."""
    if worktree.uncommitted is None or worktree.only_here is None:
        return f"what is not known ({worktree.problem})" if worktree.problem else "what is not known"
    files, commits = worktree.uncommitted, worktree.only_here
    parts = [f"{files} file{'s' * (files != 1)} that no commit has"] * bool(files)
    parts += [f"{commits} commit{'s' * (commits != 1)} that no other branch has"] * bool(commits)
    return " and ".join(parts)
