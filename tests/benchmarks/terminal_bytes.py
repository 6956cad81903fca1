"""What the screen writes to its terminal: bytes a second, idle and at work, wide and on a phone.

    python -m tests.benchmarks.terminal_bytes [--seconds 30]

Real hosts and agents; this machine is the hosts' machine, so their figures move with its load. Targets: idle 0 between
minute ticks; 200 agents all changing once a second 12 kB/s; 100 agents as agents are 2 kB/s, 0.5 kB/s on a phone.
"""

import argparse
import sys
import time

from tests.benchmarks.figures import load
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Yard, yard

_AS_AGENTS_DO = 0.25
"""Lines a second: one every four seconds."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args(argv).seconds
    with yard(2) as room:
        room.fill(100)
        rows = [
            ("100 agents, idle, 120x40", rate(room, 120, 40, 0.0, seconds), "0 but for hosts' figures"),
            ("100 agents, idle, 45x20", rate(room, 45, 20, 0.0, seconds), "0 but for hosts' figures"),
            ("100 agents at work, 120x40", rate(room, 120, 40, _AS_AGENTS_DO, seconds), "2 kB/s"),
            ("100 agents at work, 45x20", rate(room, 45, 20, _AS_AGENTS_DO, seconds), "0.5 kB/s"),
        ]
        room.fill(100, first=100)
        rows.append(("200 agents at 1 Hz, 120x40", rate(room, 120, 40, 1.0, seconds), "12 kB/s"))
    print_table(f"written to the terminal, {load()}", rows)


def rate(room: Yard, columns: int, rows: int, lines: float, seconds: float) -> str:
    """Return what a screen of this size writes a second while each agent says so many lines a second."""
    if lines:
        with room.feeder(lines):
            return measured(room, columns, rows, seconds)
    return measured(room, columns, rows, seconds)


def measured(room: Yard, columns: int, rows: int, seconds: float) -> str:
    """Look for so long, from a moment on that leaves the tick of the minute out if it can."""
    with room.screen(columns, rows) as screen:
        screen.settle(8.0)
        left = 59.0 - time.time() % 60
        screen.settle(left + 2.0 if left < seconds < 55 else 0.0)
        size = len(screen.settle(seconds))
    return f"{size / seconds / 1000:.2f} kB/s"


if __name__ == "__main__":
    main(sys.argv[1:])
