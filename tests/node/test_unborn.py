"""A node that is killed in the middle of a start leaves nothing secret, and a row that says what happened."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from controlroom.node.spawn import begins
from controlroom.runner.folder import ENVIRON, STATUS
from controlroom.wire.messages import Spawn
from controlroom.wire.spec import AgentSpec
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World

SLOW_TMUX = """#!/bin/sh
case " $* " in *" new-session "*) echo $$ >"$HOME/begun.new"; mv "$HOME/begun.new" "$HOME/begun"; exec sleep 600;; esac
exec {tmux} "$@"
"""


def killed_while_starting(home: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a node that was killed -9 after it had written everything, and before the runner was there."""
    program = home.home / "slow" / "tmux"
    program.parent.mkdir()
    program.write_text(SLOW_TMUX.format(tmux=shutil.which("tmux")))
    program.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        with NodeClient() as node:
            node.greet()
            spec = AgentSpec("command", (sys.executable, "-c", "print(1)"))
            node.send(Spawn(1, "one", 1, spec, "a task"))
            begun = home.home / "begun"
            wait_for(begun.exists, 20, "the start")
            node.process.kill()
            node.process.wait(60)
            os.kill(int(begun.read_text()), signal.SIGKILL)
    return state_folder(home.home) / "agents" / "one.1"


def test_the_next_node_sweeps_it_and_says_so(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_LOGIN", "planted")
    folder = killed_while_starting(home, monkeypatch)
    assert (folder / ENVIRON).exists()
    (folder / f"{ENVIRON}.123.new").write_text("half of it")
    with NodeClient() as node:
        node.greet()
        seen = node.wait_agent("one", lambda seen: seen.state == "failed", 20)
        assert (seen.detail, seen.kind, seen.ended > 0) == ("its runner never came up", "command", True)
        assert not [path.name for path in folder.iterdir() if path.name.startswith(ENVIRON)]
        assert not [path for path in folder.iterdir() if b"planted" in path.read_bytes()]
        assert node.spawn("one", 2, "true").outcome == "done"
        node.wait_agent("one", lambda seen: seen.epoch == 2 and seen.state == "done")


@pytest.mark.parametrize("left", [(), ("task.md",), ("task.md", ENVIRON)])
def test_whatever_had_been_written_the_row_says_what_happened(home: World, left: tuple[str, ...]) -> None:
    with NodeClient() as node:
        node.greet()
        assert node.spawn("two", 1, "true").outcome == "done"
        folder = state_folder(home.home) / "agents" / "one.7"
        folder.mkdir(mode=0o700)
        for name in left:
            (folder / name).write_text("{}")
        seen = node.wait_agent("one", lambda seen: seen.state == "failed", 20)
        assert (seen.detail, seen.cause) == ("its runner never came up", "never-started")
        assert not (folder / ENVIRON).exists()
        assert (folder / STATUS).exists()


def test_what_somebody_is_starting_is_left_alone(home: World) -> None:
    with NodeClient() as node:
        node.greet()
        assert node.spawn("two", 1, "true").outcome == "done"
        folder = state_folder(home.home) / "agents" / "one.1"
        folder.mkdir(mode=0o700)
        (folder / ENVIRON).write_text("{}")
        held = begins(str(folder))
        assert held is not None
        assert begins(str(folder)) is None
        os.utime(folder, (1, 1))
        node.wait_agent("one", lambda seen: seen.state == "failed", 20)
        assert (folder / ENVIRON).exists()
        os.close(held)
        wait_for(lambda: not (folder / ENVIRON).exists(), 20, "the sweep")
