"""The user's own tmux server, which is never configured, never started and never written to: what stands in it.

One client call a look gives everything: the panes, and the screens of those that have moved. The socket is the one
named `default`, in $TMUX_TMPDIR or /tmp, in a folder that nobody but this user owns.
"""

import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Mapping

from controlroom.node.tmux_server import Tmux, TmuxError
from controlroom.text.lazy_named_tuple import NamedTuple

SOCKET = "default"

_FORMAT = "#{pid} #{session_id} #{pane_id} #{pane_pid} #{window_activity} #{session_created} #{window_active}#{pane_active} #{session_name}"  # noqa: E501 - one format
_SCREENS = 16
"""Screens read in one call at most; the others have their turn in the next."""

_WIDEST, _HIGHEST = 1000, 200
"""Characters and lines kept of one screen."""

_SETTLED = 2
"""Seconds: tmux tells activity by the second, so a screen read in the same one may not be the last."""


class UserPane(NamedTuple):
    """One pane of the user's own server. `session` may be any text but for control characters."""

    server: int
    session_id: str
    id: str
    pid: int
    activity: int
    """When something was last written to its window; seconds since 1970."""
    created: int
    """When its session was made; seconds since 1970."""
    front: bool
    """Whether it is the pane that who attaches to the session sees."""
    session: str


class UserTmux:
    """Sees the panes of the user's own server."""

    def __init__(self, program: str, environ: Mapping[str, str], find: Callable[[], str] = lambda: "") -> None:
        self._program, self._find = program, find
        self._own, self._login = environ, environ
        self._lives_in(environ)
        self.panes: tuple[UserPane, ...] = ()
        self.screens: dict[str, tuple[str, ...]] = {}
        """The lines of a pane's screen as it was seen last, by the pane's id."""
        self._read_at: dict[str, float] = {}

    def _lives_in(self, environ: Mapping[str, str]) -> None:
        self.socket = _socket_of(environ)
        self._tmux = Tmux(self._program, self.socket, environ, self._find)

    def take_login(self, login: Mapping[str, str]) -> None:
        """Look where the user's login shell has its tmux server (TMUX_TMPDIR), too."""
        self._login = login if login.get("TMUX_TMPDIR") else self._own

    def _look_around(self) -> None:
        """Turn to the login shell's server while there is one, else to that of the connection's own environment."""
        wanted = self._login if _is_ours(_socket_of(self._login)) else self._own
        if _socket_of(wanted) != self.socket:
            self.nothing()
            self._lives_in(wanted)

    @property
    def tmux(self) -> Tmux:
        """What asks that server."""
        return self._tmux

    def exists(self) -> bool:
        """Tell, without asking anybody, whether there may be such a server."""
        self._look_around()
        return bool(self._tmux.program) and _is_ours(self.socket)

    def moved(self, wanted: Iterable[str]) -> list[str]:
        """Return those of some panes whose screens have changed since they were read, the longest unread first."""
        activity = {pane.id: pane.activity for pane in self.panes}
        panes = [name for name in wanted if activity.get(name, -1) + _SETTLED > self._read_at.get(name, 0.0)]
        return sorted(panes, key=lambda name: self._read_at.get(name, 0.0))[:_SCREENS]

    async def ask(self, wanted: Iterable[str] = ()) -> bool:
        """Look at the server; read the screens of those `wanted` panes that have moved. One client call.

        False: it does not answer.
        """
        mark, at = secrets.token_hex(8), time.time()
        command = ["list-panes", "-a", "-F", _FORMAT]
        for name in self.moved(wanted):
            number = name[1:]  # what is displayed passes strftime, so it has no % in it
            command += [";", "display-message", "-p", "-t", name, f"{mark} {number}"]
            command += [";", "capture-pane", "-p", "-t", name]
        try:
            answer = await self._tmux.run(*command)
        except TmuxError:
            return False
        parts = _parted(answer.lines, mark)
        self.panes = tuple(pane for line in parts.pop("") if (pane := _pane(line)))
        for name, lines in parts.items():
            self._read_at[name] = at
            self.screens[name] = tuple(line[:_WIDEST] for line in lines[:_HIGHEST])
        there = {pane.id for pane in self.panes}
        self.screens = {name: lines for name, lines in self.screens.items() if name in there}
        self._read_at = {name: when for name, when in self._read_at.items() if name in there}
        return True

    def nothing(self) -> None:
        """There is no such server."""
        self.panes, self.screens, self._read_at = (), {}, {}

    def last_line(self, pane: str) -> str:
        """Return the last line that says something on a pane's screen, "" when none does or it was not seen yet."""
        return next((line.strip() for line in reversed(self.screens.get(pane, ())) if line.strip()), "")


def _socket_of(environ: Mapping[str, str]) -> str:
    return os.path.join(environ.get("TMUX_TMPDIR") or "/tmp", f"tmux-{os.geteuid()}", SOCKET)  # noqa: S108


def _is_ours(path: str) -> bool:
    try:
        folder, socket = (os.lstat(part) for part in (os.path.dirname(path), path))
    except OSError:
        return False
    ours = folder.st_uid == socket.st_uid == os.geteuid()
    return ours and stat.S_ISDIR(folder.st_mode) and stat.S_ISSOCK(socket.st_mode)


def _parted(lines: Iterable[str], mark: str) -> dict[str, list[str]]:
    """Part what one call said: first the panes, by "", then each screen by its pane."""
    parts: dict[str, list[str]] = {"": []}
    part = parts[""]
    for line in lines:
        if line.startswith(f"{mark} "):
            part = parts["%" + line.partition(" ")[2]] = []
        else:
            part.append(line)
    return parts


def _pane(line: str) -> UserPane | None:
    fields = line.split(" ", 7)
    if len(fields) != 8 or not all(fields[index].isdecimal() for index in (0, 3, 4, 5)):
        return None
    if not fields[2].startswith("%") or not fields[2][1:].isdecimal():
        return None
    server, session, name, pid, activity, created, front, called = fields
    return UserPane(int(server), session, name, int(pid), int(activity), int(created), front == "11", called)
