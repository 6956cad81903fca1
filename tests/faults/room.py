"""A room with a real engine process and real links to real hosts, as the fault tests drive it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from controlroom.client.client import Client
from controlroom.client.transport import NoAnswer
from controlroom.domain import intents
from controlroom.domain.model import Agent, Host, LinkState, LogPlace
from controlroom.domain.orders import Result
from controlroom.protocol.home import find_home, holder, is_held
from tests.engine.tails import Tail
from tests.faults.truth import Truth, look_at, problems
from tests.lab import host as lab
from tests.lab.waiting import wait_for_async

FIRST = LogPlace(1, 1, 0)


def counting(pause: float = 0.1, most: int = 100_000) -> tuple[str, ...]:
    """A command that prints `line 1`, `line 2`, … and stays."""
    script = f"n=0; while [ $n -lt {most} ]; do n=$((n+1)); echo line $n; sleep {pause}; done; exec sleep 100000"
    return "sh", "-c", script


class Room:
    """An engine, a front end, and the hosts."""

    client: Client

    def __init__(self, hosts: Sequence[lab.Host]) -> None:
        self.place = find_home(os.environ)
        self.hosts = {host.name: host for host in hosts}

    def write_config(self) -> None:
        """The hosts by the names that ~/.ssh/config has for them."""
        tables = "".join(f'[hosts.{name}]\naddress = "{name}"\n' for name in self.hosts)
        self.place.config.write_text(f"local = false\n{tables}")
        self.place.config.chmod(0o600)

    async def connect(self) -> None:
        """Reach the engine, starting it when none runs; on a busy machine it may be late for the first call."""
        try:
            self.client = await Client.connect()
        except NoAnswer:
            self.client = await Client.connect()

    @property
    def engine(self) -> int:
        """The engine's pid."""
        return holder(self.place.lock)

    async def kill_engine(self) -> None:
        """As a crash does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.engine, signal.SIGKILL)
        await wait_for_async(lambda: not is_held(self.place.lock), 10, "the engine to be gone")
        await self.client.close()

    def host(self, name: str) -> Host:
        return self.client.fleet.hosts[name]

    def agent(self, id_: str) -> Agent:
        return self.client.fleet.agents[id_]

    async def until(self, condition: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
        """Wait for something to be true of what the front end is shown."""
        await wait_for_async(condition, seconds, what)

    async def link(self, name: str, *states: LinkState, seconds: float = 60.0) -> Host:
        """Wait for a host's link to be in one of some states."""
        await self.until(lambda: self.host(name).link in states, seconds, f"{name} to be {states}")
        return self.host(name)

    async def up(self, *names: str, seconds: float = 60.0) -> None:
        """Wait for hosts to be up."""
        for name in names or self.hosts:
            await self.link(name, LinkState.UP, seconds=seconds)

    async def spawn(self, host: str, name: str, command: Sequence[str] = ("sleep", "100000")) -> Result:
        return await self.client.submit(intents.SpawnAgent(name, "", host, command=tuple(command)))

    async def kill(self, id_: str) -> Result:
        return await self.client.submit(intents.KillAgent(id_, self.agent(id_).epoch))

    def truth(self, name: str) -> Truth:
        return look_at(self.hosts[name], self.place.namespace)

    async def in_order(self, *names: str, seconds: float = 30.0) -> None:
        """Wait until what is shown of hosts is what they have, and nothing else lives there."""
        for name in names or self.hosts:

            def well(name: str = name) -> bool:
                wrong = problems(self.truth(name), self.client.fleet)
                assert not wrong, "\n".join(wrong)
                return True

            await wait_for_async(well, seconds, f"{name} to be in order", poll=0.3)

    async def close(self) -> None:
        """End what still runs, then the engine."""
        for tail in Tail.opened:
            await tail.close()
        Tail.opened.clear()
        await self.client.close()
        if is_held(self.place.lock):
            os.kill(self.engine, signal.SIGTERM)
            await wait_for_async(lambda: not is_held(self.place.lock), 20, "the engine to end")


@asynccontextmanager
async def room_of(hosts: Sequence[lab.Host], *, up: bool = True) -> AsyncIterator[Room]:
    """A running room in the world of the fixture `home`, whose hosts are up."""
    room = Room(hosts)
    if not room.place.config.exists():
        room.write_config()
    await room.connect()
    try:
        if up:
            await room.up()
        yield room
    finally:
        await asyncio.shield(room.close())


def numbers(tail: Tail) -> list[int]:
    """The numbers of the lines that `counting` wrote and a reader was given."""
    return [int(line.removeprefix("line ")) for line in tail.lines if line.startswith("line ")]


def assert_whole(tail: Tail) -> None:
    """Nothing twice, nothing missing, nothing out of order."""
    got = numbers(tail)
    assert got == list(range(1, len(got) + 1)), got[:20]
    assert tail.skipped == 0
