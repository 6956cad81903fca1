"""Being told when files of the Claudes of others change: through inotify, else by a look at each ten times a second."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Collection

from controlroom.node.agent_folders import signature
from controlroom.node.logs.inotify import Inotify
from controlroom.node.observation.observer import PASS, pause

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
        """Give the files that have changed since the last call."""
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
        self._changed |= {path for path, seen in now.items() if seen != self._files[path]}
        self._files = now
        self._done()

    def _done(self) -> None:
        if self._changed:
            self._tell()
        self._wait()
