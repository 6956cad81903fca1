"""What one agent has edited: asked of git for each working tree that it works in, by the file and not by the line.

git says which files are changed: uncommitted, or in commits since the agent began that no other branch has. Files that
git ignores, that are as they were again, or whose change was merged are not among them. Who changed a file follows from
the working tree where an agent has one of its own, and from when: what was changed before it began, or after it ended,
is somebody else's. Where several agents are in one tree at once only the calls of their own tools tell, which edit by
name (`runner.claude.edits`); what they change by commands there is nobody's.

Files outside of repositories count where the agent works, by its calls alone.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypedDict

from controlroom.runner.git import GitFailed, Output, Place, Repository, located, opened, origin
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.edits import LONGEST_PATH, MOST_BYTES, MOST_PATHS, MOST_REPOSITORIES, AgentEdits, RepositoryEdits


class _Bounds(TypedDict):
    check: bool
    seconds: float
    limit: int


SECONDS = 10.0
"""How long git may take to say what is changed."""

_LIMIT = 2 * 1024 * 1024
"""Bytes of paths that are read."""

_BOUNDED: _Bounds = {"check": False, "seconds": SECONDS, "limit": _LIMIT}

_SLACK = 2_000
"""Milliseconds after its end in which an agent's last file may be written."""


class Worker(NamedTuple):
    """An agent, as far as it matters here. Times are UTC milliseconds."""

    name: str
    epoch: int
    """0: somebody else started it, and may be at work in the same tree himself."""
    cwd: str
    began: int
    """When it began to work: its working tree was ready by then."""
    ended: int = 0
    """0: it has not."""
    base: str = ""
    """The commit that its own branch began at; "": it has no working tree that was made for it."""
    calls: frozenset[str] = frozenset()
    """Paths of files that its own tools have edited."""
    merged: str = ""
    """The commit up to which its work was accepted, also where that is not to be seen: it was put on top of others."""


class Changes(NamedTuple):
    """What git says of a working tree."""

    uncommitted: frozenset[str]
    committed: frozenset[str] = frozenset()
    whole: bool = True
    """Whether these are all."""


def home_of(path: str) -> Place | None:
    """Find the repository that a folder is in; None when there is none that can be used, or no such folder."""
    try:
        place = located(path) if os.path.isdir(path) else Place("", "", "")
    except (GitFailed, OSError):
        return None
    return place if place.top else None


def edits_of(worker: Worker, environ: Mapping[str, str], is_shared: Callable[[str], bool]) -> AgentEdits:
    """Look at what an agent has edited. `is_shared`: whether other agents are at work in a tree, too, by its top."""
    places = _places(worker)
    each: list[RepositoryEdits] = []
    for place, calls in list(places.items())[:MOST_REPOSITORIES]:
        shared = place is not None and (not worker.epoch or is_shared(place.top))
        each.append(_in_repository(worker, place, calls, environ, shared=shared) if place else _outside(worker, calls))
    return AgentEdits(worker.name, worker.epoch, tuple(_bounded([one for one in each if one.paths or one.more])))


def _places(worker: Worker) -> dict[Place | None, set[str]]:
    """The repositories that an agent works in, that of its folder first, each with its calls' paths from the top on."""
    first = home_of(worker.cwd) if worker.cwd else None
    places: dict[Place | None, set[str]] = {first: set()}
    known: dict[str, Place | None] = {}
    for call in sorted(worker.calls):
        folder = os.path.realpath(os.path.dirname(os.path.join(worker.cwd, call)))
        if folder not in known:
            known[folder] = home_of(folder) if os.path.isdir(folder) else None
        place, path = known[folder], os.path.join(folder, os.path.basename(call))
        top = place.top if place else os.path.realpath(worker.cwd)
        if path.startswith(top.rstrip("/") + "/"):
            places.setdefault(place, set()).add(os.path.relpath(path, top))
    return places


def _outside(worker: Worker, calls: set[str]) -> RepositoryEdits:
    top = os.path.realpath(worker.cwd) if worker.cwd else "/"
    there = sorted(path for path in calls if os.path.lexists(os.path.join(top, path)))
    return RepositoryEdits(top, paths=tuple(there))


def _in_repository(
    worker: Worker, place: Place, calls: set[str], environ: Mapping[str, str], *, shared: bool
) -> RepositoryEdits:
    try:
        with opened(place.top, environ, place.common) as repository:
            found, url = changes(repository, worker), origin(repository.remotes().get("origin", ""))
    except (GitFailed, OSError):  # no room for the folder that git needs, for one
        there = [path for path in calls if os.path.lexists(os.path.join(place.top, path))]
        return RepositoryEdits(place.top, place.common, "", tuple(sorted(there)), more=True)
    edited = {path for path in found.uncommitted if path in calls or (not shared and _is_its_own(worker, place, path))}
    edited |= found.committed & calls if shared else found.committed
    return RepositoryEdits(place.top, place.common, url, tuple(sorted(edited)), more=not found.whole)


def _is_its_own(worker: Worker, place: Place, path: str) -> bool:
    """Whether a file, or of one that is gone its folder, was changed while the agent was at work."""
    whole = os.path.join(place.top, path)
    while True:
        try:
            status = os.lstat(whole)
            break
        except OSError:
            if worker.base:
                return True
            whole = os.path.dirname(whole)
            if len(whole) < len(place.top):
                return False
    if status.st_ctime_ns // 1_000_000 < worker.began:
        return False
    return bool(worker.base) or not worker.ended or status.st_mtime_ns // 1_000_000 <= worker.ended + _SLACK


# --------------------------------------------------------------------------- what git says


def changes(repository: Repository, worker: Worker) -> Changes:
    """Ask git which files are changed. Raises `GitFailed`."""
    asked = ("--porcelain=v2", "--branch", "--no-renames", "--untracked-files=all", "-z")
    said = repository.run("status", *asked, **_BOUNDED)
    if said.code != 0 and not said.cut:
        raise GitFailed(f"git status in {repository.place.top} failed")
    fields = said.fields[:-1] if said.cut else said.fields
    head, uncommitted = _read_status(fields)
    if said.cut or not head["oid"] or head["oid"] in (worker.base, worker.merged):
        return Changes(uncommitted, whole=not said.cut)
    base = worker.merged or worker.base or _before(repository, worker.began)
    if not base or base == head["oid"]:
        return Changes(uncommitted)
    by_commits = _by_commits(repository, base, head["branch"], made_here=bool(worker.base))
    different = repository.run("diff", "--name-only", "--no-renames", "-z", base, "HEAD", **_BOUNDED)
    whole = by_commits.code == different.code == 0
    return Changes(uncommitted, frozenset(by_commits.fields) & frozenset(different.fields), whole)


def _read_status(fields: Iterable[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Read what `git status --porcelain=v2 -z` says: commit and branch that are checked out, and changed paths."""
    head, paths = {"oid": "", "branch": ""}, set[str]()
    for field in fields:
        kind = field[:2]
        if field.startswith("# branch.oid "):
            head["oid"] = field[13:] if field[13:].isalnum() else ""
        elif field.startswith("# branch.head "):
            head["branch"] = "" if field[14:] == "(detached)" else field[14:]
        elif kind == "? ":
            paths.add(field[2:])
        elif kind == "1 ":
            paths.add(field.split(" ", 8)[-1])
        elif kind == "u ":
            paths.add(field.split(" ", 10)[-1])
    return head, frozenset(paths)


def _before(repository: Repository, at: int) -> str:
    """The commit that was checked out at a time, as far as its history says; "" when all of it is newer."""
    asked = ("--max-count=1", "--first-parent", f"--before={at // 1000}", "HEAD")
    return repository.run("rev-list", *asked, **_BOUNDED).text


def _by_commits(repository: Repository, base: str, branch: str, *, made_here: bool) -> Output:
    """Ask for the files that commits since `base` have changed which no other branch has.

    `made_here`: the branch was made for the agent, so that one of its name elsewhere is a copy of it.
    """
    own, copies = ([f"--exclude={branch}"], [f"--exclude=*/{branch}"] if made_here else []) if branch else ([], [])
    asked = ("--first-parent", "--no-merges", "--name-only", "--no-renames", "--format=", "-z", f"{base}..HEAD")
    others = ("--not", *own, "--branches", *copies, "--remotes")
    return repository.run("log", *asked, *others, **_BOUNDED)


# --------------------------------------------------------------------------- what is told


def _bounded(each: list[RepositoryEdits]) -> Iterator[RepositoryEdits]:
    """Leave out what is too much to be told, and say so."""
    paths_left, bytes_left = MOST_PATHS, MOST_BYTES
    for edits in each:
        told: list[str] = []
        for path in edits.paths:
            shown = path.encode("utf-8", "backslashreplace").decode()
            bytes_left -= len(shown.encode())
            if len(shown) > LONGEST_PATH or paths_left <= 0 or bytes_left < 0:
                continue
            paths_left -= 1
            told.append(shown)
        more = edits.more or len(told) < len(edits.paths)
        yield RepositoryEdits(edits.tree, edits.common, edits.origin, tuple(told), more)
