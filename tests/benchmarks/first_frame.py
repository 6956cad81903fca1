"""Process start -> first painted frame on a terminal, with no engine running yet.

    python -m tests.benchmarks.first_frame [--runs 10] [--columns 120] [--rows 40]

The program is started as a user starts it, in an empty room with a home of its own, and is ended with all that it has
started; the clock runs until the top line of the screen (or the first byte of it at all) has arrived at the terminal.
It is compiled by then, as it is after its first start. Target: 0.7 s.
"""

import argparse
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import closing

from tests.benchmarks.figures import load, own_seconds
from tests.benchmarks.table import print_table
from tests.lab.world import World

_PAINTED = b"starting the engine"


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=40)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="cr-") as compiled:
        first_frame(options.columns, options.rows, compiled)
        runs = [first_frame(options.columns, options.rows, compiled) for _ in range(options.runs)]
    bytes_, frames, processor = map(sorted, zip(*runs, strict=True))
    print_table(
        f"process start -> first frame, {options.columns}x{options.rows}, {options.runs} runs, {load()}",
        [
            ("first byte, median", f"{statistics.median(bytes_):.2f} s", ""),
            ("first frame, median", f"{statistics.median(frames):.2f} s", "0.7 s"),
            ("first frame, worst", f"{frames[-1]:.2f} s", ""),
            ("first frame, CPU, median", f"{statistics.median(processor):.3f} s", ""),
        ],
    )


def first_frame(columns: int, rows: int, compiled: str) -> tuple[float, float, float]:
    """Start the program once; return seconds until its first byte and its first frame, and its CPU until then.

    `compiled`: the folder for its bytecode.
    """
    with closing(World()) as world:
        environment = {**world.environment(), "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        began = time.perf_counter()
        screen = subprocess.Popen(
            [sys.executable, "-m", "controlroom"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            return *_until_painted(ours, began), own_seconds(screen.pid)
        finally:
            screen.kill()
            screen.wait()
            os.close(ours)


def _until_painted(terminal: int, began: float) -> tuple[float, float]:
    first = 0.0
    seen = b""
    while _PAINTED not in seen:
        seen += os.read(terminal, 65536)
        first = first or time.perf_counter() - began
    return first, time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1:])
