"""How soon an agent is interrupted that has crossed its line: `python -m tests.benchmarks.stop_line [COUNT]`.

Scripted Claudes under real runners, all at once; a transcript has a message 0.3 seconds after its end, as late as
Claude Code writes it. What crosses the line is the output of a message, of which its stream says nothing.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.table import print_table
from tests.lab.price_files import put_prices
from tests.runner.spending import DOLLAR, Spender

LINE = 3
"""Dollars, which is messages."""


def delay(agent: Spender) -> float:
    """Seconds from the end of the message that crossed the line to the interrupt."""
    told = [line.split() for line in agent.truth.read_text().splitlines()]
    paid = [float(at) for what, at in told if what == "paid"]
    return next(float(at) for what, at in told if what == "interrupted") - paid[LINE - 1]


def measure(count: int, folder: Path) -> None:
    """Let `count` agents cross their lines."""
    (folder / "home").mkdir()
    (folder / "state").mkdir()
    os.environ["HOME"] = str(folder / "home")
    put_prices(folder / "state")
    agents = [Spender(folder / "state", f"a{number}", pace=1.5, late=0.3) for number in range(count)]
    for agent in agents:
        agent.given(1, billed=LINE * DOLLAR)
        agent.start()
    states = [agent.finish(120).state for agent in agents]
    assert states == ["paused"] * count, states
    delays = [delay(agent) for agent in agents]
    beyond = max(agent.begun() for agent in agents) - LINE
    print_table(
        f"{count} agents that cross their line at once",
        [
            ("crossed → interrupted, median", f"{statistics.median(delays):.2f} s", "≤ 2 s"),
            ("crossed → interrupted, longest", f"{max(delays):.2f} s", "≤ 2 s"),
            ("messages beyond the line, most", str(beyond), "1 in flight"),
        ],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cr-") as directory:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10, Path(directory))
