"""A budget of billed money binds whoever is billed, however they have logged in: real Claude Code, a real runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.room import Room, micro
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.world import World

KEY = "sk-ant-api03-a-key-of-the-lab-that-is-forty-digits-long"
TASK = '[[tool Bash {"command":"ls"}]] [[tool Bash {"command":"ls"}]] [[tool Bash {"command":"ls"}]] [[text done]]'
ONE_THEN_WAITS = '[[tool Bash {"command":"ls"}]] [[hang 600]]'
FORTY_CENTS = {"input_tokens": 100_000, "output_tokens": 0}
"""Of Claude Opus 5.5."""


def by_console(home: Path) -> None:
    """Log in as `/login` with a Console account does."""
    config = home / ".claude.json"
    account = {"emailAddress": "ann@example.org", "organizationName": "ann"}
    config.write_text(json.dumps({**json.loads(config.read_text()), "primaryApiKey": KEY, "oauthAccount": account}))


def by_settings(home: Path) -> None:
    """Have a plan's login, and a key in the project's settings."""
    log_in(home, "ann@example.org")
    settings = home / "project" / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"env": {"ANTHROPIC_API_KEY": KEY}}))


@pytest.mark.parametrize("login", [by_console, by_settings])
def test_a_login_that_is_billed_is_bound(
    room: Room, home: World, api: Api, claude_home: Callable[..., Path], login: Callable[[Path], None]
) -> None:
    claude_home(home.home, api)
    bashrc = home.home / ".bashrc"
    bashrc.write_text("\n".join(line for line in bashrc.read_text().splitlines() if "AUTH_TOKEN" not in line) + "\n")
    login(home.home)
    api.configure(usage=FORTY_CENTS)
    room.run("budget", "set", "day", "--limit", "0.10")
    room.run("spawn", "docs-1", "--cwd", "project", "--model", "claude-opus-5-5", "--task", TASK)
    agent: dict[str, Any] = room.wait_for_state("docs-1", "paused", deadline=60)
    assert (agent["billing"], agent["billing_doubt"]) == ("api", None)
    assert api.requests()[0]["headers"]["x-api-key"] == KEY

    def booked(_: object) -> bool:
        (row,) = room.records("rows", "costs")
        assert (row["billing"], row["list_price_usd"]) == ("api", "0.400000")
        return True

    room.wait_until("one message is billed, and it was the last", booked)
    room.wait_until(
        "the budget counts it", lambda _: room.records("budgets", "budget", "show")[0]["spent_usd"] == "0.400000"
    )
    assert len(api.requests(main=True)) == 1


def test_a_plan_that_is_used_up_is_bound_where_what_goes_beyond_it_is_billed(
    room: Room, home: World, api: Api, claude_home: Callable[..., Path]
) -> None:
    claude_home(home.home, api)
    bashrc = home.home / ".bashrc"
    bashrc.write_text("\n".join(line for line in bashrc.read_text().splitlines() if "AUTH_TOKEN" not in line) + "\n")
    log_in(home.home, "ann@example.org")
    beyond = {"status": "rejected", "5h_utilization": 1.0, "overage_status": "allowed", "overage_disabled_reason": None}
    api.configure(usage=FORTY_CENTS, ratelimit="unified", unified=beyond)
    room.run("budget", "set", "day", "--limit", "0.10")
    room.run("spawn", "docs-1", "--cwd", "project", "--model", "claude-opus-5-5", "--task", ONE_THEN_WAITS)
    agent: dict[str, Any] = room.wait_for_state("docs-1", "paused", deadline=60)
    assert agent["billing"] is None
    assert agent["billing_doubt"] == "its plan is used up, and what goes beyond it is billed (overage)"
    assert len(api.requests(main=True)) <= 2  # one may be under way until home, told of it, has set a ceiling
    room.wait_until(
        "it is billed", lambda _: micro(room.records("budgets", "budget", "show")[0]["spent_usd"]) >= 400_000
    )
