"""Where a node sees and acts: the state folder, its namespace, the tmux server, and this run of the machine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from controlroom.node.tmux_server import Tmux
from controlroom.text.lazy_named_tuple import NamedTuple


class Place(NamedTuple):
    """One namespace on one host."""

    state: str
    namespace: str
    tmux: Tmux
    boot_id: str


class Turns:
    """One act at a time on each agent."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Have the agent `name` for oneself."""
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(name)
            if users > 1:
                self._locks[name] = lock, users - 1
