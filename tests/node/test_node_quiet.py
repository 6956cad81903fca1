"""What a node costs its host while nothing happens: no more than one process a second is started."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from controlroom.node.observation import processes
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for
from tests.lab.world import World

COUNTING = '#!/bin/sh\necho "$*" >> "$0.called"\nexec {tmux} "$@"\n'


@pytest.fixture
def called(home: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each tmux command that is started."""
    folder = home.directory / "bin"
    folder.mkdir()
    wrapper = folder / "tmux"
    wrapper.write_text(COUNTING.format(tmux=shutil.which("tmux")))
    wrapper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "tmux.called"


def test_tmux_is_asked_once_a_second_for_all_agents_and_nothing_else_is_started(called: Path) -> None:
    with NodeClient() as node:
        node.greet()
        for name in ("one", "two", "three"):
            node.spawn(name, 1, "sleep", "600")
            node.wait_agent(name, lambda seen: seen.state == "working")
        before, began = len(called.read_text().splitlines()), time.monotonic()
        wait_for(lambda: len(called.read_text().splitlines()) >= before + 5, 30)
        took = time.monotonic() - began
        children = [each for each in processes.look().table.values() if each.parent == node.process.pid]
        for name in ("one", "two", "three"):
            node.kill(name, 1)
    assert took > 2.5  # a slow machine takes longer, never less
    assert len(children) <= 1
