"""Moves: the old run is proved gone before the new one begins, whatever is lost on the way; never two, never none."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterable
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.claims import OrderedRun, digest, digest_of, shown
from controlroom.domain.model import State
from controlroom.domain.orders import Result
from controlroom.engine.hosts.inquiries import Unanswered
from controlroom.engine.moves import FRESH, filled
from controlroom.text.states import AgentKind, Outcome
from controlroom.wire import messages as wire
from controlroom.wire.inquiries import ReadSpec, SpecRead
from controlroom.wire.spec import AgentSpec
from tests.engine.queued import queue_room
from tests.engine.rooms import Room, room
from tests.engine.scripted import ScriptedChannel, ScriptedHost, Unwilling, orders

pytestmark = pytest.mark.usefixtures("home")

TASK = "write the docs\n" + "as they should be " * 100
SPAWN = intents.SpawnAgent("a1", TASK, "vm1", model="claude-opus-5-5", cwd="src/docs")
MOVE = intents.ReassignAgent("vm1/a1", 1, "", host="vm2")


class Faulty(ScriptedHost):
    """Its link is cut once at the first message of a kind, before it arrives or after it was acted on."""

    def __init__(self, name: str, kind: type | None = None, after: bool = False) -> None:
        super().__init__(name)
        self.kind, self.after = kind, after

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if self.kind is None or not isinstance(message, self.kind):
            super().take(channel, message)
            return
        self.kind = None
        if self.after:
            super().take(channel, message)
        channel.cut()


class Stuck(ScriptedHost):
    """It takes messages of one kind and never answers; `acts`: it does what they say."""

    def __init__(self, name: str, kind: type, acts: bool) -> None:
        super().__init__(name)
        self.kind, self.acts = kind, acts

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if not isinstance(message, self.kind):
            super().order(channel, message)
        elif self.acts:
            self.act(message)


def live(hosts: Iterable[ScriptedHost]) -> list[str]:
    """Where a1 runs."""
    return [host.name for host in hosts if host.agents.get("a1") and host.agents["a1"].state == "working"]


def steps(*hosts: ScriptedHost) -> list[str]:
    return [f"{type(order).__name__} {host.name}" for host in hosts for order in orders(host)]


async def moved(here: Room) -> Result:
    """Spawn and move."""
    assert (await here.order(SPAWN)).outcome == "done"
    return await here.order(MOVE)


async def test_the_same_task_goes_on_elsewhere_once_it_has_ended_here() -> None:
    vm1, vm2 = ScriptedHost("vm1"), ScriptedHost("vm2")
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        asked = await here.engine.submit(MOVE, "ann")
        old, new = here.agent("vm1/a1"), here.agent("vm2/a1")
        assert (old.pending and old.pending.verb, old.pending and old.pending.who) == ("move", "ann")
        assert (new.state, new.epoch) == (State.STARTING, 1)
        assert await here.concluded(asked) == Result(Outcome.DONE)
        (started,) = orders(vm2)
        assert isinstance(started, wire.Spawn)
        assert started.task == TASK
        assert (started.spec.model, started.spec.cwd, started.spec.kind) == ("claude-opus-5-5", "src/docs", "headless")
        kill = orders(vm1)[1]
        assert isinstance(kill, wire.Kill)
        assert (kill.epoch, kill.why) == (1, "moved to vm2")
        assert live((vm1, vm2)) == ["vm2"]
        await here.until(lambda: here.agent("vm2/a1").state is State.WORKING)
        assert here.agent("vm1/a1").pending is None
        assert not list((here.home.state_folder / "moves").iterdir())
        await here.engine.wait_idle()
        assert [(line.verb, line.outcome) for line in here.ledger.audit()] == [
            ("spawn", "done"),
            ("kill", "done"),
            ("spawn", "done"),
            ("move", "done"),
        ]


async def test_a_command_of_a_profile_takes_its_task_along() -> None:
    vm1, vm2 = ScriptedHost("vm1"), ScriptedHost("vm2")
    feed = '[profiles.feed]\nkind = "command"\ncommand = ["sh", "feed.sh"]\n'
    async with queue_room(vm1, vm2, settings=feed) as here:
        await here.order(intents.SpawnAgent("a1", TASK, "vm1", profile="feed"))
        assert await here.order(MOVE) == Result(Outcome.DONE)
        (started,) = orders(vm2)
        assert isinstance(started, wire.Spawn)
        assert (started.task, started.spec.command) == (TASK, ("sh", "feed.sh"))


async def test_a_new_task_may_be_said_and_an_ended_agent_moves_too() -> None:
    vm1, vm2 = ScriptedHost("vm1"), ScriptedHost("vm2")
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        await here.order(intents.KillAgent("vm1/a1", 1))
        assert (await here.order(intents.ReassignAgent("vm1/a1", 1, "now the api", host="vm2"))).outcome == "done"
        (started,) = orders(vm2)
        assert isinstance(started, wire.Spawn)
        assert started.task == "now the api"


# --------------------------------------------------------------------------- links that are lost


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("where", "kind"), [("vm1", wire.Kill), ("vm2", wire.Spawn)])
async def test_a_link_that_is_lost_at_any_step_ends_in_one_agent(where: str, kind: type, after: bool) -> None:
    vm1 = Faulty("vm1", kind if where == "vm1" else None, after)
    vm2 = Faulty("vm2", kind if where == "vm2" else None, after)
    async with room(vm1, vm2) as here:
        assert (await moved(here)).outcome == "done"
        assert live((vm1, vm2)) == ["vm2"]
        assert len([order for order in orders(vm2) if isinstance(order, wire.Spawn)]) == 1
        await here.until(lambda: here.agent("vm2/a1").state is State.WORKING)


async def test_a_link_that_is_lost_before_anything_was_known_moves_nothing() -> None:
    vm1, vm2 = Faulty("vm1", ReadSpec), ScriptedHost("vm2")
    async with room(vm1, vm2) as here:
        told = await moved(here)
        assert told == Result(Outcome.REFUSED, "nothing was moved: the link to vm1 was lost")
        assert live((vm1, vm2)) == ["vm1"]
        assert "vm2/a1" not in here.engine.store.fleet.agents
        await here.up()
        assert here.agent("vm1/a1").pending is None
        assert (await here.order(MOVE)).outcome == "done"


async def test_a_target_that_is_lost_meanwhile_is_waited_for() -> None:
    vm1, vm2 = ScriptedHost("vm1"), Faulty("vm2", wire.Spawn)
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        asked = await here.engine.submit(MOVE, "ann")
        vm2.reachable = False
        await here.until(lambda: here.engine.store.fleet.hosts["vm2"].link.value == "lost")
        await here.engine.wait_idle()
        awaited = here.engine.orders.result_of(asked.op)
        assert awaited is not None
        assert not awaited.done()
        assert live((vm1, vm2)) == []
        assert here.agent("vm1/a1").pending is not None
        vm2.reachable = True
        assert (await here.concluded(asked)).outcome == "done"
        assert live((vm1, vm2)) == ["vm2"]


# --------------------------------------------------------------------------- hosts that will not


async def test_a_host_that_will_not_end_it_keeps_it() -> None:
    vm1, vm2 = ScriptedHost("vm1"), ScriptedHost("vm2")
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        vm1.act = Unwilling("vm1").act  # type: ignore[method-assign]
        told = await here.order(MOVE)
        assert told == Result(Outcome.REFUSED, "vm1/a1 was not moved: the disk of vm1 is full")
        assert live((vm1, vm2)) == ["vm1"]
        assert "vm2/a1" not in here.engine.store.fleet.agents
        assert steps(vm2) == []


async def test_a_target_that_will_not_start_it_says_so_and_where_it_stands() -> None:
    vm1, vm2 = ScriptedHost("vm1"), Unwilling("vm2")
    async with room(vm1, vm2) as here:
        told = await moved(here)
        assert told.outcome == "unknown"
        assert "vm1/a1 has ended, and was not started on vm2: the disk of vm1 is full" in told.reason
        assert "controlroom reassign vm1/a1 --host HOST" in told.reason
        assert (here.agent("vm2/a1").state, here.engine.store.fleet.hosts["vm2"].notice) == (State.FAILED, told.reason)
        assert here.agent("vm1/a1").pending is None


async def test_a_target_that_is_taken_out_of_the_room_leaves_nothing_unsaid() -> None:
    vm1 = ScriptedHost("vm1")
    async with room(vm1) as here:
        here.hosts["vm2"] = vm2 = Stuck("vm2", wire.Spawn, acts=False)
        await here.order(intents.AddHost("vm2", "ann@vm2"))
        await here.up("vm1", "vm2")
        await here.order(SPAWN)
        asked = await here.engine.submit(MOVE, "ann")
        await here.until(lambda: steps(vm2))
        await here.order(intents.RemoveHost("vm2"))
        told = await here.concluded(asked)
        assert told.outcome == "unknown"
        assert "vm1/a1 has ended, and was not started on vm2: vm2 is no longer in the room" in told.reason


# --------------------------------------------------------------------------- engines that end on the way


@pytest.mark.parametrize("acts", [True, False], ids=["ended", "runs"])
async def test_an_engine_that_comes_back_finishes_a_kill_that_was_on_its_way(acts: bool) -> None:
    vm1, vm2 = Stuck("vm1", wire.Kill, acts), ScriptedHost("vm2")
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        await here.engine.submit(MOVE, "ann")
        await here.until(lambda: "Kill vm1" in steps(vm1))
        (kept,) = (here.home.state_folder / "moves").iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    vm1.kind = type(None)
    async with room(vm1, vm2, up=False) as here:
        assert [here.agent(f"{host}/a1").pending is not None for host in ("vm1", "vm2")] == [True, True]
        await here.until(lambda: live((vm1, vm2)) == ["vm2"])
        await here.engine.wait_idle()
        (started,) = orders(vm2)
        assert isinstance(started, wire.Spawn)
        assert started.task == TASK
        assert not [agent for agent in here.engine.store.fleet.agents.values() if agent.pending]
    async with room(vm1, vm2) as here:
        assert not here.ledger.open_orders


async def test_what_moves_is_started_with_no_other_credential_though_the_config_names_it_no_more() -> None:
    vm1, vm2 = Stuck("vm1", wire.Kill, acts=True), ScriptedHost("vm2")
    named = '[credentials.team]\nfile = "~/.team"\n[credentials.mine]\nfile = "~/.mine"\n'
    async with queue_room(vm1, vm2, settings=f'{named}[profiles.p]\ncredentials = ["team"]\n') as here:
        await here.order(replace(SPAWN, profile="p"))
        await here.engine.submit(MOVE, "ann")
        await here.until(lambda: "Kill vm1" in steps(vm1))
    vm1.kind = type(None)
    async with queue_room(vm1, vm2, settings=f'{named}[profiles.p]\ncredentials = ["mine"]\n') as here:
        await here.engine.wait_idle()
        assert not orders(vm2)
        told = [line.reason for line in here.ledger.audit() if line.verb == "move"]
        assert any("profile p no longer names credential team" in words for words in told), told


async def test_an_engine_that_comes_back_much_later_ends_nothing_that_runs() -> None:
    vm1, vm2 = Stuck("vm1", wire.Kill, acts=False), ScriptedHost("vm2")
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        await here.engine.submit(MOVE, "ann")
        await here.until(lambda: "Kill vm1" in steps(vm1))
    vm1.kind = type(None)
    late = room(vm1, vm2, up=False)
    async with late as here:
        here.now += FRESH + 1
        await here.up()
        await here.engine.wait_idle()
        assert live((vm1, vm2)) == ["vm1"]
        assert steps(vm2) == []
        assert "order it again" in here.ledger.audit()[-1].reason
        assert "vm2/a1" not in here.engine.store.fleet.agents


@pytest.mark.parametrize("acts", [True, False], ids=["started", "not"])
async def test_an_engine_that_comes_back_starts_what_was_not_started_and_nothing_twice(acts: bool) -> None:
    vm1, vm2 = ScriptedHost("vm1"), Stuck("vm2", wire.Spawn, acts)
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        await here.engine.submit(MOVE, "ann")
        await here.until(lambda: "Spawn vm2" in steps(vm2))
    vm2.kind = type(None)
    async with room(vm1, vm2) as here:
        await here.until(lambda: live((vm1, vm2)) == ["vm2"])
        await here.engine.wait_idle()
        assert len(orders(vm2)) == 2 - acts
        assert here.ledger.audit()[-1].outcome == "done"
        assert (here.agent("vm2/a1").state, here.agent("vm2/a1").pending) == (State.WORKING, None)


async def test_an_engine_that_ended_before_it_knew_enough_says_so() -> None:
    vm1, vm2 = Stuck("vm1", wire.Kill, acts=False), ScriptedHost("vm2")
    async with room(vm1, vm2) as here:
        await here.order(SPAWN)
        await here.engine.submit(MOVE, "ann")
        await here.until(lambda: "Kill vm1" in steps(vm1))
        for file in (here.home.state_folder / "moves").iterdir():
            file.write_text("{}")
    async with room(vm1, vm2) as here:
        await here.engine.wait_idle()
        assert live((vm1, vm2)) == ["vm1"]
        reasons = [line.reason for line in here.ledger.audit() if line.verb == "move"]
        assert "nothing was moved, try again" in reasons[-1]


async def test_two_moves_at_once_end_in_one_agent() -> None:
    vm1, vm2, vm3 = (ScriptedHost(f"vm{number}") for number in (1, 2, 3))
    async with room(vm1, vm2, vm3) as here:
        await here.order(SPAWN)
        other = intents.ReassignAgent("vm1/a1", 1, "", host="vm3")
        told = await asyncio.gather(here.order(MOVE), here.order(other))
        assert sorted(one.outcome for one in told) == ["done", "refused"]
        assert len(live((vm1, vm2, vm3))) == 1


# --------------------------------------------------------------------------- what is taken along


def ordered(task: str = "", command: tuple[str, ...] = (), kind: str = "headless") -> OrderedRun:
    """What was ordered of a1 on vm1."""
    return OrderedRun("vm1", "a1", 1, AgentKind(kind), "", "", "", "", shown(task), digest(task), digest_of(command), 1)


@pytest.mark.parametrize("kind", ["headless", "interactive"])
def test_a_task_goes_along_only_if_it_is_what_was_ordered(kind: str) -> None:
    start = intents.SpawnOn("vm2", "a1", 1, "", AgentKind(kind))
    assert filled(start, ordered(TASK), SpecRead(1, AgentSpec(), TASK)).task == TASK
    for lie in (TASK + "!", TASK[:200], TASK.upper(), "x"):
        with pytest.raises(Unanswered, match="gives another task of a1 than was ordered: say --task"):
            filled(start, ordered(TASK), SpecRead(1, AgentSpec(), lie))
        with pytest.raises(Unanswered, match="another task"):
            filled(start, None, SpecRead(1, AgentSpec(), lie))


def test_a_command_goes_along_only_if_it_is_what_was_ordered_and_nothing_else_of_a_host_does() -> None:
    start = intents.SpawnOn("vm2", "a1", 1, "", AgentKind.COMMAND)
    run = ordered("", ("make", "all"), "command")
    spec = AgentSpec(kind="command", command=("make", "all"), env={"X": "1"}, cwd="/evil", model="m", profile="rich")
    assert filled(start, run, SpecRead(1, spec, "")) == replace(start, command=("make", "all"))
    for lie in (("make", "evil"), ("make all",), ("make\0all",), ("make", "all", "")):
        said = SpecRead(1, spec._replace(command=lie), "")
        for known in (run, replace(run, command_digest=""), None):
            with pytest.raises(Unanswered, match="another command"):
                filled(start, known, said)


@pytest.mark.parametrize(
    ("kind", "found", "words"),
    [
        ("headless", SpecRead(1, reason="it is gone"), "it is gone"),
        ("headless", SpecRead(1, AgentSpec(), " "), "say --task"),
        ("command", SpecRead(1, AgentSpec(kind="command"), ""), "does not know the command"),
    ],
)
def test_what_is_not_known_is_not_moved(kind: str, found: SpecRead, words: str) -> None:
    with pytest.raises(Unanswered, match=words):
        filled(intents.SpawnOn("vm2", "a1", 1, "", AgentKind(kind)), ordered(), found)
