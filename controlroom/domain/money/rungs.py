"""What follows from a rung that has been reached: whom it stops, and the sentence that says so."""

from collections.abc import Iterable, Sequence

from controlroom.domain.gauges import Alarm, Budget, Rung
from controlroom.domain.model import Fleet
from controlroom.domain.money.allotment import Fund, Run
from controlroom.domain.money.budget import STOPPING, BudgetRule
from controlroom.domain.money.budget_words import amount, window

_DONE = {
    "notify": "",
    "hold": "; new work is held",
    "cheaper": "; new work goes to cheaper models",
    "pause": "; agents are paused",
    "interrupt": "; agents are interrupted",
    "stop": "; agents are ended",
}

_WOULD = {
    "hold": "hold new work",
    "cheaper": "send new work to cheaper models",
    "pause": "pause agents",
    "interrupt": "interrupt agents",
    "stop": "end agents",
}


def alarm(budget: Budget, until: str, since: int) -> Alarm | None:
    """Say what a budget has come to, None while it has reached nothing. The words stay while nothing new is reached."""
    if not budget.reached:
        return None
    rungs = budget.rungs[: budget.reached]
    level = "danger" if any(rung.action in STOPPING for rung in rungs) and not budget.dry_run else "warning"
    return Alarm(f"{told(budget, rungs[-1])}{f', until {until}' if until else ''}", level, since)


def told(budget: Budget, rung: Rung) -> str:
    """Say that a rung is reached, and what is done."""
    done = _DONE[rung.action]
    if budget.dry_run and done:
        done = f"; in earnest it would {_WOULD[rung.action]} (dry run)"
    of = amount(budget.limit, budget.unit) + (f" of {window(budget.period)}" if budget.unit == "window" else "")
    return f"budget {budget.name} ({budget.scope}): {rung.percent} % of {of} is gone{done}"


def stopped_by(rule: BudgetRule, runs: Iterable[Run]) -> frozenset[str]:
    """Give the agents, by id, that a stopping rung stops now: all, or those of the lowest priority there is."""
    theirs = list(runs)
    lowest = min((run.priority for run in theirs), default=0)
    return frozenset(run.id for run in theirs if rule.order == "all" or run.priority == lowest)


def pauses(budget: Budget) -> bool:
    """Say whether a budget has come to where it pauses agents."""
    return not budget.dry_run and any(rung.action == "pause" for rung in budget.rungs[: budget.reached])


def cut(budget: Budget, fund: Fund, runs: Iterable[Run]) -> frozenset[str]:
    """Give the agents that may spend no more of a budget, because a rung pauses them."""
    if not pauses(budget):
        return frozenset()
    return stopped_by(fund.rule, (run for run in runs if fund.holds(run)))


UNBOUND = {
    "ungranted": "no budget binds {} until the link is back: the budget came after the link was lost",
    "untaken": "no budget binds {}: its host does not take what it is granted (the engine's log says why); end it, or "
    "look there",
}
"""Alarms about agents that could not be granted anything."""


def unbound(about: str, agents: Sequence[str], fleet: Fleet, now: int) -> Alarm | None:
    """Say which agents no budget binds, for one of the reasons of `UNBOUND`; None: there is no such agent."""
    if not agents:
        return None
    named = ", ".join(agents[:3]) + (f" and {len(agents) - 3} more" if len(agents) > 3 else "")
    known = fleet.alarms.get(about)
    return Alarm(UNBOUND[about].format(named), "warning", known.since if known else now)
