"""Gives the terminal back as it was, whatever ended the screen or stopped it: a key, a signal, an error of our own.

Textual restores the terminal when it ends in order. This module does so when that takes too long or never began.
After SIGKILL nobody can: type `reset`.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import termios
import threading
from contextlib import AbstractContextManager
from functools import partial
from types import FrameType
from typing import Any, Protocol

from textual.drivers.linux_driver import LinuxDriver

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""What ends the screen in order. Ctrl-C and Ctrl-\\ are keys there; these come from elsewhere."""
_GRACE = 1.0
"""Seconds that leaving may take after a signal; a terminal that is gone must not hold us."""
_LAST = 0.5
"""Seconds for the very last words to a terminal that may be gone."""
_IN, _OUT = 0, 1
"""Where the terminal is. Textual puts something else in the place of sys.stdout while it runs."""
_OFF = "".join(f"\x1b[?{mode}l" for mode in (1000, 1002, 1003, 1004, 1006, 1015, 1016, 2004, 2048))
_USUAL = f"\x1b[0m{_OFF}\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h"
"""Mouse, focus, paste and size reports off, lines wrapped, the main screen and its cursor back (xterm's ctlseqs)."""


class Leaver(Protocol):
    """What is left: an app."""

    told: int
    """The exit code that a signal told it to leave with; 0: none did."""

    def exit(self, *, return_code: int) -> None:
        """Leave in order."""


class Stoppable(Protocol):
    """What can be stopped for a while: an app."""

    @property
    def told(self) -> int:
        """The exit code that a signal told it to leave with; 0: none did."""

    def suspend(self) -> AbstractContextManager[None]:
        """Return the terminal back, and take it again."""


class Kept:
    """A terminal as it was."""

    def __init__(self) -> None:
        self._attributes: list[Any] | None = None
        with contextlib.suppress(OSError, ValueError, termios.error):
            self._attributes = termios.tcgetattr(_IN)

    def give_back(self) -> None:
        """Make the terminal what it was; one that is gone is no error."""
        with contextlib.suppress(OSError, ValueError, termios.error):
            if self._attributes is not None:
                termios.tcsetattr(_IN, termios.TCSANOW, self._attributes)
            os.write(_OUT, _USUAL.encode())


class Leaving:
    """Leaves an app when a signal comes."""

    def __init__(self, app: Leaver, kept: Kept) -> None:
        self._app, self._kept = app, kept
        self._loop: asyncio.AbstractEventLoop | None = None
        for number in SIGNALS:
            signal.signal(number, self._told)

    def running(self) -> None:
        """The app runs: from now on it can be asked to leave."""
        self._loop = asyncio.get_running_loop()
        signal.signal(signal.SIGINT, self._told)  # asyncio has put its own there meanwhile

    def _told(self, number: int, _frame: FrameType | None) -> None:
        code = self._app.told = 128 + number
        for stops in (signal.SIGTTOU, signal.SIGTTIN):  # what is stopped now is never gone on with
            signal.signal(stops, signal.SIG_IGN)
        last_resort = threading.Timer(_GRACE, self._at_once, (code,))
        last_resort.daemon = True
        last_resort.start()
        if self._loop is None:
            raise SystemExit(code)
        with contextlib.suppress(RuntimeError):  # it is over already
            self._loop.call_soon_threadsafe(partial(self._app.exit, return_code=code))

    def _at_once(self, code: int) -> None:
        last_words = threading.Thread(target=self._kept.give_back, daemon=True)
        last_words.start()
        last_words.join(_LAST)
        os._exit(code)


def shell_waits() -> bool:
    """Whether a shell would go on when we stop: one that started our process group, in this session.

    Without one (a command of tmux, of `ssh -t`) a stopped screen would be stopped for ever.
    """
    group = os.getpgrp()
    try:
        return os.getsid(_parent(group)) == os.getsid(0)
    except (OSError, ValueError, subprocess.SubprocessError):
        return False


def stop(screen: Stoppable) -> bool:
    """Return the terminal back and stop, with the whole process group, until the shell continues it; whether it did."""
    if not shell_waits():
        return False
    with screen.suspend():
        os.killpg(os.getpgrp(), signal.SIGSTOP)
        if screen.told:
            raise SystemExit(screen.told)
    return True


def _parent(process: int) -> int:
    if process == os.getpid():
        return os.getppid()
    asked = subprocess.run(["ps", "-o", "ppid=", "-p", str(process)], capture_output=True, text=True, timeout=2)
    return int(asked.stdout)


class OnceDriver(LinuxDriver):
    """A terminal driver that resumes once for each time that it was suspended.

    Textual 8.2 takes the terminal back when `suspend` ends and when SIGCONT comes, and Python may run a signal's
    handler a moment late: both would happen, and two threads would read the keys, one of which outlives the screen.
    """

    _given_back = False
    """Whether the terminal is somebody else's now."""

    def suspend_application_mode(self) -> None:
        """Give the terminal back."""
        if not self._given_back:
            self._wipe()
            self._given_back = True
            super().suspend_application_mode()

    def stop_application_mode(self) -> None:
        """Give the terminal back for good."""
        if not self._given_back:
            self._wipe()
        super().stop_application_mode()

    def _wipe(self) -> None:
        """Leave an empty screen: mosh has only the one, and tmux 3.3a shows rows of a taller one among the shell's."""
        self.write("\x1b[0m\x1b[H\x1b[2J")

    def resume_application_mode(self) -> None:
        """Take the terminal again, if it was given back."""
        if self._given_back:
            self._given_back = False
            super().resume_application_mode()
