"""Being told that something was created in a folder, as a signal: what hundreds of runners can afford.

A user has 128 inotify instances by default, and Claude Code takes some of them; F_NOTIFY (Linux, fcntl(2)) has no such
limit. It says only that something happened, so whoever is told looks. Read by the runner, which must stay small.
"""

import fcntl
import os
import signal
from collections.abc import Iterable

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
        wanted = {_nearest(folder) for folder in folders}
        for folder in self._watched.keys() - wanted:
            os.close(self._watched.pop(folder)[0])
        watched = [self._watches(folder) for folder in sorted(wanted)]
        self.folders = folders if wanted == set(folders) else []
        return all(watched)

    def close(self) -> None:
        """Watch nothing any more."""
        self.watch(())

    def _watches(self, folder: str) -> bool:
        """Watch one folder, another one of the same name in its place."""
        if not hasattr(fcntl, "F_NOTIFY") or not callable(signal.getsignal(SIGNAL)):
            return False
        known = self._watched.get(folder)
        try:
            there = os.stat(folder)
            if known and known[1] == (there.st_dev, there.st_ino):
                return True
            if known:
                os.close(self._watched.pop(folder)[0])
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._watched[folder] = descriptor, (there.st_dev, there.st_ino)
            fcntl.fcntl(descriptor, fcntl.F_NOTIFY, sum(getattr(fcntl, name) for name in _WHAT))
        except OSError:
            return False
        return True


def _nearest(folder: str) -> str:
    """Give a folder, or the nearest one above it that is there."""
    while not os.path.isdir(folder) and (above := os.path.dirname(folder)) != folder:
        folder = above
    return folder
