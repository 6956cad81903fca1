"""What a host says of an agent's work, bounded before anybody is told. Paths stay as they are: one asks by them."""

import re
from dataclasses import replace

from controlroom.engine.hosts.translate import short
from controlroom.text.changes import DIFF_PAGE, ChangedFile, Changes, DiffPlace
from controlroom.wire.inquiries import CutLine, DiffRead

MOST_FILES = 5000
"""Files of one list; more are counted."""
_PATH, _TEXT = 4096, 300
_MOST = 2**31
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def to_changes(told: Changes | None) -> Changes | None:
    """Make a list of changed files fit to be passed on."""
    if told is None:
        return None
    files = [_file(file) for file in told.files[:MOST_FILES] if 0 < len(file.path) <= _PATH and len(file.was) <= _PATH]
    return replace(
        told,
        folder=short(told.folder, _PATH),
        branch=short(told.branch, _TEXT),
        base=_commit(told.base),
        base_name=short(told.base_name, _TEXT),
        head=_commit(told.head),
        commits=_count(told.commits),
        files=tuple(files),
        left_out=_count(told.left_out) + len(told.files) - len(files),
    )


def to_diff(told: DiffRead) -> DiffRead | None:
    """Make lines of a diff fit to be passed on; None: there are none, for its reason."""
    if told.reason:
        return None
    start = _count(told.start)
    return replace(
        told,
        place=DiffPlace(*map(_count, told.place)),
        start=start,
        total=max(start, _count(told.total)),
        cut=tuple(CutLine(cut.index, _count(cut.left_out)) for cut in told.cut[:DIFF_PAGE]),
        version=short(told.version, _TEXT),
    )


def _file(file: ChangedFile) -> ChangedFile:
    return file._replace(added=_count(file.added), removed=_count(file.removed))


def _commit(text: str) -> str:
    return text if _COMMIT.fullmatch(text) else ""


def _count(number: int) -> int:
    return max(0, min(number, _MOST))
