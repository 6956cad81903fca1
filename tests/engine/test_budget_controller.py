"""Budgets: what is gone of each is shown as soon as it is booked; what agents may spend stays below it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import replace

import pytest

from controlroom.domain.budgets import Rung, RungAction
from controlroom.domain.intents import (
    Intent,
    KillAgent,
    ReassignAgent,
    RemoveBudget,
    ResumeAgent,
    RetryAgent,
    SetBudget,
)
from controlroom.domain.money.budget import LADDER, BudgetRule
from controlroom.domain.money.sharing import Sharing
from controlroom.domain.orders import Result
from controlroom.engine.budgets import controller
from controlroom.engine.ledger import ledger
from controlroom.metering.prices import Sheet
from controlroom.text.states import Outcome
from controlroom.wire.grants import Grant
from controlroom.wire.messages import Reply
from tests.engine.budgeted import DAY, DOLLAR, HOUR, Spender, budget, budgeted, message, spawn
from tests.engine.granted import CENT, Payer, running
from tests.engine.rooms import PRICES, room
from tests.engine.scripted import NOON
from tests.lab.world import World

THREE = """
[budgets.day]
limit = "200"
[budgets.docs]
limit = "100"
period = "week"
scope = "profile docs"
unit = "covered"
[budgets.tokens]
limit = "4M"
unit = "tokens"
period = "hour"
"""


async def test_what_is_gone_of_each_budget_is_shown(home: World) -> None:
    host = Spender()
    async with budgeted(host, THREE) as here:
        await here.until(lambda: budget(here).spent)
        day, docs, tokens = (budget(here, name) for name in ("day", "docs", "tokens"))
        assert (day.spent, day.limit, day.stop, day.reached) == (40_000_000, 200_000_000, 190_000_000, 0)
        assert day.ends - day.began == 24 * HOUR
        assert (day.began + 5 * HOUR + HOUR * 3 // 4) % (24 * HOUR) == 0
        assert day.rungs == LADDER
        assert (docs.spent, docs.ends - docs.began) == (0, 7 * 24 * HOUR)
        assert (tokens.spent, tokens.limit, tokens.percent) == (2_000_000, 4_000_000, 50.0)
    host.agents["a1"] = replace(host.agents["a1"], billing="plan")
    async with budgeted(host, THREE) as here:
        await here.until(lambda: here.agent("vm1/a1").billing == "plan")
        before = NOON - 1  # whatever it was granted since
        host.use(message(3, at=before), message(4, at=NOON - 2 * HOUR), message(5, at=NOON - 20 * HOUR))
        await here.until(lambda: budget(here, "docs").spent == 60_000_000)
        assert budget(here).spent == 40_000_000
        assert (budget(here, "tokens").spent, budget(here, "tokens").reached) == (3_000_000, 1)
        here.now += HOUR
        here.engine.budgets.schedule()
        await here.until(lambda: budget(here, "tokens").spent == 0)


async def test_a_run_begins_with_a_grant_that_was_written_before(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        grant = host.runners["a1", 1].grant
        assert grant is not None
        assert host.prices[0].mark == grant.prices
        assert 0 < (grant.allowance.billed or 0) <= 5 * DOLLAR
        assert 0 < grant.lasts < budget(here).ends - NOON
        assert here.ledger.read("select number, agent, epoch, billed from grants") == [
            (grant.number, "a1", 1, grant.allowance.billed)
        ]
        assert budget(here).granted == grant.allowance.billed


async def test_an_agent_goes_on_as_long_as_there_is_money_and_not_longer(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        for name in ("a1", "a2", "a3"):
            assert await spawn(here, name) == Result(Outcome.DONE)
        for _ in range(200):
            worked = [host.work(name) for name in host.agents]
            await here.until(lambda: budget(here).spent == host.spent)
            await here.engine.wait_idle()
            shown = budget(here)
            assert (shown.spent or 0) + shown.granted <= shown.stop
            if not any(worked):
                break
        assert 9 * DOLLAR <= host.spent <= 10 * DOLLAR
        assert {agent.state for agent in host.agents.values()} == {"paused"}
        assert len(host.grants) < 60
        for number in range(4, 40):
            if (refused := await spawn(here, f"a{number}")).outcome == "refused":
                break
            while host.work(f"a{number}"):
                await here.until(lambda: budget(here).spent == host.spent)
            await here.engine.wait_idle()
        assert "budget day (fleet)" in refused.reason
        assert 9 * DOLLAR <= host.spent <= 10_100_000


async def test_agents_that_ran_before_are_granted_something_and_let_free_again(home: World) -> None:
    host = Payer()
    running(host, "a1")
    async with budgeted(host, "") as here:
        host.work("a1", 100 * CENT)
        await here.until(lambda: here.agent("vm1/a1").spent == DOLLAR)  # the first grant is to count what is booked
        rule = BudgetRule("new", 20 * DOLLAR, rungs=(Rung(50, RungAction.NOTIFY), Rung(100, RungAction.PAUSE)))
        assert await here.order(SetBudget(rule)) == Result(Outcome.DONE)
        await here.until(lambda: host.grants)
        assert DOLLAR < (host.grants[0].allowance.billed or 0) <= 11 * DOLLAR
        assert 'limit = "20"' in here.home.budgets.read_text()
        assert await here.order(RemoveBudget("new")) == Result(Outcome.DONE)
        await here.until(lambda: host.grants[-1].allowance.billed is None and host.grants[-1].lasts == 0)
        assert "limit" not in here.home.budgets.read_text()
        verbs = [line.verb for line in here.ledger.audit(10)]
        assert verbs[-2:] == ["budget set", "budget remove"]


async def test_a_command_is_granted_something_once_a_claude_below_it_spends(home: World) -> None:
    host = Payer()
    running(host, "script")
    host.agents["script"] = replace(host.agents["script"], kind="command", billing="")
    async with budgeted(host, DAY) as here:
        await here.until(lambda: "vm1/script" in here.engine.store.fleet.agents)
        await here.engine.wait_idle()
        assert host.grants == []
        host.agents["script"] = replace(host.agents["script"], billing="api")
        host.work("script", 100 * CENT)
        await here.until(lambda: host.grants)
        assert 0 < (host.grants[0].allowance.billed or 0) <= 9 * DOLLAR
        while host.work("script", 100 * CENT):
            await here.until(lambda: budget(here).spent == host.spent)
            await here.engine.wait_idle()
        assert (host.agents["script"].state, host.spent <= 10 * DOLLAR) == ("paused", True)


async def test_grants_of_an_engine_that_died_are_counted_before_anything_is_granted(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as first:
        for number in range(8):
            assert await spawn(first, f"a{number}") == Result(Outcome.DONE)
        await first.engine.wait_idle()
        before = budget(first).granted
    host.reachable = False
    async with room(host, up=False) as second:
        await second.until(lambda: budget(second).granted == before)
        host.reachable = True
        await second.up()
        await second.engine.wait_idle()
        assert budget(second).granted <= before
        newest = max(grant.number for grant in host.grants) if host.grants else 8
        assert second.engine.budgets.grants.number >= newest


async def test_a_grant_that_is_lost_counts_and_comes_again(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        await here.engine.wait_idle()
        host.deaf = True
        await here.order(SetBudget(BudgetRule("docs", DOLLAR // 2, rungs=(Rung(100, RungAction.STOP),))))
        await here.until(lambda: len(orders_of(host)) == 1)
        assert budget(here).granted > DOLLAR // 4, "till its runner says so, it may spend what it was given before"
        host.cut()
        host.deaf = False
        await here.until(lambda: host.grants and (host.grants[-1].allowance.billed or 0) <= DOLLAR // 4)
        await here.until(lambda: budget(here).granted <= DOLLAR // 4)


async def test_an_answer_that_is_lost_is_made_up_for_by_looking(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        host.mute = True
        await here.order(SetBudget(BudgetRule("docs", DOLLAR // 2, rungs=(Rung(100, RungAction.STOP),))))
        await here.until(lambda: budget(here).granted <= DOLLAR // 4)


async def test_what_may_come_on_top_counts_subagents_and_is_not_known_where_nobody_counts_them(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        assert await spawn(here, "a2") == Result(Outcome.DONE)
        host.work("a1", 10 * CENT)
        host.below("a1", 0)
        await here.until(lambda: budget(here).spent)
        assert budget(here).overshoot is None, "nobody has said anything of the second one"
        host.below("a2", 0)
        await here.until(lambda: budget(here).overshoot == 20 * CENT)
        host.below("a2", 2)
        await here.until(lambda: budget(here).overshoot == 40 * CENT)
        host.reachable = False
        host.cut()
        await here.until(lambda: budget(here).overshoot is None, "it to be as unknown as what they do now")
        host.reachable = True
        await here.until(lambda: budget(here).overshoot == 40 * CENT)
        host.below("a2", 0)
        assert await here.order(KillAgent("vm1/a1", 1)) == Result(Outcome.DONE)
        await here.until(lambda: budget(here).overshoot == 10 * CENT)


async def test_a_run_that_ended_gives_back_what_it_did_not_spend(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        host.work("a1")
        await here.until(lambda: budget(here).spent == 10 * CENT)
        assert await here.order(KillAgent("vm1/a1", 1)) == Result(Outcome.DONE)
        await here.until(lambda: budget(here).granted == 0)
        await here.until(lambda: here.ledger.read("select * from grants") == [])
        assert await here.order(ReassignAgent("vm1/a1", 1, "again")) == Result(Outcome.DONE)
        grant = host.runners["a1", 2].grant
        assert grant is not None
        assert (grant.allowance.billed or 0) > 0


async def test_a_spawn_that_was_refused_leaves_nothing_granted(home: World) -> None:
    class Unwilling(Payer):
        def order(self, channel: object, message: object) -> None:
            super(Payer, self).order(channel, message)  # type: ignore[arg-type]

        def act(self, message: object) -> object:  # type: ignore[override]

            return Reply(getattr(message, "id", 0), Outcome.REFUSED, "the disk of vm1 is full")

    async with budgeted(Unwilling(), DAY) as here:
        assert (await spawn(here, "a1")).outcome == "refused"
        await here.until(lambda: budget(here).granted == 0)
        await here.until(lambda: here.ledger.read("select * from grants") == [])


async def test_where_no_budget_is_there_is_no_grant(home: World) -> None:
    host = Payer()
    async with budgeted(host, '[budgets.tell]\nlimit = "1"\nladder = [{ at = 50, do = "notify" }]\n') as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        assert host.runners["a1", 1].grant is None
        host.work("a1", 200 * CENT)
        await here.until(lambda: budget(here, "tell").reached == 1)
        assert host.work("a1")
        assert host.grants == []


async def test_the_end_of_a_period_brings_new_money_and_nobody_stops_on_the_way(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        host.clock = lambda: here.now
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        for _ in range(10):
            assert host.work("a1")
            await here.until(lambda: budget(here).spent == host.spent)
            await here.engine.wait_idle()
        was = budget(here)
        here.now = was.ends - 100_000
        here.engine.budgets.schedule()
        await here.until(lambda: host.grants and host.grants[-1].lasts > 20 * HOUR)
        here.now = was.ends + 1
        here.engine.budgets.schedule()
        await here.until(lambda: budget(here).began == was.ends)
        assert budget(here).spent == 0
        assert budget(here).granted > 0
        assert host.work("a1")
        await here.until(lambda: budget(here).spent == 10 * CENT)


async def test_a_ledger_that_cannot_be_written_grants_nothing_and_says_so_until_it_can(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "BUSY", 0.02)
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        await here.engine.wait_idle()
        other = sqlite3.connect(here.ledger.path, timeout=60, isolation_level=None)
        other.execute("begin immediate")
        refused = await spawn(here, "a2")
        assert "nothing was started: the ledger" in refused.reason
        before = len(host.grants)
        while host.work("a1"):
            pass
        here.engine.budgets.schedule()
        await here.until(lambda: "ledger" in here.engine.store.fleet.alarms)
        alarm = here.engine.store.fleet.alarms["ledger"]
        assert alarm.level == "danger"
        assert "no agent is granted anything" in alarm.text
        assert "held by another process" in alarm.text
        assert len(host.grants) == before
        other.execute("rollback")
        other.close()
        await here.until(lambda: "ledger" not in here.engine.store.fleet.alarms, "it to be well again")


async def test_a_host_that_is_away_when_a_budget_comes_is_told_of(home: World) -> None:
    host = Payer()
    running(host, "a1")
    async with budgeted(host, "") as here:
        host.reachable = False
        host.cut()
        await here.until(lambda: not here.engine.store.fleet.reachable(here.agent("vm1/a1")))
        await here.order(SetBudget(BudgetRule("day", DOLLAR)))
        await here.until(lambda: "ungranted" in here.engine.store.fleet.alarms)
        assert "no budget binds vm1/a1 until the link is back" in here.engine.store.fleet.alarms["ungranted"].text
        host.reachable = True
        await here.until(lambda: host.grants)
        await here.until(lambda: "ungranted" not in here.engine.store.fleet.alarms)


async def test_a_mistake_of_our_own_is_said_and_the_looking_goes_on(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        await here.engine.wait_idle()
        monkeypatch.setattr(controller, "AGAIN", 0.01)
        monkeypatch.setattr(Sharing, "shares", lambda *_: 1 // 0)
        here.engine.budgets.schedule()
        await here.until(lambda: "ledger" in here.engine.store.fleet.alarms)
        assert "ZeroDivisionError" in here.engine.store.fleet.alarms["ledger"].text
        monkeypatch.undo()
        await here.until(lambda: "ledger" not in here.engine.store.fleet.alarms)


@pytest.mark.parametrize("words", ["", "day"])
async def test_a_budget_of_the_users_own_file_is_not_changed(home: World, words: str) -> None:
    async with budgeted(Payer(), DAY) as here:
        wanted = RemoveBudget("day") if words else SetBudget(BudgetRule("day", DOLLAR))
        refused = await here.order(wanted)
        assert refused.outcome == "refused"
        assert "day is a budget by" in refused.reason
        assert (await here.order(RemoveBudget("days"))).reason == "there is no budget 'days': did you mean day?"


def orders_of(host: Payer) -> list[object]:

    return [message for message in host.heard if isinstance(message, Grant)]


@pytest.mark.parametrize(
    "intent",
    [ReassignAgent("vm1/a1", 1, "go on"), RetryAgent("vm1/a1", 1), ResumeAgent("vm1/a1", 1)],
)
async def test_who_has_an_agent_go_on_before_the_price_sheet_is_read_is_heard_once_it_is(
    home: World, intent: Intent
) -> None:
    reading, read = threading.Event(), threading.Event()

    def prices() -> Sheet:
        reading.set()
        read.wait(60)
        return PRICES

    async with budgeted(Payer(), DAY, prices) as here:
        try:
            await here.until(reading.is_set)
            begun = asyncio.create_task(here.engine.submit(intent, "ann"))
            for _ in range(10):
                await asyncio.sleep(0)
            assert not begun.done()
        finally:
            read.set()
        assert "price sheet" not in (await begun).reason


async def test_who_spawns_before_the_price_sheet_is_read_is_not_told_off(home: World) -> None:
    """An engine that was started by that very order still reads it."""
    reading, read = threading.Event(), threading.Event()

    def prices() -> Sheet:
        reading.set()
        read.wait(60)
        return PRICES

    async with budgeted(Payer(), DAY, prices) as here:
        try:
            await here.until(reading.is_set)
            begun = asyncio.create_task(spawn(here, "a1"))
            for _ in range(10):
                await asyncio.sleep(0)
            assert not begun.done()
        finally:
            read.set()
        assert (await begun).outcome == "done"
