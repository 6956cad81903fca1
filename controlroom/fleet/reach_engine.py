"""Reaching the engine of a room: through its socket, starting it where that is wanted."""

import asyncio
import os
import pwd

from controlroom.fleet.home import Home
from controlroom.fleet.launch import NotStarted, launch
from controlroom.fleet.lock import holder, is_held

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class EngineUnavailable(Exception):
    """There is no engine to talk to (any more); the text is a sentence for people."""


class NoEngine(EngineUnavailable):
    """No engine runs, and none was to be started."""


class NotAllowed(EngineUnavailable):
    """The engine is there and does not do this for a watcher."""


async def reach(home: Home, end: float, *, start: bool, watching: bool) -> Stream:
    """Connect to the room's engine, starting it if need be (and `start`), until the loop's time is `end`.

    `watching`: at the socket where nobody can do anything but look; an engine is then never started.
    """
    while True:
        try:
            return await asyncio.open_unix_connection(home.running_socket(watching=watching))
        except OSError:
            if not is_held(home.lock):
                if watching:
                    raise NoEngine("no engine runs for this room, and a watcher starts none") from None
                if not start:
                    raise NoEngine("no engine runs for this room") from None
        if start and not watching and not is_held(home.lock):
            await _launch(home)
            continue
        if asyncio.get_running_loop().time() > end:
            raise EngineUnavailable(stubborn(home))
        await asyncio.sleep(0.02)


async def _launch(home: Home) -> None:
    try:
        await launch(home, os.environ)
    except NotStarted as problem:
        raise EngineUnavailable(str(problem)) from None


def stubborn(home: Home) -> str:
    """Say that an engine does not answer, and what to do."""
    return (
        f"the engine (process {holder(home.lock)}) does not answer: see {home.log}, or end it: kill {holder(home.lock)}"
    )


def user() -> str:
    """Say who sits here, for the audit: the account, and where they come from when that is known."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    origin = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return f"{name} from {origin}" if origin else name
