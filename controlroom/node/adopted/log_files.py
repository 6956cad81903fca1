"""Files into which whoever started an agent has its output written: `claude -p … | tee ~/agents/logs/agent-1.log`.

Only files that the room's setting names are looked at (`adopted_logs`). The file is the one that the agent itself, or
what it writes into through pipes, has open for writing; else the one with the name of its tmux session, if it was
written to since the agent began. Anybody may have made any of them: they are read like any log, bounded and as text.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from controlroom.node.observation.processes import LINUX, ProcessSnapshot

_MOST_PATTERNS, _MOST_OPEN, _MOST_PIPES = 16, 64, 4
_OUT = (1, 2)
"""Descriptors of what a program says."""

_SETTLES = 5.0
"""Seconds before an agent was seen to begin in which its file may have been made."""

_NAME = re.compile(r"[^/\0\n]{1,100}")


class LogFiles:
    """Finds the log files of agents of others."""

    def __init__(self, patterns: Sequence[str], home: str) -> None:
        """`patterns`: paths with `*`, from the host user's home or the root on."""
        whole = (os.path.join(home, pattern[2:]) if pattern.startswith("~/") else pattern for pattern in patterns)
        self._patterns = [path for path in list(whole)[:_MOST_PATTERNS] if path.startswith("/")]

    def of(self, pid: int, session: str, began: int, look: ProcessSnapshot) -> str:
        """Return the path of an agent's log file; "" when there is none. `began`: UTC ms, `session`: of tmux."""
        if not self._patterns:
            return ""
        written = (path for path in self._written(pid, look) if self._is_one(path))
        return next(written, "") or self._named(session, began)

    def _is_one(self, path: str) -> bool:
        parts = path.split("/")
        for pattern in self._patterns:
            folder = os.path.realpath(os.path.dirname(pattern))
            wanted = [*folder.split("/"), os.path.basename(pattern)]
            if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
                return True
        return False

    def _written(self, pid: int, look: ProcessSnapshot) -> Iterator[str]:
        """Yield the files that a process, and what it writes into through pipes, have open for writing."""
        if not LINUX or pid not in look.table:
            return
        parent = look.table[pid].parent
        beside = [each for each in look.children(parent) if each != pid and not look.table[each].zombie]
        pipes = set()
        for descriptor in _OUT:
            target = _target(pid, descriptor)
            pipes |= {target} if target.startswith("pipe:") else set()
            if target.startswith("/"):
                yield target
        for _ in range(_MOST_PIPES):
            readers = [each for each in beside if pipes and _target(each, 0) in pipes]
            pipes = {_target(each, 1) for each in readers}
            for each in readers:
                yield from _open_for_writing(each)

    def _named(self, session: str, began: int) -> str:
        """Return the file with the name of a session that was written to since its agent began."""
        if not _NAME.fullmatch(session):
            return ""
        for pattern in self._patterns:
            folder, name = os.path.split(pattern)
            path = os.path.join(folder, name.replace("*", session, 1))
            if name.count("*") == 1 and "*" not in folder and _is_written(path, began):
                return path
        return ""


def _target(pid: int, descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except OSError:
        return ""


def _open_for_writing(pid: int) -> Iterable[str]:
    try:
        descriptors = sorted(map(int, os.listdir(f"/proc/{pid}/fd")))[:_MOST_OPEN]
    except (OSError, ValueError):
        return
    for descriptor in descriptors:
        path = _target(pid, descriptor)
        if path.startswith("/") and _writes(pid, descriptor):
            yield path


def _writes(pid: int, descriptor: int) -> bool:
    try:
        with open(f"/proc/{pid}/fdinfo/{descriptor}", "rb", buffering=0) as file:
            lines = file.read(4096).splitlines()
        flags = next((line.split()[1] for line in lines if line.startswith(b"flags:")), b"0")
        return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY
    except (OSError, ValueError, IndexError):
        return False


def _is_written(path: str, began: int) -> bool:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_mtime >= began / 1000 - _SETTLES
