"""What tests of the fleet have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlroom.engine.ledger.ledger import Ledger
from controlroom.protocol.home import Home, find_home
from tests.lab.world import World


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger of a room."""
    opened = Ledger(tmp_path / "ledger.db", "room-1")
    yield opened
    opened.close()


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
