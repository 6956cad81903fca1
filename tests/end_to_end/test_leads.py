"""A real Claude that leads: it starts agents by its tools, up to its ceiling, and is refused after."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.domain.leads import VERBS
from controlroom.engine.catalogs.price_sheet import load
from controlroom.metering.prices import micro
from controlroom.metering.usage import Message
from controlroom.metering.usage_file import from_line
from controlroom.protocol.home import find_home
from controlroom.runner.folder import state_folder
from tests.end_to_end.room import Room, engines
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World

SPENDER = Path(__file__).parents[1] / "runner" / "spender.py"
DOLLAR = 1_000_000
CEILING = 2 * DOLLAR
BUSY = {"pace": 0.3, "output": 2500, "late": 0.1}
"""Five cents a message."""


def tool(name: str, /, **given: object) -> str:
    return f"[[tool mcp__controlroom__{name} {json.dumps(given)}]]"


def spent(home: Path) -> int:
    """What the runs of some agents have spent, as their host has it: each message once."""
    place = find_home(os.environ)
    sheet, state = load(place), Path(state_folder({"HOME": str(home)}, place.namespace))
    last: dict[object, Message] = {}
    for path in state.glob("agents/w*.*/usage.jsonl"):
        for record in map(from_line, path.read_bytes().splitlines()):
            if isinstance(record, Message):
                last[record.key] = record
    return sum(micro(sheet.cost(message).pico) for message in last.values())


def texts(room: Room, agent: str) -> str:
    return room.run("logs", agent, "-n", "400")


@pytest.fixture
def furnished(home: World, room: Room, api: Api, claude_home: Callable[..., Path], claude: Path) -> Path:
    """This machine as a host with a real Claude, a profile that leads, and one that spends."""
    claude_home(home.home, api)
    place = find_home(os.environ)
    place.prepare()
    work = json.dumps([sys.executable, str(SPENDER), json.dumps(BUSY)])
    place.config.write_text(
        f'local = true\n[profiles.boss]\nlead = "research"\ncwd = "project"\ncommand = [{json.dumps(str(claude))}]\n'
        f'[profiles.docs]\ncwd = "project"\ncommand = {work}\nenv = {{ ANTHROPIC_API_KEY = "k" }}\n'
    )
    place.config.chmod(0o600)
    return place.config_folder


def test_it_spends_up_to_its_ceiling_and_not_a_cent_more(furnished: Path, room: Room, home: World) -> None:
    verbs = ",".join(verb for verb in VERBS if verb not in ("kill", "answer"))
    given = ("--host", "local", "--profile", "docs", "--agents", "2", "--limit", "2", "--verbs", verbs, "--for", "2h")
    room.run("lead", "add", "research", *given)
    (lead,) = room.records("leads", "lead", "list")
    assert (lead["limit_usd"], lead["agents"], lead["over"]) == ("2.000000", 2, None)
    script = tool("status")
    script += "".join(tool("spawn", name=name, task="spend") for name in ("w1", "w2", "w3"))
    script += tool("kill", agent="w1") + "[[text they are at work]]"
    room.run("spawn", "boss", "--profile", "boss", "--task", script)
    room.wait_for_state("boss", "idle", "done", deadline=120)
    said = texts(room, "boss")
    assert "You are lead research" in said
    assert "may have 2 agents at work at once, and has 2" in said
    assert "No such tool" in said or "was not given kill" in said
    assert {agent["name"] for agent in room.status()["agents"]} == {"boss", "w1", "w2"}

    for engine in engines(home):  # in the middle of it: runners keep the ceiling, and the next engine knows it
        os.kill(engine.pid, signal.SIGKILL)

    def all_paused() -> bool:
        states = {agent["name"]: agent["state"] for agent in room.status()["agents"]}
        assert (states["w1"], states["w2"]) == ("paused", "paused"), states
        return spent(home.home) >= CEILING * 7 // 10  # what ran dry with no engine goes on with the next one

    wait_for(all_paused, 180, "both to have spent what there is", poll=0.5)
    total = spent(home.home)
    assert total <= CEILING, total

    room.run("reassign", "boss", "--continue", "--task", tool("spawn", name="w4", task="spend") + "[[text so be it]]")
    wait_for(lambda: "may spend $2.00 in all" in texts(room, "boss"), 120, "it is refused", poll=0.5)
    assert "w4" not in {agent["name"] for agent in room.status()["agents"]}
    audit = [line for line in room.records("lines", "audit") if line["who"] == "lead research"]
    assert {(line["verb"], line["outcome"]) for line in audit} >= {("spawn", "done"), ("spawn", "refused")}
    room.run("lead", "remove", "research")
    assert not find_home(os.environ).lead_token("research").exists()
