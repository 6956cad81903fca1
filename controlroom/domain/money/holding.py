"""What budgets that have come far up their ladders mean for new work: it is held, or goes to a cheaper model."""

from collections.abc import Iterator

from controlroom.domain.gauges import Budget
from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.money.budget import STOPPING, counts, covers
from controlroom.domain.money.budget_words import amount, window
from controlroom.text.causes import Cause


def refusal(fleet: Fleet, host: str, name: str, profile: str, billing: str) -> str | None:
    """Say which budget holds new work of such an agent, or None."""
    for budget in _binding(fleet, host, name, profile, billing):
        done = [rung for rung in budget.rungs[: budget.reached] if rung.action == "hold" or rung.action in STOPPING]
        if done:
            period = window(budget.period) if budget.unit == "window" else f"its {budget.period}"
            return (
                f"budget {budget.name} ({budget.scope}) holds new work from {done[0].percent} % on: "
                f"{amount(budget.spent, budget.unit)} of {amount(budget.limit, budget.unit)} is gone. Wait until "
                f"{period} is over, or raise it: controlroom budget set {budget.name} --limit …"
                f"{_unsaid(budget, billing)}"
            )
    return None


def _unsaid(budget: Budget, billing: str) -> str:
    """Say how to say that a plan pays, where nobody has and what keys pay is held."""
    if billing or budget.unit != "billed":
        return ""
    return '. If a plan pays for it, let its profile say so: credential = "plan"'


def cheaper(fleet: Fleet, model: str, host: str, name: str, profile: str, billing: str) -> tuple[str, str]:
    """Give the model that new work of such an agent goes to, and why, when it is not the one that was meant.

    One step down the chain for every rung that says so and has been reached; a model that is not on the chain stays.
    Without a model it is Claude's own choice, taken for the dearest.
    """
    chain = fleet.limits.cheaper
    place = next((index for index, part in enumerate(chain) if part in model), 0 if not model else None)
    steps = [
        budget.name
        for budget in _binding(fleet, host, name, profile, billing)
        for rung in budget.rungs[: budget.reached]
        if rung.action == "cheaper"
    ]
    if not steps or place is None or not chain:
        return model, ""
    lower = chain[min(place + len(steps), len(chain) - 1)]
    if model and lower in model:
        return model, ""
    return lower, f"{lower} instead of {model or 'the default model'}: budget {steps[0]} goes cheaper"


def payer(fleet: Fleet, profile: str) -> str:
    """Say who will pay for new work, as its profile says; "": unknown, and both kinds of budgets hold it.

    Who pays for others of the profile is what their hosts say: none of them talks its next agent out of a budget.
    """
    known = fleet.profiles.get(profile)
    return known.billing if known else ""


def is_paused(agent: Agent) -> bool:
    """Say whether an agent was paused for want of money, and not by anybody, as its host says."""
    return agent.state is State.PAUSED and agent.cause is Cause.BUDGET


def binding(fleet: Fleet, agent: Agent) -> Iterator[Budget]:
    """Give the budgets that bind an agent."""
    return _binding(fleet, agent.host, agent.name, agent.profile, agent.billing)


def _binding(fleet: Fleet, host: str, name: str, profile: str, billing: str) -> Iterator[Budget]:
    for budget in fleet.budgets.values():
        kind, _, account = budget.scope.partition(" ")
        theirs = covers(budget.scope, host, name, profile) or (
            kind == "account" and any(gauge.account == account for gauge in fleet.headroom.values())
        )
        if theirs and not budget.dry_run and counts(budget.unit, billing):
            yield budget
