"""When a budget will be gone at the rate of late; and what may come on top of its stop line."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain.money.allotment import Fund, Run
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.money.forecast import began, burn_moments, runs_out
from controlroom.domain.money.sharing import Balance

CALM = Run("vm1", "a1", 1, dearest=300_000, dearest_of_any=500_000, subagents=0)
BUSY = Run("vm1", "a2", 1, dearest=200_000, dearest_of_any=500_000, subagents=2)


def overshoot(runs: list[Run]) -> int | None:
    balance = Balance(Fund(BudgetRule("day", 1), 0, 1, 0), 0, True)
    for run in runs:
        balance.put(run)
    return balance.overshoot


def test_it_is_a_message_for_each_agent_and_each_of_its_subagents() -> None:
    assert overshoot([]) == 0
    assert overshoot([CALM]) == 300_000
    assert overshoot([CALM, BUSY]) == 300_000 + 200_000 + 2 * 500_000


def test_it_is_not_known_where_one_thing_is_not() -> None:
    for unknown in (
        replace(BUSY, subagents=None),
        replace(BUSY, dearest=None),
        replace(BUSY, dearest_of_any=None),
    ):
        assert overshoot([CALM, unknown]) is None


MINUTE, HOUR = 60_000, 3_600_000
NOW = 1_000 * HOUR + 20 * MINUTE
DOLLAR = 1_000_000
DAY = BudgetRule("day", 20 * DOLLAR)
QUARTER, LATELY = burn_moments(NOW)


def test_the_last_minutes_and_the_last_hours_are_told_apart() -> None:
    assert (NOW - QUARTER, NOW - LATELY) == (20 * MINUTE, 3 * HOUR + 5 * MINUTE)
    slow, quick = (37 * DOLLAR // 10, LATELY), (2 * DOLLAR, QUARTER)
    left = DAY.stop - 8 * DOLLAR
    assert runs_out(DAY, 8 * DOLLAR, NOW + 9 * HOUR, [quick, slow], NOW) == NOW + left * 20 * MINUTE // (2 * DOLLAR)
    assert runs_out(DAY, 8 * DOLLAR, NOW + 12 * HOUR, [(0, QUARTER), slow], NOW) == NOW + left * 185 * MINUTE // slow[0]


def test_who_has_just_been_started_spends_since_then() -> None:
    """Ten dollars in ten minutes are a dollar a minute, and not a dollar in two."""
    assert began(QUARTER, [NOW - 10 * MINUTE, NOW - 8 * MINUTE]) == NOW - 10 * MINUTE
    assert began(QUARTER, [NOW - 9 * HOUR, NOW - 8 * MINUTE]) == QUARTER
    assert began(QUARTER, []) == QUARTER
    spent = 10 * DOLLAR, began(QUARTER, [NOW - 10 * MINUTE])
    assert runs_out(DAY, 10 * DOLLAR, NOW + 9 * HOUR, [spent], NOW) == NOW + (DAY.stop // DOLLAR - 10) * MINUTE


def test_a_first_message_is_no_rate() -> None:
    spent = DOLLAR, NOW - 2_000
    assert runs_out(DAY, DOLLAR, NOW + 9 * HOUR, [spent], NOW) == NOW + (DAY.stop // DOLLAR - 1) * 5 * MINUTE


def test_there_is_no_moment_when_it_lasts_and_none_to_wait_for_when_it_is_gone() -> None:
    assert runs_out(DAY, DOLLAR, NOW + HOUR, [(DOLLAR, LATELY)], NOW) is None
    assert runs_out(DAY, DOLLAR, NOW + HOUR, [(0, QUARTER)], NOW) is None
    assert runs_out(DAY, DAY.stop, NOW + HOUR, [(0, QUARTER)], NOW) == NOW
