"""What Claude writes about itself while it runs: its session file, its transcript, and those of its subagents.

`CONFIG/sessions/PID.json`, `CONFIG/projects/SLUG/SESSION.jsonl` and `CONFIG/projects/SLUG/SESSION/subagents/**`, CONFIG
being `settings.config_folder` (Claude Code 2.1.330, observed: a line stands there within 0.3 seconds of its message).
All of it lies where the agent may write anything, so everything is bounded; files are read by offset and never twice.

Subagents (2.1.330, observed): each one, also those that others started and those in the background, has a file of its
own. It begins with its prompt within half a second of the subagent, and all its lines are marked `isSidechain`. While
the subagent works, the last `user` or `assistant` line is a prompt, a tool's result, or an answer that calls tools or
was cut off; when it is done, an answer with another `stop_reason` (an API error, too) or `[Request interrupted by
user`. One that is given more to do goes on in the same file. A `.meta.json` beside it says `finished`, but not of one
that was interrupted.

A request under way when Claude was killed (2.1.330, observed): Claude writes an `api-request` line when it asks, and
the answer as it comes to an end; after an interrupt, what had come of it (`metering.usage`). After SIGTERM and SIGKILL
there is no answer, and no total that counts it, so it is estimated. Its prompt is taken to be that of the request
before and its answer, out of the cache, and what was said since at four bytes a token, written to the cache for five
minutes; for the first request, all that stands before it. What it had answered by then is not known and counts nothing.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from controlroom.metering.usage import MOST_TOKENS, Damaged, Message, Usage, message_of, messages_of, moment
from controlroom.metering.usage_file import transcript_total
from controlroom.runner import process_tree
from controlroom.runner.claude.result import INTERRUPTED
from controlroom.runner.files import open_regular, read_regular
from controlroom.text.json_fields import table, tables, text, whole
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.wire.lines import PeerError, from_line

_SESSION_LIMIT = 256 * 1024
_BEFORE = 1024 * 1024
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
        """Return what it says now; None while there is none."""
        try:
            status = os.stat(self._path or self._first())
        except OSError:
            self._path, self._value, self._seen = "", None, (0, 0, 0)
            return None
        stamp = status.st_ino, status.st_mtime_ns, status.st_size
        if stamp != self._seen:
            self._seen, self._value = stamp, self._fresh()
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


class Transcript:
    """The lines that are added to the transcript of one session, and of the next when Claude begins another."""

    def __init__(self, config: str, cwd: str, recent: "RecentPieces") -> None:
        """`recent`: what those who count its money have read of it."""
        self._place, self._recent = (config, cwd), recent
        self._session = self._since = ""
        self._tail: Tail | None = None

    def follow(self, session: str, since: str = "") -> None:
        """Read this session from now on.

        With `since` (UTC, ISO) a part of it is there already, and older lines do not count.
        """
        if session != self._session:
            self._session, self._since, self._tail = session, since, None

    def read(self) -> list[Said]:
        """Return what has been added. What cannot be read says nothing."""
        tail = self._tail = self._tail or self._first_tail()
        lines: list[Said] = []
        left = AT_ONCE if tail else 0
        while tail and left > 0:
            piece = tail.next()
            if piece is None:
                tail.share(self._recent)
                break
            tail.taken(piece)
            left -= piece.size
            lines += piece.said(self._since)
        return lines

    def _first_tail(self) -> "Tail | None":
        """Begin to read; what stands far before the end of a session that goes on is left to those who count it."""
        path = find_transcript(*self._place, self._session)
        if not path:
            return None
        start = 0
        with contextlib.suppress(OSError):  # it has just gone: read it whole if it comes back
            start = max(0, os.path.getsize(path) - _BEFORE) if self._since else 0
        tail = Tail(path, start=start)
        if not start:
            tail.share(self._recent)
        return tail


def find_transcript(config: str, cwd: str, session: str) -> str:
    """Return the path of a session's transcript, "" while there is none.

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


AT_ONCE, _BLOCK = 8 * 1024 * 1024, 64 * 1024
"""Bytes that are read at once: of one line at most, and of shorter ones. Small pieces take no fresh pages of memory."""
_KEPT = 1024 * 1024
"""Bytes of memory for pieces that wait for their second reader."""
_SMALL, _TOLD_BYTES = 16 * 1024, 400
"""Bytes of a piece that are kept with what they tell, and of memory that each thing told takes, roughly."""
_MOST_FILES, _DEEPEST = 1000, 4


def session_files(config: str, cwd: str, session: str) -> list[str]:
    """Return the paths of a session's transcript and of those of its subagents; none while there is no transcript."""
    transcript = find_transcript(config, cwd, session)
    return files_of(transcript) if transcript else []


def files_of(transcript: str) -> list[str]:
    """Return the path of a transcript and of those of its subagents."""
    return [transcript, *_subagents(transcript.removesuffix(".jsonl"))]


class Told(NamedTuple):
    """What a line of a transcript says of usage, and where the line stands.

    Without a message and a total it is damaged: it speaks of usage and cannot be read.
    """

    offset: int
    end: int
    message: Message | None = None
    total: int | None = None
    """What the session has cost by now, in pico-dollars."""
    request: str = ""
    """Claude's own name for the request that the message answers."""


class Request(NamedTuple):
    """A request that Claude has made, as a line of a transcript says; `status`: why the API refused it, else 0."""

    offset: int
    id: str
    at: int
    status: int = 0


class Piece:
    """Whole lines of one transcript, 64 KiB or one long line at most, parsed once for all who read it."""

    def __init__(self, begins: tuple[int, bool], start: int, data: bytes, *, skipping: bool, whole: bool) -> None:
        """`begins`: where its reader stood; `skipping`: the first line is the rest of one that was too long.

        `whole`: all of its bytes are kept, for whoever reads its lines.
        """
        self.begins = begins
        self.end, self.size = start + len(data), len(data)
        self.skipping = not data.endswith(b"\n")
        """Whether it ends within a line that is too long."""
        self.requests: list[Request] = []
        self.told = list(_all_told(start, data, skipping, self.requests))
        self._start, self._skips = start, skipping
        self._data = data if whole or len(data) <= _SMALL else b""
        self._work = None if self._data else last_work(data)
        self.weight = len(self._data) + _TOLD_BYTES * (len(self.told) + len(self.requests))
        """Bytes of memory that it takes, roughly."""

    @property
    def messages(self) -> list[Message]:
        """The messages in it; damaged lines are passed over."""
        return [line.message for line in self.told if line.message]

    def said(self, since: str) -> list[Said]:
        """The lines that say something and are not older than `since` (UTC, ISO; "": any are), of a whole one."""
        lines = self._data.split(b"\n")[self._skips :]
        return [said for line in lines if (said := _told(line, since))]

    def at_work(self, before: int) -> bool | None:
        """Whether a subagent was at work after the last line behind `before` that says so; None: no line does."""
        works, end = self._work or last_work(self._data)
        return works if self._start + end > before else None


class RecentPieces:
    """Pieces that one reader of a transcript has parsed, kept for the others that follow it: each is read once.

    The meter reads all transcripts, the budget too while it binds, and what is shown of an agent one of them.
    """

    def __init__(self, binds: Callable[[], bool]) -> None:
        self.shown = ""
        """The transcript whose lines are shown."""
        self._binds = binds
        self._kept: dict[tuple[str, tuple[int, bool]], tuple[Piece, int]] = {}
        """With the number of readers that each waits for."""
        self._size = 0

    def show(self, path: str) -> None:
        """Keep all that stands in the pieces of this file from now on."""
        if path != self.shown:
            self.forget(path)
            self.shown = path

    def take(self, path: str, begins: tuple[int, bool]) -> Piece | None:
        """Hand over the piece of a file that begins there, if it is kept."""
        piece, readers = self._kept.get((path, begins), (None, 0))
        if piece and readers > 1:
            self._kept[path, begins] = piece, readers - 1
        elif piece:
            self._drop((path, begins))
        return piece

    def keep(self, path: str, piece: Piece) -> None:
        """Keep a piece for the other readers; what is too much is read again."""
        binds = self._binds()
        if others := binds + (path == self.shown):
            self._kept[path, piece.begins] = piece, others
            self._size += piece.weight
        most = _KEPT if binds or self.shown else 0
        while self._size > most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[str, tuple[int, bool]]) -> None:
        self._size -= self._kept.pop(key)[0].weight

    def forget(self, path: str) -> None:
        """Drop the pieces of a file that was cut short: each reader has to see for itself that nothing is old."""
        for key in [key for key in self._kept if key[0] == path]:
            self._drop(key)


class Tail:
    """One transcript, read piece by piece. A piece counts when it is `taken`; until then it is given again."""

    def __init__(self, path: str, recent: RecentPieces | None = None, start: int = 0) -> None:
        """It begins at `start`, which may be in the middle of a line: that one is passed over."""
        self._path, self._recent = path, recent
        self.offset = start
        """Where the next piece begins."""
        self.readable = True
        """Whether the file could be read when it was last tried."""
        self._skipping = start > 0

    def share(self, recent: RecentPieces) -> None:
        """Read from now on together with those who count: it is the one that is shown."""
        self._recent = recent
        recent.show(self._path)

    def rewind(self) -> None:
        """Begin anew."""
        self.offset, self._skipping = 0, False

    def next(self, stop: int | None = None) -> Piece | None:
        """Read what has been added, up to its last newline: 64 KiB, or one long line; None when there is none.

        Nothing is read that stands at `stop` or behind it, which is for a reader who shares with nobody.
        """
        begins = self.offset, self._skipping
        if self._recent and (piece := self._recent.take(self._path, begins)):
            return piece
        data = self._next(stop)
        is_cut = self.offset < begins[0]
        if self._recent and is_cut:
            self._recent.forget(self._path)
        if not data:
            return None
        whole = self._recent is None or self._recent.shown == self._path
        piece = Piece(begins, self.offset, data, skipping=self._skipping, whole=whole)
        if self._recent and not is_cut:
            self._recent.keep(self._path, piece)
        return piece

    def taken(self, piece: Piece, end: int = 0) -> None:
        """Go on behind a piece, or from a line in it that ends at `end`."""
        self.offset, self._skipping = (end, False) if end and end < piece.end else (piece.end, piece.skipping)

    def _next(self, stop: int | None) -> bytes:
        self.readable = False
        if stop is not None and stop <= self.offset:
            return b""
        try:
            descriptor, size = open_regular(self._path)
        except OSError:
            return b""
        try:
            if size < self.offset:  # cut short: what it holds now is new
                self.rewind()
            data = self._whole(self._read(descriptor, size)[: None if stop is None else max(0, stop - self.offset)])
            self.readable = True
            return data
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, size: int) -> bytes:
        """Read on; a hole in the file is passed over at once, however large it is, with the line that it is in."""
        if self.offset < size and hasattr(os, "SEEK_DATA"):
            start = os.lseek(descriptor, self.offset, os.SEEK_DATA)
            self._skipping |= start > self.offset
            self.offset = start
        data = os.pread(descriptor, _BLOCK, self.offset)
        is_part = len(data) == _BLOCK and b"\n" not in data
        return os.pread(descriptor, AT_ONCE, self.offset) if is_part else data

    def _whole(self, data: bytes) -> bytes:
        """Cut at the last newline; a line that fills a piece is no message, and is passed over in pieces."""
        end = data.rfind(b"\n") + 1
        return data[:end] if end or len(data) < AT_ONCE else data


def _all_told(start: int, data: bytes, skipping: bool, requests: list[Request]) -> Iterator[Told]:
    """Read whole lines; requests that they tell of are added to `requests`."""
    for number, line in enumerate(data.split(b"\n")):
        end = start + len(line) + 1
        if number or not skipping:
            try:
                if (total := transcript_total(line)) is not None:
                    yield Told(start, end, total=total)
                else:
                    yield from (Told(start, end, message, None, _request_of(line)) for message in messages_of(line))
                    requests += _requests_in(start, line)
            except Damaged:
                yield Told(start, end)
        start = end


_REQUEST = pattern(rb'"requestRef":"([^"\\]{1,200})"')
_ERROR = b'"subtype":"api_error"', b'"isApiErrorMessage":true'
"""Where a request was refused and is made again, and where it is not (Claude Code 2.1.330 without a terminal)."""
_SHORT = 64 * 1024
"""Bytes of such a line at most."""


def _request_of(line: bytes) -> str:
    named = _REQUEST.search(line)
    return named[1].decode("utf-8", "replace") if named else ""


def _requests_in(start: int, line: bytes) -> Iterator[Request]:
    """Read the request that a line tells of, or that was refused."""
    asks = line.startswith(_ASKED)
    if len(line) > _SHORT or not (asks or any(mark in line for mark in _ERROR)):
        return
    try:
        entry = table(json.loads(line))
    except (ValueError, RecursionError):
        return
    at = moment(entry.get("timestamp"))
    if asks and (name := text(entry.get("id"), 200)) and at:
        yield Request(start, name, at)
    elif not asks and (name := text(entry.get("uuid"), 200)) and at and (status := _refused_with(entry)):
        yield Request(start, name, at, status)


def _refused_with(entry: dict[str, Any]) -> int:
    """The status with which a request was refused; 0: it was not, or nobody says."""
    status = whole(table(entry.get("error")).get("status"))
    if entry.get("type") == "assistant" and entry.get("isApiErrorMessage") is True:
        status = whole(entry.get("apiErrorStatus"))
    return status if 400 <= status <= 599 else 0


def _subagents(folder: str, depth: int = 0) -> list[str]:
    """Find the transcripts below a session's `subagents` folder."""
    paths: list[str] = []
    where = os.path.join(folder, "subagents") if depth == 0 else folder
    try:
        entries = list(os.scandir(where))[:_MOST_FILES]
    except OSError:
        return paths
    for entry in entries:
        if entry.name.endswith(".jsonl"):
            paths.append(entry.path)
        elif depth < _DEEPEST and entry.is_dir(follow_symlinks=False):
            paths += _subagents(entry.path, depth + 1)
    return paths[:_MOST_FILES]


_MARKS = b'"user"', b'"assistant"'
_GOES_ON = ("", "tool_use", "pause_turn")
"""Reasons to stop after which there is more to come. Where Claude Code asks again, a line of the user says so."""


def last_work(lines: bytes) -> tuple[bool | None, int]:
    """Whether a subagent was at work after the last of these whole lines that says so, and where that one ends.

    None and 0: none says so. A line that cannot be read is taken for one of work that goes on.
    """
    end = len(lines)
    while end >= 0:
        start = lines.rfind(b"\n", 0, end) + 1
        if any(lines.find(mark, start, end) >= 0 for mark in _MARKS):
            try:
                entry = table(json.loads(lines[start:end]))
            except (ValueError, RecursionError):
                return True, end
            if entry.get("type") in ("user", "assistant"):
                works = bool(entry.get("isSidechain")) and _goes_on(entry["type"], table(entry.get("message")))
                return works, end
        end = start - 1
    return None, 0


def _goes_on(kind: str, message: dict[str, object]) -> bool:
    if kind == "assistant":
        return text(message.get("stop_reason")) in _GOES_ON
    texts = [text(block.get("text"), 100) for block in tables(message.get("content"))]
    return not any(words.startswith(INTERRUPTED) for words in texts)


_TOKEN = 4
"""Bytes to a token."""

_ASKED = b'{"type":"api-request",'
_SETTLED = (b'"type":"assistant"', b'"type":"user"', b'"subtype":"api_error"')
"""What follows a request that was answered, interrupted or refused."""
_BARE = (b'{"type":"api-request-shape"', b'{"type":"api-request-blob"')
_FRAMES = ((b'"type":"user"', b'"uuid":'), (b'"type":"attachment"', b'"type":"attachment"'))
"""Lines that are a part of the prompt, and what follows that part in them."""
_COPY = b'"attachment":{"type":"prompt_snapshot"'
"""What stands in the others already."""


def in_flight(path: str, stop: int | None = None) -> Message | None:
    """Return the estimate of the request that a transcript, or what of it stands before `stop`, ends with.

    None when that was settled.
    """
    lines = _last_lines(path, stop)
    asked = next((number for number in range(len(lines) - 1, -1, -1) if lines[number].startswith(_ASKED)), None)
    if asked is None or any(sign in line for line in lines[asked + 1 :] for sign in _SETTLED):
        return None
    try:
        request = json.loads(lines[asked])
    except (ValueError, RecursionError):
        return None
    name, model = text(request.get("id"), 200), text(table(request.get("params")).get("model"), 200)
    if not name or not model:
        return None
    return Message(name, "", moment(request.get("timestamp")), model, _prompt(lines[:asked]), estimated=True)


def _prompt(lines: list[bytes]) -> Usage:
    """Estimate the prompt of a request from what stands before it."""
    size = cached = 0
    for line in reversed(lines):
        size += _said(line)
        if before := _answer(line):
            cached = before.usage.prompt + before.usage.output
            break
    return Usage(cache_write_5m=min(size // _TOKEN, MOST_TOKENS), cache_read=min(cached, MOST_TOKENS))


def _said(line: bytes) -> int:
    """Return the bytes of a line that are a part of the prompt."""
    if line.startswith(_BARE):
        return len(line)
    if _COPY in line[:400]:
        return 0
    return next((line.find(end) for sign, end in _FRAMES if sign in line), 0)


def _answer(line: bytes) -> Message | None:
    try:
        return message_of(line)
    except Damaged:
        return None


def _last_lines(path: str, stop: int | None) -> list[bytes]:
    """Read the last whole lines of a file, or of what stands before `stop`; none of one that cannot be read."""
    try:
        descriptor, size = open_regular(path)
    except OSError:
        return []
    size = size if stop is None else min(size, stop)
    try:
        data = os.pread(descriptor, min(size, AT_ONCE), max(0, size - AT_ONCE))
    except OSError:
        return []
    finally:
        os.close(descriptor)
    lines = data.split(b"\n")[:-1]
    return lines[1:] if size > AT_ONCE else lines
