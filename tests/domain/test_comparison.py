"""What real use would cost in other ways, against cases worked out by hand and rules that always hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.cli.records import answer
from controlroom.domain.calculators.comparison import (
    AccountUse,
    Comparison,
    PaymentOption,
    Terms,
    cached,
    compare,
)
from controlroom.domain.calculators.use import DAY, Alike, Use, Week
from controlroom.metering.usage import Usage
from controlroom.text.states import Payer
from tests.domain.offers import MICRO, MTOK, NOON, OFFERS, SHEET

DOLLAR = MICRO


def alike(model: str, usage: Usage, billing: str = "api", over: int = 0, **how: bool) -> Alike:
    """A group that was booked at today's prices."""
    price = SHEET.find(model, NOON) or SHEET.dearest(NOON)
    kinds = {"fast": False, "us": False, "batch": False, **how}
    kinds.pop("unpriced", None)
    pico = SHEET.total(price, usage, long=over >= price.long_over > 0, **kinds)
    return Alike(model, Payer(billing), 1, usage, pico, over, **how)


def use(*groups: Alike, days: float = 30, asked: int = 30, peaks: dict[str, int] | None = None, **rates: float) -> Use:
    return Use(NOON - round(days * DAY), NOON, asked, groups, peaks or {}, rates)


def only(found: Comparison) -> AccountUse:
    (part,) = found.parts
    return part


def ways(part: AccountUse) -> dict[str, PaymentOption]:
    return {way.key: way for way in part.ways}


def months(found: Comparison) -> dict[str, int]:
    return {key: way.month for key, way in ways(only(found)).items()}


TWELVE_AND_SIX = alike("claude-sonnet-5-5", Usage(12_000 * MTOK, 6_000 * MTOK))


def test_twelve_billion_in_and_six_out_on_sonnet() -> None:
    found = months(compare(use(TWELVE_AND_SIX), SHEET, OFFERS, Terms(hit_rate=0.0)))
    assert found["list"] == 84_000 * DOLLAR
    assert found["batch"] == 42_000 * DOLLAR
    assert found["cheaper"] == found["most:claude-haiku-5-5"] == 4_200 * DOLLAR
    assert found["cache"] == 84_000 * DOLLAR
    some = months(compare(use(TWELVE_AND_SIX), SHEET, OFFERS, Terms(can_wait=0.25)))
    assert some["batch"] == 73_500 * DOLLAR
    assert "most:claude-sonnet-5-5" not in found
    assert found["plan:max"] == 100 * DOLLAR
    assert found["plan:team"] == 125 * DOLLAR
    assert found["plan:enterprise"] == 84_020 * DOLLAR


def test_all_kinds_of_tokens_and_searches_on_opus() -> None:
    usage = Usage(300_000, 10_000, 40_000, 60_000, 600_000, 3)
    found = compare(use(alike("claude-opus-5-5", usage)), SHEET, OFFERS, Terms())
    assert months(found)["list"] == 2_230_000, "$1.20 + 0.20 + 0.20 + 0.48 + 0.12 + 0.03"
    assert months(found)["batch"] == 1_130_000, "all but the searches at half the price"


def test_better_caching_moves_tokens_to_reads_and_keeps_their_number() -> None:
    usage = Usage(300_000, 10_000, 40_000, 60_000, 600_000)
    better = cached(usage, 0.9)
    assert (better.prompt, better.cache_read, better.output) == (1_000_000, 900_000, 10_000)
    assert (better.cache_write_5m, better.cache_write_1h, better.input) == (10_000, 15_000, 75_000)
    assert cached(usage, 0.5) == usage, "never with less than there was"
    found = compare(use(alike("claude-opus-5-5", usage)), SHEET, OFFERS, Terms(hit_rate=0.9))
    assert months(found)["cache"] == 850_000, "$0.30 + 0.20 + 0.05 + 0.12 + 0.18"


def test_the_better_hit_rate_is_the_best_profiles_own_where_there_is_one() -> None:
    usage = Usage(400_000, 0, 0, 0, 600_000)
    group = alike("claude-opus-5-5", usage)
    own = compare(use(group, docs=0.8, api=0.3), SHEET, OFFERS, Terms())
    assert ways(only(own))["cache"].note == "cache hits from 60 % to 80 %"
    assert any("80 %, as your profile docs has it" in sentence for sentence in own.said)
    common = compare(use(group, api=0.3), SHEET, OFFERS, Terms())
    assert ways(only(common))["cache"].note == "cache hits from 60 % to 90 %"
    assert any("90 %, which is common" in sentence for sentence in common.said)
    full = ways(only(compare(use(alike("claude-opus-5-5", Usage(5, cache_read=95))), SHEET, OFFERS, Terms())))
    assert (full["cache"].note, full["cache"].month) == ("cache hits are at 95 % already", full["list"].month)


def test_each_model_gives_way_to_the_next_cheaper_one() -> None:
    million = Usage(MTOK, MTOK)
    groups = [alike(f"claude-{name}", million) for name in ("opus-5-5", "sonnet-5-5", "haiku-5-5")]
    found = compare(use(*groups), SHEET, OFFERS, Terms())
    assert months(found)["list"] == (24_000 + 12_000 + 600) * DOLLAR // 1000
    assert months(found)["cheaper"] == (12_000 + 600 + 600) * DOLLAR // 1000
    assert months(found)["most:claude-sonnet-5-5"] == (12_000 + 12_000 + 600) * DOLLAR // 1000
    assert months(found)["most:claude-haiku-5-5"] == 1_800_000
    assert ways(only(found))["cheaper"].note == "opus-5-5 → sonnet-5-5, sonnet-5-5 → haiku-5-5"


def test_long_prompts_pay_the_long_price_of_the_model_that_they_are_given_to() -> None:
    short, long = alike("claude-sonnet-5-5", Usage(MTOK)), alike("claude-sonnet-5-5", Usage(MTOK), over=100_000)
    found = months(compare(use(short, long), SHEET, OFFERS, Terms()))
    assert (found["list"], found["most:claude-haiku-5-5"]) == (4 * DOLLAR, 600_000)


def test_fast_mode_is_paid_where_it_was_used_and_nowhere_else() -> None:
    found = compare(use(alike("claude-opus-5-5", Usage(MTOK), fast=True)), SHEET, OFFERS, Terms())
    assert (months(found)["list"], months(found)["batch"]) == (8 * DOLLAR, 2 * DOLLAR)
    assert months(found)["most:claude-sonnet-5-5"] == 2 * DOLLAR
    assert any("normal speed" in sentence for sentence in found.said)


def test_less_than_was_asked_is_scaled_and_said() -> None:
    group = alike("claude-sonnet-5-5", Usage(7 * MTOK))
    found = compare(use(group, days=7), SHEET, OFFERS, Terms())
    assert (only(found).spent, only(found).month) == (14 * DOLLAR, 60 * DOLLAR)
    assert found.said[0] == "7 days measured of the 30 asked for; a month is 30 days at this rate"
    hour = compare(use(group, days=1 / 24), SHEET, OFFERS, Terms())
    assert only(hour).month == 30 * 14 * DOLLAR
    assert hour.said[0].startswith("less than a day measured, taken as a whole day")


def test_what_keys_pay_and_what_plans_cover_never_meet() -> None:
    api, plan = (
        alike("claude-sonnet-5-5", Usage(number * MTOK), billing) for number, billing in ((1, "api"), (5, "plan"))
    )
    found = compare(use(api, plan, alike("claude-sonnet-5-5", Usage(MTOK), "")), SHEET, OFFERS, Terms())
    assert [(part.billing, part.month) for part in found.parts] == [
        ("api", 2 * DOLLAR),
        ("plan", 10 * DOLLAR),
        ("", 2 * DOLLAR),
    ]
    assert answer("plan", found)["parts"][1]["month_usd"] == "10.000000"


def test_committed_throughput_by_mean_and_peak() -> None:
    """432 M tokens in a month are 10,000 a minute; a unit of 8,000 at $2 an hour is $1,440 a month."""
    group = alike("claude-sonnet-5-5", Usage(432 * MTOK, 0, 0, 0, 999 * MTOK))
    terms = Terms(committed=2 * DOLLAR, tokens_per_minute=8_000)
    part = only(compare(use(group, peaks={"api": 30_000}), SHEET, OFFERS, terms))
    assert (part.mean, part.peak) == (10_000, 30_000)
    assert part.month == 963_900_000, "$864 of input and $99.90 of cache reads"
    mean, peak = ways(part)["committed:mean"], ways(part)["committed:peak"]
    assert (mean.month, mean.holds, mean.name) == (2 * 1440 * DOLLAR, None, "committed, mean: 2 units")
    assert (peak.month, peak.holds, peak.name) == (4 * 1440 * DOLLAR, True, "committed, peak: 4 units")
    assert mean.note == "a unit pays from 187% use on; here 62 %"
    assert "committed" not in " ".join(ways(only(compare(use(group), SHEET, OFFERS, Terms()))))


def test_a_plan_says_from_where_on_it_pays() -> None:
    part = only(compare(use(alike("claude-sonnet-5-5", Usage(21 * MTOK))), SHEET, OFFERS, Terms()))
    assert ways(part)["plan:pro"].note == "pays from $20.00 of use on; yours is $42.00; $17.00 paid yearly"
    assert part.cheapest().key == "plan:pro"
    assert part.cheapest(sure=True).key == "list"


def test_what_an_own_plan_holds_is_worked_out_of_its_week() -> None:
    group = alike("claude-sonnet-5-5", Usage(MTOK), "plan")
    weeks = (Week("ann", 40, 28 * DOLLAR), Week("bob", 4, 28 * DOLLAR), Week("cid", 50, 0))
    found = compare(replace(use(group), weeks=weeks), SHEET, OFFERS, Terms()).said
    assert (
        "ann: 40 % of its week is used, with ≈$28.00 of it metered here: a week of it holds about ≈$70.00, "
        "a month ≈$300.00; more if others use it, too"
    ) in found
    assert [sentence[:3] for sentence in found if "too little of it" in sentence] == ["bob", "cid"]
    assert not any("no reading of what one holds" in sentence for sentence in found), "there is one"
    little = compare(replace(use(group), weeks=weeks[1:]), SHEET, OFFERS, Terms()).said
    assert any("no reading of what one holds" in sentence for sentence in little)


def test_a_plan_of_ones_own_carried_what_it_covered() -> None:
    groups = [alike("claude-sonnet-5-5", Usage(150 * MTOK), billing) for billing in ("plan", "api")]
    mine = replace(use(*groups), own_plan="max", logins=2)
    keys, plans = compare(mine, SHEET, OFFERS, Terms()).parts
    own = ways(plans)["plan:max"]
    assert (own.name, own.month, own.holds) == ("Max × 2", 200 * DOLLAR, True)
    assert own.note == "yours, it carried this; pays from $200.00 of use on; yours is ≈$300.00"
    assert plans.cheapest(sure=True).key == "plan:max"
    assert (ways(keys)["plan:max"].month, ways(keys)["plan:max"].holds) == (100 * DOLLAR, None)
    full = replace(mine, weeks=(Week("ann", 100, DOLLAR),))
    own = ways(compare(full, SHEET, OFFERS, Terms()).parts[1])["plan:max"]
    assert own.holds is None
    assert own.note.startswith("yours, used up by ann; pays from")


def test_what_has_no_price_or_no_tokens_is_kept_and_said() -> None:
    novel = alike("novel-9", Usage(MTOK), unpriced=True)
    hidden = Alike("unattributed", Payer.API, 1, Usage(), 3 * DOLLAR * MICRO)
    found = compare(use(novel, hidden), SHEET, OFFERS, Terms())
    assert months(found)["list"] == 11 * DOLLAR
    assert any("no price for novel-9" in sentence for sentence in found.said)
    assert any(sentence.startswith("$3.00 came without tokens") for sentence in found.said)
    assert ways(only(found))["cheaper"].note == "novel-9 → opus-5-5", "what came without tokens is of no model"


def test_moved_prices_are_said() -> None:
    dear = Alike("claude-sonnet-5-5", Payer.API, 1, Usage(MTOK), 3 * DOLLAR * MICRO)
    found = compare(use(dear), SHEET, OFFERS, Terms())
    assert (only(found).spent, only(found).month) == (3 * DOLLAR, 2 * DOLLAR)
    assert any("booked as $3.00 is $2.00 at today's" in sentence for sentence in found.said)
    covered = compare(use(replace(dear, billing=Payer.PLAN)), SHEET, OFFERS, Terms())
    assert any("booked as ≈$3.00 is ≈$2.00 at today's" in sentence for sentence in covered.said)


def test_models_that_count_fewer_tokens_are_named() -> None:
    old = Alike("claude-opus-4-6-20260205", Payer.API, 1, Usage(MTOK), 5 * DOLLAR * MICRO)
    offers = replace(OFFERS, terse=("claude-opus-4-6", "claude-sonnet-4-6"))
    said = compare(use(old), SHEET, offers, Terms()).said
    assert "cheaper models: about 30 % more tokens than said where claude-opus-4-6 gives way to a later one" in said
    assert not any("30 %" in sentence for sentence in compare(use(TWELVE_AND_SIX), SHEET, offers, Terms()).said)


def test_nothing_used_is_nothing_compared() -> None:
    assert compare(use(), SHEET, OFFERS, Terms()) == Comparison(30, 30.0)


tokens = st.integers(0, 10**8)
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens, st.integers(0, 100))
models = st.sampled_from(["claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "novel-9"])
groups = st.builds(alike, models, usages, st.sampled_from(["api", "plan", ""]), st.sampled_from([0, 100_000]))
uses = st.lists(groups, min_size=1, max_size=6)
offered = st.builds(Terms, st.floats(0, 1), st.none() | st.floats(0, 1), st.integers(0, 10**9), st.integers(0, 10**6))


@given(uses, offered, st.floats(0.01, 400))
def test_rules_that_hold_for_any_use(groups: list[Alike], terms: Terms, days: float) -> None:
    for part in compare(use(*groups, days=days), SHEET, OFFERS, terms).parts:
        paid = [way for way in part.ways if way.kind == "pay"]
        assert part.cheapest().month == min(way.month for way in paid)
        assert part.cheapest(sure=True).month <= ways(part)["list"].month == part.month
        assert all(way.month <= part.month for way in part.ways if way.kind == "change")
        assert part.month / 2 - 2 <= ways(part)["batch"].month
        assert [way.month for way in paid] == sorted(way.month for way in paid)
        assert part.peak >= part.mean


@given(usages, st.floats(0, 1))
def test_caching_never_loses_a_token(usage: Usage, rate: float) -> None:
    better = cached(usage, rate)
    assert (better.prompt, better.output, better.web_searches) == (usage.prompt, usage.output, usage.web_searches)
    assert min(better) >= 0
    assert better.cache_read >= usage.cache_read


@given(groups, st.integers(1, 300))
def test_twice_the_time_at_the_same_rate_is_the_same_month(group: Alike, days: int) -> None:
    twice = Alike(**{**vars(group), "usage": Usage._make(2 * part for part in group.usage), "pico": 2 * group.pico})
    once, longer = (
        only(compare(use(one, days=span), SHEET, OFFERS, Terms())).month
        for one, span in ((group, days), (twice, 2 * days))
    )
    assert once == pytest.approx(longer, abs=2)
