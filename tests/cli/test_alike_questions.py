"""The verbs of questions: those that ask alike under one id, and one answer to all of them."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from controlroom.cli.exits import Exit
from controlroom.text.states import TellKind, Verdict
from controlroom.wire import messages as wire
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen

pytestmark = pytest.mark.usefixtures("home")


async def run(*words: str, expect: int = Exit.DONE) -> str:
    """Run a verb beside the engine of this process; what it says on both channels."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "controlroom", *words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    said, told = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == expect, (words, said, told)
    return said.decode() or told.decode()


async def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(await run("questions", "--json"))["questions"]
    return found


async def asking(here: Room, host: ScriptedHost, **commands: str) -> None:
    """Have agents want to run these, each in its own folder."""
    for number, (name, command) in enumerate(commands.items(), len(host.agents)):
        question = wire.QuestionSeen(f"q{number}", "Bash", command, NOON + number, "permission")
        host.agents[name] = replace(seen(name), state="waiting", question=question, cwd=f"/home/ann/{name}")
    host.show()
    await here.until(lambda: len(here.engine.store.fleet.questions()) == len(host.agents))


def answered(host: ScriptedHost) -> list[tuple[str, str, Verdict, bool]]:
    """Who was answered what, for which question; and whether it says what was shown."""
    told = [message for message in host.heard if isinstance(message, wire.Tell) and message.what is TellKind.ANSWER]
    return [(tell.name, tell.question, tell.verdict, bool(tell.digest)) for tell in told]


async def test_all_who_ask_alike_are_listed_under_one_id_and_answered_at_once() -> None:
    host = ScriptedHost("vm1")
    async with room(host) as here:
        await asking(here, host, a="make -C /home/ann/a", b="make -C /home/ann/b", c="rm -r /home/ann/b")
        alike, other = await groups()
        assert [asker["agent"] for asker in alike["askers"]] == ["vm1/a", "vm1/b"]
        assert [asker["question"]["text"] for asker in other["askers"]] == ["rm -r /home/ann/b"]
        listed = await run("questions")
        assert f"{alike['id']}  2 agents: vm1/a, vm1/b" in listed

        assert "say --yes" in await run("answer", "--alike", alike["id"], "allow", expect=Exit.REFUSED)
        assert answered(host) == []
        assert "2 allowed once" in await run("answer", "--alike", alike["id"], "allow", "--yes")
        await here.until(lambda: len(answered(host)) == 2)
        assert answered(host) == [("a", "q0", Verdict.ALLOW, True), ("b", "q1", Verdict.ALLOW, True)]

        gone = await run("answer", "--alike", alike["id"], "allow", "--yes", expect=Exit.NOT_FOUND)
        assert "controlroom questions says what is asked" in gone
        assert "1 answered" in await run("answer", "--alike", other["id"], "deny", "not", "that")
        await here.until(lambda: len(answered(host)) == 3)
        assert await groups() == []


async def test_an_id_means_nobody_who_asks_something_else_by_now() -> None:
    host = ScriptedHost("vm1")
    async with room(host) as here:
        await asking(here, host, a="make", b="make")
        (alike,) = await groups()
        changed = wire.QuestionSeen("q1", "Bash", "make install", NOON, "permission")
        host.agents["b"] = replace(host.agents["b"], question=changed)
        host.show()
        await here.until(lambda: here.engine.store.fleet.agents["vm1/b"].question.text == "make install")  # type: ignore[union-attr]
        await run("answer", "--alike", alike["id"], "allow", "--yes")
        await here.until(lambda: bool(answered(host)))
        assert answered(host) == [("a", "q0", Verdict.ALLOW, True)]


async def test_what_is_no_answer_is_refused_before_anything_is_sent() -> None:
    host = ScriptedHost("vm1")
    async with room(host) as here:
        await asking(here, host, a="make", b="make")
        (alike,) = await groups()
        for words, says in (
            (("allow", "--all"), "leave out --all"),
            (("perhaps",), "not 'perhaps'"),
            ((), f"controlroom answer --alike {alike['id']} allow"),
            (("--choose", "1"), "--choose of which question?"),
        ):
            assert says in await run("answer", "--alike", alike["id"], *words, expect=Exit.USAGE)
        assert answered(host) == []
