"""What a screen remembers from one time to the next: a small file of its own. config.toml is never written."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from controlroom.domain.display.absence import Look
from controlroom.domain.display.layout import Layout, read, written

_MOST = 64 * 1024
"""Bytes of it at most."""


class Memory:
    """A few things by name. What cannot be read is forgotten, what cannot be written is not remembered."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def theme(self, configured: str) -> str:
        """Give the theme chosen on the screen; it holds as long as the config says what it said then."""
        known = self._read().get("theme")
        if isinstance(known, dict) and known.get("instead_of") == configured and isinstance(known.get("name"), str):
            return str(known["name"])
        return ""

    def remember_theme(self, name: str, configured: str) -> bool:
        """Remember the theme chosen instead of the one that the config names; says whether that could be done."""
        return self._write({**self._read(), "theme": {"name": name, "instead_of": configured}})

    def looked(self) -> Look | None:
        """Give when somebody looked last; None: nobody ever has."""
        known = self._read().get("looked")
        names = ("at", "billed", "covered")
        figures = [int(known[name]) for name in names if type(known.get(name)) is int] if type(known) is dict else []
        fit = len(figures) == len(names) and all(0 <= figure < 2**53 for figure in figures)
        return Look(*figures) if fit else None

    def remember_look(self, look: Look) -> bool:
        """Remember that somebody looks; says whether that could be done."""
        return self._write({**self._read(), "looked": asdict(look)})

    def layout(self) -> Layout:
        """Give how the screen was arranged."""
        return read(self._read().get("layout"))

    def remember_layout(self, layout: Layout) -> bool:
        """Remember how the screen is arranged; says whether that could be done."""
        return self._write({**self._read(), "layout": written(layout)})

    def _read(self) -> dict[str, Any]:
        try:
            with open(self._path, "rb") as file:
                known = json.loads(file.read(_MOST))
        except (OSError, ValueError, RecursionError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, known: Mapping[str, Any]) -> bool:
        """Replace the file in one step."""
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(known, file)
            beside.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            return False
        return True
