"""What the end-to-end tests have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.room import FurnishClaude, Room, engines
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World


@pytest.fixture
def room(home: World) -> Iterator[Room]:
    """The room of the test's world; its engine is stopped at the end, and must go."""
    room = Room()
    yield room
    room.run("stop")
    wait_for(lambda: not engines(home), 5, "the engine to end")


@pytest.fixture
def vm1(room: Room, ssh_host: Host, claude_home: FurnishClaude, api: Api) -> Host:
    """A host with Claude Code on it as its users have it, added to the room by its fingerprint."""
    claude_home(ssh_host.home, api)
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    return ssh_host
