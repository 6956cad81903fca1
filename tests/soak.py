"""`python -m tests.soak --minutes 60 --agents 200 --seed 7`: the long soak, by hand.

Real sshds on this machine, an engine, a screen under random keys; random faults and orders. Ends with exit code 0 when
what the hosts have and what is shown agree, and nothing is left; the seed repeats the choices.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from contextlib import ExitStack

from tests.faults.room import Room, room_of
from tests.faults.soak import Soak, nothing_outlives_the_engine
from tests.lab.loopback import LoopbackHost, LoopbackLab
from tests.lab.options import Options
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for_async
from tests.lab.warden import Warden
from tests.lab.world import World, leaks

SCREENS = ((120, 40), (45, 20))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--agents", type=int, default=60)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--pause", type=float, default=1.5, help="seconds between faults, in the middle")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    return parser.parse_args()


def main() -> int:
    """Build a world, soak in it, take it down."""
    given, began = arguments(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    say(f"seed: {given.seed}")
    with ExitStack() as stack:
        warden, world = Warden(), World()
        stack.callback(warden.close)
        stack.callback(world.close)
        warden.watch(world.directory)
        for name in filter(leaks, list(os.environ)):
            del os.environ[name]
        os.environ.update(world.environment())
        lab = LoopbackLab(options=Options())
        warden.watch(lab.directory)
        stack.enter_context(lab)
        lab.up(given.hosts)
        lab.install(world.home)
        asyncio.run(soak(given, lab.hosts, world, say))
    say("done")
    return 0


async def soak(given: argparse.Namespace, hosts: list[LoopbackHost], world: World, say: object) -> None:
    """The run itself."""
    assert callable(say)
    async with room_of(hosts) as room:
        run = Soak(room, given.agents, given.seed, say, None)
        keeping = asyncio.create_task(keep_screen(run, world, room))
        try:
            await run.run(given.minutes * 60, given.pause)
        finally:
            keeping.cancel()
            if run.screen is not None:
                run.screen.close()
        await run.end_all()
    await nothing_outlives_the_engine(hosts)


async def keep_screen(run: Soak, world: World, room: Room) -> None:
    """Open a front end, and another one whenever it was left."""
    for number in range(100_000):
        width, height = SCREENS[number % 2]
        run.screen = Terminal(world.directory / f"screen{number}", [sys.executable, "-m", "controlroom"], width, height)
        status = await wait_for_async(lambda: left(run), 86_400, poll=0.5) - 1
        assert status == 0, f"the screen ended with {status}:\n{run.screen.screen()}"
        run.happened["left the screen"] += 1
        run.screen.close()


def left(run: Soak) -> int:
    """The exit status of the front end and one, 0 while it runs."""
    status = run.screen.exit_status() if run.screen else None
    return 0 if status is None else status + 1


if __name__ == "__main__":
    sys.exit(main())
