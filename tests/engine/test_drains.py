"""Drained hosts: agents leave in batches, through refusals, cut links and engines that end on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.model import LinkState, State
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.tasks import Drain
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from controlroom.wire.inquiries import ReadSpec
from controlroom.wire.messages import Kill, Spawn
from tests.engine.queued import Roomy, add, queue_room, task
from tests.engine.rooms import Room
from tests.engine.scripted import GIB, ScriptedChannel

pytestmark = pytest.mark.usefixtures("home")

ROOM = "[queue]\nstagger_seconds = 0\nmax_agents = 50\n"


class Slow(Roomy):
    """What begins there is starting, until it is let go on."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.free, self.most = 3 * GIB, 0

    def act(self, message: wire.ToNode) -> wire.Reply:
        reply = super().act(message)
        if isinstance(message, Spawn):
            self.set(message.name, State.STARTING)
            self.most = max(self.most, sum(agent.state == "starting" for agent in self.agents.values()))
        return reply

    def set(self, name: str, state: State) -> None:
        self.agents[name] = replace(self.agents[name], state=state.value)

    def let_go_on(self) -> None:
        for name in self.agents:
            self.set(name, State.WORKING)
        self.show()


class Unwilling(Roomy):
    """It ends no agent."""

    willing = False

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, Kill) and not self.willing:
            return wire.Reply(message.id, Outcome.REFUSED, "the disk of vm1 is full")
        return super().act(message)


class CutOnce(Roomy):
    """Its link is cut when it is first told to end an agent, after it has done so."""

    cuts = True

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        super().take(channel, message)
        if isinstance(message, Kill) and self.cuts:
            self.cuts = False
            channel.cut()


class CutWhenAsked(Roomy):
    """Its link is cut when it is first asked for what is to go on elsewhere."""

    cuts = True

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, ReadSpec) and self.cuts:
            self.cuts = False
            channel.cut()
        else:
            super().take(channel, message)


def drain_of(here: Room, host: str = "vm1") -> Drain:
    drain = here.engine.store.fleet.hosts[host].drain
    assert drain is not None
    return drain


async def filled(here: Room, count: int) -> None:
    for number in range(count):
        assert (await here.order(intents.SpawnAgent(f"a{number}", "write", host="vm1"))).ok


def at_work(*hosts: Roomy) -> list[str]:
    return sorted(name for host in hosts for name, agent in host.agents.items() if not agent.ended)


async def test_the_next_batch_leaves_when_the_last_is_at_work_and_an_empty_host_says_so() -> None:
    vm1, vm2 = Roomy("vm1"), Slow("vm2")
    async with queue_room(vm1, vm2, settings=ROOM) as here:
        await filled(here, 5)
        await here.order(intents.DrainHost("vm1", move=True, batch=2))
        for batch, moved in ((1, 2), (2, 4), (3, 5)):
            await here.until(lambda moved=moved: len(vm2.spawned) == moved, f"batch {batch}: {vm2.spawned}")  # type: ignore[misc]
            await here.engine.wait_idle()
            assert len(vm2.spawned) == moved, "none of the next batch leaves before these are at work"
            assert drain_of(here).number == batch
            vm2.let_go_on()
        await here.until(lambda: drain_of(here).emptied, "vm1 to be empty")
        assert (drain_of(here).moved, vm2.most) == (5, 2)
        assert at_work(vm1, vm2) == [f"a{number}" for number in range(5)]
        assert "switched off" in here.engine.store.fleet.alarms["drain of vm1"].text
        await here.engine.wait_idle()
        told = [line for line in here.ledger.audit() if line.verb == "host drain"]
        assert "nothing of this room is at work there any more; 5 moved" in told[-1].reason


async def test_a_drain_of_which_too_much_fails_stands_still_until_it_is_told_to_go_on() -> None:
    vm1, vm2 = Unwilling("vm1"), Roomy("vm2")
    async with queue_room(vm1, vm2, settings=ROOM) as here:
        await filled(here, 4)
        await here.order(intents.DrainHost("vm1", move=True, batch=2))
        await here.until(lambda: drain_of(here).stopped, f"to stand still: {drain_of(here)}")
        await here.engine.wait_idle()
        assert not vm2.spawned
        assert sorted(drain_of(here).failed) == ["a0", "a1"]
        alarm = here.engine.store.fleet.alarms["drain of vm1"]
        assert (alarm.kind, "the disk of vm1 is full" in alarm.text) == (AlarmKind.DRAIN, True)
        vm1.willing = True
    async with queue_room(vm1, vm2, settings=ROOM) as here:
        await here.engine.wait_idle()
        assert drain_of(here).stopped, "an engine that comes back leaves it so"
        assert "drain of vm1" in here.engine.store.fleet.alarms
        await here.order(intents.ContinueDrain("vm1"))
        await here.until(lambda: drain_of(here).emptied, "vm1 to be empty")
        assert (drain_of(here).moved, dict(drain_of(here).failed)) == (4, {})
        assert at_work(vm2) == ["a0", "a1", "a2", "a3"]


@pytest.mark.parametrize("cut", [CutOnce, CutWhenAsked])
async def test_a_link_that_is_cut_in_the_middle_is_waited_for_and_none_is_at_work_twice(
    cut: type[CutOnce] | type[CutWhenAsked],
) -> None:
    vm1, vm2 = cut("vm1"), Roomy("vm2")
    async with queue_room(vm1, vm2, settings=ROOM) as here:
        await filled(here, 4)
        await here.order(intents.DrainHost("vm1", move=True, batch=2))
        await here.until(lambda: drain_of(here).emptied, "vm1 to be empty")
        assert not vm1.cuts
        assert (at_work(vm1), at_work(vm2)) == ([], ["a0", "a1", "a2", "a3"])
        assert len(vm2.spawned) == 4
        assert (drain_of(here).moved, dict(drain_of(here).failed)) == (4, {})


async def test_an_engine_that_ends_in_the_middle_of_a_batch_goes_on_with_it() -> None:
    vm1, vm2 = Roomy("vm1"), Slow("vm2")
    async with queue_room(vm1, vm2, settings=ROOM) as here:
        await filled(here, 4)
        await here.order(intents.DrainHost("vm1", move=True, batch=2))
        await here.until(lambda: len(vm2.spawned) == 2, "the first batch to be started")
        vm2.reachable = False
        vm2.cut()
    async with queue_room(vm1, vm2, settings=ROOM, up=False) as here:
        await here.until(lambda: here.engine.store.fleet.hosts["vm1"].link is LinkState.UP)
        await here.engine.wait_idle()
        assert len(drain_of(here).leaving) == 2, "of a host that cannot be asked nothing is concluded"
        assert at_work(vm1) == ["a2", "a3"]
        vm2.reachable = True
        vm2.let_go_on()
        await here.until(lambda: len(vm2.spawned) == 4, "the next batch")
        vm2.let_go_on()
        await here.until(lambda: drain_of(here).emptied, "vm1 to be empty")
        assert (drain_of(here).moved, dict(drain_of(here).failed)) == (4, {})
        assert at_work(vm1, vm2) == ["a0", "a1", "a2", "a3"]


async def test_where_no_host_has_room_the_rest_waits_and_it_is_said_why() -> None:
    vm1, vm2 = Roomy("vm1"), Roomy("vm2")
    vm2.free = GIB
    async with queue_room(vm1, vm2, settings=ROOM) as here:
        await filled(here, 2)
        await here.order(intents.DrainHost("vm1", move=True))
        await here.until(lambda: drain_of(here).waits, "to wait")
        assert [(wait.host, wait.reason.value) for wait in drain_of(here).waits] == [("vm2", "host memory")]
        assert at_work(vm1) == ["a0", "a1"]
        vm2.free = 3 * GIB
        for channel in tuple(vm2.channels):
            vm2.tell_all(channel)
        await here.until(lambda: drain_of(here).emptied, "vm1 to be empty")
        assert at_work(vm2) == ["a0", "a1"]


async def test_a_host_takes_the_place_of_another_with_what_was_wanted_there() -> None:
    vm1, vm2, vm3 = Roomy("vm1"), Roomy("vm2"), Roomy("vm3")
    vm2.free = vm3.free = 3 * GIB
    async with queue_room(vm1, settings=ROOM) as here:
        here.hosts |= {"vm2": vm2, "vm3": vm3}
        for name in ("vm2", "vm3"):
            await here.order(intents.AddHost(name, f"ann@{name}"))
        await here.up("vm1", "vm2", "vm3")
        await filled(here, 2)
        rule = BudgetRule("night", 10_000_000, scope="host vm1")
        assert (await here.order(intents.SetBudget(rule))).ok
        await here.order(intents.HoldQueue())
        assert (await add(here, "later", host="vm1")).ok
        gone = await here.order(intents.ReplaceHost("vm1", "vm9"))
        assert "there is no host 'vm9'" in gone.reason
        done = await here.order(intents.ReplaceHost("vm1", "vm2"))
        assert done.reason == "vm2 takes over budget night-vm2; 1 task wanted there"
        await here.until(lambda: drain_of(here).emptied, "vm1 to be empty")
        assert (at_work(vm2), at_work(vm3)) == (["a0", "a1"], [])
        again = await here.order(intents.ReplaceHost("vm1", "vm2"))
        assert "vm1 is drained already" in again.reason
    async with queue_room(vm1, settings=ROOM, up=False) as here:
        assert task(here, "t1").host == "vm2"
        assert here.engine.store.fleet.budgets["night-vm2"].scope == "host vm2"
        assert drain_of(here).to == "vm2"
