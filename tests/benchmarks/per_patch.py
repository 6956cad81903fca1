"""What a patch costs the screen in a fleet of 100, 1,000 and 10,000 agents: what is not on show is not to count.

    python -m tests.benchmarks.per_patch [--patches 300] [--columns 200] [--rows 60]

Each patch is five agents that have something new, once a line each, once for three of them another state, too. The
fleets take turns, so that whatever else the machine does meets all of them. Seconds are those of the screen's thread,
from the fleet that has come to the lines that are to be painted.
"""

import argparse
import asyncio
import gc
import random
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.patch import Patch, apply, snapshot
from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.tui import scenes
from tests.tui.room import Room, room

SIZES = (100, 1_000, 10_000)
HOSTS, AGENTS = 20, 5


def main(argv: list[str]) -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=300)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=60)
    options = parser.parse_args(argv)
    for words, states in (("a line each of five agents", 0), ("the same, and another state of three", 3)):
        asyncio.run(measure(options, words, states))


async def measure(options: argparse.Namespace, words: str, states: int) -> None:
    """Let the fleets take turns, and print."""
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    chance = random.Random(1)
    async with AsyncExitStack() as stack:
        size_of_screen = options.columns, options.rows
        rooms = {size: await stack.enter_async_context(room(fleet(size), size=size_of_screen)) for size in SIZES}
        ids = {size: list(here.engine.fleet.agents) for size, here in rooms.items()}
        gc.freeze()
        for turn in range(options.patches):
            for size, here in rooms.items():
                took[size].append(await a_patch(here, turn, chance.sample(ids[size], AGENTS), states, chance))
        gc.unfreeze()
    typical = {size: part(each[20:], 0.5) for size, each in took.items()}
    rows = [(f"{size:,} agents", f"{typical[size]:.0f} µs", "") for size in SIZES]
    print_table(
        f"one patch on the screen: {words}; {options.columns}x{options.rows}, {load()}",
        [*rows, ("last / first", f"{typical[SIZES[-1]] / typical[SIZES[0]]:.2f}", "1.5")],
    )


def fleet(size: int) -> Fleet:
    """A fleet on some hosts, as a reader holds it."""
    hosts = [scenes.host(f"vm{number}", 10, 2.0) for number in range(HOSTS)]
    agents = [scenes.agent(f"a{number}", f"vm{number % HOSTS}", State.WORKING, 5, "line") for number in range(size)]
    made = Fleet("room", {host.name: host for host in hosts}, {agent.id: agent for agent in agents})
    return apply(Fleet(), snapshot(made))


async def a_patch(here: Room, turn: int, ids: list[str], states: int, chance: random.Random) -> float:
    """Let some agents have news; gives the µs that the screen takes for it."""
    agents: dict[str, Agent] = {}
    for number, id_ in enumerate(ids):
        agent = replace(here.engine.fleet.agents[id_], last_line=f"line {turn}")
        if number < states:
            agent = replace(agent, state=chance.choice((State.WORKING, State.IDLE)), since=scenes.NOW + turn)
        agents[id_] = agent
    here.engine.fleet = apply(here.engine.fleet, Patch(room="room", agents=agents))
    begun = time.thread_time()
    here.app.context.link.show_now()
    took = (time.thread_time() - begun) * 1e6
    await asyncio.sleep(0)
    return took


if __name__ == "__main__":
    main(sys.argv[1:])
