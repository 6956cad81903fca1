"""A login that its user changes while a real Claude runs: from then on nobody knows who pays, and both budgets bind."""

from __future__ import annotations

import json

import pytest

from controlroom.wire.spec import Credential
from tests.lab.agent_under_test import MakeAgent
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.claude_agents import BY_KEY, KEY
from tests.runner.claude_agents import agent as claude_agent

agent = claude_agent
TURNS = '[[tool Bash {"command":"sleep 1"}]]' * 60 + "[[text done]]"


def by_key(api: Api) -> bool:
    return any(request["headers"].get("x-api-key") == KEY for request in api.requests(main=True))


@pytest.mark.parametrize("scope", ["home/.claude/settings.json", "home/project/.claude/settings.local.json"])
def test_a_key_that_comes_into_the_settings_is_noticed(agent: MakeAgent, home: World, api: Api, scope: str) -> None:
    log_in(home.home, "ann@example.org")
    api.configure(ratelimit="unified")
    run = agent(TURNS, without=("ANTHROPIC_AUTH_TOKEN",), credential=Credential(plan=True))
    wait_for(lambda: api.requests(main=True), 60, "the first request")
    run.until(lambda seen: seen.billing == "plan")
    path = home.directory / scope
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(BY_KEY))
    seen = run.until(lambda seen: seen if seen.billing_doubt else None, 60)
    assert seen
    assert (seen.billing, seen.billing_doubt[:52]) == ("", "who pays was changed while it runs: ANTHROPIC_API_KE")
    wait_for(lambda: by_key(api), 60, "a request that the key pays for")
    assert run.ask(do="end") == ""
