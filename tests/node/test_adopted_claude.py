"""Real Claude Code that others run: at the limit of its plan, and ended by itself."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from controlroom.wire.messages import AdoptedSeen, AgentSeen
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.adopted import LATE, Home, node, session, tmux, wait_ended, wait_others
from tests.runner.claude_agents import BY_KEY, KEY

__all__ = ["node"]


def run(project: Path, command: str) -> None:
    """Run something in a session of the user's own, as the user does."""
    session("talk", f"bash -c '. ~/.profile; unset ANTHROPIC_AUTH_TOKEN; {command}; exec sleep 601'", project)


@pytest.fixture
def plan(home: World, project: Path, api: Api) -> Path:
    """A project of somebody whose plan is used up."""
    log_in(home.home, "ann@example.org")
    api.configure(ratelimit="unified", mode=429)
    return project


def test_at_its_plans_limit_it_is_limited_until_then(plan: Path, node: NodeClient) -> None:
    run(plan, 'claude "hello"')
    node.greet()
    seen = wait_others(node, lambda seen: seen["~talk"].state == "limited", LATE)["~talk"]
    assert 0 < seen.limited_until - seen.since <= 7_200_000
    assert "limit" in seen.detail


def test_a_weekly_limit_stays_one_while_claude_asks_whether_to_wait(
    home: World, plan: Path, node: NodeClient, api: Api
) -> None:
    api.configure(unified={"claim": "seven_day"})
    run(plan, 'claude "hello"')
    node.greet()

    def limited_and_asks(seen: dict[str, AgentSeen]) -> bool:
        """Its session file, which tells of the dialog, may be read before the transcript, which tells of the limit."""
        return seen["~talk"].state == "limited" and "dialog open" in seen["~talk"].detail

    seen = wait_others(node, limited_and_asks, LATE)["~talk"]
    assert (seen.detail[:28], seen.limited_until > seen.since) == ("You've hit your weekly limit", True)


def end_after_it_was_seen(node: NodeClient, api: Api) -> None:
    """Let a Claude whose requests are held go on, once it is known at work: how long that takes, nobody knows."""
    node.greet()
    wait_others(node, lambda seen: seen["~talk"].state == "working" and seen["~talk"].session, LATE)
    api.release()


def test_one_that_ends_at_its_limit_is_limited_and_ended(plan: Path, node: NodeClient, api: Api) -> None:
    api.hold()
    run(plan, 'claude -p "hello" < /dev/null')
    end_after_it_was_seen(node, api)
    seen = wait_ended(node, "~talk")
    assert (seen.state, seen.limited_until > seen.ended > 0, seen.exit_code) == ("limited", True, None)


def test_one_whose_login_is_refused_is_told_as_failed(project: Path, node: NodeClient, api: Api) -> None:
    api.configure(mode=401)
    api.hold()
    run(project, 'export ANTHROPIC_AUTH_TOKEN=wrong; claude -p "hello" < /dev/null')
    end_after_it_was_seen(node, api)
    seen = wait_ended(node, "~talk")
    assert (seen.state, seen.detail.endswith("; its exit code is not known")) == ("failed", True)
    assert seen.cause == "login-refused"
    wait_others(node, lambda seen: set(seen) == {"~talk-2"})


@pytest.mark.long
@pytest.mark.parametrize("how", ["ctrl-c", "SIGINT"])
def test_one_that_is_interrupted_in_the_middle_of_a_turn_and_ends_is_not_done(
    home: World, project: Path, node: NodeClient, api: Api, how: str
) -> None:
    (home.home / "task").write_text(TURNS)
    run(project, 'export ANTHROPIC_AUTH_TOKEN=lab; claude -p --allowedTools=Bash "$(cat ~/task)"')
    node.greet()
    seen = wait_others(node, lambda seen: seen["~talk"].state == "working" and seen["~talk"].session, LATE)
    wait_for(lambda: len(api.requests(main=True)) > 1, LATE, "it to be in the middle of its turn")
    if how == "ctrl-c":
        tmux("send-keys", "-t", "=talk:", "C-c")
    else:
        os.kill(seen["~talk"].pid, signal.SIGINT)
    ended = wait_ended(node, "~talk")
    assert (ended.state, ended.detail) == ("failed", "its last turn was interrupted; its exit code is not known")


TURNS = '[[tool Bash {"command":"sleep 1"}]]' * 90 + "[[text done]]"


@pytest.mark.long
def test_one_that_gets_another_login_while_it_runs_has_another_payer_from_then_on(
    home: World, project: Path, node: NodeClient, api: Api
) -> None:
    log_in(home.home, "ann@example.org")
    api.configure(ratelimit="unified")
    (home.home / "task").write_text(TURNS)
    run(project, 'claude -p --allowedTools=Bash "$(cat ~/task)"')
    node.greet()
    books = Home(node)
    wait_for(lambda: books.book() and told_of(node)[-1].billing == "plan", LATE)
    (home.home / ".claude" / "settings.json").write_text(json.dumps(BY_KEY))
    wait_for(lambda: books.book() and any(agent.billing_doubt for agent in told_of(node)), LATE)
    (told,) = {(agent.billing, agent.billing_doubt[:52]) for agent in told_of(node) if agent.billing_doubt}
    assert told == ("", "who pays was changed while it runs: ANTHROPIC_API_KE")
    wait_for(lambda: books.book() and "api" in {billing for _, billing in books.said()}, LATE)
    tmux("kill-session", "-t", "=talk")
    assert (told_of(node)[-1].billing, told_of(node)[-1].billing_doubt) == ("api", "")
    by_key = [request["headers"].get("x-api-key") == KEY for request in api.requests(main=True)]
    paid = [piece.billing for _, piece in books.messages.values()]
    assert 0 < paid.count("plan") <= by_key.count(False)
    assert 0 < paid.count("api") <= by_key.count(True)


def told_of(node: NodeClient) -> list[AgentSeen]:
    """All that was said of the one in the session, the newest last."""
    return [agent for told in node.all(AdoptedSeen) for agent in told.agents if agent.name == "~talk" and agent.session]
