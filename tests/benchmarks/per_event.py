"""What one agent's event costs the engine in a fleet of 100, 1,000 and 10,000 agents: it is not to grow with the fleet.

    python -m tests.benchmarks.per_event [--events 2000] [--hosts 20]

Once without budgets, once with a budget that binds all agents, and API limits. Each event is one agent that another
state is seen of, as its host says it: reduced, told to a reader that is connected and to a watcher from whom things are
withheld, kept in the books, and looked at by all who look at the fleet. Seconds are those of the engine's thread. The
fleets take turns, so that whatever else the machine does meets all of them.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from controlroom import __version__
from controlroom.domain import events
from controlroom.domain.model import State
from controlroom.protocol.messages import Hello, Watch, pack
from tests.benchmarks.figures import load, part
from tests.benchmarks.scripted_room import BUDGET, LIMITS, Quiet, running, world
from tests.benchmarks.table import print_table
from tests.engine.rooms import Room
from tests.engine.scripted import NOON, seen

SIZES = (100, 1_000, 10_000)
BATCH = 50
"""Events between two pieces of news for a reader."""

ROWS = {"without budgets": "", "with budgets and limits": BUDGET + LIMITS}


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--hosts", type=int, default=20)
    options = parser.parse_args()
    for words, config in ROWS.items():
        with world():
            asyncio.run(measure(options, words, config))


async def measure(options: argparse.Namespace, words: str, config: str) -> None:
    """Let the fleets take turns, and print."""
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    async with AsyncExitStack() as stack:
        rooms = {size: await stack.enter_async_context(watched(size, options.hosts, config)) for size in SIZES}
        gc.freeze()
        for turn in range(options.events // BATCH + 2):
            for size, room in rooms.items():
                took[size].append(await a_batch(room, turn, options.hosts))
        gc.unfreeze()
    typical = {size: part(batches[2:], 0.5) / BATCH for size, batches in took.items()}
    whole = {size: sum(batches[2:]) / BATCH / (len(batches) - 2) for size, batches in took.items()}
    rows = [(f"{size:,} agents", f"{typical[size]:.0f} µs", "") for size in SIZES]
    rows += [(f"{size:,} agents, mean", f"{whole[size]:.0f} µs", "") for size in SIZES]
    first, last = SIZES[0], SIZES[-1]
    rows.append(("last / first", f"{typical[last] / typical[first]:.2f}", "1.5"))
    rows.append(("last / first, means", f"{whole[last] / whole[first]:.2f}", ""))
    print_table(f"one agent's event {words}, engine's thread, {BATCH} at a time; {load()}", rows)


@asynccontextmanager
async def watched(size: int, count: int, config: str) -> AsyncIterator[Room]:
    """Run an engine with a reader and a watcher that take whatever comes."""
    hosts = [Quiet(f"vm{number}") for number in range(count)]
    for number in range(size):
        name = f"a{number // count}"
        hosts[number % count].agents[name] = seen(name, profile="docs", billing="api")
    async with running([*hosts], config, f"fleet-{size}") as room:
        doors = [(room.home.socket, "cli"), (room.home.watch_socket, "watch")]
        readers = [asyncio.create_task(taken(path, role)) for path, role in doors]
        try:
            await asyncio.sleep(2)
            while room.engine.budgets.busy:  # noqa: ASYNC110 - all are granted something first
                await asyncio.sleep(0.1)
            yield room
        finally:
            for reader in readers:
                reader.cancel()


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
        agent = replace(engine.store.fleet.agents[name], state=state, detail=f"turn {turn} {number}")
        happened.append(events.AgentsObserved(agent.host, (agent,), NOON + turn))
    began = time.thread_time()
    for event in happened:
        engine.host_events.happened(event)
    while True:
        await asyncio.sleep(0.005)
        if not engine.budgets.busy and _told(room):
            break
    return (time.thread_time() - began) * 1e6


def _told(room: Room) -> bool:
    return all(not reader.lacks for reader in room.server.sessions)


if __name__ == "__main__":
    main()
