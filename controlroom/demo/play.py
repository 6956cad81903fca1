"""`controlroom demo`: build a world, send its agents on stage, show the screen, take everything down."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from controlroom.demo.cast import NATURAL, CastMember, Pace, QueuedTask, cast, queued
from controlroom.demo.world import NoDemo, World

Direct = Callable[[Sequence[CastMember], Sequence[QueuedTask], Callable[[], None]], str]
"""Starts the agents of a room (that of this process's environment), interrupts those that are to be, and fills the
queue; returns why it could not, or an empty text. Calls the function it is given once the room's engine answers, before
the first agent."""

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SCREEN_GRACE = 5.0
"""Seconds that the screen has to give the terminal back when we are told to end."""


_OFF = "".join(f"\x1b[?{mode}l" for mode in (1000, 1002, 1003, 1004, 1006, 1015, 2004))
_USUAL = f"{_OFF}\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"
"""Mouse, focus and paste reports off, lines wrapped, the main screen and its cursor back (xterm control sequences)."""


class Told(SystemExit):
    """We were told to end, by this signal. An event loop keeps any other exception for itself that is raised in it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def play(agents: int, hold: bool, direct: Direct, namespace_of: Callable[[str], str], pace: Pace = NATURAL) -> int:
    """Play a demo to its end; give its exit code. Raises `NoDemo`.

    `hold`: without the screen, until a signal comes. `direct` runs beside the screen, with the room's environment.
    """
    if not hold and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NoDemo("the demo is a screen and needs a terminal; without one there is: controlroom demo --hold")
    for number in _ENDINGS:
        signal.signal(number, _tell)
    try:
        with World(cast(agents), os.environ, namespace_of, pace) as world:
            os.environ.update(world.environ)
            return _hold(world, direct) if hold else _show(world, direct)
    except Told as told:
        return 0 if told.number == signal.SIGINT and hold else 128 + told.number


def _show(world: World, direct: Direct) -> int:
    """Run the screen as a process of its own: however it ends, we are here to clean up."""
    terminal = termios.tcgetattr(sys.stdin)
    screen = subprocess.Popen([sys.executable, "-m", "controlroom"])
    threading.Thread(target=direct, args=(world.parts, queued(world.parts), lambda: None), daemon=True).start()
    try:
        screen.wait()
    except Told:
        _end(screen)
        raise
    finally:
        if screen.returncode < 0:
            _give_back(terminal)
    return screen.returncode if screen.returncode >= 0 else 128 - screen.returncode


def _end(screen: subprocess.Popen[bytes]) -> None:
    screen.terminate()
    try:
        screen.wait(_SCREEN_GRACE)
    except subprocess.TimeoutExpired:
        screen.kill()
        screen.wait()


def _give_back(terminal: list[Any]) -> None:
    """Make the terminal usable again after a screen that could not do so itself."""
    with contextlib.suppress(OSError, termios.error):
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, terminal)
        sys.stdout.write(_USUAL)
        sys.stdout.flush()


def _hold(world: World, direct: Direct) -> int:
    """Name the room once its engine answers: a verb that came earlier would start an engine without our environment."""

    def announce() -> None:
        sys.stdout.write(f"CONTROLROOM_HOME={world.folder}\n")
        sys.stdout.flush()

    if problem := direct(world.parts, queued(world.parts), announce):
        raise NoDemo(problem)
    while True:
        signal.pause()


def _tell(number: int, _frame: FrameType | None) -> None:
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise Told(number)


__all__ = ["Direct", "NoDemo", "play"]
