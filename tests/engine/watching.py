"""A watcher of a room."""

from __future__ import annotations

import socket

from controlroom.protocol.messages import (
    VERSION,
    Hello,
    Request,
)
from tests.engine.raw_reader import RawReader
from tests.engine.rooms import Room


async def watcher(here: Room, *requests: Request | bytes, role: str = "watch") -> RawReader:
    """One that has said hello at the watchers' socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(here.home.watch_socket))
    session = RawReader(connection)
    await session.say(Hello(VERSION, role, "eve"), *requests)
    return session
