"""A front end that says what it likes and reads when it is told to."""

from __future__ import annotations

import asyncio
import socket

from controlroom.domain.model import Fleet
from controlroom.domain.patch import apply
from controlroom.protocol.messages import FleetNews, Request, Told, pack, read_told
from controlroom.wire.lines import LineSplitter
from tests.engine.rooms import Room
from tests.lab.waiting import wait_for_async


class RawReader:
    """A front end that reads only when it is told to."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.fleet = Fleet()
        self.told: list[Told] = []
        self.ended = False
        self._splitter = LineSplitter(2**28)

    async def say(self, *requests: Request | bytes) -> None:
        loop = asyncio.get_running_loop()
        for request in requests:
            await loop.sock_sendall(self.connection, request if isinstance(request, bytes) else pack(request))

    def read(self, size: int = 65536) -> int:
        """Take what is there, at most `size` bytes."""
        try:
            data = self.connection.recv(size)
        except BlockingIOError:
            return 0
        except ConnectionError:
            data = b""
        self.ended |= not data
        for line in self._splitter.feed(data):
            told = read_told(line)
            self.told.append(told)
            if isinstance(told, FleetNews):
                self.fleet = apply(self.fleet, told.patch)
        return len(data)

    async def until_told(self, kind: type[Told], count: int = 1) -> Told:
        def found() -> list[Told]:
            self.read()
            return [told for told in self.told if isinstance(told, kind)]

        await wait_for_async(lambda: len(found()) >= count, 5, f"{count} {kind.__name__}", poll=0.002)
        return found()[-1]


async def raw(here: Room, *requests: Request | bytes) -> RawReader:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(here.home.socket))
    reader = RawReader(connection)
    await reader.say(*requests)
    return reader
