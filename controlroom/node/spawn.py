"""Starting an agent: claim its epoch, write down what it is to do, and start its runner in a session of its own."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import controlroom
from controlroom.node.agent_folders import Entry, read_order, signature
from controlroom.node.ending import end_by_force, find_runner
from controlroom.node.grants import write_grant
from controlroom.node.host import now
from controlroom.node.place import Place
from controlroom.node.tmux_server import NameTaken, TmuxError
from controlroom.runner.files import make_private, why, write_atomic
from controlroom.runner.folder import ENVIRON, SPEC, STATUS, TASK, agent_folder
from controlroom.text.names import is_session
from controlroom.text.states import KINDS, AgentKind
from controlroom.wire.codec import decode, encode
from controlroom.wire.lines import MAX_TASK, PeerError, to_line
from controlroom.wire.messages import Spawn
from controlroom.wire.records import FORMAT
from controlroom.wire.spec import AgentSpec

START_DEADLINE = 15.0
"""Seconds that a runner may take to write its first status."""

SLOW_START = 27.0
"""Seconds that one may take which lives: among hundreds that are started at once it may hardly get to run."""

TURN = 1.0
"""Seconds for which a start has its turn at most: one that hangs is not to hold up all that wait."""

_CLOSING_LOOKS = 20
_MAX_SPEC = 256 * 1024
RUN = os.path.join(os.path.dirname(os.path.abspath(controlroom.__file__)), "runner", "run.py")
"""The program that every agent is started with."""


class Refusal(Exception):
    """Why something is not done; nothing has changed."""


class Spawner:
    """Starts agents. Whoever calls has the agent's name for himself."""

    def __init__(self, place: Place, environment: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        """`environment` gives the login shell's, once it is known."""
        self._place, self._environment = place, environment
        self._turns = asyncio.Semaphore(at_once(os.cpu_count() or 1))

    async def environment(self) -> Mapping[str, str]:
        """Return the login shell's, once it is known."""
        return await self._environment()

    def check(self, wanted: Spawn) -> None:
        """Raise `Refusal` for what cannot be started anywhere."""
        if wanted.spec.kind not in KINDS:
            raise Refusal(f"there is no kind {ascii(wanted.spec.kind)[:40]}: {', '.join(KINDS)}")
        if wanted.spec.kind == AgentKind.COMMAND and not wanted.spec.command:
            raise Refusal("an agent of kind command needs a command")
        if wanted.spec.resume and not is_session(wanted.spec.resume):
            raise Refusal(f"{ascii(wanted.spec.resume)[:60]} cannot be the id of a Claude session")
        if not 0 < wanted.epoch < 10**9:
            raise Refusal(f"{wanted.epoch} cannot be the number of a run")
        if len(wanted.task.encode("utf-8", "replace")) > MAX_TASK:
            raise Refusal(f"the task is longer than {MAX_TASK} bytes: put it into a file and name that")
        if len(to_line(encode(wanted.spec))) > _MAX_SPEC:
            raise Refusal(f"the profile is longer than {_MAX_SPEC} bytes")

    async def check_same(self, entry: Entry) -> None:
        """The epoch is there already: raise `Refusal` unless its agent has been started, or is being started now."""
        try:
            begun = os.stat(entry.folder).st_mtime
            await self._up(entry, max(0.0, min(START_DEADLINE, begun + START_DEADLINE - time.time())))
        except OSError:
            raise Refusal(f"{entry.name} run {entry.epoch} was begun and has not come up: start it again") from None

    async def start(self, wanted: Spawn) -> None:
        """Start an agent; come back when its runner has written its status. Raises `Refusal`, with nothing left."""
        login = await self._environment()
        async with self._turn():
            await self._start(wanted, login)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a turn to start an agent: hundreds at once would take the processors from all that runs here."""
        await self._turns.acquire()
        with contextlib.ExitStack() as turn:
            turn.callback(self._turns.release)
            turn.callback(asyncio.get_running_loop().call_later(TURN, turn.close).cancel)
            yield

    async def _start(self, wanted: Spawn, login: Mapping[str, str]) -> None:
        entry = self._claimed(wanted)
        beginning = begins(entry.folder)
        try:
            _write_order(entry, wanted, self._place, login)
            argv = (sys.executable or "python3", "-I", "-S", RUN, entry.folder)
            await self._in_session(wanted, argv)
            await self._up(entry, START_DEADLINE, own=True)
        except (OSError, TmuxError, PeerError, asyncio.CancelledError) as error:
            left = await end_by_force(entry, self._place.namespace, self._place.tmux)
            shutil.rmtree(entry.folder, ignore_errors=True)
            if left or isinstance(error, asyncio.CancelledError):
                raise
            raise Refusal(f"{wanted.name} does not start: {why(error)}") from None
        finally:
            if beginning is not None:
                os.close(beginning)

    def _claimed(self, wanted: Spawn) -> Entry:
        folder = agent_folder(self._place.state, wanted.name, wanted.epoch)
        try:
            make_private(os.path.dirname(folder))
            os.mkdir(folder, 0o700)
        except FileExistsError:
            raise Refusal(f"run {wanted.epoch} of {wanted.name} is being started by another connection") from None
        except OSError as error:
            raise Refusal(f"{wanted.name} does not start: {why(error)}") from None
        return Entry(wanted.name, wanted.epoch, folder)

    async def _in_session(self, wanted: Spawn, argv: Sequence[str]) -> None:
        """Start a program in the agent's session. Raises `TmuxError`."""
        try:
            await self._place.tmux.new_session(wanted.name, wanted.epoch, argv)
        except NameTaken:
            await self._name_is_free(wanted.name)
            await self._place.tmux.new_session(wanted.name, wanted.epoch, argv)

    async def _name_is_free(self, name: str) -> None:
        """Wait until the session of an agent that has just ended is gone; end it if it stays."""
        for _ in range(_CLOSING_LOOKS):
            if name not in (await self._place.tmux.panes() or {}):
                return
            await asyncio.sleep(0.05)
        await self._place.tmux.kill_session(name)

    async def _up(self, entry: Entry, seconds: float, *, own: bool = False) -> None:
        """Wait until the runner has said something. Raises `OSError` when it does not; `own`: as soon as it is gone."""
        loop, pause = asyncio.get_running_loop(), 0.01
        status, until = os.path.join(entry.folder, STATUS), loop.time() + seconds
        late = until + (SLOW_START - START_DEADLINE) * own
        while not signature(status):
            if loop.time() > late:
                raise OSError(f"its runner has written nothing for {late - until + seconds:g} seconds")
            if own and pause > 0.1 and not await find_runner(entry, self._place.tmux) and not signature(status):
                raise OSError("its runner ended at once: look at free disk space and python3 on the host")
            await asyncio.sleep(pause)
            pause = min(0.25, pause * 1.2)


def at_once(processors: int) -> int:
    """How many starts have their turn at the same time: half the processors are left to agents and people."""
    return max(1, processors // 2)


def begins(folder: str) -> int | None:
    """Hold the folder of an agent that is being started, as long as the descriptor is open; None: somebody else does.

    Whoever is killed holds nothing any more: what is left of a start is told by that.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def sweep_environment(folder: str) -> None:
    """Remove what was to become the environment of a run that never came up: it may hold keys."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(ENVIRON):
                os.unlink(os.path.join(folder, name))


def inherited(wanted: Spawn, earlier: Sequence[Entry]) -> Spawn:
    """Return an order for a command that does not say which the command of the agent's newest earlier epoch."""
    if wanted.spec.kind != AgentKind.COMMAND or wanted.spec.command or not earlier:
        return wanted
    try:
        before = decode(AgentSpec, read_order(earlier[0]).get("spec"))
    except PeerError:
        return wanted
    same = before.kind == AgentKind.COMMAND
    return replace(wanted, spec=wanted.spec._replace(command=before.command)) if same else wanted


def _write_order(entry: Entry, wanted: Spawn, place: Place, login: Mapping[str, str]) -> None:
    order = {
        "format": FORMAT,
        "name": wanted.name,
        "epoch": wanted.epoch,
        "namespace": place.namespace,
        "started": now(),
        "boot": place.boot_id,
        "tmux": place.tmux.program,
        "spec": encode(wanted.spec),
        "grant": wanted.grant.number if wanted.grant else 0,
        "key": wanted.key,
        "owner": wanted.owner,
    }
    if wanted.grant:
        write_grant(entry.folder, wanted.grant, now())
    write_atomic(os.path.join(entry.folder, TASK), wanted.task.encode("utf-8", "replace"))
    write_atomic(os.path.join(entry.folder, ENVIRON), to_line(dict(login)))
    write_atomic(os.path.join(entry.folder, SPEC), to_line(order))
