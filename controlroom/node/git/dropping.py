"""Drops what was made for an agent, its worktree and branch: what would be lost by it only where a person says so.

Removed is the folder that we made, by its own name and without following links, and git's note of it. No git is asked
to remove anything: it would go by what the repository says.
"""

import os
import shutil
import threading

from controlroom.node.git.branches import HEADS, branch_of, commit_of, only_here, uncommitted
from controlroom.node.git.merging import Job, first_line, shown_head
from controlroom.node.spawn import Refusal
from controlroom.runner.git import GitFailed, Repository, displayable, opened, remove_tree
from controlroom.runner.worktree.record import Worktree

OURS = "controlroom/"
"""How the names of branches begin that are made for agents."""

_one_by_one = threading.Lock()
"""Two at once would each find that the other has what would be lost."""


def drop(job: Job, made: Worktree | None, folder: str, *, unsaved: bool) -> str:
    """Remove a worktree, in a folder of ours, and its branch; return what was done. Raises `Refusal`, `GitFailed`."""
    if made is None:
        raise Refusal(f"{job.agent} works in a folder that was not made for it: nothing of that is dropped")
    with _one_by_one:
        return _dropped(job, made, folder, unsaved=unsaved)


def _dropped(job: Job, made: Worktree, folder: str, *, unsaved: bool) -> str:
    try:
        with opened(made.path, job.environ, made.repository) as tree:
            if not _is_ours(tree, made, folder):
                raise Refusal(f"{displayable(made.path)} is not the worktree that was made for {job.agent}: look there")
            head = shown_head(tree, job.head, job.agent)
            if not unsaved and (lost := _lost(tree, head)):
                raise Refusal(f"nothing was dropped: {job.agent} has {lost}. To lose that: type its name")
            note, branch = tree.place.git_dir, branch_of(tree)
    except GitFailed:
        if os.path.lexists(made.path) and not unsaved:
            raise
        note, branch, head = "", "", ""
    remove_tree(folder)
    if os.path.lexists(folder):
        raise OSError(f"{displayable(folder)} could not be removed, or not all of it: look there")
    if note:
        shutil.rmtree(note, ignore_errors=True)
    gone = _branch_gone(made, job, head) if branch == made.branch else False
    return f"its worktree{' and the branch ' + displayable(made.branch) if gone else ''}"


def _is_ours(tree: Repository, made: Worktree, folder: str) -> bool:
    """Return whether a work tree lies where we made it, and git's note of it where git keeps those."""
    inside = os.path.dirname(os.path.realpath(made.path)) == os.path.realpath(folder)
    notes, note = os.path.join(os.path.realpath(made.repository), "worktrees"), os.path.realpath(tree.place.git_dir)
    about = os.path.realpath(first_line(os.path.join(note, "gitdir")))
    return inside and os.path.dirname(note) == notes and about == os.path.join(os.path.realpath(made.path), ".git")


def _lost(tree: Repository, head: str) -> str:
    """Say what would be lost; "": nothing."""
    files, number = uncommitted(tree), only_here(tree, head, branch_of(tree))
    parts = [f"{files} file{'s' * (files != 1)} that no commit has"] * bool(files)
    parts += [f"{number} commit{'s' * (number != 1)} that no other branch has"] * bool(number)
    inner = tree.submodules(populated=True)
    parts += [f"a submodule, which is not looked into ({displayable(inner[0])})"] if inner else []
    return " and ".join(parts)


def _branch_gone(made: Worktree, job: Job, head: str) -> bool:
    """Remove the branch that was made with a worktree, if it is still where that stood; say whether it is gone.

    What is written down of it can be changed by an agent: a branch of another name is nobody's but a person's.
    """
    if not made.branch.startswith(OURS):
        return False
    with opened(made.repository, job.environ) as owner:
        if commit_of(owner, HEADS + made.branch) != head:
            return False
        return owner.run("update-ref", "-d", HEADS + made.branch, head, check=False).code == 0
