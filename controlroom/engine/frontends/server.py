"""The engine's sockets, for operators, watchers and leads. A slow or stopped front end delays nobody."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

from controlroom.engine.config.config import Withheld
from controlroom.engine.engine import Engine
from controlroom.engine.frontends.answers import Answering
from controlroom.engine.frontends.lead_view import LeadDoor
from controlroom.engine.frontends.peers import only_lead, refusal
from controlroom.engine.frontends.rights import Operator, Rights
from controlroom.engine.frontends.session import GREETING, Session
from controlroom.engine.frontends.turns import Turns
from controlroom.engine.frontends.watcher_view import Watcher
from controlroom.protocol.home import LEADS
from controlroom.protocol.messages import Unwelcome, pack

log = logging.getLogger("controlroom.server")

MAX_READERS = 200
"""Front ends at once at either socket: however many watch, operators get in."""


def answering(engine: Engine) -> Answering:
    """The parts of an engine that answer questions."""
    return Answering(
        engine.home,
        engine.store,
        engine.ledger,
        engine.ledger_writer,
        engine.history,
        engine.inquiries,
        engine.logs,
        engine.connections,
        engine.budgets,
        engine.spending,
        engine.tasks,
        engine.rules,
        engine.fleets,
    )


class Server:
    """Listens for front ends. `stop` is called when an operator asks for the engine to end.

    `withheld`: what watchers do not get to see.
    """

    def __init__(self, engine: Engine, stop: Callable[[], None], withheld: Withheld) -> None:
        self._parts = answering(engine)
        self._doors: tuple[Rights, ...] = (
            Operator(engine.submit, engine.orders.result_of, stop, Turns()),
            Watcher(withheld),
            LeadDoor(engine.leads, engine.orders.result_of),
        )
        self.sessions: dict[Session, Rights] = {}
        """Who is connected, at which of the sockets."""
        self._servers: list[asyncio.Server] = []

    async def listen(self, path: Path, watchers: Path) -> None:
        """Listen at `path` for operators, at `watchers`, where nobody can do anything but look, and beside for leads.

        Other users may open none. The caller holds the engine's lock: a socket that is there is dead.
        """
        for place, rights in zip((path, watchers, path.with_suffix(LEADS)), self._doors, strict=True):
            serve = partial(self._begin, rights)
            self._servers.append(await asyncio.start_unix_server(serve, sock=_bound(place), backlog=MAX_READERS))

    async def close(self) -> None:
        """Send every front end away."""
        for server in self._servers:
            server.close()
        sessions = tuple(self.sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*(session.gone() for session in sessions))
        for rights in self._doors:
            rights.turns.close()

    def _begin(
        self, rights: Rights, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter
    ) -> Coroutine[None, None, None]:
        return rights.turns.counted(self._serve(rights, incoming, outgoing))

    async def _serve(self, rights: Rights, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        if not is_ours(outgoing.get_extra_info("socket")):
            outgoing.transport.abort()
            return
        if not isinstance(rights, LeadDoor) and (no := self._refusal(outgoing)):
            log.warning("a front end was not let in: %s", no)
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                async with asyncio.timeout(GREETING):
                    await incoming.readline()  # else what is said here may be lost with what it has sent
            outgoing.write(pack(Unwelcome(no)))
            outgoing.close()
            return
        own = rights.for_one(self._only_lead(outgoing)) if isinstance(rights, LeadDoor) else rights
        session = Session(self._parts, own, incoming, outgoing)
        self.sessions[session] = rights
        try:
            if list(self.sessions.values()).count(rights) > MAX_READERS:
                outgoing.write(pack(Unwelcome(f"{MAX_READERS} front ends are connected already: close some")))
            else:
                await rights.turns.turn()
                await session.serve()
        except asyncio.CancelledError:
            pass  # the engine ends; a cancelled task would be logged as a mistake by the stream it serves
        finally:
            del self.sessions[session]
            outgoing.close()

    def _only_lead(self, outgoing: asyncio.StreamWriter) -> str | None:
        connection, parts = outgoing.get_extra_info("socket"), self._parts
        return only_lead(connection, parts.store.fleet, parts.home.namespace)

    def _refusal(self, outgoing: asyncio.StreamWriter) -> str:
        connection, parts = outgoing.get_extra_info("socket"), self._parts
        return refusal(connection, parts.store.fleet, parts.home.namespace)


def _bound(path: Path) -> socket.socket:
    """Make the socket; nobody can connect before it listens, and by then its mode is set."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
    except OSError:
        bound.close()
        raise
    return bound


def is_ours(connection: socket.socket) -> bool:
    """Return whether the other end is a process of this user (or root), where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1] in (os.getuid(), 0)
