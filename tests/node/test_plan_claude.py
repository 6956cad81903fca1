"""How far a plan is used, told by the real Claude Code CLI with the login of a plan: its status line, and asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controlroom.node.agent_folders import Entry
from controlroom.node.observation.usage_feed import read_limits
from controlroom.text.states import TellKind
from controlroom.wire.messages import Spawn, Tell
from controlroom.wire.spec import AgentSpec, Credential
from controlroom.wire.usage import LimitsSeen
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.interactive import LATE, screen

MAIL = "ann@example.org"


pytestmark = pytest.mark.usefixtures("login_shell")


@pytest.fixture
def project(home: World, api: Api, project: Path) -> Path:
    """Its user is logged in to a plan."""
    log_in(home.home, MAIL)
    api.configure(ratelimit="unified", unified={"5h_utilization": 0.37, "7d_utilization": 0.61})
    return project


def spawn(node: NodeClient, kind: str, task: str) -> None:
    spec = AgentSpec(kind=kind, cwd="project", permission_mode="default", credential=Credential(plan=True))
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, task, 0)).outcome == "done"


def told(home: World, source: str) -> LimitsSeen:
    """What its runner keeps for home, once this source has spoken."""
    entry = Entry("talk", 1, str(home.home / ".local/state/controlroom/agents/talk.1"))

    def heard() -> LimitsSeen:
        seen = read_limits(entry)
        assert seen
        assert source in {window.source for window in seen.windows}, seen
        return seen

    return wait_for(heard, LATE, f"{source} tells the windows")


def windows(seen: LimitsSeen) -> dict[str, float | None]:
    return {window.name: window.percent for window in seen.windows}


def test_an_interactive_agent_tells_through_its_status_line(node: NodeClient, home: World) -> None:
    settings = home.home / ".claude" / "settings.json"
    mine = {"statusLine": {"type": "command", "command": "echo my own line"}}
    settings.write_text(json.dumps(mine))
    spawn(node, "interactive", "[[text hello]]")
    seen = told(home, "status line")
    assert (seen.account, windows(seen)) == (MAIL, {"five_hour": 37.0, "seven_day": 61.0})
    assert all(window.resets for window in seen.windows)
    wait_for(lambda: "my own line" in screen(), LATE, "the user's own line is on the screen")
    assert json.loads(settings.read_text()) == mine


def test_a_headless_agent_is_asked(node: NodeClient, home: World, api: Api) -> None:
    spawn(node, "headless", '[[tool Bash {"command":"touch made.txt"}]][[text made]]')
    node.wait_agent("talk", lambda seen: seen.state == "waiting", LATE)
    assert windows(told(home, "stream")) == {"five_hour": 37.0, "seven_day": 61.0}
    assert node.ask(lambda number: Tell(number, "talk", 1, TellKind.USAGE)).outcome == "done"
    seen = told(home, "get_usage")
    assert (seen.plan, windows(seen)) == ("max", {"five_hour": 37.0, "seven_day": 61.0})


def test_claude_that_says_otherwise_leaves_it_open_who_pays(node: NodeClient, home: World) -> None:
    """Settings that are wrong in one place are ignored by Claude, and not by us."""
    bashrc = home.home / ".bashrc"
    bashrc.write_text("\n".join(line for line in bashrc.read_text().splitlines() if "AUTH_TOKEN" not in line) + "\n")
    wrong = {"env": {"ANTHROPIC_API_KEY": "sk-ant-api03-of-the-lab"}, "permissions": 7}
    (home.home / ".claude" / "settings.json").write_text(json.dumps(wrong))
    spec = AgentSpec(kind="headless", cwd="project", permission_mode="default")
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, "[[text hello]]", 0)).outcome == "done"
    seen = node.wait_agent("talk", lambda seen: seen.billing_doubt, LATE)
    assert seen.billing == ""
    assert seen.billing_doubt.startswith("an account that is billed pays by what is set up on its host, a plan by what")
