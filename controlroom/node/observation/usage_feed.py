"""Sends home what agents have used, each epoch's usage file piece by piece as home books it, and what plans leave.

A usage file only grows. Where it does not (emptied, cut short, replaced), lines that home has not booked may be lost;
the messages among them stand in the transcripts, and are written back. What stands in no transcript (titles,
classifiers) is gone. An agent's limits.json goes home whenever it says something else.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import to_line
from controlroom.node.agent_folders import Entry, entries, entry_of, read_order, read_status, signature
from controlroom.runner.claude import settings
from controlroom.runner.claude.transcripts import Tail, session_files
from controlroom.runner.files import open_regular, read_regular
from controlroom.runner.folder import LIMITS, USAGE
from controlroom.text.json_fields import table
from controlroom.wire.codec import decode
from controlroom.wire.lines import PeerError, from_line
from controlroom.wire.records import FORMAT
from controlroom.wire.usage import (
    USAGE_OPEN,
    USAGE_PIECE,
    LimitsSeen,
    SendUsage,
    UsageBooked,
    UsageOrder,
    UsagePlace,
    UsageSeen,
)

MOST = 20_000
"""Messages that are written back at most."""


def restore(entry: Entry) -> int:
    """Write what the transcripts tell back into an agent's usage file; return how many messages these were.

    Home knows each message again, so that none counts twice. Raises `OSError`.
    """
    messages: dict[tuple[str, str], Message] = {}
    for path in _transcripts(entry):
        tail = Tail(path)
        while len(messages) < MOST and (piece := tail.next()):
            messages |= {message.key: message for message in piece.messages}
            tail.taken(piece)
    lines = b"".join(map(to_line, messages.values()))
    if lines:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(os.path.join(entry.folder, USAGE), flags)
        try:
            os.write(descriptor, lines)
        finally:
            os.close(descriptor)
    return len(messages)


def _transcripts(entry: Entry) -> list[str]:
    try:
        status = read_status(entry)
    except PeerError:
        return []
    if status is None or not status.session:
        return []
    ordered = table(table(read_order(entry).get("spec")).get("env"))
    environ = {name: value for name, value in ordered.items() if isinstance(value, str)}
    config = settings.config_folder(environ, status.cwd)
    return session_files(config, status.cwd, status.session)


_HEAD = 256
"""Bytes that tell one file from another: the first line names the first message."""

Key = tuple[str, int]


class UsageFeed:
    """What home has booked, what is under way, and what waits. Sends nothing before home has asked."""

    def __init__(self, state: str, send: Callable[[UsageSeen], None]) -> None:
        self._state, self._send = state, send
        self._booked: dict[Key, UsagePlace] = {}
        self._settled: dict[Key, tuple[int, ...]] = {}
        """The file as it stood when all of it was booked."""
        self._open: set[Key] = set()
        self._waiting: dict[Key, Entry] = {}
        self._asked = False

    def take(self, order: UsageOrder) -> None:
        """Take what home has to say."""
        if isinstance(order, SendUsage):
            self.begin(order)
        else:
            self.booked(order)

    def begin(self, asked: SendUsage) -> None:
        """Send from the places home names, whatever was sent before."""
        self._booked = {(place.name, place.epoch): place for place in asked.places}
        for state in (self._open, self._waiting, self._settled):
            state.clear()
        self._asked = True
        self.look()

    def look(self) -> None:
        """Look at every epoch of every agent."""
        if self._asked:
            for entry in entries(self._state):
                self.touch(entry)

    def touch(self, entry: Entry) -> None:
        """An agent's file may have grown."""
        key = entry.name, entry.epoch
        if not self._asked or key in self._open:
            return
        if len(self._open) >= USAGE_OPEN:
            self._waiting[key] = entry
        else:
            self._advance(key, entry)

    def _advance(self, key: Key, entry: Entry) -> None:
        current = signature(os.path.join(entry.folder, USAGE))
        if not current or current == self._settled.get(key):
            return
        if piece := _piece(entry, self._booked.get(key)) or self._lost(entry, key):
            self._open.add(key)
            self._send(replace(piece, billing=_payer(entry)))
        else:
            self._settled[key] = current

    def _lost(self, entry: Entry, key: Key) -> UsageSeen | None:
        """Return an empty piece when what was booked of a file is gone, and nothing can be written back."""
        booked = self._booked.get(key)
        if booked is None or not booked.offset or os.path.getsize(os.path.join(entry.folder, USAGE)):
            return None
        return UsageSeen(UsagePlace(entry.name, entry.epoch, 0), 0, "", lost=True)

    def booked(self, told: UsageBooked) -> None:
        """Home has booked a piece: the next may go."""
        key = told.place.name, told.place.epoch
        self._booked[key] = told.place
        self._open.discard(key)
        if entry := entry_of(self._state, *key):
            self._waiting[key] = entry
        waiting, self._waiting = self._waiting, {}
        for entry in waiting.values():
            self.touch(entry)


def _payer(entry: Entry) -> str:
    """Return who pays for an epoch, as its runner wrote it down when it began; empty when that cannot be read."""
    try:
        status = read_status(entry)
    except PeerError:
        return ""
    return status.billing if status else ""


def _piece(entry: Entry, booked: UsagePlace | None) -> UsageSeen | None:
    """Read the whole lines that come next; None when there are none."""
    try:
        descriptor, size = open_regular(os.path.join(entry.folder, USAGE))
    except OSError:
        return None
    try:
        mark = mark_of(descriptor)
        lost = booked is not None and (booked.offset > size or booked.mark not in ("", mark))
        if lost:
            with contextlib.suppress(OSError):
                restore(entry)
            size, mark = os.fstat(descriptor).st_size, mark_of(descriptor)
        if booked is not None and booked.offset == size and not lost:
            return None
        place = UsagePlace(entry.name, entry.epoch, booked.offset if booked and not lost else 0, mark)
        piece = _lines(place, os.pread(descriptor, USAGE_PIECE, place.offset))
        return replace(piece, lost=lost) if piece else None
    finally:
        os.close(descriptor)


def mark_of(descriptor: int) -> str:
    """Name a file by its first line, once that is whole."""
    head = os.pread(descriptor, _HEAD, 0)
    line = head.partition(b"\n")[0] if b"\n" in head else head if len(head) == _HEAD else b""
    return hashlib.sha256(line).hexdigest()[:12] if line else ""


def _lines(place: UsagePlace, data: bytes) -> UsageSeen | None:
    """Keep the whole lines; a line that fills a piece is damage, and is passed over in steps."""
    end = data.rfind(b"\n") + 1
    if not end and len(data) < USAGE_PIECE:
        return None
    whole = data[:end]
    return UsageSeen(place, place.offset + (end or len(data)), whole.decode("utf-8", "replace"))


_LIMIT = 64 * 1024
_MOST_WINDOWS, _TEXT = 32, 200


class LimitsFeed:
    """What home has been told."""

    def __init__(self, send: Callable[[LimitsSeen], None]) -> None:
        self._send = send
        self._stands: dict[str, tuple[int, ...]] = {}

    def touch(self, entry: Entry) -> None:
        """An agent's file may have been replaced."""
        current = signature(os.path.join(entry.folder, LIMITS))
        if not current or current == self._stands.get(entry.folder):
            return
        self._stands[entry.folder] = current
        if limits := read_limits(entry):
            self._send(limits)

    def forget(self, entry: Entry) -> None:
        """An agent's folder is no longer looked at."""
        self._stands.pop(entry.folder, None)


def read_limits(entry: Entry) -> LimitsSeen | None:
    """Read an agent's limits.json; None when there is none that can be read."""
    try:
        value = from_line(read_regular(os.path.join(entry.folder, LIMITS), _LIMIT))
        limits = decode(LimitsSeen, {**value, "name": entry.name, "epoch": entry.epoch})
    except (OSError, PeerError):
        return None
    if value.get("format") != FORMAT:
        return None
    windows = tuple(replace(window, name=window.name[:_TEXT]) for window in limits.windows[:_MOST_WINDOWS])
    return replace(limits, account=limits.account[:_TEXT], plan=limits.plan[:_TEXT], windows=windows)
