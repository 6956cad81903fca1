"""The runner's metering around the real Claude Code CLI: our sum is Claude's own bill, to the micro-dollar."""

from __future__ import annotations

import json
import os
import signal

import pytest

from controlroom.engine.catalogs.list_prices import list_prices
from controlroom.metering.prices import micro
from controlroom.metering.usage_file import Refusal, Report
from controlroom.wire.spec import Credential
from tests.lab.agent_under_test import Agent, MakeAgent
from tests.lab.claude import TOKEN, log_in
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.claude_agents import agent as claude_agent
from tests.runner.claude_agents import metered, records

agent = claude_agent

SUBAGENT = json.dumps(
    {"description": "look", "prompt": "[[text I have looked]]", "subagent_type": "general-purpose"},
    separators=(",", ":"),
)


def reported(run: Agent) -> int:
    """What the runner says Claude says this run has cost, in micro-dollars."""
    return micro(max(record.pico for record in records(run) if isinstance(record, Report)))


def ours(run: Agent) -> int:
    """What we make of it, in micro-dollars; without what a run before has asked for."""
    sheet = list_prices()
    costs = [sheet.cost(message) for message in metered(run).values() if message.run]
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
    assert ours(run) == theirs(run) == reported(run)


WRITTEN = 100_000


@pytest.mark.long
@pytest.mark.parametrize(
    "split",
    [
        {},
        {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        {"ephemeral_5m_input_tokens": 60_000},
        {"ephemeral_1h_input_tokens": 60_000},
        None,
    ],
    ids=["empty", "zeros", "part-5m", "part-1h", "none"],
)
def test_what_a_gateway_says_was_cached_is_metered_as_claude_bills_it(
    agent: MakeAgent, api: Api, split: dict[str, int] | None
) -> None:
    api.configure(usage={"cache_creation_input_tokens": WRITTEN, "cache_creation": split})
    run = agent("[[text hello]]", model="claude-sonnet-4-6")
    assert run.finish(60).state == "done"
    assert theirs(run) >= WRITTEN * 3.75
    assert ours(run) == theirs(run)


@pytest.mark.long
@pytest.mark.parametrize("how", ["null", "empty", "absent"])
def test_messages_that_a_gateway_gives_no_id_are_counted_each_once(agent: MakeAgent, api: Api, how: str) -> None:
    api.configure(message_ids=how)
    run = agent('[[think hm]] [[tool Read {"file_path":"notes.txt"}]] [[text read]]')
    assert run.finish(60).state == "done"
    assert len(metered(run)) == len(api.requests(main=True)) == 2
    assert ours(run) == theirs(run) > 0


def test_a_subagents_messages_are_among_them(agent: MakeAgent) -> None:
    run = agent(f"[[tool Agent {SUBAGENT}]] [[text all seen]]")
    run.finish(60)
    assert len(metered(run)) >= 3


def test_a_session_that_goes_on_and_one_that_forks_cost_what_they_add(agent: MakeAgent) -> None:
    first = agent("[[text hello]]")
    session = first.finish(60).session
    second = agent("[[text again]]", resume=session)
    second.finish(60)
    assert ours(second) == reported(second) == theirs(second) - theirs(first)
    fork = agent("[[text aside]]", resume=session, command=("claude", "--fork-session"))
    assert fork.finish(60).session != session
    assert ours(fork) == reported(fork) == theirs(fork) - theirs(second)
    assert {message.run == "" for message in metered(fork).values()} == {True, False}


def test_a_turn_that_was_interrupted_is_an_estimate_and_is_claudes_own(agent: MakeAgent, api: Api) -> None:
    run = agent(f"[[slow 0.2 60]] [[text {'lorem ipsum ' * 60}]]")
    run.until(lambda seen: seen.state == "working")
    wait_for(lambda: api.requests(main=True), 20, "a request")
    wait_for(lambda: api.state.deltas > 3, 20, "some of the answer")
    assert run.ask(do="interrupt") == ""
    run.until(lambda seen: seen.detail == "interrupted")
    assert run.ask(do="end") == ""
    run.finish(60)
    (message,) = metered(run).values()
    assert message.estimated
    assert ours(run) == theirs(run) == reported(run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_request_that_was_under_way_at_the_end_is_an_estimate(
    agent: MakeAgent, api: Api, number: signal.Signals
) -> None:
    run = agent(f"[[tool Read {{}}]] [[slow 0.2 200]] [[text {'lorem ipsum ' * 60}]]")
    wait_for(lambda: api.state.deltas > 12, 20, "some of the answer")
    os.kill(run.seen().pid, number)
    run.finish(60)
    answered, under_way = sorted(metered(run).values(), key=lambda message: message.estimated)
    assert (answered.estimated, under_way.estimated, under_way.run) == (False, True, "")
    assert 0 < under_way.usage.prompt - answered.usage.prompt - answered.usage.output < 1000
    assert under_way.model == answered.model


def test_a_key_of_the_login_shell_moves_it_off_its_plan(agent: MakeAgent, home: World) -> None:
    strayed = agent("[[text hello]]")
    assert strayed.finish(60).stray_key == "", "there is no plan"
    log_in(home.home, "ann@example.org")
    strayed = agent("[[text hello]]")
    seen = strayed.finish(60)
    assert (seen.billing, seen.stray_key) == ("api", "ANTHROPIC_AUTH_TOKEN of the login shell")
    assert TOKEN not in (strayed.folder / "status.json").read_text()
    meant = agent("[[text hello]]", env={"ANTHROPIC_API_KEY": "sk-ant-api03-mine"}, without=("ANTHROPIC_AUTH_TOKEN",))
    assert meant.finish(60).stray_key == ""
    planned = agent("[[text hello]]", credential=Credential(plan=True))
    seen = planned.finish(60)
    assert (seen.billing, seen.stray_key) == ("plan", "")


def test_how_long_the_api_took_and_what_it_refused_is_told(agent: MakeAgent) -> None:
    run = agent("[[error 429 times=1 retry_after=1]][[slow 0.2 3]][[text through]]")
    run.finish()
    (message,) = metered(run).values()
    assert 400 <= message.took < 60_000
    assert [record.status for record in records(run) if isinstance(record, Refusal)] == [429]
