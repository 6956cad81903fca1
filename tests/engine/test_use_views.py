"""What advice is worked out from, read out of a real ledger with real bookings."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.calculators.comparison import Terms, compare
from controlroom.domain.calculators.use import DAY, MINUTE, Alike, Use
from controlroom.engine.ledger.ledger import Ledger, check
from controlroom.engine.ledger.usage_tables import QUARTER, Booking, Source, book
from controlroom.engine.ledger.usage_views import ENOUGH, requests, use
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Report
from controlroom.text.states import Payer
from tests.domain.offers import NOON, OFFERS, SHEET

WORK = Source("vm1", "api-1", "work", "/project", "api")
DOCS = Source("vm2", "docs-1", "docs", "/docs", "plan")
LIMITS = (100_000,)


def message(
    number: int,
    usage: Usage,
    model: str = "claude-opus-5-5",
    ago: int = 0,
    *,
    fast: bool = False,
    us: bool = False,
    batch: bool = False,
) -> Booking:
    at = NOON - 1 - ago
    found = Message(f"msg_{number}", f"req_{number}", at, model, usage, fast=fast, us=us, batch=batch)
    return Booking(found, SHEET.cost(found), at)


def booked(ledger: Ledger, source: Source, *bookings: Booking) -> None:
    ledger.booked(book(source, bookings)).result(60)


def seen(ledger: Ledger, days: int = 30) -> Use:
    return use(ledger, days, NOON, LIMITS)


def test_messages_that_are_alike_are_summed_and_others_are_not(ledger: Ledger) -> None:
    booked(
        ledger,
        WORK,
        message(1, Usage(10, 1, 2, 3, 4, 5)),
        message(2, Usage(20, 1, 2, 3, 4, 0), ago=DAY),
        message(3, Usage(10, 1), fast=True, us=True),
        message(4, Usage(10, 1), batch=True),
        message(5, Usage(60_000, 1, 0, 0, 40_000)),
        message(6, Usage(60_000, 1, 0, 0, 40_001)),
        message(7, Usage(1, 1), "novel-9"),
    )
    booked(ledger, DOCS, message(8, Usage(10, 1)))
    found = {(one.model, one.billing, one.fast, one.us, one.batch, one.over): one for one in seen(ledger).groups}
    assert len(found) == 6
    plain = found["claude-opus-5-5", Payer.API, False, False, False, 0]
    assert (plain.messages, plain.usage) == (3, Usage(60_030, 3, 4, 6, 40_008, 5))
    assert found["claude-opus-5-5", Payer.API, False, False, False, 100_000].usage.cache_read == 40_001
    assert found["novel-9", Payer.API, False, False, False, 0].unpriced
    assert found["claude-opus-5-5", Payer.PLAN, False, False, False, 0].messages == 1
    assert found["claude-opus-5-5", Payer.API, True, True, False, 0].messages == 1


def test_other_limits_of_long_prompts_part_what_was_booked_before(ledger: Ledger) -> None:
    booked(ledger, WORK, *(message(n, Usage(n * 50_000, 1)) for n in range(1, 6)))
    for limits, found in (
        ((), {0: 5}),
        ((100_000,), {0: 2, 100_000: 3}),
        ((200_000, 100_000, 0), {0: 2, 100_000: 2, 200_000: 1}),
        ((10**20, 149_999), {0: 2, 149_999: 3}),
    ):
        for _ in range(2):
            assert {one.over: one.messages for one in use(ledger, 30, NOON, limits).groups} == found
        assert check(ledger) == []
    booked(ledger, WORK, message(9, Usage(149_999, 1)), message(10, Usage(150_000, 1)))
    assert {one.over: one.messages for one in use(ledger, 30, NOON, (149_999,)).groups} == {0: 3, 149_999: 4}


def test_whole_quarters_of_an_hour_count(ledger: Ledger) -> None:
    began = NOON - 5 * DAY
    booked(ledger, WORK, *(message(n, Usage(1, n), ago=NOON - 1 - began - at) for n, at in ((1, -1), (2, 0))))
    for later in (0, QUARTER - 1):
        (found,) = use(ledger, 5, NOON + later, LIMITS).groups
        assert (found.messages, found.usage.output) == (1, 2)
        assert use(ledger, 5, NOON + later, LIMITS).since == began
    assert use(ledger, 5, NOON + QUARTER, LIMITS).groups == ()


def test_sums_priced_anew_are_what_was_booked(ledger: Ledger) -> None:
    """Whatever the messages were: at unchanged prices the comparison's own price is the ledger's."""
    usages = [
        Usage(n * 7919 % 90_000, n * 13 % 5000, n * 17 % 900, n * 5 % 70, n * 7907 % 80_000, n % 3) for n in range(200)
    ]
    models = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "novel-9")
    each = [
        message(n, usage, models[n % 4], ago=n * 3_600_000, fast=n % 5 == 0, us=n % 7 == 0, batch=n % 11 == 0)
        for n, usage in enumerate(usages)
    ]
    booked(ledger, WORK, *each)
    (part,) = compare(seen(ledger), SHEET, OFFERS, Terms()).parts
    span = max(DAY, NOON - min(one.at for one in each) // MINUTE * MINUTE)
    assert part.spent == round(sum(one.cost.pico for one in each) / 1e6)
    assert part.month == pytest.approx(part.spent * 30 * DAY / span, abs=4)


def test_it_begins_with_the_first_use_unless_there_was_some_before(ledger: Ledger) -> None:
    booked(ledger, WORK, message(1, Usage(10, 1), ago=7 * DAY - 1))
    assert (seen(ledger).days, seen(ledger).asked_days) == (7, 30)
    assert seen(ledger, 5).groups == ()
    booked(ledger, WORK, message(2, Usage(10, 1), ago=50 * DAY))
    assert seen(ledger).days == 30
    assert [one.messages for one in seen(ledger).groups] == [1]
    assert [one.messages for one in seen(ledger, 60).groups] == [2]


def test_nothing_used_is_no_use(ledger: Ledger) -> None:
    assert seen(ledger) == Use(NOON - 30 * DAY, NOON, 30)
    assert requests(ledger, "", NOON) is None


def test_the_busiest_minute_counts_what_is_not_read_from_the_cache(ledger: Ledger) -> None:
    booked(ledger, WORK, *(message(n, Usage(100, 10, 5, 5, 9_999), ago=n * MINUTE // 3) for n in range(9)))
    booked(ledger, DOCS, message(99, Usage(7, 0)))
    assert seen(ledger).peaks == {"api": 3 * 120, "plan": 7}


def test_a_profile_needs_enough_messages_for_a_hit_rate(ledger: Ledger) -> None:
    booked(ledger, WORK, *(message(n, Usage(20, 1, 0, 0, 80)) for n in range(ENOUGH)))
    booked(ledger, DOCS, *(message(1000 + n, Usage(1, 1, 0, 0, 99)) for n in range(ENOUGH - 1)))
    assert seen(ledger).hit_rates == {"work": 0.8}
    booked(ledger, DOCS._replace(billing="api"), message(2000, Usage(1, 1, 0, 0, 99)))
    assert seen(ledger).hit_rates == {"work": 0.8, "docs": 0.99}, "whoever paid"


def test_how_large_requests_are_in_quartiles(ledger: Ledger) -> None:
    booked(ledger, WORK, *(message(n, Usage(n, 10 * n, n, 2 * n, 6 * n)) for n in range(1, 101)))
    booked(ledger, WORK, *(message(1000 + n, Usage(5, 5), "claude-haiku-5-5") for n in range(7)))
    found = requests(ledger, "", NOON)
    assert found is not None
    assert (found.model, found.messages) == ("claude-opus-5-5", 100)
    assert (found.prompts, found.outputs) == ((251, 503, 751), (251, 503, 751)), "250, 500 and 750 to their steps"
    assert (found.hit_rate, found.written_5m, found.written_1h) == (0.6, 0.25, 0.5)
    assert (found.mean_prompt, found.mean_output) == (505, 505)
    assert found.source == "measured: 100 requests of the last 30 days, sizes to about 3 %"
    haiku = requests(ledger, "claude-haiku-5-5", NOON)
    assert haiku is not None
    assert (haiku.prompts, haiku.hit_rate, haiku.messages) == ((5, 5, 5), 0.0, 7)
    assert requests(ledger, "claude-fable-5-2", NOON) is None


@given(st.lists(st.tuples(st.integers(1, 10**8), st.integers(0, 10**8)), min_size=1, max_size=40))
def test_sizes_are_off_by_three_per_cent_at_most(
    tmp_path_factory: pytest.TempPathFactory, sizes: Sequence[tuple[int, int]]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("sizes") / "ledger.db", "room-1")
    booked(ledger, WORK, *(message(n, Usage(0, output, cache_read=prompt)) for n, (prompt, output) in enumerate(sizes)))
    found = requests(ledger, "", NOON)
    ledger.close()
    assert found is not None
    for told, true in ((found.prompts, [size[0] for size in sizes]), (found.outputs, [size[1] for size in sizes])):
        exact = [sorted(true)[-(-len(true) * share // 4) - 1] for share in (1, 2, 3)]
        assert list(told) == [pytest.approx(value, rel=1 / 32) for value in exact]
    assert found.mean_prompt == pytest.approx(sum(size[0] for size in sizes) / len(sizes))
    assert found.mean_output == pytest.approx(sum(size[1] for size in sizes) / len(sizes))


def test_requests_of_whole_days_count_and_only_those_with_a_prompt(ledger: Ledger) -> None:
    day = NOON // DAY * DAY
    booked(ledger, WORK, message(1, Usage(5, 5), ago=NOON - day + 29 * DAY), message(2, Usage(7, 7)))
    booked(ledger, WORK, message(3, Usage(9, 9), ago=NOON - 1 - day + 30 * DAY), message(4, Usage(0, 1000)))
    found = requests(ledger, "", NOON, days=29)
    assert found is not None
    assert (found.prompts, found.messages) == ((7, 7, 7), 1)


def alike_of(ledger: Ledger, model: str) -> Alike:
    return next(one for one in seen(ledger).groups if one.model == model)


def test_a_line_that_comes_again_dearer_counts_once(ledger: Ledger) -> None:
    for output in (1, 400, 30):
        booked(ledger, WORK, message(1, Usage(10, output)))
    assert alike_of(ledger, "claude-opus-5-5").usage == Usage(10, 400)


def test_what_claude_reports_beyond_its_messages_is_part_of_it_and_no_message(ledger: Ledger) -> None:
    one = message(1, Usage(10, 1))
    run = one._replace(message=one.message._replace(run="a" * 15))
    ledger.booked(book(WORK, [run], [Report("a" * 15, 3 * one.cost.pico, one.at)])).result(60)
    plain, hidden = sorted(seen(ledger).groups, key=lambda each: each.model)
    assert (plain.messages, plain.pico) == (1, one.cost.pico)
    assert (hidden.model, hidden.messages, hidden.usage) == ("unattributed", 0, Usage())
    assert hidden.pico == 2 * one.cost.pico
    (part,) = compare(seen(ledger), SHEET, OFFERS, Terms()).parts
    assert part.month == pytest.approx(30 * 3 * one.cost.pico / 1e6, abs=1)
