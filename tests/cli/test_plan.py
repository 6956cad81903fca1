"""`controlroom plan` and `estimate` as people read them: on a phone, on a wide screen, in a pipe."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from controlroom.cli import output
from controlroom.cli.advice import show_estimate, show_plan
from controlroom.cli.arguments import estimate as estimate_arguments
from controlroom.cli.arguments import plan as plan_arguments
from controlroom.domain.calculators.comparison import Terms, compare
from controlroom.domain.calculators.estimate import EstimateInputs, Memory, Wish, estimate
from controlroom.domain.calculators.offers import Machine, Market
from controlroom.domain.calculators.use import Alike, Requests, Use
from controlroom.metering.usage import Usage
from controlroom.text.states import Payer
from tests.domain.offers import MICRO, NOON, OFFERS, SHEET

GIB = 1024**3
MARKET = Market((Machine("Cloud", "small", 2, 4 * GIB, 8_990_000, "EUR"),), 0, ("Cloud: prices of some day",))
USUAL = Requests("claude-sonnet-5-5", (10_000, 50_000, 100_000), (100, 500, 1000), 0.9, source="assumed")
GROUPS = tuple(
    Alike("claude-sonnet-5-5", billing, 12, Usage(21_000_000), 42 * MICRO * MICRO)
    for billing in (Payer.API, Payer.PLAN)
)
COMPARISON = compare(Use(NOON - 30 * 86_400_000, NOON, 30, GROUPS), SHEET, OFFERS, Terms())
WISH = Wish(10, 8, 60)
ESTIMATE = estimate(WISH, USUAL, EstimateInputs(SHEET, OFFERS, MARKET, Memory(GIB, "measured")), NOON)

Read = Callable[[], tuple[list[str], str]]


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    def be(room: int | None) -> None:
        monkeypatch.setattr(output, "width", lambda: room)

    return be


@pytest.mark.parametrize("room", [45, 60, 99, 100, 200])
def test_no_line_is_longer_than_the_terminal(
    room: int, columns: Callable[[int | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    columns(room)
    show_plan(COMPARISON)
    show_estimate(WISH, ESTIMATE)
    out, talk = capsys.readouterr()
    assert max(map(len, [*out.splitlines(), *talk.splitlines()])) <= room
    assert "…" not in out, "nothing is cut"


def test_what_keys_paid_wears_no_sign_and_what_plans_covered_does(
    columns: Callable[[int | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    columns(None)
    show_plan(COMPARISON)
    out, talk = capsys.readouterr()
    keys, plans = out.split("what plans covered (≈ list price):")
    lines = {line.split("  ")[0]: line.split() for line in keys.splitlines()}
    assert lines["pay per use"] == ["pay", "per", "use", "$42.00", "100%"]
    assert lines["Pro"][:4] == ["Pro", "$20.00", "48", "%"]
    assert "pays from $20.00 of use on; yours is $42.00" in keys
    assert "≈" not in keys
    assert "≈$42.00 a month at this rate" in plans
    assert next(line for line in plans.splitlines() if line.startswith("Pro ")).split()[1] == "$20.00", "a real price"
    assert "cheapest to pay: Pro, $20.00 a month, if it holds this use (no reading)" in keys
    assert "what certainly holds: pay per use, ≈$42.00" in plans
    assert "pays from $20.00 of use on; yours is ≈$42.00" in plans
    assert "- 30 days measured; a month is 30 days at this rate" in talk
    assert len(talk.splitlines()) == len(COMPARISON.said)


def test_an_estimate_names_the_tier_that_holds(
    columns: Callable[[int | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    columns(None)
    show_estimate(WISH, ESTIMATE)
    out, talk = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("claude-sonnet-5-5: 10 agents, 8 hours a day, 60 requests an hour each: 10 requests a")
    assert ["mid", "50k", "500", "50k", "5.0k", "$3,168"] in [line.split() for line in lines]
    assert "Start  1 %  5 %  2 %  1267%  no: spend" in lines
    assert "Scale holds even the high case: at most 1 % of a ceiling and 3 % of its spend" in lines
    assert " €26.97     4  3 × Cloud small" in lines
    assert "- Cloud: prices of some day" in talk


def read(arguments: Callable[[argparse.ArgumentParser], None], *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    arguments(parser)
    return parser.parse_args(words)


def test_numbers_are_taken_as_people_write_them() -> None:
    found = read(plan_arguments, "--committed", "$12.50", "--tokens-per-minute", "200000", "--cache-hit", "95%")
    assert (found.committed, found.tokens_per_minute, found.cache_hit) == (12_500_000, 200_000, 0.95)
    wish = read(estimate_arguments, "--agents", "3", "--hours", "7.5", "--requests-per-hour", "0.5", "--cache-hit", "0")
    assert (wish.agents, wish.hours, wish.requests_per_hour, wish.cache_hit, wish.days) == (3, 7.5, 0.5, 0.0, 30)


@pytest.mark.parametrize(
    "words",
    [
        ("--days", "0"), ("--days", "99999999999999999999999"), ("--can-wait", "101"), ("--cache-hit", "nan"),
        ("--committed", "-1"), ("--committed", "inf"), ("--tokens-per-minute", "1e3"), ("--days", "٣"),
    ],
)  # fmt: skip
def test_what_is_no_such_number_is_refused(words: tuple[str, str]) -> None:
    with pytest.raises(argparse.ArgumentError, match="expected"):
        read(plan_arguments, *words)
