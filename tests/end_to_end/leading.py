"""An agent that leads others by its tools, and whoever else has its token."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controlroom.client.transport import EngineUnavailable
from controlroom.domain.intents import AnswerQuestion
from controlroom.domain.leads import ALWAYS, LeadVerb
from controlroom.engine.catalogs.price_sheet import load
from controlroom.mcp.session import LeadSession, ToolRefused, read_token
from controlroom.mcp.tools import TOOLS, Tool
from controlroom.metering.prices import micro
from controlroom.metering.usage import Message
from controlroom.metering.usage_file import from_line
from controlroom.protocol.home import find_home
from controlroom.runner.folder import state_folder
from controlroom.text.states import Verdict

GIVEN = {LeadVerb.SPAWN, *ALWAYS}
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "send": {"agent": "w1", "text": "stop"},
    "kill": {"agent": "w1"},
    "reassign": {"agent": "w1", "task": "something else"},
    "retry": {"task": "t1"},
    "answer": {"agent": "w1", "verdict": "allow"},
    "task_add": {"text": "more"},
    "task_show": {"task": "t1"},
    "task_drop": {"task": "t1"},
    "logs": {"agent": "w1"},
    "collect": {"agent": "w1"},
    "diff": {"agent": "w1"},
    "costs": {},
}
"""What a lead that was given `spawn` tries beside it: each tool of a verb that it was not given."""


def call(name: str, /, **given: object) -> str:
    """A step for the stand-in of the API: a call of a tool of the lead."""
    return f"[[tool {_call(name, given)}]]"


def calls(those: Mapping[str, Mapping[str, Any]]) -> str:
    """A step for the stand-in of the API: several calls at once."""
    return f"[[tools {' ;; '.join(_call(name, given) for name, given in those.items())}]]"


def _call(name: str, given: Mapping[str, Any]) -> str:
    return f"mcp__controlroom__{name} {json.dumps(given)}"


def try_each_verb(lead: str) -> dict[str, str]:
    """Have whoever holds the token call each tool of a verb that was not given: why it is refused, by tool."""
    return asyncio.run(_try_each(read_token(str(find_home(os.environ).lead_token(lead)))))


async def _try_each(token: str) -> dict[str, str]:
    session = LeadSession(token)
    told = {}
    for tool in TOOLS:
        if tool.verb not in GIVEN:
            try:
                told[tool.name] = f"done: {await _use(session, tool)}"
            except (ToolRefused, EngineUnavailable) as refusal:
                told[tool.name] = str(refusal)
    await session.close()
    return told


async def _use(session: LeadSession, tool: Tool) -> str:
    if tool.verb is LeadVerb.ANSWER:  # the tool would ask for nothing: its agent asks nothing
        return await session.submit(AnswerQuestion("vm2/w1", "made-up", Verdict.ALLOW), "answered")
    return await tool.run(session, ARGUMENTS[tool.name])


def spent(home: Path, seen_as: str) -> int:
    """What the runs of some agents have spent, as their host has it: each message once."""
    place = find_home(os.environ)
    sheet = load(place)
    state = home / Path(state_folder({"HOME": seen_as}, place.namespace)).relative_to(seen_as)
    last: dict[object, Message] = {}
    for path in state.glob("agents/w*.*/usage.jsonl"):
        for record in map(from_line, path.read_bytes().splitlines()):
            if isinstance(record, Message):
                last[record.key] = record
    return sum(micro(sheet.cost(message).pico) for message in last.values())
