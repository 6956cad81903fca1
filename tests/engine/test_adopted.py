"""Agents that others started, in the engine: seen, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import events, intents, model
from controlroom.domain.model import State
from controlroom.domain.reduce import ADOPTED_SHOWN
from controlroom.engine.host_events import SWEEP
from controlroom.text.states import AgentKind
from tests.engine import scripted
from tests.engine.rooms import room
from tests.engine.scripted import NOON, ScriptedHost

SPAWN = intents.SpawnAgent("a1", "write the docs", "vm1")

pytestmark = pytest.mark.usefixtures("home")


async def test_agents_of_others_stand_in_no_book() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        theirs = model.Agent("vm1", "~work", 0, AgentKind.ADOPTED, State.WAITING, NOON)
        here.engine.host_events.happened(events.AdoptedObserved("vm1", (theirs,), NOON))
        assert (await here.order(SPAWN)).outcome == "done"
        assert here.agent("vm1/~work").state is State.WAITING
        conclusion = await here.order(intents.KillAgent("vm1/~work", 0))
        assert conclusion.outcome == "refused"
        assert "not started here" in conclusion.reason
        assert len(scripted.orders(host)) == 1
        await here.engine.wait_idle()
    async with room(host) as here:
        assert {agent.name for agent in here.ledger.agents} == {"a1"}


ENDED = model.Agent(
    "vm1",
    "~work",
    0,
    AgentKind.ADOPTED,
    State.FAILED,
    NOON - 1000,
    "it ended in the middle of a turn; its exit code is not known",
    model="claude-opus-5-5",
    cwd="/srv/work",
    session="s-1",
    started=NOON - 60_000,
    ended=NOON - 1000,
    evidence=(model.Evidence("process", "failed", "process 7 is gone", NOON - 1000),),
    last_line="no",
    last_line_at=NOON - 2000,
    place="tmux work",
)


async def test_one_that_has_ended_outlives_the_engine_and_goes_when_its_host_says_it_lives_or_it_is_forgotten() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        other = replace(ENDED, name="~other")
        here.engine.host_events.happened(events.AdoptedObserved("vm1", (ENDED, other), NOON, complete=False))
        assert here.agent("vm1/~work") == ENDED
        await here.order(intents.ForgetAgent("vm1/~other", 0))
    async with room(host, up=False) as here:
        assert here.agent("vm1/~work") == ENDED, "before its host was heard"
        await here.up()
        here.engine.host_events.happened(events.AdoptedObserved("vm1", (), NOON))
        assert here.agent("vm1/~work") == ENDED
        assert "vm1/~other" not in here.engine.store.fleet.agents
        lives = replace(ENDED, state=State.WORKING, ended=0, pid=7)
        here.engine.host_events.happened(events.AdoptedObserved("vm1", (lives,), NOON))
    async with room(host, up=False) as here:
        assert "vm1/~work" not in here.engine.store.fleet.agents


async def test_one_that_has_ended_leaves_after_a_day_though_there_is_no_news_of_others() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        here.engine.host_events.happened(events.AdoptedObserved("vm1", (ENDED,), NOON, complete=False))
        here.now += ADOPTED_SHOWN - 10_000
        await here.order(SPAWN)
        assert here.agent("vm1/~work") == ENDED
        here.now += 2 * SWEEP
        await here.until(lambda: "vm1/~work" not in here.engine.store.fleet.agents)
        await here.engine.wait_idle()
        assert here.ledger.read("select * from ended_adopted") == []
