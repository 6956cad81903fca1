"""Claudes that begin, however soon they end: each is a session of its own, and nothing in it names who started it.

It is known by the process alone (Claude Code 2.1.332, observed). At its start, half a second and more before its end,
a Claude binds TMPDIR/cc-socks/PID.sock and creates CONFIG/sessions/PID.json, which names its session; when it ends in
peace it removes both. So these folders are watched, and where one cannot be, looked at. Below an agent, a process is
the agent's when it carries the agent's tag in its environment, or descends from its runner; every `_SWEEP` seconds all
processes there are looked at as well, for one whose folders are both others; and all the time while one of the folders
holds so many files that not all are read.

Folders are watched with F_NOTIFY (Linux, fcntl(2)), a signal that says only that something was created, so whoever gets
it looks: hundreds of runners can afford that. A user has 128 inotify instances by default, and Claude takes some.
"""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from controlroom.runner import folder, process_tree
from controlroom.runner.claude import login, settings
from controlroom.runner.claude.transcripts import slug
from controlroom.runner.files import read_regular
from controlroom.runner.process_tree import Process
from controlroom.text.json_fields import text
from controlroom.text.lazy_pattern import pattern
from controlroom.wire.lines import PeerError, from_line

SIGNAL = signal.SIGIO
"""What is sent to this process. Whoever asks to be told must handle it: unhandled, it ends a process."""

_WHAT = ("DN_CREATE", "DN_RENAME", "DN_MULTISHOT")


class Creations:
    """Folders in which something will be created. One that is not there yet is waited for in the one above."""

    def __init__(self) -> None:
        self._watched: dict[str, tuple[int, tuple[int, int]]] = {}
        self.folders: list[str] = []
        """Those that are watched and there; another that is waited for leaves this empty."""

    def watch(self, folders: Iterable[str]) -> bool:
        """Watch these folders from now on, and no others. False: one must be looked at by oneself, again and again."""
        folders = list(folders)
        wanted = {_nearest(path) for path in folders}
        for path in self._watched.keys() - wanted:
            os.close(self._watched.pop(path)[0])
        watched = [self._watches(path) for path in sorted(wanted)]
        self.folders = folders if wanted == set(folders) else []
        return all(watched)

    def close(self) -> None:
        """Watch nothing any more."""
        self.watch(())

    def _watches(self, folder: str) -> bool:
        """Watch one folder, another one of the same name in its place."""
        if not hasattr(fcntl, "F_NOTIFY") or not callable(signal.getsignal(SIGNAL)):
            return False
        watched = self._watched.get(folder)
        try:
            there = os.stat(folder)
            if watched and watched[1] == (there.st_dev, there.st_ino):
                return True
            if watched:
                os.close(self._watched.pop(folder)[0])
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._watched[folder] = descriptor, (there.st_dev, there.st_ino)
            fcntl.fcntl(descriptor, fcntl.F_NOTIFY, sum(getattr(fcntl, name) for name in _WHAT))
        except OSError:
            return False
        return True


def _nearest(folder: str) -> str:
    """Return a folder, or the nearest one above it that is there."""
    while not os.path.isdir(folder) and (above := os.path.dirname(folder)) != folder:
        folder = above
    return folder


_PROGRAMS, _RUNTIMES = frozenset({"claude", "claude.exe"}), frozenset({"node", "nodejs", "bun"})
_SCRIPTS = ("/claude-code/cli.js", "/claude-code/cli.mjs", "/bin/claude")


def is_claude(path: str, argv: Sequence[str]) -> bool:
    """Return whether a process that runs the program at `path` with these words is Claude Code."""
    runs, called = os.path.basename(path.removesuffix(" (deleted)")), os.path.basename(argv[0]) if argv else ""
    if runs in _PROGRAMS or called in _PROGRAMS:
        return True
    return runs in _RUNTIMES and any(word.endswith(_SCRIPTS) for word in argv[1:4])


SOON, OFTEN, LATE = 0.05, 0.25, 2.0
"""Seconds between looks for the session file of one that has begun, between looks while one is at work or a folder is
not watched, and for which one is read on after its end."""

_SWEEP = 30.0
_YOUNG = 5.0
"""Seconds of age in which a Claude on a terminal is still in the session that it began with."""
_SESSION_LIMIT = 64 * 1024
MOST, _MOST_NAMES = 200, 5000
_SESSION = pattern("[0-9a-fA-F-]{8,64}")
_GOES_ON = frozenset({"--resume", "-r", "--continue", "-c", "--fork-session", "--from-pr", "--teleport"})
_KEEPS_NOTHING = "--no-session-persistence"
_NEVER = float("inf")


def is_fresh(argv: Sequence[str]) -> bool:
    """Return whether a Claude that is started with these words begins a session of its own, and no fork."""
    return not any(word.split("=")[0] in _GOES_ON for word in argv)


class NestedClaude:
    """One Claude, from its beginning until its transcripts are read to their ends."""

    def __init__(
        self, process: Process, environ: Mapping[str, str], cwd: str, argv: list[str], above: Sequence[int] = ()
    ) -> None:
        """`above`: the processes that it descends from, nearest first."""
        self._environ, self._argv = environ, argv
        self.cwd, self.above = cwd, above
        self.config = settings.config_folder({"HOME": "/", **environ}, cwd, argv[1:])
        self.fresh = is_fresh(argv) and (_age(process) < _YOUNG or self._prints)
        """Whether all that stands in its session is its own."""
        self.session = self.metered = ""
        """The session that it is in, and the one that is metered."""
        self.ends_at = _NEVER
        """When it need not be read any more, by the clock of `Nested.look`."""
        self.process = process
        self._before = set(_names(self._projects))
        self._seen: tuple[int, int] = (0, 0)

    def billing(self) -> str:
        """Return who pays for it (`login.Login`). Reads files."""
        return login.find(self._environ, self.cwd, self._argv[1:], interactive=not self._prints).billing

    @property
    def is_unseen(self) -> bool:
        """Whether it keeps no transcript, so that what it spends can never be read."""
        return _KEEPS_NOTHING in self._argv

    @property
    def _prints(self) -> bool:
        return not {"-p", "--print"}.isdisjoint(self._argv)

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
            status = os.stat(path)
            if (status.st_mtime_ns, status.st_size) == self._seen:
                return
            value = from_line(read_regular(path, _SESSION_LIMIT))
        except (OSError, PeerError):
            return
        self._seen = status.st_mtime_ns, status.st_size
        named = text(value.get("sessionId"), 64)
        if _SESSION.fullmatch(named) and text(value.get("procStart"), 40) in ("", self.process.started):
            self.fresh = self.fresh and named == (self.session or named)
            self.session = named


def _age(process: Process) -> float:
    """Return the age of a process in seconds, where its start tells."""
    if not process.started.isdecimal():
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(process.started) / os.sysconf("SC_CLK_TCK")


Ours = Callable[[Mapping[str, str], Sequence[int]], bool]
"""Says by its environment, and by what it descends from, whether a Claude is looked for."""


def below(environ: Mapping[str, str], runner: int) -> Ours:
    """Look for those that carry the tag of the agent that has this environment, or descend from its runner."""
    wanted = _marks(environ)
    return lambda marked, above: _marks(marked) == wanted if any(_marks(marked)) else runner in above


def _marks(environ: Mapping[str, str]) -> tuple[str, str]:
    return environ.get(folder.TAG, ""), environ.get(folder.PLACE, "")


class Nested:
    """Claudes that begin, of those that are `ours`; below a `runner` from now on. Times: a clock that never jumps."""

    def __init__(
        self,
        environ: Mapping[str, str],
        cwd: str,
        ours: Ours,
        *,
        own: int = 0,
        runner: int = 0,
        session: Callable[[], str] = str,
    ) -> None:
        """`environ`: of an agent, or of a user. `own`: the process of the agent's own Claude, 0: it has none.

        `session` gives that one's session; the processes below `runner` are looked at as well.
        """
        self.alive: dict[int, NestedClaude] = {}
        """By process, until each is read to its end."""
        self.wakes_at = 0.0
        self._ours_is, self._own, self._runner, self._session = ours, own, runner, session
        self._configs = {settings.config_folder(environ, cwd): None}
        self._sockets = {os.path.join(place, "cc-socks") for place in ("/tmp", environ.get("TMPDIR") or "/tmp")}  # noqa: S108
        self._creations = Creations()
        self._known: dict[int, str] = process_tree.starts(self._listed()) if runner else {}
        """By pid, when they were started: Claudes that were met, and processes that are none of ours.

        The files of one that was killed stay, and the system gives its pid to another.
        """
        self._named: dict[int, str] = {}
        """By pid, when they were started: the processes that the folders named at the last look."""
        for pid in process_tree.below(runner) if runner else ():
            self._known.pop(pid, None)
        self._ours: dict[str, None] = {}
        self._sweep_at = 0.0
        self._watched, self._noticed = False, True
        self._crowded = False
        """There are more files than are read, as an agent may have put there."""
        self.too_many = False
        """Whether there were more at once than are known: what the others spend, nobody can say."""

    @property
    def at_work(self) -> int:
        """How many are alive in a session of their own: each may have a message under way."""
        mine = self._session()
        return sum(1 for claude in self.alive.values() if claude.ends_at == _NEVER and claude.session not in ("", mine))

    @property
    def configs(self) -> list[str]:
        """The folders of Claude's own that those met, or the one that is followed, have."""
        return list(self._configs)

    def notice(self) -> None:
        """Something was created in a folder that is watched."""
        self._noticed, self.wakes_at = True, 0.0

    def close(self) -> None:
        """Watch nothing any more."""
        self._creations.close()

    def look(self, now: float) -> list[NestedClaude]:
        """See who has begun and ended since the last look; return those that are over and read to their ends."""
        sweeps = self._sweep_at <= now
        if self.alive or not self._watched or self._noticed:
            self._noticed = False
            self._named = living = process_tree.starts(self._listed())
            self._known = {pid: start for pid, start in self._known.items() if living.get(pid) == start}
            for pid in living.keys() - self._known.keys():
                self._meet(pid)
        if sweeps:
            self._sweep_at = now + (OFTEN if self._crowded else _SWEEP)
            for pid in process_tree.below(self._runner) if self._runner else ():
                self._meet(pid)
        for claude in self.alive.values():
            claude.look(now, {self._session(), *self._ours})
            if claude.session:
                self._ours[claude.session] = None
        while len(self._ours) > MOST:
            del self._ours[next(iter(self._ours))]
        over = [pid for pid, claude in self.alive.items() if claude.ends_at <= now]
        self.wakes_at = self._next(now, sweeps=sweeps)
        return [self.alive.pop(pid) for pid in over]

    def _next(self, now: float, *, sweeps: bool) -> float:
        """Return when to look again; the folders are watched from here on, so that nothing is missed in between."""
        if sweeps or not self._watched or self._folders() != self._creations.folders:
            self._watched = self._creations.watch(self._folders())
            self._noticed = not process_tree.starts(self._listed()).items() <= self._named.items()
        if any(not claude.session and claude.ends_at == _NEVER for claude in self.alive.values()):
            return now + SOON
        if self.alive or not self._watched or self._noticed or self._crowded:
            return now + OFTEN
        return self._sweep_at

    def _folders(self) -> list[str]:
        sockets = [place for place in self._sockets if os.path.isdir(place)]  # above them there is too much going on
        return [*(os.path.join(config, "sessions") for config in self._configs), *sockets]

    def _listed(self) -> list[int]:
        """Return the pids that the folders name."""
        folders = [_names(place, "") for place in self._folders()]
        self._crowded = any(len(names) >= _MOST_NAMES for names in folders)
        names = [name for names_there in folders for name in names_there]
        pids = (name.partition(".")[0] for name in names if name.endswith((".sock", ".json")))
        return [int(pid) for pid in pids if pid.isdecimal() and len(pid) < 10]

    def _meet(self, pid: int) -> None:
        """Take a process for a Claude of the agent's when it is one."""
        process = process_tree.process(pid)
        claude = self.alive.get(pid)
        if pid == self._own or process is None or (claude and claude.process.started == process.started):
            return
        environ = process_tree.environment(pid)
        above = [] if folder.TAG in environ else process_tree.above(process)
        if not self._ours_is(environ, above):
            self._known[pid] = process.started
            return
        argv = process_tree.arguments(pid)
        if not is_claude(process_tree.link(pid, "exe"), argv):
            return  # and met again: it may yet become one
        self._known[pid] = process.started
        if len(self.alive) >= MOST:
            self.too_many = True
            return
        self.alive[pid] = nested = NestedClaude(process, environ, process_tree.link(pid, "cwd"), argv, above)
        self._configs[nested.config] = None
        self._sockets.add(os.path.join(environ.get("TMPDIR") or "/tmp", "cc-socks"))  # noqa: S108


def _names(place: str, ending: str = ".jsonl") -> set[str]:
    """Return the names in a folder that end so; of a huge one some."""
    names: set[str] = set()
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.endswith(ending) and len(names) < _MOST_NAMES:
                    names.add(entry.name)
    except OSError:
        pass
    return names
