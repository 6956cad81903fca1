"""Eight watchers with eight searches each for an expression that never ends, and what operators notice of it.

    python -m tests.benchmarks.watchers [--watchers 8] [--searches 8] [--seconds 20]

The host is real (sshd on loopback, its node, tmux); one agent has said a line on which `(a+)+$` does not end. A verb is
a front end that connects, reads the end of that log, searches it for a word, and leaves.
"""

import argparse
import asyncio
import contextlib
import time

from controlroom.client.client import Client
from controlroom.domain.intents import SpawnAgent
from controlroom.domain.model import LinkState
from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Yard, yard

AGENT = "talker"


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", type=int, default=8)
    parser.add_argument("--searches", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with yard(1) as made:
        asyncio.run(measure(made, options))


async def measure(made: Yard, options: argparse.Namespace) -> None:
    """Use the room before, during and after the attack, and print."""
    host = made.lab.hosts[0].name
    agent = f"{host}/{AGENT}"
    client = await Client.connect()
    while any(one.link is not LinkState.UP for one in client.fleet.hosts.values()):
        await client.changed()
    words = ("sh", "-c", f"echo {'a' * 60}!; echo needle; sleep 600")
    done = await client.submit(SpawnAgent(AGENT, "", host, command=words))
    if not done.ok:
        raise RuntimeError(done.reason)
    while not (await client.search(agent, 1, "needle")).hits:  # noqa: ASYNC110 - its host is asked
        await asyncio.sleep(0.1)
    before = await verbs(agent, 5)
    watchers = [await Client.connect(start=False, role="watch") for _ in range(options.watchers)]
    attack = [asyncio.create_task(searching(watcher, agent)) for watcher in watchers for _ in range(options.searches)]
    await asyncio.sleep(2)
    during = await verbs(agent, options.seconds)
    for task in attack:
        task.cancel()
    await asyncio.gather(*attack, return_exceptions=True)
    for watcher in watchers:
        await watcher.close()
    await asyncio.sleep(1)
    after = await verbs(agent, 5)
    await client.stop_engine()
    await client.close()
    rows = []
    for name, took, target in (("before", before, ""), ("during it", during, "1000 ms"), ("1 s after it", after, "")):
        rows.append((f"verbs {name}, p50", f"{1000 * part(took, 0.5):.0f} ms", ""))
        rows.append((f"verbs {name}, worst of {len(took)}", f"{1000 * max(took):.0f} ms", target))
    print_table(f"{options.watchers} watchers, {options.searches} searches each for (a+)+$, {load()}", rows)


async def searching(watcher: Client, agent: str) -> None:
    """Search, again and again."""
    while True:
        with contextlib.suppress(OSError):
            await watcher.search(agent, 1, "(a+)+$", regex=True)


async def verbs(agent: str, seconds: float) -> list[float]:
    """Connect, read, search and leave, again and again; nothing of it may be refused."""
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        client = await Client.connect(start=False, role="cli")
        page = await client.fetch(agent, 1)
        found = await client.search(agent, 1, "needle")
        took.append(time.monotonic() - began)
        if page.reason or found.reason or not found.hits:
            raise RuntimeError(page.reason or found.reason or "it was not found")
        await client.close()
        await asyncio.sleep(0.2)
    return took


if __name__ == "__main__":
    main()
