"""What an agent has changed, ready to be shown: files in a line each, and the lines of a diff with their numbers.

Only here do paths and contents of a repository become text: whatever they hold, nothing of it reaches a terminal as
anything but visible characters.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from controlroom.domain.words import count
from controlroom.text.changes import BaseKind, ChangedFile, ChangeKind, Changes, DiffPlace, FileSort, LineKind, after
from controlroom.text.sanitize import LIMIT, redact, sanitize

_PATH = 1000
SIGNS = {LineKind.ADDED: "+", LineKind.REMOVED: "-", LineKind.NOTE: "\\"}
"""The sign before a line of a diff; a line that is the same has none, and a hunk's own line begins with `@@`."""

LETTERS = {
    ChangeKind.ADDED: "A",
    ChangeKind.CHANGED: "M",
    ChangeKind.REMOVED: "D",
    ChangeKind.RENAMED: "R",
    ChangeKind.RETYPED: "T",
    ChangeKind.UNTRACKED: "?",
    ChangeKind.UNMERGED: "U",
}
"""What git itself calls a change."""

_SORTS = {
    FileSort.FILE: "a file",
    FileSort.PROGRAM: "executable",
    FileSort.SYMLINK: "a symlink",
    FileSort.REPOSITORY: "a repository of its own",
}


class DiffLine(NamedTuple):
    """One line of a diff, sanitized and without its sign."""

    kind: LineKind
    old: int
    """Its number in the base; 0: it is not there."""
    new: int
    """Its number in what the agent has made; 0: it is not there."""
    text: str
    left_out: int = 0
    """Bytes of it that its host did not send."""


def diff_lines(place: DiffPlace, lines: Iterable[bytes], lacks: Mapping[int, int]) -> Iterator[DiffLine]:
    """Read lines of a diff that begin at a place. `lacks`: by the index of a line, the bytes that were not sent."""
    for index, line in enumerate(lines):
        here = place
        kind, place = after(place, line)
        old = here.old if kind in (LineKind.SAME, LineKind.REMOVED) else 0
        new = here.new if kind in (LineKind.SAME, LineKind.ADDED) else 0
        body = line if kind in (LineKind.HUNK, LineKind.NOTE) else line[1:]
        yield DiffLine(kind, old, new, _text(kind, body), lacks.get(index, 0))


def _text(kind: LineKind, body: bytes) -> str:
    if kind is LineKind.NOTE and body.startswith(b"\\"):
        return "no newline at the end of the file"
    text = _plain(body.decode("utf-8", "replace").removesuffix("\r"))
    return f"{text}␍" if body.endswith(b"\r") else text


def _plain(text: str, limit: int = LIMIT) -> str:
    """Make a text safe to show; colours are no style here but characters that stand in a file."""
    return sanitize(redact(text).replace("\x1b", "␛"), limit)


def shown_path(path: str) -> str:
    """A path as it can be shown: bytes that are no UTF-8 as question marks, controls and directions by their names."""
    whole = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _plain(whole, _PATH)


def letter(file: ChangedFile) -> str:
    """The sign of a change, as git has it."""
    return LETTERS.get(file.kind, "?")


def amount(file: ChangedFile) -> tuple[str, str]:
    """How many lines were added and removed; where there are no lines, that stands first."""
    if file.binary:
        return "binary", ""
    if not file.counted:
        return "large", ""
    return f"+{count(file.added)}", f"-{count(file.removed)}"


def remarks(file: ChangedFile) -> list[str]:
    """What is to be known of a change beside its lines."""
    said = ["a merge stopped here"] if file.kind is ChangeKind.UNMERGED else []
    if file.was:
        said.append(f"was {shown_path(file.was)}")
    if sort := _sort_words(file):
        said.append(sort)
    if file.kind is ChangeKind.UNTRACKED:
        said.append("git does not know it yet")
    elif file.uncommitted:
        said.append("uncommitted")
    return said


def _sort_words(file: ChangedFile) -> str:
    """What stands there, where that is another thing than before, or no plain file."""
    before, now = file.sort_was, file.sort
    if now in (before, FileSort.NOTHING):
        return ""
    if before is FileSort.PROGRAM and now is FileSort.FILE:
        return "no longer executable"
    if before is FileSort.NOTHING:
        return _SORTS.get(now, "") if now is not FileSort.FILE else ""
    return f"now {_SORTS[now]}" if now in _SORTS else ""


def base_words(changes: Changes) -> str:
    """Say what the work is compared with."""
    commit = changes.base[:10]
    if not commit:
        return "there is no commit yet"
    if changes.base_kind is BaseKind.WORKTREE:
        return f"since its worktree was made from {commit}"
    if changes.base_kind is BaseKind.START:
        return f"since it began at {commit}"
    if changes.base_kind is BaseKind.BRANCH:
        return f"since it parted from {changes.base_name or 'another branch'} at {commit}"
    return f"since the newest commit, {commit}: what it committed before does not show"


def totals(files: Iterable[ChangedFile]) -> tuple[int, int]:
    """Lines added and removed in all files."""
    each = list(files)
    return sum(file.added for file in each), sum(file.removed for file in each)
