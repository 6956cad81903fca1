"""A runner that is killed in the middle of a turn: what its Claude had used by then is known, the rest estimated."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from controlroom.runner.folder import SESSIONS
from controlroom.wire.messages import Spawn
from controlroom.wire.spec import AgentSpec
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.processes import everything
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.adopted import Home, asked
from tests.runner.claude_agents import in_bash

READS = '[[tool Read {"file_path":"notes.txt"}]] [[hang 600]]'
BELOW = in_bash("claude -p '[[hang 600]]'")


def kill_runner_of(pid: int) -> None:
    os.kill(next(process.parent for process in everything() if process.pid == pid), signal.SIGKILL)


@pytest.mark.parametrize(
    ("kind", "task", "command"),
    [
        ("headless", READS, ("claude",)),
        ("headless", BELOW, ("claude", "--allowedTools", "Bash")),
        ("command", "", ("sh", "-c", "claude -p one; claude -p '[[hang 600]]'")),
    ],
    ids=["its own", "one below it", "below a command"],
)
def test_what_was_under_way_when_its_runner_was_killed_is_an_estimate(
    home: World,
    project: Path,
    login_shell: None,
    node: NodeClient,
    api: Api,
    kind: str,
    task: str,
    command: tuple[str, ...],
) -> None:
    books = Home(node)
    spec = AgentSpec(kind, command, cwd="project")
    assert node.ask(lambda number: Spawn(number, "a1", 1, spec, task, 0)).outcome == "done"
    folder = state_folder(home.home) / "agents" / "a1.1"
    wait_for(lambda: len(api.requests(main=True)) == 2, 60, "the second request")
    wait_for(lambda: (folder / SESSIONS).exists(), 20, "the session to be noted")
    wait_for(lambda: asked(home.home) == 2, 20, "the transcript to say that it was asked")
    kill_runner_of(node.agents()["a1"].pid)
    seen = node.wait_agent("a1", lambda seen: seen.detail == "its runner was killed", 30)
    assert seen.state == "failed"
    books.wait(2)
    messages = [message for message, _ in books.messages.values()]
    assert sorted(message.estimated for message in messages) == [False, True]
    assert all(message.usage.prompt > 1000 for message in messages)
