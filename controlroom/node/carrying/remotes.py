"""Commits that go to the other host through the origin that both have: pushed as a branch of ours, fetched, removed.

What is in no commit never goes that way. The login is the person's own on each host.
"""

from controlroom.node.git.branches import HEADS, ORIGIN, commit_of, head_of, is_commit
from controlroom.node.git.merging import REMOTE_SECONDS, known_origin, pushed
from controlroom.node.spawn import Refusal
from controlroom.runner.git import REMOTE, Repository
from controlroom.text.lazy_pattern import pattern

_BRANCH = pattern(r"controlroom/moves/[a-z0-9][a-z0-9_-]{0,40}\.[0-9]{1,19}")


def branch_of_move(name: str, op: int) -> str:
    """Name the branch that an agent's commits go through. Raises `Refusal`."""
    branch = f"controlroom/moves/{name}.{op}"
    if not _BRANCH.fullmatch(branch):
        raise Refusal(f"{ascii(name)[:60]} cannot be an agent")
    return branch


def lend(tree: Repository, branch: str) -> str:
    """Push what is checked out to the origin; return that commit. Raises `Refusal`, `Unsure` and `GitFailed`."""
    head = head_of(tree)
    pushed(tree, head, branch)
    return head


def take_back(tree: Repository, branch: str) -> None:
    """Remove the branch from the origin again. Raises `GitFailed`."""
    known_origin(tree)
    words = "--porcelain", "--no-verify", ORIGIN, f":{HEADS}{branch}"
    tree.run("push", *words, remote=REMOTE, seconds=REMOTE_SECONDS)


def take(repository: Repository, branch: str, head: str) -> None:
    """Fetch the branch from the origin, and see that it is what was pushed. Raises `Refusal` and `GitFailed`."""
    known_origin(repository)
    to = f"refs/remotes/{ORIGIN}/{branch}"
    words = "--quiet", "--no-tags", ORIGIN, f"+{HEADS}{branch}:{to}"
    repository.run("fetch", *words, remote=REMOTE, seconds=REMOTE_SECONDS)
    if not is_commit(head) or commit_of(repository, to) != head:
        raise Refusal(f"the origin has another commit as {branch} than was pushed")


def forget(repository: Repository, branch: str) -> None:
    """Remove what was fetched, once a branch of the agent's own holds it."""
    repository.run("update-ref", "-d", f"refs/remotes/{ORIGIN}/{branch}", check=False)
