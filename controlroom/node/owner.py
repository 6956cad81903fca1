"""Who may act on this host: one room, named in `owner.json`; others may look."""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controlroom.runner.files import make_private, read_regular, write_atomic
from controlroom.runner.folder import OWNER
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.lines import PeerError, from_line, to_line

_TRIES, PAUSE = 100, 0.01
"""How often, and after how many seconds, a lock is tried again that somebody else holds."""


class Owner(NamedTuple):
    """The room that owns a host ("" when none does yet) and how often that has changed hands."""

    room: str = ""
    epoch: int = 0


class Ownership:
    """What `owner.json` says, read anew at every question: another room may have taken the host meanwhile."""

    def __init__(self, state: str, room: str, *, read_only: bool) -> None:
        self._state, self._room, self._read_only = state, room, read_only
        self._path = os.path.join(state, OWNER)

    def current(self) -> Owner:
        """Return the present owner. Raises `PeerError` when the file is damaged."""
        try:
            value = from_line(read_regular(self._path, 4096))
        except FileNotFoundError:
            return Owner()
        except OSError as error:
            raise PeerError(str(error)) from None
        room, epoch = value.get("room"), value.get("epoch")
        if not isinstance(room, str) or not isinstance(epoch, int):
            raise PeerError("it does not hold a room and an epoch")
        return Owner(room, epoch)

    def mine(self) -> bool:
        """Return whether this room owns the host and may act."""
        try:
            return not self._read_only and bool(self._room) and self.current().room == self._room
        except PeerError:
            return False

    def refusal(self) -> str:
        """Return why this room may not act here, "" when it may. The first room that asks becomes the owner."""
        if self._read_only:
            return "this connection is read-only"
        try:
            owner = self.current()
            if not owner.room:
                owner = self._change(lambda found: found if found.room else Owner(self._room, 1))
        except (OSError, PeerError) as error:
            return f"{self._path} cannot be used: {error}. Repair it or say: controlroom host take NAME"
        if owner.room == self._room:
            return ""
        return f"this host belongs to another control room ({owner.room[:12]}); to act here: controlroom host take NAME"

    def take(self) -> str:
        """Make this room the owner; return why that is refused, "" when it is done."""
        if self._read_only:
            return "this connection is read-only"
        try:
            self._change(lambda found: Owner(self._room, found.epoch + 1))
        except OSError as error:
            return f"{self._path} cannot be written: {error}"
        return ""

    def _change(self, decide: Callable[[Owner], Owner]) -> Owner:
        make_private(self._state)
        with _locked(self._state):
            try:
                before = self.current()
            except PeerError:
                before = Owner()
            owner = decide(before)
            if owner != before:
                write_atomic(self._path, to_line(owner._asdict()))
        return owner


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Hold the lock of a folder. Raises `OSError` when somebody else keeps it: an agent can, as it is the same user."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for left in range(_TRIES, -1, -1):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    raise OSError(errno.EAGAIN, f"another process keeps {folder} locked (fuser {folder})") from None
                time.sleep(PAUSE)
        yield
    finally:
        os.close(descriptor)
