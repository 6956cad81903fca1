"""Whatever a host claims, each verb prints what it is meant to: valid JSON, no control characters, no traceback."""

from __future__ import annotations

import asyncio
import json
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest

from controlroom.cli.exits import Exit
from controlroom.cli.verbs import VERBS
from controlroom.domain import intents
from controlroom.domain.tasks import Source, TaskWish
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Report, to_line
from controlroom.text.host_sample import HostSample
from controlroom.text.states import Item, Option, Uncounted
from controlroom.wire import messages as wire
from controlroom.wire.inquiries import ReadSpec, SpecRead
from controlroom.wire.spec import AgentSpec
from controlroom.wire.usage import (
    LimitsSeen,
    SendUsage,
    UsageBooked,
    UsageGap,
    UsageGaps,
    UsagePlace,
    UsageSeen,
    WindowSeen,
)
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen

pytestmark = pytest.mark.usefixtures("home")

KEY = "sk-ant-api03-0123456789abcdefghijklmnop"
EVIL = f"a\x1b]52;c;ZXZpbA==\x07\x9b31m\u202e\u2066\u200f\x00\n\r[red]\"'{KEY}\ud83c\U000e0001\u2028,b"
HUGE, LOW = 2**62, -(2**62)


def claims(name: str, **more: Any) -> wire.AgentSeen:
    """An agent of which every text is hostile, and every number beyond anything."""
    agent = seen(name)
    wild: dict[str, Any] = {}
    for field in fields(wire.AgentSeen):
        value = getattr(agent, field.name)
        if isinstance(value, str) and field.name not in ("name", "kind", "state"):
            wild[field.name] = EVIL
        elif type(value) is int and field.name != "epoch":
            wild[field.name] = HUGE
    return replace(agent, **{**wild, **more})


ITEM = Item(EVIL, EVIL, (Option(EVIL, EVIL, EVIL),) * 3, True, True)
QUESTION = wire.QuestionSeen("q1", EVIL, EVIL, HUGE, "choices", (ITEM,), False, (EVIL,))
EVIDENCE = (wire.EvidenceSeen(EVIL, "waiting", EVIL, LOW),)


class Hostile(ScriptedHost):
    """It lies in all that it can say."""

    def tell_all(self, channel: ScriptedChannel) -> None:
        super().tell_all(channel)
        channel.say(HostSample(HUGE, memory_used=HUGE, memory_total=-1, disk_free=LOW, cpu_percent=1e18, load_1m=-1.0))
        adopted = [claims(f"~x{number}", epoch=0, kind="adopted", place=EVIL, session="s" * 20) for number in range(3)]
        channel.say(
            wire.AdoptedSeen((*adopted, replace(adopted[0], name="~gone", ended=NOON, session="t" * 20, state="done")))
        )
        channel.say(wire.LastLines((wire.LastLine("a1", 1, EVIL, HUGE), wire.LastLine("~x1", 0, EVIL, LOW))))
        channel.say(
            wire.Loads(HUGE, (wire.AgentLoad("a1", 1, HUGE, 1e18, HUGE), wire.AgentLoad("a2", 1, -1, -1.0, -1)))
        )
        channel.say(wire.TmuxSeen("3.3a", EVIL))
        channel.say(UsageGaps((UsageGap(HUGE, LOW, Uncounted.GONE, EVIL),)))
        channel.say(wire.Notice(EVIL * 50))
        channel.say(wire.AgentsSeen((claims("a1", epoch=7),)))
        windows = [WindowSeen(EVIL, HUGE, 1e18, HUGE, EVIL, EVIL), WindowSeen("five_hour", NOON, 50.0, NOON + 60_000)]
        channel.say(LimitsSeen("a1", 1, EVIL, EVIL, tuple(windows)))
        channel.say(LimitsSeen("a2", 1, "ann", "max", tuple(windows)))

    def spend(self, channel: ScriptedChannel, message: SendUsage | UsageBooked) -> None:
        if isinstance(message, UsageBooked):
            return
        wild = Message(EVIL, EVIL, NOON, EVIL, Usage(10**14, 10**14, 0, 0, 10**14), run="a" * 15)
        tame = Message("msg_1", "", NOON, "claude-opus-5-5", Usage(10, 10))
        data = b"".join(to_line(record) for record in (wild, tame, Report("a" * 15, 10**16, NOON))).decode()
        channel.say(UsageSeen(UsagePlace("a1", 1, 0), 99, data))
        channel.say(UsageSeen(UsagePlace("a2", 1, 0), 99, "{" * 100 + "\n" + data, billing=EVIL, lost=True))
        channel.say(UsageSeen(UsagePlace("~x1", 5, 0), 99, data, session="s" * 20))

    def read_spec(self, asked: ReadSpec) -> SpecRead:
        return SpecRead(asked.id, AgentSpec("command", (EVIL,), cwd=EVIL), EVIL, EVIL)

    def act(self, message: wire.ToNode) -> wire.Reply:
        return replace(super().act(message), reason=EVIL)


def words_of(told: object) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(told, str):
        yield told
    elif isinstance(told, list):
        for part in told:
            yield from words_of(part)
    elif isinstance(told, dict):
        for name, part in told.items():
            yield from (name, *words_of(part))


def unsafe(text: str) -> str:
    """What of a text reaches no terminal, lines apart."""
    signs = [sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf", "Cs") and sign not in "\n\t"]
    return "".join(signs) + (KEY if KEY in text else "")


def refused(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


async def run(*words: str) -> tuple[int, str, str]:
    """Run a verb beside the engine of this process."""
    verb = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "controlroom",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, told = await asyncio.wait_for(verb.communicate(), 240)
    return verb.returncode or 0, said.decode(), told.decode()


LOOKS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("questions",),
    ("costs",),
    ("costs", "--by", "model"),
    ("costs", "--by", "folder"),
    ("limits",),
    ("plan",),
    ("explain", "a1"),
    ("explain", "vm1/~x1"),
    ("explain", "vm1/~gone"),
    ("budget", "show"),
    ("host", "list"),
    ("host", "check", "vm1"),
    ("audit",),
    ("ledger", "doubted"),
    ("attached",),
    ("task", "list", "--all"),
    ("task", "show", "t1"),
    ("why", "t1"),
    ("why", "--all"),
    ("queue", "show"),
    ("estimate", "--agents", "2", "--hours", "1", "--requests-per-hour", "5", "--offline"),
    ("rules", "list"),
    ("rules", "test", "Bash: git push origin main"),
    ("worktree", "list"),
    ("collect", "a1"),
    ("lead", "list"),
    ("fleet", "plan", "/dev/null"),
    ("fleet", "drift"),
    ("fleet", "export"),
)
ACTS: tuple[tuple[str, ...], ...] = (
    ("send", "a1", "hello"),
    ("interrupt", "a1"),
    ("model", "a1", "haiku", "--json"),
    ("answer", "a1", "deny"),
    ("pause", "a2"),
    ("retry", "a3"),
    ("reassign", "a2", "--task", "again"),
    ("budget", "set", "day", "--limit", "5"),
    ("task", "add", EVIL.replace("\0", "").replace("\ud83c", "")),
    ("halt",),
    ("kill", "--all", "--yes"),
    ("resume",),
    ("forget", "--ended", "--yes"),
    ("diff", "a1"),
    ("adopt", "--all", "--yes"),
    ("fleet", "apply", "/dev/null", "--yes"),
    ("costs", "import", "vm1", "--never"),
)


JSON = {verb.name for verb in VERBS if "--json" in verb.usage}


def verb_of(words: Sequence[str]) -> str:
    """The verb of a command line, of one or two words."""
    both = " ".join(words[:2])
    return both if both in {verb.name for verb in VERBS} else words[0]


def test_every_verb_that_prints_json_is_tried() -> None:
    assert {verb_of(words) for words in (*LOOKS, *ACTS)} >= JSON


async def hostile_room(here: Room, host: Hostile) -> None:
    """Have it lie, and wait until that was heard."""
    host.agents |= {
        "a1": claims("a1", state="waiting", question=QUESTION, evidence=EVIDENCE),
        "a2": claims("a2", state="limited"),
        "a3": claims("a3", state="failed", ended=NOON),
        "a4": claims("a4", kind=EVIL, state=EVIL),
    }
    host.show()
    await here.until(lambda: len(here.engine.store.fleet.agents) >= 7)
    wish = TaskWish(EVIL.replace("\ud83c", ""), source=Source.FILE)
    await here.order(intents.HoldQueue(EVIL.replace("\ud83c", "")))
    await here.order(intents.AddTasks((wish,)))


@pytest.mark.parametrize("verbs", [LOOKS, ACTS], ids=["looks", "acts"])
async def test_every_json_is_valid_and_plain_whatever_a_host_says(
    verbs: Sequence[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlroom.engine.frontends.answers.WORK_PATIENCE", 1.0)  # it never says what changed
    host = Hostile("vm1")
    async with room(host) as here:
        await hostile_room(here, host)
        for words in verbs:
            code, said, told = await run(*words, *["--json"] * (verb_of(words) in JSON))
            about = f"{words} {code}\n{said[:2000]}\n{told[-2000:]}"
            assert "Traceback" not in told, about
            assert code != Exit.UNEXPECTED, about
            assert not unsafe(told), about
            assert not unsafe(said), about
            assert said or (told and verbs is ACTS), about
            if said and verb_of(words) in JSON:
                value = json.loads(said, parse_constant=refused)
                value.pop("text", "")  # the whole text of a task, as it was given
                assert not [text for text in words_of(value) if unsafe(text)], about
