"""Checks in a real room: what the verbs say of them, and an engine that is killed while they run."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from tests.end_to_end.room import Room, engines
from tests.lab.waiting import wait_for
from tests.lab.world import World

CONFIG = """
[queue]
stagger_seconds = 0
memory_percent = 100

[profiles.waits]
kind = "command"
command = ["true"]
verify = [["bash", "-c", 'until [[ -e $HOME/go ]]; do sleep 0.05; done; echo 3 passed']]

[profiles.bad]
kind = "command"
command = ["true"]
verify = [["true"], ["bash", "-c", 'echo one failed; echo "E  boom"; exit 2'], ["never"]]
"""


@pytest.fixture
def room(home: World) -> Room:
    config = home.room / "config.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    return Room()


def task(room: Room, id_: str, state: str) -> dict[str, Any]:
    """A task, once it has come to this state."""

    def reached() -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(room.run("task", "show", id_, "--json"))
        assert shown["state"] == state, shown
        return shown

    return wait_for(reached, 60, f"{id_} to be {state}", poll=0.2)


def test_an_engine_that_is_killed_while_checks_run_hears_how_they_came_out(room: Room, home: World) -> None:
    room.run("task", "add", "the work", "--profile", "waits")
    room.wait_until("it is checked", lambda status: any(one["checks"] for one in status["agents"]))
    (engine,) = engines(home)
    os.kill(engine.pid, signal.SIGKILL)
    wait_for(lambda: not engines(home), 30, "it is gone")
    (home.home / "go").touch()
    shown = task(room, "t1", "done")
    assert shown["reason"] == "checked"
    (run,) = shown["attempts"][0]["checks"]["runs"]
    assert (run["failure"], run["command"][:8]) == (None, "bash -c ")
    agent = room.agent("the-work-t1")
    assert (agent["state"], agent["detail"], agent["checks"]["state"]) == ("done", "done, checked", "passed")
    room.run("stop")


def test_verbs_say_which_check_failed_and_what_it_printed(room: Room) -> None:
    own = ("--verify", "bash -c 'echo mine; exit 7'", "--verify-attempts", "0")
    room.run("task", "add", "bad work", "--profile", "bad")
    room.run("task", "add", "own check", "--profile", "bad", *own)
    shown = task(room, "t1", "failed")
    assert shown["reason"].endswith(": exit 2 (E  boom)")
    checks = shown["attempts"][0]["checks"]
    assert [run["failure"] for run in checks["runs"]] == [None, "exit 2"]
    assert (checks["output"], len(shown["attempts"])) == ("one failed\nE  boom", 1)
    for words in (room.run("task", "show", "t1"), room.run("explain", "bad-work-t1")):
        assert "✓ true · passed" in words
        assert "| E  boom" in words
    shown = task(room, "t2", "failed")
    assert shown["verify"]["commands"] == ["bash -c 'echo mine; exit 7'"]
    assert shown["attempts"][0]["checks"]["output"] == "mine"
    assert "at most 8000 characters" in room.run("task", "add", "none", "--verify", "x" * 9_000, expect=1)
    room.run("stop")
