"""What is kept of waiting tasks from one decision to the next is what would be worked out anew."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from controlroom.domain.persistent_tables import Table
from controlroom.domain.queue.dispatch import World
from controlroom.domain.queue.waiting_tasks import WORK, WaitingTasks
from controlroom.domain.tasks import Attempt, AttemptEnd, Task, TaskState, in_order
from tests.domain.worlds import MINUTE, NOON, fleet, task, with_tasks

FAILED = Attempt("vm1", "a", 1, NOON - 2 * MINUTE, NOON - MINUTE, AttemptEnd.FAILED)


def changed(random: Random, tasks: Table[Task], now: int) -> Table[Task]:
    """Tasks after something happened to some of them: seldom to so many that all are sorted anew."""
    put: dict[str, Task] = {}
    for _ in range(random.choice((0, 1, 1, 3, 150))):
        number = random.randrange(1, 200)
        before = tasks.get(f"t{number}") or task(number, added=now - random.randrange(90) * MINUTE)
        after = tuple(f"t{random.randrange(1, number)}" for _ in range(random.randrange(2))) if number > 1 else ()
        put[before.id] = random.choice(
            (
                replace(before, priority=random.randrange(4)),
                replace(before, place=float(random.randrange(50))),
                replace(before, state=random.choice(list(TaskState)), after=after),
                replace(before, not_before=random.choice((0, now - 1, now + random.randrange(5) * MINUTE))),
                replace(before, attempts=random.choice(((), (FAILED,))), every=random.choice(("", "1 h"))),
                replace(before, cwd=random.choice(("", "/a", "/b"))),
                replace(before, max_cost=random.choice((0, 1, 2)), attempts=(replace(FAILED, spent=1),)),
            )
        )
    return tasks.updated(put, [key for key in random.sample(list(tasks), len(tasks) // 50) if key not in put])


def check(turns: WaitingTasks, tasks: Table[Task], aging: int, now: int) -> None:
    """Compare what is kept with what each task says of itself."""
    world = with_tasks(fleet(), *tasks.values(), aging=aging)
    turns.follow(tasks, aging, now)
    waiting = [one for one in tasks.values() if one.state is TaskState.WAITING]
    own = {one.id: wait for one in waiting if (wait := World(world, now).own_wait(one)) is not None}
    assert turns.own_waits(World(world, now).own_wait) == own
    ready = in_order([one for one in waiting if one.id not in own], world.queue, now)
    assert turns.ids == [one.id for one in ready]
    kinds = [one.id if one.attempts else WORK(one) for one in ready]
    assert len(set(zip(kinds, turns.kinds, strict=True))) == len(set(kinds)) == len(set(turns.kinds))
    assert turns.next_moment == min((one.not_before for one in waiting if one.not_before > now), default=0)
    assert bool(turns) == bool(waiting)
    assert all(turns.task(index) is one for index, one in enumerate(ready))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_what_would_be_worked_out_anew(seed: int) -> None:
    random, turns, now, aging = Random(seed), WaitingTasks(), NOON, 10 * MINUTE
    tasks: Table[Task] = Table()
    for _ in range(150):
        now += random.choice((0, 1, 1_000, MINUTE, 7 * MINUTE, 30 * MINUTE, -MINUTE, -40 * MINUTE))
        aging = random.choice((aging, aging, aging, aging, 0, 10 * MINUTE))
        tasks = changed(random, tasks, now)
        check(turns, tasks, aging, now)
