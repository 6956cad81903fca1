"""Fleet files applied by a real engine: written down, started by the rules of the queue, seen through, ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.fleet_files import AgentEntry, AgentWish, FleetFile, FleetTask
from controlroom.domain.fleets.plans import Act, Drift, FleetPlan
from controlroom.domain.model import State
from controlroom.domain.orders import Result
from controlroom.domain.tasks import Source, TaskState, TaskWish
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from tests.engine.queued import Roomy, queue_room
from tests.engine.rooms import Room, room
from tests.engine.scripted import orders

pytestmark = pytest.mark.usefixtures("home")

SETTINGS = """
[queue]
stagger_seconds = 0
max_agents = 20
[profiles.docs]
restart_seconds = 0
shares_folder = true
[templates.page]
text = "write {{page}} as {{name}}"
"""


class Lively(Roomy):
    """Its agents have profiles and sessions."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        reply = super().act(message)
        if isinstance(message, wire.Spawn):
            seen = replace(self.agents[message.name], profile=message.spec.profile, session=f"s-{message.name}")
            self.agents[message.name] = seen
        return reply


def wish(name: str, text: str = "write", **changes: object) -> AgentWish:
    return AgentWish(replace(AgentEntry(name, "docs"), **changes), text)  # type: ignore[arg-type]


def task(key: str, text: str = "mend", **changes: object) -> FleetTask:
    return FleetTask(TaskWish(text=text, key=key, source=Source.FILE, **changes))  # type: ignore[arg-type]


async def applied(here: Room, *agents: AgentWish, tasks: tuple[FleetTask, ...] = (), mark: str = "") -> Result:
    result = await here.order(intents.ApplyFleet(FleetFile("site", agents, tasks), mark))
    await here.engine.wait_idle()
    return result


async def drift(here: Room) -> Mapping[str, tuple[Act, Drift]]:
    plan: FleetPlan = await here.engine.fleets.drifted("site")
    return {change.name: (change.act, change.drift) for change in plan.changes}


def started(host: Roomy) -> list[str]:
    return [f"{order.name} {order.epoch}" for order in host.spawned]


def ended(host: Roomy) -> list[str]:
    return [f"{order.name} {order.epoch}" for order in orders(host) if isinstance(order, wire.Kill)]


async def test_a_file_is_applied_changed_and_ended_and_applying_it_again_orders_nothing() -> None:
    host = Lively()
    page = AgentWish(AgentEntry("b", "docs", model="haiku"), template="page", variables={"page": "install"})
    async with queue_room(host, settings=SETTINGS) as here:
        first = (wish("a"), page), (task("k1"), task("k2", after=("k1",)))
        result = await applied(here, *first[0], tasks=first[1])
        assert result.outcome is Outcome.DONE, result
        await here.until(lambda: len(host.spawned) == 3)
        assert sorted(started(host)) == ["a 1", "b 1", "mend-t1 1"]
        assert {order.name: order.task for order in host.spawned}["b"] == "write install as b"
        assert await drift(here) == {}
        again = await applied(here, *first[0], tasks=first[1])
        assert (again.outcome, again.reason) == (Outcome.DONE, "nothing changes")
        assert len(host.spawned) == 3
        assert here.engine.store.fleet.fleets["site"].number == 1

        await applied(here, wish("a", "write more"), page, tasks=(task("k2"),))
        await here.until(lambda: "a 2" in started(host))
        await here.until(lambda: here.engine.store.fleet.tasks["t1"].state is TaskState.DROPPED)
        assert sorted(ended(host)) == ["a 1", "mend-t1 1"]
        await here.until(lambda: here.engine.store.fleet.tasks["t2"].state is TaskState.RUNNING)

        await applied(here)
        await here.until(lambda: not here.engine.store.fleet.fleets)
        assert sorted(ended(host)) == ["a 1", "a 2", "b 1", "mend-t1 1", "mend-t2 1"]
        for table in ("fleets", "fleet_agents", "fleet_tasks"):
            await here.engine.wait_idle()
            assert here.ledger.read(f"select count(*) from {table}") == [(0,)]
        audit = here.ledger.read("select who, verb, target, outcome from audit order by id")
        assert ("ann (test)", "fleet apply", "site", "done") in audit
        assert ("ann (test), by fleet site", "kill", "vm1/a", "done") in audit
        assert ("restarts: its fleet file says so", "spawn", "vm1/a", "done") in audit


async def test_drift_is_shown_and_mended() -> None:
    host = Lively()
    async with queue_room(host, settings=SETTINGS) as here:
        entries = wish("a"), wish("b", keep=True), wish("c"), wish("d")
        await applied(here, *entries, tasks=(task("k1"),))
        await here.until(lambda: len(host.spawned) == 5)
        host.end("a", State.FAILED)
        host.end("b")
        await here.order(intents.KillAgent("vm1/c", 1))
        await here.order(intents.ReassignAgent("vm1/d", 1, "something else"))
        await here.until(lambda: "b 2" in started(host))
        await here.engine.wait_idle()
        expected = {"a": (Act.START, Drift.FAILED), "c": (Act.START, Drift.ENDED), "d": (Act.RENEW, Drift.CHANGED)}
        assert await drift(here) == expected
        await applied(here, *entries, tasks=(task("k1"),))
        await here.until(lambda: {"a 2", "c 2", "d 3"} <= {*started(host)})
        await here.engine.wait_idle()
        assert await drift(here) == {}


async def test_others_agents_and_those_that_a_person_was_not_shown_are_left_alone() -> None:
    host = Lively()
    async with queue_room(host, settings=SETTINGS) as here:
        await here.order(intents.SpawnAgent("a", "mine", host="vm1", profile="docs"))
        await applied(here, wish("a"), wish("b", "mine too"))
        await here.until(lambda: started(host) == ["a 1", "b 1"])
        assert await drift(here) == {"a": (Act.NOTHING, Drift.TAKEN)}
        plan, _ = await here.engine.fleets.planned(FleetFile("site"))
        host.end("b")
        await here.until(lambda: here.agent("vm1/b").has_ended)
        refused = await applied(here, mark=plan.mark)
        assert refused.outcome is Outcome.REFUSED
        assert "something else since it was shown" in refused.reason
        await applied(here)
        await here.until(lambda: not here.engine.store.fleet.fleets)
        assert ended(host) == []
        assert here.agent("vm1/a").lives


async def test_all_of_a_file_is_refused_or_nothing_and_holds_hold_its_starts() -> None:
    host = Lively()
    async with queue_room(host, settings=SETTINGS.replace("max_agents = 20", "max_agents = 1\nmax_tasks = 1")) as here:
        refused = await applied(here, wish("a"), tasks=(task("k1"), task("k2")))
        assert refused.outcome is Outcome.REFUSED
        assert "the queue takes 1 open tasks" in refused.reason
        unknown = await applied(here, AgentWish(AgentEntry("a", "docs"), template="pages"))
        assert "there is no template 'pages'" in unknown.reason
        missing = await applied(here, AgentWish(AgentEntry("a", "docs"), template="page"))
        assert missing.reason == "agents.a: template page needs page; there are host, name, profile"
        assert not here.engine.store.fleet.fleets
        await here.order(intents.HoldQueue("wait"))
        await applied(here, wish("a"), wish("b"))
        assert host.spawned == []
        await here.order(intents.ReleaseQueue())
        await here.until(lambda: len(host.spawned) == 1)
        await here.engine.wait_idle()
        assert started(host) == ["a 1"]
        plan = await here.engine.fleets.drifted("site")
        assert [(change.name, change.drift) for change in plan.changes] == [("b", Drift.COMING)]
        host.end("a")
        await here.until(lambda: started(host) == ["a 1", "b 1"])


async def test_an_engine_that_begins_anew_goes_on_with_what_was_applied() -> None:
    host = Lively()
    async with queue_room(host, settings=SETTINGS.replace("max_agents = 20", "max_agents = 1")) as here:
        await applied(here, wish("a"), wish("b", keep=True))
        await here.until(lambda: started(host) == ["a 1"])
    async with room(host) as here:
        await here.engine.wait_idle()
        assert started(host) == ["a 1"]
        host.end("a")
        await here.until(lambda: started(host) == ["a 1", "b 1"])
        await here.engine.wait_idle()
    async with room(host) as here:
        assert await drift(here) == {}
        host.end("b")
        await here.until(lambda: started(host) == ["a 1", "b 1", "b 2"])
