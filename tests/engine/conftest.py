"""What tests of the fleet have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlroom.engine import background_tasks
from controlroom.engine.budgets import controller
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.limits import limit_tracker
from controlroom.engine.queue import dispatcher
from controlroom.protocol.home import Home, find_home
from tests.lab.world import World


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger of a room."""
    opened = Ledger(tmp_path / "ledger.db", "room-1")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def engines_gather_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have engines in this process look at once at what happens: what they gather it for is measured elsewhere.

    Two in three seconds of these tests were waits for that.
    """
    for module in (background_tasks, controller, limit_tracker):
        monkeypatch.setattr(module, "SOON", 0.005)
    monkeypatch.setattr(background_tasks, "SHARE", 0)
    monkeypatch.setattr(dispatcher, "GATHER", 0.005)


@pytest.fixture
def stride(request: pytest.FixtureRequest) -> int:
    """How many steps further on an engine is killed each time: every step is tried with --long."""
    return 1 if request.config.getoption("long") else 2


@pytest.fixture
def room_home(home: World) -> Home:
    """Where the room of this test keeps its things, made."""
    found = find_home(os.environ)
    found.prepare()
    return found
