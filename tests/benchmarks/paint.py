"""A line written on a host -> painted on the terminal: 20 agents, two lines a second each, at 200x50.

    python -m tests.benchmarks.paint [--agents 20] [--seconds 20] [--columns 200] [--rows 50]

Each line carries the moment it was written; the screen's bytes are read from its terminal, and the first time a line
is seen there counts. Target: p50 60 ms, p95 150 ms.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.many import lateness
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import screen

_WRITER = """
import time
n, start = 0, time.time()
while True:
    n += 1
    print(f"line {n} @{int(time.time() * 1000)}@", flush=True)
    time.sleep(max(0.0, start + n / 2 - time.time()))
"""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=50)
    options = parser.parse_args(argv)
    with throw_away_room() as environ:
        for number in range(options.agents):
            spawn_writer(environ, f"writer-{number}")
        with screen(environ, options.columns, options.rows) as shown:
            shown.settle(4.0)
            late = sorted(lateness(shown, options.seconds)[0])
    written = options.agents * 2 * options.seconds
    print_table(
        f"written -> painted, {options.agents} agents at 2 lines a second, {options.columns}x{options.rows}",
        [
            ("p50", f"{late[len(late) // 2]:.0f} ms", "60 ms"),
            ("p95", f"{late[int(len(late) * 0.95)]:.0f} ms", "150 ms"),
            ("worst", f"{late[-1]:.0f} ms", ""),
            ("painted", f"{len(late)} of {written:.0f} lines", ""),
        ],
    )


@contextmanager
def throw_away_room() -> Iterator[dict[str, str]]:
    """Make an environment with its own HOME and room; everything started in it ends with it."""
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        unwanted = ("TMUX", "TMUX_PANE", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
        environ = {name: value for name, value in os.environ.items() if name not in unwanted}
        environ |= {
            "HOME": folder,
            "CONTROLROOM_HOME": f"{folder}/room",
            "TMUX_TMPDIR": folder,
            "TERM": "xterm-256color",
            "SHELL": "/bin/sh",
        }
        try:
            yield environ
        finally:
            run(environ, "stop")
            for socket in Path(folder).glob("tmux-*/*"):
                subprocess.run(["tmux", "-S", str(socket), "kill-server"], check=False, capture_output=True)


def run(environ: dict[str, str], *words: str) -> None:
    """Run one verb of the command line."""
    done = subprocess.run(
        [sys.executable, "-m", "controlroom", *words], env=environ, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        print(f"controlroom {' '.join(words)}: {done.stderr.strip()}", file=sys.stderr)


def spawn_writer(environ: dict[str, str], name: str) -> None:
    """Start an agent that writes two lines a second."""
    run(environ, "spawn", name, "--task", "", "--", sys.executable, "-c", _WRITER)


if __name__ == "__main__":
    main(sys.argv[1:])
