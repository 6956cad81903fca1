"""The way to the engine of a room: on this machine its socket, elsewhere ssh (`client.remote`).

Here an engine is started if none runs.
"""

import asyncio
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from controlroom.protocol.home import READY, REPORT, STARTING, TAKEN, Home, HomeProblem, holder, is_held, show_start

PATIENCE = 20.0
"""Seconds for an engine to start."""

_SHELL_ONLY = ("TMUX", "TMUX_PANE", "STY", "WINDOW", "COLUMNS", "LINES", "OLDPWD", "PWD")
_NESTED = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT")


class NotStarted(Exception):
    """The engine did not start; the text is a sentence for people."""


async def launch(home: Home, environ: Mapping[str, str]) -> bool:
    """Start an engine; True when it listens, False when another one runs. Raises `NotStarted`."""
    try:
        home.prepare()
    except HomeProblem as problem:
        raise NotStarted(str(problem)) from None
    ours, theirs = os.pipe()
    try:
        process = await asyncio.to_thread(_spawn, home, environ, theirs)
    except OSError as error:
        os.close(ours)
        where = f"{error.filename}: " if error.filename else ""
        raise NotStarted(f"the engine cannot be started: {where}{error.strerror}") from None
    finally:
        os.close(theirs)
    words = (await _all_of(ours)).decode("utf-8", "replace").strip()
    await asyncio.to_thread(process.wait)
    if words in (READY, TAKEN):
        return words == READY
    raise NotStarted(words or f"the engine ended while it was starting; see {home.log}")


def _spawn(home: Home, environ: Mapping[str, str], report: int) -> "subprocess.Popen[bytes]":
    """Start `controlroom engine`, which detaches from this process at once."""
    kept = {name: value for name, value in environ.items() if name not in _SHELL_ONLY + _NESTED}
    import controlroom

    start = show_start(home.starting)
    try:
        with open(home.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
            return subprocess.Popen(
                [sys.executable, "-m", "controlroom", "engine", "--foreground"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**kept, REPORT: str(report), STARTING: str(start)},
                cwd=Path(controlroom.__file__).parent.parent,
                start_new_session=True,
                pass_fds=(report, start),
            )
    finally:
        os.close(start)


async def _all_of(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
    try:
        async with asyncio.timeout(PATIENCE):
            return await stream.read()
    except TimeoutError:
        raise NotStarted(f"the engine did not start within {PATIENCE:g} s") from None
    finally:
        transport.close()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class EngineUnavailable(Exception):
    """There is no engine to talk to (any more); the text is a sentence for people."""

    def __init__(self, sentence: str, rest: float = 0.0) -> None:
        super().__init__(sentence)
        self.rest = rest
        """Seconds before it makes sense to try again without a person."""


class NoEngine(EngineUnavailable):
    """No engine runs, and none was to be started."""


class NoAnswer(EngineUnavailable):
    """The engine has ended, or does not answer: what it was asked for may have been done."""


class NotAllowed(EngineUnavailable):
    """The engine is there and does not do this for a watcher."""


class Transport(Protocol):
    """How an engine is reached, for the length of one conversation."""

    @property
    def where(self) -> str:
        """The machine, as one gives it to ssh; "" is this one."""

    async def open(self, end: float, *, start: bool, watching: bool) -> Stream:
        """Connect until the loop's time is `end`, starting an engine if need be (and `start`).

        `watching`: at the socket where nobody can do anything but look; an engine is then never started.
        Raises `EngineUnavailable`.
        """

    async def broken(self) -> EngineUnavailable | None:
        """Return why a conversation ended of which the engine took no leave; None: it is worth another try at once."""

    async def gone(self) -> None:
        """Wait until an engine that was told to end has let go of its room."""

    async def left(self) -> None:
        """The conversation is over: nothing of it stays behind."""

    def stubborn(self) -> str:
        """Say that an engine does not answer, and what to do."""


class Here:
    """The engine on this machine."""

    where = ""

    def __init__(
        self,
        home: Home,
        environ: Mapping[str, str] = os.environ,
        told: Callable[[str], None] | None = None,
        *,
        leading: bool = False,
    ) -> None:
        """`told` is told, once, that an engine which somebody else is starting is waited for.

        `leading`: at the socket where a token says what one may.
        """
        self._home, self._leading = home, leading
        self._environ = environ
        self._told = told

    async def open(self, end: float, *, start: bool, watching: bool) -> Stream:
        """Connect to its socket; one that somebody else is starting is waited for."""
        home, starts = self._home, start and not watching
        while True:
            try:
                return await asyncio.open_unix_connection(home.running_socket(watching=watching, leading=self._leading))
            except OSError:
                if not starts and not self._comes():
                    none = "no engine runs for this room"
                    raise NoEngine(f"{none}, and a watcher starts none" if watching else none) from None
            if starts and not is_held(home.lock):
                await self._launch()
                continue
            if asyncio.get_running_loop().time() > end:
                raise NoAnswer(self.stubborn())
            await asyncio.sleep(0.02)

    def _comes(self) -> bool:
        """Return whether there is an engine, or will be: a start is over only when the engine has its lock."""
        starting = is_held(self._home.starting)
        if starting and self._told is not None:
            announce, self._told = self._told, None
            announce("an engine is starting: waiting for it to come up")
        return starting or is_held(self._home.lock)

    async def _launch(self) -> None:
        try:
            await launch(self._home, self._environ)
        except NotStarted as problem:
            raise EngineUnavailable(str(problem)) from None

    async def broken(self) -> EngineUnavailable | None:
        """It was the socket of an engine that is about to end."""
        return None

    async def gone(self) -> None:
        """Another process lets go of the lock."""
        while is_held(self._home.lock):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def left(self) -> None:
        """There was nothing but a socket."""

    def stubborn(self) -> str:
        """Return the process."""
        if is_held(self._home.starting) and not is_held(self._home.lock):
            return f"an engine is starting and does not come up: see {self._home.log}, and try again"
        if self._leading:
            return "the engine does not answer"  # whoever leads agents is not to end it
        process = holder(self._home.lock)
        return f"the engine (process {process}) does not answer: see {self._home.log}, or end it: kill {process}"


def terminal() -> str:
    """Return the terminal that this process has, as `pts/3`; "" without one."""
    for descriptor in (0, 1, 2):
        try:
            return os.ttyname(descriptor).removeprefix("/dev/")
        except OSError:
            continue
    return ""


def user() -> str:
    """Return who sits here, for the audit: the account, and where they come from when that is known."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    origin = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return f"{name} from {origin}" if origin else name
