"""What engine and screen cost in the sizes that people have, while a hundred agents write two lines a second each.

    python -m tests.benchmarks.screens [--agents 100] [--rate 2] [--seconds 20] [--only NAME …]

Real sshds on loopback, nodes, runners, engine and screen; one screen after the other looks at the same agents.
Targets: written to the terminal 4.5 kB/s on a desk, 0.3 kB/s on a phone.
"""

import argparse
import sys

from tests.benchmarks.figures import Stretch, load, memory, part
from tests.benchmarks.many import lateness
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Yard, yard

SCREENS = {
    "desk": (120, 40, "", "4.5 kB/s"),
    "phone": (45, 20, "", "0.3 kB/s"),
    "panes": (200, 50, "ga0\r", ""),
}
"""Columns, rows, keys that are pressed first, and the bytes that may be written: name of a screen -> what it is."""

Row = tuple[str, str, str]


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", nargs="+", choices=SCREENS, default=list(SCREENS))
    options = parser.parse_args(argv)
    with yard(2) as room:
        room.fill(options.agents)
        with room.feeder(options.rate):
            rows = [row for name in options.only for row in measured(room, name, options.seconds)]
    print_table(f"{options.agents} agents, {options.rate:g} lines a second each, {load()}", rows)


def measured(room: Yard, name: str, seconds: float) -> list[Row]:
    """Look at the agents for so long."""
    columns, lines, keys, most = SCREENS[name]
    with room.screen(columns, lines) as screen:
        screen.settle(4.0)
        for key in keys:
            screen.press(key)
            screen.settle(0.3)
        screen.settle(4.0)
        stretch = Stretch({"engine": [room.engine], "screen": [screen.pid]})
        late, size = lateness(screen, seconds)
        used = stretch.per_cent()
        grown = memory(screen.pid)[0]
    title = f"{name}, {columns}x{lines}"
    return [
        (f"{title}: engine and screen, CPU", f"{used['engine'] + used['screen']:.1f} %", ""),
        (f"{title}: engine, CPU", f"{used['engine']:.1f} %", ""),
        (f"{title}: screen, CPU", f"{used['screen']:.1f} %", ""),
        (f"{title}: screen, RSS", f"{grown:.0f} MB", ""),
        (f"{title}: line -> paint, p50", f"{part(late, 0.5):.0f} ms", ""),
        (f"{title}: line -> paint, p95", f"{part(late, 0.95):.0f} ms", ""),
        (f"{title}: painted", f"{len(late) / seconds:.0f} lines/s", ""),
        (f"{title}: written to the terminal", f"{size / seconds / 1000:.2f} kB/s", most),
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
