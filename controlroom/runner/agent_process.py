"""The agent's process: started with pipes so that it cannot outlive us unseen, given its input, and signals on a pipe.

fork and exec by hand: between them the child asks the kernel to be killed when its runner dies (PR_SET_PDEATHSIG), and
`posix_spawn` cannot. One thread only, so a fork is safe.
"""

import errno
import os
import select
import selectors
import signal
import time
from collections.abc import Callable, Mapping

from controlroom.runner import core_files, libc
from controlroom.runner.outcome import Unfit
from controlroom.text.lazy_named_tuple import NamedTuple

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_RESET = tuple(
    number
    for name in (
        "SIGPIPE", "SIGXFSZ", "SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCHLD",
        "SIGIO",
    )
    if (number := getattr(signal, name, None))
)  # fmt: skip


_PRCTL = libc.function("prctl")
"""None: this is no Linux."""


class Child(NamedTuple):
    """A started process and our ends of its pipes."""

    pid: int
    stdin: int
    stdout: int
    stderr: int


def adopt_orphans() -> None:
    """Make every orphan below us our child (Linux), so that setsid and double forks hide nothing."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def trim_memory() -> None:
    """Return to the system what compiling our own files took (glibc): 0.8 MB of each of hundreds of runners."""
    trim = libc.function("malloc_trim")
    if trim is not None:
        trim(0)


def find_program(name: str, path: str, home: str, cwd: str) -> str | None:
    """Find an executable file the way a shell does: on `path`, or as a path of its own (`~` is `home`)."""
    if name.startswith("~/"):
        name = os.path.join(home, name[2:])
    places = [os.path.join(cwd, name)] if "/" in name else [os.path.join(cwd, part, name) for part in path.split(":")]
    return next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), None)


def program_of(command: tuple[str, ...], environ: Mapping[str, str], cwd: str) -> str:
    """Return the path of the program of a command, Claude's when there is none. Raises `Unfit` with what to do."""
    wanted = command[0] if command else "claude"
    program = find_program(wanted, environ["PATH"], environ["HOME"], cwd)
    if program is None and not command:
        raise Unfit(
            "claude is not on the login shell's PATH on this host (an alias does not count; host check knows more): "
            "npm install -g @anthropic-ai/claude-code there, or let PATH reach it"
        )
    if program is None:
        raise Unfit(f"{wanted} is not there on this host: install it, or give its path")
    return program


def start(argv: list[str], environ: dict[str, str], cwd: str, die_with_us: bool = True) -> Child:
    """Start `argv[0]` (a path) with pipes, in a session of its own. Raises `Unfit` with the reason in words."""
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = [os.pipe() for _ in range(3)]
    try:
        pid = _forked(argv, environ, cwd, (in_read, out_write, err_write), die_with_us)
    except Unfit:
        for end in (in_write, out_read, err_read):
            os.close(end)
        raise
    finally:
        for end in (in_read, out_write, err_write):
            os.close(end)
    for end in (in_write, out_read, err_read):
        os.set_blocking(end, False)
    return Child(pid, in_write, out_read, err_read)


class CheckProcess(NamedTuple):
    """A started check and our end of the pipe that it prints into."""

    pid: int
    output: int


def start_check(argv: list[str], environ: dict[str, str], cwd: str) -> CheckProcess:
    """Start `argv[0]` (a path) in a session of its own, with nothing to read, and one pipe for all that it prints.

    Raises `Unfit` with the reason in words.
    """
    reading, writing = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        pid = _forked(argv, environ, cwd, (nothing, writing, writing), True)
    except Unfit:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        os.close(nothing)
    os.set_blocking(reading, False)
    return CheckProcess(pid, reading)


def start_on_terminal(argv: list[str], environ: dict[str, str], cwd: str, terminal: int) -> int:
    """Start `argv[0]` (a path) as the foreground of our own terminal; return its pid, its group's too.

    Raises `Unfit` with the reason in words.
    """
    return _forked(argv, environ, cwd, (terminal,) * 3, True, terminal)


def _forked(
    argv: list[str], environ: dict[str, str], cwd: str, ends: tuple[int, ...], die_with_us: bool, terminal: int = -1
) -> int:
    news_read, news_write = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(argv, environ, cwd, ends, news_write, parent if die_with_us else 0, terminal)
    os.close(news_write)
    with open(news_read, "rb") as news:
        trouble = news.read()
    if trouble:
        os.waitpid(pid, 0)
        raise Unfit(_in_words(trouble, argv[0], cwd))
    return pid


def _become(
    argv: list[str],
    environ: dict[str, str],
    cwd: str,
    ends: tuple[int, ...],
    news: int,
    parent: int,
    terminal: int,
) -> None:
    """In the child: become the program, or say why not and leave. Never returns."""
    stage = b"prepare"
    try:
        if terminal < 0:
            os.setsid()
        else:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(terminal, os.getpid())
        _follow_into_death(parent)
        for number in _RESET:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for target, end in enumerate(ends):
            os.dup2(end, target)
        core_files.as_given()
        stage = b"enter"
        os.chdir(cwd)
        stage = b"run"
        variables = {_encoded(name): _encoded(value) for name, value in environ.items()}
        os.execve(argv[0], [_encoded(part) for part in argv], variables)  # noqa: S606
    except BaseException as error:  # nothing may escape: two processes would run on
        os.write(news, stage + b" %d" % (getattr(error, "errno", 0) or 0))
    finally:
        os._exit(127)


def _follow_into_death(parent: int) -> None:
    """Be killed with our runner; it may have died already, then the kernel will not tell us any more."""
    if parent and _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)


def _encoded(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _in_words(trouble: bytes, program: str, cwd: str) -> str:
    stage, _, number = trouble.partition(b" ")
    code = int(number) if number.isdigit() else 0
    reason = os.strerror(code) if code else "an unknown error"
    if stage == b"enter":
        return f"the folder {cwd} cannot be entered: {reason}"
    if code == errno.E2BIG:
        return f"{program} cannot be run: its arguments and environment are too large"
    return f"{program} cannot be run: {reason}"


class Printed(NamedTuple):
    """What a short command said. `status`: as `waitpid` gives it; None: it did not end in time and was killed."""

    out: bytes
    err: bytes
    status: int | None


def printed(
    argv: list[str], environ: dict[str, str], cwd: str, *, seconds: float, limit: int = 65_536, given: bytes = b""
) -> Printed:
    """Run a short command that reads `given`, for `seconds` at most. Raises `Unfit` when it cannot be run."""
    child = start(argv, environ, cwd)
    until = time.monotonic() + seconds
    _hand_in(child.stdin, given, until)
    outputs = {child.stdout: b"", child.stderr: b""}
    open_ends = set(outputs)
    while open_ends and (left := until - time.monotonic()) > 0:
        for end in select.select(list(open_ends), (), (), left)[0]:
            data = os.read(end, 65_536)
            outputs[end] = (outputs[end] + data)[:limit]
            if not data:
                open_ends.discard(end)
    status = _ended(child.pid, until)
    for end in outputs:
        os.close(end)
    return Printed(outputs[child.stdout], outputs[child.stderr], status)


def _hand_in(end: int, data: bytes, until: float) -> None:
    """Write all of `data` to a process that reads it before it says anything, and close its input."""
    inlet = Inlet(end)
    inlet.write(data)
    inlet.close()
    while inlet.flush() and inlet.open and (left := until - time.monotonic()) > 0:
        select.select((), [end], (), left)
    if inlet.open:
        os.close(end)


def _ended(pid: int, until: float) -> int | None:
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() >= until:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.01)


class Inlet:
    """Our end of a process's stdin: takes any amount at once, gives it over as fast as it is read."""

    def __init__(self, end: int) -> None:
        self.end = end
        self._waiting = bytearray()
        self._closing = False
        self.open = True

    def write(self, data: bytes) -> None:
        """Queue bytes; nothing happens after `close`."""
        if self.open and not self._closing:
            self._waiting += data

    def close(self) -> None:
        """Close once everything queued has been taken."""
        self._closing = True

    @property
    def wants(self) -> bool:
        """Whether `flush` has something to do once the process reads."""
        return self.open and (bool(self._waiting) or self._closing)

    def flush(self) -> bool:
        """Hand over what fits now. False: nobody reads any more, and the rest is lost."""
        lost = False
        while self.open and self._waiting:
            try:
                del self._waiting[: os.write(self.end, self._waiting[:65_536])]
            except BlockingIOError:
                return True
            except OSError:
                lost = True
                self._closing = True
                self._waiting.clear()
        if self.open and self._closing:
            os.close(self.end)
            self.open = False
        return not lost


class AgentInput:
    """Waits, in the runner's loop, for the agent to take what it is given."""

    def __init__(self, selector: selectors.BaseSelector, end: int, lost: Callable[[], None]) -> None:
        """`end`: our end of its stdin; `lost` is called when it has closed the other before it took everything."""
        self._selector, self._lost = selector, lost
        self._inlet = Inlet(end)
        self._waits = False

    def write(self, data: bytes) -> None:
        """Hand it bytes; nothing happens after `close`."""
        self._inlet.write(data)
        self._pour()

    def close(self) -> None:
        """Close its input once it has taken everything."""
        self._inlet.close()
        self._pour()

    def _pour(self, _mask: int = 0) -> None:
        """Hand over what it takes now, and wait for it to take the rest."""
        inlet = self._inlet
        if self._waits:
            self._selector.unregister(inlet.end)
        if not inlet.flush():
            self._lost()
        self._waits = inlet.wants
        if self._waits:
            self._selector.register(inlet.end, selectors.EVENT_WRITE, self._pour)


def speakable(task: str) -> str:
    """Return a task as Claude can be told it: bytes that are no text become signs for that."""
    return task.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


_HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGIO)
_IGNORED = (signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


def signal_pipe() -> int:
    """Turn the signals we handle into bytes on a pipe, and ignore the keys that would stop us."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _HANDLED:
        signal.signal(number, lambda _number, _frame: None)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    return reading
