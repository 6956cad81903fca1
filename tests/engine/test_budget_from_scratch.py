"""Whatever happens, what budgets hold in memory is what they come to when all of the fleet and the ledger is read."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from controlroom.domain.budgets import BudgetUnit, Period, Rung, RungAction, StopOrder
from controlroom.domain.intents import KillAgent, RemoveBudget, SetBudget, SpawnAgent
from controlroom.domain.model import Fleet, LinkState
from controlroom.domain.money import budget
from controlroom.domain.money.allotment import MONEY
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.money.forecast import began, burn_moments
from controlroom.domain.money.ladder import is_paused
from controlroom.engine.ledger.usage_views import read_sums
from tests.domain import from_scratch
from tests.engine.budgeted import DOLLAR
from tests.engine.granted import CENT, Payer
from tests.engine.rooms import Room, room
from tests.lab.world import World

STOP = (Rung(80, RungAction.HOLD), Rung(100, RungAction.PAUSE))
RULES = [
    BudgetRule("day", 60 * DOLLAR, rungs=STOP),
    BudgetRule("hour", 20 * DOLLAR, period=Period.HOUR, rungs=STOP, order=StopOrder.ALL),
    BudgetRule("host", 15 * DOLLAR, scope="host vm1", rungs=STOP),
    BudgetRule("mine", 6 * DOLLAR, scope="agent vm2/a1", rungs=STOP),
    BudgetRule("told", 9 * DOLLAR, rungs=(Rung(50, RungAction.NOTIFY),)),
    BudgetRule("tokens", 900_000, unit=BudgetUnit.TOKENS, rungs=STOP),
]


def started(fleet: Fleet, host: str, name: str) -> int:
    """When an agent was started for the first time; 0: nobody knows, or it was begun anew."""
    agent = fleet.agents.get(f"{host}/{name}")
    return agent.started if agent and agent.epoch == 1 else 0


def held_to(here: Room) -> None:
    """Compare all that the budget controller holds with what it is made from, read anew."""
    budget_controller, fleet, now = here.engine.budgets, here.engine.store.fleet, here.now
    budget_controller.refresh()
    keys = {(agent.host, agent.name, agent.epoch) for agent in fleet.agents.values()} | set(
        budget_controller.grants.keys
    )
    made = {key: budget_controller.grants.run(key, fleet, budget_controller.spent, {}, now) for key in keys}
    runs = {
        key: budget_controller.mail.doubted(run, budget_controller.grants, now)
        for key, run in made.items()
        if run is not None
    }
    assert budget_controller.table.runs == runs
    assert budget_controller.seen.paused == {key: agent for key, agent in fleet.agents.items() if is_paused(agent)}
    sums = read_sums(here.ledger, budget_controller.funds.moments(now), runs, now)
    assert {key: budget_controller.spent.runs[key] for key in runs} == sums.runs
    funds = budget_controller.funds.all(budget_controller.spent, fleet, now)
    for fund in funds:
        balance = budget_controller.sharing.balances.of[fund.rule.name]
        assert balance.fund == fund
        assert balance.given == from_scratch.given_away(fund, runs.values())
        assert fund.spent == budget.spent(fund.rule, sums.since[fund.began])
        for moment in burn_moments(now):
            counted = budget.counted(fund.rule, sums.since[moment])
            starts = [started(fleet, spend.host, spend.agent) for spend in counted]
            amount = budget.spent(fund.rule, sums.since[moment])
            assert budget_controller.spent.lately(fund.rule, moment) == (amount, began(moment, starts))
    binding = [fund for fund in funds if fund.rule.binds and fund.rule.unit in MONEY]
    theirs = {run.key: [fund for fund in binding if fund.holds(run)] for run in runs.values()}
    ends = {run.key: budget_controller.funds.ends(run, theirs[run.key], now) for run in runs.values()}
    assert from_scratch.share_out(binding, list(runs.values()), ends) == []


class Play:
    """What may happen in a room, by chance."""

    def __init__(self, here: Room, hosts: list[Payer], chance: random.Random) -> None:
        self.here, self.hosts, self.chance = here, hosts, chance

    async def spawn(self) -> None:
        name, host = f"a{self.chance.randrange(6)}", self.chance.choice(self.hosts)
        await self.here.order(SpawnAgent(name, "write", host=host.name))

    async def kill(self) -> None:
        agents = [agent for agent in self.here.engine.store.fleet.agents.values() if agent.lives]
        if agents:
            agent = self.chance.choice(agents)
            await self.here.order(KillAgent(agent.id, agent.epoch))

    async def work(self) -> None:
        for host in self.hosts:
            for name in list(host.agents):
                if self.chance.random() < 0.6:
                    host.work(name, self.chance.choice((1, 5, 40)) * CENT)

    async def subagents(self) -> None:
        for host in self.hosts:
            for name in list(host.agents)[:2]:
                host.below(name, self.chance.randrange(3))

    async def cut(self) -> None:
        host = self.chance.choice(self.hosts)
        host.reachable = False
        host.cut()
        await self.here.until(lambda: self.here.link(host.name) is not LinkState.UP)
        if self.chance.random() < 0.7:
            host.reachable = True
            await self.here.until(lambda: self.here.link(host.name) is LinkState.UP)

    async def time(self) -> None:
        for host in self.hosts:
            host.reachable = True
        self.here.now += self.chance.choice((6_000, 61_000, 1_000_000, 4_000_000))
        await self.here.until(lambda: all(self.here.link(host.name) is LinkState.UP for host in self.hosts))

    async def rule(self) -> None:
        rule = self.chance.choice(RULES)
        has = rule.name in self.here.engine.store.fleet.budgets
        await self.here.order(RemoveBudget(rule.name) if has and self.chance.random() < 0.5 else SetBudget(rule))


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20))])
async def test_after_whatever_happens(home: World, seed: int) -> None:
    hosts, chance = [Payer("vm1"), Payer("vm2")], random.Random(seed)
    async with room(*hosts) as here:
        for host in hosts:
            host.clock = lambda: here.now
        play = Play(here, hosts, chance)
        for rule in RULES[:2]:
            await here.order(SetBudget(rule))
        acts: list[Callable[[], Awaitable[None]]] = [play.spawn, play.spawn, play.work, play.work, play.work]
        acts += [play.kill, play.subagents, play.cut, play.time, play.rule]
        for _ in range(30):
            await chance.choice(acts)()
            here.engine.budgets.schedule()
            await here.engine.wait_idle()
            await here.until(partial(_is_still, here), "the budget controller rests")
            held_to(here)


def _is_still(here: Room) -> bool:
    return not here.engine.budgets.busy
