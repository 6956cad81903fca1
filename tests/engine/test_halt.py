"""The halt of a room: who lies about it, and what is being moved, stop too."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.events import QueueSeen
from controlroom.domain.tasks import AttemptEnd, Hold, TaskState
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from controlroom.wire.inquiries import ReadSpec
from tests.engine.queued import MINUTE, QUICK, Roomy, add, queue_room, runs, task
from tests.engine.scripted import NOON, ScriptedChannel, orders, seen

pytestmark = pytest.mark.usefixtures("home")


class Yes(Roomy):
    """It says that it did what it was told, and does nothing."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, (wire.Tell, wire.Kill)):
            return wire.Reply(message.id, Outcome.DONE)
        return super().act(message)


@pytest.mark.parametrize("kill", [False, True])
async def test_an_agent_that_works_on_though_its_host_says_it_was_stopped_is_an_alarm(kill: bool) -> None:
    host = Yes()
    host.agents["docs"] = seen("docs")
    async with queue_room(host) as here:
        assert (await here.order(intents.HaltRoom(kill=kill))).ok
        await here.engine.wait_idle()
        assert "halt" not in here.engine.store.fleet.alarms, "it may take a moment"
        here.now += 61_000
        host.show()
        host.agents["docs"] = replace(host.agents["docs"], detail="busy")
        host.show()
        await here.until(lambda: "halt" in here.engine.store.fleet.alarms)
        assert "vm1/docs" in here.engine.store.fleet.alarms["halt"].text
        host.end("docs")
        await here.until(lambda: "halt" not in here.engine.store.fleet.alarms)


class Slow(Roomy):
    """It keeps messages of one kind until it is told to go on."""

    kind: type = wire.Kill

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.kept: list[tuple[ScriptedChannel, wire.ToNode]] = []

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, self.kind):
            self.kept.append((channel, message))
        else:
            super().take(channel, message)

    def go_on(self) -> None:
        for channel, message in self.kept:
            super().take(channel, message)


async def test_a_task_goes_on_whose_agent_ends_only_after_the_halt_that_killed_it_is_over() -> None:
    host = Slow("vm1")
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        await here.engine.submit(intents.HaltRoom(kill=True), "ann")
        await here.until(lambda: host.kept and task(here, "t1").attempts[-1].killed)
        await here.engine.submit(intents.ResumeRoom(), "ann")
        await here.engine.dispatcher.wait_idle()
        host.go_on()
        await runs(here, host, "a-t1", "a-t1")
        assert [attempt.end for attempt in task(here, "t1").attempts] == [AttemptEnd.HALTED, AttemptEnd.OPEN]


async def test_a_task_goes_on_whose_agent_was_killed_by_a_halt_that_ended_at_once() -> None:
    host = Slow("vm1")
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        store = here.engine.store

        def resume(changes: object) -> None:
            """End the halt when it has just ordered the agent to end."""
            agent = here.agent("vm1/a-t1")
            if store.fleet.queue.halt is not None and agent.pending is not None:
                asyncio.get_running_loop().call_soon(stand_no_more)

        def stand_no_more() -> None:
            store.apply(QueueSeen(replace(store.fleet.queue, halt=None)))

        store.subscribe(resume)
        await here.engine.submit(intents.HaltRoom(kill=True), "ann")
        await here.until(lambda: host.kept and store.fleet.queue.halt is None)
        host.go_on()
        await runs(here, host, "a-t1", "a-t1")
        assert [attempt.end for attempt in task(here, "t1").attempts] == [AttemptEnd.HALTED, AttemptEnd.OPEN]


async def test_nothing_starts_once_the_queue_is_held_not_even_what_was_about_to() -> None:
    host = Roomy("vm1")
    async with queue_room(host, settings=f"{QUICK}[profiles.watcher]\nkeep = 1\nkeep_task = 'look'\n") as here:
        await runs(here, host, "watcher-1")
        host.end("watcher-1")
        store, held = here.engine.store, Hold("ann", NOON)

        def stand() -> None:
            store.apply(QueueSeen(replace(store.fleet.queue, hold=held)))

        def hold(changes: object) -> None:
            """Hold the queue when a start is being written down."""
            queue = store.fleet.queue
            begins = any(one.state is TaskState.RUNNING for one in store.fleet.tasks.values())
            if queue.hold is None and (begins or any(kept.starting for kept in queue.restarts.values())):
                asyncio.get_running_loop().call_soon(stand)

        store.subscribe(hold)
        here.now += 10 * MINUTE
        await add(here, "a")
        await here.until(lambda: store.fleet.queue.hold is not None)
        await here.engine.wait_idle()
        assert [order.name for order in host.spawned] == ["watcher-1"]
        assert (task(here, "t1").state, task(here, "t1").attempts) == (TaskState.WAITING, ())
        assert store.fleet.queue.restarts["watcher-1"].starts == ()
        store.unsubscribe(hold)
        await here.order(intents.ReleaseQueue())
        await here.until(lambda: sorted(order.name for order in host.spawned) == ["a-t1", "watcher-1", "watcher-1"])


async def test_what_is_being_moved_when_the_room_is_halted_starts_when_the_halt_ends() -> None:
    one, two = Slow("vm1"), Roomy("vm2")
    async with queue_room(one, two) as here:
        await here.order(intents.SpawnAgent("docs", "write", "vm1"))
        moved = asyncio.ensure_future(here.order(intents.ReassignAgent("vm1/docs", 1, "", host="vm2")))
        await here.until(lambda: one.kept)
        assert (await here.order(intents.HaltRoom())).ok
        one.go_on()
        await here.until(lambda: here.agent("vm1/docs").has_ended)
        await here.engine.wait_idle()
        assert two.spawned == []
        assert (await here.order(intents.ResumeRoom())).ok
        assert (await moved).ok
        assert [order.name for order in two.spawned] == ["docs"]


async def test_a_halt_stops_an_agent_that_waits_to_be_moved() -> None:
    one, two = Slow("vm1"), Roomy("vm2")
    one.kind = ReadSpec
    async with queue_room(one, two) as here:
        await here.order(intents.SpawnAgent("docs", "write", "vm1"))
        moved = asyncio.ensure_future(here.order(intents.ReassignAgent("vm1/docs", 1, "", host="vm2")))
        await here.until(lambda: one.kept)
        two.reachable = False
        two.cut()
        await here.until(lambda: here.link("vm2").value == "lost")
        one.go_on()
        await here.engine.wait_idle()
        assert (await here.order(intents.HaltRoom())).ok
        refused = await moved
        assert (refused.outcome, refused.reason) == (
            Outcome.REFUSED,
            "vm1/docs was not moved: the room was halted meanwhile",
        )
        await here.until(lambda: [order for order in orders(one) if isinstance(order, wire.Tell)])
        assert [order.what for order in orders(one) if isinstance(order, wire.Tell)] == ["interrupt"]
