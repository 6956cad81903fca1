"""Watching files and folders for changes: inotify where there is one, else a look at each file ten times a second."""

import asyncio
import contextlib
import ctypes
import errno
import os
import struct
import sys
import time
from collections.abc import Callable, Collection

from controlroom.node.agent_folders import signature
from controlroom.text.lazy_named_tuple import NamedTuple

QUIET = 0.03
"""Seconds between two looks at what inotify has to say, at least."""

BEAT = 0.07
"""What comes meanwhile waits for the next whole beat of the host's clock, in seconds, and goes home together.

Hosts whose clocks agree speak at the same moments, so that who listens to all of them wakes up once for all.
"""

PASS = 0.1
"""Seconds between two passes over the living agents where there is no inotify."""

_EVENT = struct.Struct("iIII")
_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _ONLYDIR, _DONT_FOLLOW = 0x4000, 0x8000, 0x01000000, 0x02000000
_MASK = _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR | _DONT_FOLLOW
_TOUCHED = 0x4 | _ONLYDIR | _DONT_FOLLOW
"""Metadata alone: what is written, made or replaced does not count."""
_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK


def pause(now: float) -> float:
    """Return the seconds from `now` (UTC seconds) to the next look: `QUIET`, and on to a beat."""
    return QUIET + -(now + QUIET) % BEAT


class Change(NamedTuple):
    """Something happened to the file `name` in the watched `folder`. Both are empty when anything may have."""

    folder: str
    name: str


class Inotify:
    """Folders watched through the kernel, for all that happens to files in them or for touches (`utime`) alone.

    Raises `OSError` where there is no inotify.
    """

    def __init__(self, *, touched: bool = False) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "inotify is a part of Linux")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(self._libc.inotify_init1(_CLOEXEC_NONBLOCK))
        self._folders: dict[int, str] = {}
        self._mask = _TOUCHED if touched else _MASK

    def add(self, folder: str) -> None:
        """Watch a folder; watching it twice is watching it once. Raises `OSError`."""
        watch = self._checked(self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), self._mask))
        self._folders[watch] = folder

    def remove(self, folder: str) -> None:
        """Watch a folder no longer. One that is gone is no longer watched anyway."""
        for watch in [watch for watch, watched in self._folders.items() if watched == folder]:
            del self._folders[watch]
            self._libc.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> set[Change]:
        """Return what changed since the last call. Never waits."""
        changes: set[Change] = set()
        try:
            data = os.read(self.descriptor, 64 * 1024)
        except BlockingIOError:
            return changes
        position = 0
        while position < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, position)
            position += _EVENT.size + length
            name = os.fsdecode(data[position - length : position].rstrip(b"\0"))
            if mask & _OVERFLOW:
                changes.add(Change("", ""))
            elif mask & _IGNORED:
                self._folders.pop(watch, None)
            elif watch in self._folders:
                changes.add(Change(self._folders[watch], name))
        return changes

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


MOST = 500
"""Files that are watched; what is beyond is seen with the look once a second."""


class FileWatch:
    """Calls `changed` in the loop when one of the files that are followed has changed; `take` gives which."""

    def __init__(
        self, changed: Callable[[], None], *, inotify: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives UTC seconds."""
        self._tell, self._clock = changed, clock
        self._files: dict[str, tuple[int, ...]] = {}
        self._folders: set[str] = set()
        self._changed: set[str] = set()
        self._inotify: Inotify | None = None
        self._timer: asyncio.TimerHandle | None = None
        if inotify:
            with contextlib.suppress(OSError, AttributeError):
                self._inotify = Inotify()
        self._wait()

    def follow(self, files: Collection[str]) -> None:
        """Watch these files, and no others."""
        wanted = sorted(files)[:MOST]
        if self._inotify is None:
            self._files = {path: self._files[path] if path in self._files else signature(path) for path in wanted}
            return
        self._files = dict.fromkeys(wanted, ())
        folders = {os.path.dirname(path) for path in wanted}
        for folder in self._folders - folders:
            self._inotify.remove(folder)
        self._folders &= folders
        for folder in folders - self._folders:
            self._add(folder)

    def take(self) -> set[str]:
        """Return the files that have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def close(self) -> None:
        """Watch nothing more."""
        if self._timer:
            self._timer.cancel()
        self._drop()

    def _add(self, folder: str) -> None:
        """Watch a folder; when the kernel takes no more watches, do without."""
        if self._inotify is None:
            return
        try:
            self._inotify.add(folder)
            self._folders.add(folder)
        except FileNotFoundError:
            pass
        except OSError:
            self._drop()
            self._folders.clear()
            self._wait()

    def _drop(self) -> None:
        if self._inotify:
            asyncio.get_running_loop().remove_reader(self._inotify.descriptor)
            self._inotify.close()
            self._inotify = None

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
        if self._inotify:
            loop.add_reader(self._inotify.descriptor, self._soon)
        else:
            self._timer = loop.call_later(PASS, self._pass)

    def _soon(self) -> None:
        """Let a little more happen before it is read: a Claude writes its file and its transcript one after another."""
        if self._inotify:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._inotify.descriptor)
            self._timer = loop.call_later(pause(self._clock()), self._read)

    def _read(self) -> None:
        if self._inotify:
            for change in self._inotify.read():
                path = os.path.join(change.folder, change.name)
                self._changed |= {path} & self._files.keys() if change.folder else self._files.keys()
        self._done()

    def _pass(self) -> None:
        now = {path: signature(path) for path in self._files}
        self._changed |= {path for path, stamp in now.items() if stamp != self._files[path]}
        self._files = now
        self._done()

    def _done(self) -> None:
        if self._changed:
            self._tell()
        self._wait()
