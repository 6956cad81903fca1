"""What Claude writes about itself while it runs: its session file and its transcript, read by size and never twice.

`CONFIG/sessions/PID.json` and `CONFIG/projects/SLUG/SESSION.jsonl`, CONFIG being `settings.config_folder`
(Claude Code 2.1.330, observed). Both lie where the agent may write anything. Read by the runner, which must stay small.
"""

import os
import re
from typing import Any, NamedTuple

from controlroom.runner import process_tree
from controlroom.runner.files import open_regular, read_regular
from controlroom.runner.log_writer import EVENT_LINE, LineCutter
from controlroom.text.json_fields import text
from controlroom.wire.lines import PeerError, from_line

_SESSION_LIMIT = 256 * 1024
_AT_ONCE, _BACK = 4 * 1024 * 1024, 1024 * 1024
_TOLD = frozenset({"assistant", "user", "system", "queue-operation", "cost-state"})
"""Lines that say something; the others repeat requests, files and settings, and are far the most bytes."""

Said = tuple[dict[str, Any], bytes]
"""A line of a transcript: what it says, and its bytes."""


class SessionFile:
    """The session file of a process, or of what it has started."""

    def __init__(self, config: str, pid: int) -> None:
        self._folder, self._root = os.path.join(config, "sessions"), pid
        self._path = ""
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._value: dict[str, Any] | None = None

    def read(self) -> dict[str, Any] | None:
        """Give what it says now; None while there is none."""
        try:
            found = os.stat(self._path or self._first())
        except OSError:
            self._path, self._value, self._seen = "", None, (0, 0, 0)
            return None
        seen = found.st_ino, found.st_mtime_ns, found.st_size
        if seen != self._seen:
            self._seen, self._value = seen, self._fresh()
        return self._value

    def search(self) -> None:
        """Look among the processes below for one that has such a file: the program may be a script that runs Claude."""
        if not self._path:
            below = process_tree.descendants(self._root, process_tree.snapshot())
            self._path = next((path for pid in sorted(below) if os.path.isfile(path := self._of(pid))), "")

    def _first(self) -> str:
        return self._of(self._root)

    def _of(self, pid: int) -> str:
        return os.path.join(self._folder, f"{pid}.json")

    def _fresh(self) -> dict[str, Any] | None:
        """Read it; one that is being written is read again next time."""
        try:
            value = from_line(read_regular(self._path or self._first(), _SESSION_LIMIT))
        except (OSError, PeerError):
            self._seen = (0, 0, 0)
            return self._value
        pid = value.get("pid")
        started = process_tree.started(pid) if isinstance(pid, int) else ""
        return value if not started or text(value.get("procStart"), 40) in ("", started) else None


class Place(NamedTuple):
    """Where a transcript is read next, and since when (UTC, ISO) its lines count; "": all do."""

    path: str
    offset: int
    since: str


class Transcript:
    """The lines that are added to the transcript of one session, and of the next when Claude begins another."""

    def __init__(self, config: str, cwd: str) -> None:
        self._config, self._cwd = config, cwd
        self._session = ""
        self._since = ""
        self._place: Place | None = None
        self._cutter = LineCutter(EVENT_LINE)

    def follow(self, session: str, since: str = "") -> None:
        """Read this session from now on; with `since` a part of it is there already, and older lines do not count."""
        if session != self._session:
            self._session, self._since, self._place = session, since, None
            self._cutter = LineCutter(EVENT_LINE)

    def read(self) -> list[Said]:
        """Give what has been added. What cannot be read says nothing."""
        place = self._place = self._place or self._found()
        if place is None:
            return []
        try:
            data = _read_from(place.path, place.offset)
        except OSError:
            return []
        if data is None:  # it has been cut short: what is new is all of it
            self._place, self._cutter = place._replace(offset=0), LineCutter(EVENT_LINE)
            return []
        self._place = place._replace(offset=place.offset + len(data))
        lines = [piece.body for piece in self._cutter.feed(data) if piece.whole]
        return [said for line in lines if (said := _told(line, place.since))]

    def _found(self) -> Place | None:
        path = find_transcript(self._config, self._cwd, self._session)
        if not path:
            return None
        size = os.path.getsize(path)
        return Place(path, max(0, size - _BACK) if self._since else 0, self._since)


def find_transcript(config: str, cwd: str, session: str) -> str:
    """Give the path of a session's transcript, "" while there is none.

    It lies under the slug of the folder where the session began, which for a resumed one may be any.
    """
    if not re.fullmatch("[0-9a-fA-F-]{8,64}", session):
        return ""
    projects, name = os.path.join(config, "projects"), f"{session}.jsonl"
    path = os.path.join(projects, slug(os.path.realpath(cwd)), name)
    return path if os.path.isfile(path) else next(filter(os.path.isfile, _in_any(projects, name)), "")


def _in_any(projects: str, name: str) -> list[str]:
    try:
        return [os.path.join(projects, folder, name) for folder in os.listdir(projects)]
    except OSError:
        return []


def slug(cwd: str) -> str:
    """Name the folder that Claude keeps a project's transcripts in; a very long one it names in a way of its own."""
    return re.sub("[^A-Za-z0-9]", "-", cwd)


def _read_from(path: str, offset: int) -> bytes | None:
    """Read what stands from `offset` on, a few megabytes at most; None: the file is shorter than that."""
    descriptor, size = open_regular(path)
    try:
        return None if size < offset else os.pread(descriptor, min(size - offset, _AT_ONCE), offset)
    finally:
        os.close(descriptor)


def _told(line: bytes, since: str) -> Said | None:
    if not line.startswith(b"{"):
        return None
    try:
        event = from_line(line)
    except PeerError:
        return None
    if event.get("type") not in _TOLD or text(event.get("timestamp"), 40) < since:
        return None
    return event, line
