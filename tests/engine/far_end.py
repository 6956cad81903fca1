"""Small nodes to ship, and channels that note what passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from controlroom.engine.hosts.channel import Channel, LinkLost
from controlroom.engine.hosts.deploy import Bundle, pack

SERVE = "controlroom/node/serve.py"
ECHO = b"import os\nos.write(1, b'here\\n')\nwhile data := os.read(0, 65536):\n    os.write(1, data)\n"


def tiny(code: bytes = ECHO) -> Callable[[], Sequence[Bundle]]:
    """One bundle for any host, whose whole node is `code`."""
    bundle = pack([("controlroom/__init__.py", b""), (SERVE, code)])
    return lambda: (bundle,)


async def read_until(channel: Channel, mark: bytes) -> bytes:
    """All that arrives up to and with `mark`."""
    data = b""
    async with asyncio.timeout(60):
        while mark not in data:
            data += await channel.receive()
    return data


async def read_to_end(channel: Channel) -> tuple[bytes, LinkLost]:
    """All that arrives, and how it ended."""
    data = b""
    async with asyncio.timeout(60):
        while True:
            try:
                data += await channel.receive()
            except LinkLost as end:
                return data, end


class Noting:
    """A channel that notes what is sent."""

    def __init__(self, inner: Channel) -> None:
        self._inner = inner
        self.sent = b""
        self.closed = False

    async def send(self, data: bytes) -> None:
        self.sent += data
        await self._inner.send(data)

    async def receive(self) -> bytes:
        return await self._inner.receive()

    async def close(self) -> None:
        self.closed = True
        await self._inner.close()


def cache_of(home: Path) -> Path:
    """Where bundles lie below a HOME."""
    return home / ".cache" / "controlroom" / "node"
