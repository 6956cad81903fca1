"""Sends home what the agents here have used: each epoch's usage file, piece by piece, as home books it."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace

from controlroom.node.agent_folders import Entry, entries, entry_of, read_status, signature
from controlroom.node.observation.usage_restored import restore
from controlroom.runner.files import open_regular
from controlroom.runner.folder import USAGE
from controlroom.wire.lines import PeerError
from controlroom.wire.usage import USAGE_OPEN, USAGE_PIECE, SendUsage, UsageBooked, UsageOrder, UsagePlace, UsageSeen

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
        for known in (self._open, self._waiting, self._settled):
            known.clear()
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
        stands = signature(os.path.join(entry.folder, USAGE))
        if not stands or stands == self._settled.get(key):
            return
        if piece := _piece(entry, self._booked.get(key)) or self._lost(entry, key):
            self._open.add(key)
            self._send(replace(piece, billing=_payer(entry)))
        else:
            self._settled[key] = stands

    def _lost(self, entry: Entry, key: Key) -> UsageSeen | None:
        """Give an empty piece when what was booked of a file is not there any more, and nothing can be written back."""
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
    """Say who pays for an epoch, as its runner wrote it down when it began; empty when that cannot be read."""
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
