"""The network of a host returns -> its link is up again, shown to a front end.

    python -m tests.benchmarks.reconnect [--rounds 5]

The host's sshd is stopped, with all that it holds open, for so long, and started again. Target: 2 s.
"""

import argparse
import asyncio
import sys
import time

from controlroom.domain.model import LinkState
from controlroom.fleet.client import Client
from tests.benchmarks.figures import load
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import yard
from tests.lab.loopback import LoopbackHost

_AWAY = (0.0, 3.0, 10.0, 30.0)
"""Seconds without a network."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(argv).rounds
    with yard(1) as room:
        room.fill(2)
        found = asyncio.run(measure(room.lab.hosts[0], rounds))
    print_table(
        f"network returns -> link up, median and worst of {rounds}, {load()}",
        [
            (f"after {away:g} s without", f"{sorted(took)[len(took) // 2]:.2f} s, {max(took):.2f} s", "2 s")
            for away, took in found.items()
        ],
    )


async def measure(host: LoopbackHost, rounds: int) -> dict[float, list[float]]:
    """Take the network away for each time, so often."""
    client = await Client.connect()
    found: dict[float, list[float]] = {}
    for away in _AWAY:
        for _ in range(rounds if away < 20 else min(rounds, 3)):
            found.setdefault(away, []).append(await once(client, host, away))
    await client.close()
    return found


async def once(client: Client, host: LoopbackHost, away: float) -> float:
    """Give the seconds from the network's return until the link is up."""
    if away:
        await asyncio.to_thread(host.stop)
    else:
        await asyncio.to_thread(host.kill_connections)
    began = time.monotonic()
    while client.fleet.hosts[host.name].link is LinkState.UP:
        await client.changed()
    await asyncio.sleep(away)
    if away:
        await asyncio.to_thread(host.start)
        began = time.monotonic()
    while client.fleet.hosts[host.name].link is not LinkState.UP:
        await client.changed()
    return time.monotonic() - began


if __name__ == "__main__":
    main(sys.argv[1:])
