"""Real Claude Code that others run: at the limit of its plan, and ended by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.wire.messages import AgentSeen
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.world import World
from tests.node.adopted import LATE, node, session, wait_ended, wait_others

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
