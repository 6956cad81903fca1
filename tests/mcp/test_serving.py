"""`controlroom mcp` as an agent's Claude meets it: the official client over stdio, and a real engine behind it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters, types

from controlroom.client.transport import EngineUnavailable, Here, NoAnswer
from controlroom.domain.leads import LeadVerb, RemoveLead
from controlroom.mcp.handlers import LONGEST, bounded
from controlroom.mcp.session import NoToken, ToolRefused, read_token, unavailable_words
from controlroom.mcp.tools import BY_NAME, TOOLS, checked
from controlroom.protocol.home import find_home
from controlroom.wire import messages as wire
from tests.engine.budgeted import HEAD
from tests.engine.leading import LEAD, TOKEN, give
from tests.engine.queued import Roomy
from tests.engine.rooms import Room, room
from tests.engine.scripted import ScriptedChannel, seen
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

DOCS = '[profiles.docs]\nkind = "headless"\n'


@pytest.fixture(autouse=True)
def in_a_world(home: World) -> World:
    return home


class Slow(Roomy):
    """It answers no order to begin an agent, but begins it."""

    is_slow = True

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if self.is_slow and isinstance(message, wire.Spawn):
            self.act(message)
        else:
            super().order(channel, message)


@asynccontextmanager
async def led(host: Roomy | None = None) -> AsyncIterator[Room]:
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(HEAD + DOCS)
    place.config.chmod(0o600)
    host = host or Roomy()
    host.agents["a1"] = seen("a1", profile="docs", billing="api")
    host.owner = ""
    async with room(host) as here:
        await give(here, replace(LEAD, verbs=tuple(verb for verb in LEAD.verbs if verb is not LeadVerb.ANSWER)))
        yield here


def served(tmp_path: Path, token: str = TOKEN) -> StdioServerParameters:
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    file.chmod(0o600)
    environ = {**os.environ, "CONTROLROOM_LEAD_TOKEN_FILE": str(file)}
    return StdioServerParameters(command=sys.executable, args=["-m", "controlroom", "mcp"], env=environ)


async def call(client: Client, tool: str, /, **given: object) -> tuple[str, bool]:
    result = await client.call_tool(tool, given)
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text, result.is_error


async def test_a_lead_leads_by_tools(tmp_path: Path) -> None:
    async with led() as here, Client(served(tmp_path)) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert listed.keys() == BY_NAME.keys() - {"answer"}
        assert all(tool.description and tool.input_schema["additionalProperties"] is False for tool in listed.values())

        text, bad = await call(client, "status")
        assert not bad
        assert "You are lead research" in text
        assert "a1" not in text

        assert await call(client, "spawn", name="mine", task="write") == ("mine is started (vm1/mine)", False)
        await here.until(lambda: here.agent("vm1/mine").lead == "research")
        text, _ = await call(client, "status")
        assert "- vm1/mine: " in text
        text, bad = await call(client, "kill", agent="vm1/a1")
        assert bad
        assert "you have no agent 'vm1/a1'" in text
        text, bad = await call(client, "spawn", name="more", task="write", host="vm9")
        assert (bad, "starts agents on vm1" in text) == (True, True)
        for name in ("explain", "costs", "task_list", "logs"):
            text, _ = await call(client, name, **({"agent": "mine"} if name in ("explain", "logs") else {}))
            assert text
        text, _ = await call(client, "task_add", text="tidy up")
        assert "t1" in text
        assert (await call(client, "task_show", task="t1"))[0] == "tidy up"
        assert not (await call(client, "kill", agent="mine"))[1]


async def test_what_was_not_given_is_refused_by_name_too(tmp_path: Path) -> None:
    async with led() as here, Client(served(tmp_path)) as client:
        await call(client, "spawn", name="mine", task="write")
        text, bad = await call(client, "answer", agent="mine", verdict="allow")
        assert bad
        assert "asks nothing now" in text or "was not given answer" in text
        assert (await call(client, "budget_set", name="day"))[1]
        await here.engine.submit(RemoveLead("research"), "ann (test)")

        async def told() -> bool:
            return (await call(client, "status"))[1]

        await wait_for_async(told, 30, "it to be told")  # until then it knows what it knew
        text, _ = await call(client, "status")
        assert "was removed, or its time is over" in text
        assert (await call(client, "spawn", name="more", task="x"))[1]


async def test_a_session_outlives_the_engine_and_says_what_is_known(tmp_path: Path) -> None:
    host = Slow()
    async with Client(served(tmp_path)) as client:
        for tool, given in (("status", {}), ("spawn", {"name": "w1", "task": "x"}), ("logs", {"agent": "w1"})):
            text, bad = await call(client, tool, **given)
            assert bad
            assert text.startswith("Nothing was done: no engine runs for this room. Your agents go on meanwhile"), text
        async with led(host) as here:
            assert not (await call(client, "status"))[1]
            spawning = asyncio.create_task(call(client, "spawn", name="w1", task="x"))
            await here.until(lambda: host.spawned)
        text, bad = await spawning
        assert bad
        assert text.startswith("It is not known whether this was done: the engine has ended; agents live on. Look")
        assert (await call(client, "spawn", name="w2", task="x"))[0].startswith("Nothing was done: no engine runs")
        host.is_slow = False
        async with room(host) as here:
            await here.until(lambda: here.agent("vm1/w1").lead == "research")
            text, bad = await call(client, "status")
            assert (bad, "- vm1/w1: " in text, "at work: 1 of 2" in text) == (False, True, True), text
            assert "is there already" in (await call(client, "spawn", name="w1", task="x"))[0]
            assert not (await call(client, "spawn", name="w2", task="x"))[1]
            assert "may have 2 agents at work at once" in (await call(client, "spawn", name="w3", task="x"))[0]
        assert [spawn.name for spawn in host.spawned] == ["w1", "w2"], "nothing twice"


async def test_an_engine_that_does_not_answer_is_not_to_be_ended_by_a_lead() -> None:
    gone = unavailable_words(NoAnswer("the engine does not answer"))
    assert gone.startswith("Nothing was done: the engine does not answer. Your agents go on")
    assert unavailable_words(EngineUnavailable("that is no lead's")) == "Nothing was done: that is no lead's"
    assert "kill" not in Here(find_home(os.environ), leading=True).stubborn()


async def test_a_token_that_is_none_leads_nobody(tmp_path: Path) -> None:
    async with led(), Client(served(tmp_path, "made up")) as client:
        text, bad = await call(client, "status")
        assert bad
        assert "is no lead's of this room" in text


@pytest.mark.parametrize(
    ("tool", "given", "words"),
    [
        ("spawn", {"name": "a"}, "needs task"),
        ("spawn", {"name": "a", "task": "x", "command": ["sh"]}, "takes no 'command'"),
        ("spawn", {"name": "a", "task": 3}, "must be a string"),
        ("spawn", {"name": "a" * 42, "task": "x"}, "1 to 41"),
        ("logs", {"agent": "a", "lines": 0}, "from 1 to 400"),
        ("logs", {"agent": "a", "lines": True}, "must be a integer"),
        ("answer", {"agent": "a", "verdict": "always"}, "one of allow, deny"),
        ("task_add", {"text": "x", "after": [1]}, "must be a string"),
    ],
)
def test_what_a_tool_is_given_is_checked(tool: str, given: dict[str, object], words: str) -> None:
    with pytest.raises(ToolRefused, match=words):
        checked(BY_NAME[tool], given)


def test_each_tool_stands_for_one_verb() -> None:
    assert {tool.verb for tool in TOOLS} == {verb for verb in LeadVerb if verb is not LeadVerb.UNKNOWN}


def test_an_answer_is_bounded() -> None:
    assert len(bounded("x" * 10**6)) < LONGEST + 100
    assert bounded("x") == "x"


def test_the_token_is_read_from_a_file_of_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("abc\n")
    file.chmod(0o600)
    assert read_token(str(file)) == "abc"
    file.chmod(0o666)
    with pytest.raises(NoToken, match="can be written by other users"):
        read_token(str(file))
    with pytest.raises(NoToken, match="cannot be read"):
        read_token(str(tmp_path / "none"))
    monkeypatch.setenv("CONTROLROOM_LEAD_TOKEN", "told")
    assert read_token("") == "told"
    assert "CONTROLROOM_LEAD_TOKEN" not in os.environ
    with pytest.raises(NoToken, match="no token"):
        read_token("")
