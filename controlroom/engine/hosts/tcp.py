"""TCP to machines that may be away: attempts race, so that a path that has healed is found at once.

The kernel repeats the first packet of an attempt after 1, 3, 7 and 15 s (tcp(7), tcp_syn_retries): a path that heals in
between stays unfound for seconds. So a new attempt begins every `RENEW` seconds and lives for `LIFE`; the first one
lives as long as the caller waits, for slow paths. A machine that has been away for long is tried less often.
"""

import asyncio
import socket
import time
from asyncio.staggered import staggered_race
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

RENEW, TUNNEL_RENEW = 0.5, 1.5
"""Seconds between two attempts at a machine that was there lately: from here, and through a jump host."""

CALM = 5.0
"""Seconds between two attempts at a machine that has been away for long."""

LIFE = 3.0
"""Seconds that an attempt lives, but for the first one: seven of them are under way at most."""

LONG = 120.0
"""Seconds without an answer after which a machine has been away for long."""

LOGINS = 5
"""Logins at one sshd at once: it drops the start of some beyond ten (`MaxStartups 10:30:100`)."""

_NAMES = 1.0
"""Seconds that name servers get before the addresses are taken that a name had before."""

_NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a name is tried beside the last one (RFC 8305)."""

_Address = tuple[Any, ...]


class Route:
    """The path to one machine: its addresses, and since when it does not answer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._silent_since: float | None = None
        self._addresses: list[_Address] = []
        self.turns = asyncio.Semaphore(LOGINS)
        """Whoever logs in there holds one."""

    async def connect(self, host: str, port: int, family: int = socket.AF_UNSPEC, bind: str = "") -> socket.socket:
        """Return a connected socket; waits until cancelled while nothing answers. Raises `OSError` when it is refused.

        `bind`: the address of ours to connect from.
        """
        addresses = await self._resolved(host, port, family)
        return await self.race(partial(_connected, addresses, bind), _close, RENEW)

    async def race(self, attempt: Callable[[], Coroutine[Any, Any, T]], drop: Callable[[T], object], renew: float) -> T:
        """Return what the first of some attempts gives; raises what it raises. `drop` takes back what another gave."""
        now = self._clock()
        self._silent_since = now if self._silent_since is None else self._silent_since
        calm = now - self._silent_since > LONG
        try:
            connection = await _first_of(attempt, drop, CALM if calm else renew)
        except OSError:
            self._silent_since = None  # something answered, if only to say no
            raise
        self._silent_since = None
        return connection

    async def _resolved(self, host: str, port: int, family: int) -> list[_Address]:
        loop = asyncio.get_running_loop()
        asked = loop.create_task(loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM))
        try:
            await asyncio.wait([asked], timeout=_NAMES if self._addresses else None)
            if asked.done():
                self._addresses = list(asked.result())
        except socket.gaierror as error:
            if error.errno != socket.EAI_AGAIN or not self._addresses:
                raise
        finally:
            asked.cancel()
        return self._addresses


class Ways:
    """The paths of one room."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._ways: dict[tuple[str, int], Route] = {}

    def to(self, host: str, port: int) -> Route:
        """Return the way to a machine: the same one for all who go there."""
        return self._ways.setdefault((host, port), Route(self._clock))


async def _first_of(attempt: Callable[[], Coroutine[Any, Any, T]], drop: Callable[[T], object], renew: float) -> T:
    begun: list[asyncio.Task[T]] = []
    loop = asyncio.get_running_loop()
    winner: asyncio.Task[T] | None = None
    try:
        while winner is None:
            begun.append(loop.create_task(attempt()))
            done, _ = await asyncio.wait(begun, timeout=renew, return_when=asyncio.FIRST_COMPLETED)
            winner = next(iter(done), None)
            if winner is None and len(begun) > 1 + LIFE / renew:
                await _give_up([begun.pop(1)], drop)
        await _give_up([task for task in begun if task is not winner], drop)
    except BaseException:
        await _give_up(begun, drop)  # the winner, too: nobody takes what it made
        raise
    return winner.result()


async def _give_up(tasks: "list[asyncio.Task[T]]", drop: Callable[[T], object]) -> None:
    for task in tasks:
        task.cancel()
    for attempted in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(attempted, BaseException):
            drop(attempted)


async def _connected(addresses: list[_Address], bind: str) -> socket.socket:
    """Connect to the first of some addresses that answers."""
    made: list[socket.socket] = []
    tries = [partial(_connect, info, bind, made) for info in addresses]
    connection: socket.socket | None
    try:
        connection, _, problems = await staggered_race(tries, _NEXT_ADDRESS)
    except BaseException:
        for abandoned in made:
            abandoned.close()
        raise
    if connection is None:
        raise next(problem for problem in problems if problem)
    return connection


async def _connect(info: _Address, bind: str, made: list[socket.socket]) -> socket.socket:
    """Connect to one address; the socket stands in `made` from the start, for whoever gives up on the way."""
    family, kind, protocol, _, address = info
    connection = socket.socket(family, kind, protocol)
    made.append(connection)
    try:
        connection.setblocking(False)
        if bind:
            connection.bind((bind, 0))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.close()


# ---------------------------------------------------------------------- what comes

_READ, AT_ONCE, _SHARE = 16 * 1024, 0.05, 0.25
"""Bytes of a host that are read at once; seconds of CPU that these may cost in a row, and their share of a core."""


def slow(connection: Any) -> None:
    """Let what a host sends cost no more than a share of a core before a word of it is read.

    Its packets may be tiny, or say nothing at all, and the library takes apart up to 256 kB of them (5,000 packets,
    a second) before anybody else has a turn. A connection through another one is slowed with that.
    """
    transport: Any = getattr(connection, "_transport", None)
    if isinstance(transport, asyncio.Transport) and hasattr(transport, "max_size"):
        transport.max_size = _READ
        connection.data_received = _Slowed(connection, transport).take


class _Slowed:
    def __init__(self, connection: Any, transport: asyncio.Transport) -> None:
        self._hand_on, self._transport = connection.data_received, transport
        self._owed, self._at = 0.0, time.monotonic()

    def take(self, data: bytes, datatype: int | None = None) -> None:
        began = time.thread_time()
        self._hand_on(data, datatype)
        now = time.monotonic()
        self._owed = max(0.0, self._owed - _SHARE * (now - self._at)) + time.thread_time() - began
        self._at = now
        if self._owed > AT_ONCE:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(self._owed / _SHARE, self._transport.resume_reading)
