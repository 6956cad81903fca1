"""What one decision of the queue costs: which task starts next, and why each other one waits.

    python -m tests.benchmarks.dispatch [--rounds 30]

Once where a host has room, so that a task starts, and once where none has, so that every host is looked at for every
kind of work, and once more with tasks that come after others. One task has changed since the decision before, as in an
engine; the first decision of all is told apart. Seconds are those of the processor.
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

from controlroom.domain.model import Fleet, Profile
from controlroom.domain.persistent_tables import table
from controlroom.domain.queue import dispatch
from controlroom.domain.queue.waiting_tasks import WaitingTasks
from controlroom.domain.tasks import Queue, QueueRules, Task, TaskState
from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.domain.worlds import GIB, MINUTE, NOON, agent, host

CASES = (
    (3 * GIB, 0, "a task starts"),
    (GIB // 4, 0, "no host has room"),
    (GIB // 4, 2, "no host has room, every second comes after another"),
)
SIZES = ((5, 20, 60, "0.2 ms"), (100, 1_000, 10_000, "10 ms"))


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args(argv).rounds
    rows: list[tuple[str, str, str]] = []
    gc.freeze()  # as the engine does
    gc.set_threshold(10_000)
    for hosts, agents, tasks, target in SIZES:
        for free, each, words in CASES:
            first, *took = decisions(fleet(hosts, agents, tasks, free, each), rounds)
            name = f"{hosts} hosts, {agents:,} agents, {tasks:,} tasks: {words}"
            rows += [
                (name, f"{part(took, 0.5) * 1000:.2f} ms", target),
                (f"{name}, first", f"{first * 1000:.2f} ms", ""),
            ]
    print_table(f"one decision of the queue; {load()}", rows)


def decisions(world: Fleet, rounds: int) -> Iterator[float]:
    """Decide again and again, another task being changed before each; the seconds that each decision took."""
    turns = WaitingTasks()
    for number in range(1, rounds + 2):
        began = time.process_time()
        dispatch.plan(world, NOON, turns)
        yield time.process_time() - began
        changed = replace(world.tasks[f"t{number}"], priority=7)
        world = replace(world, tasks=table(world.tasks).updated({changed.id: changed}))


def fleet(hosts: int, agents: int, tasks: int, free: int, each: int = 0) -> Fleet:
    """A fleet with work for all. `each`: which part of the tasks come after the one before, 0 for none."""
    machines = {f"h{number}": host(f"h{number}", free=free) for number in range(hosts)}
    working = [
        agent(f"a{number}", f"h{number % hosts}", rss=300 << 20, started=NOON - 10 * MINUTE) for number in range(agents)
    ]
    waiting = [
        Task(
            number,
            f"task {number}",
            TaskState.WAITING,
            NOON - number,
            NOON - number,
            priority=number % 5,
            place=float(number),
            profile="docs" if number % 3 else "",
            after=(f"t{number - 1}",) if each and number % each == 0 else (),
        )
        for number in range(1, tasks + 1)
    ]
    queue = Queue(rules=replace(QueueRules(), max_agents=agents + 10, max_tasks=tasks))
    by_id = {one.id: one for one in working}
    world = Fleet("room-1", machines, by_id, {"docs": Profile("docs")}, tasks={one.id: one for one in waiting})
    return replace(world, queue=queue)


if __name__ == "__main__":
    main(sys.argv[1:])
