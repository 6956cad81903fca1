"""Asking a runner through its control socket, and learning which process it is and whether it lives."""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct

from controlroom.runner.folder import CONTROL, SPEC
from controlroom.wire.lines import LineSplitter, PeerError, to_line
from controlroom.wire.runner import UNSEALED, Request, RunnerReply, Seal, read_reply, request_fields

_ANSWER_LIMIT = 64 * 1024
_PEER = struct.Struct("3i")
_LOCAL_PEERPID = 2  # macOS, <sys/un.h>


class NoRunner(Exception):
    """Nobody listens: the runner has ended, or not begun."""


class NoAnswer(Exception):
    """The runner may have got the request, but it has not answered in time."""


async def ask(folder: str, request: Request, deadline: float, seal: Seal = UNSEALED) -> RunnerReply:
    """Put a request to the runner of an agent's folder and return what it replies.

    `deadline` counts seconds. `seal`: of a request that home orders. Raises `NoRunner` and `NoAnswer`.
    """
    connection = _connected(folder)
    try:
        return await asyncio.wait_for(_exchange(connection, to_line(request_fields(request, seal))), deadline)
    except (OSError, PeerError, asyncio.TimeoutError) as error:
        raise NoAnswer(str(error) or f"its runner has not answered for {deadline:g} seconds") from None
    finally:
        connection.close()


def runner_pid(folder: str) -> int:
    """Return the pid of the runner that listens in a folder; 0: nobody listens, -1: somebody who cannot say."""
    try:
        connection = _connected(folder)
    except NoRunner:
        return 0
    except NoAnswer:
        return -1
    with connection, contextlib.suppress(OSError):
        if hasattr(socket, "SO_PEERCRED"):
            return int(_PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[0])
        return connection.getsockopt(0, _LOCAL_PEERPID)
    return -1


def runner_lives(folder: str) -> bool:
    """Return whether an agent's runner lives, also when it answers nothing: it holds a lock on spec.json to its end.

    To be asked only when there is a status already: a runner that is just starting must find the lock free.
    """
    try:
        descriptor = os.open(os.path.join(folder, SPEC), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _connected(folder: str) -> socket.socket:
    """Connect without waiting. Raises `NoRunner` and `NoAnswer`.

    The path goes through a descriptor of the folder: a socket path ends at 107 bytes.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        connection.close()
        raise NoRunner from None
    try:
        if os.path.isdir("/proc/self/fd"):
            connection.connect(f"/proc/self/fd/{descriptor}/{CONTROL}")
        else:
            _connect_from_within(connection, descriptor)
    except BlockingIOError:
        connection.close()
        raise NoAnswer("its runner takes no calls") from None
    except OSError:
        connection.close()
        raise NoRunner from None
    finally:
        os.close(descriptor)
    return connection


def _connect_from_within(connection: socket.socket, descriptor: int) -> None:
    os.fchdir(descriptor)
    try:
        connection.connect(CONTROL)
    finally:
        os.chdir("/")


async def _exchange(connection: socket.socket, request: bytes) -> RunnerReply:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, request)
    lines = LineSplitter(_ANSWER_LIMIT)
    while data := await loop.sock_recv(connection, 65536):
        for line in lines.feed(data):
            return read_reply(line)
    raise PeerError("its runner hung up without an answer")
