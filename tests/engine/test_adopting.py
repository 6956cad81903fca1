"""Agents that others started and that a room has taken over: named, found again, stopped, and gone on with."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.budgets import BudgetUnit, Rung, RungAction
from controlroom.domain.display.explain import explain
from controlroom.domain.events import BudgetsSeen
from controlroom.domain.model import Agent, State
from controlroom.domain.money.budget import BudgetRule
from controlroom.engine.adopted_care import AGAIN
from controlroom.engine.budgets.ladder import Ladder
from controlroom.protocol.home import find_home
from controlroom.text.states import AdoptedSignal, Cause
from controlroom.wire import messages as wire
from controlroom.wire.usage import LimitsSeen, WindowSeen
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, seen
from tests.engine.strangers import LATER, MARK, SCRIPT, SESSION, Strangers, other

pytestmark = pytest.mark.usefixtures("home")

ID = "vm1/~agent-1"
ANN = "ann@example.org"
PAUSES = (Rung(100, RungAction.PAUSE),)


async def theirs(here: Room, id_: str = ID) -> Agent:
    """An agent of others, once its host has told of it."""
    await here.until(lambda: id_ in here.engine.store.fleet.agents)
    return here.agent(id_)


async def adopt(here: Room, name: str = "api-1", **more: object) -> None:
    await theirs(here)
    result = await here.order(intents.AdoptAgent(ID, here.agent(ID).mark, name, **more))  # type: ignore[arg-type]
    assert result.outcome == "done", result


async def test_a_name_is_bound_to_the_process_it_was_given_to_whatever_restarts() -> None:
    host = Strangers(other())
    async with room(host) as here:
        await adopt(here)
        assert [agent.id for agent in here.engine.store.fleet.find("api-1")] == [ID]
        assert [agent.id for agent in here.engine.store.fleet.find("vm1/api-1")] == [ID]
        assert [line.reason for line in here.ledger.audit() if line.verb == "adopt"] == ["taken over as api-1"]
    host.others = {"~other": other("~other")}
    async with room(host) as here:
        found = await theirs(here, "vm1/~other")
        assert (found.called, found.held) == ("api-1", True), "another node may call it otherwise"
        host.others = {"~other": other("~other", LATER)}
        host.say_others()
        await here.until(lambda: here.agent("vm1/~other").mark == LATER)
        assert (here.agent("vm1/~other").called, here.agent("vm1/~other").held) == ("~other", False)
        assert here.engine.store.fleet.find("api-1") == []


async def test_what_a_script_runs_next_is_the_same_agent() -> None:
    host = Strangers(other(script=SCRIPT))
    async with room(host) as here:
        await adopt(here)
        host.others = {"~agent-1": other(mark=LATER, script=SCRIPT)}
        host.say_others()
        await here.until(lambda: here.agent(ID).mark == LATER)
        assert here.agent(ID).called == "api-1"
        assert (await here.order(intents.KillAgent(ID, 0, LATER))).ok
    (sent,) = host.signals()
    assert (sent.mark, sent.script, sent.signal) == (LATER, SCRIPT, AdoptedSignal.END)


async def test_only_the_process_that_was_shown_is_signalled_and_only_once_it_was_taken_over() -> None:
    host = Strangers(other(), other("~agent-2", LATER, session=""))
    async with room(host) as here:
        await theirs(here)
        for intent in (intents.KillAgent, intents.PauseAgent, intents.InterruptAgent):
            assert "was not started here" in (await here.order(intent(ID, 0, MARK))).reason
        assert (await here.order(intents.AdoptAgent(ID, LATER))).reason.endswith("another process by now: look again")
        await adopt(here)
        assert (await here.order(intents.KillAgent(ID, 0, LATER))).outcome == "refused"
        assert (await here.order(intents.SendMessage(ID, 0, "hello"))).outcome == "refused"
        assert "signal to its processes is all" in (await here.order(intents.SendMessage(ID, 0, "hello"))).reason
        taken = await here.order(intents.AdoptAgent("vm1/~agent-2", LATER, "api-1"))
        assert (taken.outcome, "is there already" in taken.reason) == ("refused", True)
        assert "taken over as api-1" in (await here.order(intents.SpawnAgent("api-1", "t", "vm1"))).reason
        assert host.signals() == []
        assert (await here.order(intents.InterruptAgent(ID, 0, MARK))).ok
        assert (await here.order(intents.KillAgent(ID, 0, MARK))).ok
        await here.until(lambda: here.agent(ID).has_ended)
        assert [signal.signal for signal in host.signals()] == [AdoptedSignal.INTERRUPT, AdoptedSignal.END]
        assert (here.agent(ID).state, here.agent(ID).detail) == (State.DONE, "ended by a signal from here")
        notes = dict(explain(here.engine.store.fleet, here.agent(ID), NOON).notes)
        assert "a signal to its processes is all that reaches it" in notes["adopted"]


async def test_a_lost_order_is_looked_up_among_the_agents_of_others() -> None:
    host = Strangers(other())
    async with room(host) as here:
        await adopt(here)
        host.order = lambda channel, message: host.cut()  # type: ignore[method-assign]
        still = await here.order(intents.KillAgent(ID, 0, MARK))
        assert (still.outcome, "still runs" in still.reason) == ("unknown", True), still
        await here.up()

        def lost(channel: object, message: wire.ToNode) -> None:
            host.act(message)
            host.cut()

        host.order = lost  # type: ignore[method-assign]
        assert (await here.order(intents.KillAgent(ID, 0, MARK))).outcome == "done"


async def test_a_halt_that_kills_ends_a_program_of_which_nothing_says_what_it_does() -> None:
    """SIGINT would end it, too: a halt that only interrupts leaves it alone, and says so."""
    host = Strangers(replace(other(session=""), state="unknown"))
    async with room(host) as here:
        await adopt(here)
        said = await here.order(intents.HaltRoom())
        assert f"commands run on, --kill ends them: {ID}" in said.reason
        assert host.signals() == []
        said = await here.order(intents.HaltRoom(kill=True))
        await here.until(lambda: here.agent(ID).has_ended)
        assert [signal.signal for signal in host.signals()] == [AdoptedSignal.END]


async def test_a_halt_stops_those_that_were_taken_over_and_leaves_the_others() -> None:
    host = Strangers(other(), other("~agent-2", LATER, session=""))
    async with room(host) as here:
        await adopt(here)
        said = await here.order(intents.HaltRoom())
        assert "1 agent is interrupted" in said.reason
        assert "not touched: vm1/~agent-2" in said.reason
        said = await here.order(intents.HaltRoom(kill=True))
        await here.until(lambda: here.agent(ID).has_ended)
        assert {(signal.mark, signal.signal) for signal in host.signals()} == {
            (MARK, AdoptedSignal.INTERRUPT),
            (MARK, AdoptedSignal.END),
        }
        assert here.agent("vm1/~agent-2").lives
        assert (await here.order(intents.RestartAdopted(ID, MARK))).outcome == "refused"
        assert (await here.order(intents.ResumeRoom())).ok
        assert not any(isinstance(message, wire.Tell) for message in host.heard)


@pytest.mark.parametrize("action", [RungAction.INTERRUPT, RungAction.PAUSE, RungAction.STOP])
async def test_a_rung_of_a_budget_stops_those_that_were_taken_over(action: RungAction) -> None:
    host = Strangers(other(), other("~agent-2", LATER, session=""))
    async with room(host) as here:
        await adopt(here)
        rule = BudgetRule("day", 10_000_000, scope=f"agent {ID}", rungs=(Rung(100, action),))
        here.engine.budgets.ruled({"day": rule})
        await here.engine.wait_idle()
        assert host.signals() == []
        (shown,) = here.engine.store.fleet.budgets.values()
        engine = here.engine
        ladder = Ladder(engine.store, engine.ledger_writer, engine.submit, (), str)
        gone = replace(shown, spent=shown.limit, reached=1)
        here.engine.store.apply(BudgetsSeen({"day": gone}))
        ladder.climb({"day": rule}, {"day": replace(gone, dry_run=True)}, lambda _: ())
        ladder.climb({"day": rule}, {"day": gone}, lambda _: ())
        ladder.climb({"day": rule}, {"day": gone}, lambda _: ())
        await here.until(host.signals)
        await here.until(lambda: not here.agent(ID).pending)
        (sent,) = host.signals()
        assert sent.mark == MARK
        assert (sent.signal is AdoptedSignal.END) is (action is not RungAction.INTERRUPT)
        assert here.agent("vm1/~agent-2").lives


@pytest.mark.parametrize("scope", ["fleet", f"account {ANN}", "profile docs"])
async def test_a_window_of_a_plan_that_is_used_up_stops_those_that_were_taken_over(scope: str) -> None:
    cares()
    host = Strangers(other(billing="plan"), other("~agent-2", LATER, session="", billing="api"))
    host.agents["a1"] = seen("a1", billing="plan")
    async with room(host) as here:
        await adopt(here, profile="docs")
        assert (await here.order(intents.AdoptAgent("vm1/~agent-2", LATER, "api-2", profile="docs"))).ok
        rule = BudgetRule("five", 85, unit=BudgetUnit.WINDOW, window="five_hour", scope=scope, rungs=PAUSES)
        here.engine.budgets.ruled({"five": rule})
        reading = WindowSeen("five_hour", NOON, 90, NOON + 3_600_000, "allowed", "stream")
        next(iter(host.channels)).say(LimitsSeen("a1", 1, ANN, "max", (reading,)))
        await here.until(lambda: here.agent(ID).has_ended)
        assert {signal.mark for signal in host.signals()} == {MARK}, "a key pays for the other one"
        assert "paused: to go on with it: controlroom adopt" in here.agent(ID).detail
        assert here.agent("vm1/~agent-2").lives


CARE = """
local = false
[hosts.vm1]
address = "ann@vm1"
[profiles.docs]
max_hours = 8
max_memory_mb = 100
on_excess = "alarm"
quiet_minutes = 10
on_quiet = "restart"
"""


def cares(config: str = CARE) -> None:
    """Write the config of a room whose profile limits its agents."""
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(config)
    place.config.chmod(0o600)


async def test_what_its_profile_limits_is_told_and_ends_it_by_a_signal() -> None:
    cares()
    host = Strangers(other(), other("~agent-2", LATER, session=""))
    async with room(host) as here:
        await adopt(here, profile="docs")
        notes = dict(explain(here.engine.store.fleet, here.agent(ID), NOON).notes)
        words = "it is ended past 8 h or 30m at work without a word, you are told past 100 MiB of memory"
        assert f"by signals: {words}" in notes["limits"]
        load = wire.AgentLoad("~agent-1", 0, 101 << 20, 1.0, 3)
        next(iter(host.channels)).say(wire.Loads(NOON, (load, replace(load, name="~agent-2"))))
        await here.until(lambda: f"trouble {ID}" in here.engine.store.fleet.alarms)
        assert "101 MiB" in here.engine.store.fleet.alarms[f"trouble {ID}"].text
        here.engine.adopted_care.look()
        assert not here.engine.adopted_care.busy
        here.now += 8 * 3_600_000
        host.stubborn = "process 100 is another user's"
        for _ in range(2):
            here.engine.adopted_care.look()
            await here.engine.wait_idle()
        assert (len(host.signals()), here.agent(ID).lives) == (1, True), "not asked again at once"
        host.stubborn, here.now = "", here.now + AGAIN
        await here.until(lambda: here.agent(ID).has_ended)
        assert {(signal.mark, signal.signal) for signal in host.signals()} == {(MARK, AdoptedSignal.END)}
        over = here.agent(ID)
        assert (over.state, over.cause) == (State.FAILED, Cause.OVER_LIMIT)
        assert over.detail == (
            "ended by a signal from here: it has run for 8 h, the most (max_hours); to go on with it: "
            f"controlroom adopt {ID} --restart"
        )
        assert f"trouble {ID}" not in here.engine.store.fleet.alarms
        assert here.agent("vm1/~agent-2").lives, "nobody took that one over"
        await here.engine.wait_idle()
        lines = [line for line in here.ledger.audit() if line.who == "profile docs"]
        assert [line.verb for line in lines] == ["care", "kill", "care", "kill"]
        assert "8 h" in lines[0].reason
        assert [line.outcome for line in lines[1::2]] == ["refused", "done"]


async def test_one_that_is_quiet_goes_on_under_a_runner_where_that_was_ordered_and_its_clock_is_ours() -> None:
    cares()
    host = Strangers(other())
    async with room(host) as here:
        await adopt(here, profile="docs", when_ended=True)
        here.set_clock(40 * 3_600_000)
        here.engine.store.follow_clock()
        here.engine.adopted_care.look()
        await here.engine.wait_idle()
        assert host.signals() == [], "a clock that was set is no time that passed"
        here.now += 30 * 60_000
        await here.until(lambda: "vm1/api-1" in here.engine.store.fleet.agents)
        await here.engine.wait_idle()
        (sent,) = host.signals()
        assert (sent.mark, sent.session) == (MARK, SESSION)
        (spawn,) = [message for message in host.heard if isinstance(message, wire.Spawn)]
        assert (spawn.name, spawn.spec.resume, spawn.spec.profile) == ("api-1", SESSION, "docs")


async def test_its_session_goes_on_under_a_runner_once_its_process_is_proved_gone() -> None:
    host = Strangers(other(script=SCRIPT))
    async with room(host) as here:
        await theirs(here)
        asked = await here.order(intents.AdoptAgent(ID, MARK, "api-1", restart=True, task="now the tests"))
        assert (asked.outcome, asked.reason) == ("done", "")
        (sent,) = host.signals()
        assert (sent.mark, sent.script, sent.session) == (MARK, SCRIPT, SESSION)
        (spawn,) = [message for message in host.heard if isinstance(message, wire.Spawn)]
        assert host.heard.index(sent) < host.heard.index(spawn)
        assert (spawn.name, spawn.epoch, spawn.task) == ("api-1", 1, "now the tests")
        assert (spawn.spec.resume, spawn.spec.cwd, spawn.spec.kind) == (SESSION, "/srv/project", "headless")
        assert here.agent("vm1/api-1").ordered is not None
        assert [agent.id for agent in here.engine.store.fleet.find("api-1")] == ["vm1/api-1"]


async def test_nothing_is_started_while_it_does_not_end() -> None:
    host = Strangers(other())
    host.stubborn = "process 100 is another user's"
    async with room(host) as here:
        await theirs(here)
        asked = await here.order(intents.AdoptAgent(ID, MARK, "api-1", restart=True))
        assert (asked.outcome, host.stubborn in asked.reason) == ("refused", True), asked
        assert not any(isinstance(message, wire.Spawn) for message in host.heard)
        assert "vm1/api-1" not in here.engine.store.fleet.agents
        assert (here.agent(ID).called, here.agent(ID).pending) == ("api-1", None)


async def test_it_goes_on_once_it_has_ended_by_itself_and_not_when_it_was_ended_from_here() -> None:
    host = Strangers(other(), other("~agent-2", LATER, session=SESSION[:-1] + "2"))
    async with room(host) as here:
        await theirs(here)
        await adopt(here, when_ended=True)
        assert (await here.order(intents.AdoptAgent("vm1/~agent-2", LATER, "api-2", when_ended=True))).ok
        await here.order(intents.KillAgent("vm1/~agent-2", 0, LATER))
        await here.engine.wait_idle()
        assert not any(isinstance(message, wire.Spawn) for message in host.heard)
    host.end("~agent-1")
    async with room(host) as here:
        host.end("~agent-1")
        await here.until(lambda: "vm1/api-1" in here.engine.store.fleet.agents)
        await here.engine.wait_idle()
        host.end("~agent-1")
        await here.engine.wait_idle()
        (spawn,) = [message for message in host.heard if isinstance(message, wire.Spawn)]
        assert (spawn.name, spawn.spec.resume, spawn.task) == ("api-1", SESSION, intents.GO_ON)
