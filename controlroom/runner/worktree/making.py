"""The steps by which a worktree is made, or found again: none of them runs what came with the repository."""

import contextlib
import os
import re
import shutil
import zlib
from collections.abc import Callable, Mapping

from controlroom.runner.environment import working_folder
from controlroom.runner.files import make_private, why
from controlroom.runner.git import GitFailed, Repository, displayable, located, opened, origin
from controlroom.runner.outcome import Unfit
from controlroom.runner.spec import Order
from controlroom.runner.worktree import included, ports, record, setup, unready
from controlroom.runner.worktree.record import Worktree
from controlroom.wire.spec import AgentSpec

CHECKOUT_SECONDS = 600.0
"""Seconds that git may take to write the files of a worktree."""

HEAD = "HEAD"
"""The base that stands for whatever the repository stands at."""

_ORIGIN = "origin"
_BRANCH = "controlroom/{name}"
_MOST_TRIES = 1000

Say = Callable[[str], object]


class Making:
    """Makes the worktree of one order, in the room's state folder `state`."""

    def __init__(self, order: Order, state: str, environ: Mapping[str, str], now: int, say: Say) -> None:
        """`environ`: the agent's; `say` takes what is done, a line each."""
        self._order, self._state, self._environ, self._now, self._say = order, state, environ, now, say

    def go_on(self) -> Worktree | None:
        """The worktree that a resumed agent goes on in; None: it had none. Raises `Unfit` when that is gone."""
        order = self._order
        found = record.of_session(self._state, order.name, order.epoch, order.spec.resume)
        if found is None:
            return None
        folder, worktree = found
        try:
            with opened(worktree.path, self._environ, worktree.repository):
                pass
        except GitFailed as error:
            raise Unfit(f"its worktree cannot be gone on in: {error}; give it its task again (retry)") from None
        worktree = worktree._replace(last=self._order.epoch, ports=self._kept_ports(worktree))
        record.write(folder, worktree)
        self._say(f"goes on in {displayable(worktree.path)} on branch {displayable(worktree.branch)}")
        return worktree

    def arrived(self, out: Callable[[bytes], object], log: str) -> Worktree | None:
        """The worktree that was carried here for this run, made ready; None: none was. Raises `Unfit`."""
        own = (pair for pair in record.every(self._state) if pair[1].name == self._order.name and pair[1].carried)
        folder, worktree = next((pair for pair in own if pair[1].epoch == self._order.epoch), ("", None))
        if worktree is None:
            return None
        try:
            with record.locked(self._state):
                worktree = worktree._replace(ports=self._ports(self._order.spec.worktree_ports))
                record.write(folder, worktree)
            self._say(f"goes on in {displayable(worktree.path)} on branch {displayable(worktree.branch)}, carried here")
            with opened(worktree.checkout or worktree.repository, self._environ) as repository:
                self._make_ready(repository, worktree, out, log)
            worktree = worktree._replace(ready=True)
            record.write(folder, worktree)
        except GitFailed as error:
            raise Unfit(f"its worktree cannot be gone on in: {error}") from None
        except OSError as error:
            raise Unfit(f"its worktree cannot be gone on in: {why(error)}") from None
        return worktree

    def make(self, out: Callable[[bytes], object], log: str) -> Worktree:
        """Make a new one; `out` takes what its setup says. Raises `Unfit`, and then nothing of it is left."""
        spec = self._order.spec
        cwd = working_folder(spec, self._environ["HOME"])
        try:
            with opened(cwd, self._environ) as repository:
                commit = _commit(repository, spec.worktree)
                folder, worktree = self._reserved(repository, cwd, commit)
                try:
                    self._check_out(repository, worktree)
                    self._make_ready(repository, worktree, out, log)
                    worktree = worktree._replace(ready=True)
                    record.write(folder, worktree)
                except BaseException:
                    unmake(repository, folder, worktree)
                    raise
        except GitFailed as error:
            raise Unfit(f"no worktree: {error}") from None
        except OSError as error:
            raise Unfit(f"no worktree: {why(error)}") from None
        return worktree

    def _reserved(self, repository: Repository, cwd: str, commit: str) -> tuple[str, Worktree]:
        """Take a folder, a branch name and ports that nobody else has."""
        order, place = self._order, repository.place
        inner = os.path.relpath(os.path.realpath(cwd), place.top) if place.top else "."
        with record.locked(self._state):
            folder = new_folder(record.root(self._state), f"{order.name}.{order.epoch}")
            worktree = Worktree(
                order.name,
                order.epoch,
                order.epoch,
                os.path.join(folder, fit_name(place.top or place.common)),
                "" if inner == "." else inner,
                new_branch(repository, order.name),
                commit,
                "" if order.spec.worktree == HEAD else order.spec.worktree,
                place.common,
                place.top,
                origin(repository.remotes().get(_ORIGIN, "")),
                self._ports(order.spec.worktree_ports),
                self._now,
            )
            record.write(folder, worktree)
        return folder, worktree

    def _check_out(self, repository: Repository, worktree: Worktree) -> None:
        repository.add_worktree(worktree.path, worktree.base, worktree.branch)
        with opened(worktree.path, self._environ, worktree.repository) as tree:
            tree.run("reset", "--hard", "--quiet", seconds=CHECKOUT_SECONDS)
        self._say(
            f"made {displayable(worktree.path)} on branch {displayable(worktree.branch)} "
            f"from {displayable(worktree.onto or HEAD)} ({worktree.base[:12]})"
        )
        if worktree.inner and not os.path.isdir(worktree.cwd):
            inner, onto = displayable(worktree.inner), displayable(worktree.onto or HEAD)
            raise Unfit(f"the folder {inner} is not there in {onto}: give another cwd, or another base")

    def _make_ready(self, repository: Repository, worktree: Worktree, out: Callable[[bytes], object], log: str) -> None:
        files, size = included.copy_included(repository, worktree.path)
        if files:
            self._say(f"copied {files:,} file{'s' * (files != 1)} that git ignores, {size:,} bytes ({included.FILE})")
        spec = self._order.spec
        if spec.worktree_setup:
            self._say(f"setup: {displayable(' '.join(spec.worktree_setup), 200)}")
            environ = {**self._environ, **variables(worktree), "PWD": worktree.cwd}
            setup.run(spec.worktree_setup, environ, worktree.cwd, log, _minutes(spec), out)
            self._say("setup: done")
        with opened(worktree.path, self._environ, worktree.repository) as tree:
            if lacks := unready.missing(tree, worktree.checkout, has_setup=bool(spec.worktree_setup)):
                raise Unfit(lacks)

    def _ports(self, count: int) -> tuple[int, ...]:
        if not count:
            return ()
        taken = [worktree.ports for _, worktree in record.every(self._state)]
        found = ports.free_range(count, taken, zlib.crc32(self._state.encode("utf-8", "surrogateescape")))
        if not found:
            raise Unfit(
                f"no {count} ports in a row are free on this host: drop worktrees, or give fewer worktree_ports"
            )
        return found

    def _kept_ports(self, worktree: Worktree) -> tuple[int, ...]:
        """The ports that it has had, or others where somebody else listens on one of them by now."""
        if not worktree.ports or all(ports.is_free(worktree.ports[0] + n) for n in range(worktree.ports[1])):
            return worktree.ports
        with record.locked(self._state):
            return self._ports(worktree.ports[1])


def variables(worktree: Worktree) -> dict[str, str]:
    """What an agent in a worktree, and its setup, have in their environment."""
    found = {
        "CONTROLROOM_WORKTREE": worktree.path,
        "CONTROLROOM_CHECKOUT": worktree.checkout,
        "CONTROLROOM_BRANCH": worktree.branch,
    }
    if worktree.ports:
        found |= {"CONTROLROOM_PORT": str(worktree.ports[0]), "CONTROLROOM_PORTS": str(worktree.ports[1])}
    return found


def _minutes(spec: AgentSpec) -> float:
    return spec.worktree_setup_minutes or 10.0


def _commit(repository: Repository, base: str) -> str:
    """The commit that a base names: HEAD, a branch, a branch of the origin, a tag or a commit. Raises `Unfit`."""
    names = [HEAD] if base == HEAD else [f"refs/heads/{base}", f"refs/remotes/{_ORIGIN}/{base}", base]
    for name in names:
        found = repository.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", check=False
        )
        if found.code == 0 and (commit := found.text.strip().split("\n")[-1]):
            return commit
    where = displayable(repository.place.top or repository.place.common)
    if base == HEAD:
        raise Unfit(f"the repository {where} has no commit yet: commit something, then start the agent")
    raise Unfit(f"there is no branch or commit {displayable(base, 100)} in {where} to begin a worktree from")


def new_folder(root: str, name: str) -> str:
    """Make a folder for a worktree, under this name or one with a number behind it. Raises `Unfit`."""
    for number in range(1, _MOST_TRIES):
        folder = os.path.join(root, name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
            return folder
    raise Unfit(f"{root} has too many worktrees of that name: drop some (controlroom worktree list)")


def new_branch(repository: Repository, name: str) -> str:
    """Name a branch for an agent that is not there yet. Raises `Unfit`."""
    listed = repository.run("for-each-ref", "--format=%(refname)", "refs/heads/controlroom/").text.split("\n")
    for number in range(1, _MOST_TRIES):
        branch = _BRANCH.format(name=name) + (f"-{number}" if number > 1 else "")
        if f"refs/heads/{branch}" not in listed:
            return branch
    raise Unfit(f"there are too many branches controlroom/{name}-…: remove some")


def fit_name(path: str) -> str:
    """What the work tree's folder is called: as the checkout's, for many tools show that."""
    name = os.path.basename(path.removesuffix("/.git").removesuffix(".git").rstrip("/"))
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:60].strip(".-") or "tree"


def _note(worktree: Worktree) -> str:
    """The folder in which git keeps its note of a worktree; "": there is none that is only this one's.

    `git worktree prune` would take away the notes of others, too, whose disk is not there now.
    """
    with contextlib.suppress(GitFailed):
        place = located(worktree.path)
        if os.path.dirname(place.git_dir) == os.path.join(os.path.realpath(worktree.repository), "worktrees"):
            return place.git_dir
    return ""


def unmake(repository: Repository, folder: str, worktree: Worktree) -> None:
    """Take away what was made so far: no agent has worked in it."""
    with contextlib.suppress(GitFailed):
        note = _note(worktree)
        shutil.rmtree(worktree.path, ignore_errors=True)
        if note:
            shutil.rmtree(note, ignore_errors=True)
        at = repository.run("rev-parse", "--verify", "--quiet", f"refs/heads/{worktree.branch}", check=False).text
        if at == worktree.base:
            repository.run("branch", "-D", worktree.branch, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def prepared(
    order: Order, state: str, environ: Mapping[str, str], now: int, say: Say, out: Callable[[bytes], object]
) -> Worktree | None:
    """Find the worktree that an agent is to work in, or make it; None: it needs none. Raises `Unfit`."""
    making = Making(order, state, environ, now, say)
    log = os.path.join(os.getcwd(), record.SETUP_LOG)
    if carried := making.arrived(out, log):
        return carried
    if order.spec.resume and (found := making.go_on()):
        return found
    if not order.spec.worktree:
        return None
    if order.spec.resume:
        raise Unfit("the worktree that its session worked in is gone (dropped): give it its task again (retry)")
    make_private(record.root(state))
    return making.make(out, log)
