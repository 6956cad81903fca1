"""A thousand agents reported by twenty scripted nodes: how soon a key is painted, and what that costs.

    python -m tests.benchmarks.thousand [--hosts 20] [--agents 50] [--keys 60] [--columns 200] [--rows 60]

Every second a tenth of the agents say a line, a hundredth change their state, and all loads move. Engine and nodes are
this process; the screen is a process of its own. Target: key to paint 60 ms (p95), also while the table scrolls.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from dataclasses import replace
from itertools import count

from controlroom.wire.messages import AgentLoad, AgentsSeen, FromNode, LastLine, LastLines, Loads
from tests.benchmarks.drawn import Drawn
from tests.benchmarks.figures import Stretch, load, memory, part
from tests.benchmarks.scripted_room import running, world
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Screen, screen
from tests.engine.scripted import NOON, ScriptedHost, seen

_PATIENCE = 3.0
"""Seconds that a key is waited for; one that is not painted by then counts for so long."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=60)
    options = parser.parse_args(argv)
    with world():
        asyncio.run(measure(options))


async def measure(options: argparse.Namespace) -> None:
    """Press keys while everything moves, and print."""
    hosts = [ScriptedHost(f"vm{number}") for number in range(options.hosts)]
    for host in hosts:
        for number in range(options.agents):
            agent = f"{host.name}-{number:02}"
            host.agents[agent] = seen(agent)
    async with running(hosts):
        moving = asyncio.create_task(move(hosts))
        with screen(dict(os.environ), options.columns, options.rows) as shown:
            drawn = Drawn()
            drawn.feed(await asyncio.to_thread(shown.settle, 8.0))
            stretch = Stretch({"engine": [os.getpid()], "screen": [shown.pid]})
            took = await asyncio.to_thread(press, shown, drawn, options.keys)
            used, size = stretch.per_cent(), memory(shown.pid)[0]
        moving.cancel()
    print_table(
        f"{options.hosts} scripted nodes, {options.hosts * options.agents} agents, {load()}",
        [
            ("key -> paint, p50", f"{part(took, 0.5):.0f} ms", ""),
            ("key -> paint, p95", f"{part(took, 0.95):.0f} ms", "60 ms"),
            ("key -> paint, worst", f"{max(took):.0f} ms", ""),
            ("screen, CPU", f"{used['screen']:.0f} %", ""),
            ("engine and nodes, CPU", f"{used['engine']:.0f} %", ""),
            ("screen, RSS", f"{size:.0f} MB", ""),
        ],
    )


async def move(hosts: list[ScriptedHost]) -> None:
    """Let every host have news once a second, one after the other."""
    chance = random.Random(1)
    for turn in count():
        for host in hosts:
            for message in news(host, turn, chance):
                for channel in tuple(host.channels):
                    channel.say(message)
            await asyncio.sleep(1 / len(hosts))


def news(host: ScriptedHost, turn: int, chance: random.Random) -> list[FromNode]:
    """Make one second's news of a host."""
    names = list(host.agents)
    told = chance.sample(names, max(1, len(names) // 10))
    changed = chance.sample(names, max(1, len(names) // 100))
    for name in changed:
        state = chance.choice(("working", "idle", "waiting"))
        host.agents[name] = replace(host.agents[name], state=state, since=NOON + turn)
    loads = tuple(AgentLoad(name, 1, chance.randrange(10**8, 10**9), float(chance.randrange(99)), 3) for name in names)
    return [
        LastLines(tuple(LastLine(name, 1, f"line {turn} of what it says", NOON) for name in told)),
        AgentsSeen(tuple(host.agents[name] for name in changed)),
        Loads(NOON, loads),
    ]


def press(shown: Screen, drawn: Drawn, keys: int) -> list[float]:
    """Move the cursor down, key by key; give the milliseconds until each time it is painted at another agent.

    `drawn` holds all that was written so far. Agents that stand beside each other have different names. That the
    cursor's sign is painted says nothing: an agent that moves takes it along, and where rows move under it, it stays.
    """
    took = []
    for _ in range(keys):
        drawn.feed(shown.settle(random.uniform(0.15, 0.35)))
        before, pressed, painted = drawn.chosen(), time.time() * 1000, _PATIENCE * 1000
        shown.press("j")
        for now, data in shown.written(_PATIENCE):
            drawn.feed(data)
            if drawn.chosen() not in ("", before):
                painted = now - pressed
                break
        took.append(painted)
    return took


if __name__ == "__main__":
    main(sys.argv[1:])
