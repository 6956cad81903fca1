"""What the screen's memory comes to when the joint log of twenty agents was opened and left eighty times.

    python -m tests.benchmarks.joint_log [--agents 20] [--rate 2] [--times 80] [--stay 0.5]

Real hosts and agents; `--stay`: seconds that it is looked at each time. Target: 90 MB.
"""

import argparse
import sys

from tests.benchmarks.figures import load, memory
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import yard


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--times", type=int, default=80)
    parser.add_argument("--stay", type=float, default=0.5)
    options = parser.parse_args(argv)
    with yard(2) as room:
        room.fill(options.agents)
        with room.feeder(options.rate), room.screen(120, 40) as screen:
            screen.settle(5.0)
            sizes = [memory(screen.pid)[0]]
            for key in "*l":  # all are marked
                screen.press(key)
                screen.settle(1.0)
            for _ in range(options.times):
                screen.press("q")
                screen.settle(0.3)
                screen.press("l")
                screen.settle(options.stay)
                sizes.append(memory(screen.pid)[0])
    print_table(
        f"the joint log of {options.agents} agents, opened {options.times} times, {load()}",
        [
            ("screen, RSS before", f"{sizes[0]:.0f} MB", ""),
            ("screen, RSS half way", f"{sizes[len(sizes) // 2]:.0f} MB", ""),
            ("screen, RSS afterwards", f"{sizes[-1]:.0f} MB", "90 MB"),
            ("screen, RSS at most", f"{max(sizes):.0f} MB", "90 MB"),
        ],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
