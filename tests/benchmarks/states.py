"""An agent's state changes on its host -> painted: 100 agents on two SSH hosts.

    python -m tests.benchmarks.states [--agents 100] [--changes 100] [--columns 200] [--rows 50]

A change is an agent's status file replaced, as its runner does; half of the agents say a line every few seconds.
Targets: p50 120 ms, p95 250 ms.
"""

import argparse
import json
import os
import random
import sys
import time
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
    options = parser.parse_args(argv)
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


def write(folder: Path, status: dict[str, Any]) -> None:
    """Replace a status file in one step."""
    beside = folder / "status.json.new"
    beside.write_text(json.dumps(status))
    os.replace(beside, folder / "status.json")


if __name__ == "__main__":
    main(sys.argv[1:])
