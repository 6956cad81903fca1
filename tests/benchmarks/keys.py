"""A key is pressed -> its effect is painted, with a thousand agents of which five hundred change each second.

    python -m tests.benchmarks.keys [--columns 200] [--rows 50] [--times 40]

The screen runs on a terminal of its own, on an engine in its own process, with 16 live panes open. The time runs from
writing the key to the terminal until the screen's bytes say what the key did. Target: 100 ms.
"""

import argparse
import contextlib
import os
import re
import select
import sys
import time
from collections.abc import Sequence

from tests.benchmarks.drawn import Drawn
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import screen


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--times", type=int, default=40)
    options = parser.parse_args(argv)
    rows: list[tuple[str, str, str]] = []
    environ = os.environ | {"TERM": "xterm-256color"}
    with screen(environ, options.columns, options.rows, "tests.tui.stage", "thousand") as shown:
        terminal = shown.terminal
        drawn = Drawn()
        drawn.feed(until(terminal, b"agent-", 20))
        for key in (b"g", b"a", b"0", b"\r"):
            os.write(terminal, key)
            drawn.feed(quiet(terminal))
        late = sorted(moved(terminal, drawn) for _ in range(options.times))
        rows.append(told("j: the cursor moves", late))
        for name, key, effect in (
            ("o: another order", b"o", rb"need|name|host|state|age|model|ram|cpu"),
            ("u: another grouping", b"u", rb"by |sort: "),
            ("Space: a mark", b" ", rb"marked|\xe2\x97"),
        ):
            late = sorted(pressed(terminal, key, effect) for _ in range(options.times))
            rows.append(told(name, late))
    print_table(f"key -> painted (p50 / p95), 1000 agents, {options.columns}x{options.rows}", rows)


def pressed(terminal: int, key: bytes, effect: bytes) -> float:
    """Press a key between two news; gives the milliseconds until its effect is painted."""
    quiet(terminal, 0.05)
    begun = time.perf_counter()
    os.write(terminal, key)
    until(terminal, effect, 5)
    return (time.perf_counter() - begun) * 1000


def moved(terminal: int, drawn: Drawn) -> float:
    """Move the cursor down; gives the milliseconds until it is painted at another agent, as that is `drawn`.

    At the edge of the table rows move under the cursor, whose sign then is not painted anew.
    """
    drawn.feed(quiet(terminal, 0.05))
    before, begun = drawn.chosen(), time.perf_counter()
    os.write(terminal, b"j")
    while drawn.chosen() in ("", before):
        drawn.feed(until(terminal, b"", 5))
    return (time.perf_counter() - begun) * 1000


def told(name: str, late: Sequence[float]) -> tuple[str, str, str]:
    """A row of the table."""
    return name, f"{late[len(late) // 2]:.0f} / {late[int(len(late) * 0.95)]:.0f} ms", "100 ms"


def until(terminal: int, wanted: bytes, seconds: float) -> bytes:
    """Read, once at least, until something matches; gives all that was read."""
    seen, end = b"", time.monotonic() + seconds
    while not seen or not re.search(wanted, seen):
        if not select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            raise SystemExit(f"not painted within {seconds} s: {wanted!r}")
        seen += os.read(terminal, 1 << 20)
    return seen


def quiet(terminal: int, seconds: float = 0.4) -> bytes:
    """Read what there is for a while."""
    seen = b""
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):  # the other end has gone
        while (left := end - time.monotonic()) > 0 and select.select([terminal], [], [], left)[0]:
            seen += os.read(terminal, 1 << 20)
    return seen


if __name__ == "__main__":
    main(sys.argv[1:])
