"""Our own tmux server: a socket of its own, no configuration, nothing of anybody's environment, closed to escapes.

tmux runs `#(…)` found in names and folders, matches targets by prefix, and keeps the first command line and
environment for ever. So: names follow the name rule, targets are exact (`=name:`), no folder is ever given, and the
server is started first, with an empty environment and nothing on its command line but its options (`OPTIONS`), in
which nothing comes from outside.

A person who attaches gets few keys, so that no slip of a finger ends, renames or adds anything, and a way out that a
phone's keyboard has: ` then q (or a tap on the status line) leaves, ` twice types one, ` then [ scrolls back; C-b is a
prefix, too. Who only looks taps in vain (tmux 3.3a).
"""

import asyncio
import os
import stat
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from controlroom.node.host import NO_TMUX
from controlroom.runner import core_files
from controlroom.text.lazy_named_tuple import NamedTuple

if TYPE_CHECKING:
    from libtmux.common import tmux_cmd


WIDTH, HEIGHT = 120, 40
"""Columns and rows of a terminal that nobody is attached to."""

_OVER_PANE = "#{||:#{alternate_on},#{||:#{pane_in_mode},#{mouse_any_flag}}}"
_STATUS = ("Status", "StatusDefault", "StatusLeft", "StatusRight")

# -q: an older tmux lacks some of them, which must not keep the rest from being set.
OPTIONS: Sequence[Sequence[str]] = (
    ("set-option", "-sq", "set-clipboard", "off"),
    ("set-option", "-sq", "default-terminal", "tmux-256color"),
    ("set-option", "-gq", "default-shell", "/bin/sh"),
    ("set-option", "-gq", "update-environment", ""),
    ("set-option", "-gq", "set-titles", "off"),
    ("set-option", "-gq", "allow-rename", "off"),
    ("set-option", "-gq", "automatic-rename", "off"),
    ("set-option", "-gq", "allow-passthrough", "off"),
    ("set-option", "-gq", "bell-action", "none"),
    ("set-option", "-gq", "mouse", "on"),
    ("set-option", "-gq", "history-limit", "2000"),
    ("set-option", "-gq", "remain-on-exit", "off"),
    ("set-option", "-gq", "window-size", "latest"),
    ("set-option", "-gq", "prefix2", "`"),
    ("set-option", "-gq", "status-left", "#{?client_readonly,you only look | leave: ` q,leave: ` q or tap here} | #S "),
    ("set-option", "-gq", "status-left-length", "80"),
    ("set-option", "-gq", "status-right", ""),
    ("set-option", "-gq", "window-status-format", ""),
    ("set-option", "-gq", "window-status-current-format", ""),
    ("set-environment", "-g", "-u", "TMUX_TMPDIR"),
    ("unbind-key", "-q", "-a", "-T", "prefix"),
    ("unbind-key", "-q", "-a", "-T", "root"),
    ("bind-key", "-T", "prefix", "q", "detach-client"),
    ("bind-key", "-T", "prefix", "d", "detach-client"),
    ("bind-key", "-T", "prefix", "`", "send-prefix", "-2"),
    ("bind-key", "-T", "prefix", "C-b", "send-prefix"),
    ("bind-key", "-T", "prefix", "[", "copy-mode"),
    *(("bind-key", "-T", "root", f"MouseDown1{place}", "detach-client") for place in _STATUS),
    ("bind-key", "-T", "root", "MouseDown1Pane", "send-keys", "-M"),
    ("bind-key", "-T", "root", "MouseDrag1Pane", "if-shell", "-F", _OVER_PANE, "send-keys -M", "copy-mode -M"),
    ("bind-key", "-T", "root", "WheelUpPane", "if-shell", "-F", _OVER_PANE, "send-keys -M", "copy-mode -e"),
    ("bind-key", "-T", "root", "WheelDownPane", "send-keys", "-M"),
)

KEEP_SERVER = ("set-option", "-sq", "exit-empty", "off")
"""Before the first session: without one a server would end at once."""


def words(*commands: Sequence[str]) -> list[str]:
    """Put commands into one tmux command line."""
    return [word for command in commands for word in (";", *command)][1:]


DEADLINE = 5.0
"""Seconds a tmux command may take: it answers in milliseconds, and a stuck server must not hold anybody up."""

_FORMAT = (
    "#{session_name} #{pane_pid} #{@controlroom_name} #{@controlroom_epoch}"
    " #{session_attached} #{window_width} #{window_height}"
)
"""Split at spaces: a session with one in its name is none of ours."""

_SIZE = ("-x", str(WIDTH), "-y", str(HEIGHT))
_STARTS = 3
_STARTING = threading.Lock()
_TAKEN = "duplicate session"
_NO_SERVER = ("no server running", "No such file", "Connection refused", "server exited")


class TmuxError(Exception):
    """tmux cannot be reached or refused; the words say why."""


class NameTaken(TmuxError):
    """There is a session of that name."""


class Pane(NamedTuple):
    """One agent's pane: its session's name, the pid of its first process (the runner), and the agent's epoch."""

    session: str
    pid: int
    epoch: int
    left: bool = False
    """Nobody is attached to it, and it has the size of somebody who was."""


class Screen(NamedTuple):
    """What a terminal shows: its size and its lines, colours as SGR; everything else in them is as tmux gave it."""

    columns: int
    rows: int
    lines: Sequence[str]


class Answer(NamedTuple):
    """What a tmux command gave."""

    code: int
    lines: Sequence[str]
    errors: Sequence[str]


class Tmux:
    """One server. `program` is the path of tmux; `socket` its path, or its name in the folder that `environ` names.

    `find` looks for tmux again whenever none is known, or the known one is gone.
    """

    def __init__(
        self, program: str, socket: str, environ: Mapping[str, str], find: Callable[[], str] = lambda: ""
    ) -> None:
        self._program, self._find = program, find
        self._at = f"-S{socket}" if "/" in socket else f"-L{socket}"
        self._folder = {"TMUX_TMPDIR": environ["TMUX_TMPDIR"]} if environ.get("TMUX_TMPDIR") else {}

    @property
    def program(self) -> str:
        """The path of tmux; "" when there is none."""
        if not self._program or (os.path.isabs(self._program) and not os.access(self._program, os.X_OK)):
            self._program = self._find()
        return self._program

    async def run(self, *command: str, deadline: float = DEADLINE) -> Answer:
        """Run one tmux command through libtmux. Raises `TmuxError` when it cannot be run or does not end in time."""
        if not self.program:
            raise TmuxError(NO_TMUX)
        try:
            from libtmux.common import tmux_cmd
            from libtmux.exc import LibTmuxException
        except ImportError as error:
            raise TmuxError(f"libtmux did not arrive with the node: {error}") from None
        call = tmux_cmd.__new__(tmux_cmd)
        # -N: never start a server with an environment and a command line; -u: names and screens as they are
        argv = ("-N", "-u", self._at, *command)
        thread = asyncio.get_running_loop().run_in_executor(None, _call, call, argv, self.program)
        try:
            await asyncio.wait_for(asyncio.shield(thread), deadline)
        except asyncio.TimeoutError:
            _abandon(call, thread)
            raise TmuxError(f"tmux has not answered for {deadline:g} seconds") from None
        except asyncio.CancelledError:
            _abandon(call, thread)
            raise
        except (LibTmuxException, OSError, ValueError) as error:
            raise TmuxError(f"tmux cannot be run: {error}") from None
        return Answer(call.returncode or 0, call.stdout, call.stderr)

    async def start_server(self) -> None:
        """Start the server unless it runs, and set its options. Raises `TmuxError`."""
        if not self.program:
            raise TmuxError(NO_TMUX)
        argv = [self.program, self._at, "-f", "/dev/null", *words(("start-server",), KEEP_SERVER, *OPTIONS)]
        for _ in range(_STARTS):  # one that is just ending takes a new one along: "server exited unexpectedly"
            done = await asyncio.get_running_loop().run_in_executor(None, _started, argv, self._folder)
            if "server exited" not in done:
                break
        if done:
            raise TmuxError(f"the tmux server does not start: {done}{self._advice()}")

    async def set_up(self) -> None:
        """Set up a server that already runs as this version does; nothing when none runs. Raises `TmuxError`."""
        await self.run(*words(*OPTIONS))

    async def new_session(self, name: str, epoch: int, argv: Sequence[str]) -> int:
        """Start `argv` in a session of its own; return the pid of its process. Raises `TmuxError`, or `NameTaken`.

        A server is started when that does not work without: most often one runs. From then on the server ends with its
        last session: nothing of ours stays on a host where no agent runs.
        """
        answer = await self._new_session(name, epoch, argv)
        for _ in range(_STARTS):  # after the server was started the last session of others may end, and it with that
            if answer.code == 0 or _TAKEN in " ".join(answer.errors):
                break
            await self.start_server()
            answer = await self._new_session(name, epoch, argv)
        if _TAKEN in " ".join(answer.errors):
            raise NameTaken(f"there is a session {name}")
        pid = answer.lines[0] if answer.lines else ""
        if not pid.isdecimal():
            raise TmuxError(f"tmux did not start the session: {' '.join(answer.errors) or answer.code}")
        return int(pid)

    async def _new_session(self, name: str, epoch: int, argv: Sequence[str]) -> Answer:
        mark = (";", "set-option", "-t", f"={name}:")
        return await self.run(
            *("new-session", "-d", "-P", "-F", "#{pane_pid}", "-s", name, *_SIZE, "--", *argv),
            *(*mark, "@controlroom_name", name, *mark, "@controlroom_epoch", str(epoch)),
            *(";", "set-option", "-s", "exit-empty", "on"),
        )

    async def kill_session(self, name: str) -> None:
        """End a session if there is one. Raises `TmuxError` when tmux cannot be reached."""
        await self.run("kill-session", "-t", f"={name}:")

    async def give_size_back(self, name: str) -> None:
        """Restore the size of a session that somebody has left; the next terminal sets its own. Raises `TmuxError`."""
        target = ("-t", f"={name}:")
        await self.run("resize-window", *target, *_SIZE, ";", "set-option", "-w", "-u", *target, "window-size")

    async def screen(self, name: str, pane: str = "") -> Screen | None:
        """Return what stands on a session's terminal, or on one `pane` (`%12`); None when there is no such.

        Raises `TmuxError`.
        """
        target = pane or f"={name}:"
        size = ("display-message", "-p", "-t", target, "#{pane_width} #{pane_height}")
        answer = await self.run(*size, ";", "capture-pane", "-p", "-e", "-t", target)
        first = answer.lines[0].split() if answer.lines else []
        if answer.code or len(first) != 2 or not all(word.isdecimal() for word in first):
            return None
        return Screen(int(first[0]), int(first[1]), answer.lines[1:])

    async def panes(self) -> dict[str, Pane] | None:
        """List our agents' panes by session name; None when no server runs. Raises `TmuxError`."""
        answer = await self.run("list-panes", "-a", "-F", _FORMAT)
        if answer.code:
            words = " ".join(answer.errors)
            if "no current target" in words:
                return {}
            if any(sign in words for sign in _NO_SERVER):
                return None
            raise TmuxError((words or f"tmux ended with {answer.code}") + self._advice())
        return {pane.session: pane for line in answer.lines if (pane := _pane(line))}

    def _advice(self) -> str:
        """Return what to do when tmux does not take the folder of its sockets: in /tmp anybody can make it first."""
        path = os.path.join(self._folder.get("TMUX_TMPDIR", "/tmp"), f"tmux-{os.geteuid()}")  # noqa: S108 - tmux's
        try:
            status = os.lstat(path)
        except OSError:
            return ""
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            return ""
        return (
            f"; tmux wants {path} to be a folder of this user alone (0700), and it is uid {status.st_uid}'s: remove it"
        )


def _pane(line: str) -> Pane | None:
    fields = line.split(" ")
    if len(fields) != 7 or not fields[1].isdecimal() or not fields[3].isdecimal() or fields[0] != fields[2]:
        return None
    left = fields[4] == "0" and fields[5:] != [str(WIDTH), str(HEIGHT)]
    return Pane(fields[0], int(fields[1]), int(fields[3]), left)


def _call(call: "tmux_cmd", argv: Sequence[str], program: str) -> None:
    type(call).__init__(call, *argv, tmux_bin=program)


def _abandon(call: "tmux_cmd", thread: "asyncio.Future[None]") -> None:
    """End a tmux client that does not answer, so that its thread and process are not left behind."""
    thread.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    process: subprocess.Popen[str] | None = getattr(call, "process", None)
    if process is not None:
        process.kill()


def _started(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    try:
        with _STARTING, core_files.lifted():  # agents have their limits from the server
            client = subprocess.Popen(argv, env=environ, cwd="/", stdin=nothing, stdout=pipe, stderr=pipe)
    except OSError as error:
        return str(error)
    with client:
        try:
            _, errors = client.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired as error:
            client.kill()
            return str(error)
    return os.fsdecode(errors).strip() if client.returncode else ""
