"""How long it takes to take over fifty agents of others at once, over the engine's own socket.

    python -m tests.benchmarks.adopting [--agents 50] [--rounds 5]

The engine runs in this process with a scripted host, as a room has it; each adoption is on the disk before it is
answered. Target: 2 s for all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from unittest.mock import patch

from controlroom.client.client import Client
from controlroom.domain.intents import AdoptAgent
from controlroom.domain.keys.many import AT_ONCE
from tests.benchmarks.table import print_table
from tests.engine.rooms import room
from tests.engine.strangers import Strangers, other


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    took = sorted(measured(options.agents) for _ in range(options.rounds))
    shown = f"{took[len(took) // 2]:.2f} s"
    print_table(f"take over agents of others, median of {options.rounds}", [(f"{options.agents} agents", shown, "2 s")])


def measured(agents: int) -> float:
    """Seconds from the first request to the last answer."""
    with tempfile.TemporaryDirectory(prefix="cr-") as folder, patch.dict(os.environ, {"CONTROLROOM_HOME": folder}):
        return asyncio.run(adopted(agents))


async def adopted(agents: int) -> float:
    """Take all over, as the verb does, so many at once."""
    host = Strangers(*(other(f"~agent-{number}", f"b1.{number}.7", session="") for number in range(1, agents + 1)))
    async with room(host) as here:
        await here.until(lambda: len(here.engine.store.fleet.agents) == agents)
        fleet = here.engine.store.fleet
        client = await Client.connect(role="cli", ask=False)
        gate = asyncio.Semaphore(AT_ONCE)

        async def adopt(agent: str, mark: str) -> bool:
            async with gate:
                return (await client.submit(AdoptAgent(agent, mark), wait=True, deadline=60)).ok

        begin = time.perf_counter()
        done = await asyncio.gather(*(adopt(agent.id, agent.mark) for agent in fleet.agents.values()))
        took = time.perf_counter() - begin
        await client.close()
        assert all(done)
        return took


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
