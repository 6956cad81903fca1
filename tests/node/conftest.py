"""What tests of the runner have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from controlroom.wire.spec import AgentSpec
from tests.lab.world import World
from tests.node.agent_under_test import Agent, MakeAgent


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
