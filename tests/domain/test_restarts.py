"""Which agents are started without being asked, and when that ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import events, intents
from controlroom.domain.display.explain import explain
from controlroom.domain.display.filters import fits
from controlroom.domain.display.tasks import words_of
from controlroom.domain.display.views import agent_row
from controlroom.domain.keys.many import plan, summed
from controlroom.domain.model import Agent, Fleet, LinkState, Profile, State
from controlroom.domain.orders import Result, Work
from controlroom.domain.queue import restarts
from controlroom.domain.queue.restarts import How, Why
from controlroom.domain.reduce import reduce
from controlroom.domain.restart_rules import Restart, RestartRules
from controlroom.domain.tasks import (
    Attempt,
    Halt,
    Hold,
    Queue,
    QueueRules,
    Restarts,
    Task,
    TaskState,
)
from controlroom.domain.waits import WaitReason
from controlroom.text.states import AgentKind, Cause, Outcome
from tests.domain.worlds import GIB, MINUTE, NOON, agent, fleet, host, order

RULES = RestartRules(Restart.FAILURE, starts=3, within=10 * MINUTE, pause=10_000, after_reboot=True)


def restarted(*agents: Agent, rules: RestartRules = RULES, **kept: Restarts) -> Fleet:
    world = fleet(*agents)
    profile = Profile("docs", restarts=rules)
    restarts = {key.replace("__", "/").replace("_", "-"): value for key, value in kept.items()}
    return replace(world, profiles={"docs": profile}, queue=Queue(rules=QueueRules(stagger=0), restarts=restarts))


def ended(name: str = "docs-1", state: State = State.FAILED, ago: int = MINUTE, **changes: object) -> Agent:
    at = NOON - ago
    return agent(name, "vm1", state, profile="docs", ended=at, since=at, **changes)


def known(world: Fleet, *starts: int, epoch: int = 1) -> Fleet:
    kept = Restarts("vm1", epoch, tuple(NOON - at for at in starts))
    return replace(world, queue=replace(world.queue, restarts={"vm1/docs-1": kept}))


def test_an_agent_that_failed_is_given_its_task_again_after_a_pause() -> None:
    start = restarts.plan(restarted(ended()), NOON).start
    assert start is not None
    assert (start.id, start.epoch, start.why, start.how) == ("vm1/docs-1", 1, Why.FAILED, How.RETRY)
    soon = restarts.plan(restarted(ended(ago=4_000)), NOON)
    assert soon.start is None
    assert soon.next_look == NOON + 6_000
    wait = soon.restarts["vm1/docs-1"].wait
    assert wait is not None
    assert wait.reason is WaitReason.RETRY


@pytest.mark.parametrize("restart", [Restart.NEVER, Restart.FAILURE, Restart.ALWAYS])
def test_what_is_done_is_begun_again_only_where_the_profile_says_always(restart: Restart) -> None:
    rules = replace(RULES, restart=restart, after_reboot=False)
    assert (restarts.plan(restarted(ended(state=State.DONE), rules=rules), NOON).start is not None) == (
        restart is Restart.ALWAYS
    )
    assert (restarts.plan(restarted(ended(), rules=rules), NOON).start is not None) == (restart is not Restart.NEVER)


def test_what_a_person_ended_or_paused_is_left_alone_and_what_the_halt_ended_is_not() -> None:
    always = replace(RULES, restart=Restart.ALWAYS)
    world = restarted(ended(state=State.DONE), rules=always)
    assert restarts.plan(world, NOON, {"vm1/docs-1"}).start is None
    assert restarts.plan(restarted(ended(state=State.PAUSED), rules=always), NOON).start is None
    halted = replace(world, queue=replace(world.queue, restarts={"vm1/docs-1": Restarts("vm1", 1, halted=1)}))
    assert restarts.plan(halted, NOON, {"vm1/docs-1"}).start is not None


def test_an_agent_of_a_task_is_its_tasks_business() -> None:
    world = restarted(ended())
    task = Task(1, "x", TaskState.WAITING, NOON, NOON, attempts=(Attempt("vm1", "docs-1", 1, NOON),))
    assert restarts.plan(replace(world, tasks={"t1": task}), NOON).start is None
    elsewhere = replace(task, attempts=(*task.attempts, Attempt("vm2", "docs-1", 1, NOON)))
    assert restarts.plan(replace(world, tasks={"t1": elsewhere}), NOON).start is None
    later = replace(task, attempts=(Attempt("vm1", "docs-1", 7, NOON),))
    assert restarts.plan(replace(world, tasks={"t1": later}), NOON).start is not None


def test_each_start_within_the_time_doubles_the_pause() -> None:
    assert restarts.plan(known(restarted(ended(ago=21_000)), 30_000), NOON).start is not None
    assert restarts.plan(known(restarted(ended(ago=19_000)), 30_000), NOON).next_look == NOON + 1_000
    assert restarts.plan(known(restarted(ended(ago=39_000)), 60_000, 90_000), NOON).next_look == NOON + 1_000
    assert restarts.plan(known(restarted(ended(ago=11_000)), 11 * MINUTE, 12 * MINUTE), NOON).start is not None


def test_after_so_many_starts_it_is_given_up_visibly_until_a_person_begins_it_again() -> None:
    world = known(restarted(ended(ago=2 * MINUTE)), 3 * MINUTE, 4 * MINUTE, 5 * MINUTE)
    planned = restarts.plan(world, NOON)
    kept = planned.restarts["vm1/docs-1"]
    assert (planned.start, kept.gave_up) == (None, "it was started 3 times in 10m, and ended each time")
    world = reduce(world, events.QueueSeen(replace(world.queue, restarts=planned.restarts)))
    alarm = world.alarms["restarts of vm1/docs-1"]
    assert "is given up" in alarm.text
    assert agent_row(world, world.agents["vm1/docs-1"], NOON).line == "given up"
    assert "controlroom retry vm1/docs-1" in alarm.text
    notes = dict(explain(world, world.agents["vm1/docs-1"], NOON).notes)
    assert notes["restarts"].startswith("given up just now: it was started 3 times")
    assert restarts.plan(world, NOON + 60 * MINUTE).start is None, "it stays given up"
    by_hand = replace(world, agents={"vm1/docs-1": ended(epoch=2)})
    again = restarts.plan(by_hand, NOON)
    assert again.start is not None
    assert not again.restarts["vm1/docs-1"].gave_up
    over = reduce(by_hand, events.QueueSeen(replace(by_hand.queue, restarts=again.restarts)))
    assert "restarts of vm1/docs-1" not in over.alarms


def test_a_start_is_counted_before_it_is_ordered_and_one_that_was_refused_is_not() -> None:
    start = restarts.plan(restarted(ended()), NOON).start
    assert start is not None
    begun = restarts.begun(Restarts("vm1", 1), start, NOON)
    assert (begun.epoch, begun.starts, begun.starting) == (2, (NOON,), True)
    starting = replace(restarted(ended()), queue=replace(restarted().queue, restarts={"vm1/docs-1": begun}))
    assert restarts.plan(starting, NOON).start is None, "never twice"
    halted = Restarts("vm1", 1, halted=1)
    assert restarts.begun(halted, start, NOON).halted == 1, "should the engine end before it is ordered"
    refused = restarts.not_begun(halted, "no room", NOON)
    assert refused == replace(halted, not_before=NOON + restarts.REFUSED_PAUSE, refused="no room")
    crashed = replace(starting, queue=replace(starting.queue, restarts={"vm1/docs-1": restarts.arrived(begun)}))
    assert restarts.plan(crashed, NOON + MINUTE).start is not None, "an engine after that one goes on"


def test_what_a_limit_stopped_goes_on_in_its_session_after_it_where_the_profile_says_so() -> None:
    resets = NOON + 30 * MINUTE
    limited = ended(state=State.LIMITED, limited_until=resets, session="s")
    assert restarts.plan(restarted(limited), NOON + 60 * MINUTE).start is None
    rules = replace(RULES, restart=Restart.NEVER, after_limit=True)
    waiting = restarts.plan(restarted(limited, rules=rules), NOON)
    assert (waiting.start, waiting.next_look) == (None, resets)
    start = restarts.plan(restarted(limited, rules=rules), resets).start
    assert start is not None
    assert (start.why, start.how) == (Why.LIMITED, How.RESUME)
    unknown = restarted(replace(limited, limited_until=0), rules=rules)
    assert restarts.plan(unknown, NOON - 1).next_look == NOON, "a backoff after it ended"
    assert restarts.plan(known(unknown, 2 * MINUTE), NOON).next_look == NOON + MINUTE, "then two, and so on"
    assert restarts.plan(restarted(limited, rules=rules), resets, {"vm1/docs-1"}).start is None, "a person ended it"


def test_after_a_reboot_it_goes_on_in_its_session_at_once_where_the_profile_says_so() -> None:
    rebooted = ended(ago=0, cause=Cause.REBOOTED)
    start = restarts.plan(restarted(rebooted), NOON).start
    assert start is not None
    assert (start.why, start.how) == (Why.REBOOTED, How.RESUME)
    assert "its host was rebooted" in restarts.resume_words(start)
    waits = replace(RULES, restart=Restart.ALWAYS, after_reboot=False)
    assert restarts.plan(restarted(rebooted, rules=waits), NOON).start is None
    command = replace(rebooted, kind=AgentKind.COMMAND, session="")
    assert restarts.plan(restarted(command), NOON).start.how is How.RETRY  # type: ignore[union-attr]


def test_a_host_that_is_only_away_is_no_reboot() -> None:
    away = replace(restarted(agent("docs-1", profile="docs")), hosts={"vm1": host(link=LinkState.LOST)})
    assert restarts.plan(away, NOON).start is None


def test_a_person_may_want_an_agent_to_go_on_once_there_is_room_whatever_its_profile_says() -> None:
    alone = replace(ended(), profile="", ordered=replace(ended().ordered, profile=""))  # type: ignore[type-var]
    world = replace(restarted(alone), profiles={})
    wish = {"vm1/docs-1": Restarts("vm1", 1, asked=1)}
    asked = replace(world, queue=replace(world.queue, restarts=wish))
    start = restarts.plan(asked, NOON).start
    assert start is not None
    assert (start.why, start.how) == (Why.ASKED, How.RESUME)
    begun = restarts.begun(wish["vm1/docs-1"], start, NOON)
    assert begun == Restarts("vm1", 2, asked=1, starting=True)
    assert restarts.arrived(begun) == Restarts("vm1", 2)
    assert restarts.plan(world, NOON).start is None


def test_it_keeps_to_all_that_tasks_keep_to() -> None:
    world = restarted(ended())
    halted = replace(world, queue=replace(world.queue, halt=Halt("ann", NOON)))
    held = replace(world, queue=replace(world.queue, hold=Hold("ann", NOON)))
    full = replace(world, queue=replace(world.queue, rules=QueueRules(max_agents=0)))
    small = replace(world, hosts={"vm1": host(free=GIB // 4)})
    reasons = [restarts.plan(each, NOON).restarts["vm1/docs-1"].wait for each in (halted, held, full, small)]
    assert [wait and wait.reason for wait in reasons] == [
        WaitReason.HALTED,
        WaitReason.QUEUE_HELD,
        WaitReason.FLEET_FULL,
        WaitReason.NO_HOST,
    ]


def test_one_starts_at_a_time_the_more_important_first() -> None:
    world = restarted(ended("docs-1"), ended("docs-2"))
    urgent = Profile("urgent", priority=5, restarts=RULES)
    other = agent("now", state=State.FAILED, profile="urgent", ended=NOON - MINUTE, since=NOON - MINUTE)
    world = replace(world, agents={**world.agents, other.id: other}, profiles={**world.profiles, "urgent": urgent})
    planned = restarts.plan(world, NOON)
    assert planned.start is not None
    assert planned.start.name == "now"
    waits = {key: kept.wait.reason for key, kept in planned.restarts.items() if kept.wait}
    assert waits == {"vm1/docs-1": WaitReason.BEHIND, "vm1/docs-2": WaitReason.BEHIND}


KEEP = RestartRules(starts=3, within=10 * MINUTE, pause=10_000, keep=2)


def test_a_profile_keeps_so_many_running_on_the_hosts_that_it_names() -> None:
    world = replace(restarted(rules=replace(KEEP, hosts=("vm2",))), hosts={name: host(name) for name in ("vm1", "vm2")})
    start = restarts.plan(world, NOON).start
    assert start is not None
    assert (start.name, start.host, start.epoch, start.how) == ("docs-1", "vm2", 0, How.SPAWN)
    one = replace(world, agents={"vm2/docs-1": agent("docs-1", on="vm2", profile="docs")})
    assert restarts.plan(one, NOON).start.name == "docs-2"  # type: ignore[union-attr]
    both = replace(one, agents={**one.agents, "vm1/docs-2": agent("docs-2", profile="docs")})
    assert restarts.plan(both, NOON).start is None


def test_lowering_the_number_ends_none() -> None:
    world = restarted(agent("docs-1", profile="docs"), agent("docs-2", profile="docs"), rules=replace(KEEP, keep=1))
    assert restarts.plan(world, NOON).start is None
    assert restarts.plan(world, NOON).restarts == {}


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_one_that_is_kept_runs_again_however_it_ended_unless_a_person_ended_it(state: State) -> None:
    world = restarted(ended("docs-1", state), agent("docs-2", profile="docs"), rules=KEEP)
    start = restarts.plan(world, NOON).start
    assert start is not None
    assert (start.name, start.host, start.epoch, start.how) == ("docs-1", "vm1", 1, How.SPAWN)
    assert restarts.plan(world, NOON, {"vm1/docs-1"}).start is None


def test_one_that_is_kept_runs_elsewhere_only_when_it_has_ended_for_certain() -> None:
    hosts = {"vm1": host(link=LinkState.LOST), "vm2": host("vm2")}
    lost = replace(restarted(agent("docs-1", profile="docs"), rules=replace(KEEP, keep=1)), hosts=hosts)
    assert restarts.plan(lost, NOON).start is None, "it may live there"
    over = replace(restarted(ended("docs-1"), rules=replace(KEEP, keep=1)), hosts=hosts)
    start = restarts.plan(over, NOON).start
    assert start is not None
    assert (start.host, start.epoch) == ("vm2", 0)


def test_what_a_host_claims_to_have_run_decides_nothing_about_what_is_kept() -> None:
    hosts = {name: host(name) for name in ("vm1", "vm2")}
    for ordered in (None, Work(AgentKind.HEADLESS, "another")):
        claimed = replace(ended("docs-1"), host="vm2", started=NOON, ordered=ordered)
        world = replace(restarted(claimed, rules=replace(KEEP, keep=1, hosts=("vm1",))), hosts=hosts)
        start = restarts.plan(world, NOON).start
        assert start is not None
        assert (start.profile, start.host, start.epoch, start.how) == ("docs", "vm1", 0, How.SPAWN)


def test_one_at_work_under_a_kept_name_that_nobody_ordered_does_not_stand_for_the_kept_one() -> None:
    stranger = agent("docs-1", "vm1", profile="docs", ordered=None)
    rules = replace(KEEP, keep=1)
    both = replace(restarted(stranger, rules=rules), hosts={name: host(name) for name in ("vm1", "vm2")})
    start = restarts.plan(both, NOON).start
    assert start is not None
    assert (start.host, start.epoch, start.how) == ("vm2", 0, How.SPAWN)
    for world in (restarted(stranger, rules=rules), restarted(stranger, rules=replace(rules, hosts=("vm1",)))):
        planned = restarts.plan(world, NOON)
        wait = planned.restarts["docs-1"].wait
        assert planned.start is None
        assert wait is not None
        assert words_of(wait, NOON).startswith("on vm1 an agent is at work as docs-1 that nobody ordered")


def test_the_pause_counts_from_the_last_start_whenever_its_host_says_that_it_ended() -> None:
    assert restarts.plan(known(restarted(ended(ago=60 * MINUTE)), 5_000), NOON).next_look == NOON + 15_000


def test_one_that_is_kept_is_given_up_too() -> None:
    world = restarted(ended("docs-1", ago=3 * MINUTE), rules=replace(KEEP, keep=1))
    kept = Restarts("vm1", 1, tuple(NOON - number * MINUTE for number in (5, 6, 7)))
    world = replace(world, queue=replace(world.queue, restarts={"docs-1": kept}))
    planned = restarts.plan(world, NOON)
    assert planned.start is None
    assert planned.restarts["docs-1"].gave_up
    seen = reduce(world, events.QueueSeen(replace(world.queue, restarts=planned.restarts)))
    assert "controlroom retry vm1/docs-1" in seen.alarms["restarts of docs-1"].text


def test_what_is_on_its_way_is_not_started_again() -> None:
    pending = replace(ended(), pending=order("reassign"))
    assert restarts.plan(restarted(pending), NOON).start is None


def test_a_start_on_its_way_takes_a_place() -> None:
    world = restarted(ended(), ended("docs-2"))
    rules = QueueRules(stagger=0, max_agents=1)
    begun = {"vm1/docs-1": Restarts("vm1", 2, (NOON,), starting=True)}
    planned = restarts.plan(replace(world, queue=Queue(rules=rules, restarts=begun)), NOON)
    assert planned.start is None
    assert planned.restarts["vm1/docs-2"].wait.reason is WaitReason.FLEET_FULL  # type: ignore[union-attr]


def test_restarts_move_with_the_clock() -> None:
    world = known(restarted(ended()), 30_000)
    moved = reduce(world, events.ClockSet(-MINUTE)).queue.restarts["vm1/docs-1"]
    assert moved.starts == (NOON - 30_000 - MINUTE,)


def test_a_reboot_is_told_of_until_all_that_it_ended_go_on_by_itself_or_by_one_command() -> None:
    rebooted = replace(ended(cause=Cause.REBOOTED), profile="", ordered=Work(AgentKind.HEADLESS))
    alive = replace(rebooted, state=State.WORKING, ended=0, cause=Cause.NONE)
    world = reduce(fleet(alive), events.AgentsObserved("vm1", (rebooted,), NOON, complete=True))
    assert "controlroom resume host:vm1 cause:rebooted" in world.alarms["reboot of vm1"].text
    assert fits(rebooted, agent_row(world, rebooted, NOON), "host:vm1 cause:rebooted")
    again = replace(alive, epoch=2)
    over = reduce(world, events.AgentsObserved("vm1", (again,), NOON, complete=True))
    assert "reboot of vm1" not in over.alarms
    gone = reduce(world, events.HostRemoved("vm1"))
    assert "reboot of vm1" not in gone.alarms
    tries = Attempt("vm1", rebooted.name, 1, NOON), Attempt("vm2", rebooted.name, 1, NOON)
    carried = replace(fleet(alive), tasks={"t1": Task(1, "x", TaskState.RUNNING, NOON, NOON, attempts=tries)})
    carried = reduce(carried, events.AgentsObserved("vm1", (rebooted,), NOON, complete=True))
    assert "reboot of vm1" not in carried.alarms, "its task has gone on on another host"
    by_itself = restarted(agent("docs-1", profile="docs"))
    seen = events.AgentsObserved("vm1", (ended(cause=Cause.REBOOTED),), NOON, complete=True)
    assert reduce(by_itself, seen).alarms == {}


def test_several_that_are_to_go_on_do_so_one_after_the_other() -> None:
    world = fleet(*(ended(name, cause=Cause.REBOOTED) for name in ("a", "b")))
    todo = plan(world, ["vm1/a", "vm1/b"], "resume")
    assert [target.intent for target in todo.targets] == [
        intents.ResumeAgent(f"vm1/{name}", 1, paced=True) for name in ("a", "b")
    ]
    assert summed(todo, [Result(Outcome.DONE)] * 2) == "2 to go on, one after the other"
    assert plan(world, ["vm1/a"], "resume").targets[0].intent == intents.ResumeAgent("vm1/a", 1)


@pytest.mark.parametrize(("cause", "again"), [(Cause.QUIET, True), (Cause.OVER_LIMIT, False)])
def test_what_its_runner_ended_for_trouble_begins_again_only_where_the_profile_says_restart(
    cause: Cause, again: bool
) -> None:
    rules = RestartRules(Restart.ALWAYS, after_trouble=("quiet",))
    planned = restarts.plan(restarted(ended(cause=cause), rules=rules), NOON)
    assert (planned.start is not None) == again


def test_trouble_is_told_of_while_it_lasts() -> None:
    sick = agent("docs-1", trouble="nothing was heard of it for 10 min")
    world = reduce(fleet(agent("docs-1")), events.AgentsObserved("vm1", (sick,), NOON))
    assert world.alarms["trouble vm1/docs-1"].text.startswith("vm1/docs-1: nothing was heard of it for 10 min")
    assert dict(explain(world, world.agents["vm1/docs-1"], NOON).notes)["trouble"] == sick.trouble
    assert agent_row(world, world.agents["vm1/docs-1"], NOON).line == sick.trouble
    well = reduce(world, events.AgentsObserved("vm1", (agent("docs-1"),), NOON))
    assert well.alarms == {}
    over = replace(sick, state=State.FAILED, ended=NOON, pid=None)
    assert reduce(world, events.AgentsObserved("vm1", (over,), NOON)).alarms == {}


def test_those_that_a_limit_stopped_wake_one_first_and_then_as_many_as_have_proved_themselves() -> None:
    rules = replace(RULES, restart=Restart.NEVER, after_limit=True)
    reset, later = NOON + 5 * MINUTE, NOON + 6 * MINUTE
    stopped = [ended(f"a{n}", State.LIMITED, limited_until=reset, session=f"s{n}") for n in range(4)]
    world = restarted(*stopped, rules=rules)
    assert restarts.plan(world, reset - 1).start is None
    first = restarts.plan(world, reset).start
    assert first is not None
    woken = agent("a0", "vm1", State.WORKING, epoch=2, profile="docs", session="s0", since=reset, started=reset)
    one_up = replace(world, agents={**world.agents, woken.id: woken})
    assert restarts.plan(one_up, reset + 5_000).start is None, "it has not proved itself"
    assert restarts.plan(one_up, later).start is not None
