"""Agents that others started, in the engine: seen, and nothing else."""

from __future__ import annotations

import pytest

from controlroom.domain import events, intents, model
from controlroom.domain.model import State
from tests.fleet import scripted
from tests.fleet.rooms import room
from tests.fleet.scripted import NOON, ScriptedHost

SPAWN = intents.SpawnAgent("a1", "write the docs", "vm1")

pytestmark = pytest.mark.usefixtures("home")


async def test_agents_of_others_stand_in_no_book() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        theirs = model.Agent("vm1", "~work", 0, "adopted", State.WAITING, NOON)
        here.engine.happened(events.ForeignObserved("vm1", (theirs,), NOON))
        assert (await here.order(SPAWN)).outcome == "done"
        assert here.agent("vm1/~work").state is State.WAITING
        conclusion = await here.order(intents.KillAgent("vm1/~work", 0))
        assert conclusion.outcome == "refused"
        assert "started by somebody else" in conclusion.reason
        assert len(scripted.orders(host)) == 1
        await here.engine.wait_idle()
    async with room(host) as here:
        assert {agent.name for agent in here.ledger.agents} == {"a1"}
