"""How well work flows: what counts, what is left out, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controlroom.domain.display.tasks import flow_lines
from controlroom.domain.figures import Durations, Hour, at_work, figures, happened
from controlroom.domain.history import Metric
from controlroom.domain.model import Fleet, LinkState, State
from controlroom.domain.money.costs import CostRow
from controlroom.domain.queue import attempts
from controlroom.domain.tasks import Attempt, AttemptEnd, QueueRules, Task, TaskState
from controlroom.text.states import Payer
from tests.domain.worlds import MINUTE, NOON, agent, host

HOUR = 60 * MINUTE


def task(number: int, state: TaskState = TaskState.WAITING, since: int = NOON, **more: Any) -> Task:
    return replace(Task(number, f"task {number}", state, since, since), **more)


def fleet(*tasks: Task) -> Fleet:
    return Fleet("room-1", tasks={one.id: one for one in tasks})


def test_the_age_of_the_queue_is_that_of_what_may_start() -> None:
    waiting = [task(1, since=NOON - 9 * MINUTE), task(2, since=NOON - 3 * MINUTE), task(3, since=NOON - MINUTE)]
    later = task(4, since=NOON - HOUR, not_before=NOON + HOUR)
    shown = figures(fleet(*waiting, later), NOON, Hour(), (), {}, NOON - HOUR)
    assert (shown.waiting, shown.oldest_wait, shown.median_wait) == (4, 9 * MINUTE, 3 * MINUTE)


def test_what_nobody_has_seen_is_not_known() -> None:
    shown = figures(fleet(), NOON, Hour(), (), {}, NOON - HOUR)
    unknown = (shown.oldest_wait, shown.done, shown.agents_peak, shown.answer_median, shown.rate_limited)
    assert unknown == (None,) * 5
    assert (shown.task_cost, shown.agent_hour_billed, shown.busy_percent) == (None, None, None)


def test_a_task_costs_what_its_attempts_cost_and_those_without_a_reading_are_left_out() -> None:
    spent = [Attempt("vm1", f"a{micro}", 1, NOON, NOON, AttemptEnd.DONE, spent=micro) for micro in (300, 500)]
    done = [task(1, TaskState.DONE, attempts=tuple(spent)), task(2, TaskState.DONE, attempts=(spent[0],))]
    unread = task(3, TaskState.DONE, attempts=(replace(spent[0], spent=None),))
    yesterday = task(4, TaskState.DONE, since=NOON - 2 * HOUR, attempts=(spent[0],))
    shown = figures(fleet(*done, unread, yesterday), NOON, Hour(), (), {}, NOON - HOUR)
    assert (shown.task_cost, shown.tasks_costed) == (550, 2)


def test_what_keys_pay_and_what_plans_cover_are_never_summed() -> None:
    rows = (CostRow("docs", Payer.API, micro=6_000), CostRow("docs", Payer.PLAN, micro=2_000))
    shown = figures(fleet(), NOON, Hour(), rows, {"docs": 2 * HOUR}, NOON - HOUR)
    assert (shown.agent_hour_billed, shown.agent_hour_covered) == (3_000, 1_000)


def test_agents_of_others_and_of_hosts_that_are_away_do_not_count() -> None:
    away = replace(host("vm2"), link=LinkState.LOST)
    there = [
        agent("a"),
        agent("b", state=State.WAITING),
        agent("c", state=State.DONE, ended=NOON),
        agent("d", "vm2"),
    ]
    room = Fleet("room-1", {"vm1": host("vm1"), "vm2": away}, {one.id: one for one in there})
    assert at_work(room) == (2, 1)


def test_an_attempt_begins_once_and_a_task_is_done_once() -> None:
    rules = QueueRules(max_attempts=1)
    waiting = task(1)
    begun = attempts.begun(waiting, "vm1", "a", 1, NOON)
    assert list(happened(waiting, begun)) == [Metric.BEGUN]
    closed = replace(begun.attempts[0], end=AttemptEnd.DONE, ended=NOON)
    done = replace(begun, state=TaskState.DONE, attempts=(closed,))
    assert list(happened(begun, done)) == [Metric.DONE]
    assert list(happened(waiting, done)) == [Metric.BEGUN, Metric.DONE]
    assert list(happened(done, replace(done, attempts=(replace(closed, spent=7),)))) == []
    assert list(happened(waiting, attempts.not_begun(begun, "no", rules, NOON))) == []


def test_a_task_that_is_done_again_and_again_is_done_each_time() -> None:
    first = Attempt("vm1", "a", 1, NOON, NOON, AttemptEnd.DONE)
    before = task(1, every="1h", attempts=(first,), counted_from=1)
    again = replace(before, attempts=(first, replace(first, at=NOON + HOUR)), counted_from=2)
    assert list(happened(before, again)) == [Metric.BEGUN, Metric.DONE]
    failed = replace(again, attempts=(first, replace(again.attempts[1], end=AttemptEnd.FAILED)))
    assert list(happened(before, failed)) == [Metric.BEGUN, Metric.FAILED]


@pytest.mark.parametrize("count", [1, 7, 1_000])
def test_percentiles_are_right_to_a_twentieth(count: int) -> None:
    durations = Durations()
    took = [100 + 37 * number for number in range(count)]
    for each in took:
        durations.add(each)
    for percent in (50, 95):
        exact = took[-(-count * percent // 100) - 1]
        assert exact <= (durations.percentile(percent) or 0) + 1 <= exact * 1.051 + 2


def test_what_was_counted_can_be_counted_otherwise() -> None:
    durations = Durations()
    durations.add(50_000)
    durations.add(50_000, -1)
    assert (len(durations), durations.percentile(50)) == (0, None)
    durations.add(0)
    durations.add(10**15)
    assert durations.percentile(95) == pytest.approx(HOUR, rel=0.05)


def test_less_than_an_hour_is_not_made_an_hour_in_words() -> None:
    young = Hour(watched=31_000, means={Metric.DONE: 6 * HOUR / 31_000, Metric.RATE_LIMITED: 0.0})
    assert flow_lines(figures(fleet(), NOON, young, (), {}, NOON))[1] == "6 tasks done in 1m · none waits"
    whole = Hour(watched=HOUR, means={Metric.DONE: 6.5})
    assert flow_lines(figures(fleet(), NOON, whole, (), {}, NOON))[1] == "6.5 tasks done an hour · none waits"
