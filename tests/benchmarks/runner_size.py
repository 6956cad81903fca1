"""How much memory runners take: `python -m tests.benchmarks.runner_size [COUNT]`, Linux only.

PSS shares out what processes have in common, so it is measured with all of them alive, as on a host that is at work.
"""

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from controlroom.wire.spec import AgentSpec
from tests.benchmarks.table import print_table
from tests.lab.agent_under_test import Agent
from tests.lab.waiting import wait_for


def sizes(pid: int) -> tuple[int, int]:
    """Resident and proportional memory of a process, kB."""
    figures = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}: +(\d+)", figures, re.MULTILINE) for name in ("Rss", "Pss"))
    assert rss
    assert pss
    return int(rss[1]), int(pss[1])


def measure(count: int, folder: Path) -> None:
    """Start `count` agents, let each write 2,000 lines, and look."""
    spec = AgentSpec(kind="command", command=("sh", "-c", "seq 2000; echo ready >&2; sleep 600"))
    began = time.perf_counter()
    agents = [Agent(folder / f"agent{number}", spec).start() for number in range(count)]
    for agent in agents:
        wait_for(lambda agent=agent: agent.lines("e"), 60)  # type: ignore[misc]
    seconds = time.perf_counter() - began
    found = [sizes(agent.process.pid) for agent in agents]
    for agent in agents:
        agent.ask(do="end")
        agent.process.wait(60)
    print_table(
        f"{count} runners alive",
        [
            ("RSS, median", f"{statistics.median(rss for rss, _ in found) / 1024:.1f} MB", "≤ 18 MB"),
            ("RSS, largest", f"{max(rss for rss, _ in found) / 1024:.1f} MB", "≤ 18 MB"),
            ("PSS, median", f"{statistics.median(pss for _, pss in found) / 1024:.1f} MB", "≤ 10 MB"),
            ("PSS, largest", f"{max(pss for _, pss in found) / 1024:.1f} MB", "≤ 10 MB"),
            ("until all are at work", f"{seconds:.1f} s", ""),
        ],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cr-") as directory:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20, Path(directory))
