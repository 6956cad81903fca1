"""What is written down about a worktree of ours, and where: `STATE/worktrees/NAME.EPOCH/worktree.json`.

It stands beside the worktree and not in it, and outlives the agent's folder: a worktree stays until it is dropped.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any

from controlroom.runner.files import make_private, read_regular, write_atomic
from controlroom.runner.folder import STATUS, agent_folder
from controlroom.text.lazy_named_tuple import NamedTuple

FILE = "worktree.json"
MAKING = "worktree: "
"""How the lines begin in an agent's log that say how its worktree was made, before it starts."""

SETUP_LOG = "setup.log"
_FOLDER, _LOCK = "worktrees", ".lock"
_MOST = 64 * 1024
_TEXT = 1000
_RUNS = 1000
_STATUS_MOST = 1024 * 1024


class Worktree(NamedTuple):
    """One worktree, as it was made. Paths and names are as git and the file system have them: hostile to a screen."""

    name: str
    """The agent that it was made for."""
    epoch: int
    """The agent's run that it was made for."""
    last: int
    """The agent's newest run that worked in it."""
    path: str
    """The top of its work tree."""
    inner: str
    """The folder below it that the agent works in; "": the top."""
    branch: str
    base: str
    """The commit that it began from."""
    onto: str
    """What that was called: a branch; "": whatever the repository stood at."""
    repository: str
    """The git directory that it shares with its repository."""
    checkout: str
    """The work tree that it was made from."""
    origin: str = ""
    """Which repository that is, without credentials (`runner.git.origin`); "": it has no origin."""
    ports: tuple[int, ...] = ()
    """The first port that is its own, and how many; nothing: none."""
    made: int = 0
    """UTC ms."""
    ready: bool = False
    """It was made to the end: an agent has worked in it."""
    carried: int = 0
    """The move that brought it from another host, by its number; 0: none did."""

    @property
    def cwd(self) -> str:
        """The folder that the agent works in."""
        return os.path.join(self.path, self.inner) if self.inner else self.path


def root(state: str) -> str:
    """The folder of all worktrees of a room on this host."""
    return os.path.join(state, _FOLDER)


@contextlib.contextmanager
def locked(state: str) -> Iterator[None]:
    """Be the only one that takes names and ports for worktrees here. Raises `OSError`."""
    make_private(root(state))
    descriptor = os.open(os.path.join(root(state), _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(folder: str, worktree: Worktree) -> None:
    """Write down what is known of a worktree in its folder. Raises `OSError`."""
    write_atomic(os.path.join(folder, FILE), json.dumps(worktree._asdict()).encode())


def read(folder: str) -> Worktree | None:
    """Read what was written down in a folder; None: nothing, or nothing that fits."""
    try:
        value = json.loads(read_regular(os.path.join(folder, FILE), _MOST))
    except (OSError, ValueError, RecursionError):
        return None
    return from_fields(value)


def from_fields(value: Any) -> Worktree | None:
    """Read the fields of one; None for what does not fit: an agent can write here."""
    if not isinstance(value, dict):
        return None
    ports = value.get("ports", [])
    numbers = [value.get(name, 0) for name in ("epoch", "last", "made", "carried")]
    texts = [value.get(name, "") for name in _TEXTS]
    if not isinstance(ports, list) or len(ports) not in (0, 2) or not all(type(n) is int for n in (*ports, *numbers)):
        return None
    if not all(isinstance(text, str) and len(text) <= _TEXT and "\0" not in text for text in texts):
        return None
    named = dict(zip(_TEXTS, texts, strict=True))
    if not os.path.isabs(named["path"]) or not os.path.isabs(named["repository"]) or not named["name"]:
        return None
    epoch, last, made, carried = numbers
    ready = value.get("ready") is True
    whole = {"epoch": epoch, "last": last, "made": made, "carried": carried, "ports": tuple(ports), "ready": ready}
    return Worktree(**named, **whole)


_TEXTS = ("name", "path", "inner", "branch", "base", "onto", "repository", "checkout", "origin")


def folders(state: str) -> Iterator[str]:
    """The folders of all worktrees of a room on this host."""
    try:
        names = sorted(os.listdir(root(state)))
    except OSError:
        return
    for name in names:
        path = os.path.join(root(state), name)
        if not name.startswith(".") and os.path.isdir(path) and not os.path.islink(path):
            yield path


def every(state: str) -> list[tuple[str, Worktree]]:
    """All worktrees of a room on this host, each with its folder."""
    return [(folder, worktree) for folder in folders(state) if (worktree := read(folder)) is not None]


def of_session(state: str, name: str, epoch: int, session: str) -> tuple[str, Worktree] | None:
    """The worktree, with its folder, in which an agent's earlier run worked on a session; None: it had none."""
    earlier = _run_of(state, name, epoch, session)
    own = [pair for pair in every(state) if pair[1].name == name and pair[1].ready]
    worked = [pair for pair in own if pair[1].epoch <= earlier <= pair[1].last < epoch]
    return max(worked, key=lambda pair: pair[1].made, default=None)


def _run_of(state: str, name: str, epoch: int, session: str) -> int:
    """The agent's newest earlier run that had this session; 0: none that is known here."""
    for number in range(epoch - 1, max(0, epoch - _RUNS), -1):
        path = os.path.join(agent_folder(state, name, number), STATUS)
        with contextlib.suppress(OSError, ValueError, RecursionError):
            value = json.loads(read_regular(path, _STATUS_MOST))
            if isinstance(value, dict) and value.get("session") == session:
                return number
    return 0
