"""A node as a whole: what it says of its host, when it ends, and that nothing but the protocol is on its stdout."""

from __future__ import annotations

import os
import sys

from controlroom.wire.messages import HostSeen
from tests.lab.world import World
from tests.node.client import NodeClient


def test_a_node_says_what_it_stands_on(home: World) -> None:
    with NodeClient() as node:
        welcome = node.greet()
        assert welcome.home == str(home.home)
        assert welcome.hostname == os.uname().nodename
        assert welcome.python == ".".join(map(str, sys.version_info[:3]))
        assert welcome.memory_total > 2**20
        assert welcome.tmux[0].isdigit()
        assert welcome.owner == ""
        figures = node.wait(HostSeen)
        assert figures.memory_used
        assert figures.disk_free
        node.wait(HostSeen, lambda seen: seen.cpu_percent is not None)
