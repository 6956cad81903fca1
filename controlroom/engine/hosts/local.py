"""This machine as a host: its node is a subprocess, deployed just as one over SSH.

It too runs from the bundle cache and not from our installation: what a node starts (runners) lives for days, and must
not depend on a virtual environment that is upgraded or removed meanwhile.
"""

import asyncio
import base64
import contextlib
import glob
import hashlib
import os
import pwd
import signal
import sys
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from controlroom.engine.hosts.channel import Channel, LinkLost
from controlroom.engine.hosts.deploy import LOADER, Ended, Offers, board, bundles, new_marker
from controlroom.engine.process import restore_core_limit
from controlroom.text.names import LOCAL

_TAIL = 4096
_LIMIT = 65536
"""Bytes read ahead of who listens."""
_GRACE = 3.0
"""Seconds that a node has to end after its stdin was closed."""


def this_machine() -> tuple[str, ...]:
    """Name this machine and user by the host keys that its sshd shows, as far as they can be read. For a thread."""
    user, names = pwd.getpwuid(os.geteuid()).pw_name, []
    for path in glob.glob("/etc/ssh/ssh_host_*_key.pub"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            blob = base64.b64decode(Path(path).read_text("ascii").split()[1], validate=True)
            digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
            names.append(f"{user} by SHA256:{digest}")
    return ("this machine", *names)


class LocalDialler:
    """Starts nodes on this machine."""

    def __init__(
        self,
        host: str = LOCAL,
        *,
        python: str = sys.executable,
        environ: Mapping[str, str] | None = None,
        offers: Offers = bundles,
    ) -> None:
        """`environ`: the node's whole environment, None: ours; `offers`: the bundles to ship."""
        self._host = host
        self._python = python
        self._environ = environ
        self._offers = offers
        self.proven: Sequence[str] = ()

    async def dial(self) -> Channel:
        """Start a node. Raises `LinkLost` or `HostRefuses`."""
        environ = os.environ if self._environ is None else self._environ
        raw = await open_pipes(self._host, (self._python, "-I", "-S", "-c", LOADER), environ)
        return await board(self._host, raw, new_marker(), self._offers, announced=False)


async def open_pipes(host: str, argv: Sequence[str], environ: Mapping[str, str], grace: float = _GRACE) -> Channel:
    """Start a program in a session of its own, away from our terminal, in its home. Raises `LinkLost`.

    `grace`: seconds it has to end by itself when the channel is closed.
    """
    home = environ.get("HOME", "")
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(_LIMIT, loop),
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
            cwd=home if os.access(home, os.X_OK) else "/",
            start_new_session=True,
        )
    except OSError as error:
        raise LinkLost(f"{host}: cannot start {argv[0]}: {error.strerror}") from None
    with contextlib.suppress(OSError):  # it may have ended already
        restore_core_limit(transport.get_pid() or 0)
    return _Pipes(host, Process(transport, protocol, loop), transport, grace)


class _Pipes:
    """The raw channel: a process in a session of its own, on three pipes."""

    def __init__(self, host: str, process: Process, transport: asyncio.SubprocessTransport, grace: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._host = host
        self._process = process
        self._transport = transport
        self._grace = grace
        self._in, self._out = process.stdin, process.stdout
        self._said = b""
        self._listening = asyncio.create_task(self._listen(process.stderr))

    async def send(self, data: bytes) -> None:
        try:
            self._in.write(data)
            await self._in.drain()
        except OSError:
            raise await self._end() from None

    async def receive(self) -> bytes:
        data = await self._out.read(65536)
        if data:
            return data
        raise await self._end()

    async def close(self) -> None:
        self._in.close()
        try:
            async with asyncio.timeout(self._grace):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._transport.close()  # before the wait, which lasts until the pipes are closed, whoever else holds them
        await self._process.wait()
        self._listening.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await self._listening
        with suppress(OSError):
            await self._in.wait_closed()

    async def _end(self) -> LinkLost:
        try:
            async with asyncio.timeout(self._grace):
                code = await self._process.wait()
                await asyncio.wait([self._listening])
        except TimeoutError:
            return LinkLost(f"{self._host}'s node closed its output but goes on")
        status = f"exit status {code}" if code >= 0 else signal.Signals(-code).name
        return Ended(self._host, status, self._said.decode("utf-8", "replace"))

    async def _listen(self, errors: asyncio.StreamReader) -> None:
        while data := await errors.read(_TAIL):
            self._said = (self._said + data)[-_TAIL:]
