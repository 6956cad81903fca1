"""Being told that something changed in a folder: inotify where there is one, else nothing, and one looks oneself."""

import ctypes
import errno
import os
import struct
import sys
from typing import NamedTuple

_EVENT = struct.Struct("iIII")
_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _ONLYDIR, _DONT_FOLLOW = 0x4000, 0x8000, 0x01000000, 0x02000000
_MASK = _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR | _DONT_FOLLOW
_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK


class Change(NamedTuple):
    """Something happened to the file `name` in the watched `folder`. Both are empty when anything may have."""

    folder: str
    name: str


class Inotify:
    """Folders watched through the kernel. Raises `OSError` where there is no inotify."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "inotify is a part of Linux")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(self._libc.inotify_init1(_CLOEXEC_NONBLOCK))
        self._folders: dict[int, str] = {}

    def add(self, folder: str) -> None:
        """Watch a folder; watching it twice is watching it once. Raises `OSError`."""
        watch = self._checked(self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), _MASK))
        self._folders[watch] = folder

    def remove(self, folder: str) -> None:
        """Watch a folder no longer. One that is gone is no longer watched anyway."""
        for watch in [watch for watch, watched in self._folders.items() if watched == folder]:
            del self._folders[watch]
            self._libc.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> set[Change]:
        """Give what changed since the last call. Never waits."""
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
        """Give the descriptor back."""
        os.close(self.descriptor)

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
