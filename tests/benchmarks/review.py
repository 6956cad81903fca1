"""`+` on an agent is pressed -> what it has changed is painted; Enter -> the diff of a file with 10,000 changed lines.

    python -m tests.benchmarks.review [--lines 10000] [--times 15] [--columns 100] [--rows 40]

Over SSH to a real host, by the real engine and screen. Target: 0.3 s, and memory that does not grow with the diff.
"""

import argparse
import asyncio
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

from controlroom.client.client import Client
from controlroom.domain.intents import SpawnAgent
from controlroom.domain.model import LinkState, State
from tests.benchmarks.figures import load, memory
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Screen, Yard, yard

_FILES = 60
_SETTLED = 3.0
"""Seconds for all to have done what they do at first."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--rows", type=int, default=40)
    options = parser.parse_args(argv)
    with yard(1) as place:
        top = place.lab.directory / "repository"
        begin(top, options.lines // 2)
        asyncio.run(spawn(place, top))
        change(top, options.lines // 2)
        with place.screen(options.columns, options.rows) as screen:
            rows = measured(place, screen, options.times)
    print_table(f"a review of {options.lines} changed lines, {options.columns}x{options.rows}, {load()}", rows)


def git(top: Path, *words: str) -> None:
    """Run git in the repository."""
    who = [word for what in ("name", "email") for word in ("-c", f"user.{what}=bench")]
    subprocess.run(["git", "-C", top, *who, *words], check=True, stdout=subprocess.DEVNULL)


def begin(top: Path, lines: int) -> None:
    """Make a repository: one long file, and others."""
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    (top / "a-long-one.py").write_text("".join(f"value_{number} = {number}\n" for number in range(lines)))
    for number in range(_FILES):
        (top / f"module_{number}.py").write_text("x = 1\n" * 100)
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "first")


async def spawn(place: Yard, top: Path) -> None:
    """Start an agent that works there, and wait until it does."""
    client = await Client.connect()
    (host,) = place.lab.hosts
    while any(each.link is not LinkState.UP for each in client.fleet.hosts.values()):
        await client.changed()
    done = await client.submit(SpawnAgent("work", "", host.name, command=("sleep", "3600"), cwd=str(top)))
    if not done.ok:
        raise SystemExit(done.reason)
    while client.fleet.agents[f"{host.name}/work"].state is not State.WORKING:
        await client.changed()
    await client.close()


def change(top: Path, lines: int) -> None:
    """Do what the agent is said to have done: half of it is committed, and each line of the long file another one."""
    for number in range(_FILES):
        (top / f"module_{number}.py").write_text("x = 1\n" * 50 + f"y = {number}\n" + "x = 1\n" * 49)
    git(top, "commit", "-q", "-a", "-m", "second")
    (top / "a-long-one.py").write_text("".join(f"value_{number} = {number} + 1\n" for number in range(lines)))


def measured(place: Yard, screen: Screen, times: int) -> list[tuple[str, str, str]]:
    """Open it again and again."""
    (host,) = place.lab.hosts
    until(screen, rb"working", 30)
    screen.settle(_SETTLED)
    processes = {"engine": place.engine, "node": place.node(host), "screen": screen.pid}
    listed: list[float] = []
    opened: list[float] = []
    before: dict[str, float] = {}
    for number in range(times):
        listed.append(pressed(screen, "+", rb"61 files"))
        screen.settle(1.0)
        opened.append(pressed(screen, "\r", rb"value_0 = 0"))
        screen.settle(0.2)
        screen.press(">")
        screen.settle(1.0)
        screen.press("qq")
        screen.settle(1.0)
        if number == 0:
            before = {name: memory(pid)[0] for name, pid in processes.items()}
    grown = {name: memory(pid)[0] - before[name] for name, pid in processes.items()}
    return [
        (told("files on show", listed), figure(listed), "300 ms"),
        (told("diff on show", opened), figure(opened), "300 ms"),
        *((f"{name}, more memory after {times} times", f"{grown[name]:.1f} MB", "") for name in processes),
    ]


def told(name: str, late: list[float]) -> str:
    """What a row is about."""
    return f"{name} (median and longest of {len(late)})"


def figure(late: list[float]) -> str:
    """Milliseconds."""
    return f"{sorted(late)[len(late) // 2]:.0f} / {max(late):.0f} ms"


def pressed(screen: Screen, key: str, effect: bytes) -> float:
    """Press a key; give the milliseconds until its effect is painted."""
    begun = time.perf_counter()
    screen.press(key)
    until(screen, effect, 20)
    return (time.perf_counter() - begun) * 1000


def until(screen: Screen, wanted: bytes, seconds: float) -> None:
    """Read what is painted until something stands there."""
    seen, end = b"", time.monotonic() + seconds
    while not re.search(wanted, re.sub(rb"\x1b\[[0-9;]*m", b"", seen)):
        if not select.select([screen.terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            raise SystemExit(f"not painted within {seconds} s: {wanted!r}")
        seen += os.read(screen.terminal, 1 << 20)


if __name__ == "__main__":
    main(sys.argv[1:])
