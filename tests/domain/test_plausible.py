"""What use can be true: whatever is honest passes as it is, and whatever is forged counts as far as time allows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from controlroom.domain.money.plausible import (
    A_MINUTE,
    AT_ONCE,
    LONGEST,
    MINUTE,
    MOST_ANSWER,
    MOST_PROMPT,
    Pace,
    most_reported,
)
from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import Usage

KEY = ("msg", "req")
COUNTS = some.integers(0, 10**13)
USAGES = some.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


def test_the_largest_message_that_a_model_can_give_passes() -> None:
    for usage in (Usage(MOST_PROMPT, 128_000), Usage(3, 128_000, cache_read=999_000), Usage(0, 0, 0, MOST_PROMPT)):
        assert Pace(0).take(KEY, usage, 0) == usage


def test_twenty_subagents_that_answer_for_an_hour_pass() -> None:
    pace = Pace(0)
    for second in range(0, 3600, 30):
        for number in range(20):
            usage = Usage(2_000, 4_000, 20_000, 0, 180_000)
            assert pace.take((f"{second}", f"{number}"), usage, second * 1000) == usage


def test_a_night_of_work_that_is_heard_all_at_once_passes() -> None:
    pace = Pace(0)
    for minute in range(600):
        usage = Usage(1_000, 100_000, 50_000, 0, 900_000)
        assert pace.take((f"{minute}", ""), usage, minute * MINUTE) == usage


def test_one_forged_line_counts_as_one_message() -> None:
    taken = Pace(0).take(KEY, Usage(10**12, 10**12, 10**12, 10**12, 10**12, 10**6), 0)
    assert (taken.prompt, taken.output, taken.web_searches) == (MOST_PROMPT, MOST_ANSWER, 200)


def test_a_window_full_of_answers_in_a_second_is_more_than_can_be() -> None:
    pace = Pace(0)
    said = [pace.take((f"{number}", ""), Usage(0, 128_000), 1_000) for number in range(1_000)]
    assert sum(usage.output for usage in said) <= AT_ONCE.answer + A_MINUTE.answer


@given(some.lists(some.tuples(USAGES, some.integers(0, 3 * LONGEST)), max_size=30))
def test_nothing_is_added_and_no_sum_is_beyond_what_time_allows(messages: list[tuple[Usage, int]]) -> None:
    pace, last = Pace(0), 0
    taken = []
    for number, (usage, at) in enumerate(messages):
        taken.append(pace.take((f"{number}", ""), usage, at))
        last = max(last, at)
        assert all(0 <= kept <= claimed for kept, claimed in zip(taken[-1], usage, strict=True))
    passed = last / MINUTE
    assert sum(usage.output for usage in taken) <= AT_ONCE.answer + A_MINUTE.answer * passed
    assert sum(usage.prompt - usage.cache_read for usage in taken) <= AT_ONCE.fresh + A_MINUTE.fresh * passed


@given(USAGES)
def test_what_is_cut_down_once_can_be_true(usage: Usage) -> None:
    once = Pace(0).take(KEY, usage, 0)
    assert Pace(0).take(KEY, once, 0) == once


def test_a_message_that_is_told_of_many_times_counts_once() -> None:
    pace = Pace(0)
    for output in (1, 1_000, 900_000, *[900_000] * 1_000, 1):
        assert pace.take(KEY, Usage(500_000, output), 0) == Usage(500_000, output)
    assert pace.take(("other", ""), Usage(0, 900_000), 0) == Usage(0, 900_000)


def test_what_claude_reports_goes_with_its_messages_and_with_time() -> None:
    assert most_reported(0, 0) == 20 * DOLLAR
    assert most_reported(10 * DOLLAR, 10 * MINUTE) == 70 * DOLLAR
    assert most_reported(0, -5) == 20 * DOLLAR
    assert most_reported(0, 10**15) == most_reported(0, LONGEST)
