"""Agents that are started without being asked, by a real engine: counted, never twice, and given up in sight of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.model import LinkState, State
from controlroom.domain.queue import restarts
from controlroom.domain.tasks import Restarts, TaskState
from controlroom.domain.waits import WaitReason
from controlroom.engine.queue import preflight
from controlroom.text.states import Cause, Outcome
from controlroom.wire import messages as wire
from controlroom.wire.inquiries import Check, Checked, ReadSpec
from tests.engine.queued import MINUTE, Roomy, add, queue_room
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedChannel, seen

pytestmark = pytest.mark.usefixtures("home")


class Lively(Roomy):
    """It says of which profile its agents are, and in which session."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        reply = super().act(message)
        if isinstance(message, wire.Spawn):
            named = replace(self.agents[message.name], profile=message.spec.profile, session=f"s-{message.name}")
            self.agents[message.name] = named
        return reply


FAILING = """
[queue]
stagger_seconds = 0
[profiles.fixer]
restart = "on-failure"
restart_starts = 2
restart_seconds = 0
"""

KEPT = """
[queue]
stagger_seconds = 0
[profiles.watcher]
keep = 2
keep_task = "watch the build"
restart_seconds = 0
"""


async def spawned(here: Room, name: str = "docs", profile: str = "fixer") -> None:
    result = await here.order(intents.SpawnAgent(name, "write the docs", host="vm1", profile=profile))
    assert result.outcome is Outcome.DONE, result


def restarts_of(here: Room) -> Mapping[str, Restarts]:
    return here.engine.store.fleet.queue.restarts


async def runs(here: Room, host: Roomy, *runs: str) -> None:
    """Wait until these runs, and no others, were ordered."""
    await here.until(lambda: [f"{order.name} {order.epoch}" for order in host.spawned] == list(runs), f"{runs}")
    await here.engine.wait_idle()


async def test_an_agent_that_fails_has_its_task_again_until_it_is_given_up_and_a_person_begins_it_again() -> None:
    host = Lively()
    async with queue_room(host, settings=FAILING) as here:
        await spawned(here)
        host.end("docs", State.FAILED)
        await runs(here, host, "docs 1", "docs 2")
        assert host.spawned[1].task == "write the docs"
        host.end("docs", State.FAILED)
        await runs(here, host, "docs 1", "docs 2", "docs 3")
        host.end("docs", State.FAILED)
        fleet = here.engine.store
        await here.until(lambda: "restarts of vm1/docs" in fleet.fleet.alarms)
        assert len(host.spawned) == 3
        await here.engine.wait_idle()
        audit = here.ledger.read("select who, verb, target, outcome from audit where who like 'restarts%' order by id")
        assert audit[-1] == ("restarts", "gave up", "vm1/docs", "refused")
        assert ("restarts: it failed", "reassign", "vm1/docs", "done") in audit
        await here.order(intents.RetryAgent("vm1/docs", 3))
        await here.until(lambda: "restarts of vm1/docs" not in fleet.fleet.alarms)
        host.end("docs", State.FAILED)
        await runs(here, host, *(f"docs {epoch}" for epoch in (1, 2, 3, 4, 5)))


async def test_what_a_person_kills_stays_dead_also_after_a_restart_of_the_engine() -> None:
    host = Lively()
    async with queue_room(host, settings=FAILING.replace("on-failure", "always")) as here:
        await spawned(here)
        await here.order(intents.KillAgent("vm1/docs", 1))
        await here.engine.wait_idle()
        assert len(host.spawned) == 1
    async with room(host) as here:
        await here.engine.wait_idle()
        assert here.agent("vm1/docs").has_ended
        assert len(host.spawned) == 1


async def test_starts_are_counted_through_a_restart_of_the_engine() -> None:
    host = Lively()
    async with queue_room(host, settings=FAILING) as here:
        await spawned(here)
        host.end("docs", State.FAILED)
        await runs(here, host, "docs 1", "docs 2")
    async with room(host) as here:
        host.end("docs", State.FAILED)
        await runs(here, host, "docs 1", "docs 2", "docs 3")
        host.end("docs", State.FAILED)
        await here.until(lambda: "restarts of vm1/docs" in here.engine.store.fleet.alarms)
    async with room(host) as here:
        await here.engine.wait_idle()
        assert "restarts of vm1/docs" in here.engine.store.fleet.alarms
        assert len(host.spawned) == 3


async def test_a_profile_keeps_its_agents_running_and_a_lower_number_ends_none() -> None:
    host = Lively()
    async with queue_room(host, settings=KEPT) as here:
        await runs(here, host, "watcher-1 1", "watcher-2 1")
        assert {order.task for order in host.spawned} == {"watch the build"}
        host.end("watcher-2")
        await runs(here, host, "watcher-1 1", "watcher-2 1", "watcher-2 2")
    here.home.config.write_text(here.home.config.read_text().replace("keep = 2", "keep = 1"))
    async with room(host) as here:
        await here.engine.wait_idle()
        assert [message for message in host.heard if isinstance(message, wire.Kill)] == []
        host.end("watcher-2")
        await here.engine.wait_idle()
        assert len(host.spawned) == 3


async def test_what_the_halt_ended_is_kept_running_again_once_the_halt_is_over() -> None:
    host = Lively()
    async with queue_room(host, settings=KEPT) as here:
        await runs(here, host, "watcher-1 1", "watcher-2 1")
        await here.order(intents.HaltRoom(kill=True))
        await here.engine.wait_idle()
        assert all(agent.has_ended for agent in here.engine.store.fleet.agents.values())
        waits = restarts_of(here)
        assert {kept.wait and kept.wait.reason for kept in waits.values()} == {WaitReason.HALTED}
        assert len(host.spawned) == 2
        await here.order(intents.ResumeRoom())
        await here.until(lambda: len(host.spawned) == 4)


async def test_after_a_reboot_agents_go_on_in_their_sessions_one_after_the_other() -> None:
    host = Lively()
    settings = FAILING.replace("stagger_seconds = 0", "stagger_seconds = 5")
    async with queue_room(host, settings=settings) as here:
        for name in ("a", "b"):
            await spawned(here, name)
        for name in ("a", "b"):
            rebooted = {"state": "failed", "cause": Cause.REBOOTED, "session": f"s-{name}", "ended": NOON}
            host.agents[name] = replace(host.agents[name], **rebooted)  # type: ignore[arg-type]
        host.show()
        await runs(here, host, "a 1", "b 1", "a 2")
        assert host.spawned[2].spec.resume == "s-a"
        wait = restarts_of(here)["vm1/b"].wait
        assert wait is not None
        assert wait.reason is WaitReason.STAGGER
        here.now += 5_000
        host.end("a")
        await runs(here, host, "a 1", "b 1", "a 2", "b 2")


async def test_agents_whose_profile_says_nothing_go_on_when_a_person_says_so_one_after_the_other() -> None:
    host = Lively()
    for name in ("a", "b"):
        host.agents[name] = seen(name, state="failed", cause=Cause.REBOOTED, session=f"s-{name}", ended=NOON)
    async with queue_room(host, settings="[queue]\nstagger_seconds = 5\n") as here:
        await here.engine.wait_idle()
        assert host.spawned == []
        for name in ("a", "b", "b"):
            result = await here.order(intents.ResumeAgent(f"vm1/{name}", 1, paced=True))
            assert result.outcome is Outcome.DONE
        await runs(here, host, "a 2")
        here.now += 5_000
        host.end("a")
        await runs(here, host, "a 2", "b 2")
        here.now += MINUTE
        host.end("b")
        await here.engine.wait_idle()
        assert len(host.spawned) == 2, "never twice"


async def test_one_that_is_kept_and_was_given_up_begins_anew_when_a_person_forgets_it() -> None:
    host = Lively()
    async with queue_room(host, settings=KEPT.replace("keep = 2", "keep = 1\nrestart_starts = 1")) as here:
        await runs(here, host, "watcher-1 1")
        host.end("watcher-1", State.FAILED)
        fleet = here.engine.store
        await here.until(lambda: "restarts of watcher-1" in fleet.fleet.alarms)
        result = await here.order(intents.ForgetAgent("vm1/watcher-1", 1))
        assert result.outcome is Outcome.DONE
        await runs(here, host, "watcher-1 1", "watcher-1 1")
        assert "restarts of watcher-1" not in fleet.fleet.alarms


class Refuses(Lively):
    """It refuses so many starts."""

    refuses = 0

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, wire.Spawn) and self.refuses:
            self.refuses -= 1
            return wire.Reply(message.id, Outcome.REFUSED, "the disk of vm1 is full")
        return super().act(message)


async def test_what_the_halt_ended_is_kept_running_again_also_when_its_first_start_is_refused() -> None:
    host = Refuses()
    async with queue_room(host, settings=KEPT.replace("keep = 2", "keep = 1")) as here:
        await runs(here, host, "watcher-1 1")
        await here.order(intents.HaltRoom(kill=True))
        await here.engine.wait_idle()
        host.refuses = 1
        await here.order(intents.ResumeRoom())
        await here.until(lambda: not host.refuses)
        await here.engine.wait_idle()
        here.now += 2 * MINUTE
        host.show()
        await runs(here, host, "watcher-1 1", "watcher-1 2", "watcher-1 2")


async def test_a_host_that_refuses_what_ended_on_another_is_asked_again_only_after_a_while() -> None:
    hosts = Refuses("vm1"), Refuses("vm2")
    settings = KEPT.replace("keep = 2", "keep = 1").replace("restart_seconds = 0", "restart_seconds = 60")
    async with queue_room(*hosts, settings=settings) as here:
        await here.until(lambda: any(host.spawned for host in hosts))
        await here.engine.wait_idle()
        first, other = sorted(hosts, key=lambda host: not host.spawned)
        other.refuses = 9
        first.end("watcher-1")
        first.reachable = False
        first.cut()
        await here.until(lambda: here.link(first.name) is not LinkState.UP)
        here.now += 2 * MINUTE
        other.show()
        await here.until(lambda: other.refuses < 9)
        await here.engine.wait_idle()
        assert other.refuses == 8


async def test_an_agent_of_a_task_that_waits_for_nobody_goes_on_when_a_person_says_so() -> None:
    host = Lively()
    async with queue_room(host) as here:
        await add(here, "a")
        await here.until(lambda: host.spawned)
        await here.order(intents.KillAgent("vm1/a-t1", 1))
        await here.until(lambda: here.engine.store.fleet.tasks["t1"].state is TaskState.HELD)
        assert (await here.order(intents.ResumeAgent("vm1/a-t1", 1, paced=True))).outcome is Outcome.DONE
        await runs(here, host, "a-t1 1", "a-t1 2")


class KeepsSpecs(Lively):
    """It does not say what an agent was to do."""

    asked = 0

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, ReadSpec):
            self.asked += 1
        else:
            super().take(channel, message)


async def test_while_a_start_is_on_its_way_it_is_not_ordered_again() -> None:
    host = KeepsSpecs()
    async with queue_room(host, settings=FAILING) as here:
        await spawned(here)
        host.end("docs", State.FAILED)
        await here.until(lambda: host.asked)
        assert restarts_of(here)["vm1/docs"].starting
        host.show()
        await here.engine.dispatcher.wait_idle()
        assert host.asked == 1


async def test_a_start_that_is_refused_is_tried_again_later_and_does_not_count() -> None:
    host = Lively()
    async with queue_room(host, settings=FAILING) as here:
        await spawned(here)
        host.specs.clear()
        host.end("docs", State.FAILED)
        await here.until(lambda: restarts_of(here).get("vm1/docs", Restarts()).refused)
        kept = restarts_of(here)["vm1/docs"]
        assert kept.refused == "nothing was begun: docs is not on this host"
        assert (kept.starts, kept.starting, kept.not_before) == ((), False, NOON + restarts.REFUSED_PAUSE)
        assert len(host.spawned) == 1


class WithoutClaude(Lively):
    """Claude is not there until somebody installs it."""

    has_claude = False

    def checked(self, asked: Check) -> Checked:
        checked = super().checked(asked)
        if self.has_claude:
            return checked
        return replace(checked, host=replace(checked.host, claude="", claude_at="", claude_problem="not there"))


async def test_no_task_starts_on_a_host_that_lacks_claude_until_it_is_there_and_one_alarm_says_so() -> None:
    host = WithoutClaude()
    async with queue_room(host) as here:
        await add(here, *"abcdefghij")
        fleet = here.engine.store
        await here.until(lambda: "preflight of vm1" in fleet.fleet.alarms)
        await here.engine.wait_idle()
        assert host.spawned == []
        assert list(fleet.fleet.alarms) == ["preflight of vm1"]
        waits = {task.wait and task.wait.reason for task in fleet.fleet.tasks.values()}
        assert waits == {WaitReason.NO_HOST}
        refused = await here.order(intents.SpawnAgent("docs", "x", host="vm1"))
        assert (refused.outcome, "not fit" in refused.reason) == (Outcome.REFUSED, True)
        host.has_claude = True
        here.now += MINUTE
        await add(here, "k")
        await here.until(lambda: len(host.spawned) == 3)
        assert fleet.fleet.alarms == {}


async def test_what_a_host_lacks_is_no_alarm_where_nothing_that_is_to_start_needs_it() -> None:
    host = WithoutClaude()
    command = '[profiles.make]\nkind = "command"\ncommand = ["make"]\n[profiles.own]\ncommand = ["/opt/claude"]\n'
    async with queue_room(host, settings=FAILING.replace('restart = "on-failure"', "") + command) as here:
        await add(here, "a", profile="make")
        await add(here, "b", profile="own")
        await here.until(lambda: len(host.spawned) == 2)
        await here.engine.wait_idle()
        assert "preflight of vm1" not in here.engine.store.fleet.alarms
        assert here.engine.store.fleet.queue.preflights["vm1"].claude


class NeverChecks(Lively):
    """It does not answer what is looked up."""

    asked = 0

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, Check):
            self.asked += 1
        else:
            super().take(channel, message)


async def test_a_host_that_does_not_say_what_it_has_keeps_no_task_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PATIENCE", 0.01)
    host = NeverChecks()
    async with queue_room(host) as here:
        await add(here, "a", "b")
        await here.until(lambda: len(host.spawned) == 2)
        assert host.asked == 1
