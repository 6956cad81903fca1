"""Git worktrees of agents, as hosts tell of them: claims, made fit to show."""

import re
from dataclasses import dataclass

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
