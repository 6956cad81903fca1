"""A room of scripted hosts for benchmarks: its config, and its engine in this process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from controlroom.engine.ledger.ledger import connect
from controlroom.protocol.home import Home, find_home, hold
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from tests.engine.rooms import Room
from tests.engine.scripted import ScriptedChannel, ScriptedHost
from tests.lab.world import World

BUDGET = '[budgets.all]\nscope = "fleet"\nperiod = "day"\nlimit = "100000"\n'
"""A budget that binds all agents and is never used up."""

LIMITS = '[api]\ntier = "start"\n'
"""API limits that all agents share."""


class Quiet(ScriptedHost):
    """It answers orders, and does not show all of its agents each time."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        channel.say(wire.Reply(getattr(message, "id", 0), Outcome.DONE))


@contextmanager
def world() -> Iterator[None]:
    """Have a HOME and a room of one's own."""
    made = World()
    os.environ.update(made.environment())
    try:
        yield
    finally:
        made.close()


def prepared(hosts: Iterable[str], more: str = "", folder: str = "") -> Home:
    """Return a room with these hosts and `more` in its config; `folder`: one within the world's own room."""
    place = os.path.join(os.environ["CONTROLROOM_HOME"], folder) if folder else os.environ["CONTROLROOM_HOME"]
    home = find_home({**os.environ, "CONTROLROOM_HOME": place})
    home.prepare()
    tables = "".join(f'[hosts.{name}]\naddress = "ann@{name}"\n' for name in hosts)
    home.config.write_text(f"local = false\n[watch]\ntasks = false\n{tables}{more}")
    home.config.chmod(0o600)
    return home


@asynccontextmanager
async def running(hosts: list[ScriptedHost], more: str = "", folder: str = "") -> AsyncIterator[Room]:
    """Run an engine in this process, as the room's own, until all agents are there."""
    home = prepared([host.name for host in hosts], more, folder)
    descriptor = hold(home.lock, home.socket)
    room = Room(home, hosts, connect)
    room.engine.start()
    await room.server.listen(home.socket, home.watch_socket)
    try:
        await room.up()
        count = sum(len(host.agents) for host in hosts)
        await room.until(lambda: len(room.engine.store.fleet.agents) == count, f"all {count} agents are there")
        yield room
    finally:
        await room.server.close()
        await room.engine.close()
        os.close(descriptor)
