"""What `diff --json` prints."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from controlroom.cli.record_fields import Field, Kind, field_of
from controlroom.domain.display.diff import DiffLine
from controlroom.text.changes import ChangedFile, Changes, FileSort


class Diff(NamedTuple):
    """What an agent has changed, with the lines of each file that has some."""

    agent: str
    epoch: int
    changes: Changes
    files: Sequence[tuple[ChangedFile, Sequence[DiffLine] | None]]


_text = partial(field_of, Kind.TEXT)
_count = partial(field_of, Kind.COUNT)
_flag = partial(field_of, Kind.FLAG)


def _of_file(name: str, kind: Kind = Kind.TEXT, says: str = "") -> Field:
    return field_of(kind, name, lambda each: getattr(each[0], name), says)


_LINE = (
    _text("kind", says="hunk, same, added, removed or note"),
    _count("old", lambda line: line.old or None, "its number in the base"),
    _count("new", lambda line: line.new or None, "its number in what the agent has made"),
    _text("text", says="without its sign"),
    field_of(Kind.BYTES, "left_out_bytes", "left_out", "of a line that is too long"),
)

_FILE = (
    _of_file("path"),
    _of_file("kind", says="added, changed, removed, renamed, retyped, untracked or unmerged"),
    _of_file("was", says="the path that it had"),
    field_of(Kind.COUNT, "added", lambda each: each[0].added if _has_lines(each[0]) else None, "lines"),
    field_of(Kind.COUNT, "removed", lambda each: each[0].removed if _has_lines(each[0]) else None),
    _of_file("binary", Kind.FLAG),
    _of_file("uncommitted", Kind.FLAG, "some of it is in no commit"),
    _of_file("sort", says="file, program, symlink, repository or nothing"),
    field_of(Kind.RECORDS, "lines", lambda each: each[1], "of its diff; null: not asked for, or binary", _LINE),
)

DIFF_ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "diff": (
        _text("agent"),
        _count("run", "epoch"),
        _text("folder", "changes.folder", "the top of its working tree"),
        _text("branch", "changes.branch"),
        _text("base", "changes.base", "the commit that all is compared with; null: there is none yet"),
        _text("base_kind", "changes.base_kind", "worktree, start, branch or head"),
        _text("base_name", "changes.base_name", "the branch that it was found by"),
        _text("head", "changes.head"),
        _count("commits", "changes.commits", "since the base"),
        _count("left_out_files", "changes.left_out"),
        field_of(Kind.RECORDS, "files", "files", "", _FILE),
    )
}
"""By the verb."""


def _has_lines(file: ChangedFile) -> bool:
    return file.counted and not file.binary and file.sort is not FileSort.REPOSITORY
