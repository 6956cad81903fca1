"""What a fleet would need, against cases worked out by hand and rules that always hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.cli.records import Wished, answer
from controlroom.domain.calculators.estimate import (
    Case,
    Estimate,
    EstimateInputs,
    Memory,
    TierFit,
    Wish,
    estimate,
)
from controlroom.domain.calculators.offers import Machine, Market, cheapest, housings
from controlroom.domain.calculators.use import Requests
from controlroom.domain.limits.buckets import Ceilings, Tier
from tests.domain.offers import MICRO, MTOK, NOON, OFFERS, SHEET

GIB = 1024**3
MARKET = Market(
    (
        Machine("Cloud", "small", 2, 4 * GIB, 10 * MICRO, "EUR"),
        Machine("Cloud", "big", 8, 16 * GIB, 35 * MICRO, "EUR"),
        Machine("Other", "tiny", 1, GIB, MICRO),
        Machine("Other", "huge", 32, 64 * GIB, 500 * MICRO),
    ),
    GIB,
    ("Cloud: prices of some day",),
)
HALF = Memory(GIB // 2, "said")
USUAL = Requests("claude-sonnet-5-5", (10_000, 50_000, 100_000), (100, 500, 1000), 0.9, source="assumed")


KNOWN = EstimateInputs(SHEET, OFFERS, MARKET, HALF)


def asked(wish: Wish, usual: Requests = USUAL, yours: tuple[Tier, Ceilings | None] | None = None) -> Estimate:
    return estimate(wish, usual, replace(KNOWN, yours=yours), NOON)


def case(found: Estimate, name: str) -> Case:
    return next(one for one in found.cases if one.name == name)


def tier(found: Estimate, key: str) -> TierFit:
    return next(one for one in found.tiers if one.key == key)


def test_a_fleet_worked_out_by_hand() -> None:
    """10 agents x 60 requests an hour x 8 hours x 30 days are 144,000; each reads 45k, writes 5k, answers 500."""
    found = asked(Wish(10, 8, 60))
    assert (found.model, found.requests_a_minute, found.requests_a_month) == ("claude-sonnet-5-5", 10, 144_000)
    mid = case(found, "mid")
    assert (mid.prompt, mid.output, mid.input_a_minute, mid.output_a_minute) == (50_000, 500, 50_000, 5_000)
    assert mid.month == 144_000 * (4_500 + 12_500 + 5_000), "micro-dollars of reads, writes and answers"
    assert [one.month for one in found.cases] == [144_000 * each for each in (4_400, 22_000, 44_000)]
    assert found.mean is None


def test_twelve_billion_a_month_fit_the_lowest_ceilings_but_not_its_spend() -> None:
    """12 B in and 6 B out: 278k and 139k tokens a minute round the clock, $84,000."""
    wish = Wish(10, 24, 1_000, prompt=1_666, output=833, hit_rate=0.0)
    found = asked(wish, replace(USUAL, written_5m=0.0))
    high = case(found, "high")
    assert found.requests_a_month == 7_200_000
    assert high.input_a_minute == pytest.approx(278_000, rel=0.01)
    assert high.output_a_minute == pytest.approx(139_000, rel=0.01)
    assert high.month == pytest.approx(84_000 * MICRO, rel=0.001)
    start, scale = tier(found, "start"), tier(found, "scale")
    assert (start.holds, scale.holds) == (False, True)
    assert start.input is not None
    assert start.input == pytest.approx(0.139, rel=0.01)
    assert start.spend == pytest.approx(168, rel=0.001)
    assert scale.spend == pytest.approx(0.42, rel=0.001)


def test_what_is_said_takes_the_place_of_what_is_usual() -> None:
    found = asked(Wish(1, 1, 1, prompt=1_000, output=0, hit_rate=0.5))
    assert {(one.prompt, one.output, one.input_a_minute) for one in found.cases} == {(1_000, 0, 500 / 60)}
    assert any(sentence == "you said: prompts of 1000, answers of 0, cache hits of 50 %" for sentence in found.said)
    assert not any("assumed" in sentence for sentence in found.said)


def test_long_prompts_pay_the_long_price() -> None:
    short = asked(Wish(1, 1, 60, "claude-haiku-5-5", days=1, prompt=100_000, output=0, hit_rate=1.0))
    long = asked(Wish(1, 1, 60, "claude-haiku-5-5", days=1, prompt=100_001, output=0, hit_rate=1.0))
    assert case(short, "mid").month == 60_000
    assert case(long, "mid").month == pytest.approx(300_003, abs=1)


def test_ceilings_that_nobody_told_are_no_reading() -> None:
    found = asked(Wish(1, 1, 1, "claude-haiku-5-5"))
    start = tier(found, "start")
    assert (start.requests, start.input, start.output, start.holds) == (None, None, None, None)
    assert any("no reading of the tiers' ceilings for claude-haiku-5-5" in sentence for sentence in found.said)
    assert tier(asked(Wish(10_000, 24, 1, "claude-haiku-5-5")), "start").holds is False, "its spend is beyond"


def test_the_rooms_own_tier_comes_first() -> None:
    own = Tier("yours", "yours", 5000 * MICRO)
    tight = asked(Wish(10, 8, 60), yours=(own, Ceilings(20, 100_000, 20_000)))
    first = tight.tiers[0]
    assert (first.key, first.requests, first.input, first.output) == ("yours", 0.5, 1.0, 0.5)
    assert first.holds is False, "$6,336 are more than $5,000"
    assert asked(Wish(1, 8, 60), yours=(own, Ceilings(20, 100_000, 20_000))).tiers[0].holds
    assert asked(Wish(1, 8, 60), yours=(own, None)).tiers[0].holds is None
    assert [fit.key for fit in tight.tiers[1:]] == [fit.key for fit in asked(Wish(10, 8, 60)).tiers]


def test_measured_requests_bring_their_mean_and_say_how_many_they_are() -> None:
    measured = replace(USUAL, mean_prompt=80_000, mean_output=200, messages=321, source="measured: 321 requests")
    found = asked(Wish(1, 1, 60, days=1), measured)
    assert found.mean == 60 * (7_200 + 20_000 + 2_000)
    assert "requests: measured: 321 requests" in found.said
    assert found.said[0] == "model: claude-sonnet-5-5, the one used most; say another with --model"


def test_figures_of_another_model_are_said_to_be() -> None:
    found = asked(Wish(1, 1, 1, "claude-opus-5-5"))
    assert "requests: assumed (of claude-sonnet-5-5)" in found.said
    dear = asked(Wish(1, 1, 1, "novel-9"))
    assert "no price for novel-9: counted as the dearest (see prices.toml)" in dear.said
    assert case(dear, "mid").month == case(asked(Wish(1, 1, 1, "claude-fable-5-2")), "mid").month


def test_machines_by_memory_alone() -> None:
    found = {one.machine.name: (one.each, one.machines, one.month) for one in housings(MARKET, 10, GIB // 2)}
    assert found == {"small": (6, 2, 20 * MICRO), "big": (30, 1, 35 * MICRO), "huge": (126, 1, 500 * MICRO)}
    assert [one.machine.name for one in cheapest(housings(MARKET, 10, GIB // 2), 1)] == ["small", "huge"]
    assert [one.machine.name for one in cheapest(housings(MARKET, 30, GIB // 2), 1)] == ["big", "huge"]
    assert housings(MARKET, 1, 64 * GIB) == ()


def test_for_scripts_it_is_all_there() -> None:
    wish = Wish(10, 8, 60)
    table = answer("estimate", Wished(wish, asked(wish)))
    assert table["cases"][1]["month_usd"] == "3168.000000"
    assert table["tiers"][0]["requests_percent"] == 1
    assert table["machines"][0] == {
        "provider": "Cloud", "size": "small", "memory_bytes": 4 * GIB, "vcpus": 2, "agents_each": 6, "machines": 2,
        "month_price": "20.000000", "currency": "EUR", "as_of": None,
    }  # fmt: skip


counts = st.integers(1, 5_000)
wishes = st.builds(
    Wish,
    counts,
    st.floats(0.01, 24),
    st.floats(0.01, 10_000),
    st.sampled_from(["", "claude-opus-5-5", "claude-haiku-5-5", "novel-9"]),
    st.integers(1, 31),
    st.none() | st.integers(1, MTOK),
    st.none() | st.integers(0, MTOK),
    st.none() | st.floats(0, 1),
)


@given(wishes, counts)
def test_more_agents_never_cost_less(wish: Wish, more: int) -> None:
    one, other = asked(wish), asked(replace(wish, agents=wish.agents + more))
    for fewer, greater in zip(one.cases, other.cases, strict=True):
        assert fewer.month <= greater.month
        assert fewer.input_a_minute <= greater.input_a_minute
    cheapest_of = [min(found.housings, key=lambda each: each.month) for found in (one, other)]
    assert cheapest_of[0].month <= cheapest_of[1].month
    assert not (tier(one, "start").holds is False and tier(other, "start").holds)


@given(wishes)
def test_low_is_no_more_than_mid_and_mid_no_more_than_high(wish: Wish) -> None:
    months = [one.month for one in asked(wish).cases]
    assert months == sorted(months)


@given(wishes)
def test_a_machine_holds_what_it_is_said_to_hold(wish: Wish) -> None:
    for one in asked(wish).housings:
        assert one.each * HALF.bytes + MARKET.reserve <= one.machine.memory
        assert (one.machines - 1) * one.each < wish.agents <= one.machines * one.each
        assert one.month == one.machines * one.machine.month
