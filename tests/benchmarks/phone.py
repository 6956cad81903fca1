"""What a phone receives over a real mosh: bytes a second, idle and with twenty agents at work.

    python -m tests.benchmarks.phone [--seconds 60]

mosh-server and mosh-client on the loopback, 45x20, a way between them that counts. Real host and agents, two lines a
second each. Targets: 0.4 kB/s at work, 50 B/s idle (which is mosh's own heartbeat), UDP payload; with the headers of
IPv4 and UDP beside it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.figures import load
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Yard, yard
from tests.lab.mosh import MoshSession

Row = tuple[str, str, str]


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args(argv).seconds
    with yard(1) as room:
        room.fill(20)
        rows = measured(room, "idle", 0.0, seconds, "50 B/s")
        rows += measured(room, "20 agents, 2 lines/s each", 2.0, seconds, "400 B/s")
        rows += measured(room, "20 agents, 1 line in 4 s each", 0.25, seconds, "400 B/s")
    print_table(f"over mosh to a phone of 45x20, {load()}", rows)


def measured(room: Yard, what: str, lines: float, seconds: float, target: str) -> list[Row]:
    """Look for so long; give a row for what comes down and one for what goes up."""
    if lines:
        with room.feeder(lines):
            return _look(what, seconds, target)
    return _look(what, seconds, target)


def _look(what: str, seconds: float, target: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        session = MoshSession(Path(folder), [sys.executable, "-m", "controlroom"])
        try:
            session.terminal.wait_for_text("working", deadline=30)
            time.sleep(8.0)
            began = session.way.down.octets, session.way.down.on_air, session.way.up.on_air
            time.sleep(seconds)
            ended = session.way.down.octets, session.way.down.on_air, session.way.up.on_air
        finally:
            session.close()
    down, air, up = ((after - before) / seconds for before, after in zip(began, ended, strict=True))
    return [(what, f"{down:.0f} B/s", target), ("  with headers, down / up", f"{air:.0f} / {up:.0f} B/s", "")]


if __name__ == "__main__":
    main(sys.argv[1:])
