"""Whom the API turns away waits, on all hosts at once; one tries again, and once it gets through the rest follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.model import Agent, Fleet, Profile, State
from controlroom.domain.queue import attempts, backoff, dispatch
from controlroom.domain.queue.backoff import LONGEST_CLAIM, LONGEST_PROBE, PROVEN
from controlroom.domain.tasks import Attempt, AttemptEnd, QueueRules, Task, TaskState
from controlroom.domain.waits import WaitReason
from controlroom.text.states import Cause
from tests.domain.worlds import GIB, MINUTE, NOON, agent, fleet, host, task, with_tasks

BACKOFF = QueueRules().backoff
FLEET_WIDE = (
    AttemptEnd.LIMITED,
    AttemptEnd.OVERLOADED,
    AttemptEnd.ACCOUNT,
    AttemptEnd.SPEND_CAP,
    AttemptEnd.ORGANISATION,
)


def tried(number: int, end: AttemptEnd, ago: int = MINUTE // 2, on: str = "vm1", **changes: object) -> Task:
    """A task whose attempt ended so, a while ago."""
    attempt = Attempt(on, f"a-t{number}", 1, NOON - ago - MINUTE, NOON - ago, end, **changes)  # type: ignore[arg-type]
    state = TaskState.DONE if end is AttemptEnd.DONE else TaskState.WAITING
    return task(number, state=state, attempts=(attempt,), not_before=NOON + 60 * MINUTE)


def at_work(number: int, since: int, on: str = "vm2", state: State = State.WORKING) -> tuple[Task, Agent]:
    attempt = Attempt(on, f"a-t{number}", 1, NOON - since)
    row = agent(attempt.agent, on=on, state=state, since=NOON - since, started=NOON - since)
    return task(number, state=TaskState.RUNNING, attempts=(attempt,)), row


def world(*tasks: Task, rows: tuple[Agent, ...] = ()) -> Fleet:
    hosts = host("vm1", free=3 * GIB), host("vm2", free=3 * GIB)
    return with_tasks(fleet(*rows, hosts=hosts), *tasks, max_agents=50)


@pytest.mark.parametrize("end", FLEET_WIDE)
def test_a_failure_on_one_host_holds_the_credential_on_all_of_them_until_one_has_tried(end: AttemptEnd) -> None:
    held = world(tried(1, end), task(2), task(3))
    wait = dispatch.plan(held, NOON).waits["t2"]
    assert (wait.reason, wait.until) == (backoff.REASONS[end], NOON - MINUTE // 2 + BACKOFF)
    after = NOON + BACKOFF
    probing = dispatch.plan(held, after).start
    assert probing is not None
    probe, row = replace(probing.task, state=TaskState.RUNNING), Attempt("vm2", "a", 1, after)
    on_its_way = replace(held, tasks={**held.tasks, probe.id: replace(probe, attempts=(row,))})
    assert dispatch.plan(on_its_way, after).waits["t3"].reason is backoff.REASONS[end]


def test_once_one_is_at_work_the_others_follow_a_few_at_a_time() -> None:
    probe, row = at_work(2, PROVEN + 1_000)
    through = world(tried(1, AttemptEnd.LIMITED), probe, task(8), rows=(row,))
    assert dispatch.plan(through, NOON).start
    young = [at_work(number, 1_000) for number in (3, 4)]
    ramping = world(tried(1, AttemptEnd.LIMITED), probe, *(one for one, _ in young), task(8), rows=(row, young[0][1]))
    assert dispatch.plan(ramping, NOON).waits["t8"].reason is WaitReason.PACED


def test_a_try_that_is_paused_or_shows_nothing_keeps_the_others_waiting_for_a_while_only() -> None:
    def waits(since: int, state: State = State.STARTING, **changes: object) -> bool:
        probe, row = at_work(2, since, state=state)
        probe = replace(probe, attempts=(replace(probe.attempts[0], **changes),))  # type: ignore[arg-type]
        away = tried(1, AttemptEnd.ACCOUNT, ago=60 * MINUTE)
        return dispatch.plan(world(away, probe, task(8), rows=(row,)), NOON).start is None

    assert waits(5 * MINUTE)
    assert not waits(5 * MINUTE, paused=True)
    assert not waits(LONGEST_PROBE)
    assert not waits(5 * MINUTE, state=State.PAUSED), "by a budget"


def test_each_failed_try_doubles_the_wait_and_those_that_failed_together_count_once() -> None:
    together = [tried(number, AttemptEnd.OVERLOADED, ago=number * 1_000) for number in range(1, 6)]
    assert dispatch.plan(world(*together, task(9)), NOON).waits["t9"].until == NOON - 1_000 + BACKOFF
    again = [tried(1, AttemptEnd.OVERLOADED, ago=5 * MINUTE), tried(2, AttemptEnd.OVERLOADED, ago=1_000)]
    assert dispatch.plan(world(*again, task(9)), NOON).waits["t9"].until == NOON - 1_000 + 2 * BACKOFF


def test_a_limit_of_one_model_leaves_the_others_alone_and_an_account_does_not() -> None:
    opus = replace(tried(1, AttemptEnd.LIMITED), model="opus")
    assert dispatch.plan(world(opus, task(2, model="haiku")), NOON).start
    broke = replace(tried(1, AttemptEnd.ACCOUNT), model="opus")
    assert dispatch.plan(world(broke, task(2, model="haiku")), NOON).waits["t2"].reason is WaitReason.ACCOUNT


def test_what_a_host_says_of_a_limits_end_is_obeyed_by_its_task_and_for_a_while_by_others() -> None:
    days = NOON + 6 * 24 * 60 * MINUTE
    held = world(tried(1, AttemptEnd.LIMITED, until=days), task(2))
    assert dispatch.plan(held, NOON).waits["t2"].until == NOON - MINUTE // 2 + LONGEST_CLAIM
    row = agent("a-t1", state=State.LIMITED, ended=NOON - 1_000, limited_until=days, cause=Cause.NONE)
    running = task(1, state=TaskState.RUNNING, attempts=(Attempt("vm1", "a-t1", 1, NOON - MINUTE),))
    settled = attempts.settled(running, world(running, rows=(row,)), NOON)
    assert (settled.not_before, settled.attempts[-1].until) == (days, days)


def test_a_login_of_a_host_is_its_own_and_a_key_is_everybodys() -> None:
    failed = replace(tried(1, AttemptEnd.LOGIN), profile="p")
    own = replace(world(failed, task(2, profile="p")), profiles={"p": Profile("p", credential="plan")})
    start = dispatch.plan(own, NOON).start
    assert start is not None
    assert start.host == "vm2"
    folder = replace(own, profiles={"p": Profile("p", credential="the login of p")})
    assert dispatch.plan(folder, NOON).start, "each host has a login in a folder for itself, too"
    key = replace(own, profiles={"p": Profile("p", credential="the key of p")})
    assert dispatch.plan(key, NOON).waits["t2"].reason is WaitReason.LOGIN


def test_an_agent_that_waits_out_a_limit_keeps_new_ones_from_starting() -> None:
    limited = agent("b", on="vm2", state=State.LIMITED, since=NOON - MINUTE, model="")
    assert dispatch.plan(world(task(2), rows=(limited,)), NOON).waits["t2"].reason is WaitReason.LIMITED
    long_ago = replace(limited, since=NOON - 60 * MINUTE)
    assert dispatch.plan(world(task(2), rows=(long_ago,)), NOON).start


def test_one_alarm_names_an_account_that_lets_nobody_in_and_ends_when_one_gets_in() -> None:
    broke = [tried(number, AttemptEnd.ACCOUNT, reason="Credit balance is too low") for number in range(1, 9)]
    raised = backoff.alarms(world(*broke), NOON)
    assert len(raised) == 1
    (words,) = (alarm.text for alarm in raised.values())
    assert words.startswith("the hosts' own logins: the API lets nobody in (Credit balance is too low): its tasks wait")
    probe, row = at_work(9, PROVEN + 1_000)
    assert backoff.alarms(world(*broke, probe, rows=(row,)), NOON) == {}
    assert backoff.alarms(world(tried(1, AttemptEnd.LIMITED)), NOON) == {}


@pytest.mark.parametrize(
    ("end", "says"), [(AttemptEnd.SPEND_CAP, "the spend cap of its"), (AttemptEnd.ORGANISATION, "its organisation is")]
)
def test_the_alarm_of_a_spend_cap_and_of_an_organisation_says_what_to_do(end: AttemptEnd, says: str) -> None:
    (alarm,) = backoff.alarms(world(*(tried(number, end) for number in (1, 2))), NOON).values()
    assert alarm.text.startswith(f"the hosts' own logins: {says}")
    probe, row = at_work(9, PROVEN + 1_000)
    assert backoff.alarms(world(tried(1, end), probe, rows=(row,)), NOON) == {}


@pytest.mark.parametrize(
    ("cause", "end"),
    [
        (Cause.OVERLOADED, AttemptEnd.OVERLOADED),
        (Cause.ACCOUNT, AttemptEnd.ACCOUNT),
        (Cause.SPEND_CAP, AttemptEnd.SPEND_CAP),
        (Cause.ORGANISATION, AttemptEnd.ORGANISATION),
    ],
)
def test_what_the_api_does_is_no_fault_of_the_tasks(cause: Cause, end: AttemptEnd) -> None:
    row = agent("a-t1", state=State.FAILED, ended=NOON - 1_000, cause=cause)
    running = task(1, state=TaskState.RUNNING, attempts=(Attempt("vm1", "a-t1", 1, NOON - MINUTE),))
    settled = attempts.settled(running, world(running, rows=(row,)), NOON)
    assert (settled.state, settled.failures, settled.attempts[-1].end) == (TaskState.WAITING, 0, end)
    assert settled.goes_on_from is not None, "it goes on where it was"


def test_a_host_that_refuses_for_days_fills_no_record() -> None:
    waiting = task(1, counted_from=1, attempts=(Attempt("vm1", "a", 1, NOON, NOON, AttemptEnd.FAILED),))
    rules = with_tasks(fleet()).queue.rules
    for _ in range(100):
        waiting = attempts.not_begun(attempts.begun(waiting, "vm1", "a", 2, NOON), "no tmux", rules, NOON)
    assert len(waiting.attempts) == 1 + attempts.REFUSALS
    assert (waiting.counted_from, waiting.failures) == (1, 0)
    assert waiting.not_before == NOON + attempts.LONGEST_RETRY
