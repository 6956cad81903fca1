"""What is told to somebody who is not looking: once, in time, never a flood, and only while it is so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import changes
from controlroom.domain.adoption import Adoption
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.model import Fleet, LinkState, State
from controlroom.domain.news import (
    GATHER,
    LOST_FOR,
    NEVER,
    News,
    NewsKind,
    NotificationQueue,
    Wish,
    happened,
    still,
    told,
)
from controlroom.domain.tasks import Task, TaskState
from controlroom.text.states import Cause
from tests.domain.worlds import MINUTE, NOON, agent, fleet, host, order, question

ALL = frozenset(NewsKind)
BEGAN = NOON - 60 * MINUTE


def between(old: Fleet, new: Fleet, began: int = BEGAN) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in happened(old, new, changes.between(old, new), NOON, began)]


def test_a_question_is_news_once() -> None:
    calm, asking = fleet(agent()), fleet(agent(state=State.WAITING, question=question()))
    assert between(calm, asking) == [("question", "vm1/docs-1 wants to run: git push")]
    assert between(asking, fleet(replace(asking.agents["vm1/docs-1"], detail="still"))) == []
    assert between(asking, fleet(agent(state=State.WAITING, question=question("rm", "q2")))) == [
        ("question", "vm1/docs-1 wants to run: rm")
    ]


@pytest.mark.parametrize(
    ("state", "detail", "said"),
    [
        (State.FAILED, "exit 1", [("failed", "vm1/docs-1 failed: exit 1")]),
        (State.DONE, "", [("done", "vm1/docs-1 done")]),
        (State.DONE, "killed: a claim of its host", [("done", "vm1/docs-1 done: killed: a claim of its host")]),
        (State.FAILED, "killed by SIGSEGV", [("failed", "vm1/docs-1 failed: killed by SIGSEGV")]),
        (State.PAUSED, "budget: $8 of $8", [("paused", "vm1/docs-1 paused: budget: $8 of $8")]),
        (State.LIMITED, "5 h", [("limited", "vm1/docs-1 limited: 5 h")]),
        (State.IDLE, "", []),
    ],
)
def test_what_became_of_an_agent(state: State, detail: str, said: list[tuple[str, str]]) -> None:
    assert between(fleet(agent()), fleet(agent(state=state, detail=detail))) == said


def test_what_its_limits_have_ended_is_news_though_others_started_it() -> None:
    theirs = agent(kind="adopted", adoption=Adoption("api-1", "b1.7.5"), pending=order("kill"))
    over = replace(theirs, state=State.FAILED, detail="ended by a signal", cause=Cause.OVER_LIMIT, pending=None)
    assert between(fleet(theirs), fleet(over)) == [("failed", "vm1/docs-1 failed: ended by a signal")]
    for other in (replace(over, cause=Cause.NONE), replace(over, adoption=None)):
        assert between(fleet(theirs), fleet(other)) == []


def test_what_an_order_has_ended_is_no_news_whatever_is_said_of_it() -> None:
    for verb in ("kill", "move"):
        ending = fleet(agent(pending=order(verb, op=7)))
        assert between(ending, fleet(agent(state=State.DONE, detail="gone"))) == []
    for ended in (agent(state=State.DONE, exit_signal=15), agent(state=State.DONE, exit_code=143)):
        assert between(fleet(agent()), fleet(ended)) == []
    assert between(fleet(agent()), fleet(agent(state=State.DONE, exit_code=0))) == [("done", "vm1/docs-1 done")]


def test_a_task_that_has_used_up_its_attempts_is_news_until_it_is_tried_again() -> None:
    waiting = Task(3, "write a test", TaskState.WAITING, NOON, NOON)
    failed = replace(waiting, state=TaskState.FAILED, reason="it failed 3 times; the last time: exit 1")
    before, after = Fleet(tasks={"t3": waiting}), Fleet(tasks={"t3": failed})
    words = "task t3 failed (write a test): it failed 3 times; the last time: exit 1"
    assert between(before, after) == [("task", words)]
    assert between(after, Fleet(tasks={"t3": replace(failed, priority=3)})) == []
    (news,) = happened(before, after, changes.between(before, after), NOON, BEGAN)
    assert still(after, news)
    assert not still(before, news)


def test_what_was_so_before_anybody_looked_is_no_news() -> None:
    old = fleet(agent(state=State.FAILED, question=question()))
    assert between(Fleet(hosts=old.hosts), old, began=NOON) == []
    assert len(between(Fleet(hosts=old.hosts), old, began=BEGAN)) == 2


def test_a_host_that_is_back_in_time_was_never_away() -> None:
    here, away = fleet(hosts=(host(),)), fleet(hosts=(host(link=LinkState.LOST, since=NOON, reason="no answer"),))
    (news,) = happened(here, away, changes.between(here, away), NOON, BEGAN)
    assert (news.kind, news.text, news.at) == ("host", "vm1 lost: no answer", NOON + LOST_FOR)
    assert still(away, news)
    assert not still(here, news)


def test_alarms_of_budgets_are_a_kind_of_their_own() -> None:
    calm = fleet()
    loud = replace(
        calm,
        alarms={
            "budget day": Alarm("the day is at 80 %", kind=AlarmKind.BUDGET),
            "ledger": Alarm("full", AlarmLevel.DANGER),
        },
    )
    assert between(calm, loud) == [("budget", "the day is at 80 %"), ("alarm", "full")]
    assert between(loud, loud) == []
    assert between(calm, replace(calm, alarms={"x": Alarm("by the way", AlarmLevel.NOTICE)})) == []


def test_one_piece_of_news_is_its_own_heading_and_many_are_counted() -> None:
    one = News(NewsKind.QUESTION, "a", "a asks: git push", NOON)
    assert told([one]) == ("a asks: git push", "")
    heading, body = told([one, replace(one, about="b"), News(NewsKind.FAILED, "c", "c failed", NOON)])
    assert heading == "2 ask, 1 failed"
    assert body.split("\n") == ["a asks: git push", "a asks: git push", "c failed"]
    _, long = told([replace(one, about=str(number)) for number in range(50)])
    assert long.split("\n")[-1] == "and 30 more"


# --------------------------------------------------------------------------- outlets


def item(about: str = "vm1/a", at: int = NOON, kind: NewsKind = NewsKind.QUESTION) -> News:
    return News(kind, about, f"{about} {kind}", at)


def minute(at: int) -> int:
    return at // MINUTE % 1440


def test_what_happens_together_is_one_message_and_the_next_one_waits() -> None:
    queue = NotificationQueue(Wish(ALL, pause=30_000), minute)
    assert queue.due_at(NOON) == NEVER
    queue.offer([item("a")])
    queue.offer([item("b", NOON + 1_500)])
    assert queue.take(NOON + GATHER - 1, lambda _: True) == []
    assert queue.take(NOON + GATHER + 1_500, lambda _: True) == [item("a"), item("b", NOON + 1_500)]
    queue.offer([item("c", NOON + 4_000)])
    assert queue.due_at(NOON + 5_000) == NOON + GATHER + 1_500 + 30_000


def test_what_is_no_longer_so_is_told_to_nobody_and_costs_no_pause() -> None:
    queue = NotificationQueue(Wish(ALL), minute)
    queue.offer([item("a")])
    assert queue.take(NOON + GATHER, lambda _: False) == []
    queue.offer([item("b", NOON + 3_000)])
    assert queue.due_at(NOON + 3_000) == NOON + 3_000 + GATHER


def test_only_what_it_is_for() -> None:
    queue = NotificationQueue(Wish(frozenset({NewsKind.FAILED})), minute)
    queue.offer([item(), item("b", kind=NewsKind.FAILED)])
    assert queue.take(NOON + GATHER, lambda _: True) == [item("b", kind=NewsKind.FAILED)]


@pytest.mark.parametrize("quiet", [(22 * 60, 7 * 60), (0, 7 * 60)])
def test_at_night_it_is_quiet_but_for_what_is_wanted(quiet: tuple[int, int]) -> None:
    three = NOON - NOON % (1440 * MINUTE) + 3 * 60 * MINUTE
    seven = three + 4 * 60 * MINUTE
    queue = NotificationQueue(Wish(ALL, 0, quiet, frozenset({NewsKind.BUDGET})), minute)
    queue.offer([item("a", three), item("day", three, NewsKind.BUDGET)])
    assert queue.take(three + GATHER, lambda _: True) == [item("day", three, NewsKind.BUDGET)]
    assert queue.take(seven - 1, lambda _: True) == []
    assert seven <= queue.due_at(three) <= seven + GATHER
    assert queue.take(seven + GATHER, lambda _: True) == [item("a", three)]


@given(
    st.lists(st.tuples(st.integers(0, 600_000), st.sampled_from("abc"), st.sampled_from(list(NewsKind))), max_size=60),
    st.integers(0, 60_000),
)
def test_never_a_flood_and_nothing_is_lost(happenings: list[tuple[int, str, NewsKind]], pause: int) -> None:
    queue, sent = NotificationQueue(Wish(ALL, pause), minute), []
    clock = NOON
    for at, about, kind in sorted(happenings):
        while queue.due_at(clock) <= NOON + at:
            clock = max(clock, queue.due_at(clock))
            sent.append((clock, queue.take(clock, lambda _: True)))
        clock = NOON + at
        queue.offer([item(about, clock, kind)])
    while queue.due_at(clock) != NEVER:
        clock = max(clock, queue.due_at(clock))
        sent.append((clock, queue.take(clock, lambda _: True)))
    times = [at for at, _ in sent]
    assert all(later - earlier >= pause for earlier, later in pairwise(times))
    assert {(news.kind, news.about) for _, items in sent for news in items} == {
        (kind, about) for _, about, kind in happenings
    }
    assert all(items for _, items in sent)
