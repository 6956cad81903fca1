"""An agent's state changes on its host -> painted: 100 agents on two SSH hosts.

    python -m tests.benchmarks.states [--adopted] [--agents 100] [--changes 100] [--columns 200] [--rows 50]

A change is an agent's status file replaced, as its runner does; half of the agents say a line every few seconds.
Targets: p50 120 ms, p95 250 ms. `--adopted`: Claudes that others started, whose own session files are replaced as
Claude does. Targets: p50 150 ms, p95 300 ms.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Screen, Yard, folder_of, yard


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--adopted", action="store_true")
    options = parser.parse_args(argv)
    if options.adopted:
        measure_adopted(options)
        return
    with yard(2) as room:
        room.fill(options.agents)
        with room.feeder(0.25), room.screen(options.columns, options.rows) as screen:
            screen.settle(6.0)
            late = [change(room, screen, options.agents) for _ in range(options.changes)]
    print_table(
        f"state changed on its host -> painted, {options.agents} agents, {options.changes} changes, {load()}",
        [
            ("p50", f"{part(late, 0.5):.0f} ms", "120 ms"),
            ("p95", f"{part(late, 0.95):.0f} ms", "250 ms"),
            ("worst", f"{max(late):.0f} ms", ""),
        ],
    )


def change(room: Yard, screen: Screen, agents: int) -> float:
    """Let one agent ask for something; give how many milliseconds later that is painted. Then it works again."""
    number = random.randrange(agents)
    folder = folder_of(room.lab.hosts[number % len(room.lab.hosts)], f"agent-{number:03}")
    status = json.loads((folder / "status.json").read_bytes())
    screen.settle(random.uniform(0.1, 0.3))
    at = time.time_ns() // 1_000_000
    question = {"id": f"q{at}", "tool": "Bash", "text": f"@{at}@", "at": at}
    write(folder, {**status, "state": "waiting", "since": at, "question": question})
    mark, seen = f"@{at}@".encode(), b""
    for now, data in screen.written(5.0):
        seen = seen[-20:] + data
        if mark in seen:
            write(folder, status)
            return now - at
    raise RuntimeError("a change was never painted")


def measure_adopted(options: argparse.Namespace) -> None:
    """Measure it with agents that others started."""
    with yard(2) as room, claudes(room, options.agents) as pids:
        room.fill(0)
        with room.screen(options.columns, options.rows) as screen:
            screen.settle(12.0)
            late = [change_adopted(room, screen, pids) for _ in range(options.changes)]
    print_table(
        f"state of an adopted Claude -> painted, {options.agents} agents, {options.changes} changes, {load()}",
        [
            ("p50", f"{part(late, 0.5):.0f} ms", "150 ms"),
            ("p95", f"{part(late, 0.95):.0f} ms", "300 ms"),
            ("worst", f"{max(late):.0f} ms", ""),
        ],
    )


@contextmanager
def claudes(room: Yard, count: int) -> Iterator[list[int]]:
    """Let others run so many programs that are called as Claude is, by turns on each host; give their pids."""
    program = room.lab.directory / "bin" / "claude"
    program.parent.mkdir()
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    children = []
    try:
        for number in range(count):
            home = room.lab.hosts[number % len(room.lab.hosts)].home
            folder = home / f"project-{number:03}"
            folder.mkdir()
            environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
            children.append(subprocess.Popen([program, "100000"], env=environ, cwd=folder))
            say(home, children[-1].pid, "busy")
        yield [child.pid for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()


def say(home: Path, pid: int, status: str, waits: str = "") -> None:
    """Replace the session file of a process."""
    folder = home / ".claude" / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    value = {"pid": pid, "sessionId": f"00000000-0000-4000-8000-{pid:012}", "cwd": str(home), "procStart": start}
    value |= {"status": status, "statusUpdatedAt": time.time_ns() // 1_000_000, "waitingFor": waits}
    (folder / "new").write_text(json.dumps(value))
    os.replace(folder / "new", folder / f"{pid}.json")


def change_adopted(room: Yard, screen: Screen, pids: list[int]) -> float:
    """Let one Claude wait for something; give how many milliseconds later that is painted. Then it works again."""
    number = random.randrange(len(pids))
    home = room.lab.hosts[number % len(room.lab.hosts)].home
    screen.settle(random.uniform(0.1, 0.6))
    at = time.time_ns() // 1_000_000
    say(home, pids[number], "waiting", f"@{at}@")
    mark, seen = f"@{at}@".encode(), b""
    for now, data in screen.written(5.0):
        seen = seen[-20:] + data
        if mark in seen:
            say(home, pids[number], "busy")
            return now - at
    raise RuntimeError("a change was never painted")


def write(folder: Path, status: dict[str, Any]) -> None:
    """Replace a status file in one step."""
    beside = folder / "status.json.new"
    beside.write_text(json.dumps(status))
    os.replace(beside, folder / "status.json")


if __name__ == "__main__":
    main(sys.argv[1:])
