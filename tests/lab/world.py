"""A throw-away world for one test: HOME, CONTROLROOM_HOME and a tmux socket folder of its own.

It lies under a short name in /tmp, because the path of a unix socket ends at 107 bytes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.lab.processes import Process, belonging_to, sweep, ticks
from tests.lab.terminal import Terminal

FOREIGN: tuple[str, ...] = (
    "XDG_",
    "TMUX",
    "CLAUDE",
    "ANTHROPIC_",
    "CONTROLROOM_",
    "SSH_",
    "TEXTUAL",
    "AI_AGENT",
    "IS_SANDBOX",
)
FOREIGN += ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "LINES", "MAIL", "ESCDELAY", "PYTEST_")
KEPT = ("CONTROLROOM_TEST_", "PYTEST_VERSION", "PYTEST_CURRENT_TEST")
OURS = ("controlroom", "tmux: server")  # in the command line or the name of what must not be left over


class World:
    """One test's own place on this machine."""

    def __init__(self) -> None:
        self.made = ticks()
        self.directory = Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
        self.home = self.directory / "home"
        self.room = self.directory / "room"
        self.tmux = self.directory / "tmux"
        self.terminals: list[Terminal] = []
        self.beyond: list[Callable[[], Iterable[Process]]] = []
        for folder in (self.home, self.room, self.tmux):
            folder.mkdir(mode=0o700)

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """A whole environment: `base` (this process's own) without what would leak in, pointing here."""
        base = os.environ if base is None else base
        kept = {name: value for name, value in base.items() if not leaks(name)}
        folder = str(Path(sys.executable).parent)
        path = kept.get("PATH", os.defpath).split(os.pathsep)
        return {
            **kept,
            "PATH": os.pathsep.join([folder, *(entry for entry in path if entry != folder)]),
            "HOME": str(self.home),
            "CONTROLROOM_HOME": str(self.room),
            "TMUX_TMPDIR": str(self.tmux),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }

    def processes(self) -> list[Process]:
        """Every process of this world on this machine."""
        return belonging_to(self.directory, self.made)

    def watch(self, find: Callable[[], Iterable[Process]]) -> None:
        """Count the processes that `find` gives (those of a host) among the possible left-overs."""
        self.beyond.append(find)

    def leftovers(self) -> list[Process]:
        """Engines, nodes, runners and tmux servers that live here or on a host of this world."""
        places = [self.processes(), *(find() for find in self.beyond)]
        return [process for place in places for process in place if is_ours(process)]

    def close(self) -> list[Process]:
        """End every process and remove the directory; returns processes that would not end."""
        resisted = sweep(self.directory, self.made)
        shutil.rmtree(self.directory, ignore_errors=True)
        return resisted


def leaks(name: str) -> bool:
    """Whether a variable of the developer's own shell could change what a test sees."""
    return name.startswith(FOREIGN) and not name.startswith(KEPT)


def is_ours(process: Process) -> bool:
    """Whether this is an engine, a node, a runner or a tmux server."""
    return any(mark in process.command or process.name.startswith(mark) for mark in OURS)
