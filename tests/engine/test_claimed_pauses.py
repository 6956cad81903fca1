"""A host says that a budget has paused an agent: only what this room granted there, and ran dry, is taken for that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import SetBudget, SpawnAgent
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.money.resumption import NOTHING
from controlroom.domain.orders import Result
from controlroom.engine.budgets.pauses import UNSPENT
from controlroom.protocol.messages import Answered, Submit
from controlroom.text.states import Outcome
from controlroom.wire.messages import Spawn
from tests.engine.budgeted import DAY, DOLLAR, budget, budgeted, spawn
from tests.engine.granted import CENT, Payer
from tests.engine.leading import LEAD, give, leading
from tests.engine.rooms import Room
from tests.lab.world import World

MINUTE = 60_000


def claim(host: Payer, here: Room, name: str = "a1", cause: str = "budget", detail: str = "nothing is left") -> None:
    """A host says that a budget has paused an agent."""
    host.agents[name] = replace(host.agents[name], state="paused", cause=cause, detail=detail, ended=here.now, pid=0)
    host.show()


async def settled(here: Room) -> None:
    here.now += 2 * MINUTE
    here.engine.budgets.schedule()
    await here.engine.wait_idle()


def spawns(host: Payer) -> int:
    return sum(isinstance(message, Spawn) for message in host.heard)


@pytest.mark.parametrize("config", ["", DAY])
@pytest.mark.parametrize("cause", ["budget", ""])
async def test_a_claimed_pause_that_no_grant_explains_is_neither_resumed_nor_counted(
    home: World, config: str, cause: str
) -> None:
    host = Payer()
    async with budgeted(host, config) as here:
        host.clock = lambda: here.now
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        claim(host, here, cause=cause, detail="budget: all of it spent")
        await here.until(lambda: here.agent("vm1/a1").state == "paused")
        await settled(here)
        assert spawns(host) == 1
        await here.until(lambda: UNSPENT in here.engine.store.fleet.alarms)
        assert here.engine.store.fleet.alarms[UNSPENT].text.startswith("vm1/a1: said to be paused by a budget")
        assert not [line for line in here.ledger.audit(1000) if line.verb == "pause"]
        if config:
            assert budget(here).reached == 0


async def test_who_has_run_dry_goes_on_also_after_another_engine_has_begun(home: World) -> None:
    host = Payer()
    async with budgeted(host, "") as here:
        host.clock = lambda: here.now
        await here.order(SetBudget(BudgetRule("day", DOLLAR // 2)))
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        while host.work("a1"):
            await here.until(lambda: here.agent("vm1/a1").spent == host.spent)
            await here.engine.wait_idle()
        await here.until(lambda: here.agent("vm1/a1").state == "paused")
        await settled(here)
        assert UNSPENT not in here.engine.store.fleet.alarms
    async with budgeted(host, "") as here:
        host.clock = lambda: here.now
        here.now += 4 * MINUTE
        await here.order(SetBudget(BudgetRule("day", 100 * DOLLAR)))
        await here.until(lambda: here.agent("vm1/a1").state == "working")


async def test_a_newer_runner_that_names_another_cause_is_not_read_by_its_words(home: World) -> None:
    host = Payer()
    async with budgeted(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        claim(host, here, cause="none", detail="budget: so it says")
        await here.until(lambda: here.agent("vm1/a1").state == "paused")
        host.work("a1", CENT)
        await settled(here)
        assert spawns(host) == 1
        assert UNSPENT not in here.engine.store.fleet.alarms


async def test_who_was_paused_before_its_first_request_is_given_its_task_again(home: World) -> None:
    """It has no session to go on in: the budget was used up by others while it started."""
    host = Payer()
    async with budgeted(host, "") as here:
        host.clock = lambda: here.now
        await here.order(SetBudget(BudgetRule("day", 2 * DOLLAR)))
        for name in ("a1", "a2"):
            assert await spawn(here, name) == Result(Outcome.DONE)
        host.agents["a1"] = replace(host.agents["a1"], session="")
        assert host.work("a2", 40 * CENT)
        await here.until(lambda: budget(here).spent == host.spent)
        await here.order(SetBudget(BudgetRule("day", CENT)))
        await here.until(lambda: here.agent("vm1/a1").state == "paused")
        await settled(here)
        assert (spawns(host), here.agent("vm1/a1").session) == (2, "")
        host.heard.clear()
        await here.order(SetBudget(BudgetRule("day", 20 * DOLLAR)))
        await here.until(lambda: spawns(host) == 2)
        again = {message.name: message for message in host.heard if isinstance(message, Spawn)}
        assert (again["a1"].epoch, again["a1"].task, again["a1"].spec.resume) == (2, "write", "")
        assert again["a2"].spec.resume == "s-a2"
        await settled(here)
        assert spawns(host) == 2


async def begun(here: Room, host: Payer) -> None:
    """Have an agent work under a budget of two dollars, of which it has spent 40 cents."""
    host.clock = lambda: here.now
    await here.order(SetBudget(BudgetRule("day", 2 * DOLLAR)))
    assert await spawn(here, "a1") == Result(Outcome.DONE)
    assert host.work("a1", 40 * CENT)
    await here.until(lambda: budget(here).spent == host.spent)


async def test_who_was_paused_while_its_budget_was_raised_goes_on(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new grant came too late for its run, and its host says so: it ran dry by the one before."""
    host = Payer()
    async with budgeted(host, "") as here:
        await begun(here, host)
        with monkeypatch.context() as silent:
            silent.setattr(host, "show", lambda: None)
            await here.order(SetBudget(BudgetRule("day", CENT)))
            await here.until(lambda: host.agents["a1"].state == "paused")
            given = len(host.grants)
            await here.order(SetBudget(BudgetRule("day", 20 * DOLLAR)))
            await here.until(lambda: len(host.grants) > given)
        host.show()
        await here.until(lambda: spawns(host) == 2)
        await settled(here)
        assert UNSPENT not in here.engine.store.fleet.alarms


@pytest.mark.parametrize("told", [True, False], ids=["refused before", "refused after"])
async def test_who_ran_dry_before_a_grant_that_its_host_refused_goes_on_under_the_next_engine(
    home: World, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """What its run was granted last is what it took, whichever engine hears that it took no more."""
    host = Payer()
    async with budgeted(host, "") as here:
        await begun(here, host)
        with monkeypatch.context() as silent:
            silent.setattr(host, "show", lambda: None)
            await here.order(SetBudget(BudgetRule("day", CENT)))
            await here.until(lambda: host.agents["a1"].state == "paused")
            given = len(host.grants)
            if not told:
                silent.setattr(here.engine.budgets, "replied", lambda *_: None)
            await here.order(SetBudget(BudgetRule("day", 20 * DOLLAR)))
            await here.until(lambda: len(host.grants) > given)
            if told:
                await here.engine.wait_idle()
    async with budgeted(host, "") as here:
        host.clock = lambda: here.now
        here.now += 4 * MINUTE
        here.engine.budgets.schedule()
        await here.until(lambda: spawns(host) == 2)
        assert UNSPENT not in here.engine.store.fleet.alarms


class Alone(Payer):
    """Its agents have no subagents, and it says so from the first."""

    def look(self, name: str) -> None:
        self.agents[name] = replace(self.agents[name], subagents=0)
        super().look(name)


async def test_who_was_refused_while_another_began_goes_on_a_second_later_under_the_next_engine(home: World) -> None:
    """While nobody knows what the first one's messages cost, much of the lead's ceiling is kept back for them."""
    host, names = Alone(), ("w1", "w2")
    async with budgeted(host, "[profiles.docs]\n") as here:
        assert (await give(here, replace(LEAD, limit=2 * DOLLAR))).ok
        session = await leading(here, *(Submit(at, SpawnAgent(name, "x")) for at, name in enumerate(names, 1)))
        await session.until_told(Answered, 2)
        assert len(host.runners) == 2
        await here.engine.wait_idle()
        session.connection.close()
    while host.all_work(*names):
        pass
    async with budgeted(host, "[profiles.docs]\n") as here:
        host.clock = lambda: here.now
        await here.until(lambda: spawns(host) >= 3)
        await here.engine.wait_idle()
        here.now += NOTHING
        here.engine.budgets.schedule()
        await here.until(lambda: {here.agent(f"vm1/{name}").state for name in names} == {"working"})
        assert spawns(host) == 4
