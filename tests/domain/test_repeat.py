"""Tests of tasks that are done again and again: intervals, words, cron words, and the days that change the clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from controlroom.domain.display.tasks import repeat_words
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import dispatch, edits, repeat
from controlroom.domain.tasks import Attempt, AttemptEnd, TaskChange, TaskState, in_order
from controlroom.domain.waits import WaitReason
from tests.domain.worlds import MINUTE, NOON, fleet, task, with_tasks


@pytest.mark.parametrize(
    ("every", "then"),
    [
        ("30m", "2026-11-22T12:30"),
        ("1d", "2026-11-23T12:00"),
        ("hourly", "2026-11-22T13:00"),
        ("daily", "2026-11-23T00:00"),
        ("weekly", "2026-11-23T00:00"),
        ("monthly", "2026-12-01T00:00"),
        ("0 3 * * 1-5", "2026-11-23T03:00"),
        ("*/20 12 * * sun", "2026-11-22T12:20"),
        ("0 18 * * * Europe/Berlin", "2026-11-23T12:00"),
    ],
)
def test_a_task_that_is_done_again_waits_for_its_next_time(every: str, then: str) -> None:
    zone = ZoneInfo("America/New_York")
    noon = round(1000 * datetime.fromisoformat("2026-11-22T12:00").replace(tzinfo=zone).timestamp())
    ended = task(1, state=TaskState.DONE, every=every, attempts=(Attempt("vm1", "a", 1, NOON, NOON),) * 30)
    waits = repeat.again(ended, noon, zone)
    assert datetime.fromtimestamp(waits.not_before / 1000, zone).isoformat(timespec="minutes")[:16] == then
    assert (waits.state, len(waits.attempts), waits.failures) == (TaskState.WAITING, repeat.KEPT, 0)
    assert repeat.again(replace(ended, every=""), noon, zone).state is TaskState.DONE
    assert repeat.again(replace(ended, state=TaskState.HELD), noon, zone).state is TaskState.HELD


def test_how_often_is_said_in_words_that_are_known() -> None:
    assert repeat.problem("6h") == ""
    assert repeat.problem("0h").startswith("expected 30m, 6h, 1d, hourly")
    assert repeat.problem("* * * *").startswith("expected")


@pytest.mark.parametrize(
    ("every", "wrong"),
    [
        ("61 * * * *", "cron would say bad minute"),
        ("0 0 30 2 *", "cron would say bad day-of-month"),
        ("* * */20 * 1L", "never comes"),
        ("0 3 * * 1 Nowhere/Land", "no time zone"),
        ("0 3 * * 1 /etc/passwd", "no time zone"),
        ("0 3 * * 1 ../../etc/passwd", "no time zone"),
        (f"{'1' * 5000} * * * *", "at most 120 characters"),
        ("0 0 * * ²", "ASCII"),
        ("0\r3 * * *", "printable"),
        ("0 3\n* *\x1d*", "printable"),
        ("0 3 * * 1-5", ""),
        ("0 3 * jan-mar MON,WED UTC", ""),
    ],
)
def test_cron_words_that_mean_nothing_are_refused_with_what_is_wrong(every: str, wrong: str) -> None:
    assert wrong in repeat.problem(every)
    assert bool(wrong) is bool(repeat.problem(every))


HOUR = 60 * MINUTE
BERLIN = ZoneInfo("Europe/Berlin")


def moment(text: str, fold: int = 0) -> int:
    return round(1000 * datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp())


def coming(every: str, now: int, count: int = 3) -> list[str]:
    moments = repeat.coming(task(1, every=every, state=TaskState.RUNNING), now, BERLIN, count)
    return [datetime.fromtimestamp(at / 1000, BERLIN).isoformat(timespec="minutes")[5:] for at in moments]


def test_what_falls_into_the_hour_that_is_lost_is_done_right_after_it() -> None:
    then = ["03-29T03:00+02:00", "03-30T02:30+02:00", "03-31T02:30+02:00"]
    assert coming("30 2 * * *", moment("2026-03-28T12:00")) == then


def test_what_has_a_fixed_hour_is_done_once_in_the_night_that_has_it_twice() -> None:
    first = "10-25T02:30+02:00"
    assert coming("30 2 * * *", moment("2026-10-24T12:00"), 2) == [first, "10-26T02:30+01:00"]
    assert coming("30 2 * * *", moment("2026-10-25T02:30"), 1) == ["10-26T02:30+01:00"]
    assert coming("30 * * * *", moment("2026-10-25T02:30"), 2) == ["10-25T02:30+01:00", "10-25T03:30+01:00"]


@pytest.mark.parametrize("every", ["30 2 * * *", "*/7 * * * *", "0 3 * * 1-5", "hourly", "daily"])
def test_no_next_time_lies_before_now_on_the_days_that_change_the_clocks(every: str) -> None:
    for day in ("2026-03-29T00:00", "2026-10-25T00:00"):
        for minute in range(0, 300, 5):
            now = moment(day) + minute * MINUTE
            assert repeat.next_moment(every, now, BERLIN) > now


def test_a_task_by_cron_words_waits_for_its_first_time_and_then_for_the_next() -> None:
    waits = repeat.timed(task(1, every="0 3 * * 1-5 UTC"), NOON, BERLIN)
    assert waits.not_before == repeat.next_moment("0 3 * * 1-5 UTC", NOON, BERLIN) > NOON
    assert repeat.timed(task(1, every="6h"), NOON, BERLIN).not_before == 0
    done = replace(waits, state=TaskState.DONE, attempts=(Attempt("vm1", "a", 1, NOON, NOON, AttemptEnd.DONE),))
    again = repeat.again(done, NOON, BERLIN)
    plan = dispatch.plan(with_tasks(fleet(), again), NOON)
    assert plan.waits["t1"].reason is WaitReason.NOT_YET
    assert plan.next_look == again.not_before
    held = edits.held(again, "ann", NOON)
    assert edits.released(held, NOON).not_before == again.not_before


@pytest.mark.parametrize("every", ["0 3 * * *", "daily"])
def test_a_task_that_was_held_beyond_its_time_waits_for_the_next_one_when_it_is_released(every: str) -> None:
    missed = replace(task(1, every=every), not_before=moment("2026-11-30T03:00"))
    at_noon, next_time = moment("2026-11-30T12:00"), repeat.next_moment(every, moment("2026-11-30T12:00"), BERLIN)
    assert repeat.on_time(missed, at_noon, BERLIN).not_before == next_time
    killed = replace(missed, attempts=(Attempt("vm1", "a", 1, NOON, NOON, AttemptEnd.KILLED),))
    assert repeat.on_time(killed, at_noon, BERLIN) is killed, "its attempt goes on"
    assert repeat.on_time(replace(missed, every="6h"), at_noon, BERLIN).not_before < at_noon, "so long after its end"
    assert repeat.on_time(replace(missed, not_before=0), at_noon, BERLIN).not_before == 0, "it never began"


def test_a_task_whose_zone_this_machine_has_no_more_is_held_and_says_so() -> None:
    """It is not done by another clock; the zone was there when it was added."""
    lost = task(1, text="back up", state=TaskState.DONE, every="0 3 * * * Mars/Olympus")
    held = repeat.again(lost, NOON, BERLIN)
    zone = "'Mars/Olympus' is no time zone that this machine knows, like Europe/Berlin"
    assert (held.state, held.not_before) == (TaskState.HELD, 0)
    assert held.reason == f"when it is done again is not known: {zone}: controlroom task edit t1 --every …"
    assert repeat.coming(held, NOON, BERLIN) == []
    with pytest.raises(Refusal, match="t1 says when it is done again, but 'Mars/Olympus' is no time zone"):
        edits.released(held, NOON)
    mended = edits.edited(with_tasks(fleet(), held), held, TaskChange(every="0 3 * * * Europe/Berlin"))
    assert edits.released(mended, NOON).state is TaskState.WAITING


def test_what_comes_next_is_said_by_the_clock_that_the_words_mean() -> None:
    at_noon = moment("2026-11-30T12:00")
    by_cron = task(1, every="0 3 * * 1-5")
    assert repeat_words(by_cron, at_noon, BERLIN) == (
        "repeated: 0 3 * * 1-5 · next: Tue 2026-12-01 03:00, Wed 2026-12-02 03:00, Thu 2026-12-03 03:00"
    )
    elsewhere = repeat_words(task(1, every="0 22 * * * Asia/Tokyo"), at_noon, BERLIN)
    assert "next: Mon 2026-11-30 22:00," in elsewhere
    running = task(1, every="6h", state=TaskState.RUNNING)
    assert repeat_words(running, at_noon, BERLIN) == "repeated: 6h · next: 6h after it has ended"
    assert repeat_words(task(1, every="daily", not_before=moment("2026-12-01T00:00")), at_noon, BERLIN) == (
        "repeated: daily · next: Tue 2026-12-01 00:00, Wed 2026-12-02 00:00, Thu 2026-12-03 00:00"
    )


def test_one_that_is_done_again_and_again_grows_no_more_urgent_from_day_to_day() -> None:
    nightly = replace(task(1, every="daily", not_before=NOON - MINUTE), added=NOON - 21 * 24 * HOUR)
    long = replace(task(3), added=NOON - 2 * HOUR)
    world = with_tasks(fleet(), nightly, task(2, priority=1), long, aging=HOUR)
    assert [one.id for one in in_order(world.tasks.values(), world.queue, NOON)] == ["t3", "t2", "t1"]
    start = dispatch.plan(world, NOON).start
    assert start is not None
    assert start.task.id == "t3"
    once = replace(nightly, every="")
    assert in_order([once, long], world.queue, NOON)[0] is once
