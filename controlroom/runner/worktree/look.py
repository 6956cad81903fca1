"""Looks at an agent's work by git: `python3 -I -S …/runner/worktree/look.py FOLDER CWD WHAT KNOWN`.

It has the environment of the agent; FOLDER is the agent's, CWD where it works. WHAT: `changed`, whether it has changed
anything since its run began; `begin`, which guarded files it has changed, and a fresh checkout where its checks are to
run in one; `end`, that away again. KNOWN: what its runner knows (`Known`), as JSON. One line of JSON says what came of
it (`Looked`). A program of its own, so that a runner stays small, answers meanwhile, and can end it. Nothing that came
with the repository runs (`runner.git`).
"""

import fnmatch
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))
    sys.dont_write_bytecode = True

from controlroom.runner.files import why
from controlroom.runner.git import GitFailed, Repository, displayable, opened, remove_tree
from controlroom.runner.outcome import Unfit
from controlroom.runner.worktree.hidden import hidden_changes
from controlroom.text.checks import MOST_GUARDED
from controlroom.text.json_fields import table, text, whole
from controlroom.text.lazy_named_tuple import NamedTuple

CHECKOUT = "checkout"
"""The fresh checkout, in the agent's folder."""

_SECONDS = 600.0
_TICK = 0.02
"""Seconds by which the times of files may be behind the clock."""

_UNKNOWN = "git has not kept where its work began"

_NAMES = 4 * 1024 * 1024
"""Bytes of names that are read of one list."""


class Looked(NamedTuple):
    """What came of it."""

    changed: bool | None = None
    """Whether anything has been changed; None: nobody can tell."""
    guarded: tuple[str, ...] = ()
    more_guarded: int = 0
    guards_unknown: str = ""
    """Why it is not known which guarded files were changed."""
    cwd: str = ""
    """Where the checks are to run: in the fresh checkout; "": where the agent works."""
    commit: str = ""
    problem: str = ""
    """Why they cannot run, which the agent may mend."""
    unfit: str = ""
    """Why they cannot run, whatever it does."""


class Known(NamedTuple):
    """What is known of it by its runner. Nothing of that is read from the agent's folder, where it can write."""

    started: int
    """UTC ms."""
    base: str
    """The commit that its worktree began from; "": it has none of its own."""
    repository: str
    """The git directory which that belongs to."""
    clean: bool
    guarded: tuple[str, ...]


class Work:
    """What an agent has done in its repository since its run began."""

    def __init__(self, repository: Repository, known: Known) -> None:
        """Raises `GitFailed` where there is nothing to look at."""
        if not repository.place.top:
            raise GitFailed(f"{displayable(repository.place.git_dir)} is a bare repository")
        self.repository, self._began = repository, known.started / 1000
        self.head = _commit(repository, "HEAD")
        then = datetime.fromtimestamp(max(0.0, self._began - 1), timezone.utc)  # git's record has whole seconds
        self.base = _commit(repository, known.base or f"HEAD@{{{then:%Y-%m-%d %H:%M:%S} +0000}}")
        """The commit that its work began from; "": git has not kept that."""

    def uncommitted(self) -> Iterator[str]:
        """Yield the paths of files that are in no commit as they are, and were touched since the run began."""
        commit = self.head or self.repository.text("hash-object", "-t", "tree", "/dev/null")
        named = self._names("diff", "--name-only", "-z", "--no-renames", commit, "--")
        yield from filter(self._is_new, [*named, *self._names("ls-files", "--others", "--exclude-standard", "-z")])

    def changed(self) -> Iterator[str]:
        """Yield the paths of all files that it has changed; one may come twice."""
        if self.base and self.base != self.head:
            yield from self._names("diff", "--name-only", "-z", "--no-renames", self.base, self.head, "--")
        yield from self.uncommitted()
        yield from filter(self._is_new, hidden_changes(self.repository))

    def _names(self, *words: str) -> list[str]:
        listed = self.repository.run(*words, check=False, limit=_NAMES)
        if listed.code != 0 and not listed.cut:
            raise GitFailed(listed.err or f"git {words[0]} failed")
        return listed.fields[:-1] if listed.cut else listed.fields

    def _is_new(self, path: str) -> bool:
        """Whether a file was touched since the run began; of one that is gone its folder says so."""
        whole_path = os.path.join(self.repository.place.top, path)
        for place in (whole_path, os.path.dirname(whole_path)):
            try:
                status = os.lstat(place)
            except OSError:
                continue
            return max(status.st_mtime, status.st_ctime) >= self._began - _TICK
        return True


def is_guarded(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path is guarded: `tests/` and what is below, `*.lock` anywhere, `ci/*.yml` from the top."""
    for pattern in patterns:
        if pattern.endswith("/") and f"/{path}".startswith(f"/{pattern.lstrip('/')}"):
            return True
        if fnmatch.fnmatchcase(path if "/" in pattern else os.path.basename(path), pattern.lstrip("/")):
            return True
    return False


def _commit(repository: Repository, name: str) -> str:
    """A commit's id; "" when there is no such commit."""
    words = "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    found = repository.run(*words, check=False)
    return found.text.strip().split("\n")[-1] if found.code == 0 else ""


def begin(known: Known, work: Work, place: str, cwd: str) -> Looked:
    """Name the guarded files that were changed, and make the fresh checkout in `place`, where one is wanted."""
    paths = sorted({path for path in work.changed() if is_guarded(path, known.guarded)}) if known.guarded else []
    named = tuple(displayable(path, 200) for path in paths[:MOST_GUARDED])
    unknown = "" if work.base or not known.guarded else _UNKNOWN
    looked = Looked(guarded=named, more_guarded=max(0, len(paths) - MOST_GUARDED), guards_unknown=unknown)
    if not known.clean:
        return looked
    if not work.head:
        return looked._replace(problem="nothing is committed yet, and the checks run in a fresh checkout of a commit")
    if left := sorted(set(work.uncommitted())):
        more = f" and {len(left) - 10} more" if len(left) > 10 else ""
        some = ", ".join(displayable(path, 200) for path in left[:10]) + more
        words = f"the checks run in a fresh checkout of what is committed, and this is not: {some}"
        return looked._replace(problem=f"{words}; commit it, or remove what is not part of the work")
    return _checked_out(looked, work, place, cwd)


def _checked_out(looked: Looked, work: Work, place: str, cwd: str) -> Looked:
    end(work.repository, place)
    path = os.path.join(place, CHECKOUT)
    top = work.repository.place.top
    inner = os.path.relpath(os.path.realpath(cwd), top)
    work.repository.add_worktree(path, work.head)
    with opened(path, os.environ, work.repository.place.common) as tree:
        tree.run("reset", "--hard", "--quiet", seconds=_SECONDS)
        if tree.submodules():
            words = "a fresh checkout gets no submodules, and this repository has some: clean cannot be used"
            return looked._replace(unfit=words)
    if not os.path.isdir(os.path.join(path, inner)):
        return looked._replace(problem=f"the folder {displayable(inner)} is not in the commit that is to be checked")
    return looked._replace(cwd=os.path.normpath(os.path.join(path, inner)), commit=work.head)


def end(repository: Repository, place: str) -> None:
    """Take the fresh checkout away."""
    path = os.path.join(place, CHECKOUT)
    if os.path.lexists(path):
        repository.remove_worktree(path)


def _looked(place: str, cwd: str, what: str, known: Known) -> Looked:
    try:
        with opened(cwd, os.environ, known.repository) as repository:
            if what == "end":
                end(repository, place)
                return Looked()
            work = Work(repository, known)
            if what == "begin":
                return begin(known, work, place, cwd)
            return Looked(any(True for _ in work.changed()) or (False if work.base else None))
    except (GitFailed, ValueError) as problem:
        remove_tree(os.path.join(place, CHECKOUT))
        return Looked(guards_unknown=str(problem), unfit=f"no fresh checkout: {problem}" if known.clean else "")


def _known(said: str) -> Known:
    value = table(json.loads(said))
    return Known(
        whole(value.get("started")),
        text(value.get("base"), 100),
        text(value.get("repository"), 4096),
        value.get("clean") is True,
        tuple(value.get("guarded") or ()),
    )


def main(place: str, cwd: str, what: str, known: str) -> int:
    """Look, and say what was found."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    try:
        looked = _looked(place, cwd, what, _known(known))
    except (Unfit, OSError) as error:
        words = str(error) if isinstance(error, Unfit) else why(error)
        looked = Looked(guards_unknown=words, unfit=words)
    os.write(1, json.dumps(looked._asdict()).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
