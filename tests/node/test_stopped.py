"""Agents whose process is stopped by a signal or held by a debugger: paused, and neither working nor ended."""

from __future__ import annotations

import ctypes
import os
import signal

import pytest

from controlroom.node.agent_folders import is_live
from tests.lab.node_client import NodeClient
from tests.lab.processes import look
from tests.lab.world import World


def test_an_agent_that_is_stopped_is_paused_until_it_goes_on(home: World, node: NodeClient) -> None:
    """A runner that is stopped tmux itself lets go on at once: it is the process of its pane."""
    node.spawn("one", 1, "sleep", "600")
    seen = node.wait_agent("one", lambda seen: seen.pid and seen.state == "working")
    pid = seen.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        stopped = node.wait_agent("one", lambda seen: seen.state == "paused")
        assert stopped.detail.startswith(f"process {pid} (")
        assert stopped.detail.endswith(") is stopped by a signal; who sent it is not recorded")
        assert (stopped.pid, stopped.ended, stopped.since >= seen.since) == (seen.pid, 0, True)
        assert is_live(stopped)
    finally:
        os.kill(pid, signal.SIGCONT)
    node.wait_agent("one", lambda seen: seen.state == "working")
    assert node.kill("one", 1).outcome == "done"


def test_an_agent_that_is_stopped_can_be_killed(home: World, node: NodeClient) -> None:
    node.spawn("one", 1, "sleep", "600")
    seen = node.wait_agent("one", lambda seen: seen.pid and seen.state == "working")
    os.kill(seen.pid, signal.SIGSTOP)
    node.wait_agent("one", lambda seen: seen.state == "paused")
    assert node.kill("one", 1).outcome == "done"
    assert look(seen.pid) is None


def test_a_debugger_that_holds_it_is_named(home: World, node: NodeClient) -> None:
    node.spawn("one", 1, "sleep", "600")
    seen = node.wait_agent("one", lambda seen: seen.pid and seen.state == "working")
    libc = ctypes.CDLL(None, use_errno=True)
    attach, detach = 16, 17
    if libc.ptrace(attach, seen.pid, None, None):
        pytest.skip("this machine lets no process trace another")
    try:
        paused = node.wait_agent("one", lambda seen: seen.state == "paused")
        assert paused.detail == f"process {seen.pid} (sleep) is held by a debugger, process {os.getpid()}"
    finally:
        os.waitpid(seen.pid, 0x40000000)  # __WALL: it is not our child, and stops for us
        libc.ptrace(detach, seen.pid, None, None)
    node.wait_agent("one", lambda seen: seen.state == "working")
