"""Advice about hosts: from the means that the ledger keeps, to an alarm, to agents that go on elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.history import STEP, Metric
from controlroom.engine.ledger.history_tables import Mean, keep_means
from controlroom.wire import messages as wire
from tests.engine.queued import Roomy, queue_room
from tests.engine.rooms import Room
from tests.engine.scripted import GIB, NOON

pytestmark = pytest.mark.usefixtures("home")

ROOM = "[queue]\nstagger_seconds = 0\nmax_agents = 50\n"
MACHINES = """[providers.mine]
name = "mine"
sizes = [{ name = "b2-7", vcpus = 2, memory_gib = 4, month = 15 },
    { name = "b2-15", vcpus = 4, memory_gib = 15, month = 30 }]
"""


class Crowded(Roomy):
    """Its agents take half a GiB each."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        reply = super().act(message)
        if isinstance(message, wire.Spawn):
            for channel in tuple(self.channels):
                channel.say(wire.Loads(NOON, (wire.AgentLoad(message.name, message.epoch, GIB // 2, 10.0, 3),)))
        return reply


async def passed(here: Room, percent: float, steps: int) -> None:
    """So many five minutes have passed in which vm1 was that full."""
    await here.engine.adviser.wait_idle()
    first = here.now // STEP * STEP
    means = [Mean("vm1", Metric.MEMORY, first + step * STEP, 300, percent, percent) for step in range(steps)]
    await here.engine.ledger_writer.outbox.put(keep_means(means))
    here.now = first + steps * STEP
    here.engine.adviser.look()
    await here.engine.adviser.wait_idle()


async def test_a_host_that_is_too_full_is_said_relieved_and_said_no_more(home: Path) -> None:
    vm1, vm2 = Crowded("vm1"), Roomy("vm2")
    vm1.free = vm2.free = 3 * GIB
    async with queue_room(vm1, vm2, settings=ROOM, more='size = "b2-7"\n') as here:
        here.home.machines.write_text(MACHINES)
        here.home.machines.chmod(0o600)
        for number in range(3):
            assert (await here.order(intents.SpawnAgent(f"a{number}", "write", host="vm1"))).ok
        await here.until(lambda: here.agent("vm1/a2").rss == GIB // 2, "their loads")
        await passed(here, 85, 5)
        assert "load of vm1" not in here.engine.store.fleet.alarms
        refused = await here.order(intents.RelieveHost("vm1"))
        assert refused.reason == "vm1 needs no relief: it has not been too full or too busy for half an hour"
        await passed(here, 85, 1)
        alarm = here.engine.store.fleet.alarms["load of vm1"]
        assert alarm.kind is AlarmKind.ADVICE
        assert alarm.text == (
            "vm1 has been above 80 % RAM for 30 minutes: move 2 agents (controlroom host relieve vm1), or take the "
            "next size (b2-15, $30)"
        )
        told = await here.order(intents.RelieveHost("vm1"))
        assert told.reason == "on their way: a0 to vm2, a1 to vm2"
        await here.until(lambda: sorted(vm2.agents) == ["a0", "a1"], "the moves")
        await passed(here, 60, 3)
        assert "load of vm1" not in here.engine.store.fleet.alarms


async def test_an_engine_that_comes_back_says_it_again() -> None:
    vm1 = Roomy("vm1")
    async with queue_room(vm1, settings=ROOM) as here:
        await passed(here, 85, 6)
        assert "load of vm1" in here.engine.store.fleet.alarms
        later = here.now
    async with queue_room(vm1, settings=ROOM) as here:
        here.now = later
        here.engine.adviser.look()
        await here.until(lambda: "load of vm1" in here.engine.store.fleet.alarms, "the advice")
        await here.order(intents.DrainHost("vm1"))
        assert "load of vm1" not in here.engine.store.fleet.alarms
