"""What tests of the fleet have in common."""

from __future__ import annotations

import os

import pytest

from controlroom.fleet.home import Home, find_home
from tests.lab.world import World


@pytest.fixture
def room_home(home: World) -> Home:
    """Where the room of this test keeps its things, made."""
    found = find_home(os.environ)
    found.prepare()
    return found
