"""Unpacking on the host that an agent goes on on: nothing starts before what came is proved to be what was packed."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from controlroom.node.agent_folders import epochs
from controlroom.node.carrying import fences, remotes, sessions, snapshot, staging
from controlroom.node.git.branches import HEADS, commit_of, is_ancestor, is_commit, origin_of
from controlroom.node.host import now
from controlroom.node.spawn import Refusal
from controlroom.runner.claude.settings import config_folder
from controlroom.runner.environment import expanded, read_env_file
from controlroom.runner.files import make_private, write_atomic
from controlroom.runner.git import GitFailed, Repository, displayable, opened, reachable
from controlroom.runner.worktree import record
from controlroom.runner.worktree.making import HEAD, fit_name, new_branch, new_folder, unmake
from controlroom.runner.worktree.record import Worktree
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.names import branch_name_problem
from controlroom.wire.carrying import MOST_TIPS, FindRepository, Folder, RepositoryFound, Unpack, Unpacked
from controlroom.wire.spec import AgentSpec

_REPOSITORIES = "repositories"
"""Where repositories lie that were made from what came, in the state folder."""


# ---------------------------------------------------------------------- which repository


def find(asked: FindRepository, state: str, environ: Mapping[str, str]) -> RepositoryFound:
    """Find a checkout of an origin; without one, tell what disk there is for another. Raises nothing."""
    system = os.statvfs(state if os.path.isdir(state) else environ["HOME"])
    free = system.f_bavail * system.f_frsize
    for path in _candidates(asked, state, environ["HOME"]) if asked.origin else ():
        with contextlib.suppress(GitFailed, OSError), opened(path, environ) as repository:
            if origin_of(repository) == asked.origin and _takes_worktrees(repository):
                return RepositoryFound(asked.id, _path(repository), _tips(repository), free)
    return RepositoryFound(asked.id, free=free)


def _path(repository: Repository) -> str:
    return repository.place.top or repository.place.common


def _takes_worktrees(repository: Repository) -> bool:
    """Whether a worktree can be made of it: not where its history is cut, or its branches are kept in tables."""
    shallow = os.path.lexists(os.path.join(repository.place.common, "shallow"))
    return not shallow and repository.settings.get("extensions.refstorage", ["files"])[-1].lower() == "files"


def _candidates(asked: FindRepository, state: str, home: str) -> Iterator[str]:
    """The likeliest first: the agent's folder, where others of the origin were made, and what moves have made here."""
    yield from (path for path in (expanded(folder, home) for folder in asked.folders) if os.path.isdir(path))
    for _, worktree in record.every(state):
        if worktree.origin == asked.origin:
            yield worktree.checkout or worktree.repository
    with contextlib.suppress(OSError):
        for item in os.scandir(os.path.join(state, _REPOSITORIES)):
            if item.is_dir(follow_symlinks=False):
                yield item.path


def _tips(repository: Repository) -> tuple[str, ...]:
    words = f"--count={MOST_TIPS}", "--sort=-creatordate", "--format=%(objectname)", "refs/heads", "refs/remotes"
    names = repository.run("for-each-ref", *words).text.split("\n")
    return tuple(dict.fromkeys(name for name in names if is_commit(name)))


def _made_from(folder: Folder, state: str, mark: str, environ: Mapping[str, str]) -> str:
    """Make a bare repository for what came, with its origin where that can be reached."""
    root = os.path.join(state, _REPOSITORIES)
    make_private(root)
    path = os.path.join(root, f"{fit_name(folder.name)}-{mark}")
    if not os.path.isdir(path):
        new = f"{path}.new"
        staging.remove(new)
        for inner in ("objects/info", "objects/pack", "refs/heads", "info"):
            os.makedirs(os.path.join(new, inner), mode=0o700)
        sha256 = folder.format == "sha256"
        lines = ["[core]\n\tbare = true\n", f"\trepositoryformatversion = {int(sha256)}\n"]
        lines += ["[extensions]\n\tobjectformat = sha256\n"] * sha256
        if reachable(folder.url) and not set(folder.url) & set('"\\;#\n'):
            fetched = "+refs/heads/*:refs/remotes/origin/*"
            lines.append(f'[remote "origin"]\n\turl = "{folder.url}"\n\tfetch = {fetched}\n')
        write_atomic(os.path.join(new, "config"), "".join(lines).encode("utf-8", "surrogateescape"))
        write_atomic(os.path.join(new, "HEAD"), b"ref: refs/heads/main\n")
        os.rename(new, path)
    return path


# ---------------------------------------------------------------------- unpacking


class Arrival(NamedTuple):
    """What comes, and where to."""

    asked: Unpack
    state: str
    folder: str
    """Of the move, with its parts."""
    environ: Mapping[str, str]


def unpack(arrival: Arrival) -> Unpacked:
    """Put all that came into its place; when this raises, it may be tried again.

    Raises `Refusal`, `GitFailed`, `Unfit` and `OSError`.
    """
    asked, manifest = arrival.asked, arrival.asked.manifest
    before = staging.noted(arrival.folder, staging.UNPACKED)
    if isinstance(before, list) and len(before) == 3 and all(isinstance(text, str) for text in before):
        return Unpacked(asked.id, *before)
    for part in manifest.parts:
        staging.check(arrival.folder, part)
    undo(arrival.state, asked.op, arrival.environ)
    cwd = checkout = branch = ""
    if manifest.folder is not None:
        worktree = _unpack_folder(arrival, manifest.folder)
        cwd, checkout, branch = worktree.cwd, worktree.checkout or worktree.repository, worktree.branch
    if manifest.session:
        _unpack_session(arrival, cwd or expanded(asked.spec.cwd, arrival.environ["HOME"]))
    staging.note(arrival.folder, staging.UNPACKED, [cwd, checkout, branch])
    return Unpacked(asked.id, cwd, checkout, branch)


def _unpack_session(arrival: Arrival, cwd: str) -> None:
    asked, manifest = arrival.asked, arrival.asked.manifest
    own = epochs(arrival.state, asked.name)
    config = config_folder(_of_spec(arrival.environ, asked.spec), cwd, asked.spec.command[1:])
    project = sessions.project_folder(config, cwd, manifest.session)
    left = fences.left(own, manifest.session)
    source = os.path.join(arrival.folder, staging.SESSION)
    sessions.unpack(source, manifest.session, manifest.files, project, left, asked.op)
    fences.take_down(own, manifest.session)


def _of_spec(environ: Mapping[str, str], spec: AgentSpec) -> dict[str, str]:
    """The environment of the run, as far as it says where its Claude keeps its files."""
    given = read_env_file(expanded(spec.env_file, environ["HOME"])) if spec.env_file else {}
    return {**environ, **given, **spec.env}


def _unpack_folder(arrival: Arrival, folder: Folder) -> Worktree:
    asked, environ = arrival.asked, arrival.environ
    if not all(map(is_commit, (folder.head, folder.staged, folder.work))):
        raise Refusal("what came does not say what it is to be proved by")
    path = asked.repository or _made_from(folder, arrival.state, f"{asked.name}.{asked.op}", environ)
    with opened(path, environ) as repository:
        if asked.repository and origin_of(repository) != folder.origin:
            raise Refusal(f"{displayable(path)} is no checkout of {displayable(folder.origin)} any more: move it again")
        staged = f"refs/carried/{asked.name}.{asked.op}"
        snapshot.fetch(repository, os.path.join(arrival.folder, staging.COMMITS), snapshot.INDEX, staged)
        _check_commits(repository, folder, staged)
        worktree = _reserved(arrival, folder, repository)
        repository.add_worktree(worktree.path, folder.head, worktree.branch)
        with opened(worktree.path, environ, worktree.repository) as tree:
            _restore(tree, arrival.folder, folder, commit_of(repository, staged))
        _check_inner(worktree)
        repository.run("update-ref", "-d", staged)
        remotes.forget(repository, remotes.branch_of_move(asked.name, asked.op))
    return worktree


def _check_commits(repository: Repository, folder: Folder, staged: str) -> None:
    """See that the commit and the index are those that were packed. Raises `Refusal`."""
    came = commit_of(repository, f"{staged}^1"), repository.text("rev-parse", "--verify", f"{staged}^{{tree}}")
    if came != (folder.head, folder.staged):
        raise Refusal(f"its commits did not arrive as they were sent: {came[0][:12]} is not {folder.head[:12]}")


def _reserved(arrival: Arrival, folder: Folder, repository: Repository) -> Worktree:
    """Take a folder and a branch for the worktree that came, and write both down."""
    asked, place = arrival.asked, repository.place
    make_private(record.root(arrival.state))
    with record.locked(arrival.state):
        home = new_folder(record.root(arrival.state), f"{asked.name}.{asked.epoch}")
        known = folder.base if is_commit(folder.base) and snapshot.known_commits(repository, [folder.base]) else ""
        base = known if known and is_ancestor(repository, known, folder.head) else folder.head
        worktree = Worktree(
            asked.name,
            asked.epoch,
            asked.epoch,
            os.path.join(home, fit_name(folder.name)),
            _inner(folder.inner),
            _branch(repository, folder.branch, asked.name),
            base,
            folder.onto if not branch_name_problem(folder.onto) else "",
            place.common,
            place.top,
            origin_of(repository),
            (),
            now(),
            carried=asked.op,
        )
        record.write(home, worktree)
    return worktree


def _inner(inner: str) -> str:
    """The folder below the top, as the other host says: it must stay below it."""
    path = os.path.normpath(inner) if inner else "."
    return "" if path == "." or os.path.isabs(path) or path.split("/")[0] == ".." or "\0" in path else path


def _check_inner(worktree: Worktree) -> None:
    """See that the folder which the agent will work in lies in its worktree: a link among its files may lead away.

    Raises `Refusal`.
    """
    top, inner = os.path.realpath(worktree.path), os.path.realpath(worktree.cwd)
    if os.path.commonpath((top, inner)) != top:
        raise Refusal(f"it worked in {displayable(worktree.inner)}, which leads out of what came: nothing is started")


def _branch(repository: Repository, branch: str, name: str) -> str:
    """Its own branch where nobody here has one of that name, else another."""
    free = branch and branch_name_problem(branch) is None and not commit_of(repository, HEADS + branch)
    return branch if free and branch != HEAD else new_branch(repository, name)


def _restore(tree: Repository, move: str, folder: Folder, staged: str) -> None:
    """Write the files and the index of a worktree, and prove them. Raises `Refusal` and `GitFailed`."""
    staging.remove(os.path.join(move, snapshot.SCRATCH))
    with snapshot.scratch(tree, move) as ours:
        ours.run("update-ref", snapshot.INDEX, staged)
        snapshot.fetch(ours, os.path.join(move, staging.WORK), snapshot.FILES, snapshot.FILES)
        if ours.text("rev-parse", "--verify", f"{snapshot.FILES}^{{tree}}") != folder.work:
            raise Refusal("its files did not arrive as they were sent: move it again")
        snapshot.check_fits(ours, (folder.work, folder.staged))
        ours.run("read-tree", "--reset", "-u", folder.work, seconds=snapshot.SECONDS)
        tree.run("read-tree", folder.staged)
        os.unlink(os.path.join(ours.place.git_dir, "index"))
        ours.run("read-tree", folder.work)
        proved = tree.text("rev-parse", "HEAD"), tree.text("write-tree"), snapshot.take_files(ours)
    staging.remove(os.path.join(move, snapshot.SCRATCH))
    if proved != (folder.head, folder.staged, folder.work):
        what = next(
            what
            for what, is_, was in zip(
                ("commit", "index", "files"), proved, (folder.head, folder.staged, folder.work), strict=True
            )
            if is_ != was
        )
        raise Refusal(
            f"the {what} in {displayable(tree.place.top)} differ from what was sent: nothing is started there"
        )
    tree.run("update-index", "-q", "--refresh", check=False, seconds=snapshot.SECONDS)


def undo(state: str, op: int, environ: Mapping[str, str]) -> None:
    """Take away the worktree that a move had begun to make, unless its agent has worked in it. Raises `GitFailed`."""
    for home, worktree in record.every(state):
        if worktree.carried == op and not worktree.ready:
            with opened(worktree.repository, environ) as repository:
                _take_back(repository, home, worktree)


def _take_back(repository: Repository, home: str, worktree: Worktree) -> None:
    """Remove a worktree that nobody has worked in, and its branch where that stands where it came."""
    head = commit_of(repository, HEADS + worktree.branch)
    with contextlib.suppress(GitFailed), opened(worktree.path, repository.environ, worktree.repository) as tree:
        head = head if head == commit_of(tree, "HEAD") else ""
    unmake(repository, home, worktree._replace(base=head or worktree.base))
