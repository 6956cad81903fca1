"""Which task starts next, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.display.tasks import alike_waits, queue_line, rows, why
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.model import Fleet, LinkState, Profile, State
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import attempts, dispatch, edits
from controlroom.domain.queue.naming import agent_name, title
from controlroom.domain.queue.templates import filled
from controlroom.domain.tasks import (
    Attempt,
    AttemptEnd,
    Drain,
    Halt,
    Hold,
    Preflight,
    Restarts,
    Task,
    TaskChange,
    TaskState,
)
from controlroom.domain.waits import HostWait, Wait, WaitReason
from controlroom.text.states import AgentKind, Payer
from controlroom.wire.codec import decode, encode
from tests.domain.worlds import GIB, MINUTE, NOON, agent, fleet, host, task, with_tasks

HOUR = 60 * MINUTE


def reason(world: Fleet, id_: str = "t1") -> WaitReason:
    return dispatch.plan(world, NOON).waits[id_].reason


def test_of_equal_tasks_the_oldest_starts_and_the_more_urgent_before_it() -> None:
    plan = dispatch.plan(with_tasks(fleet(), task(1), task(2, priority=1), task(3)), NOON)
    assert plan.start is not None
    assert (plan.start.task.id, plan.start.host, plan.start.agent) == ("t2", "vm1", "write-a-test-t2")
    assert {key: wait.reason for key, wait in plan.waits.items()} == dict.fromkeys(("t1", "t3"), WaitReason.BEHIND)


def test_a_task_that_has_waited_long_comes_before_more_urgent_ones() -> None:
    old, urgent = task(1, added=NOON - 6 * HOUR), task(2, priority=5)
    assert dispatch.plan(with_tasks(fleet(), old, urgent), NOON).start.task.id == "t1"  # type: ignore[union-attr]
    assert dispatch.plan(with_tasks(fleet(), old, urgent, aging=0), NOON).start.task.id == "t2"  # type: ignore[union-attr]


def test_no_host_becomes_fuller_than_it_may_be() -> None:
    roomy = fleet(hosts=(host(free=2 * GIB),))
    assert dispatch.plan(with_tasks(roomy, task(1)), NOON).start
    assert reason(with_tasks(roomy, task(1), memory_percent=55)) is WaitReason.NO_HOST


def test_a_young_agent_counts_as_grown_and_what_agents_took_before_is_what_they_need() -> None:
    young = agent("young", state=State.WORKING, started=NOON - 1000, rss=10)
    assert dispatch.plan(with_tasks(fleet(hosts=(host(free=GIB + GIB // 4),)), task(1)), NOON).start
    assert reason(with_tasks(fleet(young, hosts=(host(free=GIB + GIB // 4),)), task(1))) is WaitReason.NO_HOST
    big = [
        agent(f"big-{number}", profile="docs", started=NOON - HOUR, rss=GIB, since=NOON - HOUR) for number in range(3)
    ]
    room = host(free=GIB + GIB // 2)
    assert dispatch.plan(with_tasks(fleet(*big, hosts=(room,)), task(1)), NOON).start
    assert reason(with_tasks(fleet(*big, hosts=(room,)), task(1, profile="docs"))) is WaitReason.NO_HOST


@pytest.mark.parametrize(
    ("gauge", "waits"),
    [
        (Headroom("plan", "5 h", LimitKind.WINDOW, 84, 100, NOON + HOUR), False),
        (Headroom("plan", "5 h", LimitKind.WINDOW, 85, 100, NOON + HOUR), True),
        (Headroom("plan", "5 h", LimitKind.WINDOW, 99, 100, NOON - 1), False),
        (Headroom("plan", "week Opus", LimitKind.WINDOW, 99, 100, NOON + HOUR, model="opus"), False),
        (Headroom("plan", "week Sonnet", LimitKind.WINDOW, 99, 100, NOON + HOUR, model="sonnet"), True),
    ],
)
def test_nothing_new_starts_on_a_window_that_is_nearly_used_up(gauge: Headroom, waits: bool) -> None:
    world = replace(with_tasks(fleet(), task(1, model="sonnet")), headroom={gauge.key: gauge})
    plan = dispatch.plan(world, NOON)
    assert (plan.start is None) == waits
    if waits:
        assert plan.waits["t1"].until == plan.next_look == NOON + HOUR
        keyed = Profile("keyed", billing=Payer.API)
        other = replace(world, profiles={"keyed": keyed}, tasks={"t1": task(1, model="sonnet", profile="keyed")})
        assert dispatch.plan(other, NOON).start, "whoever pays by a key is not held by a plan's window"


def test_the_fleet_stays_under_its_buffer_of_requests() -> None:
    bucket = Headroom("key 1", "requests sonnet", LimitKind.BUCKET, 45, 50, buffer=45, model="sonnet")
    world = replace(with_tasks(fleet(), task(1, model="sonnet")), headroom={bucket.key: bucket})
    assert reason(world) is WaitReason.LIMIT
    assert dispatch.plan(replace(world, headroom={bucket.key: replace(bucket, used=44)}), NOON).start


def test_another_login_with_headroom_lets_it_start() -> None:
    full = Headroom("one", "5 h", LimitKind.WINDOW, 99, 100, NOON + HOUR)
    free = Headroom("two", "5 h", LimitKind.WINDOW, 10, 100, NOON + HOUR)
    world = replace(with_tasks(fleet(), task(1)), headroom={full.key: full, free.key: free})
    assert dispatch.plan(world, NOON).start


def test_a_command_needs_no_login_and_no_limit() -> None:
    full = Headroom("one", "5 h", LimitKind.WINDOW, 99, 100, NOON + HOUR)
    job = Profile("job", AgentKind.COMMAND, ("make",))
    world = replace(with_tasks(fleet(), task(1, profile="job")), headroom={full.key: full}, profiles={"job": job})
    assert dispatch.plan(world, NOON).start


def test_a_task_starts_only_where_its_labels_and_those_of_its_profile_are() -> None:
    hosts = host("vm1", labels=("big",), free=3 * GIB), host("vm2", labels=("big", "gpu")), host("vm3")
    world = replace(with_tasks(fleet(hosts=hosts), task(1, labels=("gpu",), profile="large")), profiles={})
    world = replace(world, profiles={"large": Profile("large", labels=("big",))})
    assert dispatch.plan(world, NOON).start.host == "vm2"  # type: ignore[union-attr]
    away = replace(world, hosts={**world.hosts, "vm2": replace(world.hosts["vm2"], link=LinkState.LOST)})
    wait = dispatch.plan(away, NOON).waits["t1"]
    said = {one.host: (one.reason, one.about) for one in wait.hosts}
    assert said["vm1"] == (WaitReason.HOST_LABELS, "gpu")
    assert said["vm3"] == (WaitReason.HOST_LABELS, "big, gpu")


def test_nothing_starts_on_a_host_that_is_drained_and_why_says_so() -> None:
    world = with_tasks(fleet(hosts=(host(drain=Drain("ann", NOON), free=3 * GIB), host("vm2"))), task(1))
    assert dispatch.plan(world, NOON).start.host == "vm2"  # type: ignore[union-attr]
    alone = replace(world, hosts={"vm1": world.hosts["vm1"]})
    wait = dispatch.plan(alone, NOON).waits["t1"]
    assert "  vm1 is drained by ann" in why(alone, replace(alone.tasks["t1"], wait=wait), NOON)


def test_a_host_whose_load_is_too_high_takes_nothing_more_where_a_setting_says_so() -> None:
    busy = host()
    assert busy.sample is not None
    busy = replace(busy, sample=replace(busy.sample, load_1m=5.0))  # of two cores
    assert dispatch.plan(with_tasks(fleet(hosts=(busy,)), task(1)), NOON).start
    assert dispatch.plan(with_tasks(fleet(hosts=(busy,)), task(1), load_percent=251), NOON).start
    (wait,) = dispatch.plan(with_tasks(fleet(hosts=(busy,)), task(1), load_percent=250), NOON).waits["t1"].hosts
    assert (wait.reason, wait.has, wait.needs) == (WaitReason.HOST_LOAD, 250, 250)
    assert wait.until > NOON


def test_a_session_on_a_drained_host_is_waited_for_unless_what_is_there_is_to_move() -> None:
    ended = agent("a", state=State.FAILED, ended=NOON)
    attempt = Attempt("vm1", "a", 1, NOON, NOON, AttemptEnd.CRASHED, session="s-1")
    drained = host(drain=Drain("ann", NOON))
    world = with_tasks(fleet(ended, hosts=(drained, host("vm2"))), task(1, attempts=(attempt,)))
    assert reason(world) is WaitReason.NO_HOST
    moving = replace(world, hosts={**world.hosts, "vm1": replace(drained, drain=Drain("ann", NOON, move=True))})
    start = dispatch.plan(moving, NOON).start
    assert start is not None
    assert (start.host, start.resumes) == ("vm2", False)


def test_why_names_each_host_and_the_next_look() -> None:
    hosts = host("vm1", free=GIB), host("vm2", link=LinkState.LOST), host("vm3", sample=None)
    world = with_tasks(fleet(hosts=hosts), task(1))
    wait = dispatch.plan(world, NOON).waits["t1"]
    assert why(world, replace(world.tasks["t1"], wait=wait), NOON) == [
        "t1 is waiting, for 1m: write a test",
        "no host takes it now:",
        "  vm1 has 192M left to give, an agent needs 400M",
        "  vm2 cannot be reached",
        "  vm3 has not said yet how much memory is free",
        "next look: within a minute",
    ]


def test_the_first_screen_says_how_many_wait_and_why_nothing_moves() -> None:
    world = with_tasks(fleet(), task(1), task(2, state=TaskState.HELD))
    assert queue_line(fleet(), NOON) == ""
    assert queue_line(world, NOON) == "queue: 1 waiting, 0 running, 1 held"
    held = replace(world, queue=replace(world.queue, hold=Hold("ann", NOON, "lunch")))
    assert queue_line(held, NOON) == "queue: 1 waiting, 0 running, 1 held; held by ann (lunch)"
    blocked = replace(world, queue=replace(world.queue, blocked=dispatch.plan(held, NOON).blocked))
    assert queue_line(blocked, NOON) == "queue: 1 waiting, 0 running, 1 held; the queue is held by ann"
    halted = replace(world, queue=replace(world.queue, halt=Halt("ann", NOON - MINUTE, "wrong branch")))
    assert queue_line(halted, NOON) == "HALTED by ann, 1m ago (wrong branch): nothing starts or goes on"


def test_rows_stand_in_the_order_in_which_things_happen() -> None:
    world = with_tasks(
        fleet(), task(1, state=TaskState.DONE), task(2), task(3, priority=2), task(4, state=TaskState.RUNNING)
    )
    assert [row.id for row in rows(world, NOON)] == ["t4", "t3", "t2", "t1"]


@pytest.mark.parametrize(
    ("text", "shown", "named"),
    [
        ("# Fix the login\n\nnow", "Fix the login", "fix-the-login-t7"),
        ("- [ ] Größe prüfen", "[ ] Größe prüfen", "grosse-prufen-t7"),
        ("日本語", "日本語", "t7"),
        ("\n\n  x\x1b[2Jy", "x␛y", "xy-t7"),
        ("a" * 100, "a" * 80 + "…", "a" * 26 + "-t7"),
    ],
)
def test_an_agent_bears_words_of_its_task(text: str, shown: str, named: str) -> None:
    made = replace(task(7), title=title(text))
    assert (made.title, agent_name(made)) == (shown, named)


def test_a_value_of_a_template_is_never_read_again() -> None:
    assert filled("x", "{{a}} and {{ b }}", {"a": "{{b}}", "b": "2"}) == "{{b}} and 2"


def test_after_a_restart_a_host_that_is_away_keeps_no_place_for_agents_whose_run_has_ended() -> None:
    """What the ledger has of their attempts is known, though their host has told this engine nothing."""
    ended = Attempt("vm2", "a-t1", 1, NOON - 2 * MINUTE, NOON - MINUTE, AttemptEnd.DONE)
    open_ = Attempt("vm2", "a-t2", 1, NOON - MINUTE)
    tasks = (
        task(1, state=TaskState.DONE, attempts=(ended,)),
        task(2, state=TaskState.RUNNING, attempts=(open_,)),
        task(3, attempts=(replace(ended, agent="a-t3", end=AttemptEnd.FAILED),)),
    )
    rows = (agent(f"a-t{number}", on="vm2", state=State.UNKNOWN) for number in (1, 2, 3))
    world = with_tasks(fleet(*rows, hosts=(host("vm1"), host("vm2", link=LinkState.LOST))), *tasks, max_agents=2)
    start = dispatch.plan(world, NOON).start
    assert start is not None
    assert (start.task.id, start.host) == ("t3", "vm1")
    full = replace(world, queue=replace(world.queue, rules=replace(world.queue.rules, max_agents=1)))
    assert dispatch.plan(full, NOON).waits["t3"].reason is WaitReason.FLEET_FULL, "the open one may live"


def test_why_nothing_moves_is_said_once_for_all_that_wait_for_alike_reasons() -> None:
    later = [task(number, not_before=NOON + number * 60 * MINUTE) for number in (1, 2)]
    others = [task(3, after=("t1",)), task(4, state=TaskState.HELD, reason="held by ann"), task(5), task(6)]
    gone = {"watcher-1": Restarts("vm1", 3, gave_up="it was started 5 times in 10m, and ended each time")}
    world = with_tasks(fleet(hosts=(host("vm1", link=LinkState.LOST),)), *later, *others)
    world = replace(world, queue=replace(world.queue, restarts=gone))
    waits = dispatch.plan(world, NOON).waits
    shown = replace(world, tasks={id_: replace(one, wait=waits.get(id_)) for id_, one in world.tasks.items()})
    groups = {group.lines[0]: group for group in alike_waits(shown, NOON)}
    assert {words: group.tasks for words, group in groups.items()} == {
        "not to start yet": ("t1", "t2"),
        "comes after t1": ("t3",),
        "no host takes it now:": ("t5", "t6"),
        "held by ann": ("t4",),
        "it was started 5 times in 10m, and ended each time": (),
    }
    assert groups["not to start yet"].lines[1] == "next look: in 1h00"
    assert groups["no host takes it now:"].lines[1] == "  vm1 cannot be reached"
    assert groups["it was started 5 times in 10m, and ended each time"].agents == ("watcher-1",)
    assert alike_waits(fleet(), NOON) == []


def test_of_alike_reasons_the_moment_that_is_known_is_said() -> None:
    known, unknown = Wait(WaitReason.BUDGET, NOON + 5 * MINUTE, ("day",)), Wait(WaitReason.BUDGET, 0, ("day",))
    by_host = Wait(WaitReason.NO_HOST, hosts=(HostWait("vm1", WaitReason.LOGIN, until=NOON + 9 * MINUTE),))
    nowhere = replace(by_host, hosts=(replace(by_host.hosts[0], until=0),))
    waits = [known, unknown, by_host, nowhere]
    tasks = [task(number, wait=wait) for number, wait in enumerate(waits, 1)]
    assert [group.lines[-1] for group in alike_waits(with_tasks(fleet(), *tasks), NOON)] == [
        "next look: in 5m",
        "next look: in 9m",
    ]


def test_a_host_that_is_not_fit_is_looked_at_again_at_a_moment_that_is_said() -> None:
    world = with_tasks(fleet(hosts=(host("vm1"),)), task(1))
    found = Preflight(at=NOON - MINUTE // 2, machine="it has no disk", blocking="it has no disk")
    world = replace(world, queue=replace(world.queue, preflights={"vm1": found}))
    plan = dispatch.plan(world, NOON)
    (unfit,) = plan.waits["t1"].hosts
    assert (unfit.reason, unfit.until) == (WaitReason.HOST_UNFIT, found.at + MINUTE)
    assert plan.next_look == unfit.until
    lines = why(world, replace(world.tasks["t1"], wait=plan.waits["t1"]), NOON)
    assert lines[3] == "next look: within a minute"


def test_what_a_task_cost_on_a_host_that_it_left_counts_against_what_it_may_cost() -> None:
    attempt = Attempt("vm1", "a-t1", 1, NOON - MINUTE, killed=True)
    moved = task(1, state=TaskState.RUNNING, max_cost=1_000_000, attempts=(attempt,))
    left = agent("a-t1", "vm1", State.FAILED, spent=900_000, ended=NOON)
    there = agent("a-t1", "vm2", spent=50_000)
    world = with_tasks(fleet(left, there, hosts=(host("vm1"), host("vm2"))), moved)
    after = attempts.settled(moved, world, NOON)
    assert (after.attempts[-1].id, after.spent) == ("vm2/a-t1", 900_000)
    assert not attempts.is_too_dear(after, there)
    assert attempts.is_too_dear(after, replace(there, spent=100_000))
    assert decode(Task, encode(after)) == after


def test_a_task_that_has_cost_what_it_may_is_tried_again_once_that_is_raised() -> None:
    dear = Attempt("vm1", "a-t1", 1, NOON - HOUR, NOON - MINUTE, AttemptEnd.COST, spent=1_100_000)
    failed = task(1, text="x", state=TaskState.FAILED, max_cost=1_000_000, attempts=(dear,))
    again = edits.retried(failed, NOON)
    world = with_tasks(fleet(), again)
    assert reason(world) is WaitReason.COST
    raised = edits.edited(world, again, TaskChange(max_cost=1_200_000))
    assert dispatch.plan(with_tasks(fleet(), raised), NOON).start is not None


def test_a_task_that_came_back_to_a_host_has_still_cost_there_what_it_had_cost_when_it_left() -> None:
    back = Attempt("vm1", "a-t1", 2, NOON, left={"vm1/a-t1": 900_000, "vm2/a-t1": 60_000})
    there_again = task(1, state=TaskState.RUNNING, max_cost=1_000_000, attempts=(back,))
    assert (there_again.spent, there_again.cost_left) == (960_000, 40_000)
    ended = replace(there_again, attempts=(replace(back, spent=930_000),))
    assert ended.spent == 990_000, "what an agent has cost is all that it ever cost"


def test_a_task_that_goes_on_in_its_session_is_not_dropped_while_it_begins() -> None:
    crashed = Attempt("vm1", "a", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.CRASHED, session="s")
    begins = task(1, state=TaskState.RUNNING, attempts=(crashed, Attempt("vm1", "a", 2, NOON, session="s")))
    made = with_tasks(fleet(agent("a", state=State.FAILED, ended=NOON - 1_000)), begins)
    with pytest.raises(Refusal, match="t1 is being done by vm1/a"):
        edits.dropped(made, begins, "ann", NOON)
