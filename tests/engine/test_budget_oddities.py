"""Odd things for budgets: windows of plans, hosts that lie, agents on a plan, runners that take no grant."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from controlroom.domain.budgets import BudgetUnit, Rung, RungAction
from controlroom.domain.intents import ReassignAgent, SetBudget
from controlroom.domain.limits.headroom import Reading
from controlroom.domain.money.allotment import CLAIMED
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.orders import Result
from controlroom.engine.hosts.translate_usage import LoginSeen
from controlroom.text.states import Outcome
from controlroom.wire.grants import Allowance, Grant
from controlroom.wire.messages import Reply
from tests.engine.budgeted import DAY, DOLLAR, HOUR, budget, budgeted, spawn
from tests.engine.granted import CENT, Payer, running
from tests.engine.scripted import NOON, ScriptedChannel
from tests.lab.world import World


async def test_a_window_of_a_plan_is_granted_in_per_cent(home: World) -> None:
    host = Payer()
    running(host, "a1")
    host.agents["a1"] = replace(host.agents["a1"], billing="plan")
    async with budgeted(host, "") as here:
        reading = Reading("ann@example.com", "seven_day", NOON, 60.0, NOON + 50 * HOUR)
        here.engine.headroom.heard(LoginSeen("vm1/a1", "ann@example.com", "max", (reading,)))
        rule = BudgetRule(
            "week",
            85,
            unit=BudgetUnit.WINDOW,
            window="seven_day",
            rungs=(Rung(80, RungAction.HOLD), Rung(100, RungAction.PAUSE)),
        )
        await here.order(SetBudget(rule))
        await here.until(lambda: host.grants)
        assert (host.grants[0].allowance, host.grants[0].lasts) == (Allowance(windows={"seven_day": 85}), 0)
        await here.until(lambda: budget(here, "week").spent == 60)
        assert budget(here, "week").ends == NOON + 50 * HOUR
        later = replace(reading, percent=70.0, at=NOON + 1)
        here.engine.headroom.heard(LoginSeen("vm1/a1", "ann@example.com", "max", (later,)))
        await here.until(lambda: "budget week" in here.engine.store.fleet.alarms)
        refused = await spawn(here, "a2")
        assert "budget week (fleet) holds new work from 80 % on: 70 % of 85 % is gone" in refused.reason


async def test_a_host_that_lies_about_its_grants_is_not_believed(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        await here.engine.wait_idle()
        before = budget(here).granted
        host.agents["a1"] = replace(host.agents["a1"], grant=2**52)
        host.show()
        await here.until(lambda: here.agent("vm1/a1").grant == 2**52)
        await here.engine.wait_idle()
        assert budget(here).granted == before
        assert await spawn(here, "a2") == Result(Outcome.DONE)
        grant = host.runners["a2", 1].grant
        assert grant is not None
        assert grant.number < 100


async def test_no_host_says_who_pays_for_its_next_agent_but_a_profile_does(home: World) -> None:
    host = Payer()
    running(host, "a1")
    profiles = '[profiles.mine]\ncredential = "plan"\n'
    async with budgeted(host, profiles) as here:
        await here.order(SetBudget(BudgetRule("day", DOLLAR, rungs=(Rung(80, RungAction.HOLD),))))
        host.work("a1", 90 * CENT)
        await here.until(lambda: budget(here).reached == 1)
        assert (await spawn(here, "a2")).outcome == "refused"
    host.agents["a1"] = replace(host.agents["a1"], billing="plan")
    async with budgeted(host, profiles) as here:
        await here.until(lambda: here.agent("vm1/a1").billing == "plan" and budget(here).reached == 1)
        refused = await spawn(here, "a2")
        assert 'If a plan pays for it, let its profile say so: credential = "plan"' in refused.reason
        again = await here.order(ReassignAgent("vm1/a1", 1, "more"))
        assert "holds new work" in again.reason
        assert await spawn(here, "a3", "mine") == Result(Outcome.DONE)


async def test_a_run_that_takes_no_grant_is_asked_less_and_less_often(home: World) -> None:
    class Stubborn(Payer):
        def granted(self, channel: ScriptedChannel, grant: Grant) -> None:
            self.grants.append(grant)
            channel.say(Reply(grant.id, Outcome.REFUSED, "its runner is too old for that"))

    host = Stubborn()
    running(host, "a1")
    async with budgeted(host, DAY) as here:
        await here.until(lambda: len(host.grants) == 1)
        await here.engine.wait_idle()
        for tries, wait in ((2, 5_000), (3, 10_000), (4, 20_000)):
            here.now += wait - 1
            here.engine.budgets.schedule()
            await here.engine.wait_idle()
            assert len(host.grants) == tries - 1
            here.now += 1
            here.engine.budgets.schedule()
            await here.until(lambda: len(host.grants) == tries)  # noqa: B023 - waited for at once
            await here.engine.wait_idle()
        assert len(here.ledger.read("select * from grants")) <= 2
        assert "no budget binds vm1/a1: its host does not take" in here.engine.store.fleet.alarms["untaken"].text
        assert len(host.prices) == 4, "it may have lacked the prices"


async def test_a_clock_that_is_put_back_forgets_nothing_that_was_spent(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        host.clock = lambda: here.now
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        host.work("a1", 40 * CENT)
        await here.until(lambda: budget(here).spent == 40 * CENT)
        here.now -= 30 * HOUR
        here.engine.budgets.schedule()
        await here.until(lambda: budget(here).ends < NOON and budget(here).granted and budget(here).spent == 40 * CENT)
        here.now += 80 * HOUR
        here.engine.budgets.schedule()
        await here.until(lambda: budget(here).began > NOON and budget(here).spent == 0)


async def test_no_date_that_a_host_gives_takes_use_out_of_the_day_that_pays_for_it(home: World) -> None:
    host = Payer()
    host.clock = lambda: NOON - 72 * HOUR
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        idle = 0
        while idle < 3 and here.now < NOON + 6 * HOUR:  # one that is paused again soon goes on later each time
            here.now += HOUR // 3
            here.engine.budgets.schedule()
            await here.engine.wait_idle()
            idle = 0 if host.work("a1", 100 * CENT) else idle + 1
            await here.until(lambda: here.agent("vm1/a1").spent == host.spent)
        assert idle == 3
        assert 8 * DOLLAR <= host.spent <= 11 * DOLLAR
        assert budget(here).spent == host.spent
    host.agents.clear()  # what a host shows is what the fixture orders
    async with budgeted(host, DAY) as here:
        run = here.engine.claims.of("vm1", "a1", 1)
        assert run is not None
        assert run.at == NOON, "the next engine knows when it was ordered"


async def test_a_host_that_has_long_been_connected_tells_nothing_old_of_a_run_of_yesterday(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        here.now += 30 * HOUR
        here.engine.budgets.schedule()
        await here.until(lambda: budget(here).began > NOON)
        await here.engine.wait_idle()
        host.work("a1", 20 * CENT)
        await here.until(lambda: budget(here).spent == 20 * CENT)


async def test_agents_that_only_a_host_claims_take_nothing_from_those_that_were_ordered(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        granted = host.runners["a1", 1].grant
        for number in range(200):
            running(host, f"claimed{number}")
        host.show()
        await here.until(lambda: len(host.grants) >= 200)
        await here.engine.wait_idle()
        assert host.runners["a1", 1].grant == granted
        assert await spawn(here, "a2") == Result(Outcome.DONE)
        grant = host.runners["a2", 1].grant
        assert granted is not None
        assert grant is not None
        assert grant.allowance == granted.allowance
        claimed = [run.grant.allowance for (name, _), run in host.runners.items() if run.grant and len(name) > 2]
        assert sum(allowance.billed or 0 for allowance in claimed) <= CLAIMED * (granted.allowance.billed or 0)


async def test_two_spawns_cannot_both_take_the_last_of_a_budget(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        await here.order(SetBudget(BudgetRule("tiny", CENT, rungs=(Rung(100, RungAction.PAUSE),))))
        week = BudgetRule("week", 85, unit=BudgetUnit.WINDOW, window="seven_day", rungs=(Rung(100, RungAction.PAUSE),))
        await here.order(SetBudget(week))
        outcomes = await asyncio.gather(*(spawn(here, f"a{number}") for number in range(80)))
        refused = [outcome.reason for outcome in outcomes if outcome.outcome == "refused"]
        assert refused
        assert "budget tiny (fleet) has $0.01 left before its stop line" in refused[0]
        assert "is granted to agents that run; it begins anew 2026-11-2" in refused[0]
        assert not any("less than a start may need ($0.00)" in reason for reason in refused)
        given = sum(runner.grant.allowance.billed or 0 for runner in host.runners.values() if runner.grant)
        assert given <= CENT


async def test_a_host_that_never_answers_about_grants_is_sent_them_less_and_less_often(home: World) -> None:
    host = Payer()
    host.deaf = host.mute = True
    running(host, "a1")
    async with budgeted(host, "") as here:
        budget_controller = here.engine.budgets

        def sent() -> int:
            return sum(isinstance(message, Grant) for message in host.heard)

        async def looked_at() -> None:
            budget_controller.schedule()
            await here.until(lambda: not budget_controller.behind)

        await here.order(SetBudget(BudgetRule("day", DOLLAR)))
        await here.until(lambda: sent() == 1)
        for count, wait in ((2, 30_000), (3, 30_000), (4, 40_000), (5, 80_000)):
            here.now += wait - 1
            await looked_at()
            await looked_at()
            assert sent() == count - 1
            here.now += 1
            await looked_at()
            await here.until(lambda: sent() == count)  # noqa: B023 - waited for at once


async def test_what_keys_may_cost_holds_nothing_that_a_plan_pays_of_several_credentials(home: World) -> None:
    host = Payer()
    running(host, "a1")
    profiles = '[credentials.team]\nconfig_dir = "/team"\n[profiles.mine]\ncredentials = ["plan", "team"]\n'
    async with budgeted(host, profiles) as here:
        await here.order(SetBudget(BudgetRule("day", DOLLAR, rungs=(Rung(100, RungAction.PAUSE),))))
        host.work("a1", 100 * CENT)
        await here.until(lambda: budget(here).reached == 1)
        assert (await spawn(here, "a2")).outcome == "refused"
        assert (await spawn(here, "a3", "mine")).ok
        granted = host.runners["a3", 1].grant
        assert granted is None
