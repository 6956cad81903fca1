"""A throw-away room with real hosts (sshds on loopback) and real agents, for benchmarks.

Every agent runs `cat` on a FIFO under a runner of its own: it says what a feeder writes there, and costs little.
"""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from controlroom.client.client import Client
from controlroom.domain.intents import SpawnAgent
from controlroom.domain.model import Fleet, LinkState
from controlroom.protocol.home import find_home, holder
from tests.lab.loopback import LoopbackHost, LoopbackLab
from tests.lab.processes import sweep
from tests.lab.world import World

_AT_ONCE = 6


class Yard:
    """The room, its hosts, and its agents, by turns on each host."""

    def __init__(self, world: World, lab: LoopbackLab) -> None:
        self.world, self.lab = world, lab
        self.environ = dict(os.environ)
        self.fifos = lab.directory / "fifos"
        self.fifos.mkdir()
        self.home = find_home(os.environ)

    def fill(self, count: int, first: int = 0) -> None:
        """Start the engine and `count` agents, numbered from `first`."""
        asyncio.run(self._fill(range(first, first + count)))

    async def _fill(self, numbers: range) -> None:
        client = await Client.connect()
        await _until(client, lambda fleet: all(host.link is LinkState.UP for host in fleet.hosts.values()))
        turns = asyncio.Semaphore(_AT_ONCE)

        async def spawn(number: int) -> None:
            name, host = f"agent-{number:03}", self.lab.hosts[number % len(self.lab.hosts)].name
            os.mkfifo(self.fifos / name)
            async with turns:
                command = ("sh", "-c", 'exec cat <> "$0"', str(self.fifos / name))
                done = await client.submit(SpawnAgent(name, "", host, command=command))
            if not done.ok:
                raise RuntimeError(f"{name}: {done.reason}")

        await asyncio.gather(*map(spawn, numbers))
        await client.close()

    @property
    def engine(self) -> int:
        """The engine's process."""
        return holder(self.home.lock)

    def node(self, host: LoopbackHost) -> int:
        """A host's node: what the engine's connection runs."""
        own = [process for process in host.processes() if "controlroom/node/serve.py" in process.command]
        return max(own, key=lambda process: process.started).pid

    def sshd(self, host: LoopbackHost) -> list[int]:
        """The processes of a host's sshd that hold the engine's connection."""
        return [process.pid for process in host.connections()]

    @contextmanager
    def feeder(self, rate: float) -> Iterator[None]:
        """Let every agent say `rate` lines a second."""
        command = [sys.executable, "-m", "tests.benchmarks.feeder", str(self.fifos), str(rate)]
        writer = subprocess.Popen(command)
        try:
            yield
        finally:
            writer.kill()
            writer.wait()

    def screen(self, columns: int, rows: int) -> AbstractContextManager[Screen]:
        """Run the screen on a terminal of its own."""
        return screen(self.environ, columns, rows)


class Screen:
    """A running screen, and the master side of its terminal."""

    def __init__(self, pid: int, terminal: int) -> None:
        self.pid, self.terminal = pid, terminal

    def written(self, seconds: float) -> Iterator[tuple[float, bytes]]:
        """Yield what it writes within so many seconds, each time with the UTC milliseconds at which it came."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.terminal], [], [], left)[0]:
                return
            data = os.read(self.terminal, 1 << 20)
            yield time.time() * 1000, data

    def settle(self, seconds: float) -> bytes:
        """Let it write for so long."""
        return b"".join(data for _, data in self.written(seconds))

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self.terminal, keys.encode())


@contextmanager
def screen(environ: dict[str, str], columns: int, rows: int, *words: str) -> Iterator[Screen]:
    """Run the screen of a room on a terminal of its own; `words`: another module that does, and its arguments."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(sys.executable, [sys.executable, "-m", *(words or ("controlroom",))], environ)
    termios.tcsetwinsize(terminal, (rows, columns))
    try:
        yield Screen(pid, terminal)
    finally:
        os.kill(pid, signal.SIGTERM)
        _drain(terminal)
        os.waitpid(pid, 0)
        os.close(terminal)


@contextmanager
def yard(hosts: int = 2, more: str = "") -> Iterator[Yard]:
    """Make a room with so many hosts, and `more` in its config; everything in it ends with it."""
    world = World()
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(world.environment(before))
    os.environ["SHELL"] = "/bin/sh"
    try:
        with LoopbackLab() as lab:
            lab.up(hosts)
            lab.install(world.home)
            made = Yard(world, lab)
            names = "".join(f'[hosts.{host.name}]\naddress = "{host.name}"\n' for host in lab.hosts)
            made.home.config.write_text(f"local = false\n[limits]\nmemory_per_agent_mb = 0\n{more}{names}")
            made.home.config.chmod(0o600)
            try:
                yield made
            finally:
                sweep(world.directory)
                for host in lab.hosts:
                    sweep(host.directory)
    finally:
        os.environ.clear()
        os.environ.update(before)
        world.close()


async def _until(client: Client, true: Callable[[Fleet], bool]) -> None:
    while not true(client.fleet):
        await client.changed()


def _drain(terminal: int) -> None:
    """Read what a closing screen still writes, so that it can end."""
    end = time.monotonic() + 5
    while time.monotonic() < end and select.select([terminal], [], [], 0.5)[0]:
        try:
            if not os.read(terminal, 65536):
                return
        except OSError:
            return


def folder_of(host: LoopbackHost, name: str) -> Path:
    """An agent's folder on its host (epoch 1)."""
    return next((host.home / ".local/state/controlroom").glob(f"*/agents/{name}.1"))
