"""Two hundred tasks from a file: how soon the queue has an agent at work for each, and whether the screen keeps up.

    python -m tests.benchmarks.starts [--agents 200] [--hosts 2] [--columns 120] [--rows 40] [--apart]

Real sshds on loopback, nodes, runners, engine, verb and screen; agents sleep. Starts are not staggered. While they go
on, keys are pressed on the screen. Most of the work is on the hosts, which here share the processor with the engine: a
runner is a Python of its own. `--apart`: hosts give way to engine and screen, as if they were other machines (root).
"""

import argparse
import asyncio
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from controlroom.client.client import Client
from controlroom.domain.model import LinkState, State
from tests.benchmarks.drawn import Drawn
from tests.benchmarks.figures import cpu_seconds, load, part, waited
from tests.benchmarks.table import print_table
from tests.benchmarks.thousand import press
from tests.benchmarks.yard import Screen, Yard, yard

CONFIG = """[queue]
stagger_seconds = 0
max_agents = 1000
max_tasks = 1000
memory_percent = 100
[profiles.sleeper]
kind = "command"
command = ["sleep", "3600"]
"""

PATIENCE = 600.0


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--apart", action="store_true")
    options = parser.parse_args(argv)
    with yard(options.hosts, CONFIG) as room, room.screen(options.columns, options.rows) as screen:
        rows = measured(room, screen, options.agents, apart=options.apart)
    title = f"{options.agents} tasks on {options.hosts} hosts{', apart' * options.apart}"
    print_table(f"{title}, {load()}", rows)


def measured(room: Yard, screen: Screen, count: int, *, apart: bool) -> list[tuple[str, str, str]]:
    """Have the tasks carried out, and look at the screen meanwhile."""
    asyncio.run(until_up())
    with giving_way(room) if apart else nullcontext():
        return keys_and_starts(room, screen, count)


def keys_and_starts(room: Yard, screen: Screen, count: int) -> list[tuple[str, str, str]]:
    """Press keys while the agents are started, and then some more."""
    drawn = Drawn()
    drawn.feed(screen.settle(3.0))
    before, delayed = used(room, screen), waited(screen.pid)
    starting = Starting(count)
    took: list[float] = []
    while starting.thread.is_alive():
        took += press(screen, drawn, 1) if starting.shown > 1 else []
        drawn.feed(screen.settle(0.2))
    after, delayed = used(room, screen), waited(screen.pid) - delayed
    calm = press(screen, drawn, 20)
    rows = [
        ("file taken in", f"{starting.taken:.1f} s", ""),
        ("all of them ordered", f"{starting.ordered:.1f} s", ""),
        ("first agent at work", f"{starting.at[0]:.1f} s", ""),
        ("half of them at work", f"{part(starting.at, 0.5):.1f} s", ""),
        ("all of them at work", f"{starting.at[-1]:.1f} s", "60 s"),
        ("key -> paint meanwhile, p50", f"{part(took, 0.5):.0f} ms", ""),
        ("key -> paint meanwhile, p95", f"{part(took, 0.95):.0f} ms", "100 ms"),
        ("key -> paint afterwards, p50", f"{part(calm, 0.5):.0f} ms", ""),
        ("key -> paint afterwards, p95", f"{part(calm, 0.95):.0f} ms", ""),
        ("starts that failed, and were begun again", str(starting.again), ""),
        ("keys pressed meanwhile", str(len(took)), ""),
        ("screen, ready to run and without a processor", f"{delayed:.1f} s", ""),
    ]
    spent = {name: after[name] - before[name] for name in after}
    rows += [(f"{name}, CPU", f"{seconds:.1f} s", "") for name, seconds in spent.items()]
    return [*rows, ("all of that, for one agent", f"{1000 * sum(spent.values()) / count:.0f} ms", "")]


@contextmanager
def giving_way(room: Yard) -> Iterator[None]:
    """Have all processes of the hosts in a control group with a small share while others want a processor.

    Niceness would do nothing: every terminal has its share to itself (autogroup). Root only.
    """
    groups = Path("/sys/fs/cgroup/cpu") if Path("/sys/fs/cgroup/cpu").is_dir() else Path("/sys/fs/cgroup")
    group = groups / f"controlroom-starts-{os.getpid()}"
    group.mkdir()
    try:
        share = next(file for name in ("cpu.shares", "cpu.weight") if (file := group / name).exists())
        share.write_text("100")
        for host in room.lab.hosts:
            for process in host.processes():
                (group / "cgroup.procs").write_text(str(process.pid))
        yield
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (groups / "cgroup.procs").write_text(pid)
        with suppress(OSError):
            group.rmdir()


async def until_up() -> None:
    """Wait until every host is there."""
    client = await Client.connect()
    while not all(host.link is LinkState.UP for host in client.fleet.hosts.values()):
        await client.changed()
    await client.close()


class Starting:
    """Tasks on their way, in a thread of their own: when each had an agent at work, in seconds from the first word."""

    def __init__(self, count: int) -> None:
        self.count, self.taken, self.ordered, self.shown, self.again = count, 0.0, 0.0, 0, 0
        self.at: list[float] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        client = await Client.connect()
        began = time.monotonic()
        words = [sys.executable, "-m", "controlroom", "task", "add", "--from", "-", "--profile", "sleeper"]
        text = "".join(f"- {number} sleeps for a while\n" for number in range(self.count))
        adding = asyncio.create_task(
            asyncio.to_thread(subprocess.run, words, input=text.encode(), stdout=subprocess.DEVNULL, check=True)
        )
        adding.add_done_callback(lambda _: setattr(self, "taken", time.monotonic() - began))
        while len(self.at) < self.count and time.monotonic() - began < PATIENCE:
            self.shown = len(client.fleet.agents)
            if self.shown >= self.count:
                self.ordered = self.ordered or time.monotonic() - began
            working = sum(agent.state is State.WORKING for agent in client.fleet.agents.values())
            self.at += [time.monotonic() - began] * (working - len(self.at))
            await asyncio.wait_for(client.changed(), 60)
        await adding
        self.again = sum(len(task.attempts) - 1 for task in client.fleet.tasks.values())
        await client.close()


def used(room: Yard, screen: Screen) -> dict[str, float]:
    """CPU seconds by kind of process until now."""
    seconds = defaultdict(float, {"engine": cpu_seconds(room.engine), "screen": cpu_seconds(screen.pid)})
    for host in room.lab.hosts:
        seconds["nodes"] += cpu_seconds(room.node(host))
        seconds["sshd"] += sum(map(cpu_seconds, room.sshd(host)))
        for kind, pid in others(room, host.name):
            seconds[kind] += cpu_seconds(pid)
    return {name: seconds[name] for name in ("engine", "screen", "nodes", "sshd", "runners", "tmux and agents")}


def others(room: Yard, name: str) -> Iterator[tuple[str, int]]:
    """The processes of a host beside node and sshd."""
    host = next(host for host in room.lab.hosts if host.name == name)
    for process in host.processes():
        if "runner/run.py" in process.command:
            yield "runners", process.pid
        elif "node/serve.py" not in process.command and "sshd" not in process.command:
            yield "tmux and agents", process.pid


if __name__ == "__main__":
    main(sys.argv[1:])
