"""What one agent's event costs the engine in a fleet of 100, 1,000 and 10,000 agents: it is not to grow with the fleet.

    python -m tests.benchmarks.per_event [--events 2000] [--hosts 20] [--budget]

Each event is one agent that another state is seen of, as its host says it: reduced, told to a reader that is connected
and to a watcher from whom things are withheld, kept in the books, and looked at by all who look at the fleet. Seconds
are those of the engine's thread. The fleets take turns, so that whatever else the machine does meets all of them.
"""

import argparse
import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from controlroom import __version__
from controlroom.domain import events
from controlroom.domain.model import State
from controlroom.fleet.conversation.protocol import Hello, Watch, pack
from controlroom.fleet.home import find_home
from controlroom.wire import messages as wire
from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.fleet.rooms import Room
from tests.fleet.scripted import NOON, ScriptedChannel, ScriptedHost, seen
from tests.lab.world import World

SIZES = (100, 1_000, 10_000)
BATCH = 50
"""Events between two pieces of news for a reader."""


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--budget", action="store_true", help="have a budget that binds all agents")
    options = parser.parse_args()
    world = World()
    os.environ.update(world.environment())
    try:
        asyncio.run(measure(options))
    finally:
        world.close()


async def measure(options: argparse.Namespace) -> None:
    """Let the fleets take turns, and print."""
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    async with AsyncExitStack() as stack:
        rooms = {size: await stack.enter_async_context(running(size, options)) for size in SIZES}
        gc.freeze()
        for turn in range(options.events // BATCH + 2):
            for size, room in rooms.items():
                took[size].append(await a_batch(room, turn, options.hosts))
    typical = {size: part(batches[2:], 0.5) / BATCH for size, batches in took.items()}
    whole = {size: sum(batches[2:]) / BATCH / (len(batches) - 2) for size, batches in took.items()}
    rows = [(f"{size:,} agents", f"{typical[size]:.0f} µs", "") for size in SIZES]
    rows += [(f"{size:,} agents, mean", f"{whole[size]:.0f} µs", "") for size in SIZES]
    first, last = SIZES[0], SIZES[-1]
    rows.append(("last / first", f"{typical[last] / typical[first]:.2f}", "1.5"))
    rows.append(("last / first, means", f"{whole[last] / whole[first]:.2f}", ""))
    print_table(f"one agent's event, engine's thread, {BATCH} at a time; {load()}", rows)


class Quiet(ScriptedHost):
    """It answers orders, and does not show all of its agents each time."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        channel.say(wire.Reply(getattr(message, "id", 0), "done"))


@asynccontextmanager
async def running(size: int, options: argparse.Namespace) -> AsyncIterator[Room]:
    """Run an engine with a reader and a watcher that take whatever comes."""
    place = Path(os.environ["CONTROLROOM_HOME"]) / f"fleet-{size}"
    hosts = [Quiet(f"vm{number}") for number in range(options.hosts)]
    for number in range(size):
        host = hosts[number % options.hosts]
        host.agents[f"a{number // options.hosts}"] = seen(f"a{number // options.hosts}", profile="docs", billing="api")
    home = find_home({**os.environ, "CONTROLROOM_HOME": str(place)})
    home.prepare()
    tables = "".join(f'[hosts.{host.name}]\naddress = "ann@{host.name}"\n' for host in hosts)
    budget = '[budgets.all]\nscope = "fleet"\nperiod = "day"\nlimit = "100000"\n' if options.budget else ""
    home.config.write_text(f"local = false\n[watch]\ntasks = false\n{tables}{budget}")
    home.config.chmod(0o600)
    room = Room(home, hosts)
    room.engine.start()
    await room.server.listen(home.socket, home.watch_socket)
    readers = [asyncio.create_task(taken(path, role)) for path, role in _doors(home.socket, home.watch_socket)]
    try:
        await room.until(lambda: len(room.engine.fleet.agents) == size)
        await asyncio.sleep(2)
        yield room
    finally:
        for reader in readers:
            reader.cancel()
        await room.server.close()
        await room.engine.close()


def _doors(operators: Path, watchers: Path) -> list[tuple[Path, str]]:
    return [(operators, "cli"), (watchers, "watch")]


async def taken(path: Path, role: str) -> None:
    """Read news for ever, and look at none."""
    incoming, outgoing = await asyncio.open_unix_connection(str(path), limit=2**24)
    outgoing.writelines([pack(Hello(__version__, role, "ann", "xterm")), pack(Watch(0.0))])
    while await incoming.read(2**20):
        pass


async def a_batch(room: Room, turn: int, hosts: int) -> float:
    """Let some agents do something each; give the microseconds that the engine has worked."""
    engine, state = room.engine, State.IDLE if turn % 2 else State.WORKING
    names = [f"vm{number % hosts}/a{number // hosts % 5}" for number in range(BATCH)]
    happened = []
    for number, name in enumerate(names):
        agent = replace(engine.fleet.agents[name], state=state, detail=f"turn {turn} {number}")
        happened.append(events.AgentsObserved(agent.host, (agent,), NOON + turn))
    began = time.thread_time()
    for event in happened:
        engine.happened(event)
    while True:
        await asyncio.sleep(0.005)
        if not engine.treasury.busy and _told(room):
            break
    return (time.thread_time() - began) * 1e6


def _told(room: Room) -> bool:
    return all(not reader._lacks for reader in room.server._readers)


if __name__ == "__main__":
    main()
