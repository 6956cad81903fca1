"""What an agent has done: its last words from its log, and what it has committed where it works."""

import os
from collections.abc import Mapping
from dataclasses import replace

from controlroom.node.agent_folders import Entry, entry_of, read_order, read_status
from controlroom.node.git.branches import UNRECORDED, Beginning, read_work
from controlroom.node.logs.final_answer import final_answer
from controlroom.runner.environment import expanded
from controlroom.runner.git import GitFailed, displayable
from controlroom.runner.worktree.record import Worktree, every
from controlroom.text.branch_work import BranchWork
from controlroom.text.json_fields import table, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.branches import ReadWork, WorkRead
from controlroom.wire.lines import PeerError


class Workplace(NamedTuple):
    """Where an agent works: a folder, how it began, and the repository it belongs to, as far as known."""

    folder: str
    began: Beginning = UNRECORDED
    common: str = ""
    checkout: str = ""
    """What its worktree was made from."""


def workplace(state: str, entry: Entry, home: str) -> Workplace:
    """Return where an agent works: in the worktree made for it, else as its runner says or as it was ordered.

    Raises nothing.
    """
    _, worktree = worktree_of(state, entry)
    if worktree is not None:
        return Workplace(worktree.cwd, Beginning(worktree.base), worktree.repository, worktree.checkout)
    try:
        status = read_status(entry)
    except PeerError:
        status = None
    ordered = text(table(read_order(entry).get("spec")).get("cwd"))
    started = status.started if status else 0
    return Workplace(expanded((status.cwd if status else "") or ordered, home), Beginning("", started))


def worktree_of(state: str, entry: Entry) -> tuple[str, Worktree | None]:
    """Return the worktree that was made for an agent and that this run of it worked in, and its folder; None: none."""
    made = (pair for pair in every(state) if pair[1].name == entry.name)
    return next((pair for pair in made if pair[1].epoch <= entry.epoch <= pair[1].last), ("", None))


def git_environ(login: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that git is run with, from the login shell's."""
    return {"HOME": os.path.expanduser("~"), "PATH": os.defpath, **login}


def work_read(state: str, asked: ReadWork, login: Mapping[str, str]) -> WorkRead:
    """Look up what an agent has done. Takes seconds in a large repository: for a thread of its own. Raises nothing."""
    entry = entry_of(state, asked.name, asked.epoch)
    if entry is None:
        nowhere = f"run {asked.epoch} of {ascii(asked.name)[:60]} is not on this host"
        return WorkRead(asked.id, BranchWork(reason=nowhere))
    environ = git_environ(login)
    place = workplace(state, entry, environ["HOME"])
    try:
        work = read_work(place.folder, environ, place.began, place.common)
    except (GitFailed, OSError, ValueError) as error:
        gone = f"{displayable(place.folder)}, where it worked, is gone"
        work = BranchWork(reason=str(error) if os.path.isdir(place.folder) else gone)
    said = final_answer(entry.folder)
    return WorkRead(asked.id, replace(work, answer=said.text, answered=said.at, answer_cut=said.cut))
