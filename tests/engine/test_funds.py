"""When a budget will be gone, from the sums of the ledger and the agents of the fleet."""

from __future__ import annotations

from datetime import timezone

from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.money.budget import BudgetRule, Spend
from controlroom.domain.money.forecast import burn_moments
from controlroom.domain.money.sharing import Balances
from controlroom.engine.budgets.funds import Funds, SpentSums
from controlroom.engine.ledger.usage_views import Sums
from controlroom.text.states import AgentKind, Payer

MINUTE, HOUR = 60_000, 3_600_000
NOW = 1_000 * HOUR + 4 * HOUR + 25 * MINUTE  # not the end of a day, and far into a quarter of an hour
TEN = 10_000_000
RULE = BudgetRule("day", 20_000_000)


def runs_out_in(*agents: Agent) -> float:
    """Return in how many minutes the budget is gone, when each agent has spent its share of ten dollars of late."""
    spends = tuple(Spend("vm1", agent.name, "", Payer.API, TEN // len(agents), 0) for agent in agents)
    midnight = NOW // (24 * HOUR) * 24 * HOUR
    sums = Sums(dict.fromkeys([midnight, *burn_moments(NOW)], spends))
    fleet = Fleet(agents={agent.id: agent for agent in agents})
    spent = SpentSums(lambda host, name: started(fleet.agents[f"{host}/{name}"]))
    spent.take(sums)
    funds = Funds({"day": RULE}, timezone.utc)
    balances = Balances(funds.all(spent, fleet, NOW))
    moment = funds.shown(balances, spent, fleet, [], NOW)["day"].runs_out
    assert moment is not None
    return (moment - NOW) / MINUTE


def started(agent: Agent) -> int:
    return agent.started if agent.epoch == 1 else 0


def agent(name: str, minutes: int, epoch: int = 1) -> Agent:
    return Agent("vm1", name, epoch, AgentKind.HEADLESS, State.WORKING, NOW, started=NOW - minutes * MINUTE)


def test_a_fleet_that_has_just_begun_is_seen_at_its_own_pace() -> None:
    assert runs_out_in(agent("a", 10), agent("b", 8)) == 9  # 19 dollars are the stop line


def test_one_that_spends_for_longer_is_seen_over_the_quarter() -> None:
    since, _ = burn_moments(NOW)
    assert (NOW - since) / MINUTE == 25
    assert runs_out_in(agent("a", 600), agent("b", 8)) == 9 * 25 / 10


def test_an_agent_that_was_begun_anew_may_have_spent_before() -> None:
    assert runs_out_in(agent("a", 10, epoch=2)) == runs_out_in(agent("a", 600))
