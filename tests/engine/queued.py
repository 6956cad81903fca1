"""Rooms with a queue, and hosts whose agents carry tasks out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.model import State
from controlroom.domain.orders import Result
from controlroom.domain.tasks import Attempt, Task, TaskState, TaskWish
from controlroom.protocol.home import find_home
from controlroom.text.host_sample import HostSample
from controlroom.wire import messages as wire
from tests.engine.rooms import Room, room
from tests.engine.scripted import GIB, NOON, ScriptedChannel, ScriptedHost, orders

MINUTE = 60_000

QUICK = "[queue]\nstagger_seconds = 0\nmax_agents = 3\n"
"""Settings under which nothing waits for the clock."""


class Roomy(ScriptedHost):
    """It says what memory it has, and its agents end as they are told to."""

    free = 3 * GIB

    def tell_all(self, channel: ScriptedChannel) -> None:
        channel.say(HostSample(NOON, memory_used=4 * GIB - self.free, memory_total=4 * GIB, disk_free=100 * GIB))
        super().tell_all(channel)

    def end(self, name: str, state: State = State.DONE, **more: object) -> None:
        """An agent's run ends."""
        changes = {"state": state.value, "ended": NOON + MINUTE, **more}
        self.agents[name] = replace(self.agents[name], **changes)  # type: ignore[arg-type]
        self.show()

    @property
    def spawned(self) -> list[wire.Spawn]:
        return [order for order in orders(self) if isinstance(order, wire.Spawn)]


@asynccontextmanager
async def queue_room(
    *hosts: ScriptedHost, settings: str = QUICK, up: bool = True, more: str = ""
) -> AsyncIterator[Room]:
    """A room of which the config says something about its queue, and `more` about each host."""
    home = find_home(os.environ)
    home.prepare()
    tables = "".join(f'[hosts.{host.name}]\naddress = "ann@{host.name}"\n{more}' for host in hosts)
    home.config.write_text(f"local = false\n{settings}{tables}")
    home.config.chmod(0o600)
    async with room(*hosts, up=up) as here:
        yield here


async def add(here: Room, *texts: str, **wish: object) -> Result:
    return await here.order(intents.AddTasks(tuple(TaskWish(text, **wish) for text in texts)))  # type: ignore[arg-type]


def task(here: Room, id_: str) -> Task:
    return here.engine.store.fleet.tasks[id_]


def last(here: Room, id_: str) -> Attempt:
    attempt = task(here, id_).last
    assert attempt is not None
    return attempt


async def became(here: Room, id_: str, state: TaskState) -> Task:
    """Wait for a task to be in a state."""
    await here.until(lambda: task(here, id_).state is state, f"{id_} is {state}: {here.engine.store.fleet.tasks}")
    return task(here, id_)


async def runs(here: Room, host: Roomy, *names: str) -> None:
    """Wait until these agents, and no others, were started."""
    await here.until(lambda: [order.name for order in host.spawned] == list(names), f"started: {names}")
    await here.engine.wait_idle()
