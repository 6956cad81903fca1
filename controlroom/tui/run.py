"""The way in and out: the app on this terminal, and the terminal as it was when the app is over, whatever ended it."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from controlroom.tui import theme
from controlroom.tui.app import FRAME, ControlRoomApp
from controlroom.tui.source import Source

_GRACE = 1.0
"""Seconds that leaving may take after a signal; a terminal that is gone must not hold us."""
_USAGE = 2


async def reach_engine(start: bool) -> Source:
    """Reach the engine of this room. Loads its client only now: a frame is painted."""
    from controlroom.fleet.client import Client

    return await Client.connect(start=start, role="tui", pace=FRAME)


async def watch_engine(start: bool) -> Source:
    """Reach the engine where it lets nobody do anything but look; it is never started."""
    from controlroom.fleet.client import Client

    return await Client.connect(start=False, role="watch", pace=FRAME)


def run(watching: bool = False, environment: Mapping[str, str] = os.environ) -> int:
    """Run the screen on this terminal; gives the exit code. What went wrong in it is raised here, after it is closed.

    `watching`: to look and nothing else, whatever is pressed.

    `CONTROLROOM_THEME` names a theme, `CONTROLROOM_GLYPHS=ascii` asks for signs that every font has.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _complain("the screen needs a terminal; for scripts there is: controlroom status")
    try:
        file = theme.find(environment.get("CONTROLROOM_THEME") or theme.DEFAULT, *theme_folders(environment))
    except theme.ThemeError as error:
        return _complain(str(error))
    connect = watch_engine if watching else reach_engine
    return show(ControlRoomApp(connect, theme_file=file, glyphs=_glyphs(environment), read_only=watching))


def show(app: ControlRoomApp) -> int:
    """Run an app on this terminal; gives the exit code, raises what went wrong in it."""
    app.on_start = lambda: _leave_on_signals(app)
    gc.freeze()  # what was loaded stays: to look through it for garbage takes 20 ms each time
    gc.set_threshold(10_000)
    app.run()
    if app.mistake is not None:
        raise app.mistake
    return app.return_code or 0


def theme_folders(environment: Mapping[str, str]) -> list[Path]:
    """Give the folders where users put themes of their own: beside the room's config."""
    room = environment.get("CONTROLROOM_HOME")
    config = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return [Path(room) / "themes" if room else Path(config) / "controlroom" / "themes"]


def _glyphs(environment: Mapping[str, str]) -> theme.Glyphs:
    """Take the plain set where it is asked for, or where the terminal does not speak UTF-8."""
    asked = environment.get("CONTROLROOM_GLYPHS", "")
    speaks = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return theme.PLAIN_GLYPHS if asked == "ascii" or not speaks else theme.RICH_GLYPHS


def _leave_on_signals(app: ControlRoomApp) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _leave, app, 128 + number)


def _leave(app: ControlRoomApp, code: int) -> None:
    last_resort = threading.Timer(_GRACE, os._exit, (code,))
    last_resort.daemon = True
    last_resort.start()
    app.exit(return_code=code)


def _complain(sentence: str) -> int:
    sys.stderr.write(f"controlroom: {sentence}\n")
    return _USAGE
