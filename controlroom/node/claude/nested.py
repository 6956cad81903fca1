"""Claudes that an agent's processes start: each is a session of its own, and what it spends is the agent's.

Nothing in their transcripts names their parent (Claude Code 2.1.332, observed): it is known by the process alone. At
its start, half a second and more before its end, a Claude binds TMPDIR/cc-socks/PID.sock and creates
CONFIG/sessions/PID.json, which names its session; when it ends in peace it removes both. So these folders are watched,
and where one cannot be, looked at. A process is the agent's when it carries the agent's tag in its environment, or
descends from its runner. Every `_SWEEP` seconds the processes below the runner are looked at as well, for one whose
folders are both others. Read by the runner, which must stay small.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence

from controlroom.meter.loose import text
from controlroom.node import folder, process_tree
from controlroom.node.claude.creations import Creations
from controlroom.node.claude.program import is_claude
from controlroom.node.claude.transcript import config_folder, slug
from controlroom.node.files import read_regular
from controlroom.node.process_tree import Process
from controlroom.wire.lines import PeerError, from_line

SOON, OFTEN, LATE = 0.05, 0.25, 2.0
"""Seconds between looks for the session file of one that has begun, between looks while one is at work or a folder is
not watched, and for which one is read on after its end."""

_SWEEP = 5.0
_SESSION_LIMIT = 64 * 1024
_MOST, _MOST_NAMES = 200, 5000
_SESSION = re.compile("[0-9a-fA-F-]{8,64}")
_GOES_ON = frozenset({"--resume", "-r", "--continue", "-c", "--fork-session", "--from-pr", "--teleport"})
_NEVER = float("inf")


def is_fresh(argv: Sequence[str]) -> bool:
    """Say whether a Claude that is started with these words begins a session of its own, and no fork."""
    return not any(word.split("=")[0] in _GOES_ON for word in argv)


class NestedClaude:
    """One Claude below an agent, from its beginning until its transcripts are read to their ends."""

    def __init__(self, process: Process, environ: Mapping[str, str], cwd: str, argv: list[str]) -> None:
        self.environ, self.cwd = environ, cwd
        self.config = os.path.join(cwd, config_folder({"HOME": "/", **environ}))
        self.fresh = is_fresh(argv)
        """Whether all that stands in its session is its own."""
        self.session = self.metered = ""
        """The session that it is in, and the one that is metered."""
        self.ends_at = _NEVER
        """When it need not be read any more, by the clock of `Nested.look`."""
        self.process = process
        self._before = set(_names(self._projects))
        self._seen: tuple[int, int] = (0, 0)

    @property
    def _projects(self) -> str:
        return os.path.join(self.config, "projects", slug(os.path.realpath(self.cwd)))

    def look(self, now: float, taken: set[str]) -> None:
        """See which session it is in, and whether it lives. `taken`: sessions that are known to be another's."""
        self._read()
        if self.ends_at == _NEVER and not process_tree.living(self.process):
            self.ends_at = now + LATE
        if not self.session and self.ends_at < _NEVER:  # it was too quick for us, and has left a transcript alone
            new = {name.removesuffix(".jsonl") for name in _names(self._projects) - self._before} - taken
            self.session = next(iter(new)) if len(new) == 1 else ""

    def _read(self) -> None:
        path = os.path.join(self.config, "sessions", f"{self.process.pid}.json")
        try:
            found = os.stat(path)
            if (found.st_mtime_ns, found.st_size) == self._seen:
                return
            value = from_line(read_regular(path, _SESSION_LIMIT))
        except (OSError, PeerError):
            return
        self._seen = found.st_mtime_ns, found.st_size
        named = text(value.get("sessionId"), 64)
        if _SESSION.fullmatch(named) and text(value.get("procStart"), 40) in ("", self.process.started):
            self.fresh = self.fresh and named == (self.session or named)
            self.session = named


class Nested:
    """The Claudes below one agent. Times are seconds on a clock that never jumps."""

    def __init__(self, environ: Mapping[str, str], cwd: str, own: int, session: Callable[[], str]) -> None:
        """`environ` is the agent's; `own` its Claude's process, 0: it is a command; `session` gives that one's."""
        self.alive: dict[int, NestedClaude] = {}
        """By process, until each is read to its end."""
        self.wakes_at = 0.0
        self._marks = environ.get(folder.TAG, ""), environ.get(folder.PLACE, "")
        self._own, self._session = own, session
        self._configs = {os.path.join(cwd, config_folder(environ)): None}
        self._sockets = {os.path.join(place, "cc-socks") for place in ("/tmp", environ.get("TMPDIR") or "/tmp")}  # noqa: S108
        self._creations = Creations()
        self._known: set[int] = set(self._listed())
        self._ours: dict[str, None] = {}
        self._sweep_at = 0.0

    def stirred(self) -> None:
        """Something was created in a folder that is watched."""
        self.wakes_at = 0.0

    def close(self) -> None:
        """Watch nothing any more."""
        self._creations.close()

    def look(self, now: float) -> list[NestedClaude]:
        """See who has begun and ended since the last look; give those that are over and read to their ends."""
        listed = set(self._listed())
        for pid in listed - self._known:
            self._meet(pid)
        self._known = listed
        if self._sweep_at <= now:
            self._sweep_at = now + _SWEEP
            for pid in process_tree.below(os.getpid()):
                self._meet(pid)
        for one in self.alive.values():
            one.look(now, {self._session(), *self._ours})
            if one.session:
                self._ours[one.session] = None
        while len(self._ours) > _MOST:
            del self._ours[next(iter(self._ours))]
        over = [pid for pid, one in self.alive.items() if one.ends_at <= now]
        self.wakes_at = self._next(now)
        return [self.alive.pop(pid) for pid in over]

    def _next(self, now: float) -> float:
        """Say when to look again; the folders are watched from here on, so that nothing is missed in between."""
        watched = self._creations.watch([*self._folders()])
        if any(not one.session and one.ends_at == _NEVER for one in self.alive.values()):
            return now + SOON
        if self.alive or not watched or set(self._listed()) - self._known:
            return now + OFTEN
        return self._sweep_at

    def _folders(self) -> list[str]:
        sockets = [place for place in self._sockets if os.path.isdir(place)]  # above them there is too much going on
        return [*(os.path.join(config, "sessions") for config in self._configs), *sockets]

    def _listed(self) -> list[int]:
        """Give the pids that the folders name."""
        names = [name for place in self._folders() for name in _names(place, "")]
        pids = (name.partition(".")[0] for name in names if name.endswith((".sock", ".json")))
        return [int(pid) for pid in pids if pid.isdecimal() and len(pid) < 10]

    def _meet(self, pid: int) -> None:
        """Take a process for a Claude of the agent's when it is one."""
        process = process_tree.process(pid)
        known = self.alive.get(pid)
        if pid == self._own or process is None or (known and known.process.started == process.started):
            return
        argv, environ = process_tree.arguments(pid), process_tree.environment(pid)
        if len(self.alive) >= _MOST or not is_claude(process_tree.link(pid, "exe"), argv):
            return
        if not self._is_ours(environ, pid):
            return
        self.alive[pid] = one = NestedClaude(process, environ, process_tree.link(pid, "cwd"), argv)
        self._configs[one.config] = None
        self._sockets.add(os.path.join(environ.get("TMPDIR") or "/tmp", "cc-socks"))  # noqa: S108

    def _is_ours(self, environ: Mapping[str, str], pid: int) -> bool:
        marks = environ.get(folder.TAG, ""), environ.get(folder.PLACE, "")
        return marks == self._marks if any(marks) else process_tree.descends(pid, os.getpid())


def _names(place: str, ending: str = ".jsonl") -> set[str]:
    """Give the names in a folder that end so; of a huge one some."""
    found: set[str] = set()
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.endswith(ending) and len(found) < _MOST_NAMES:
                    found.add(entry.name)
    except OSError:
        pass
    return found
