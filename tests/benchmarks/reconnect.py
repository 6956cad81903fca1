"""The network of a host returns -> its link is up again, shown to a front end.

    python -m tests.benchmarks.reconnect [--rounds 5] [--silent]

The host's sshd is stopped, with all that it holds open, for so long, and started again; or (`--silent`: network
namespaces, as root) every packet of the host is dropped until so long after it was shown as lost. Target: 2 s.
"""

import argparse
import asyncio
import os
import sys
import time

from controlroom.client.client import Client
from controlroom.domain.model import LinkState
from tests.benchmarks.figures import load
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import yard
from tests.faults.room import room_of
from tests.lab.loopback import LoopbackHost
from tests.lab.namespaces import NamespaceHost, NamespaceLab
from tests.lab.world import World

_AWAY = (0.0, 3.0, 10.0, 30.0)
"""Seconds without a network."""

_AFTER_LOST = (3.0, 9.0, 14.0)
"""Seconds from the link being shown as lost to the way being healed."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--silent", action="store_true")
    chosen = parser.parse_args(argv)
    rounds = chosen.rounds
    if chosen.silent:
        _silent(rounds)
        return
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


def _silent(rounds: int) -> None:
    """Cut a host off in silence, and heal that."""
    world = World()
    os.environ.update(world.environment())
    lab = NamespaceLab().up(1)
    try:
        lab.install(world.home)
        found = asyncio.run(_measure_silent(lab.hosts[0], rounds))
    finally:
        lab.down()
        world.close()
    print_table(
        f"silent cut healed so long after lost was shown -> link up, median and worst of {rounds}, {load()}",
        [
            (f"{after:g} s", f"{sorted(took)[len(took) // 2]:.2f} s, {max(took):.2f} s", "2 s")
            for after, took in found.items()
        ],
    )


async def _measure_silent(host: NamespaceHost, rounds: int) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {after: [] for after in _AFTER_LOST}
    async with room_of([host]) as room:
        for after, took in [(after, took) for _ in range(rounds) for after, took in found.items()]:
            host.cut()
            await room.link(host.name, LinkState.LOST, LinkState.CONNECTING)
            await asyncio.sleep(after)
            host.heal()
            began = time.monotonic()
            while room.host(host.name).link is not LinkState.UP:
                await room.client.changed()
            took.append(time.monotonic() - began)
    return found


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
    """Return the seconds from the network's return until the link is up."""
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
