"""What the screen remembers from one run to the next: theme, layout, last look. config.toml is never written."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controlroom.domain.display.layout import Layout, read, written
from controlroom.domain.model import Fleet
from controlroom.tui.terminal.throttle import NARROW

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.domain.news import Look

_MOST = 64 * 1024
"""Bytes of it at most."""


class Terminal(Enum):
    """A kind of terminal, by the name that its layout is kept under."""

    DESK = "layout"
    PHONE = "phone_layout"


class KeptFile:
    """A few things by name, in a file. What cannot be read is forgotten, what cannot be written is not remembered."""

    def __init__(self, path: Path, most: int = _MOST) -> None:
        """`most`: bytes of it at most."""
        self._path, self._limit = path, most

    def read(self) -> dict[str, Any]:
        """What it holds."""
        try:
            with open(self._path, "rb") as file:
                values = json.loads(file.read(self._limit))
        except (OSError, ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) else {}

    def write(self, values: Mapping[str, Any]) -> bool:
        """Replace the file in one step; says whether that could be done."""
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(values, file)
            beside.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            return False
        return True


class Memory:
    """What the screen remembers, by name."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, KeptFile(path)

    def beside(self, name: str, most: int) -> KeptFile:
        """A file of its own for what is larger: up to `most` bytes."""
        return KeptFile(self._path.with_name(name), most)

    def theme(self, configured: str) -> str:
        """The theme chosen on the screen; it holds as long as the config says what it said then."""
        choice = self._file.read().get("theme")
        if isinstance(choice, dict) and choice.get("instead_of") == configured and isinstance(choice.get("name"), str):
            return str(choice["name"])
        return ""

    def remember_theme(self, name: str, configured: str) -> bool:
        """Remember the theme chosen instead of the one that the config names; says whether that could be done."""
        return self._file.write({**self._file.read(), "theme": {"name": name, "instead_of": configured}})

    def looked(self) -> Look | None:
        """The last look at the screen; None: nobody ever looked."""
        stored = self._file.read().get("looked")
        names = ("at", "billed", "covered")
        figures = [int(stored[name]) for name in names if type(stored.get(name)) is int] if type(stored) is dict else []
        fit = len(figures) == len(names) and all(0 <= figure < 2**53 for figure in figures)
        if not fit:
            return None
        from controlroom.domain.news import Look

        return Look(*figures)

    def remember_look(self, look: Look) -> bool:
        """Remember a look; whether that could be written."""
        return self._file.write({**self._file.read(), "looked": asdict(look)})

    def layout(self, terminal: Terminal) -> Layout:
        """How the screen was arranged on terminals of this kind."""
        return read(self._file.read().get(terminal.value))

    def remember_layout(self, terminal: Terminal, layout: Layout) -> bool:
        """Remember how the screen is arranged on terminals of this kind; says whether that could be done."""
        return self._file.write({**self._file.read(), terminal.value: written(layout)})


_KEEP = 60_000
"""Milliseconds between two writings of it at least."""


class LastLook:
    """Keeps the last look, and the one before an absence; times are UTC milliseconds.

    What stood on the screen is summed up when that is asked for, not at each key.
    """

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._last = memory.looked() if memory else None
        self._seen: tuple[Fleet, int] | None = None
        """What was seen since, and when, while that is not summed up."""
        self._before: Look | None = None
        self._kept = 0

    def touched(self, fleet: Fleet, now: int) -> None:
        """Note that a key was pressed or the screen tapped."""
        if self._was_away(now):
            self._before = self._look()
        self._seen = fleet, now
        if self._memory is not None and now - self._kept >= _KEEP and (last := self._look()):
            self._kept = now
            self._memory.remember_look(last)

    def before(self, now: int) -> Look | None:
        """The look before an absence; None: nobody was away."""
        return self._look() if self._was_away(now) else self._before

    def leave(self, fleet: Fleet, now: int) -> None:
        """The screen closes: what was on it was seen."""
        self._kept = 0
        self.touched(fleet, now)

    def _was_away(self, now: int) -> bool:
        at = self._looked_at()
        if at is None:
            return False
        from controlroom.domain.news import AWAY

        return now - at >= AWAY

    def _looked_at(self) -> int | None:
        if self._seen is not None:
            return self._seen[1]
        return self._last.at if self._last else None

    def _look(self) -> Look | None:
        """The last look."""
        from controlroom.domain.news import look

        if self._seen is not None:
            self._last, self._seen = look(*self._seen), None
        return self._last


class Layouts:
    """Keeps a layout for each kind of terminal; screens read the present one here each time they draw."""

    def __init__(self, memory: Memory | None) -> None:
        """Begin with what was remembered; without a memory with what everybody begins with."""
        self._memory = memory
        self._layouts = {kind: memory.layout(kind) if memory else Layout() for kind in Terminal}
        self._terminal = Terminal.DESK

    @property
    def now(self) -> Layout:
        """How things are arranged."""
        return self._layouts[self._terminal]

    def fit(self, width: int) -> None:
        """Use the layout of terminals that are so many columns wide."""
        self._terminal = Terminal.PHONE if width < NARROW else Terminal.DESK

    def change(self, **changes: object) -> None:
        """Arrange them otherwise from now on, next time too."""
        before, now = self.now, replace(self.now, **changes)  # type: ignore[arg-type]
        self._layouts[self._terminal] = now
        if self._memory is not None and now != before:
            self._memory.remember_layout(self._terminal, now)
