"""The branch that an agent works on: where it is, where its work began, and what it has committed since.

All of it is what the repository says, and an agent may have written that: nothing here decides, and nothing runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone

from controlroom.runner.git import GitFailed, Repository, displayable, opened, origin
from controlroom.runner.worktree.hidden import hidden_changes
from controlroom.text.branch_work import BranchWork, Commit, FileChange
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern

HEADS, ORIGIN = "refs/heads/", "origin"
_SECONDS = 10.0
_MOST_COMMITS, _MOST_FILES = 50, 300
"""Commits and files that are named; all are counted."""
_TEXT = 300
_COMMIT = pattern(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DEFAULTS = ("main", "master")
_OUTPUT = 8 * 1024 * 1024


class Beginning(NamedTuple):
    """What is recorded of the beginning of work: a commit, and when (UTC ms); empty: it is not."""

    commit: str = ""
    started: int = 0


UNRECORDED = Beginning()

ITS_START = "its start"
"""What the beginning is called that was recorded; names of branches hold no space."""


class Start(NamedTuple):
    """The commit that work began at, and what it was found by, as `origin/main`; empty: not known."""

    commit: str = ""
    name: str = ""


def is_commit(text: str) -> bool:
    """Return whether a text can be the whole name of a commit."""
    return _COMMIT.fullmatch(text) is not None


def head_of(repository: Repository) -> str:
    """Return the commit that is checked out. Raises `GitFailed` where there is none yet."""
    return commit_of(repository, "HEAD") or _none(repository)


def _none(repository: Repository) -> str:
    raise GitFailed(f"nothing is committed in {displayable(repository.place.top)}")


def commit_of(repository: Repository, name: str) -> str:
    """Return the commit that a whole name of a reference (or HEAD) stands for; "": none."""
    said = repository.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False)
    return said.text if said.code == 0 and is_commit(said.text) else ""


def branch_of(repository: Repository) -> str:
    """Return the short name of the branch that is checked out; "": none."""
    said = repository.run("symbolic-ref", "--quiet", "HEAD", check=False)
    return said.text.removeprefix(HEADS) if said.code == 0 and said.text.startswith(HEADS) else ""


def default_branch(repository: Repository) -> str:
    """Return the short name of the origin's default branch, as this clone knows it; "": not known."""
    lead = f"refs/remotes/{ORIGIN}/"
    said = repository.run("symbolic-ref", "--quiet", f"{lead}HEAD", check=False)
    if said.code == 0 and said.text.startswith(lead) and commit_of(repository, said.text):
        return said.text.removeprefix(lead)
    return next((name for name in _DEFAULTS if commit_of(repository, lead + name)), "")


def start_of(repository: Repository, head: str, branch: str, began: Beginning = UNRECORDED) -> Start:
    """Return where work began: at the commit that is recorded, else where it parted from the default branch."""
    for commit in (began.commit, _at(repository, began.started)):
        if is_commit(commit) and is_ancestor(repository, commit, head):
            return Start(commit, ITS_START)
    for name in _bases(repository, branch):
        if commit := parting(repository, head, name):
            return Start(commit, name.removeprefix("refs/remotes/").removeprefix(HEADS))
    return Start()


def _at(repository: Repository, started: int) -> str:
    """Return the commit that was checked out at a time, as git has kept it (`HEAD@{time}`); "": it has not."""
    if not started:
        return ""
    then = datetime.fromtimestamp(started / 1000 - 1, timezone.utc)  # git counts in seconds: nothing of the run
    return commit_of(repository, f"HEAD@{{{then:%Y-%m-%d %H:%M:%S} +0000}}")


def parting(repository: Repository, one: str, other: str) -> str:
    """Return the commit at which two histories parted; "": they have none in common."""
    said = repository.run("merge-base", one, other, check=False)
    return said.text if said.code == 0 and is_commit(said.text) else ""


def _bases(repository: Repository, branch: str) -> Iterator[str]:
    if name := default_branch(repository):
        yield f"refs/remotes/{ORIGIN}/{name}"
    for name in _DEFAULTS:
        if name != branch and commit_of(repository, HEADS + name):
            yield HEADS + name


def is_ancestor(repository: Repository, commit: str, of: str) -> bool:
    """Return whether one commit is in the history of another. Raises `GitFailed`."""
    said = repository.run("merge-base", "--is-ancestor", commit, of, check=False, seconds=_SECONDS)
    if said.code not in (0, 1):
        raise GitFailed(f"the history of {of[:12]} cannot be read: {said.err}")
    return said.code == 0


def origin_of(repository: Repository) -> str:
    """Say which repository this one was cloned from, without credentials; "": none that is known."""
    url = repository.remotes().get(ORIGIN, "")
    return origin(url) if url else ""


def read_work(folder: str, environ: Mapping[str, str], began: Beginning, common: str = "") -> BranchWork:
    """Look at what is committed where an agent works. Raises `GitFailed`."""
    with opened(folder, environ, common) as repository:
        head, branch = head_of(repository), branch_of(repository)
        start = start_of(repository, head, branch, began)
        work = BranchWork(
            clone=repository.place.common,
            origin=origin_of(repository),
            branch=branch,
            head=head,
            uncommitted=uncommitted(repository),
            only_here=only_here(repository, head, branch),
        )
        return _since(repository, work, start) if start.commit else work


def uncommitted(repository: Repository) -> int:
    """Count the files that are changed, or new, and not committed: those, too, that git was told not to tell of."""
    said = repository.run("status", "--porcelain", "-z", "--no-renames", seconds=_SECONDS, limit=_OUTPUT)
    told = {line[3:] for line in said.fields}
    return len(told.union(hidden_changes(repository)))


def only_here(repository: Repository, head: str, branch: str) -> int:
    """Count the commits that no other branch has, here or at a remote, nor a tag."""
    others = (*[f"--exclude={branch}"] * bool(branch), "--branches", "--remotes", "--tags")
    return int(repository.run("rev-list", "--count", head, "--not", *others, seconds=_SECONDS).text)


def _since(repository: Repository, work: BranchWork, start: Start) -> BranchWork:
    span = f"{start.commit}..{work.head}"
    files = list(changed(repository, start.commit, work.head))
    unpushed = repository.run("rev-list", "--count", work.head, "--not", "--remotes", seconds=_SECONDS).text
    return replace(
        work,
        base=start.commit,
        base_name=start.name,
        commits=tuple(commits(repository, span)),
        commit_count=int(repository.run("rev-list", "--count", span, seconds=_SECONDS).text),
        files=tuple(files[:_MOST_FILES]),
        file_count=len(files),
        added=sum(file.added or 0 for file in files),
        removed=sum(file.removed or 0 for file in files),
        unpushed=int(unpushed),
    )


def commits(repository: Repository, span: str, most: int = _MOST_COMMITS) -> Iterator[Commit]:
    """Return the newest commits of a span."""
    words = ("-z", f"--max-count={most}", "--format=%H %ct %s", span)
    for line in repository.run("log", *words, seconds=_SECONDS, limit=_OUTPUT).fields:
        name, at, subject = [*line.split(" ", 2), "", ""][:3]
        yield Commit(name, displayable(subject, _TEXT), int(at) * 1000 if at.isdecimal() else 0)


def changed(repository: Repository, base: str, head: str) -> Iterator[FileChange]:
    """Return the files that differ between two commits. Bytes of a name that are no text become signs for that."""
    words = ("--numstat", "-z", "--no-renames", base, head)
    for line in repository.run("diff", *words, seconds=_SECONDS, limit=_OUTPUT).fields:
        added, removed, path = [*line.split("\t", 2), "", ""][:3]
        plain = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        yield FileChange(plain[:_TEXT], _lines(added), _lines(removed))


def _lines(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
