"""Translates what a host says of an agent's commits: commits that can be ones, one-line texts, numbers in range."""

import re
from dataclasses import replace

from controlroom.engine.hosts.translate import HostContext, long, short
from controlroom.text.branch_work import BranchWork, Commit, FileChange
from controlroom.text.names import branch_name_problem

ANSWER = 16 * 1024
"""Characters of an agent's last words that are kept."""

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PATH, _LINE = 400, 300
_MOST_COMMITS, _MOST_FILES = 50, 300
_MOST = 10**9


def to_work(read: BranchWork, setting: HostContext) -> BranchWork:
    """Make what a host found fit to show. What cannot be a commit is none."""
    work = BranchWork(
        answer=long(read.answer, ANSWER).strip(),
        answered=setting.time(read.answered),
        answer_cut=read.answer_cut or len(read.answer) > ANSWER,
        reason=short(read.reason, _LINE),
    )
    if not read.clone or not _COMMIT.fullmatch(read.head):
        return replace(work, reason=work.reason or "its host does not say where it works")
    work = replace(
        work,
        clone=short(read.clone, _PATH),
        origin=short(read.origin, _PATH),
        branch=short(read.branch, _PATH) if branch_name_problem(read.branch) is None else "",
        head=read.head,
        uncommitted=_count(read.uncommitted),
        only_here=_count(read.only_here),
    )
    if not _COMMIT.fullmatch(read.base):
        return work
    return replace(
        work,
        base=read.base,
        base_name=short(read.base_name, _PATH),
        commits=tuple(
            Commit(one.id, short(one.subject, _LINE), setting.time(one.at))
            for one in read.commits[:_MOST_COMMITS]
            if _COMMIT.fullmatch(one.id)
        ),
        commit_count=_count(read.commit_count),
        files=tuple(
            FileChange(short(file.path, _PATH), _lines(file.added), _lines(file.removed))
            for file in read.files[:_MOST_FILES]
        ),
        file_count=_count(read.file_count),
        added=_count(read.added),
        removed=_count(read.removed),
        unpushed=_count(read.unpushed),
    )


def _count(number: int) -> int:
    return max(0, min(number, _MOST))


def _lines(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= _MOST else None
