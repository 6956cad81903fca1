"""Engine start -> its socket: with an empty ledger, and with ten thousand tasks that wait in it.

    python -m tests.benchmarks.engine_start [--runs 7] [--tasks 10000]

The engine is started as a user starts it at a terminal, in a room without hosts, and is ended once it listens. It is
compiled by then, as it is after its first start. Both take turns.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import closing

from controlroom.domain.tasks import Task, TaskState
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.task_tables import keep_new
from controlroom.protocol.home import find_home
from tests.benchmarks.figures import load, own_seconds, part
from tests.benchmarks.table import print_table
from tests.domain.worlds import NOON
from tests.lab.world import World


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args(argv)
    took: dict[int, list[tuple[float, float]]] = {0: [], options.tasks: []}
    with tempfile.TemporaryDirectory(prefix="cr-") as compiled:
        for turn in range(options.runs + 1):
            for count, each in took.items():
                measured = started(count, compiled)
                each += [measured] * bool(turn)  # the first one compiles
    rows: list[tuple[str, str, str]] = []
    for count, each in took.items():
        for words, values in zip(("", ", CPU"), zip(*each, strict=True), strict=True):
            rows.append((f"{count:,} tasks in the ledger{words}", f"{part(values, 0.5):.2f} s", "1 s" * bool(count)))
    print_table(f"engine start -> its socket, {options.runs} runs, {load()}", rows)


def started(count: int, compiled: str) -> tuple[float, float]:
    """Start an engine with so many tasks in its ledger; return the seconds until it listens, on the wall and of CPU."""
    with closing(World()) as world:
        environment = {**world.environment(), "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        home = find_home(environment)
        home.prepare()
        home.config.write_text("local = false\n")
        home.config.chmod(0o600)
        with closing(Ledger(home.ledger, "benchmark")) as ledger:
            tasks = [
                Task(number, f"task {number}", TaskState.WAITING, NOON, NOON, place=float(number))
                for number in range(1, count + 1)
            ]
            ledger.booked([keep_new(task, task.title) for task in tasks]).result()
        began = time.perf_counter()
        words = [sys.executable, "-m", "controlroom", "engine", "--foreground"]
        engine = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert engine.stdout is not None
            if "listens" not in (said := engine.stdout.readline()):
                raise RuntimeError(said)
            return time.perf_counter() - began, own_seconds(engine.pid)
        finally:
            engine.kill()
            engine.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
