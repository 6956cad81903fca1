"""When a budget will be gone, what may come on top of it, and how far agents can go alone on what they were granted."""

from collections.abc import Callable, Iterable, Sequence

from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.money.allotment import FOREVER, MONEY, Run
from controlroom.domain.money.budget import BudgetRule, Spend, amount
from controlroom.domain.words import age
from controlroom.text.lazy_dataclass import dataclass

QUARTER, HOUR = 900_000, 3_600_000

LATELY = 3 * HOUR
"""Milliseconds that stand for the last hours."""

BRIEFLY = 300_000
"""Milliseconds that a rate stands for at the least: first messages are dear, and many may come at once."""


def burn_moments(now: int) -> tuple[int, int]:
    """Since when the last minutes (15 to 30 of them) and the last hours are counted: whole quarters of an hour."""
    quarter = now // QUARTER * QUARTER
    return quarter - QUARTER, quarter - LATELY


def began(since: int, started: Iterable[int]) -> int:
    """Since when somebody can have spent what was spent since a moment: not before the first was started."""
    return max(since, min(started, default=since))


def runs_out(rule: BudgetRule, gone: int, ends: int, lately: Iterable[tuple[int, int]], now: int) -> int | None:
    """When the stop line is reached at the rate of late; None: not before the period ends.

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
    """What messages of a run that are under way now may cost at the most: one of it, and of each of its subagents.

    Its own is as dear as its model's dearest, a subagent's as that of any model. None: it is not known what one costs,
    or how many there are.
    """
    if run.dearest is None or run.dearest_of_any is None or run.subagents is None:
        return None
    return run.dearest + run.subagents * run.dearest_of_any


@dataclass(frozen=True)
class Runway:
    """What one running agent may still spend alone. Amounts: micro-dollars or tokens; times: UTC milliseconds."""

    agent: str
    unit: BudgetUnit
    """Of what there is least: `billed`, `covered` or `tokens`."""
    left: int
    per_hour: int | None
    """What it has used in an hour of late; None: nothing, so nobody knows."""
    until: int
    """When its grant ends by itself; 0: never."""

    def lasts(self, now: int) -> int | None:
        """For how many milliseconds; None: not known."""
        ends = [self.until - now] if self.until else []
        spans = [self.left * HOUR // self.per_hour] if self.per_hour else []
        return min([*ends, *spans], default=None)


def runways(runs: Iterable[Run], lately: Sequence[Spend], since: int, now: int) -> list[Runway]:
    """The runways of all runs that a grant binds; `lately`: what was spent since that moment."""
    bound = [run for run in runs if run.newest is not None and not run.ended]
    ways = [min(found, key=_shortest(now)) for run in bound if (found := _ways(run, lately, since, now))]
    return sorted(ways, key=lambda way: way.agent)


def _ways(run: Run, lately: Iterable[Spend], since: int, now: int) -> list[Runway]:
    """A run's runway in each unit that binds it."""
    grant = run.newest
    used = [spend for spend in lately if (spend.host, spend.agent) == (run.host, run.name)]
    ways = []
    for unit in MONEY:
        top = grant.ceiling(unit) if grant and _pays(run, unit) else None
        if grant and top is not None:
            burnt = sum(spend.tokens if unit is BudgetUnit.TOKENS else spend.micro for spend in used)
            per_hour = burnt * HOUR // max(1, now - since) or None
            ways.append(Runway(run.id, unit, max(0, top - run.gone(unit)), per_hour, grant.ends))
    return ways


def _shortest(now: int) -> Callable[[Runway], int]:
    def key(way: Runway) -> int:
        lasts = way.lasts(now)
        return FOREVER if lasts is None else lasts

    return key


def _pays(run: Run, unit: BudgetUnit) -> bool:
    return {"billed": "plan", "covered": "api"}.get(unit) != (run.billing or "nobody knows")


def told(way: Runway, now: int) -> str:
    """Say it in a line."""
    lasts = way.lasts(now)
    how_long = "nobody knows how long that lasts" if lasts is None else f"about {age(max(lasts, 60_000))}"
    return f"{way.agent}: {amount(way.left, way.unit)}, {how_long}"
