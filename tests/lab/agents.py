"""What tests of the node and the runner have in common."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import Agent, MakeAgent
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.world import World


@pytest.fixture
def agent(home: World) -> Iterator[MakeAgent]:
    """`agent("sh", "-c", "…", task="…", max_hours=1)`: an agent of kind `command`, not yet started."""
    with ExitStack() as stack:

        def make(*command: str, task: str = "", login: dict[str, str] | None = None, **spec: Any) -> Agent:
            place = home.directory / f"agent{len(list(home.directory.iterdir()))}"
            made = Agent(place, AgentSpec(kind="command", command=command, **spec), task, login)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def node(home: World) -> Iterator[NodeClient]:
    """A node that was greeted by a room."""
    with NodeClient() as client:
        client.greet()
        yield client


@pytest.fixture
def claude_program(home: World) -> Path:
    """A program that is called as Claude is, and does nothing."""
    program = home.home / "bin" / "claude"
    program.parent.mkdir()
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    return program


@pytest.fixture
def project(home: World, api: Api, claude_home: Callable[..., Path]) -> Path:
    """A project of a user who has `claude` in ~/.local/bin and everything else in .bashrc."""
    return claude_home(home.home, api)


@pytest.fixture
def login_shell(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is started finds `claude` by asking its user's login shell, and in no other way."""
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
