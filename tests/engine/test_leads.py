"""The socket for leads: a token says which lead speaks, and every intent and frame that it was not given does nothing.

What is tried comes from the unions of the protocol, so that a new intent or frame is tried by itself.
"""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, get_args

import pytest

from controlroom.domain import intents
from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.leads import VERBS, LeadVerb, RemoveLead
from controlroom.domain.model import LinkState, State
from controlroom.domain.money.allotment import FEW
from controlroom.domain.orders import Result
from controlroom.domain.tasks import TaskState, TaskWish
from controlroom.domain.waits import WaitReason
from controlroom.engine.frontends.lead_view import MAY_ASK
from controlroom.protocol.branches import AskWork
from controlroom.protocol.home import find_home
from controlroom.protocol.messages import (
    LEAD as MAY,
)
from controlroom.protocol.messages import (
    VERSION,
    Answered,
    AskCosts,
    AskDiff,
    AskTask,
    Costs,
    FetchLog,
    FollowedAgent,
    FollowLogs,
    Hello,
    Page,
    Question,
    Request,
    StopEngine,
    Submit,
    Unwelcome,
    Watch,
    Welcome,
    pack,
)
from controlroom.runner.folder import TAG
from controlroom.text.states import Outcome
from tests.engine import scripted
from tests.engine.budgeted import HEAD
from tests.engine.leading import LEAD, TOKEN, give, leading
from tests.engine.queued import Roomy
from tests.engine.raw_reader import RawReader, raw
from tests.engine.rooms import Room, room
from tests.engine.samples import sample
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.lab.world import World

DOCS = '[profiles.docs]\nkind = "headless"\n[profiles.free]\npermission_mode = "bypassPermissions"\n'
KNOWN = {
    "name": "a1", "agent": "vm1/a1", "subject": "vm1/a1", "host": "vm1", "epoch": 1, "task": "t1", "text": "hello",
    "question": "q1", "verdict": "allow", "address": "ann@vm9", "command": (), "by": "agent", "kill": True,
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_a_world(home: World) -> World:
    return home


@asynccontextmanager
async def led(host: ScriptedHost | None = None) -> AsyncIterator[Room]:
    """A room with a profile, an agent of a person's, and a lead."""
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(HEAD + DOCS)
    place.config.chmod(0o600)
    there = host or ScriptedHost()
    there.agents["a1"] = seen("a1", profile="docs", billing="api")
    there.owner = ""
    async with room(there) as here:
        assert (await give(here)).ok
        await here.engine.wait_idle()
        yield here


async def told(session: RawReader, *intents_: intents.Intent) -> list[Result]:
    """What becomes of what a lead wants."""
    before = sum(isinstance(one, Answered) for one in session.told)
    await session.say(*(Submit(number, intent) for number, intent in enumerate(intents_, before + 1)))
    await session.until_told(Answered, before + len(intents_))
    return [one.result for one in session.told if isinstance(one, Answered)][before:]


async def test_it_is_a_socket_of_its_own_for_us_alone() -> None:
    async with led() as here:
        path = here.home.lead_socket
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        session = await leading(here, Watch())
        assert await session.until_told(Welcome) == Welcome(VERSION, "room-1", MAY, here.engine.store.clock())
        session.connection.close()


@pytest.mark.parametrize("token", ["", "x", TOKEN + "x", TOKEN[:-1], "y" * 100_000])
async def test_a_token_that_is_none_is_not_let_in(token: str) -> None:
    async with led() as here:
        session = await leading(here, Watch(), token=token)
        no = await session.until_told(Unwelcome)
        assert isinstance(no, Unwelcome)
        assert "is no lead's of this room" in no.reason
        session.connection.close()


async def test_a_token_opens_no_other_door() -> None:
    async with led() as here:
        for role in ("tui", "cli", "watch", "stop"):
            session = await leading(here, Watch(), role=role)
            assert isinstance(await session.until_told(Unwelcome), Unwelcome)
            session.connection.close()
        session = await raw(here, Hello(VERSION, "lead", "eve", token=TOKEN))
        assert isinstance(await session.until_told(Unwelcome), Unwelcome)
        session.connection.close()


async def test_it_sees_what_is_its_own_and_nothing_else() -> None:
    async with led() as here:
        session = await leading(here, Watch())
        (result,) = await told(session, intents.SpawnAgent("mine", "write the docs"))
        assert result.ok, result.reason
        await here.until(lambda: session.read() == 0 and "vm1/mine" in session.fleet.agents)
        fleet, whole = session.fleet, here.engine.store.fleet
        assert "vm1/a1" in whole.agents
        assert set(fleet.agents) == {"vm1/mine"}
        assert whole.agents["vm1/mine"].lead == "research"
        assert (set(fleet.profiles), set(fleet.hosts), fleet.hosts["vm1"].address) == ({"docs"}, {"vm1"}, "")
        assert (fleet.money, dict(fleet.alarms), dict(fleet.headroom)) == (None, {}, {})
        assert set(fleet.budgets) == {"lead research", "lead research, plans"}
        await here.engine.ledger_writer.outbox.wait_tried()
        audit = [line for line in here.engine.ledger.audit() if line.who == "lead research"]
        assert [(line.verb, line.target) for line in audit] == [("spawn", "vm1/mine")]
        session.connection.close()


async def test_no_intent_about_what_is_not_its_own_does_anything() -> None:
    host = ScriptedHost()
    async with led(host) as here:
        orders = len(scripted.orders(host))
        before = here.engine.store.fleet
        tried: list[intents.Intent] = [sample(kind, **KNOWN) for kind in get_args(intents.Intent)]
        session = await leading(here)
        for intent in tried:
            (result,) = await told(session, intent)
            assert (result.outcome, bool(result.reason)) == (Outcome.REFUSED, True), intent
        session.connection.close()
        await here.engine.wait_idle()
        after = here.engine.store.fleet
        assert len(scripted.orders(host)) == orders
        assert (after.agents, after.hosts.keys(), after.leads, after.tasks) == (
            before.agents,
            before.hosts.keys(),
            before.leads,
            before.tasks,
        )
        assert (after.queue.hold, after.queue.halt) == (None, None)
        refused = [line for line in here.engine.ledger.audit(500) if line.who == "lead research"]
        assert len(refused) == len(tried)
        assert {line.outcome for line in refused} == {"refused"}


NEVER_ASK = {
    "LookAtScreen", "CheckHost", "AskHistory", "AskAudit", "CheckLedger", "BackUpLedger", "AskComparison",
    "AskEstimate", "AskAttached", "AskRunways", "AskDoubted", "AskFigures", "AskWorktrees", "AskRules", "TryCall",
    "PlanFleet", "ExportFleet", "AskDrift",
}  # fmt: skip
"""What no lead is ever answered. A new question belongs here, or into `lead_view.MAY_ASK`: decide which."""


def test_every_question_is_decided_on() -> None:
    assert {kind.__name__ for kind in get_args(Question)} - {kind.__name__ for kind in MAY_ASK} == NEVER_ASK


async def test_no_question_about_what_is_not_its_own_is_answered() -> None:
    async with led() as here:
        asked: list[Request] = [sample(kind, **{**KNOWN, "id": 7, "path": "/x"}) for kind in get_args(Question)]
        for question in asked:
            session = await leading(here, question)
            if isinstance(question, AskCosts):
                costs = await session.until_told(Costs)
                assert isinstance(costs, Costs)
                assert costs.rows == ()
            else:
                answer = await session.until_told(Answered)
                assert isinstance(answer, Answered)
                assert answer.result.outcome is Outcome.REFUSED, question
            session.connection.close()
        session = await leading(here, AskCosts(1, "model", 0, NOON))
        assert isinstance(await session.until_told(Answered), Answered)
        session.connection.close()


async def test_nobody_stops_the_engine_or_follows_the_log_of_others() -> None:
    async with led() as here:
        session = await leading(here, StopEngine())
        assert isinstance(await session.until_told(Unwelcome), Unwelcome)
        assert not here.stopped.is_set()
        session.connection.close()
        session = await leading(here, FollowLogs(1, (FollowedAgent("vm1/a1"),)), AskTask(2, "t1"))
        await session.until_told(Answered)
        here.hosts["vm1"].write("a1", 1, b"secret")
        await here.engine.wait_idle()
        session.read()
        assert not [page for page in session.told if isinstance(page, Page)]
        session.connection.close()


@pytest.mark.parametrize(
    ("verb", "question"),
    [
        (LeadVerb.LOGS, FetchLog(9, "vm1/mine", 1, 10)),
        (LeadVerb.DIFF, AskDiff(9, "vm1/mine", 1, "x")),
        (LeadVerb.COLLECT, AskWork(9, "vm1/mine", 1)),
        (LeadVerb.COSTS, AskCosts(9, "agent", 0, NOON)),
    ],
)
async def test_a_question_needs_its_verb(verb: LeadVerb, question: Any) -> None:
    async with led() as here:
        lacking = replace(LEAD, name="other", verbs=tuple(one for one in VERBS if one is not verb))
        assert (await give(here, lacking, "other" * 9)).ok
        session = await leading(here, token="other" * 9)
        assert (await told(session, intents.SpawnAgent("mine", "x")))[0].ok
        await session.say(question)
        answer = await session.until_told(Answered, 2)
        assert isinstance(answer, Answered)
        assert answer.result.reason == f"lead other was not given {verb}"
        session.connection.close()


async def test_what_one_lead_started_is_not_the_other_ones() -> None:
    async with led() as here:
        assert (await give(here, replace(LEAD, name="other"), "other" * 9)).ok
        one, two = await leading(here, Watch()), await leading(here, Watch(), token="other" * 9)
        assert (await told(one, intents.SpawnAgent("mine", "x")))[0].ok
        await here.engine.wait_idle()
        (result,) = await told(two, intents.KillAgent("vm1/mine", 1))
        assert result.outcome is Outcome.REFUSED
        assert "has no agent" in result.reason
        assert not two.fleet.agents
        (result,) = await told(one, intents.KillAgent("vm1/mine", 1))
        assert result.ok
        one.connection.close()
        two.connection.close()


async def test_a_lead_that_is_removed_has_nothing_left_in_the_session_that_it_has_open() -> None:
    async with led() as here:
        session = await leading(here, Watch())
        assert (await told(session, intents.SpawnAgent("mine", "x")))[0].ok
        await here.until(lambda: session.read() == 0 and "vm1/mine" in session.fleet.agents)
        removed = await here.engine.submit(RemoveLead("research"), "ann (test)")
        assert "its agents go on, up to its ceiling: vm1/mine" in removed.reason
        await here.until(lambda: session.read() == 0 and not session.fleet.agents and not session.fleet.leads)
        await session.say(FetchLog(8, "vm1/mine", 1, 10))
        for result in await told(session, intents.KillAgent("vm1/mine", 1), intents.SpawnAgent("more", "x")):
            assert "was removed" in result.reason
        again = await leading(here, Watch())
        assert isinstance(await again.until_told(Unwelcome), Unwelcome)
        assert not here.agent("vm1/mine").has_ended
        session.connection.close()
        again.connection.close()


async def test_a_log_that_it_follows_shows_nothing_more_once_it_was_removed() -> None:
    async with led() as here:
        session = await leading(here, Watch())
        assert (await told(session, intents.SpawnAgent("mine", "x")))[0].ok
        await here.engine.wait_idle()

        def lines() -> bytes:
            session.read()
            return b"".join(base64.b64decode(page.data) for page in session.told if isinstance(page, Page))

        await session.say(FollowLogs(1, (FollowedAgent("vm1/mine"),)), AskTask(7, "t1"))
        await session.until_told(Answered, 2)
        here.hosts["vm1"].write("mine", 1, b"before")
        await here.until(lambda: b"before" in lines())
        assert (await here.engine.submit(RemoveLead("research"), "ann (test)")).ok
        pages = len([page for page in session.told if isinstance(page, Page)])
        here.hosts["vm1"].write("mine", 1, b"after")
        await here.until(lambda: lines() and len([one for one in session.told if isinstance(one, Page)]) > pages)
        assert b"after" not in lines()
        session.connection.close()


async def test_what_it_had_in_the_queue_is_not_left_to_the_next_lead_of_its_name() -> None:
    host = Roomy()
    async with led(host) as here:
        session = await leading(here)
        (result,) = await told(session, intents.AddTasks((TaskWish(text="tidy up", max_attempts=3),)))
        await here.until(lambda: host.spawned, "it starts")
        assert (await here.engine.submit(RemoveLead("research"), "ann (test)")).ok
        host.end(host.spawned[0].name, State.FAILED)
        await here.until(lambda: here.engine.store.fleet.tasks[result.agent].state is TaskState.WAITING, "it failed")
        here.engine.leads.look()
        await here.engine.wait_idle()
        assert here.engine.store.fleet.tasks[result.agent].state is TaskState.DROPPED
        again = await here.engine.submit(intents.RetryTask(result.agent), "ann (test)")
        assert "what it gave is done by nobody" in again.reason
        session.connection.close()


async def test_however_many_add_tasks_at_once_no_more_are_open_than_it_may_have() -> None:
    async with led() as here:
        session = await leading(here)
        ten = intents.AddTasks(tuple(TaskWish(text=f"task {number}") for number in range(10)))
        results = await told(session, *[ten] * 6)
        assert [result.ok for result in results] == [True, True, False, False, False, False]
        fleet = here.engine.store.fleet
        assert sum(task.state.is_open for task in fleet.tasks.values()) == 20
        some = [task.id for task in fleet.tasks.values()][:10]
        assert all(result.ok for result in await told(session, *map(intents.DropTask, some)))
        assert (await told(session, ten))[0].ok
        refused = await told(session, *map(intents.RetryTask, some))
        assert all("may have 20 open tasks" in result.reason for result in refused)
        session.connection.close()


async def test_its_tasks_tell_nothing_of_whose_the_room_is() -> None:
    async with led() as here:
        session = await leading(here, Watch())
        assert (await here.engine.submit(intents.HoldQueue("for the secret launch"), "ann (test)")).ok
        (result,) = await told(session, intents.AddTasks((TaskWish(text="tidy up"),)))
        await here.until(lambda: here.engine.store.fleet.tasks[result.agent].wait)
        await here.until(lambda: session.read() == 0 and session.fleet.tasks[result.agent].wait)
        assert "ann" in repr(here.engine.store.fleet.tasks[result.agent].wait)
        wait = session.fleet.tasks[result.agent].wait
        assert wait is not None
        assert (wait.reason, wait.about) == (WaitReason.QUEUE_HELD, ("(not told)",))
        session.connection.close()


async def test_what_a_lead_was_given_outlives_the_engine_and_its_token_does_not_stand_in_the_ledger() -> None:
    async with led() as here:
        session = await leading(here)
        assert (await told(session, intents.SpawnAgent("mine", "x")))[0].ok
        session.connection.close()
        await here.engine.wait_idle()
        files = [path for path in here.home.state_folder.rglob("*") if path.is_file()]
        assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
        host = here.hosts["vm1"]
    async with room(host) as here:
        session = await leading(here, Watch())
        await here.until(lambda: session.read() == 0 and "vm1/mine" in session.fleet.agents)
        assert set(here.engine.store.fleet.budgets) == {"lead research", "lead research, plans"}
        session.connection.close()


async def test_when_its_time_is_over_its_agents_end() -> None:
    async with led() as here:
        soon = replace(LEAD, name="soon", until=here.engine.store.clock() + 60_000)
        assert (await give(here, soon, "soon" * 9)).ok
        session = await leading(here, token="soon" * 9)
        assert (await told(session, intents.SpawnAgent("mine", "x")))[0].ok
        await here.engine.wait_idle()
        here.now += 60_000
        here.engine.leads.look()
        await here.until(lambda: here.agent("vm1/mine").has_ended, "it is ended")
        (result,) = await told(session, intents.SpawnAgent("more", "x"))
        assert "time of lead soon is over" in result.reason
        session.connection.close()


async def test_when_its_time_is_over_an_agent_on_a_host_that_is_away_ends_once_it_is_back() -> None:
    async with led() as here:
        soon, host = replace(LEAD, name="soon", until=here.engine.store.clock() + 60_000), here.hosts["vm1"]
        assert (await give(here, soon, "soon" * 9)).ok
        session = await leading(here, token="soon" * 9)
        assert (await told(session, intents.SpawnAgent("mine", "x")))[0].ok
        await here.engine.wait_idle()
        host.reachable = False
        host.cut()
        await here.until(lambda: here.link("vm1") is not LinkState.UP)
        here.now += 60_000
        here.engine.leads.look()
        await here.engine.wait_idle()
        removed = await here.engine.submit(RemoveLead("soon", kill=True), "ann (test)")
        assert "its agents go on, up to its ceiling: vm1/mine" in removed.reason
        host.reachable = True
        await here.up("vm1")
        here.engine.leads.look()
        await here.until(lambda: here.agent("vm1/mine").has_ended, "it is ended")
        session.connection.close()


async def test_a_task_of_a_lead_bears_its_mark() -> None:
    async with led(Roomy()) as here:
        session = await leading(here)
        (result,) = await told(session, intents.AddTasks((TaskWish(text="tidy up"),)))
        assert result.ok, result.reason
        task = here.engine.store.fleet.tasks[result.agent]
        assert (task.origin.who, task.origin.lead, task.origin.source) == ("lead research", "research", "agent")
        await here.until(lambda: here.engine.store.fleet.tasks[task.id].last is not None, "it starts")
        last = here.engine.store.fleet.tasks[task.id].last
        assert last is not None
        await here.until(lambda: last.id in here.engine.store.fleet.agents)
        assert here.agent(last.id).lead == "research"
        session.connection.close()


async def test_a_lead_does_not_want_things_without_end() -> None:
    async with led() as here:
        session = await leading(here)
        results = await told(session, *(intents.KillAgent("vm1/a1", 1) for _ in range(125)))
        assert sum("in a minute" in result.reason for result in results) == 5
        await here.engine.ledger_writer.outbox.wait_tried()
        assert len([line for line in here.engine.ledger.audit(500) if line.who == "lead research"]) == 120
        session.connection.close()


async def test_what_its_agents_may_spend_comes_out_of_its_ceiling() -> None:
    host = Roomy()
    async with led(host) as here:
        session = await leading(here)
        assert (await told(session, intents.SpawnAgent("one", "x")))[0].ok
        assert (await told(session, intents.SpawnAgent("two", "x")))[0].ok
        await here.engine.wait_idle()
        grants = [order.grant for order in host.spawned if order.grant is not None]
        ceilings = [grant.allowance.billed or 0 for grant in grants]
        budget = here.engine.store.fleet.budgets["lead research"]
        assert len(ceilings) == 2
        assert 0 < sum(ceilings) <= budget.granted
        assert budget.granted + 2 * FEW[BudgetUnit.BILLED] <= LEAD.limit
        session.connection.close()


async def test_without_money_for_a_message_nothing_is_started() -> None:
    async with led(Roomy()) as here:
        assert (await give(here, replace(LEAD, name="poor", limit=500_000), "poor" * 9)).ok
        session = await leading(here, token="poor" * 9)
        (result,) = await told(session, intents.SpawnAgent("mine", "x"))
        assert result.outcome is Outcome.REFUSED
        assert "lead poor may spend $0.50 in all, and $0.50 is left of it" in result.reason
        session.connection.close()


BOSS = '[profiles.boss]\nkind = "headless"\nlead = "research"\n'
CONNECT = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(sys.argv[2].encode() + b"\\n")
print(connection.makefile().readline())
"""
BELOW = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]], env={}, check=True)"


async def _answer(here: Room, path: str, environ: dict[str, str], *, below: bool = False, token: str = "") -> str:
    """What a process is told at a socket that says hello there; `below`: one that has shed its environment."""
    words = [CONNECT, path, pack(Hello(VERSION, "lead" if token else "cli", "eve", token=token)).decode().strip()]
    command = [sys.executable, "-c", *([BELOW] if below else []), *words]
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return said.decode()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the system does not tell whose process it is")
async def test_what_an_agent_that_leads_runs_in_its_shell_has_no_other_rights() -> None:
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(f"local = true\n{DOCS}{BOSS}")
    place.config.chmod(0o600)
    host = ScriptedHost("local")
    host.agents["boss"], host.agents["plain"] = seen("boss", profile="boss"), seen("plain", profile="docs")
    async with room(host) as here:
        assert (await give(here, replace(LEAD, hosts=("local",)))).ok
        assert (await give(here, replace(LEAD, name="other", hosts=("local",)), "other" * 9)).ok
        assert (await here.order(intents.SpawnAgent("mine", "x", "local", "docs", lead="research"))).ok
        door, room_ = str(here.home.lead_socket), here.home.namespace
        for name, token, words in (
            ("boss", TOKEN, '"is":"Welcome"'),
            ("plain", "other" * 9, '"is":"Welcome"'),
            ("boss", "other" * 9, "it may speak for lead research"),
            ("mine", TOKEN, "it may speak for no lead, for a lead began it"),
        ):
            assert words in await _answer(here, door, {TAG: f"{room_}/{name}.1"}, token=token), name
        tag = f"{here.home.namespace}/boss.1"
        for path in (here.home.socket, here.home.watch_socket):
            for below in (False, True):
                said = await _answer(here, str(path), {TAG: tag}, below=below)
                assert "is a part of local/boss, which leads by a token" in said
        for other in (f"{here.home.namespace}/plain.1", "elsewhere/boss.1"):
            assert '"is":"Welcome"' in await _answer(here, str(here.home.socket), {TAG: other}, below=False)
