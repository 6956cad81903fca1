"""Agents that are real Claudes, headless, with what they say and spend."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import Record, from_line
from controlroom.text.event_text import last_words
from controlroom.wire.messages import QuestionSeen
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import Agent, MakeAgent
from tests.lab.claude import SETTINGS, TOKEN
from tests.lab.messages_api.server import Api
from tests.lab.world import World


@pytest.fixture
def agent(home: World, api: Api, claude_home: Callable[..., Path]) -> Iterator[MakeAgent]:
    """`agent("[[text hello]]", model="opus")`: a headless agent at work in the world's project folder."""
    project = claude_home(home.home, api)
    login = {
        "HOME": str(home.home), "PATH": f"{home.home}/.local/bin:{os.environ['PATH']}", "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_AUTH_TOKEN": TOKEN, **SETTINGS,
    }  # fmt: skip
    with ExitStack() as stack:

        def make(task: str, login: dict[str, str] = login, without: tuple[str, ...] = (), **spec: Any) -> Agent:
            place = home.directory / f"agent{len(list(home.directory.iterdir()))}"
            kept = {name: value for name, value in login.items() if name not in without}
            made = Agent(place, AgentSpec(**{"cwd": str(project), **spec}), task, kept)
            stack.callback(made.close)
            return made.start()

        yield make


def question(run: Agent) -> QuestionSeen:
    """Wait until it asks something."""
    found = run.until(lambda seen: seen.question)
    assert found
    return found


def said(run: Agent) -> list[str]:
    """What its log says, a line a record."""
    return [words for record in run.log() if (words := last_words(record.stream, record.body))]


PARTS = {
    "question": "Which parts?",
    "header": "Parts",
    "multiSelect": True,
    "options": [
        {"label": "Auth", "description": "who may"},
        {"label": "Cache", "description": "how fast"},
        {"label": "Docs", "description": "what for"},
    ],
}

REGION = {
    "question": "Which region?",
    "header": "Region",
    "multiSelect": False,
    "options": [
        {"label": "eu-1", "description": "Europe", "preview": "| a |\n| b |"},
        {"label": "us-1", "description": "US"},
    ],
}


def asks(*questions: dict[str, Any]) -> str:
    return f"[[tool AskUserQuestion {json.dumps({'questions': questions})}]][[text thanks]]"


def heard(api: Api) -> str:
    """What the model was told last."""
    return json.dumps(api.requests(main=True)[-1]["body"]["messages"][-1], ensure_ascii=False)


def texts(value: Any) -> Iterator[str]:
    """Every text in a request."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(part)


BASH = ("claude", "--allowedTools", "Bash")


def in_bash(script: str) -> str:
    """A task whose one tool call runs a script."""
    words = json.dumps({"command": script, "description": "run it", "timeout": 120_000}, separators=(",", ":"))
    return f"[[tool Bash {words}]] [[text all done]]"


def records(run: Agent) -> list[Record]:
    """What the runner wrote."""
    return [from_line(line) for line in (run.folder / "usage.jsonl").read_bytes().split(b"\n")[:-1]]


def metered(run: Agent) -> dict[tuple[str, str], Message]:
    """What the runner wrote of each message last."""
    return {record.key: record for record in records(run) if isinstance(record, Message)}


KEY = "sk-ant-api03-a-key-of-the-lab-that-is-forty-digits-long"

BY_KEY = {"env": {"ANTHROPIC_API_KEY": KEY}}
