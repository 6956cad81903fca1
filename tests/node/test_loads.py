"""What trees of processes use: counted on made-up tables, and on real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from controlroom.node.observation import processes
from controlroom.node.observation.figures import Loads, Member, MemoryShares
from controlroom.node.observation.processes import TICKS, Process, ProcessSnapshot
from controlroom.wire.messages import AgentLoad
from controlroom.wire.messages import Loads as LoadsSeen
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for

MB = 1024 * 1024
ONE = Member("one", 1, "/", (10, 11))


def look(*rows: tuple[int, int, int, int], start: int = 1) -> ProcessSnapshot:
    """Processes as (pid, parent, CPU ticks used, resident MB)."""
    return ProcessSnapshot(Process(pid, parent, pid, start, used, rss * MB) for pid, parent, used, rss in rows)


def one(loads: Loads, seen: ProcessSnapshot, at: float) -> AgentLoad | None:
    return next(iter(loads.changed([ONE], seen, at)), None)


def test_a_tree_is_the_sum_of_its_processes() -> None:
    loads = Loads("")
    assert one(loads, look((1, 0, 0, 5), (10, 1, 0, 1), (11, 10, 0, 2), (12, 11, 0, 4), (99, 1, 0, 8)), 1) == AgentLoad(
        "one", 1, 7 * MB, 0.0, 3
    )


def test_cpu_is_what_was_used_since_the_last_look() -> None:
    loads = Loads("")
    one(loads, look((10, 1, 500, 1), (11, 10, 100, 1)), 1)
    found = one(loads, look((10, 1, 500 + TICKS // 2, 1), (11, 10, 100 + TICKS // 4, 1)), 2)
    assert found
    assert found.cpu_percent == 75.0


def test_what_an_ended_child_used_is_counted_once() -> None:
    """The kernel adds it to its parent's sum when the parent takes note; between the two it is a zombie."""
    loads = Loads("")
    one(loads, look((10, 1, 0, 1), (11, 10, 1000, 1)), 1)
    zombie = ProcessSnapshot([Process(10, 1, 10, 1, 0, MB), Process(11, 10, 11, 1, 1000 + TICKS // 10, 0, zombie=True)])
    found = one(loads, zombie, 2)
    assert found
    assert (found.cpu_percent, found.processes) == (10.0, 1)
    assert one(loads, look((10, 1, 1000 + TICKS // 10, 1)), 3) == AgentLoad("one", 1, MB, 0.0, 1)


def test_a_pid_that_is_used_again_is_another_process() -> None:
    loads = Loads("")
    one(loads, look((10, 1, 0, 1), (11, 10, 0, 1)), 1)
    found = one(loads, ProcessSnapshot([Process(10, 1, 10, 1, 0, MB), Process(11, 1, 11, 999, 0, 64 * MB)]), 2)
    assert found
    assert (found.rss, found.processes) == (65 * MB, 2), "11 is a root of the member"
    other = Member("one", 1, "/", (10, 0))
    loads = Loads("")
    loads.changed([other], look((10, 1, 0, 1), (11, 10, 0, 1)), 1)
    (load,) = loads.changed(
        [other], ProcessSnapshot([Process(10, 1, 10, 1, 0, MB), Process(11, 1, 11, 999, 0, 64 * MB)]), 2
    )
    assert load.rss == MB


def test_who_was_once_in_a_tree_stays_in_it() -> None:
    loads = Loads("")
    one(loads, look((10, 1, 0, 1), (11, 10, 0, 1), (12, 11, 0, 3)), 1)
    assert one(loads, look((10, 1, 0, 1), (12, 1, 0, 3)), 2) == AgentLoad("one", 1, 4 * MB, 0.0, 2)


def test_only_noticeable_changes_are_told() -> None:
    loads = Loads("")
    assert one(loads, look((10, 1, 0, 1000)), 1)
    assert one(loads, look((10, 1, 0, 1009)), 2) is None
    assert one(loads, look((10, 1, 0, 1010)), 3)
    assert one(loads, look((10, 1, TICKS // 1000, 1010)), 4) is None
    assert one(loads, look((10, 1, TICKS // 10, 1010)), 5)


def test_a_look_at_the_real_processes_finds_this_one_and_its_child() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        try:
            seen = processes.look()
            assert seen.lives(child.pid)
            assert seen.table[child.pid].parent == os.getpid()
            assert child.pid in seen.below([os.getpid()])
            assert seen.table[os.getpid()].rss > MB
        finally:
            child.kill()
        wait_for(lambda: not processes.look().lives(child.pid))


BUSY = """
import os, sys, time
block = b"x" * (64 * 1024 * 1024)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        block = b"y" * (64 * 1024 * 1024)
        while True:
            pass
    os._exit(0)
time.sleep(600)
"""


def test_a_real_agent_is_counted_with_the_child_it_left_behind(node: NodeClient) -> None:
    assert node.spawn("one", 1, sys.executable, "-c", BUSY).outcome == "done"

    def newest() -> AgentLoad | None:
        loads = [load for seen in node.all(LoadsSeen) for load in seen.agents]
        return loads[-1] if loads else None

    def busy() -> bool:
        """Its child may still have been filling its block when it was looked at: either alone takes less than 80."""
        load = newest()
        assert load is not None
        assert (load.rss > 90 * MB, load.cpu_percent > 2, load.processes) == (True, True, 3), load
        return True

    wait_for(busy, 20)


def test_counting_many_processes_is_quick() -> None:
    """No time is asserted: a pass that is not linear in the processes would not end before the test's deadline."""
    table = ProcessSnapshot([Process(pid, pid // 2, pid, 1, 5, MB) for pid in range(1, 60_000)])
    loads = Loads("")
    members = [Member(f"a{number}", 1, "/", (number, 0)) for number in range(1000, 1200)]
    loads.changed(members, table, time.monotonic())
    assert len(loads.changed(members, ProcessSnapshot([]), time.monotonic())) == 200


# -- what processes share


FORKS = """
import os, sys, time
held = b"x" * (64 * 2**20)
for _ in range(12):
    if os.fork() == 0:
        time.sleep(600)
print("forked", flush=True)
time.sleep(600)
"""


def test_what_forks_share_is_counted_once_and_said_to_be_a_bound_until_that_is_known(node: NodeClient) -> None:
    assert node.spawn("one", 1, sys.executable, "-c", FORKS).outcome == "done"

    def newest() -> AgentLoad:
        return [load for told in node.all(LoadsSeen) for load in told.agents if load.name == "one"][-1]

    wait_for(lambda: newest().processes >= 13 and not newest().rss_bound, 30)
    assert 64 * MB < newest().rss < 256 * MB, "thirteen times 64 MB are resident"


def test_of_many_processes_some_are_asked_at_each_look_and_none_too_often() -> None:
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(10)]
    try:
        table = processes.look().table
        tree = [table[child.pid] for child in children]
        shares = MemoryShares(budget=0.0, first=0.0)
        resident = sum(process.rss for process in tree)
        assert shares.of(tree) == (resident, True), "nothing is known yet"
        for second in range(10):
            assert shares.of(tree).bound
            shares.refresh([tree], float(second))
        size, bound = shares.of(tree)
        assert (0 < size < resident, bound) == (True, False)
        grown = [process._replace(rss=process.rss + MB) for process in tree]
        assert shares.of(grown).size == size + 10 * MB, "what it has taken since is its own"
    finally:
        for child in children:
            child.kill()
            child.wait()
    gone = MemoryShares()
    gone.refresh([tree], 1.0)
    assert gone.of(tree) == (resident, True), "what cannot be read is at most what is resident"


def test_processes_that_are_no_forks_are_not_asked() -> None:
    tree = [Process(os.getpid(), 1, 1, 1, 0, 5 * MB, name=b"python3"), Process(10**9, 1, 1, 1, 0, MB, name=b"claude")]
    shares = MemoryShares()
    shares.refresh([tree], 1.0)
    assert shares.of(tree) == (6 * MB, False)
