"""What planning a fleet file of 200 agents costs: the decision alone, and the verb from its start to its end.

    python -m tests.benchmarks.fleet_plan [--agents 200] [--rounds 20]

The decision is made for a file of which nothing runs yet, for one that all runs by, and for one of which every agent is
another one now. The verb asks a real engine on this machine, which has no agents. Target: 0.3 s.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from controlroom.cli.fleet_files import read_fleet
from controlroom.domain.fleet_files import FleetFile
from controlroom.domain.fleets.planning import plan
from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.domain.fleet_worlds import SimulatedRoom, file_of, wish

CONFIG = """
[queue]
stagger_seconds = 0
[profiles.docs]
kind = "command"
command = ["true"]
"""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(argv)
    names = [f"a{number}" for number in range(options.agents)]
    file, other = (file_of(*(wish(name, text) for name in names)) for text in ("one", "two"))
    empty, full = SimulatedRoom(), SimulatedRoom()
    rules = replace(empty.fleet.queue.rules, max_agents=1_000)
    for room in (empty, full):
        room.fleet = replace(room.fleet, queue=replace(room.fleet.queue, rules=rules))
    full.apply(file)
    full.settle()
    rows = []
    for room, wanted, words in (
        (empty, file, "nothing runs yet"),
        (full, file, "all runs as it says"),
        (full, other, "all is another now"),
    ):
        took = planned(room, wanted, options.rounds)
        rows.append((f"{options.agents} agents, {words}", f"{part(took, 0.5) * 1000:.0f} ms", "300 ms"))
    rows.append((f"{options.agents} agents, the verb", f"{part(verb(options.agents), 0.5):.2f} s", "0.3 s"))
    print_table(f"a plan of a fleet file; {load()}", rows)


def planned(room: SimulatedRoom, file: FleetFile, rounds: int) -> list[float]:
    """Plan a file again and again; the seconds of the processor that each took."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        plan(file, room.fleet, room.known, room.now)
        took.append(time.process_time() - began)
    return took


def verb(agents: int) -> list[float]:
    """Run the verb against an engine that is up; the seconds that each run took."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "room"
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(CONFIG)
        (home / "config.toml").chmod(0o600)
        file = Path(place) / "fleet.toml"
        file.write_text(f'[[agents]]\nname = "a"\ncount = {agents}\nprofile = "docs"\ntext = "work"\n')
        assert len(read_fleet(str(file)).agents) == agents
        env = {**os.environ, "CONTROLROOM_HOME": str(home)}
        took = []
        try:
            for _ in range(8):
                began = time.monotonic()
                words = [sys.executable, "-m", "controlroom", "fleet", "plan", str(file)]
                subprocess.run(words, env=env, check=True, capture_output=True)
                took.append(time.monotonic() - began)
        finally:
            subprocess.run([sys.executable, "-m", "controlroom", "stop"], env=env, check=True, capture_output=True)
    return took[1:]


if __name__ == "__main__":
    main(sys.argv[1:])
