"""The runner's metering around the real Claude Code CLI: our sum is Claude's own bill, to the micro-dollar."""

from __future__ import annotations

import json

import pytest

from controlroom.fleet.list_prices import list_prices
from controlroom.meter.prices import micro
from controlroom.meter.usage import Message, from_line
from tests.node.agent_under_test import Agent, MakeAgent
from tests.node.test_runner_claude import agent as claude_agent

agent = claude_agent

SUBAGENT = json.dumps(
    {"description": "look", "prompt": "[[text I have looked]]", "subagent_type": "general-purpose"},
    separators=(",", ":"),
)


def metered(run: Agent) -> dict[tuple[str, str], Message]:
    """What the runner wrote of each message last."""
    said = (run.folder / "usage.jsonl").read_bytes().split(b"\n")[:-1]
    return {message.key: message for message in map(from_line, said)}


def ours(run: Agent) -> int:
    """What we make of it, in micro-dollars."""
    sheet = list_prices()
    costs = [sheet.cost(message) for message in metered(run).values()]
    assert all(cost.priced for cost in costs)
    return micro(sum(cost.pico for cost in costs))


def theirs(run: Agent) -> int:
    """What Claude's last result says, in micro-dollars."""
    results = [event for event in map(json.loads, run.lines("a")) if event["type"] == "result"]
    dollars: float = results[-1]["total_cost_usd"]
    return round(dollars * 1_000_000)


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("[[text hello]]", "claude-opus-5-5"),
        ('[[tool Read {"file_path":"notes.txt"}]] [[text read]]', "claude-haiku-5-5"),
        (f"[[tool Agent {SUBAGENT}]] [[text all seen]]", "claude-sonnet-5-5"),
    ],
    ids=["one-message", "two-turns", "a-subagent"],
)
def test_what_is_metered_is_what_claude_bills(agent: MakeAgent, task: str, model: str) -> None:
    run = agent(task, model=model)
    assert run.finish(60).state == "done"
    assert theirs(run) > 0
    assert ours(run) == theirs(run)


def test_a_subagents_messages_are_among_them(agent: MakeAgent) -> None:
    run = agent(f"[[tool Agent {SUBAGENT}]] [[text all seen]]")
    run.finish(60)
    assert len(metered(run)) >= 3
