"""When a budget will be gone, and what may come on top of it."""

from collections.abc import Iterable

from controlroom.domain.allotment import Run
from controlroom.domain.budget import BudgetRule

QUARTER, HOUR = 900_000, 3_600_000

LATELY = 3 * HOUR
"""Milliseconds that stand for the last hours."""


def burn_moments(now: int) -> tuple[int, int]:
    """Give since when the last minutes (15 to 30 of them) and the last hours are counted: whole quarters of an hour."""
    quarter = now // QUARTER * QUARTER
    return quarter - QUARTER, quarter - LATELY


def runs_out(rule: BudgetRule, gone: int, ends: int, lately: tuple[int, int], now: int) -> int | None:
    """Say when the stop line is reached at the rate of late; None: not before the period ends.

    `lately`: what was spent since each of `burn_moments`. The faster of the two rates counts: whoever has begun to
    spend a few minutes ago is seen, and a pause of some minutes promises nothing.
    """
    left = rule.stop - gone
    if left <= 0:
        return now
    rate = max(amount / (now - since) for amount, since in zip(lately, burn_moments(now), strict=True))
    if rate <= 0 or left / rate > ends - now:
        return None
    return now + round(left / rate)


def overshoot(runs: Iterable[Run]) -> int | None:
    """Say what messages that are under way now may cost at the most: one for each run, as dear as its model's dearest.

    What an agent's subagents have under way is not seen from here. None: nobody knows what one of them costs.
    """
    total = 0
    for run in runs:
        if run.dearest is None:
            return None
        total += run.dearest
    return total
