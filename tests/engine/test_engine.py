"""The one owner of the fleet: decides at once, knows three outcomes, looks where it cannot know."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.domain.audit import AuditLine
from controlroom.domain.model import LinkState, State
from controlroom.domain.orders import Result
from controlroom.engine.hosts.link import Link
from controlroom.engine.ledger.ledger import connect
from controlroom.text.states import Outcome, Verdict
from controlroom.wire import messages as wire
from tests.engine import scripted
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.lab.world import World

SPAWN = intents.SpawnAgent("a1", "write the docs", "vm1")
KILL = intents.KillAgent("vm1/a1", 1)

pytestmark = pytest.mark.usefixtures("home")


async def test_a_spawn_shows_before_the_host_has_answered_and_is_done_when_it_has() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        asked = await here.engine.submit(SPAWN, "ann")
        assert here.agent("vm1/a1").state is State.STARTING
        assert (await here.concluded(asked)).outcome == "done"
        await here.until(lambda: here.agent("vm1/a1").state is State.WORKING)
        assert here.agent("vm1/a1").pending is None
        (spawn,) = scripted.orders(host)
        assert isinstance(spawn, wire.Spawn)
        assert (spawn.name, spawn.epoch, spawn.task) == ("a1", 1, "write the docs")


async def test_of_two_spawns_of_one_name_exactly_one_wins() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        first, second = await asyncio.gather(*(here.order(SPAWN) for _ in range(2)))
        assert sorted([first.outcome, second.outcome]) == ["done", "refused"]
        assert len(scripted.orders(host)) == 1


async def test_a_host_that_refuses_is_quoted() -> None:
    async with room(scripted.Unwilling()) as here:
        conclusion = await here.order(SPAWN)
        assert conclusion == Result(Outcome.REFUSED, "the disk of vm1 is full")
        assert here.agent("vm1/a1").state is State.FAILED


async def test_a_spawn_that_never_arrived_is_refused_once_the_host_was_looked_at() -> None:
    host = scripted.NeverArrives()
    async with room(host) as here:
        asked = await here.engine.submit(SPAWN, "ann")
        await here.until(lambda: host.dialled > 1)
        conclusion = await here.concluded(asked)
        assert conclusion.outcome == "refused"
        assert "did not get the order" in conclusion.reason
        assert len(scripted.orders(host)) == 1, "an order whose fate is unknown is never sent again"


async def test_a_spawn_whose_answer_was_lost_is_done_once_the_host_was_looked_at() -> None:
    async with room(scripted.NeverAnswers()) as here:
        assert (await here.order(SPAWN)).outcome == "done"
        assert here.agent("vm1/a1").pending is None


@pytest.mark.parametrize("kind", [scripted.NeverArrives, scripted.NeverAnswers])
async def test_a_kill_is_known_by_looking(kind: type[ScriptedHost]) -> None:
    host = kind()
    host.agents["a1"] = seen("a1")
    async with room(host) as here:
        conclusion = await here.order(KILL)
        assert conclusion.outcome == ("unknown" if kind is scripted.NeverArrives else "done")
        assert ("still runs" in conclusion.reason) == (kind is scripted.NeverArrives)
        assert here.agent("vm1/a1").pending is None


async def test_while_the_link_is_lost_the_row_is_pending_and_nothing_is_guessed() -> None:
    host = scripted.NeverAnswers()
    async with room(host) as here:
        host.reachable = False
        asked = await here.engine.submit(SPAWN, "ann")
        await here.until(lambda: here.engine.store.fleet.hosts["vm1"].link is LinkState.LOST)
        agent = here.agent("vm1/a1")
        assert agent.pending is not None
        assert here.engine.store.fleet.state_of(agent) is State.LOST
        awaited = here.engine.orders.result_of(asked.op)
        assert awaited is not None
        assert not awaited.done()
        host.reachable = True
        assert (await here.concluded(asked)).outcome == "done"


@pytest.mark.parametrize("silent", [False, True])
async def test_a_reassignment_that_failed_shows_the_old_run_again(silent: bool) -> None:
    host = scripted.Unwilling()
    if silent:
        host.show = lambda *gone: None  # type: ignore[method-assign]
    host.agents["a1"] = seen("a1", task="old")
    async with room(host) as here:
        conclusion = await here.order(intents.ReassignAgent("vm1/a1", 1, "new"))
        assert conclusion.outcome == "refused"
        agent = here.agent("vm1/a1")
        assert (agent.epoch, agent.state, agent.task) == (1, State.WORKING, "old")


class HalfWay(ScriptedHost):
    """Ends the old run for a new one, and is lost before that begins, `times` over; or says that it cannot begin."""

    def __init__(self, times: int, says: str = "") -> None:
        super().__init__("vm1")
        self.times, self.says = times, says
        self.agents["a1"] = seen("a1", task="old", started=NOON - 1)

    def order(self, channel: scripted.ScriptedChannel, message: wire.ToNode) -> None:
        if not isinstance(message, wire.Spawn) or self.times == 0:
            super().order(channel, message)
            return
        self.times -= 1
        self.agents["a1"] = replace(self.agents["a1"], state="done", detail="reassigned", ended=NOON)
        if self.says:
            self.show()
            channel.say(wire.Reply(message.id, Outcome(self.says), "the disk of vm1 is full"))
        else:
            channel.cut()


async def test_the_second_half_of_a_reassignment_is_asked_for_again_when_its_host_is_back() -> None:
    host = HalfWay(2)
    async with room(host) as here:
        assert (await here.order(intents.ReassignAgent("vm1/a1", 1, "new"))).outcome == "done"
        spawns = [order for order in scripted.orders(host) if isinstance(order, wire.Spawn)]
        assert [(one.epoch, one.task, one.replaces) for one in spawns] == [(2, "new", 1), (2, "new", 0), (2, "new", 0)]
        assert here.agent("vm1/a1").epoch == 2
        assert not here.engine.store.fleet.alarms


@pytest.mark.parametrize(
    ("times", "says", "why"), [(9, "", "vm1 did not get to it"), (1, "half", "the disk of vm1 is full")]
)
async def test_a_reassignment_that_stays_half_done_says_what_was_done(times: int, says: str, why: str) -> None:
    host = HalfWay(times, says)
    async with room(host) as here:
        told = await here.order(intents.ReassignAgent("vm1/a1", 1, "new"))
        assert told.outcome == "unknown", "refused would say that nothing has changed"
        assert told.reason.startswith(f"vm1/a1 has ended for its run 2, which did not begin: {why}")
        assert told.reason.endswith("To begin it: controlroom reassign vm1/a1 --task TEXT")
        await here.up()
        agent = here.agent("vm1/a1")
        assert (agent.epoch, agent.state, agent.pending) == (1, State.DONE, None)
        assert here.engine.store.fleet.alarms["open vm1/a1"].text == told.reason
        host.times = 0
        assert (await here.order(intents.ReassignAgent("vm1/a1", 1, "new"))).outcome == "done"
        assert "open vm1/a1" not in here.engine.store.fleet.alarms


async def test_an_engine_that_comes_back_to_a_half_done_reassignment_says_so() -> None:
    host = HalfWay(1)
    async with room(host) as here:
        host.reachable = False
        asked = await here.engine.submit(intents.ReassignAgent("vm1/a1", 1, "new"), "ann")
        await here.until(lambda: host.times == 0)
        await here.until(lambda: here.link("vm1") is LinkState.LOST)
    assert asked.outcome is Outcome.ASKED
    host.reachable = True
    async with room(host) as here:
        await here.engine.wait_idle()
        (line,) = [line for line in here.ledger.audit() if line.verb == "reassign"]
        assert line.outcome == "unknown"
        assert "vm1/a1 has ended for its run 2, which did not begin" in line.reason
        assert "open vm1/a1" in here.engine.store.fleet.alarms


@pytest.mark.parametrize("silent", [False, True])
async def test_a_start_that_was_refused_shows_the_run_before_it_again(silent: bool) -> None:
    host = scripted.Unwilling()
    if silent:
        host.show = lambda *gone: None  # type: ignore[method-assign]
    host.agents["a1"] = seen("a1", state="done", task="old", ended=NOON)
    async with room(host) as here:
        assert (await here.order(SPAWN)).outcome == "refused"
        agent = here.agent("vm1/a1")
        assert (agent.epoch, agent.state, agent.task) == (1, State.DONE, "old")


async def test_a_mute_host_is_given_up_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.engine.orders.PATIENCE", 0.05)
    async with room(scripted.Mute()) as here:
        conclusion = await here.order(SPAWN)
        assert conclusion.outcome == "unknown"
        assert "vm1 did not answer" in conclusion.reason


async def test_one_host_cannot_answer_for_another_nor_invent_an_outcome() -> None:
    good, liar = scripted.Mute("vm1"), scripted.Liar("vm2")
    liar.agents["b1"] = seen("b1")
    async with room(good, liar) as here:
        asked = await here.engine.submit(SPAWN, "ann")
        conclusion = await here.order(intents.KillAgent("vm2/b1", 1))
        assert conclusion.outcome == "unknown"
        assert "\x1b" not in conclusion.reason
        assert "secret" not in conclusion.reason
        awaited = here.engine.orders.result_of(asked.op)
        assert awaited is not None
        assert not awaited.done()


async def test_a_host_is_up_only_once_it_has_said_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    host = scripted.Secretive()
    async with room(host, up=False) as here:
        link = here.engine.links.link("vm1")
        assert isinstance(link, Link)
        await here.until(lambda: link.up)
        assert here.engine.store.fleet.hosts["vm1"].link is LinkState.CONNECTING
    monkeypatch.setattr("controlroom.engine.host_events.SILENCE", 0.02)
    async with room(host) as here:
        assert here.engine.store.fleet.hosts["vm1"].facts is not None


async def test_a_dead_host_delays_no_other() -> None:
    dead = ScriptedHost("vm2")
    dead.reachable = False
    async with room(ScriptedHost("vm1"), dead, up=False) as here:
        await here.up("vm1")
        assert (await here.order(SPAWN)).outcome == "done"
        assert here.engine.store.fleet.hosts["vm2"].link is LinkState.LOST


async def test_messages_interrupts_and_forgetting_reach_the_host() -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1", state="idle")
    async with room(host) as here:
        assert (await here.order(intents.SendMessage("vm1/a1", 1, "go on"))).outcome == "done"
        assert (await here.order(intents.InterruptAgent("vm1/a1", 1))).outcome == "done"
        assert (await here.order(KILL)).outcome == "done"
        assert (await here.order(intents.ForgetAgent("vm1/a1", 1))).outcome == "done"
        assert "vm1/a1" not in here.engine.store.fleet.agents
        told = [message for message in scripted.orders(host) if isinstance(message, wire.Tell)]
        assert [(tell.what, tell.text) for tell in told] == [("message", "go on"), ("interrupt", "")]


async def test_an_answer_goes_to_the_question_it_was_shown_for() -> None:
    host = ScriptedHost()
    asked = wire.QuestionSeen("q1", "Bash", "git push", NOON)
    host.agents["a1"] = seen("a1", state="waiting", question=asked)
    async with room(host) as here:
        for question, digest in (("q0", asked.digest), ("q1", ""), ("q1", replace(asked, text="rm -rf /").digest)):
            late = await here.order(intents.AnswerQuestion("vm1/a1", question, Verdict.ALLOW, digest=digest))
            assert "asks something else now" in late.reason
        answer = intents.AnswerQuestion("vm1/a1", "q1", Verdict.ALLOW, digest=asked.digest)
        assert (await here.order(answer)).outcome == "done"
        await here.until(lambda: here.agent("vm1/a1").question is None)
        (told,) = [message for message in scripted.orders(host) if isinstance(message, wire.Tell)]
        assert (told.question, told.digest) == ("q1", asked.digest)


async def test_another_rooms_host_may_be_looked_at_and_taken() -> None:
    host = ScriptedHost()
    host.owner = "another room"
    async with room(host) as here:
        assert "belongs to another control room" in (await here.order(SPAWN)).reason
        assert (await here.order(intents.TakeHost("vm1"))).outcome == "done"
        assert (await here.order(SPAWN)).outcome == "done"


class Mistaken(ScriptedHost):
    """It is down, and to draw how long to wait for it is a mistake of ours."""

    class Dice(random.Random):
        def random(self) -> float:
            raise KeyError("ours")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.reachable = False
        self.dice = self.Dice


async def test_a_mistake_of_ours_in_one_link_takes_nothing_else_along(caplog: pytest.LogCaptureFixture) -> None:
    async with room(ScriptedHost("vm1"), Mistaken("vm2"), up=False) as here:
        await here.until(lambda: "the link to vm2 failed" in caplog.text)
        await here.up("vm1")
        host = here.engine.store.fleet.hosts["vm2"]
        assert (host.link, f"see {here.home.log}" in host.reason) == (LinkState.LOST, True)
        assert (await here.order(SPAWN)).outcome == "done"
    assert "the link to vm2 failed" in caplog.text


# --------------------------------------------------------------------------- hosts that come and go


async def test_a_host_is_added_written_down_and_removed() -> None:
    async with room(ScriptedHost()) as here:
        assert (await here.order(intents.AddHost("vm2", "ann@vm2"))).outcome == "done"
        await here.up("vm1", "vm2")
        assert 'address = "ann@vm2"' in here.home.hosts.read_text()
        assert (await here.order(intents.RemoveHost("vm2"))).outcome == "done"
        assert "vm2" not in here.home.hosts.read_text()
        assert "vm2" not in here.engine.store.fleet.hosts
        await here.until(lambda: not here.hosts["vm2"].channels, "its link is given up")


async def test_two_hosts_added_at_once_are_both_written_down() -> None:
    async with room(ScriptedHost()) as here:
        await asyncio.gather(*(here.order(intents.AddHost(f"vm{n}", f"ann@vm{n}")) for n in range(2, 7)))
        assert here.home.hosts.read_text().count("address") == 5


@pytest.mark.parametrize(
    ("intent", "words"),
    [
        (intents.AddHost("vm1", "ann@other"), "a host named vm1 is there already"),
        (intents.AddHost("vm3", "-oProxyCommand=x"), "is not an address"),
        (intents.AddHost("vm3", "local"), "is this machine"),
        (intents.AddHost("vm3", "ann@vm3", "SHA256:short"), "expected SHA256:"),
        (intents.RemoveHost("vm1"), "take it out there"),
        (intents.RemoveHost("vm9"), "there is no host 'vm9'"),
    ],
)
async def test_a_host_that_cannot_be_added_or_removed_says_why(intent: intents.Intent, words: str) -> None:
    async with room(ScriptedHost()) as here:
        assert words in (await here.order(intent)).reason
        assert not here.home.hosts.exists()
        assert set(here.engine.store.fleet.hosts) == {"vm1"}


async def test_a_list_of_hosts_that_cannot_be_written_changes_nothing(home: World) -> None:
    async with room(ScriptedHost()) as here:
        here.home.hosts.with_name(".hosts.toml.new").mkdir()
        conclusion = await here.order(intents.AddHost("vm2", "ann@vm2"))
        assert f"{here.home.hosts} cannot be written" in conclusion.reason
        assert set(here.engine.store.fleet.hosts) == {"vm1"}


async def test_removing_a_host_concludes_what_was_on_its_way_there() -> None:
    async with room(ScriptedHost()) as here:
        here.hosts["vm2"] = scripted.Mute("vm2")
        await here.order(intents.AddHost("vm2", "ann@vm2"))
        await here.up("vm2")
        asked = await here.engine.submit(intents.SpawnAgent("b1", "x", "vm2"), "ann")
        await here.order(intents.RemoveHost("vm2"))
        assert (await here.concluded(asked)).reason == "vm2 was taken out of the room"
        assert "vm2/b1" not in here.engine.store.fleet.agents


@pytest.mark.parametrize(("verdict", "link"), [("allow", LinkState.UP), ("deny", LinkState.REFUSED)])
async def test_a_key_nobody_knows_is_a_question(verdict: str, link: LinkState) -> None:
    async with room(scripted.Stranger(), up=False) as here:
        await here.until(lambda: here.engine.store.fleet.hosts["vm1"].question)
        question = here.engine.store.fleet.hosts["vm1"].question
        assert question is not None
        assert scripted.Stranger.KEY in question.text
        assert (await here.order(intents.AnswerQuestion("vm1", question.id, Verdict(verdict)))).outcome == "done"
        await here.until(lambda: here.engine.store.fleet.hosts["vm1"].link is link)


async def test_a_fingerprint_known_from_elsewhere_asks_nothing() -> None:
    async with room(ScriptedHost()) as here:
        here.hosts["vm2"] = scripted.Stranger("vm2")
        await here.order(intents.AddHost("vm2", "ann@vm2", scripted.Stranger.KEY))
        await here.up("vm2")


# --------------------------------------------------------------------------- the ledger


async def test_an_engine_that_comes_back_shows_what_it_knew_until_it_has_looked() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        await here.order(SPAWN)
        await here.engine.wait_idle()
    host.reachable = False
    async with room(host, up=False) as here:
        agent = here.agent("vm1/a1")
        assert (agent.state, agent.task) == (State.UNKNOWN, "write the docs")
        assert here.engine.store.fleet.state_of(agent) is State.LOST
        host.agents.clear()
        host.reachable = True
        await here.up()
        assert "vm1/a1" not in here.engine.store.fleet.agents
        await here.engine.wait_idle()
    async with room(host) as here:
        assert not here.ledger.agents


async def test_an_order_that_was_open_when_the_engine_ended_is_looked_up_and_not_repeated() -> None:
    host = scripted.Mute()
    async with room(host) as here:
        await here.engine.submit(SPAWN, "ann")
        await here.engine.submit(intents.SpawnAgent("a2", "x", "vm1"), "ann")
        await here.until(lambda: len(scripted.orders(host)) == 2)
    host.agents["a1"] = seen("a1")
    async with room(host, up=False) as here:
        pending = here.agent("vm1/a1").pending
        assert pending is not None
        assert pending.verb == "spawn"
        await here.up()
        await here.engine.wait_idle()
        lines = {line.target: line.outcome for line in here.ledger.audit()}
        assert lines == {"vm1/a1": "done", "vm1/a2": "refused"}
        assert len(scripted.orders(host)) == 2
    async with room(host) as here:
        assert not here.ledger.open_orders


class Full:
    """A disk that is full while a switch is on: the file may not grow."""

    def __init__(self) -> None:
        self.full = False

    def __call__(self, path: Path) -> sqlite3.Connection:
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                if sql == "begin immediate":
                    super().execute(f"pragma max_page_count = {1 if disk.full else 100_000}")
                return super().execute(sql, *values)  # type: ignore[arg-type]

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)


async def test_with_a_full_disk_nothing_new_starts_but_what_runs_can_be_ended() -> None:
    disk, host = Full(), ScriptedHost()
    host.agents["a1"] = seen("a1")
    async with room(host, opener=disk) as here:
        disk.full = True
        refused = await here.order(intents.SpawnAgent("a2", "x", "vm1"))
        while refused.outcome == "done":  # until its pages are used up
            number = len(here.engine.store.fleet.agents)
            refused = await here.order(intents.SpawnAgent(f"b{number}", "x" * 4000, "vm1"))
        assert refused.outcome == "refused"
        assert "nothing was started: the ledger" in refused.reason
        assert "is the disk full? make room" in refused.reason
        assert (await here.order(KILL)).outcome == "done"
        disk.full = False
        assert (await here.order(intents.SpawnAgent("a3", "x", "vm1"))).outcome == "done"


async def test_no_secret_reaches_the_ledger() -> None:
    async with room(ScriptedHost()) as here:
        await here.order(intents.SpawnAgent("a1", "use sk-ant-api03-verysecret and \udcff", "vm1"))
        await here.order(intents.SpawnAgent("a1 sk-ant-api03-verysecret", "x", "vm1"))
        await here.engine.wait_idle()
        written = b"".join(path.read_bytes() for path in here.home.state_folder.glob("ledger.db*"))
        assert b"verysecret" not in written
        assert b"sk-ant-\xe2\x80\xa6" in written


async def test_the_audit_says_who_did_what_and_what_came_of_it() -> None:
    async with room(ScriptedHost()) as here:
        await here.order(SPAWN)
        await here.order(intents.KillAgent("vm1/a9", 1))
        await here.engine.wait_idle()
        spawned, refused = here.ledger.audit()
        assert spawned == AuditLine(NOON, "ann (test)", "spawn", "vm1/a1", 1, "done", "")
        assert (refused.verb, refused.target, refused.outcome) == ("kill", "vm1/a9", "refused")


def last_op(here: Room) -> int:
    with closing(connect(here.home.ledger)) as database:
        return database.execute("select max(op) from orders").fetchone()[0]  # type: ignore[no-any-return]


async def test_order_numbers_are_never_used_twice() -> None:
    async with room(ScriptedHost()) as here:
        await here.order(SPAWN)
        first = last_op(here)
    async with room(ScriptedHost()) as here:
        await here.order(SPAWN)
        assert last_op(here) > first
