"""Merges what agents have committed: in a worktree of ours, never where a person or an agent works.

Nothing of the repository runs but the checks that were ordered, on the merge as it would be. A branch moves in one
step, from the commit that was merged into; until then nothing has changed for anybody. What conflicts is refused with
the names of the files, and the worktree is removed whatever happens.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from controlroom.node.git.branches import (
    HEADS,
    ORIGIN,
    UNRECORDED,
    Beginning,
    branch_of,
    commit_of,
    commits,
    head_of,
    is_ancestor,
    is_commit,
    parting,
    start_of,
)
from controlroom.node.spawn import Refusal
from controlroom.runner.files import make_private, read_regular
from controlroom.runner.git import (
    REMOTE,
    GitFailed,
    Identity,
    Repository,
    displayable,
    located,
    opened,
    reachable,
    remove_tree,
)
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.names import branch_name_problem
from controlroom.wire.branches import AcceptWork

MERGES = "merges"
"""The folder of our worktrees, below the state folder."""

REMOTE_SECONDS, TREE_SECONDS = 120.0, 120.0
"""Seconds that a remote may take, and the making of a worktree or a merge."""

_MOST_CONFLICTS, _MOST_TREES = 100, 10_000
_NOBODY = Identity("Control Room", "controlroom@localhost")


class Conflict(Refusal):
    """Why a merge was not made: these files were changed on both sides."""

    def __init__(self, words: str, files: tuple[str, ...]) -> None:
        super().__init__(words)
        self.files = files


class Unsure(Exception):
    """Whether a remote has taken what was pushed is not known; the text says why."""


class Job(NamedTuple):
    """Whose work it is, and where that lies."""

    agent: str
    folder: str
    """Where the agent works."""
    scratch: str
    """Where a worktree of ours is made: it is not there yet."""
    environ: Mapping[str, str]
    head: str = ""
    """The commit that was shown; "": none was."""
    began: Beginning = UNRECORDED
    common: str = ""
    """The git directory that its folder belongs to, where that is known."""
    checkout: str = ""
    """What its worktree was made from; "": it works in a folder of somebody else's."""


class Ground(NamedTuple):
    """Where a merge is checked."""

    top: str
    """Of the worktree that it was made in."""
    folder: str
    """In that, as the agent's is in its own."""
    checkout: str
    """Where the files are that git ignores and that the checks may need."""


Check = Callable[[Ground], str]
"""Runs the checks, and says what passed; raises `Refusal` with what did not."""


class _Tip(NamedTuple):
    """Where a branch stands: the commit to merge into, and what the branch is here, and at the origin."""

    commit: str
    here: str = ""
    there: str = ""


def accept(job: Job, wanted: AcceptWork, check: Check) -> str:
    """Merge, check, and move the branch; return what was done. Raises `Refusal`, `GitFailed` and `Unsure`."""
    if problem := branch_name_problem(wanted.into):
        raise Refusal(problem)
    with opened(job.folder, job.environ, job.common) as source:
        head = shown_head(source, job.head, job.agent)
        start = start_of(source, head, branch_of(source), job.began).commit
        tip = _tip(source, job, wanted, start)
        if is_ancestor(source, head, tip.commit):
            raise Refusal(f"{job.agent} has committed nothing that {wanted.into} does not have")
        with _tree(source, job, tip.commit) as tree:
            made = _made(tree, job, wanted, tip.commit, (start, head))
            passed = check(_ground(source, tree, job))
        _move(source, job, wanted, tip, made)
        number = source.run("rev-list", "--count", f"{tip.commit}..{head}").text
    how = "on top of" if wanted.rebase else "merged into"
    there = " and pushed" if wanted.push else ""
    words = f"{number} commit{'' if number == '1' else 's'} {how} {wanted.into}{there}: {made[:12]}"
    return f"{words}; {passed}" if passed else words


def shown_head(repository: Repository, shown: str, agent: str) -> str:
    """Return what an agent has committed. Raises `Refusal` where another commit was shown."""
    head = head_of(repository)
    if shown and shown != head:
        raise Refusal(f"{agent} has committed something else since that was shown ({head[:12]}): look again")
    return head


# --------------------------------------------------------------------------- the branch


def _tip(source: Repository, job: Job, wanted: AcceptWork, start: str) -> _Tip:
    """Find out where the branch stands. Raises `Refusal` where it may not be moved."""
    here = commit_of(source, HEADS + wanted.into)
    if not wanted.push:
        if at := checked_out_at(source.place.common, wanted.into):
            raise Refusal(
                f"{wanted.into} is checked out in {displayable(at)}, and what stands there is yours: accept into "
                f"another branch, or say --push, or run there: git merge {branch_of(source) or 'COMMIT'}"
            )
        known = here or commit_of(source, f"refs/remotes/{ORIGIN}/{wanted.into}")
        return _Tip(known or _begun(job, wanted, start), here)
    there = fetched(source, wanted.into)
    if here and there and not is_ancestor(source, here, there) and not is_ancestor(source, there, here):
        raise Refusal(
            f"{wanted.into} here and at the origin have parted: merge them first, or accept into another branch"
        )
    both = there if not here or (there and is_ancestor(source, here, there)) else here
    return _Tip(both or _begun(job, wanted, start), here, there)


def _begun(job: Job, wanted: AcceptWork, start: str) -> str:
    if not start:
        raise Refusal(
            f"there is no branch {wanted.into} yet, and where the work of {job.agent} began is not known: "
            "make the branch first"
        )
    return start


def fetched(source: Repository, branch: str) -> str:
    """Fetch a branch of the origin, and return its commit; "": the origin has none of that name."""
    known_origin(source)
    ref = HEADS + branch
    listed = source.run("ls-remote", "--heads", ORIGIN, ref, remote=REMOTE, seconds=REMOTE_SECONDS).text
    found = next((line.split("\t")[0] for line in listed.split("\n") if line.endswith(f"\t{ref}")), "")
    if not is_commit(found):
        return ""
    tracking = f"refs/remotes/{ORIGIN}/{branch}"
    source.run("fetch", "--no-tags", ORIGIN, f"+{ref}:{tracking}", remote=REMOTE, seconds=REMOTE_SECONDS)
    return commit_of(source, tracking)


def known_origin(source: Repository) -> str:
    """Return the URL of the origin. Raises `Refusal` where there is none that may be spoken to."""
    url = source.remotes().get(ORIGIN, "")
    if not url:
        raise Refusal(f"{displayable(source.place.common)} has no remote named {ORIGIN}: nothing can be pushed")
    if not reachable(url):
        where = displayable(source.place.common)
        raise Refusal(f"the origin of {where} is reached neither by ssh nor by https: {displayable(url)}")
    return url


def checked_out_at(common: str, branch: str) -> str:
    """Name the folder where a branch is checked out, or rebased or bisected; "": nowhere.

    No git is asked: it would not say it of the main one.

    A repository with its references in tables (`reftable`) keeps that elsewhere; its branches are never moved.
    """
    if _is_at(common, branch):
        return os.path.dirname(common) if os.path.basename(common) == ".git" else common
    trees = os.path.join(common, "worktrees")
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(trees))[:_MOST_TREES]:
            if _is_at(os.path.join(trees, name), branch):
                return os.path.dirname(first_line(os.path.join(trees, name, "gitdir"))) or os.path.join(trees, name)
    return ""


def _is_at(git_dir: str, branch: str) -> bool:
    """Whether a work tree is at a branch, or goes back to it when git has finished what it is in the middle of."""
    ref = HEADS + branch
    told = {"HEAD": f"ref: {ref}", "rebase-merge/head-name": ref, "rebase-apply/head-name": ref, "BISECT_START": branch}
    return any(first_line(os.path.join(git_dir, name)) == line for name, line in told.items())


def first_line(path: str) -> str:
    """Return what stands in a small file of git's own; "": it cannot be read."""
    try:
        return read_regular(path, 4096).decode("utf-8", "surrogateescape").strip()
    except OSError:
        return ""


def _move(source: Repository, job: Job, wanted: AcceptWork, tip: _Tip, made: str) -> None:
    """Have the branch be what was made: at the origin first, which may refuse it, then here."""
    if wanted.push:
        pushed(source, made, wanted.into)
        if checked_out_at(source.place.common, wanted.into) or not tip.here:
            return
    ref, old = HEADS + wanted.into, tip.here or "0" * len(made)
    moved = source.run(
        "update-ref", "--no-deref", "-m", f"controlroom: accept {job.agent}", ref, made, old, check=False
    )
    if moved.code == 0:
        return
    if wanted.push:
        raise Unsure(f"{wanted.into} was pushed; here it could not be moved: {moved.err}")
    raise Refusal(f"{wanted.into} was changed meanwhile, or cannot be written: {moved.err}")


def pushed(source: Repository, commit: str, branch: str) -> None:
    """Push a commit as a branch of the origin, never by force. Raises `Refusal`, and `Unsure`."""
    known_origin(source)
    words = ("--porcelain", "--no-verify", "--no-follow-tags", ORIGIN, f"{commit}:{HEADS}{branch}")
    said = source.run("push", *words, check=False, remote=REMOTE, seconds=REMOTE_SECONDS)
    if said.code == 0:
        return
    if said.code is None:
        raise Unsure(f"the origin did not answer within {REMOTE_SECONDS:g} s: look whether it has {branch}")
    rejected = next((line for line in said.text.split("\n") if line.startswith("!")), "")
    why = displayable(rejected.rpartition("\t")[2]) if rejected else said.err
    raise Refusal(f"the origin did not take {branch}: {why or f'git ended with {said.code}'}")


# --------------------------------------------------------------------------- the merge


@contextlib.contextmanager
def _tree(source: Repository, job: Job, commit: str) -> Iterator[Repository]:
    """Have a worktree of ours with a commit checked out, for as long as the block lasts."""
    if source.settings.get("extensions.refstorage", ["files"])[-1].lower() != "files":
        where = displayable(source.place.common)
        raise Refusal(f"{where} keeps its branches in tables (reftable), which are not moved here")
    make_private(os.path.dirname(job.scratch))
    try:
        source.add_worktree(job.scratch, commit)
        with opened(job.scratch, job.environ, source.place.common) as tree:
            tree.run("reset", "--hard", commit, seconds=TREE_SECONDS)
            yield tree
    finally:
        source.remove_worktree(job.scratch)


def _ground(source: Repository, tree: Repository, job: Job) -> Ground:
    top, inner = tree.place.top, os.path.relpath(os.path.realpath(job.folder), source.place.top)
    folder = os.path.normpath(os.path.join(top, inner))
    if os.path.realpath(folder) != os.path.join(os.path.realpath(top), inner).removesuffix("/."):
        raise Refusal(f"{displayable(inner)}, in which {job.agent} works, is no folder of the merge: look there")
    return Ground(top, folder, job.checkout or job.folder)


def sweep(state: str, environ: Mapping[str, str]) -> None:
    """Remove the worktrees of nodes that were killed at a merge. Raises nothing."""
    folder = os.path.join(state, MERGES)
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if not _lives(name.rpartition(".")[2]):
                _remove(os.path.join(folder, name), environ)


def _remove(path: str, environ: Mapping[str, str]) -> None:
    with contextlib.suppress(GitFailed, OSError, ValueError), opened(located(path).common, environ) as owner:
        owner.remove_worktree(path)
    remove_tree(path)


def _lives(pid: str) -> bool:
    """Return whether a process may be running; what is no number is none."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _made(tree: Repository, job: Job, wanted: AcceptWork, onto: str, span: tuple[str, str]) -> str:
    """Merge or rebase what lies between two commits, and return what came of it. Raises `Conflict`, `GitFailed`."""
    start, head = span
    if wanted.rebase and not start and not (start := parting(tree, head, onto)):
        raise Refusal(f"{job.agent} and {wanted.into} have no commit in common: accept it without --rebase")
    message = f"Merge {job.agent}: {next(iter(commits(tree, head, 1))).subject}"
    words = ("rebase", "--no-verify", "--onto", onto, start, head)
    if not wanted.rebase:
        words = ("merge", "--no-ff", "--no-verify", "-m", message, head)
    said = tree.run(*words, check=False, identity=tree.identity() or _NOBODY, seconds=TREE_SECONDS)
    if said.code != 0:
        raise _conflict(tree, job, wanted) or GitFailed(f"git {words[0]} failed: {said.err or displayable(said.text)}")
    return head_of(tree)


def _conflict(tree: Repository, job: Job, wanted: AcceptWork) -> Conflict | None:
    names = tree.run("diff", "--name-only", "--diff-filter=U", "-z", check=False).fields
    files = tuple(dict.fromkeys(displayable(name, 300) for name in names))
    if not files:
        return None
    some = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    return Conflict(f"{job.agent} conflicts with {wanted.into} in {some}: nothing was merged", files[:_MOST_CONFLICTS])
