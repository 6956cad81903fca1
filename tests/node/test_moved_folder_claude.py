"""Claude's own folder, moved by a CLAUDE_CONFIG_DIR in the user's settings: what real Claudes do and spend is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controlroom.wire.messages import Spawn
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import MakeAgent
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.world import World
from tests.node.adopted import LATE, Home, session, wait_others
from tests.runner.claude_agents import BASH, in_bash, metered
from tests.runner.claude_agents import agent as claude_agent

agent = claude_agent


@pytest.fixture
def moved(home: World, project: Path) -> Path:
    """The folder that the settings of somebody who has Claude Code name."""
    folder = home.home / "else"
    folder.mkdir()
    (folder / ".claude.json").write_text((home.home / ".claude.json").read_text())
    (home.home / ".claude" / "settings.json").write_text(json.dumps({"env": {"CLAUDE_CONFIG_DIR": str(folder)}}))
    return folder


@pytest.mark.long
@pytest.mark.parametrize("task", ["[[text hello]]", in_bash("claude -p below")])
def test_what_a_headless_one_and_one_below_it_spend_is_counted(
    agent: MakeAgent, moved: Path, api: Api, task: str
) -> None:
    run = agent(task, command=BASH)
    assert run.finish(60).state == "done"
    assert len(metered(run)) == len(api.requests(main=True)) == (1 if "hello" in task else 3)
    assert list(moved.rglob("projects/*/*.jsonl"))


@pytest.mark.long
def test_one_on_a_terminal_is_seen_at_work_and_counted(
    home: World, moved: Path, login_shell: None, node: NodeClient, api: Api
) -> None:
    books = Home(node)
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="default")
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, "[[text hello]]", 0)).outcome == "done"
    node.wait_agent("talk", lambda seen: seen.state == "idle" and not seen.detail, LATE)
    books.wait(1)
    assert len(api.requests(main=True)) == 1
    assert books.said() == {("talk", "api")}


@pytest.mark.long
def test_one_of_others_is_seen_at_work_and_counted(moved: Path, project: Path, node: NodeClient, api: Api) -> None:
    books = Home(node)
    session("talk", "bash -c '. ~/.profile; claude hello'", project)
    books.wait(1)
    seen = wait_others(node, lambda seen: seen["~talk"].state == "idle" and seen["~talk"], LATE)["~talk"]
    assert "session file" in {entry.source for entry in seen.evidence}
    assert len(api.requests(main=True)) == 1
    assert {name for name, _ in books.said()} == {"~talk"}
