"""`controlroom demo`: build a world, send its agents on stage, show the screen, take everything down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

from controlroom.demo.cast import NATURAL, Pace, Part, cast
from controlroom.demo.world import NoDemo, World

Direct = Callable[[Sequence[Part]], None]
"""Starts the agents of a room (that of this process's environment), and interrupts those that are to be."""

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SCREEN_GRACE = 5.0
"""Seconds that the screen has to give the terminal back when we are told to end."""


class _Told(BaseException):
    """We were told to end, by this signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def play(agents: int, hold: bool, direct: Direct, namespace_of: Callable[[str], str], pace: Pace = NATURAL) -> int:
    """Play a demo to its end; give its exit code. Raises `NoDemo`.

    `hold`: without the screen, until a signal comes. `direct` runs beside the screen, with the room's environment.
    """
    for number in _ENDINGS:
        signal.signal(number, _tell)
    try:
        with World(cast(agents), os.environ, namespace_of, pace) as world:
            os.environ.update(world.environ)
            return _hold(world, direct) if hold else _show(world, direct)
    except _Told as told:
        return 0 if told.number == signal.SIGINT and hold else 128 + told.number


def _show(world: World, direct: Direct) -> int:
    """Run the screen as a process of its own: however it ends, we are here to clean up."""
    screen = subprocess.Popen([sys.executable, "-m", "controlroom"])
    threading.Thread(target=direct, args=(world.parts,), daemon=True).start()
    try:
        return screen.wait()
    except _Told:
        _end(screen)
        raise


def _end(screen: subprocess.Popen[bytes]) -> None:
    screen.terminate()
    try:
        screen.wait(_SCREEN_GRACE)
    except subprocess.TimeoutExpired:
        screen.kill()
        screen.wait()


def _hold(world: World, direct: Direct) -> int:
    sys.stdout.write(f"CONTROLROOM_HOME={world.folder}\n")
    sys.stdout.flush()
    direct(world.parts)
    while True:
        signal.pause()


def _tell(number: int, _frame: FrameType | None) -> None:
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise _Told(number)


__all__ = ["Direct", "NoDemo", "play"]
