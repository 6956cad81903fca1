"""The second of two agents edits a file -> the alarm that names both: agents in clones of one repository on two hosts.

    python -m tests.benchmarks.overlap [--agents 20] [--files 2000] [--edits 40]

An edit by a tool is a file written and noted as an agent's runner does; one by a command, a file written and a line
said. Target: p95 5 s. Beside it what the nodes took of a core meanwhile, their git included. An edit takes about five
seconds, as the end of each is waited for; a clone of 30,000 files takes three.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from controlroom.client.client import Client
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.intents import SpawnAgent
from controlroom.domain.model import LinkState
from controlroom.runner.folder import EDITS
from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Yard, folder_of, yard

PATIENCE = 60.0
"""Seconds until an alarm that does not come is given up."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--edits", type=int, default=24)
    options = parser.parse_args(argv)
    with yard(2) as room:
        first = repository(room.lab.directory / "first", options.files)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            trees = [*pool.map(lambda number: clone(room, number, first), range(options.agents))]
        by_tool, by_command, share = asyncio.run(measured(room, trees, options.edits))
    print_table(
        f"second edit -> alarm, {options.agents} agents, {options.files} files, {options.edits} edits, {load()}",
        [
            ("by a tool, p50", f"{part(by_tool, 0.5):.0f} ms", ""),
            ("by a tool, p95", f"{part(by_tool, 0.95):.0f} ms", "5000 ms"),
            ("by a command, p50", f"{part(by_command, 0.5):.0f} ms", ""),
            ("by a command, p95", f"{part(by_command, 0.95):.0f} ms", "5000 ms"),
            ("nodes and git, of one core", f"{100 * share:.1f} %", ""),
        ],
    )


async def measured(room: Yard, trees: list[Path], edits: int) -> tuple[list[float], list[float], float]:
    """Measure it; give the times of edits by tools and by commands, and what the nodes took of a core."""
    client = await Client.connect()
    for number, tree in enumerate(trees):
        await spawn(room, client, number, tree)
    nodes = [psutil.Process(room.node(host)) for host in room.lab.hosts]
    took, began = sum(map(seconds_of, nodes)), time.monotonic()
    late = [await one_edit(room, client, trees, f"src/new-{turn}.txt", note=bool(turn % 2)) for turn in range(edits)]
    share = (sum(map(seconds_of, nodes)) - took) / (time.monotonic() - began)
    await client.close()
    return late[1::2], late[::2], share


async def one_edit(room: Yard, client: Client, trees: list[Path], path: str, *, note: bool) -> float:
    """Let two agents on two hosts edit a file; give the milliseconds from the second edit to the alarm."""
    one, other = random.randrange(0, len(trees), 2), random.randrange(1, len(trees), 2)
    edit(room, one, trees[one] / path, note=True)
    await until(client, f"the first edit of {path}", lambda: files_of(client, name_of(one)))
    await asyncio.sleep(random.uniform(0.5, 3.5))
    at = time.time()
    edit(room, other, trees[other] / path, note=note)
    await until(client, f"the alarm about {path}", lambda: overlaps(client))
    late = 1000 * (time.time() - at)
    for number in (one, other):
        (trees[number] / path).unlink()
        say(room, number)
    both = name_of(one), name_of(other)
    await until(client, f"the end of {path}", lambda: not any(files_of(client, name) for name in both))
    return late


def repository(folder: Path, files: int) -> Path:
    """Make a repository with so many files."""
    (folder / "src").mkdir(parents=True)
    for number in range(files):
        (folder / "src" / f"{number}.txt").write_text(f"{number}\n" * 50)
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def clone(room: Yard, number: int, first: Path) -> Path:
    """Make the clone that an agent works in."""
    tree = room.lab.hosts[number % 2].home / name_of(number)
    subprocess.run(["git", "clone", "-q", str(first), str(tree)], check=True)
    subprocess.run(["git", "-C", str(tree), "remote", "set-url", "origin", "https://example.org/team/docs"], check=True)
    os.mkfifo(room.fifos / name_of(number))
    return tree


async def spawn(room: Yard, client: Client, number: int, tree: Path) -> None:
    """Start an agent, and wait until its clone was looked at."""
    name, host = name_of(number), room.lab.hosts[number % 2]
    await until(client, f"{host.name} to be up", lambda: client.fleet.hosts[host.name].link is LinkState.UP)
    command = ("sh", "-c", 'exec cat <> "$0"', str(room.fifos / name))
    done = await client.submit(SpawnAgent(name, "", host.name, command=command, cwd=str(tree)))
    if not done.ok:
        raise RuntimeError(f"{name}: {done.reason}")
    await until(client, f"{name} to be looked at", lambda: files_of(client, name) == 0)


def name_of(number: int) -> str:
    return f"agent-{number:03}"


def edit(room: Yard, number: int, file: Path, *, note: bool) -> None:
    """Let an agent write a file; with a note of it as its runner makes one, else with a line that it says."""
    file.write_text("more\n")
    if note:
        with open(folder_of(room.lab.hosts[number % 2], name_of(number)) / EDITS, "a") as notes:
            notes.write(json.dumps({"path": str(file)}) + "\n")
    else:
        say(room, number)


def say(room: Yard, number: int) -> None:
    """Let an agent say a line."""
    with open(room.fifos / name_of(number), "w") as fifo:
        fifo.write("a line\n")


def files_of(client: Client, name: str) -> int | None:
    """How many files an agent has edited; None: not known."""
    (agent,) = client.fleet.find(name) or (None,)
    return agent.edited.files if agent is not None and agent.edited is not None else None


def overlaps(client: Client) -> list[str]:
    """What alarms say about overlap."""
    return [alarm.text for alarm in client.fleet.alarms.values() if alarm.kind is AlarmKind.OVERLAP]


def seconds_of(process: psutil.Process) -> float:
    """What a process and those that it has waited for have used of a core, seconds."""
    return sum(process.cpu_times()[:4])


async def until(client: Client, what: str, true: Callable[[], object]) -> None:
    """Wait for something in what the client holds."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {PATIENCE:.0f} s: {what}")
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(client.changed(), 1.0)


if __name__ == "__main__":
    main(sys.argv[1:])
