"""When a budget will be gone, and what may come on top of it."""

from collections.abc import Iterable

from controlroom.domain.money.allotment import Run
from controlroom.domain.money.budget import BudgetRule

QUARTER, HOUR = 900_000, 3_600_000

LATELY = 3 * HOUR
"""Milliseconds that stand for the last hours."""

BRIEFLY = 300_000
"""Milliseconds that a rate stands for at the least: first messages are dear, and many may come at once."""


def burn_moments(now: int) -> tuple[int, int]:
    """Give since when the last minutes (15 to 30 of them) and the last hours are counted: whole quarters of an hour."""
    quarter = now // QUARTER * QUARTER
    return quarter - QUARTER, quarter - LATELY


def began(since: int, started: Iterable[int]) -> int:
    """Say since when somebody can have spent what was spent since a moment: not before the first was started."""
    return max(since, min(started, default=since))


def runs_out(rule: BudgetRule, gone: int, ends: int, lately: Iterable[tuple[int, int]], now: int) -> int | None:
    """Say when the stop line is reached at the rate of late; None: not before the period ends.

    `lately`: amounts, and since when each of them was spent. The fastest rate counts: whoever has begun to spend a few
    minutes ago is seen, and a pause of some minutes promises nothing.
    """
    left = rule.stop - gone
    if left <= 0:
        return now
    rate = max((amount / max(BRIEFLY, now - since) for amount, since in lately), default=0.0)
    if rate <= 0 or left / rate > ends - now:
        return None
    return now + round(left / rate)


def dearest_under_way(run: Run) -> int | None:
    """Say what messages of a run that are under way now may cost at the most: one of it, and of each of its subagents.

    Its own is as dear as its model's dearest, a subagent's as that of any model. None: it is not known what one costs,
    or how many there are.
    """
    if run.dearest is None or run.dearest_of_any is None or run.subagents is None:
        return None
    return run.dearest + run.subagents * run.dearest_of_any
