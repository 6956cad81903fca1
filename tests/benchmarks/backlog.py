"""A room with a long queue: how soon its engine is there, and what it takes to list, to explain and to look at it.

    python -m tests.benchmarks.backlog [--tasks 10000] [--runs 5] [--columns 120] [--rows 40]

Half of the tasks have ended, with three attempts each; the others wait. The one host of the room cannot be reached.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from controlroom.domain.tasks import Attempt, AttemptEnd, Origin, Task, TaskState
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.task_tables import keep_new
from controlroom.protocol.home import find_home
from tests.benchmarks.drawn import Drawn
from tests.benchmarks.figures import load, own_seconds
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Screen, screen
from tests.lab.world import World

PROGRAM = [sys.executable, "-m", "controlroom"]
PATIENCE = 60.0


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=40)
    options = parser.parse_args(argv)
    world = World()
    os.environ.update(world.environment())
    try:
        print_table(f"a queue of {options.tasks:,} tasks, {options.runs} runs; {load()}", measured(options))
    finally:
        world.close()


def measured(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Measure everything."""
    home = find_home(os.environ)
    home.prepare()
    home.config.write_text("local = false\n[hosts.away]\naddress = 'ann@127.0.0.1:9'\n[queue]\nmax_tasks = 100000\n")
    home.config.chmod(0o600)
    few = [start() for _ in range(options.runs)]
    fill(home.ledger, options.tasks)
    many = [start() for _ in range(options.runs)]
    rows = [
        ("engine there, empty ledger, median", seconds(few, 0), ""),
        ("engine there, median", seconds(many, 0), "1 s"),
        ("engine there, its CPU, empty ledger", seconds(few, 1), ""),
        ("engine there, its CPU", seconds(many, 1), ""),
    ]
    engine = subprocess.Popen([*PROGRAM, "engine", "--foreground"], stderr=subprocess.DEVNULL)
    try:
        until_there()
        for words in ("task list --json", "task list --all --json", f"why t{options.tasks} --json", "status --json"):
            took = [run(words) for _ in range(options.runs)]
            rows.append((f"{words}, median", seconds(took, 0), ""))
            rows.append((f"{words}, its CPU", seconds(took, 1), ""))
        rows += looked_at(options)
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait(20)
    return rows


def seconds(took: list[tuple[float, float]], column: int) -> str:
    """The median of a column."""
    return f"{statistics.median(each[column] for each in took):.2f} s"


def fill(ledger: Path, count: int) -> None:
    """Put tasks into the ledger of a room."""
    now = round(time.time() * 1000)
    opened, statements = Ledger(ledger, ""), []
    for number in range(1, count + 1):
        ended = number <= count // 2
        attempts = tuple(
            Attempt("away", f"write-a-test-t{number}", run, now, now, AttemptEnd.FAILED, "exit 1", "s" * 36, 12_000)
            for run in (1, 2, 3)
            if ended
        )
        text = f"Write a test for part {number}.\n" + "What it is to show, and how. " * 12
        task = Task(
            number,
            f"Write a test for part {number}.",
            TaskState.DONE if ended else TaskState.WAITING,
            since=now - count + number,
            added=now - count + number,
            text=text[:200],
            priority=number % 5,
            place=float(number),
            key=f"part-{number}",
            origin=Origin("ann"),
            attempts=attempts,
        )
        statements.append(keep_new(task, text))
    opened.booked(statements).result()
    opened.close()


def start() -> tuple[float, float]:
    """Start an engine, and end it; the seconds until it answers, and its CPU until then."""
    began = time.perf_counter()
    engine = subprocess.Popen([*PROGRAM, "engine", "--foreground"], stderr=subprocess.DEVNULL)
    try:
        until_there()
        return time.perf_counter() - began, own_seconds(engine.pid)
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait(20)


def until_there() -> None:
    """Wait until the engine takes front ends."""
    home, end = find_home(os.environ), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(home.socket))
            except OSError:
                time.sleep(0.005)
            else:
                return
    raise RuntimeError("the engine is not there")


def run(words: str) -> tuple[float, float]:
    """Run a verb; the seconds that it took, and its CPU."""
    began, used = time.perf_counter(), os.times()
    subprocess.run([*PROGRAM, *words.split()], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - used.children_user - used.children_system
    return time.perf_counter() - began, spent


def looked_at(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Open the tasks on the screen, and move in them."""
    with screen(dict(os.environ), options.columns, options.rows) as shown:
        drawn = Drawn()
        drawn.feed(shown.settle(6.0))
        opened, moved = [], []
        for _ in range(options.runs):
            opened.append(painted(shown, drawn, "#", lambda text: "TASK" in text and "PRIO" in text))
            for _ in range(4):
                before = drawn.text()
                moved.append(painted(shown, drawn, "j", before.__ne__))
            painted(shown, drawn, "q", lambda text: "PRIO" not in text)
    return [
        ("# -> paint, median", f"{statistics.median(opened):.0f} ms", "100 ms"),
        ("j there -> paint, median", f"{statistics.median(moved):.0f} ms", "100 ms"),
    ]


def painted(shown: Screen, drawn: Drawn, key: str, is_there: Callable[[str], bool]) -> float:
    """Press a key; the milliseconds until what it leads to is painted."""
    drawn.feed(shown.settle(0.3))
    pressed = time.time() * 1000
    shown.press(key)
    for now, data in shown.written(PATIENCE):
        drawn.feed(data)
        if is_there(drawn.text()):
            return now - pressed
    raise RuntimeError(f"{key} painted nothing")


if __name__ == "__main__":
    main(sys.argv[1:])
