"""What an agent has changed in a git repository: its files, and the lines of a unified diff, by kind.

Paths are as git names them, bytes that are no UTF-8 as surrogates: hostile until they are sanitized.
"""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.states import OpenStrEnum


class ChangeKind(OpenStrEnum):
    """What became of a file."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    RENAMED = "renamed"
    RETYPED = "retyped"
    """A file became a symlink, a symlink a file, or one of them a repository of its own."""
    UNTRACKED = "untracked"
    """It is there, and git does not know it yet."""
    UNMERGED = "unmerged"
    """A merge stopped at it."""
    UNKNOWN = "unknown"


class FileSort(OpenStrEnum):
    """What stands under a path."""

    FILE = "file"
    PROGRAM = "program"
    """A file that may be executed."""
    SYMLINK = "symlink"
    REPOSITORY = "repository"
    """A repository of its own, as a submodule is."""
    NOTHING = "nothing"
    UNKNOWN = "unknown"


class BaseKind(OpenStrEnum):
    """What an agent's work is compared with."""

    WORKTREE = "worktree"
    """The commit that its worktree was made from."""
    START = "start"
    """The commit that its folder was at when this run began."""
    BRANCH = "branch"
    """The commit at which its branch and another one parted."""
    HEAD = "head"
    """The newest commit: nothing older is known, so what is committed does not show."""
    UNKNOWN = ""


class ChangedFile(NamedTuple):
    """One file that differs from the base."""

    path: str
    kind: ChangeKind = ChangeKind.CHANGED
    was: str = ""
    """The path that it had, where that is another one."""
    added: int = 0
    removed: int = 0
    """Lines."""
    binary: bool = False
    """It has no lines."""
    counted: bool = True
    """Whether its lines were counted: a very large one that git does not know yet is not."""
    uncommitted: bool = False
    """Some of it, or all, is in no commit."""
    sort: FileSort = FileSort.FILE
    sort_was: FileSort = FileSort.FILE
    """What stood there in the base."""


@dataclass(frozen=True)
class Changes:
    """What an agent's work comes to, compared with a commit."""

    folder: str = ""
    """The top of its working tree."""
    branch: str = ""
    """"": none is checked out."""
    base: str = ""
    """The commit that everything is compared with."""
    base_kind: BaseKind = BaseKind.UNKNOWN
    base_name: str = ""
    """The other branch, where the base was found by one."""
    head: str = ""
    """The newest commit; "": there is none."""
    commits: int = 0
    """Since the base."""
    files: tuple[ChangedFile, ...] = ()
    left_out: int = 0
    """Files that were too many to be named."""


DIFF_PAGE = 1000
"""Lines of a diff in one answer at most."""

DIFF_LINE = 1000
"""Bytes of one line of a diff that are sent."""


class LineKind(OpenStrEnum):
    """What a line of a unified diff is."""

    HUNK = "hunk"
    """Where the next lines stand."""
    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    NOTE = "note"
    """Said about the line before it: that no newline follows."""
    UNKNOWN = "unknown"


class DiffPlace(NamedTuple):
    """A place in a unified diff: the next line's number in the old file and in the new one, and what the hunk lacks."""

    old: int = 0
    new: int = 0
    old_left: int = 0
    new_left: int = 0


BEGINNING = DiffPlace()
"""Before the first hunk."""

_HUNK = pattern(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")


def after(place: DiffPlace, line: bytes) -> tuple[LineKind, DiffPlace]:
    """Return what a line is, and the place after it.

    A hunk says how many lines it has, so that a removed line `-- a` is no heading, whatever stands in it.
    """
    old, new, old_left, new_left = place
    first = line[:1]
    if old_left > 0 or new_left > 0:
        if first == b"+":
            return LineKind.ADDED, DiffPlace(old, new + 1, old_left, new_left - 1)
        if first == b"-":
            return LineKind.REMOVED, DiffPlace(old + 1, new, old_left - 1, new_left)
        if first != b"\\":
            return LineKind.SAME, DiffPlace(old + 1, new + 1, old_left - 1, new_left - 1)
        return LineKind.NOTE, place
    hunk = _HUNK.match(line)
    if hunk is None:
        return LineKind.NOTE, place
    start, count, new_start, new_count = (int(part) if part is not None else 1 for part in hunk.groups())
    return LineKind.HUNK, DiffPlace(start, new_start, count, new_count)
