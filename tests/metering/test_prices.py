"""Prices: exact sums, the rules of the pricing page, and models nobody has a price for."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.metering.prices import DOLLAR, Cost, Factors, Price, Rates, Sheet, micro
from controlroom.metering.usage import Message, Usage

MTOK = DOLLAR // 1_000_000
"""Pico-dollars a token of a price of one dollar per million."""

OPUS = Price("claude-opus-5-5", Rates(4 * MTOK, 20 * MTOK, 5 * MTOK, 8 * MTOK, MTOK // 5))
HAIKU = Price(
    "claude-haiku-5-5",
    Rates(MTOK // 10, MTOK // 2, MTOK // 8, MTOK // 5, MTOK // 100),
    long_over=100_000,
    long=Rates(MTOK // 2, 5 * MTOK // 2, 5 * MTOK // 8, MTOK, MTOK // 20),
)
FABLE = Price("claude-fable-5-2", Rates(8 * MTOK, 40 * MTOK, 10 * MTOK, 16 * MTOK, MTOK // 5))
SHEET = Sheet([OPUS, HAIKU, FABLE], aliases={"opus": "claude-opus-5-5"})


def message(
    model: str, *counts: int, at: int = 1, fast: bool = False, us: bool = False, batch: bool = False
) -> Message:
    return Message("m", "r", at, model, Usage(*counts), fast, us, batch)


def dollars(cost: Cost) -> Fraction:
    return Fraction(cost.pico, DOLLAR)


def test_each_kind_of_token_has_its_price() -> None:
    worked = message("claude-opus-5-5", 300_000, 10_000, 40_000, 60_000, 600_000, 3)
    assert dollars(SHEET.cost(worked)) == Fraction("2.23")


def test_the_cli_of_claude_counts_the_same() -> None:
    """Claude Code 2.1.330, observed: 3 in, 20 out and 12,227 written to the short cache are $0.061547."""
    assert micro(SHEET.cost(message("claude-opus-5-5", 3, 20, 12_227)).pico) == 61_547


def test_a_long_prompt_pays_more_for_every_token() -> None:
    assert dollars(SHEET.cost(message("claude-haiku-5-5", 100_000, 1000))) == Fraction("0.0105")
    assert dollars(SHEET.cost(message("claude-haiku-5-5", 100_001, 1000))) == Fraction("0.0525005")
    assert SHEET.cost(message("claude-haiku-5-5", 0, 0, 0, 0, 100_001)).pico == 100_001 * (MTOK // 20)


@pytest.mark.parametrize(
    ("how", "factor"),
    [
        ({"batch": True}, "0.5"),
        ({"fast": True}, "2"),
        ({"us": True}, "1.1"),
        ({"us": True, "fast": True}, "2.2"),
        ({"us": True, "batch": True}, "0.55"),
        ({"fast": True, "batch": True}, "0.5"),
    ],
)
def test_batch_fast_and_geography_multiply(how: dict[str, bool], factor: str) -> None:
    plain = SHEET.cost(message("claude-opus-5-5", 1000, 10, 7, 3, 99))
    assert dollars(SHEET.cost(message("claude-opus-5-5", 1000, 10, 7, 3, 99, **how))) == dollars(plain) * Fraction(
        factor
    )


def test_searches_are_paid_by_the_piece_whatever_the_speed() -> None:
    assert dollars(SHEET.cost(message("claude-opus-5-5", 0, 0, 0, 0, 0, 7, fast=True))) == Fraction("0.07")


def test_a_discount_holds_for_everything() -> None:
    sheet = Sheet([OPUS], factors=Factors(discount=850))
    assert dollars(sheet.cost(message("claude-opus-5-5", 1000, 0, 0, 0, 0, 1))) == Fraction("0.85") * Fraction("0.014")


def test_a_model_without_a_price_costs_the_dearest_and_is_flagged() -> None:
    assert SHEET.cost(message("claude-novel-9", 10, 10)) == Cost(
        SHEET.cost(message("claude-fable-5-2", 10, 10)).pico, False
    )
    assert SHEET.cost(message("", 0, 1)).pico == 40 * MTOK


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-5-5",
        "claude-opus-5-5[1m]",
        "claude-opus-5-5-20260901",
        "claude-opus-5-5@20260901",
        "claude-opus-5-5-latest",
        "Claude-Opus-5-5",
        "anthropic/claude-opus-5-5",
        "us.anthropic.claude-opus-5-5-20260901-v1:0",
        "opus",
    ],
)
def test_a_model_is_known_by_all_its_names(name: str) -> None:
    found = SHEET.find(name, 1)
    assert found is not None
    assert found.model == "claude-opus-5-5"


def test_a_price_holds_from_its_day_on() -> None:
    later = Price("claude-opus-5-5", Rates(1, 1, 1, 1, 1), since=1000)
    sheet = Sheet([later, OPUS._replace(since=500)])
    assert sheet.cost(message("claude-opus-5-5", 1, at=999)).pico == 4 * MTOK
    assert sheet.cost(message("claude-opus-5-5", 1, at=1000)).pico == 1
    assert sheet.cost(message("claude-opus-5-5", 1, at=3)).pico == 4 * MTOK


def test_a_sheet_without_prices_is_none() -> None:
    with pytest.raises(ValueError, match="without prices"):
        Sheet([])


counts = st.lists(st.integers(0, 10**7), min_size=6, max_size=6)


@given(st.lists(counts, max_size=20), st.randoms())
def test_a_sum_does_not_depend_on_its_order(all_counts: list[list[int]], random: object) -> None:
    costs = [SHEET.cost(message("claude-haiku-5-5", *some, us=True)).pico for some in all_counts]
    assert sum(costs) == sum(reversed(costs))
    assert all(cost >= 0 for cost in costs)


@given(st.integers(0, 10**18))
def test_micro_dollars_are_rounded_half_up(pico: int) -> None:
    assert abs(micro(pico) * 1_000_000 - pico) <= 500_000
