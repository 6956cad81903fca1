"""What an agent has changed, compared with the commit it began at: files, and unified diffs in pages.

Everything counts that is there: commits, what is in none yet, and files that git does not know. Memory is bounded by
what is read of one diff; nothing that came with the repository runs (`runner.git`).
"""

import base64
import os
import stat
from collections.abc import Iterator, Mapping

from controlroom.node.agent_folders import entry_of
from controlroom.node.git.branches import ITS_START, Beginning, branch_of, commit_of, start_of
from controlroom.node.git.work import Workplace, workplace
from controlroom.runner.files import read_regular
from controlroom.runner.git import GitFailed, Repository, displayable, opened
from controlroom.text.changes import (
    BEGINNING,
    DIFF_LINE,
    DIFF_PAGE,
    BaseKind,
    ChangedFile,
    ChangeKind,
    Changes,
    DiffPlace,
    FileSort,
    LineKind,
    after,
)
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.sanitize import redact_bytes
from controlroom.wire.inquiries import ChangesListed, CutLine, DiffRead, ListChanges, ReadDiff
from controlroom.wire.lines import PeerError

MOST_FILES = 5000
"""Files that are named; more are counted."""
MOST_DIFF = 8 * 1024 * 1024
"""Bytes of one file's diff that are read."""
_MOST_NAMES = 4 * 1024 * 1024
_COUNTED, _COUNTED_ALL = 1024 * 1024, 8 * 1024 * 1024
"""Bytes of a file that git does not know, and of all of them, up to which their lines are counted."""
_SNIFFED = 8000
"""Bytes in which a zero makes a file binary, as git has it."""

_KINDS = {
    "A": ChangeKind.ADDED,
    "M": ChangeKind.CHANGED,
    "D": ChangeKind.REMOVED,
    "R": ChangeKind.RENAMED,
    "T": ChangeKind.RETYPED,
    "U": ChangeKind.UNMERGED,
}
_SORTS = {
    "000000": FileSort.NOTHING,
    "100644": FileSort.FILE,
    "100755": FileSort.PROGRAM,
    "120000": FileSort.SYMLINK,
    "160000": FileSort.REPOSITORY,
}


class _Work(NamedTuple):
    """An agent's repository, and what its work is compared with."""

    repository: Repository
    base: str
    base_kind: BaseKind
    base_name: str
    head: str


def list_changes(asked: ListChanges, state: str, environ: Mapping[str, str]) -> ChangesListed:
    """List the files that a run has changed. Blocks: for a thread."""
    try:
        place = _workplace(asked, state, environ)
        with opened(place.folder, environ, place.common) as repository:
            return ChangesListed(asked.id, _changes(_work(repository, place.began)))
    except (GitFailed, PeerError) as problem:
        return ChangesListed(asked.id, reason=str(problem))


def read_diff(asked: ReadDiff, state: str, environ: Mapping[str, str]) -> DiffRead:
    """Read a page of what a run has changed in a file. Blocks: for a thread."""
    try:
        place = _workplace(asked, state, environ)
        with opened(place.folder, environ, place.common) as repository:
            work = _work(repository, place.began)
            raw = _untracked_diff(work, asked.path) if asked.untracked else _tracked_diff(work, asked)
    except (GitFailed, PeerError) as problem:
        return DiffRead(asked.id, reason=str(problem))
    return _page(asked, raw)


def _workplace(asked: ListChanges | ReadDiff, state: str, environ: Mapping[str, str]) -> Workplace:
    entry = entry_of(state, asked.name, asked.epoch)
    if entry is None:
        raise PeerError(f"run {asked.epoch} of {ascii(asked.name)[:60]} is not on this host")
    return workplace(state, entry, environ["HOME"])


def _work(repository: Repository, began: Beginning) -> _Work:
    if not repository.place.top:
        raise GitFailed(f"{displayable(repository.place.git_dir)} is a bare repository: there is nothing to compare")
    head = commit_of(repository, "HEAD")
    if not head:
        return _Work(repository, repository.text("hash-object", "-t", "tree", "/dev/null"), BaseKind.HEAD, "", "")
    start = start_of(repository, head, branch_of(repository), began)
    if not start.commit:
        return _Work(repository, head, BaseKind.HEAD, "", head)
    if start.name != ITS_START:
        return _Work(repository, start.commit, BaseKind.BRANCH, start.name, head)
    kind = BaseKind.WORKTREE if start.commit == began.commit else BaseKind.START
    return _Work(repository, start.commit, kind, "", head)


# ---------------------------------------------------------------------- the list


def _changes(work: _Work) -> Changes:
    repository = work.repository
    listed = repository.run("diff", "--raw", "--numstat", "-z", "-M", "--abbrev=40", work.base, "--").out
    tracked = read_listed(listed)
    if work.head and work.head != work.base:
        named = set(repository.run("diff", "--name-only", "-z", "--no-renames", work.head, "--").fields)
        tracked = [file._replace(uncommitted=file.path in named) for file in tracked]
    else:
        tracked = [file._replace(uncommitted=True) for file in tracked]
    others = repository.run("ls-files", "--others", "--exclude-standard", "-z", check=False, limit=_MOST_NAMES)
    names = others.fields[:-1] if others.cut else others.fields
    room = max(0, MOST_FILES - len(tracked))
    untracked = list(_untracked(repository.place.top, names[:room]))
    return Changes(
        folder=repository.place.top,
        branch=branch_of(repository),
        base=work.base if work.head else "",
        base_kind=work.base_kind,
        base_name=work.base_name,
        head=work.head,
        commits=_commits(work),
        files=(*tracked[:MOST_FILES], *untracked),
        left_out=max(0, len(tracked) - MOST_FILES) + len(names[room:]) + others.cut,
    )


def _commits(work: _Work) -> int:
    if not work.head or work.head == work.base:
        return 0
    text = work.repository.text("rev-list", "--count", f"{work.base}..{work.head}")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def read_listed(data: bytes) -> list[ChangedFile]:
    """Read what `git diff --raw --numstat -z -M` says: all files with their kinds, then all with their lines."""
    parts = iter(data.decode("utf-8", "surrogateescape").split("\0"))
    files: dict[str, ChangedFile] = {}
    for part in parts:
        if part.startswith(":"):
            file = _raw(part, parts)
            known = files.get(file.path)
            files[file.path] = file if known is None else known._replace(kind=ChangeKind.UNMERGED)
        elif part.count("\t") >= 2:
            added, removed, path = part.split("\t", 2)
            if not path:  # a rename: the old path, then the new one
                next(parts, "")
                path = next(parts, "")
            if path in files:
                files[path] = _counted(files[path], added, removed)
    return list(files.values())


def _raw(part: str, parts: Iterator[str]) -> ChangedFile:
    fields = part[1:].split(" ")
    before, now, letter = (fields[0], fields[1], fields[4][:1]) if len(fields) == 5 else ("", "", "")
    path = next(parts, "")
    was, path = (path, next(parts, "")) if letter in ("R", "C") else ("", path)
    kind = _KINDS.get(letter, ChangeKind.UNKNOWN)
    sorts = (_SORTS.get(now, FileSort.UNKNOWN), _SORTS.get(before, FileSort.UNKNOWN))
    return ChangedFile(path, kind, was, sort=sorts[0], sort_was=sorts[1])


def _counted(file: ChangedFile, added: str, removed: str) -> ChangedFile:
    if not (added.isdecimal() and removed.isdecimal()):
        return file._replace(binary=True)
    return file._replace(added=file.added + int(added), removed=file.removed + int(removed))


def _untracked(top: str, names: list[str]) -> Iterator[ChangedFile]:
    left = _COUNTED_ALL
    for name in names:
        file = ChangedFile(name, ChangeKind.UNTRACKED, sort_was=FileSort.NOTHING, uncommitted=True)
        try:
            status = os.lstat(os.path.join(top, name))
        except OSError:  # it is gone again
            continue
        if stat.S_ISLNK(status.st_mode):
            yield file._replace(added=1, sort=FileSort.SYMLINK)
        elif stat.S_ISDIR(status.st_mode):
            yield file._replace(counted=False, sort=FileSort.REPOSITORY)
        else:
            sort = FileSort.PROGRAM if status.st_mode & 0o100 else FileSort.FILE
            body = _body(os.path.join(top, name)) if status.st_size <= min(_COUNTED, left) else None
            left -= len(body or b"")
            yield _sized(file._replace(sort=sort), body)


def _sized(file: ChangedFile, body: bytes | None) -> ChangedFile:
    if body is None:
        return file._replace(counted=False)
    if _is_binary(body):
        return file._replace(binary=True)
    return file._replace(added=body.count(b"\n") + (not body.endswith(b"\n") and body != b""))


def _is_binary(body: bytes) -> bool:
    return b"\0" in body[:_SNIFFED]


def _body(path: str) -> bytes | None:
    try:
        return read_regular(path, MOST_DIFF)
    except OSError:
        return None


# ---------------------------------------------------------------------- a diff


class _Raw(NamedTuple):
    """What was read of a diff."""

    lines: list[bytes]
    version: str
    binary: bool = False
    endless: bool = False


def _tracked_diff(work: _Work, asked: ReadDiff) -> _Raw:
    paths = [path for path in (asked.was, asked.path) if path]
    wanted = ("diff", "--numstat", "--patch", "-M", "--unified=3", work.base, "--", *paths)
    output = work.repository.run(*wanted, check=False, limit=MOST_DIFF)
    if not output.cut and output.code != 0:
        raise GitFailed(f"{displayable(asked.path)} cannot be compared: {output.err or 'git says nothing'}")
    lines = output.out.split(b"\n")[:-1]
    return _Raw(lines, _version(work, asked.path), output.out.startswith(b"-\t-\t"), output.cut)


def _untracked_diff(work: _Work, path: str) -> _Raw:
    """Make a diff of a file that git does not know, and of none that it was told to ignore."""
    repository, whole = work.repository, os.path.join(work.repository.place.top, path)
    known = repository.run("ls-files", "--others", "--exclude-standard", "-z", "--", path).fields
    if known != [path]:
        raise GitFailed(f"{displayable(path)} is gone, or git knows it by now: list the changes again")
    version = _version(work, path)
    if os.path.islink(whole):
        body: bytes | None = os.readlink(os.fsencode(whole))
    else:
        body = _body(whole)
    if body is None:
        raise GitFailed(f"{displayable(path)} cannot be read: it is larger than {MOST_DIFF // 1024**2} MiB, or no file")
    if _is_binary(body):
        return _Raw([], version, binary=True)
    if not body:
        return _Raw([], version)
    lines = [b"+" + line for line in body.split(b"\n")]
    lines[-1:] = [] if lines[-1] == b"+" else [lines[-1], b"\\ No newline at end of file"]
    count = sum(line[:1] == b"+" for line in lines)
    return _Raw([b"@@ -0,0 +1,%d @@" % count, *lines], version)


def _version(work: _Work, path: str) -> str:
    try:
        status = os.lstat(os.path.join(work.repository.place.top, path))
    except OSError:
        return work.base[:12]
    return f"{work.base[:12]}.{status.st_ino:x}.{status.st_size:x}.{status.st_mtime_ns:x}"


def _page(asked: ReadDiff, raw: _Raw) -> DiffRead:
    """Cut the wanted lines out of a diff. What stands between the diffs of two files is no line of it."""
    kept: list[bytes] = []
    begin = place = BEGINNING
    number = 0
    for line in raw.lines:
        kind, following = after(place, line)
        if kind is LineKind.NOTE and not (number and line.startswith(b"\\")):
            continue
        if number == asked.start:
            begin = place
        if asked.start <= number < asked.start + DIFF_PAGE:
            kept.append(line)
        place, number = following, number + 1
    data, cut = _sent(kept)
    start = min(asked.start, number)
    return DiffRead(
        asked.id,
        base64.b64encode(data).decode(),
        begin if kept else DiffPlace(),
        start,
        number,
        cut,
        raw.endless,
        raw.binary,
        raw.version,
    )


def _sent(lines: list[bytes]) -> tuple[bytes, tuple[CutLine, ...]]:
    """Join lines, each without secrets and cut where it is too long."""
    cut: list[CutLine] = []
    sent: list[bytes] = []
    for index, whole in enumerate(lines):
        line = redact_bytes(whole)
        if len(line) > DIFF_LINE:
            end = DIFF_LINE
            while end > DIFF_LINE - 4 and line[end] & 0xC0 == 0x80:
                end -= 1
            cut.append(CutLine(index, len(line) - end))
            line = line[:end]
        sent.append(line + b"\n")
    return b"".join(sent), tuple(cut)
