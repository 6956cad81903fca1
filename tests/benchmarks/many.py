"""Two hundred agents on two SSH hosts, two lines a second each: how late a line is painted, and what all of it costs.

    python -m tests.benchmarks.many [--agents 200] [--hosts 2] [--rate 2] [--seconds 30] [--columns 200] [--rows 60]
                                    [--keys ""]

Real sshds on loopback, nodes, runners, engine and screen; `--keys` are pressed on the screen before it is measured.
Then once more, with sixteen live panes.
Targets: p50 60 ms, p95 150 ms; engine and screen 8 % of a core and 130 MB; node and sshd 3 % of a core a host.
"""

import argparse
import re
import sys

from tests.benchmarks.figures import Stretch, load, memory, part
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Screen, Yard, yard

SIXTEEN_PANES = "g0\r"
"""Keys: the choice of panes, as many as there may be, back."""

_MARK = re.compile(rb"@(\d{13})@")


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--keys", default="")
    options = parser.parse_args(argv)
    with yard(options.hosts) as room:
        room.fill(options.agents)
        with room.feeder(options.rate), room.screen(options.columns, options.rows) as screen:
            screen.settle(4.0)
            screen.press(options.keys)
            screen.settle(4.0)
            measure(room, screen, options)
            for key in SIXTEEN_PANES:  # one after the other: together they are a paste
                screen.press(key)
                screen.settle(1.0)
            measure(room, screen, options, ", sixteen panes")


def measure(room: Yard, screen: Screen, options: argparse.Namespace, on_show: str = "") -> None:
    """Look for so long, and print."""
    groups: dict[str, list[int]] = {"engine": [room.engine], "screen": [screen.pid]}
    for host in room.lab.hosts:
        groups[f"node of {host.name}"] = [room.node(host)]
        groups[f"sshd of {host.name}"] = room.sshd(host)
    print("processes:", groups, flush=True)
    stretch = Stretch(groups)
    late, size = lateness(screen, options.seconds)
    used = stretch.per_cent()
    sizes = {name: memory(pid) for name, pid in (("engine", room.engine), ("screen", screen.pid))}
    rows = [
        ("written -> painted, p50", f"{part(late, 0.5):.0f} ms", "60 ms"),
        ("written -> painted, p95", f"{part(late, 0.95):.0f} ms", "150 ms"),
        ("written -> painted, worst", f"{max(late):.0f} ms", ""),
        ("painted", f"{len(late) / options.seconds:.0f} lines/s", ""),
        ("written to the terminal", f"{size / options.seconds / 1000:.1f} kB/s", ""),
        ("engine and screen, CPU", f"{used['engine'] + used['screen']:.1f} %", "8 %"),
        ("  engine", f"{used['engine']:.1f} %", ""),
        ("  screen", f"{used['screen']:.1f} %", ""),
        ("engine and screen, RSS", f"{sum(rss for rss, _ in sizes.values()):.0f} MB", "130 MB"),
        ("engine and screen, PSS", f"{sum(pss for _, pss in sizes.values()):.0f} MB", ""),
    ]
    for host in room.lab.hosts:
        node, sshd = used[f"node of {host.name}"], used[f"sshd of {host.name}"]
        rows.append((f"node and sshd of {host.name}, CPU", f"{node + sshd:.1f} %", "3 %"))
        rows.append(("  node", f"{node:.1f} %", ""))
    print_table(
        f"{options.agents} agents on {options.hosts} hosts, {options.rate:g} lines a second each, "
        f"{options.columns}x{options.rows}{on_show}, {load()}",
        rows,
    )


def lateness(screen: Screen, seconds: float) -> tuple[list[float], int]:
    """Return how late each line was painted that was written and painted within `seconds`, and all bytes painted."""
    met: set[bytes] = set()
    late: list[float] = []
    begun, rest, size = 0.0, b"", 0
    for now, data in screen.written(seconds):
        begun = begun or now
        size += len(data)
        fresh = {mark for mark in _MARK.findall(rest + data) if mark not in met}
        met |= fresh
        late += [now - int(mark) for mark in fresh if int(mark) >= begun]
        rest = data[-20:]
    return late, size


if __name__ == "__main__":
    main(sys.argv[1:])
