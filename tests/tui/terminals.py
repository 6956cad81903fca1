"""The stage in real terminals: panes of a tmux of their own."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for

ROOT = Path(__file__).parent.parent.parent
STAGE = f"{sys.executable} -m tests.tui.stage"


class Stage:
    """Opens terminals, and closes them when the test is over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: list[Terminal] = []

    def __call__(
        self, how: str = "", size: tuple[int, int] = (120, 40), env: Mapping[str, str] | None = None
    ) -> Terminal:
        settings = " ".join(f"{name}={value}" for name, value in (env or {}).items())  # TERM would be tmux's own
        command = f"env {settings} {STAGE} {how}; code=$?; stty -a; echo left with $code; sleep 600"
        terminal = Terminal(self._folder / str(len(self._open)), command, *size, cwd=ROOT)
        self._open.append(terminal)
        return terminal

    def close(self) -> None:
        for terminal in self._open:
            terminal.close()


def settled(terminal: Terminal) -> int:
    """Wait until nothing more is written; gives how many bytes there were."""

    def still() -> int:
        before = len(terminal.raw())
        time.sleep(0.4)
        assert before == len(terminal.raw())
        return before

    return wait_for(still, 20, "the screen to come to rest")


def stays_still(terminal: Terminal, seconds: float = 2.2) -> None:
    """Wait until nothing is written for so long: more than two beats of its clock."""

    def still() -> bool:
        before = len(terminal.raw())
        time.sleep(seconds)
        return before == len(terminal.raw())

    wait_for(still, 5, "the screen to write nothing more")


def app_of(terminal: Terminal) -> int:
    return next(child.pid for child in psutil.Process(terminal.pid()).children())


def modes(terminal: Terminal) -> dict[str, str]:
    """What a program has done to its terminal, as tmux sees it."""
    names = ("alternate_on", "cursor_flag", "mouse_any_flag")
    flags = terminal.tmux("display-message", "-p", " ".join(f"#{{{name}}}" for name in names))
    return dict(zip(names, flags.split(), strict=True))


def assert_restored(terminal: Terminal, code: int) -> None:
    screen = terminal.wait_for_text(f"left with {code}")
    assert {"icanon", "echo", "isig", "icrnl", "ixon"} <= set(screen.split())
    assert modes(terminal) == {"alternate_on": "0", "cursor_flag": "1", "mouse_any_flag": "0"}
    for end in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[?7h"):
        assert end in terminal.raw()
