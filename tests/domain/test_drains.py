"""Drained hosts: in which batches agents leave, what stops that, what stays and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import events
from controlroom.domain.decide import Decision, decide
from controlroom.domain.display.drains import progress_words, short_words
from controlroom.domain.display.views import host_row
from controlroom.domain.gauges import AlarmLevel
from controlroom.domain.model import Fleet, LinkState, Profile, State
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import drains
from controlroom.domain.reduce import reduce
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import Attempt, Drain, Leaving, Preflight, TaskState
from controlroom.domain.waits import HostWait, WaitReason
from controlroom.text.host_sample import FolderCheck
from controlroom.text.states import AgentKind, Cause
from tests.domain.drained import Yard
from tests.domain.worlds import GIB, MINUTE, NOON, agent, fleet, host, order, task


def draining(*rows: object, free: int = 3 * GIB, **changes: object) -> Fleet:
    """vm1 is being drained, vm2 and vm3 are there."""
    drain = replace(Drain("ann", NOON, move=True), **changes)  # type: ignore[arg-type]
    return fleet(*rows, hosts=(host(drain=drain, free=0), host("vm2", free=free), host("vm3", free=free // 2)))  # type: ignore[arg-type]


def settled(world: Fleet, refused: dict[str, str] | None = None, now: int = NOON) -> Drain:
    drain = drains.settled(world, world.hosts["vm1"], now, refused or {}, ())
    assert drain is not None
    return drain


# --------------------------------------------------------------------------- stories


def play(yard: Yard, rounds: int = 80) -> None:
    for _ in range(rounds):
        if yard.random.random() < 0.05:
            yard.something_happens()
        yard.pass_time()
        yard.round()


def finish(yard: Yard) -> None:
    """Have it go on until nothing more happens."""
    yard.mend()
    for _ in range(120):
        yard.pass_time()
        yard.round()


@pytest.mark.parametrize("seed", range(24))
def test_batches_follow_each_other_and_nobody_is_lost_or_runs_twice(seed: int) -> None:
    batch = seed % 10 + 1
    yard = Yard(seed, agents=25, batch=batch, fails=(0.0, 0.05, 0.3)[seed % 3], hosts=6)
    play(yard)
    finish(yard)
    assert max(yard.batches) <= batch
    drain = yard.drain
    arrived = [name for name, at in yard.running.items() if at != "vm1"]
    assert len(arrived) == drain.moved
    here = [name for name, at in yard.running.items() if at == "vm1"]
    lost = {f"a{number}" for number in range(25)} - yard.running.keys()
    assert lost <= set(drain.failed), "what has ended for good is said"
    assert bool(here or drain.failed) == bool(drain.stopped), "it stands still, or nothing is left"
    assert bool(drain.emptied) == (not here)


@pytest.mark.parametrize("seed", range(12))
def test_a_host_that_is_rebooted_in_the_middle_is_emptied_all_the_same(seed: int) -> None:
    yard = Yard(seed, agents=15, batch=seed % 5 + 1, fails=0.0, hosts=6, reboots=0.5)
    yard.round()
    yard.reboot()
    yard.round()
    assert not yard.drain.emptied, "what was cut off there is still to leave"
    play(yard, 40)
    finish(yard)
    assert sorted(yard.running) == sorted(f"a{number}" for number in range(15)), "nobody is lost"
    assert "vm1" not in yard.running.values()
    drain = yard.drain
    assert (drain.moved, dict(drain.failed), bool(drain.emptied)) == (15, {}, True)
    assert set(drain.went) <= yard.rebooted
    for name in ("vm2", "vm3"):  # and what was there is done and forgotten: it does not begin once more
        yard.apply(events.AgentsObserved(name, (), yard.now, complete=True))
    yard.round()
    assert not yard.ways


def test_nobody_is_asked_to_resume_what_a_drain_has_go_on_elsewhere() -> None:
    over = agent(state=State.FAILED, cause=Cause.REBOOTED, ended=NOON, epoch=1)
    for world, asked in ((draining(agent()), False), (draining(agent(), move=False), True)):
        seen = reduce(world, events.AgentsObserved("vm1", (over,), NOON))
        assert ("reboot of vm1" in seen.alarms) is asked
    late = replace(over, ended=NOON - 1)
    assert "reboot of vm1" in reduce(draining(agent()), events.AgentsObserved("vm1", (late,), NOON)).alarms


def test_what_has_another_way_to_go_on_after_a_reboot_does_not_leave() -> None:
    def left(world: Fleet, **more: object) -> list[str]:
        host = world.hosts["vm1"]
        return [one.id for one in drains.leavers(replace(world, **more), host, {})]  # type: ignore[arg-type]

    row = agent("docs-1", state=State.FAILED, cause=Cause.REBOOTED, ended=NOON, profile="docs")
    world = draining(row)
    assert left(world) == ["vm1/docs-1"]
    assert left(draining(replace(row, ended=NOON - 1))) == [], "that was before it was drained"
    assert left(draining(row, move=False)) == []
    assert left(draining(row, went={"docs-1": 1})) == []
    assert left(draining(replace(row, cause=Cause.RUNNER_KILLED))) == []
    kept = Profile("docs", restarts=RestartRules(keep=1))
    assert left(world, profiles={"docs": kept}) == [], "its profile begins it anew"
    attempt = task(1, state=TaskState.FAILED, attempts=(Attempt("vm1", "docs-1", 1, NOON),))
    assert left(world, tasks={1: attempt}) == [], "its task has its next attempt"
    elsewhere = replace(
        attempt, state=TaskState.RUNNING, attempts=(*attempt.attempts, Attempt("vm2", "docs-1", 1, NOON))
    )
    assert left(world, tasks={1: elsewhere}) == [], "its task has gone on on another host"


def test_a_drain_of_which_much_fails_stands_still_early_and_goes_on_when_it_is_told_to() -> None:
    yard = Yard(1, agents=30, batch=10, fails=1.0)
    finish(yard)
    assert yard.drain.stopped
    assert yard.batches == [10], "no second batch began"
    assert len(yard.running) + len(set(yard.drain.failed) - yard.running.keys()) == 30
    yard.fails = 0.0
    yard.apply(events.HostDrained("vm1", drains.continued(yard.fleet, "vm1").drain))
    finish(yard)
    assert (yard.drain.stopped, dict(yard.drain.failed)) == (0, {})
    assert "vm1" not in yard.running.values()


# --------------------------------------------------------------------------- one batch


def test_the_first_batch_is_as_large_as_was_said_and_goes_where_there_is_room() -> None:
    world = draining(*(agent(f"a{number}") for number in range(4)), batch=3)
    first = drains.next_leave(world, NOON, ()).leave
    assert first is not None
    assert (first.agent.id, first.host, first.who) == ("vm1/a0", "vm2", "ann")
    drain = drains.left(world, world.hosts["vm1"].drain or Drain("", 0), first, NOON, first=True)
    assert (drain.number, drain.size, drain.leaving) == (1, 1, (Leaving("a0", "vm2", 1, NOON),))
    for size, more in ((1, True), (2, True), (3, False)):
        leaving = tuple(Leaving(f"a{number}", "vm2", 1, NOON) for number in range(size))
        world = reduce(world, events.HostDrained("vm1", replace(drain, size=size, leaving=leaving)))
        assert (drains.next_leave(world, NOON, {"vm1"}).leave is not None) is more
        assert drains.next_leave(world, NOON, ()).leave is None, "the next batch waits for this one"


@pytest.mark.parametrize(
    ("state", "at_work"),
    [(State.STARTING, False), (State.WORKING, True), (State.WAITING, True), (State.DONE, True), (State.LIMITED, True)],
)
def test_a_batch_is_over_when_its_agents_are_at_work_and_not_when_they_were_started(
    state: State, at_work: bool
) -> None:
    gone = agent("a", state=State.DONE, ended=NOON)
    there = agent("a", on="vm2", state=state, ended=NOON if state is State.DONE else 0)
    world = draining(gone, there, number=1, size=1, leaving=(Leaving("a", "vm2", 1, NOON),))
    drain = settled(world)
    assert (not drain.leaving, drain.moved) == (at_work, int(at_work))
    later = settled(world, now=NOON + drains.AWAITED + 1)
    assert ("not at work on vm2 after 10 minutes" in later.failed.get("a", "")) is not at_work


def test_an_earlier_run_of_the_same_name_on_the_new_host_is_not_taken_for_the_one_that_moves() -> None:
    before = agent("a", on="vm2", state=State.DONE, ended=NOON - MINUTE)
    moving = agent("a", pending=order("move", "a"))
    world = draining(moving, before, number=1, size=1, leaving=(Leaving("a", "vm2", 2, NOON),))
    assert settled(world).leaving


def test_links_that_are_cut_are_waited_for_and_nothing_is_concluded_from_them() -> None:
    ended = agent("a", state=State.DONE, ended=NOON)
    world = draining(ended, number=1, size=1, leaving=(Leaving("a", "vm2", 1, NOON),))
    for name in ("vm1", "vm2"):
        lost = reduce(world, events.LinkChanged(name, LinkState.LOST, NOON))
        assert settled(lost, now=NOON + 10 * drains.AWAITED).leaving
    assert "vm2 does not show it" in settled(world).failed["a"]


def test_what_an_engine_never_ordered_leaves_with_a_later_batch() -> None:
    world = draining(agent("a"), number=1, size=2, leaving=(Leaving("a", "vm2", 1, NOON),))
    drain = settled(world)
    assert (drain.leaving, drain.failed, drain.size, drain.stopped) == ((), {}, 1, 0)
    assert "disk" in settled(world, {"vm1/a": "the disk is full"}).failed["a"]


@pytest.mark.parametrize(("size", "failing", "stops"), [(10, 2, False), (10, 3, True), (5, 1, False), (4, 1, True)])
def test_more_than_a_fifth_of_a_batch_stops_a_drain(size: int, failing: int, stops: bool) -> None:
    names = [f"a{number}" for number in range(size)]
    rows = [agent(name, on="vm2") for name in names[failing:]]
    world = draining(*(agent(name) for name in (*names[:failing], "more")), *rows, number=1, size=size)
    leaving = tuple(Leaving(name, "vm2", 1, NOON) for name in names)
    world = reduce(world, events.HostDrained("vm1", replace(world.hosts["vm1"].drain, leaving=leaving)))  # type: ignore[type-var]
    drain = settled(world, {f"vm1/{name}": "no" for name in names[:failing]})
    assert bool(drain.stopped) is stops
    after = reduce(world, events.HostDrained("vm1", drain))
    alarm = after.alarms.get("drain of vm1")
    assert (alarm is not None) is stops
    if alarm:
        assert alarm.level is AlarmLevel.DANGER
        assert f"{failing} of its agents did not arrive (a0: no" in alarm.text
        assert "controlroom host drain vm1 --continue" in alarm.text
        assert "controlroom host undrain vm1" in alarm.text
    over = reduce(after, events.HostDrained("vm1", None))
    assert "drain of vm1" not in over.alarms


def test_a_host_that_is_empty_says_what_may_be_done_with_it_and_stops_when_it_is_not() -> None:
    world = draining(agent("a", on="vm2"), number=1, size=1, leaving=(Leaving("a", "vm2", 1, NOON),))
    drain = settled(world)
    assert drain.emptied == NOON
    empty = reduce(world, events.HostDrained("vm1", drain))
    alarm = empty.alarms["drain of vm1"]
    assert (alarm.level, "1 agent moved" in alarm.text, "switched off" in alarm.text) == (AlarmLevel.NOTICE, True, True)
    again = reduce(empty, events.AgentsObserved("vm1", (agent("late"),), NOON))
    assert settled(again).emptied == 0


# --------------------------------------------------------------------------- who stays, and what is said


def test_who_cannot_leave_stays_and_it_is_said_why() -> None:
    trees = agent("trees")
    assert trees.ordered is not None
    kept = agent("watch-1", profile="watch")
    pinned = task(1, state=TaskState.RUNNING, host="vm1", attempts=(Attempt("vm1", "pinned", 1, NOON),))
    world = draining(
        agent("talk", kind=AgentKind.INTERACTIVE, session=""),
        agent("idle", state=State.IDLE, session=""),
        agent("strange", ordered=None),
        replace(trees, session="", ordered=replace(trees.ordered, worktree="HEAD")),
        kept,
        agent("pinned"),
        agent("paused", state=State.PAUSED, ended=NOON),
        agent("boss", profile="boss"),
    )
    watch = Profile("watch", restarts=RestartRules(keep=1, hosts=("vm1",)))
    boss = Profile("boss", lead="research")
    world = replace(world, profiles={"watch": watch, "boss": boss}, tasks={"t1": pinned})
    assert drains.next_leave(world, NOON, ()).leave is None
    words = progress_words(world, world.hosts["vm1"], NOON)
    assert words.startswith("0 of 7 moved; ")
    assert "talk, idle stay: " in words
    for name in ("strange", "trees", "watch-1", "pinned", "paused", "boss"):
        assert f"{name} stays: " in words
    elsewhere = replace(watch, restarts=RestartRules(keep=1, hosts=("vm1", "vm3")))
    leave = drains.next_leave(replace(world, profiles={"watch": elsewhere, "boss": boss}), NOON, ()).leave
    assert leave is not None
    assert (leave.agent.name, leave.host) == ("watch-1", "vm3"), "only where its profile keeps it"


@pytest.mark.parametrize(
    ("changes", "worktree", "goes"),
    [
        ({"cwd": "project"}, "", (True, False)),
        ({"cwd": "project"}, "HEAD", (True, False)),
        ({"cwd": "known"}, "", (True, True)),
        ({"cwd": ""}, "", (True, True)),
        ({"cwd": "project", "session": ""}, "", (False, False)),
        ({"cwd": "project", "kind": AgentKind.COMMAND}, "", (False, False)),
        ({"cwd": "project", "kind": AgentKind.INTERACTIVE, "state": State.IDLE}, "", (True, False)),
    ],
)
def test_who_has_a_session_takes_it_along_and_the_folder_where_that_can_be(
    changes: dict[str, object], worktree: str, goes: tuple[bool, bool]
) -> None:
    row = agent("a", **changes)  # type: ignore[arg-type]
    assert row.ordered is not None
    world = draining(replace(row, ordered=replace(row.ordered, worktree=worktree)))
    found = Preflight(NOON, folders={"known": FolderCheck("known", repository=False)})
    world = replace(world, queue=replace(world.queue, preflights={"vm1": found}))
    leave = drains.next_leave(world, NOON, ()).leave
    assert leave is not None
    move = drains.move_of(world, leave.agent, leave.host, leave.task)
    assert (move.keep_session, move.leave_folder) == goes
    assert isinstance(decide(world, move, 1, NOON), Decision)


def test_no_room_is_waited_for_and_said() -> None:
    world = draining(agent("a"), free=0)
    decided = drains.next_leave(world, NOON, ())
    assert decided.leave is None
    assert {wait.reason for wait in decided.blocked["vm1"]} == {WaitReason.HOST_MEMORY}
    waits = (HostWait("vm2", WaitReason.HOST_MEMORY, 192 * 1024**2, 400 * 1024**2),)
    shown = draining(agent("a"), waits=waits)
    words = progress_words(shown, shown.hosts["vm1"], NOON)
    assert words == "0 of 1 moved; waits: vm2 has 192M left to give, an agent needs 400M"


def test_a_name_that_is_taken_on_a_host_is_no_place_to_go() -> None:
    world = draining(agent("a"), agent("a", on="vm2"))
    leave = drains.next_leave(world, NOON, ()).leave
    assert leave is not None
    assert leave.host == "vm3"


def test_how_far_a_drain_is_stands_in_the_row_of_its_host() -> None:
    rows = [agent("a", on="vm2"), agent("b"), agent("c", pending=order("move", "c"))]
    leaving = (Leaving("c", "vm2", 1, NOON),)
    world = draining(*rows, number=3, size=2, moved=12, failed={"x": "no"}, leaving=leaving)
    assert short_words(world, world.hosts["vm1"]) == "12/15, 1 failed"
    row = host_row(world, world.hosts["vm1"], NOON)
    assert row.barred == "draining 12/15, 1 failed"
    assert row.progress == "12 of 15 moved, 1 failed, batch 3 (1 on their way)"
    stopped = draining(*rows, number=3, size=2, moved=12, failed={"x": "no"}, stopped=NOON)
    assert host_row(stopped, stopped.hosts["vm1"], NOON).barred == "drain stopped 12/15, 1 failed"


def test_a_drain_that_is_in_force_can_be_changed_and_keeps_what_it_has_done() -> None:
    world = draining(agent("a"), number=2, size=3, moved=7)
    with pytest.raises(Refusal, match="vm1 is drained already, by ann"):
        drains.drained(world, "vm1", Drain("bob", NOON, move=True))
    with pytest.raises(Refusal, match="1 to 100 agents, not 0"):
        drains.drained(world, "vm1", Drain("bob", NOON, move=True, batch=0))
    smaller = drains.drained(world, "vm1", Drain("bob", NOON, move=True, batch=2)).drain
    assert smaller is not None
    assert (smaller.who, smaller.batch, smaller.moved, smaller.number) == ("bob", 2, 7, 2)
    with pytest.raises(Refusal, match="does not stand still"):
        drains.continued(world, "vm1")
    with pytest.raises(Refusal, match="vm2 is not drained"):
        drains.continued(world, "vm2")
