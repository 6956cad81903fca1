"""What Claudes spend that an agent's processes start: counted as the agent's, each message once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controlroom.engine.catalogs.list_prices import list_prices
from controlroom.metering.prices import micro
from controlroom.runner.money.grant_file import RunCeilings
from tests.lab.agent_under_test import Agent, MakeAgent
from tests.lab.messages_api.server import Api
from tests.lab.price_files import put_grant
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.claude_agents import BASH, in_bash, metered
from tests.runner.claude_agents import agent as claude_agent

agent = claude_agent


def out(home: World) -> Path:
    """A folder for what the Claudes print; with a task for one that shall run another."""
    place = home.directory / "out"
    place.mkdir()
    (place / "task").write_text(in_bash(f"{PRINT} deep > {place}/bill2.json"))
    return place


def bills(place: Path) -> int:
    """What the Claudes themselves say that they have cost, in micro-dollars: each printed its result into a file.

    Of one that goes on, that is what the session has cost.
    """
    dollars = [float(json.loads(path.read_text())["total_cost_usd"]) for path in sorted(place.glob("bill*.json"))]
    return round(sum(dollars) * 1_000_000)


def counted(run: Agent) -> int:
    """What the runner's messages cost, in micro-dollars."""
    assert all(message.run for message in metered(run).values())
    return micro(sum(list_prices().cost(message).pico for message in metered(run).values()))


def own(run: Agent) -> int:
    """What the agent's own Claude says that it has cost."""
    (result,) = [event for event in map(json.loads, run.lines("a")) if event["type"] == "result"]
    return round(float(result["total_cost_usd"]) * 1_000_000)


PRINT = "claude -p --output-format json"
WAYS = {
    "in a row": "for n in 1 2 3; do {claude} hello > {place}/bill$n.json; done",
    "in the background": "for n in 1 2 3; do {claude} hello > {place}/bill$n.json & done; wait",
    "with another config folder": "CLAUDE_CONFIG_DIR={place}/elsewhere {claude} hello > {place}/bill1.json",
    "with another temporary folder": "TMPDIR={place} {claude} hello > {place}/bill1.json",
    "with an empty environment": "env -i HOME=$HOME PATH=$PATH ANTHROPIC_BASE_URL=$ANTHROPIC_BASE_URL "
    "ANTHROPIC_AUTH_TOKEN=$ANTHROPIC_AUTH_TOKEN {claude} hello > {place}/bill1.json",
    "in a session of its own": "setsid -w {claude} hello > {place}/bill1.json",
    "in another folder": "cd {place} && {claude} hello > {place}/bill1.json",
    "that goes on": "{claude} hello > {place}/first.json; {claude} --continue again > {place}/bill1.json",
    "that runs one itself": '{claude} --allowedTools=Bash "$(cat {place}/task)" > {place}/bill1.json',
}


OFTEN = ("with an empty environment", "that runs one itself")


@pytest.mark.parametrize("way", [way if way in OFTEN else pytest.param(way, marks=pytest.mark.long) for way in WAYS])
def test_a_claude_in_its_bash_tool_is_counted_to_it(agent: MakeAgent, api: Api, home: World, way: str) -> None:
    place = out(home)
    script = WAYS[way].format(claude=PRINT, place=place)
    run = agent(in_bash(script), command=BASH)
    assert run.finish(120).state == "done"
    assert bills(place) > 0
    assert len(metered(run)) == len(api.requests(main=True))
    assert counted(run) == pytest.approx(own(run) + bills(place), abs=2)  # each is rounded


def test_a_script_that_runs_claude_is_an_agent_that_spends(agent: MakeAgent, api: Api, home: World) -> None:
    place = out(home)
    script = f"for n in 1 2 3; do {PRINT} hello > {place}/bill$n.json; done"
    run = agent("", kind="command", command=("bash", "-c", script))
    seen = run.finish(120)
    assert (seen.state, seen.billing) == ("done", "api")
    assert len(metered(run)) == len(api.requests(main=True)) == 3
    assert counted(run) == pytest.approx(bills(place), abs=2)


def test_claude_itself_as_a_command_is_an_agent_that_spends(agent: MakeAgent, api: Api) -> None:
    run = agent("", kind="command", command=("claude", "-p", "hello"))
    assert run.finish(120).state == "done"
    assert len(metered(run)) == len(api.requests(main=True)) == 1


FOUR_THEN_WAITS = "for n in 1 2 3 4; do claude -p hello; done; claude -p '[[hang 600]]'"
"""What is counted too late on a busy machine is no more than the one that waits."""


@pytest.mark.parametrize("kind", ["headless", "command"])
def test_what_claudes_below_it_spend_counts_for_its_ceiling_and_they_end_with_it(
    agent: MakeAgent, api: Api, kind: str
) -> None:
    api.configure(usage={"input_tokens": 20_000, "output_tokens": 1})
    run = (
        agent(in_bash(FOUR_THEN_WAITS), command=BASH)
        if kind == "headless"
        else agent("", kind="command", command=("bash", "-c", FOUR_THEN_WAITS))
    )
    run.until(lambda seen: seen.state == "working")
    put_grant(run.folder, RunCeilings(1, tokens=60_000))
    assert run.ask(do="grant", number=1) == ""
    seen = run.finish(120)
    assert (seen.state, seen.detail.startswith("budget: ")) == ("paused", True)
    used = [message.usage.prompt + message.usage.output for message in metered(run).values()]
    assert sum(used) >= 60_000
    requests = len(api.requests(main=True))
    assert len(used) in (requests, requests - 1)  # the last one may have been cut off
    assert seen.run_tokens == sum(used)


@pytest.mark.long
def test_one_that_keeps_no_transcript_cannot_be_bound_and_ends_a_run_that_a_grant_binds(
    agent: MakeAgent, api: Api
) -> None:
    run = agent(in_bash("claude -p --no-session-persistence '[[hang 600]]'"), command=BASH)
    run.until(lambda seen: seen.billing == "api")
    put_grant(run.folder, RunCeilings(1, tokens=10**9))
    assert run.ask(do="grant", number=1) == ""
    seen = run.finish(60)
    assert (seen.state, "keeps no transcript (--no-session-persistence)" in seen.detail) == ("paused", True)


@pytest.mark.long
def test_one_that_keeps_no_transcript_is_told_once_where_nothing_binds_the_run(agent: MakeAgent, api: Api) -> None:
    twice = "for _ in 1 2; do claude -p --no-session-persistence '[[text x]]'; done"
    seen = agent("", kind="command", command=("bash", "-c", twice))
    seen.finish(60)
    told = [line for line in seen.lines("n") if "its cost is not known whole" in line]
    assert (len(told), "keeps no transcript (--no-session-persistence)" in told[0]) == (1, True)


def test_a_claude_in_the_background_ends_with_its_agent(agent: MakeAgent, api: Api) -> None:
    run = agent(in_bash("setsid claude -p '[[hang 600]]' & sleep 600"), command=BASH)
    run.running()
    put_grant(run.folder, RunCeilings(1, tokens=10**9))
    assert run.ask(do="grant", number=1) == ""
    wait_for(lambda: len(api.requests(main=True)) == 2, 60, "the request of the one below")
    run.until(lambda seen: seen.subagents == 1)
    assert run.ask(do="end") == ""
    run.finish(60)
    (estimate,) = [message for message in metered(run).values() if message.estimated]
    assert estimate.usage.prompt > 0


def test_a_command_that_runs_no_claude_has_no_money(agent: MakeAgent) -> None:
    run = agent("", kind="command", command=("true",))
    assert (run.finish().billing, (run.folder / "usage.jsonl").exists()) == ("", False)
