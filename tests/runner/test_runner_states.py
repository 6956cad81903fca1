"""States in which the real Claude Code CLI leaves a headless run: refused by a hook, without a turn, at a limit."""

from __future__ import annotations

import json

import pytest

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import from_line
from tests.lab.agent_under_test import Agent, MakeAgent
from tests.lab.messages_api.server import Api
from tests.lab.world import World
from tests.runner.claude_agents import agent, said

__all__ = ["agent"]

TOOL = '[[tool Bash {"command":"ls"}]][[text after it]]'
STOP = """echo '{"continue":false,"stopReason":"halt"}'"""


def hook(home: World, event: str, command: str) -> None:
    """Let a hook of the user's settings run a command."""
    settings = {"hooks": {event: [{"hooks": [{"type": "command", "command": command}]}]}}
    (home.home / ".claude").mkdir(exist_ok=True)
    (home.home / ".claude" / "settings.json").write_text(json.dumps(settings))


def cost(run: Agent) -> int:
    """Output tokens of its messages, as they stand in the usage file."""
    lines = (run.folder / "usage.jsonl").read_bytes().splitlines()
    return sum(record.usage.output for line in lines if isinstance(record := from_line(line), Message))


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo no way >&2; exit 2", "a hook refused the task: no way"),
        ("""echo '{"decision":"block","reason":"by rule 7"}'""", "a hook refused the task: by rule 7"),
        (STOP, "a hook refused the task: halt"),
        ("exit 2", "a hook refused the task: "),
    ],
)
def test_a_task_that_a_hook_refused_has_failed(agent: MakeAgent, home: World, api: Api, command: str, why: str) -> None:
    hook(home, "UserPromptSubmit", command)
    seen = agent("do it").finish()
    assert (seen.state, seen.detail[: len(why)], seen.exit_code) == ("failed", why, 0)
    assert not api.requests(main=True)


@pytest.mark.parametrize("event", ["PreToolUse", "PostToolUse"])
def test_a_turn_that_a_hook_stopped_has_failed(agent: MakeAgent, home: World, event: str) -> None:
    hook(home, event, STOP)
    seen = agent(TOOL).finish()
    assert (seen.state, seen.detail) == ("failed", "a hook stopped it in the middle of its turn")


@pytest.mark.parametrize("event", ["SessionStart", "Stop"])
def test_a_hook_that_keeps_it_from_nothing_changes_nothing(agent: MakeAgent, home: World, event: str) -> None:
    hook(home, event, STOP)
    seen = agent("[[text all of it]]").finish()
    assert (seen.state, seen.detail) == ("done", "")


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ("/help me", "nothing was done: Claude took no turn (/help isn't available in this environment.)"),
        ("/compact", "nothing was done: /compact took no turn (Error: No messages to compact)"),
        ("/clear", "nothing was done: /clear took no turn"),
        ("/context", "nothing was done: "),
    ],
)
def test_a_success_without_a_turn_has_done_nothing(agent: MakeAgent, task: str, why: str) -> None:
    seen = agent(task).finish()
    assert (seen.state, seen.detail[: len(why)]) == ("failed", why)


def test_a_command_that_does_something_is_done(agent: MakeAgent) -> None:
    first = agent("[[text hello]]").finish()
    assert first.state == "done"
    assert agent("/compact", resume=first.session).finish().state == "done"


def test_a_message_that_a_hook_refused_is_told_beside_what_was_done(agent: MakeAgent, home: World) -> None:
    hook(home, "UserPromptSubmit", "grep -q please && { echo nope >&2; exit 2; }; exit 0")
    run = agent("[[slow 0.2 10]][[text first]]")
    run.until(lambda seen: seen.state == "working")
    assert run.ask(do="message", text="please") == ""
    seen = run.finish()
    assert (seen.state, seen.detail) == ("done", "done, a hook refused the last message: nope")


def test_its_last_turn_leaves_it_idle_until_its_input_is_closed(agent: MakeAgent) -> None:
    """A message in a turn may begin another, so that it is waited for a while."""
    run = agent("[[slow 0.2 10]][[text first]]")
    run.until(lambda seen: seen.state == "working")
    assert run.ask(do="message", text="[[text second]]") == ""
    run.until(lambda seen: seen.state == "idle")
    assert run.finish().state == "done"


# -- limits


def test_a_limit_of_the_api_is_no_failure_and_ends_nobody_knows_when(agent: MakeAgent) -> None:
    """Claude gives up at once, and tells nowhere how long the API wants it to wait."""
    seen = agent("[[error 429 times=inf retry_after=61]]").finish()
    assert (seen.state, seen.detail[:38]) == ("limited", "API Error: Request rejected (429) · Th")
    assert (seen.limited_until, seen.pid, seen.ended > 0) == (0, 0, True)


# -- another session


def test_after_clear_its_cost_goes_on_in_another_session(agent: MakeAgent) -> None:
    run = agent("[[slow 0.3 10]][[text a first story]]")
    first = run.until(lambda seen: seen.session if seen.state == "working" else "")
    assert run.ask(do="message", text="/clear") == ""
    another = run.until(lambda seen: seen.session if seen.session != first else "")
    assert run.ask(do="message", text="[[text a second story]]") == ""
    seen = run.finish()
    assert (seen.state, seen.session, another != first) == ("done", another, True)
    assert "the conversation was cleared: another session begins" in said(run)
    totals = {}
    for record in run.log():
        event = json.loads(record.body) if record.stream == "a" else {}
        if event.get("type") == "result":
            totals[event["session_id"]] = event
    tokens = sum(use["outputTokens"] for event in totals.values() for use in event["modelUsage"].values())
    assert len(totals) == 2
    assert cost(run) == tokens


def test_the_sandbox_it_reports_is_ignored(agent: MakeAgent) -> None:
    run = agent("[[text hello]]")
    assert run.finish().state == "done"
    events = [json.loads(record.body) for record in run.log() if record.stream == "a"]
    assert "sandbox_enabled" in events[0]
