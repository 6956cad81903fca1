"""`controlroom bridge`: stdin and stdout joined to the engine's socket, for a front end at the far end of an SSH link.

It says `MARK` on a line of its own, then every byte is passed on as it is. With `read_only` it joins the socket where
nobody can do anything but look: behind a forced command of sshd that is all that a key can reach. Which verb or option
the other end had in mind plays no part: nothing of SSH_ORIGINAL_COMMAND is read.
"""

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Mapping

from controlroom.client.transport import PATIENCE, EngineUnavailable, Here
from controlroom.protocol.home import find_home
from controlroom.protocol.messages import VERSION, Bridged, pack

MARK = b"controlroom bridge\n"
"""The first line of ours: what a login shell prints before it is passed over."""

_PIECE = 65536


def run(*, read_only: bool, start: bool, environ: Mapping[str, str] = os.environ) -> int:
    """Join this process's stdin and stdout to the engine until either ends; gives the exit code."""
    try:
        engine = asyncio.run(_reach(read_only, start, environ))
    except EngineUnavailable as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - ssh carries it to the other end
        return 3
    engine.sendall(pack(Bridged(VERSION, environ.get("SSH_CONNECTION", "").split(" ")[0])))
    with contextlib.suppress(OSError):
        _write(MARK)
        threading.Thread(target=_up, args=(engine,), daemon=True).start()
        while data := engine.recv(_PIECE):
            _write(data)
    os._exit(0)  # a thread that waits for stdin holds nobody


async def _reach(read_only: bool, start: bool, environ: Mapping[str, str]) -> socket.socket:
    way = Here(find_home(environ), environ)
    end = asyncio.get_running_loop().time() + PATIENCE
    _, outgoing = await way.open(end, start=start, watching=read_only)
    engine = outgoing.get_extra_info("socket").dup()
    outgoing.close()
    await outgoing.wait_closed()
    assert isinstance(engine, socket.socket)
    engine.setblocking(True)
    return engine


def _up(engine: socket.socket) -> None:
    """Pass on what the front end says; at its end say so to the engine, which then ends the conversation."""
    with contextlib.suppress(OSError):
        while data := os.read(0, _PIECE):
            engine.sendall(data)
    with contextlib.suppress(OSError):
        engine.shutdown(socket.SHUT_WR)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]
