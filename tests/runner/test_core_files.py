from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.node_client import NodeClient
from tests.lab.world import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of others are read in /proc")


@pytest.fixture
def limit() -> Iterator[int]:
    """What all that is started from here may write as a core file, in bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard == 0:
        pytest.skip("this machine allows no cores")
    resource.setrlimit(resource.RLIMIT_CORE, (4096, hard))
    yield 4096
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def limit_of(pid: int) -> str:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("Max core file size")]
    return line.split()[4]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_node_and_runner_leave_no_core_and_what_they_run_may_leave_its_own(home: World, limit: int) -> None:
    with NodeClient() as node:
        node.greet()
        for name in ("first", "second"):  # the tmux server is there when the second one is started
            assert node.spawn(name, 1, "sh", "-c", "ulimit -S -c; exec sleep 600").outcome == "done"
            agent = node.wait_agent(name, lambda seen: seen.pid).pid or 0
            runner = parent_of(agent)
            server = parent_of(runner)
            limits = [limit_of(pid) for pid in (node.process.pid, runner, server, agent)]
            assert limits == ["0", "0", str(limit), str(limit)]
