"""What was ordered is known at home: a host that lies in any field changes no order, no grant, no spawn and no move."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import Any

import pytest

from controlroom.cli.records import Asked, answer
from controlroom.domain import intents
from controlroom.domain.claims import RULES, OrderedRun, joined
from controlroom.domain.display.explain import explain
from controlroom.domain.model import Agent, State
from controlroom.domain.orders import Result, Work
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import to_line
from controlroom.protocol.home import find_home
from controlroom.text.checks import CheckRun, Checks, CheckState
from controlroom.text.states import AgentKind, Cause, Outcome, Verdict
from controlroom.wire import messages as wire
from controlroom.wire.grants import Grant
from controlroom.wire.inquiries import ReadSpec, SpecRead
from controlroom.wire.spec import AgentSpec, Credential
from controlroom.wire.usage import UsagePlace, UsageSeen
from tests.domain.worlds import agent as fleet_agent
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen

pytestmark = pytest.mark.usefixtures("home")

CONFIG = """
local = false
[profiles.docs]
model = "sonnet"
cwd = "src"
permission_mode = "plan"
credential = "plan"
priority = 1
[profiles.rich]
kind = "command"
command = ["/bin/evil"]
permission_mode = "bypassPermissions"
priority = 9
[profiles.rich.env]
SECRET = "s3cret"
[budgets.day]
scope = "profile docs"
period = "day"
unit = "covered"
limit = 1000
[hosts.vm1]
address = "ann@vm1"
[hosts.vm2]
address = "ann@vm2"
"""

EVIL = AgentSpec("command", ("/bin/evil",), "rich", "opus", "bypassPermissions", "/etc", {"X": "1"}, "/etc/passwd")

LIES: Mapping[str, Any] = {
    "epoch": 7,
    "kind": "command",
    "state": "done",
    "since": NOON + 10**12,
    "detail": "paused: budget day",
    "cause": "budget",
    "trouble": "quiet",
    "profile": "rich",
    "model": "claude-opus-5-5",
    "cwd": "/etc",
    "worktree": {"path": "/etc", "branch": "main", "base": "0" * 40, "origin": "evil"},
    "task": "do evil",
    "pid": 1,
    "session": "--dangerously-skip-permissions",
    "started": 2**60,
    "ended": 1,
    "exit_code": 3,
    "exit_signal": 9,
    "question": wire.QuestionSeen("q9", "Bash", "rm -rf /", NOON),
    "limited_until": NOON + 300 * 86_400_000,
    "denied": 2**40,
    "billing": "api",
    "stray_key": "ANTHROPIC_API_KEY",
    "billing_doubt": "Claude says api",
    "grant": 2**50,
    "run_spent": 2**52,
    "run_tokens": 2**52,
    "subagents": 19_999,
    "forged": 7,
    "log_bytes": 2**60,
    "evidence": (wire.EvidenceSeen("stream", "done", "all is well", NOON),),
    "place": "tmux work",
    "pane": "%1",
    "mark": "boot.77.4711",
    "script": "boot.70.4700",
    "checks": Checks(CheckState.PASSED, (CheckRun("make test"),), told=20, at=NOON, output="all is well"),
    "nothing_changed": True,
}
"""Of each field of an agent something that was not ordered."""

HONEST = {"profile": "docs", "model": "claude-sonnet-5-5", "cwd": "/home/ann/src", "session": "s-1", "billing": "plan"}


class Lying(ScriptedHost):
    """Does what it is told, and says of each agent what `lies` holds for it; its answers about specs are lies too."""

    def __init__(self, name: str = "vm1") -> None:
        super().__init__(name)
        self.lies: dict[str, dict[str, Any]] = {}
        self.evil = True
        self.fresh: set[str] = set()
        """What has changed since it was told."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        reply = super().act(message)
        self.fresh.add(getattr(message, "name", ""))
        if isinstance(message, wire.Spawn):
            more: dict[str, Any] = {**HONEST, "session": f"s-{message.name}", "grant": _number(message.grant)}
            self.agents[message.name] = replace(self.agents[message.name], kind=message.spec.kind, **more)
        return reply

    def _said(self) -> tuple[wire.AgentSeen, ...]:
        return tuple(replace(agent, **self.lies.get(agent.name, {})) for agent in self.agents.values())

    def tell_all(self, channel: ScriptedChannel) -> None:
        channel.say(wire.AgentsSeen(self._said(), complete=True))

    def show(self, *gone: str) -> None:
        said = tuple(agent for agent in self._said() if agent.name in self.fresh)
        self.fresh = set()
        for channel in tuple(self.channels):
            channel.say(wire.AgentsSeen(said, gone=gone))

    def read_spec(self, asked: ReadSpec) -> SpecRead:
        return SpecRead(asked.id, EVIL, "do evil") if self.evil else super().read_spec(asked)


def _number(grant: Grant | None) -> int:
    return grant.number if grant else 0


@asynccontextmanager
async def lied_to() -> AsyncIterator[tuple[Room, Lying, Lying]]:
    """A room with a host that lies, and one that does not."""
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(CONFIG)
    place.config.chmod(0o600)
    liar, honest = Lying("vm1"), Lying("vm2")
    honest.evil = False
    async with room(liar, honest) as here:
        yield here, liar, honest


def spawn(name: str, host: str = "vm1", **more: Any) -> intents.SpawnAgent:
    return intents.SpawnAgent(name, f"write the docs of {host}", host, profile="docs", **more)


async def lie(here: Room, host: Lying, lies: Mapping[str, Mapping[str, Any]]) -> None:
    """Have a host say something else of all its agents, and wait until that is known."""
    host.lies = {name: dict(said) for name, said in lies.items()}
    host.fresh = set(host.agents)
    host.show()
    await here.until(lambda: all(channel.inbox.empty() for channel in host.channels))


def sent(host: ScriptedHost, name: str, new: str) -> list[wire.ToNode]:
    """Return the orders of a host about an agent, without what is different each time; grants apart."""
    found: list[wire.ToNode] = []
    for message in host.heard:
        if isinstance(message, (wire.Spawn, wire.Kill, wire.Tell, wire.Forget)) and message.name == name:
            plain = replace(message, id=0, name=new)
            if isinstance(plain, wire.Spawn):
                plain = replace(plain, grant=None, replaces=0, spec=plain.spec._replace(resume=""))
            if isinstance(plain, wire.Tell):
                plain = replace(plain, nonce="", signature="", bound="")
            found.append(plain)
    return found


def sessions(host: ScriptedHost, name: str) -> set[str]:
    return {order.spec.resume for order in host.heard if isinstance(order, wire.Spawn) and order.name == name}


def tops(host: ScriptedHost, name: str) -> list[int | None]:
    """Return the ceilings that an agent was granted."""
    spawns = [order.grant for order in host.heard if isinstance(order, wire.Spawn) and order.name == name]
    grants = [order for order in host.heard if isinstance(order, Grant) and order.name == name]
    return [grant.allowance.covered if grant else None for grant in (*spawns, *grants)]


async def ordered(here: Room, intent: intents.Intent) -> Result:
    """Order something, among much else, and wait for what becomes of it."""
    return await here.concluded(await here.engine.submit(intent, "ann"))


async def lived(here: Room, name: str) -> None:
    """Have an agent be told something, asked, given a new task, and moved, one after the other."""
    await ordered(here, intents.SendMessage(f"vm1/{name}", 1, "go on"))
    agent = here.engine.store.fleet.agents.get(f"vm1/{name}")
    if agent is not None and agent.question is not None:
        await ordered(here, intents.AnswerQuestion(f"vm1/{name}", "q1", Verdict.ALLOW))
    await ordered(here, intents.ReassignAgent(f"vm1/{name}", 1, "now the api", keep_session=True))
    await ordered(here, intents.ReassignAgent(f"vm1/{name}", 2, "", host="vm2"))
    await ordered(here, intents.ReassignAgent(f"vm1/{name}", 2, "and the tests", host="vm2"))


def batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + 10] for start in range(0, len(names), 10))


PAIRS = list(itertools.combinations(LIES, 2))
OFTEN, SELDOM = [(field,) for field in LIES] + PAIRS[::2], PAIRS[1::2]
PARTS = [OFTEN[n::10] for n in range(10)] + [pytest.param(SELDOM[n::10], marks=pytest.mark.long) for n in range(10)]


def test_there_is_a_rule_for_every_field_of_an_agent() -> None:
    """Whoever adds one says whose word counts."""
    assert set(RULES) == {field.name for field in fields(Agent)}


def test_every_field_of_an_agent_is_lied_about() -> None:
    assert set(LIES) == {field.name for field in fields(wire.AgentSeen)} - {"name"}


@pytest.mark.parametrize("lied_about", PARTS, ids=range(20))
async def test_a_host_that_lies_in_one_field_or_two_changes_no_order_and_no_grant(
    lied_about: list[tuple[str, ...]],
) -> None:
    lies = {f"a{number}": {key: LIES[key] for key in pair} for number, pair in enumerate(lied_about)}
    async with lied_to() as (here, liar, honest):
        for some in batches(("true", *lies)):
            began = await asyncio.gather(*(ordered(here, spawn(name)) for name in some))
            assert {asked.outcome for asked in began} == {Outcome.DONE}
        await lie(here, liar, lies)
        await lived(here, "true")
        for some in batches(tuple(lies)):
            await asyncio.gather(*(lived(here, name) for name in some))
        await here.engine.wait_idle()
        right = {host.name: sent(host, "true", "x") for host in (liar, honest)}
        assert [type(order).__name__ for order in right["vm1"]] == ["Spawn", "Tell", "Spawn", "Kill"]
        assert [type(order).__name__ for order in right["vm2"]] == ["Spawn"]
        for name, said in lies.items():
            for host in (liar, honest):
                wrong = [order for order in sent(host, name, "x") if order not in right[host.name]]
                assert not wrong, (said.keys(), wrong)
            assert sessions(liar, name) <= {"", f"s-{name}"}, said
            assert sessions(honest, name) <= {""}, said
            assert all(top is not None and top < 1_000_000_000 for top in tops(liar, name)), (said, tops(liar, name))
        assert not [order for order in honest.heard if isinstance(order, wire.Spawn) and order.spec.kind == "command"]


async def test_what_is_shown_is_what_was_ordered_and_the_lie_is_said_once() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        wrong = ("kind", "profile", "model", "cwd", "task", "billing")
        await lie(here, liar, {"a1": {name: LIES[name] for name in wrong}})
        agent = here.agent("vm1/a1")
        assert agent.ordered == Work(AgentKind.HEADLESS, "docs", "sonnet", "src")
        assert (agent.kind, agent.profile, agent.model, agent.cwd) == ("headless", "docs", "sonnet", "src")
        assert agent.task == "write the docs of vm1"
        assert agent.billing == ""
        assert [claim.field for claim in agent.claims] == list(wrong)
        told = explain(here.engine.store.fleet, agent, NOON).disagrees
        assert "vm1 says profile rich, but docs was ordered: what was ordered counts" in told[1]
        (row,) = [row for row in rows_of(here) if row["id"] == "vm1/a1"]
        assert row["claims"][1] == {"field": "profile", "ordered": "docs", "said": "rich"}
        alarm = here.engine.store.fleet.alarms["claims vm1"]
        assert "profile rich, but docs was ordered" in alarm.text
        assert "another task than was ordered" in alarm.text
        assert "do evil" not in alarm.text
        assert "model" not in alarm.text, "an honest host may fall back to another one"
        for _ in range(3):
            await lie(here, liar, {})
            await lie(here, liar, {"a1": {name: LIES[name] for name in wrong}})
        await lie(here, liar, {})
        assert "claims vm1" not in here.engine.store.fleet.alarms
        assert (here.agent("vm1/a1").claims, here.agent("vm1/a1").billing) == ((), "plan")
        await here.engine.wait_idle()
        audited = [line.reason for line in here.ledger.audit() if line.verb == "claim"]
        assert len(audited) == len(wrong), audited
        assert audited[1] == "its host says profile rich, but docs was ordered: what was ordered counts"


async def test_a_lie_about_a_run_that_is_being_replaced_is_audited_once() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        first = liar.agents["a1"]
        await lie(here, liar, {"a1": {"profile": "rich"}})
        await lie(here, liar, {})
        await here.order(intents.ReassignAgent("vm1/a1", 1, "now the api"))
        liar.agents["a1"] = first
        for _ in range(2):
            await lie(here, liar, {})
            await lie(here, liar, {"a1": {"profile": "rich"}})
        await here.engine.wait_idle()
        assert [line.epoch for line in here.ledger.audit() if line.verb == "claim"] == [1]


@pytest.mark.parametrize(("said", "claimed"), [("root", ["kind"]), ("unknown", ["kind"]), ("", [])])
async def test_a_kind_that_nobody_knows_is_another_than_was_ordered(said: str, claimed: list[str]) -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        await lie(here, liar, {"a1": {"kind": said}})
        agent = here.agent("vm1/a1")
        assert (agent.kind, [claim.field for claim in agent.claims]) == (AgentKind.HEADLESS, claimed)
        assert ("claims vm1" in here.engine.store.fleet.alarms) == bool(claimed)


async def test_an_agent_that_is_said_to_be_gone_and_comes_back_is_still_what_was_ordered() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        kept = liar.agents.pop("a1")
        liar.show("a1")
        await here.until(lambda: "vm1/a1" not in here.engine.store.fleet.agents)
        liar.agents["a1"] = replace(kept, profile="rich")
        await lie(here, liar, {})
        await here.until(lambda: "vm1/a1" in here.engine.store.fleet.agents)
        assert here.agent("vm1/a1").profile == "docs"


async def test_an_engine_that_comes_back_still_knows_what_was_ordered() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        agents = liar.agents
    async with lied_to() as (here, liar, _):
        liar.agents = agents
        await lie(here, liar, {"a1": {"profile": "rich", "kind": "command", "cwd": "/etc"}})
        await here.order(intents.ReassignAgent("vm1/a1", 1, "now the api"))
        (order,) = sent(liar, "a1", "a1")
        assert isinstance(order, wire.Spawn)
        assert (order.spec.profile, order.spec.kind, order.spec.cwd) == ("docs", "headless", "src")
        assert order.spec.permission_mode == "plan"
        assert order.spec.credential == Credential(plan=True)


async def test_an_agent_that_was_killed_is_not_resumed_because_its_host_says_a_budget_paused_it() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        await here.order(intents.KillAgent("vm1/a1", 1))
        await lie(here, liar, {"a1": {"state": "paused", "detail": "paused: budget day", "ended": NOON}})
        await here.engine.wait_idle()
        assert here.agent("vm1/a1").state is State.DONE
        assert len(sent(liar, "a1", "a1")) == 2


async def test_an_agent_that_was_paused_is_shown_so_until_it_is_resumed_also_by_an_engine_that_comes_back() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        await here.until(lambda: here.agent("vm1/a1").session)
        await here.order(intents.PauseAgent("vm1/a1", 1))
        await here.until(lambda: here.agent("vm1/a1").state is State.PAUSED)
        assert here.agent("vm1/a1").cause is Cause.NONE, "no budget has paused it: it does not go on by itself"
        agents = liar.agents
    async with lied_to() as (here, liar, _):
        liar.agents = agents
        await lie(here, liar, {"a1": {}})
        await here.until(lambda: here.agent("vm1/a1").state is State.PAUSED)
        await here.order(intents.ResumeAgent("vm1/a1", 1))
        (order,) = [message for message in liar.heard if isinstance(message, wire.Spawn)]
        assert (order.spec.resume, order.task) == ("s-a1", intents.GO_ON)
        await here.until(lambda: here.agent("vm1/a1").state is State.WORKING)


async def test_an_agent_that_was_resumed_keeps_its_task_and_retries_it_also_by_an_engine_that_comes_back() -> None:
    async with lied_to() as (here, _, honest):
        await here.order(spawn("a1", "vm2"))
        for epoch in (1, 2):
            await here.until(lambda: here.agent("vm2/a1").session)
            await here.order(intents.PauseAgent("vm2/a1", epoch))
            await here.order(intents.ResumeAgent("vm2/a1", epoch, f"go on, {epoch}"))
            await here.until(lambda: here.agent("vm2/a1").state is State.WORKING)
            assert here.agent("vm2/a1").task == "write the docs of vm2"
        agents, specs = honest.agents, honest.specs
    async with lied_to() as (here, _, honest):
        honest.agents, honest.specs = agents, specs
        await lie(here, honest, {})
        await here.until(lambda: here.agent("vm2/a1").state is State.WORKING)
        assert (here.agent("vm2/a1").task, here.agent("vm2/a1").claims) == ("write the docs of vm2", ())
        assert (await here.order(intents.RetryAgent("vm2/a1", 3))).outcome == "done"
        (order,) = [message for message in honest.heard if isinstance(message, wire.Spawn)]
        assert (order.epoch, order.task, order.spec.resume) == (4, "write the docs of vm2", "")


async def test_an_order_to_end_a_forgotten_run_says_nothing_of_a_later_one_with_its_number() -> None:
    async with lied_to() as (here, _, honest):
        await here.order(spawn("a1", "vm2"))
        await here.until(lambda: here.agent("vm2/a1").session)
        await here.order(intents.PauseAgent("vm2/a1", 1))
        await here.order(intents.ForgetAgent("vm2/a1", 1))
        await here.order(spawn("a1", "vm2"))
        assert here.agent("vm2/a1").epoch == 1
        await _ends_as_it_says(here, honest)
        agents = honest.agents
    async with lied_to() as (here, _, honest):
        honest.agents = agents
        await _ends_as_it_says(here, honest)


async def _ends_as_it_says(here: Room, host: Lying) -> None:
    for state, killed_by in ((State.DONE, 0), (State.FAILED, 9)):
        host.agents["a1"] = replace(host.agents["a1"], state=state.value, exit_signal=killed_by, ended=NOON)
        await lie(here, host, {})
        await here.until(lambda state=state: here.agent("vm2/a1").state is state)  # type: ignore[misc]


async def test_what_a_host_says_that_a_run_has_spent_holds_no_more_of_a_budget_than_twice_its_ceiling() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        (top,) = tops(liar, "a1")
        await lie(here, liar, {"a1": {"state": "done", "ended": NOON, "run_spent": 2**52, "run_tokens": 2**52}})
        await here.engine.wait_idle()
        assert here.agent("vm1/a1").run_spent == 2**52
        assert top is not None
        assert here.engine.store.fleet.budgets["day"].granted <= 2 * top + 500_000
        assert (await here.order(spawn("b1", "vm2"))).outcome == "done"


async def test_what_is_used_counts_for_the_profile_that_was_ordered_though_its_agent_is_said_to_be_gone() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        liar.agents.pop("a1")
        liar.show("a1")
        await here.until(lambda: "vm1/a1" not in here.engine.store.fleet.agents)
        used = Message("msg_1", "req_1", NOON - 60_000, "claude-opus-5-5", Usage(0, 1_000_000))
        data = to_line(used).decode()
        for channel in tuple(liar.channels):
            channel.say(UsageSeen(UsagePlace("a1", 1, 0, "a1b2"), len(data), data))
        await here.until(lambda: here.engine.store.fleet.budgets["day"].spent == 20_000_000)


# --------------------------------------------------------------------------- agents that this room did not order


def rows_of(here: Room) -> list[dict[str, Any]]:
    """The agents, as scripts are told of them."""
    fleet = here.engine.store.fleet
    rows: list[dict[str, Any]] = answer("status", Asked(fleet, NOON, fleet.agents.values()))["agents"]
    return rows


def claimed(name: str = "b1", **more: Any) -> wire.AgentSeen:
    said = {"profile": "rich", "cwd": "/etc", "model": "claude-opus-5-5", "task": "do evil", "billing": "plan"}
    return seen(name, 3, **{**said, **more})


async def met(here: Room, host: Lying, agent: wire.AgentSeen) -> Agent:
    host.agents[agent.name] = agent
    await lie(here, host, {})
    await here.until(lambda: f"{host.name}/{agent.name}" in here.engine.store.fleet.agents)
    return here.agent(f"{host.name}/{agent.name}")


async def refused(here: Room, intent: intents.Intent) -> str:
    told = await here.order(intent)
    assert told.outcome == "refused", told
    return told.reason


async def test_an_agent_that_this_room_did_not_order_is_shown_as_claimed_with_the_least_rights() -> None:
    async with lied_to() as (here, liar, _):
        agent = await met(here, liar, claimed())
        assert (agent.ordered, agent.claims, agent.billing) == (None, (), "")
        notes = dict(explain(here.engine.store.fleet, agent, NOON).notes)
        assert notes["claimed"].startswith("this room did not order it; vm1 says: kind headless, profile rich, model")
        assert [row["ordered_here"] for row in rows_of(here)] == [False]
        here.engine.budgets.refresh()
        (run,) = here.engine.budgets.table.runs.values()
        assert (run.billing, run.priority, run.ordered) == ("", 1, False), "the lowest, though its profile has 9"


async def test_it_is_asked_before_anything_is_begun_by_what_is_claimed() -> None:
    async with lied_to() as (here, liar, honest):
        await met(here, liar, claimed())
        await met(here, liar, claimed("b2", kind="command"))
        words = "this room did not order run 3 of vm1/b1: how it is run is only what vm1 claims (kind headless, "
        assert words in await refused(here, intents.ReassignAgent("vm1/b1", 3, "x"))
        assert "controlroom reassign vm1/b1 --trust-host" in await refused(
            here, intents.ReassignAgent("vm1/b1", 3, "x", host="vm2")
        )
        trusting = intents.ReassignAgent("vm1/b1", 3, "", host="vm2", trust=True)
        assert "does not know its task: say --task" in await refused(here, trusting)
        command = intents.ReassignAgent("vm1/b2", 3, "", host="vm2", trust=True)
        assert "no host says what is run on another: spawn it there" in await refused(here, command)
        assert sent(liar, "b1", "b1") == sent(honest, "b1", "b1") == sent(honest, "b2", "b2") == []
        done = await here.order(intents.ReassignAgent("vm1/b1", 3, "mine", trust=True))
        assert done == Result(Outcome.DONE)
        (order,) = sent(liar, "b1", "b1")
        assert isinstance(order, wire.Spawn)
        assert (order.spec.profile, order.spec.cwd, order.task) == ("rich", "/etc", "mine")
        await here.until(lambda: here.agent("vm1/b1").epoch == 4)
        assert here.agent("vm1/b1").ordered is not None, "from now on it is known"


async def test_a_paused_agent_that_this_room_did_not_order_does_not_go_on_by_itself() -> None:
    async with lied_to() as (here, liar, _):
        paused = claimed(state="paused", detail="paused: budget day", session="s-1", ended=NOON)
        await met(here, liar, paused)
        await here.engine.wait_idle()
        assert "did not order run 3 of vm1/b1" in await refused(here, intents.ResumeAgent("vm1/b1", 3, "go on"))
        assert sent(liar, "b1", "b1") == []


async def test_a_kind_that_nobody_can_order_is_no_kind() -> None:
    async with lied_to() as (here, liar, _):
        agent = await met(here, liar, claimed(kind="adopted"))
        assert (agent.kind, agent.adopted) == ("unknown", False)


async def test_two_agents_of_a_host_are_not_in_one_session() -> None:
    async with lied_to() as (here, liar, _):
        await here.order(spawn("a1"))
        await here.order(spawn("a2"))
        await lie(here, liar, {"a1": {"session": "s-a2"}})
        told = await refused(here, intents.ReassignAgent("vm1/a1", 1, "x", keep_session=True))
        assert "vm1 says that vm1/a1 is in the session of vm1/a2, and one of the two cannot be" in told


KILLED: Mapping[str, Any] = {"state": "failed", "ended": NOON, "pid": 0}


class Killed(ScriptedHost):
    """Its runners only see that something has ended their agents, in this way; and it says so before it answers."""

    def __init__(self, end: Mapping[str, Any]) -> None:
        super().__init__("vm1")
        self.end, self.refuses = {**KILLED, **end}, False

    def act(self, message: wire.ToNode) -> wire.Reply:
        if not isinstance(message, wire.Kill):
            return super().act(message)
        self.agents[message.name] = replace(self.agents[message.name], **self.end)
        return wire.Reply(message.id, Outcome.REFUSED if self.refuses else Outcome.DONE)


def _states(here: Room) -> list[tuple[State, str]]:
    return [(here.agent(f"vm1/{name}").state, here.agent(f"vm1/{name}").detail) for name in ("a1", "a2")]


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ({"detail": "killed by SIGTERM", "exit_signal": 15}, (State.DONE, "killed")),
        ({"detail": "its runner was killed", "cause": "runner-killed"}, (State.DONE, "killed")),
        ({"detail": "probably out of memory", "exit_signal": 9, "cause": "out-of-memory"}, None),
        ({"detail": "exit 3", "exit_code": 3}, None),
    ],
)
async def test_a_run_that_was_ordered_to_end_was_killed_whatever_its_runner_made_of_the_signal(
    end: dict[str, Any], shown: tuple[State, str] | None
) -> None:
    host, failed = Killed(end), (State.FAILED, end["detail"])
    async with room(host) as here:
        told: list[State] = []
        for name in ("a1", "a2"):  # nobody ordered the end of the other one
            await here.order(intents.SpawnAgent(name, "work", "vm1"))
        here.engine.store.subscribe(lambda _: told.append(here.agent("vm1/a1").state))
        assert (await here.order(intents.KillAgent("vm1/a1", 1))).outcome is Outcome.DONE
        host.agents["a2"] = replace(host.agents["a2"], **host.end)
        host.show()
        await here.until(lambda: here.agent("vm1/a2").has_ended)
        assert _states(here) == [shown or failed, failed]
        assert shown is None or State.FAILED not in told, "not even before its host has answered"
    async with room(host) as later:
        await later.until(lambda: "vm1/a1" in later.engine.store.fleet.agents and later.agent("vm1/a1").ended)
        assert _states(later) == [shown or failed, failed]


async def test_an_end_that_was_refused_explains_none() -> None:
    host = Killed({"detail": "killed by SIGTERM", "exit_signal": 15})
    host.refuses = True
    host.agents["a1"] = seen("a1")
    async with room(host) as here:
        assert (await here.order(intents.KillAgent("vm1/a1", 1))).outcome is Outcome.REFUSED
        host.show()
        await here.until(lambda: here.agent("vm1/a1").state is State.FAILED)


@pytest.mark.parametrize(
    ("ordered", "said", "differs"),
    [
        ("~/src", "/home/ann/src", False),
        ("src", "/home/ann/src", False),
        ("~work-2", "/home/ann/~work-2", False),
        ("~work-2/src", "/home/ann/~work-2/src", False),
        ("~work-2/src", "/home/ann/src", True),
        ("~/src", "/home/ann/other", True),
    ],
)
def test_a_folder_is_said_in_full_as_its_host_takes_it(ordered: str, said: str, differs: bool) -> None:
    """On a host `~` alone is its user's home: `~work-2` is a folder of that name there."""
    run = OrderedRun("vm1", "a1", 1, AgentKind.HEADLESS, "", "", ordered, "", "", "", "", 1)
    agent = joined(replace(fleet_agent("a1"), cwd=said), run)
    assert [claim.field for claim in agent.claims] == ["cwd"] * differs
