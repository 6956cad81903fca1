"""One agent writes 50,000 lines at once: can all be read afterwards, how late are others meanwhile, how much memory.

    python -m tests.benchmarks.burst [--lines 50000] [--agents 20] [--columns 200] [--rows 50]

The agent that floods is the one whose log is open on the screen. Targets: every line, 300 ms, memory bounded.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

from controlroom.client.client import Client
from controlroom.domain.intents import SpawnAgent
from controlroom.domain.model import LogPlace
from tests.benchmarks.figures import load, memory, part
from tests.benchmarks.many import lateness
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Screen, Yard, yard

_FLOOD = "read go < {fifo}; seq -f 'flood line %.0f of many' {lines}; sleep 600"
_NAME = "a-flood"
"""Stands first in the table, so that its log is the one on the screen."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=50)
    options = parser.parse_args(argv)
    with yard(2) as room:
        room.fill(options.agents)
        asyncio.run(spawn(room, options.lines))
        with room.feeder(2.0), room.screen(options.columns, options.rows) as screen:
            screen.settle(6.0)
            measure(room, screen, options)


async def spawn(room: Yard, lines: int) -> None:
    """Start the agent that will flood when its FIFO says so."""
    fifo = room.lab.directory / "go"
    room.lab.hosts[0].run(f"mkfifo {fifo}")
    client = await Client.connect()
    script = _FLOOD.format(fifo=fifo, lines=lines)
    done = await client.submit(SpawnAgent(_NAME, "", room.lab.hosts[0].name, command=("sh", "-c", script)))
    if not done.ok:
        raise RuntimeError(done.reason)
    await client.close()


def measure(room: Yard, screen: Screen, options: argparse.Namespace) -> None:
    """Look before, during and after the flood, and print."""
    processes = {"engine": room.engine, "screen": screen.pid, "node": room.node(room.lab.hosts[0])}
    before = {name: memory(pid)[0] for name, pid in processes.items()}
    quiet, _ = lateness(screen, 5.0)
    (room.lab.directory / "go").write_text("go\n")
    late, _ = lateness(screen, 5.0)
    lines = asyncio.run(readable(f"{room.lab.hosts[0].name}/{_NAME}"))
    grown = {name: memory(pid)[0] for name, pid in processes.items()}
    print_table(
        f"{options.lines} lines at once beside {options.agents} agents at 2 lines a second, {load()}",
        [
            ("readable afterwards", f"{lines} of {options.lines} lines", "all"),
            ("others before, p50", f"{part(quiet, 0.5):.0f} ms", ""),
            ("others before, worst", f"{max(quiet):.0f} ms", ""),
            ("others meanwhile, p50", f"{part(late, 0.5):.0f} ms", ""),
            ("others meanwhile, worst", f"{max(late):.0f} ms", "300 ms"),
            *((f"{name}, RSS before", f"{size:.0f} MB", "") for name, size in before.items()),
            *((f"{name}, RSS afterwards", f"{size:.0f} MB", "") for name, size in grown.items()),
        ],
    )


async def readable(agent: str) -> int:
    """Count the flood's lines from the log's beginning on; they must be in order, none twice."""
    client = await Client.connect()
    numbers = [number async for number in _numbers(client, agent)]
    await client.close()
    if numbers != list(range(1, len(numbers) + 1)):
        raise RuntimeError("lines are missing, doubled or out of order")
    return len(numbers)


async def _numbers(client: Client, agent: str) -> AsyncIterator[int]:
    place = LogPlace(1, 0, 0)
    while (page := await client.fetch(agent, 1, after=place, count=5000)).records:
        place = page.end
        for record in page.records:
            if record.body.startswith(b"flood line"):
                yield int(record.body.split()[2])


if __name__ == "__main__":
    main(sys.argv[1:])
