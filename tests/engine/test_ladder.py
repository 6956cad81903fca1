"""Ladders: each rung does what it says, once in a period; who was paused goes on when there is money again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from controlroom.domain.budgets import Rung, RungAction, StopOrder
from controlroom.domain.display.explain import explain
from controlroom.domain.intents import ForgetAgent, KillAgent, ReassignAgent, RemoveBudget, SetBudget, SpawnAgent
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.orders import Result
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from tests.engine.budgeted import DOLLAR, budget, budgeted, spawn
from tests.engine.granted import CENT, Payer, running
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON
from tests.lab.world import World

RULE = BudgetRule(
    "day", 10 * DOLLAR, rungs=(Rung(50, RungAction.NOTIFY), Rung(80, RungAction.HOLD), Rung(100, RungAction.PAUSE))
)
PROFILES = """
[profiles.low]
command = ["claude"]
[profiles.high]
priority = 5
model = "claude-opus-5-5"
"""


def said(here: Room, verb: str) -> list[str]:
    return [line.reason for line in here.ledger.audit(1000) if line.verb == verb]


def paused(here: Room) -> list[tuple[str, str, int, str]]:
    """Who was paused, as the audit has it; a budget's rung is another line."""
    lines = [line for line in here.ledger.audit(1000) if line.verb == "pause" and line.epoch]
    return [(line.who, line.target, line.epoch, line.reason) for line in lines]


async def spend(here: Room, host: Payer, name: str, messages: int) -> None:
    """An agent answers so many messages of forty cents."""
    for _ in range(messages):
        assert host.work(name, 40 * CENT)
        await here.until(lambda: budget(here).spent == host.spent)
        await here.engine.wait_idle()


async def exhaust(here: Room, host: Payer) -> None:
    """All agents work until none may any more, and none is resumed any more."""
    while host.all_work(*host.agents):
        await here.until(lambda: budget(here).spent == host.spent)
        await here.engine.wait_idle()


async def test_each_rung_is_done_once_told_and_audited(home: World) -> None:
    host = Payer()
    running(host, "a1")
    rule = replace(RULE, rungs=(Rung(50, RungAction.NOTIFY), Rung(80, RungAction.HOLD)))
    async with budgeted(host, "") as here:
        await here.order(SetBudget(rule))
        host.work("a1", 520 * CENT)
        await here.until(lambda: "budget day" in here.engine.store.fleet.alarms)
        assert here.engine.store.fleet.alarms["budget day"].text == "budget day (fleet): 52 % of $10.00 is gone"
        host.work("a1", 10 * CENT)
        host.work("a1", 300 * CENT)
        await here.until(lambda: budget(here).reached == 2)
        await here.until(lambda: "new work is held" in here.engine.store.fleet.alarms["budget day"].text)
        refused = await spawn(here, "a2")
        assert refused.outcome == "refused"
        assert "budget day (fleet) holds new work from 80 % on: $8.30 of $10.00 is gone" in refused.reason
        held = await here.order(ReassignAgent("vm1/a1", 1, "other"))
        assert "holds new work" in held.reason
    async with room(host) as again:
        await again.order(SetBudget(rule))
        await again.until(lambda: budget(again).reached == 2)
        await again.engine.wait_idle()
        assert len(said(again, "notify")) == len(said(again, "hold")) == 1, "a rung is done once in a period"
        assert "budget day" in again.engine.store.fleet.alarms
        await again.order(SetBudget(replace(rule, limit=100 * DOLLAR)))
        await again.until(lambda: "budget day" not in again.engine.store.fleet.alarms)
        assert await spawn(again, "a2") == Result(Outcome.DONE)


async def test_new_work_goes_to_a_cheaper_model(home: World) -> None:
    host = Payer()
    running(host, "a1")
    async with budgeted(host, PROFILES) as here:
        await here.order(SetBudget(replace(RULE, rungs=(Rung(50, RungAction.CHEAPER),))))
        host.work("a1", 600 * CENT)
        await here.until(lambda: budget(here).reached == 1)
        assert await spawn(here, "a2", "high") == Result(Outcome.DONE)
        assert await here.order(SpawnAgent("a3", "x", host="vm1", model="claude-haiku-5-5")) == Result(Outcome.DONE)
        assert await here.order(SpawnAgent("a4", "x", host="vm1")) == Result(Outcome.DONE)
        models = {name: spec.model for (name, _), (spec, _) in host.specs.items()}
        assert models == {"a2": "sonnet", "a3": "claude-haiku-5-5", "a4": "sonnet"}
        assert any(
            "sonnet instead of claude-opus-5-5: budget day goes cheaper" in reason for reason in said(here, "spawn")
        )


async def test_agents_at_work_go_over_to_a_cheaper_model_and_back_where_the_profile_says_so(home: World) -> None:
    host = Payer()
    switches = '[profiles.live]\nmodel = "opus"\nswitch_model = true\n[profiles.stays]\nmodel = "opus"\n'
    async with budgeted(host, switches) as here:
        await here.order(SetBudget(replace(RULE, rungs=(Rung(50, RungAction.CHEAPER),))))
        assert await spawn(here, "a1", "live") == Result(Outcome.DONE)
        assert await spawn(here, "a2", "stays") == Result(Outcome.DONE)
        host.work("a1", 600 * CENT)

        def told() -> list[tuple[str, str]]:
            tells = (message for message in host.heard if isinstance(message, wire.Tell))
            return [(tell.name, tell.text) for tell in tells if tell.what == "model"]

        await here.until(lambda: told() == [("a1", "sonnet")])
        await here.until(lambda: (work := here.agent("vm1/a1").ordered) is not None and work.model == "sonnet")
        notes = dict(explain(here.engine.store.fleet, here.agent("vm1/a1"), NOON).notes)
        assert notes["model"] == "sonnet instead of opus: budget day goes cheaper"
        await here.order(SetBudget(replace(RULE, limit=100 * DOLLAR, rungs=(Rung(50, RungAction.CHEAPER),))))
        await here.until(lambda: told() == [("a1", "sonnet"), ("a1", "opus")])
        await here.engine.wait_idle()
        assert said(here, "model") == ["sonnet instead of opus", "", "opus instead of sonnet", ""]


async def test_who_was_paused_goes_on_by_itself_when_there_is_money_again(home: World) -> None:
    host = Payer()
    async with budgeted(host, PROFILES) as here:
        await here.order(SetBudget(replace(RULE, limit=2 * DOLLAR)))
        for name, profile in (("a1", "low"), ("a2", "high"), ("a3", "low")):
            assert await spawn(here, name, profile) == Result(Outcome.DONE)
        assert await here.order(KillAgent("vm1/a3", 1)) == Result(Outcome.DONE)
        await exhaust(here, host)
        await here.until(lambda: {here.agent(f"vm1/{name}").state for name in ("a1", "a2")} == {"paused"})
        await here.engine.wait_idle()
        ended = await here.order(KillAgent("vm1/a1", here.agent("vm1/a1").epoch))
        assert "it goes on by itself when there is money again" in ended.reason
        was = {name: here.agent(f"vm1/{name}").epoch for name in ("a1", "a2")}
        host.heard.clear()
        await here.order(SetBudget(replace(RULE, limit=20 * DOLLAR)))
        await here.until(lambda: sum(isinstance(message, wire.Spawn) for message in host.heard) == 2)
        spawns = [message for message in host.heard if isinstance(message, wire.Spawn)]
        assert {message.name: message.epoch - 1 for message in spawns} == was
        assert [message.name for message in spawns] == ["a2", "a1"], "the higher priority first"
        assert all(message.spec.resume == f"s-{message.name}" for message in spawns)
        assert all(message.grant and (message.grant.allowance.billed or 0) > 0 for message in spawns)
        assert all("budget allows it again" in message.task for message in spawns)
        assert here.agent("vm1/a3").state == "done", "whom somebody ended stays ended"
        assert host.work("a1")


async def test_whom_a_budget_has_paused_stands_in_the_audit_once(home: World) -> None:
    host = Payer()
    async with budgeted(host, "") as here:
        await here.order(SetBudget(replace(RULE, limit=DOLLAR // 2, rungs=(Rung(100, RungAction.PAUSE),))))
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        await exhaust(here, host)
        await here.until(lambda: paused(here))
        assert paused(here)[0] == ("budget", "vm1/a1", 1, "budget: all of it spent")
    async with room(host) as again:
        await again.order(SetBudget(replace(RULE, limit=DOLLAR // 2, rungs=(Rung(100, RungAction.PAUSE),))))
        await again.until(lambda: again.agent("vm1/a1").state == "paused")
        await again.engine.wait_idle()
        assert len(paused(again)) == len(set(paused(again))), "another engine sees the same pause"


async def test_without_the_budget_everybody_goes_on_and_what_was_forgotten_does_not(home: World) -> None:
    host = Payer()
    async with budgeted(host, "") as here:
        await here.order(SetBudget(replace(RULE, limit=DOLLAR // 2)))
        for name in ("a1", "a2"):
            assert await spawn(here, name) == Result(Outcome.DONE)
        await exhaust(here, host)
        await here.until(lambda: all(agent.state == "paused" for agent in here.engine.store.fleet.agents.values()))
        assert (await here.order(ForgetAgent("vm1/a2", here.agent("vm1/a2").epoch))).outcome == "done"
        await here.order(RemoveBudget("day"))
        await here.until(lambda: here.agent("vm1/a1").state == "working")
        assert "vm1/a2" not in here.engine.store.fleet.agents


async def test_a_rung_that_ends_agents_ends_the_lowest_priority_first(home: World) -> None:
    host = Payer()
    async with budgeted(host, PROFILES) as here:
        await here.order(
            SetBudget(
                replace(
                    RULE, rungs=(Rung(20, RungAction.INTERRUPT), Rung(40, RungAction.STOP), Rung(100, RungAction.PAUSE))
                )
            )
        )
        for name, profile in (("low", "low"), ("high", "high")):
            assert await spawn(here, name, profile) == Result(Outcome.DONE)
        await spend(here, host, "high", 6)
        await here.until(lambda: [m.name for m in host.heard if isinstance(m, wire.Tell)] == ["low"])
        await spend(here, host, "high", 6)
        await here.until(lambda: [m.name for m in host.heard if isinstance(m, wire.Kill)] == ["low"])
        assert here.agent("vm1/high").state == "working"
        who = {(line.who, line.verb) for line in here.ledger.audit(1000)}
        assert {("budget day", "interrupt"), ("budget day", "stop"), ("budget day", "kill")} <= who


async def test_a_disarmed_budget_only_says_what_it_would_do(home: World) -> None:
    host = Payer()
    running(host, "a1")
    async with budgeted(host, "") as here:
        await here.order(SetBudget(replace(RULE, dry_run=True)))
        host.work("a1", 1000 * CENT)
        await here.until(lambda: budget(here).reached == 3)
        await here.until(lambda: said(here, "pause"))
        assert "armed, it would pause agents" in said(here, "pause")[0]
        assert host.grants == []
        assert await spawn(here, "a2") == Result(Outcome.DONE)
        assert here.engine.store.fleet.alarms["budget day"].level == "warning"


async def test_a_disarmed_budget_that_is_armed_does_what_it_said(home: World) -> None:
    host = Payer()
    running(host, "a1")
    rule = replace(RULE, rungs=(Rung(50, RungAction.STOP), Rung(100, RungAction.PAUSE)), dry_run=True)
    async with budgeted(host, "") as here:
        await here.order(SetBudget(rule))
        host.work("a1", 600 * CENT)
        await here.until(lambda: said(here, "stop"))
        await here.engine.wait_idle()
        assert not any(isinstance(message, wire.Kill) for message in host.heard)
        await here.order(SetBudget(replace(rule, dry_run=False)))
        await here.until(lambda: [m.name for m in host.heard if isinstance(m, wire.Kill)] == ["a1"])
        await here.until(lambda: ["armed, it would" in reason for reason in said(here, "stop")] == [True, False])


async def test_a_budget_that_is_raised_or_made_again_is_climbed_again(home: World) -> None:
    host = Payer()
    running(host, "a1")
    rule = replace(RULE, rungs=(Rung(50, RungAction.NOTIFY), Rung(100, RungAction.PAUSE)))
    async with budgeted(host, "") as here:
        await here.order(SetBudget(rule))
        await spend(here, host, "a1", 13)
        await here.until(lambda: len(said(here, "notify")) == 1)
        await here.order(SetBudget(replace(rule, limit=20 * DOLLAR)))
        await spend(here, host, "a1", 1)
        assert len(said(here, "notify")) == 1, "it is not reached any more"
        host.work("a1", 500 * CENT)
        await here.until(lambda: len(said(here, "notify")) == 2)
        await here.order(SetBudget(replace(rule, limit=20 * DOLLAR, order=StopOrder.ALL)))
        await here.order(RemoveBudget("day"))
        await here.order(SetBudget(rule))
        await here.until(lambda: len(said(here, "notify")) == 3)
        await here.engine.wait_idle()
    async with room(host) as again:
        await again.order(SetBudget(rule))
        await again.until(lambda: budget(again).reached)
        await again.engine.wait_idle()
        assert len(said(again, "notify")) == 3, "what was done of the newest is remembered"


async def test_the_operators_command_is_told_what_was_reached(home: World, tmp_path: Path) -> None:
    host = Payer()
    running(host, "a1")
    told = tmp_path / "told"
    script = tmp_path / "tell"
    say = '{ cat; echo; echo "$CONTROLROOM_BUDGET_ACTION $1"; }'
    script.write_text(f"#!/bin/sh\n{say} > {told}.new\nmv {told}.new {told}\n")
    script.chmod(0o700)
    async with budgeted(host, "") as here:
        rule = replace(RULE, rungs=(Rung(50, RungAction.NOTIFY),), command=(str(script), "$(touch /never)"))
        await here.order(SetBudget(rule))
        host.work("a1", 600 * CENT)
        await here.until(told.exists)
        facts, line = told.read_text().splitlines()
        assert json.loads(facts)["spent"] == 6 * DOLLAR
        assert line == "notify $(touch /never)"
