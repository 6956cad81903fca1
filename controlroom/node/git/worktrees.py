"""The worktrees that were made for agents on this host: what each takes on the disk, and what would be lost with it."""

import os
import stat
import time
from collections.abc import Mapping

from controlroom.node.agent_folders import epochs, is_live, read_status
from controlroom.node.git.branches import branch_of, head_of, only_here, uncommitted
from controlroom.node.git.dropping import drop
from controlroom.node.git.merging import Job
from controlroom.node.spawn import Refusal
from controlroom.runner.git import GitFailed, opened
from controlroom.runner.worktree import record
from controlroom.runner.worktree.record import Worktree
from controlroom.wire.lines import PeerError
from controlroom.wire.worktrees import DropWorktree, ListWorktrees, WorktreeFound, WorktreesListed

MOST = 200
"""Worktrees that one answer tells of."""

SECONDS = 20.0
"""Seconds in which all of them are measured."""

_BLOCK = 512
"""Bytes of what `stat` counts as a block."""


def list_worktrees(asked: ListWorktrees, state: str, environ: Mapping[str, str]) -> WorktreesListed:
    """List them, the newest first. Takes seconds: for a thread of its own. Raises nothing."""
    kept = sorted(record.every(state), key=lambda pair: pair[1].made, reverse=True)
    until = time.monotonic() + SECONDS
    found = tuple(_found(state, folder, worktree, environ, until) for folder, worktree in kept[:MOST])
    return WorktreesListed(asked.id, found, max(0, len(kept) - MOST))


def works_in(state: str, worktree: Worktree) -> int:
    """The run of its agent that works in a worktree; 0: none does."""
    for entry in epochs(state, worktree.name):
        try:
            if worktree.epoch <= entry.epoch <= worktree.last and is_live(read_status(entry)):
                return entry.epoch
        except PeerError:
            continue
    return 0


def _found(state: str, folder: str, worktree: Worktree, environ: Mapping[str, str], until: float) -> WorktreeFound:
    files, commits, problem = -1, -1, ""
    try:
        with opened(worktree.path, environ, worktree.repository) as tree:
            files, commits = uncommitted(tree), only_here(tree, head_of(tree), branch_of(tree))
            if inner := tree.submodules(populated=True):
                files, problem = -1, f"the submodule {inner[0]} is not looked into"
    except (GitFailed, OSError, ValueError) as error:
        problem = str(error)
    size, whole = disk_use(folder, until)
    return WorktreeFound(
        os.path.basename(folder),
        worktree.name,
        worktree.epoch,
        worktree.last,
        worktree.path,
        worktree.branch,
        worktree.onto,
        worktree.origin,
        worktree.checkout,
        worktree.made,
        worktree.ready,
        works_in(state, worktree) > 0,
        size,
        not whole,
        files,
        commits,
        problem[:500],
    )


# ---------------------------------------------------------------------- dropping


def drop_worktree(wanted: DropWorktree, state: str, environ: Mapping[str, str]) -> None:
    """Remove one and its branch. Raises `Refusal` where somebody works in it, or where it would lose something."""
    kept = {os.path.basename(folder): (folder, worktree) for folder, worktree in record.every(state)}
    folder, worktree = kept.get(wanted.key, ("", None))
    if worktree is None or worktree.name != wanted.name:
        raise Refusal(f"there is no worktree {ascii(wanted.key)[:60]} on this host")
    if run := works_in(state, worktree):
        raise Refusal(f"run {run} of {worktree.name} works in it: kill it first")
    drop(Job(worktree.name, worktree.path, "", dict(environ)), worktree, folder, unsaved=wanted.unsaved)


def disk_use(folder: str, until: float) -> tuple[int, bool]:
    """Add up what a folder takes on the disk, without following links; False: not all of it was seen in time."""
    total, waiting, seen = 0, [folder], set[tuple[int, int]]()
    while waiting:
        if time.monotonic() > until:
            return total, False
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * _BLOCK
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
        except OSError:
            continue
    return total, True
