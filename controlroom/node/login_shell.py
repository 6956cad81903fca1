"""The login shell's environment: what an agent would find if its operator had logged in and started it by hand.

PATH entries and keys stand in `.profile` on one machine and in `.bashrc` on the next, and a `.bash_profile` need not
source `.bashrc`. So a login shell is asked first, and an interactive shell inside it, with what the first one exported.
Start-up files may print, hang, exit or replace the shell: what we want stands between random marks on stdout, and
every attempt has a deadline.
"""

import asyncio
import contextlib
import os
import pwd
import shlex
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from controlroom.runner import process_tree
from controlroom.runner.folder import PLACE, TAG
from controlroom.text.lazy_named_tuple import NamedTuple

DEADLINE = 5.0
"""Seconds for one attempt."""

_MOMENT, _PATIENCE = 0.02, 100
"""Seconds between two looks whether a shell that was asked to end is gone; how many."""

_LIMIT, _READ = 8 * 1024 * 1024, 64 * 1024
_OURS = {
    *(TAG, PLACE, "_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES"),
    *("TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLORTERM", "TMUX", "TMUX_PANE"),
}
"""What belongs to the shell that was asked, or to the place Control Room was started from, and not to an agent."""

_PRINTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "print_environment.py")


FRESH = 3.0
"""Seconds that an answer serves: agents that are started together share one."""


class LoginEnvironment(NamedTuple):
    """The variables, and in words what had to be left out ("" when nothing had)."""

    variables: dict[str, str]
    problem: str = ""


class LoginShell:
    """The login environment, read again whenever it is needed: start-up files change while a node lives."""

    def __init__(self, ask: Callable[[], Awaitable[LoginEnvironment]], clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic."""
        self._ask, self._clock = ask, clock
        self._asking: asyncio.Future[LoginEnvironment] | None = None
        self._asked = float("-inf")
        self._whole: tuple[LoginEnvironment, float] | None = None

    async def read(self) -> LoginEnvironment:
        """Return what the shell says now, or said within the last `FRESH` seconds.

        While it does not start as it should, what it said when it last did serves on, and `problem` says so.
        """
        if self._asking is None or (self._asking.done() and self._clock() - self._asked > FRESH):
            self._asking, self._asked = asyncio.ensure_future(self._ask()), self._clock()
        return self._or_kept(await asyncio.shield(self._asking))

    async def last(self) -> LoginEnvironment:
        """Return the environment as it was read last; read it now only if it never was."""
        return await self.read() if self._asking is None else self._or_kept(await asyncio.shield(self._asking))

    def _or_kept(self, found: LoginEnvironment) -> LoginEnvironment:
        if not found.problem:
            self._whole = found, self._asked
        elif self._whole is not None:
            minutes = max(1, round((self._clock() - self._whole[1]) / 60))
            return LoginEnvironment(self._whole[0].variables, f"{found.problem} (kept: its answer of {minutes}m ago)")
        return found

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])


async def login_environment(environ: Mapping[str, str], mark: str, deadline: float = DEADLINE) -> LoginEnvironment:
    """Ask the user's shell for its environment. `mark`: a random word; `deadline`: seconds an attempt may take.

    Takes what a plain login shell says when an interactive one cannot be used, and `environ` when neither can.
    """
    shell = environ.get("SHELL") or pwd.getpwuid(os.geteuid()).pw_shell or "/bin/sh"
    base = {"TERM": "dumb", **environ}
    inner = shlex.join([shell, "-i", "-c", _printing(mark + "i")])
    both = [shell, "-l", "-i", "-c", f"{inner}; {_printing(mark + 'l')}"]
    output = await _output(both, base, mark + "i", deadline)
    if printed := _between(output, mark + "i"):
        return LoginEnvironment(_cleaned(printed))
    if not (printed := _between(output, mark + "l")):
        plain = [shell, "-l", "-c", _printing(mark + "l")]
        printed = _between(await _output(plain, base, mark + "l", deadline), mark + "l")
    if printed:
        return LoginEnvironment(_cleaned(printed), _problem(shell, "its login files alone"))
    return LoginEnvironment(_cleaned(environ), _problem(shell, "the connection's own environment"))


async def alias_of(name: str, environ: Mapping[str, str], mark: str) -> str:
    """Return what `name` is short for in the user's interactive shell, "" when it is no alias and no function there."""
    shell = environ.get("SHELL") or pwd.getpwuid(os.geteuid()).pw_shell or "/bin/sh"
    asking = f"printf '\\n{mark}<'; alias {name} 2>/dev/null || type {name} 2>/dev/null; printf '\\0>{mark}'"
    output = await _output([shell, "-l", "-i", "-c", asking], {"TERM": "dumb", **environ}, mark, DEADLINE)
    _, _, rest = output.partition(b"\n" + os.fsencode(mark) + b"<")
    alias = os.fsdecode(rest.partition(b"\0")[0]).strip()
    if "not found" in alias or not alias:
        return ""
    first = alias.split("\n")[0].strip()
    return first.partition("=")[2].strip("'\" ") or first if "=" in first else first


def _problem(shell: str, instead: str) -> str:
    return (
        f"{shell} does not start as an interactive login shell here (its start-up files exit, hang or replace it): "
        f"agents get {instead}, and may miss PATH entries and keys. "
        f"Try on the host: {os.path.basename(shell)} -l -i -c env"
    )


def _printing(mark: str) -> str:
    return shlex.join([sys.executable, "-I", "-S", _PRINTER, mark])


async def _output(argv: Sequence[str], environ: Mapping[str, str], mark: str, deadline: float) -> bytes:
    """Run a shell until `mark` has been said, it ends or time is up; return what it said."""
    try:
        process = _started(argv, environ)
    except OSError:
        return b""
    data = bytearray()
    try:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_read(process, data, b">" + os.fsencode(mark)), deadline)
    finally:
        await _end(process)
    return bytes(data)


def _started(argv: Sequence[str], environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a shell without a terminal, in a session of its own. Raises `OSError`."""
    return subprocess.Popen(
        argv,
        env=environ,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )


async def _read(process: "subprocess.Popen[bytes]", data: bytearray, until: bytes) -> None:
    assert process.stdout
    descriptor, loop = process.stdout.fileno(), asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        while until not in data[-2 * _READ :] and len(data) < _LIMIT:
            await readable.wait()
            readable.clear()
            part = os.read(descriptor, _READ)
            if not part:
                return
            data += part
    finally:
        loop.remove_reader(descriptor)


async def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the shell and what it started; what start-up files leave running on purpose has a session of its own.

    They are asked first, and get a moment to take their lock files away: one that stays (pyenv's) would hold every
    later login of the user. Not by a hang-up: bash passes that on, and now and then the second one ends a script
    before its trap has run.
    """
    assert process.stdout
    processes = process_tree.snapshot()
    ours = [
        processes[pid] for pid in {process.pid, *process_tree.descendants(process.pid, processes)} if pid in processes
    ]
    try:
        _signal(process, signal.SIGTERM)
        for _ in range(_PATIENCE):
            if not any(process_tree.living(one) for one in ours):
                return
            await asyncio.sleep(_MOMENT)
    finally:
        _signal(process, signal.SIGKILL)
        process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Signal the shell and all that is of its session's first group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _between(output: bytes, mark: str) -> dict[str, str]:
    """Read what stands between the marks; empty when they are not both there."""
    word = os.fsencode(mark)
    _, begun, rest = output.partition(b"\n" + word + b"<")
    items, ended, _ = rest.partition(b"\0>" + word)
    if not begun or not ended:
        return {}
    pairs = (item.partition(b"=") for item in items.split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}


def _cleaned(found: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in found.items() if name not in _OURS}
