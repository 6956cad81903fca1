"""`controlroom explain` on real agents of this machine."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.room import Room
from tests.lab.world import World


@pytest.fixture
def room(home: World) -> Room:
    return Room()


def test_a_running_and_a_failed_agent_are_explained(room: Room) -> None:
    room.run("spawn", "job", "--", "sleep", "6000")
    room.run("spawn", "bad", "--", "sh", "-c", "exit 3")
    room.wait_for_state("job", "working")
    room.wait_for_state("bad", "failed")
    said = room.run("explain", "job")
    assert said.startswith("local/job, run 1\n")
    assert "the runner around it: process " in said
    assert "controlroom kill local/job" in said
    bad = json.loads(room.run("explain", "bad", "--json"))
    assert (bad["agent"]["state"], bad["stale"]) == ("failed", False)
    assert bad["agent"]["exit_code"] == 3
    assert [view["source"] for view in bad["sources"] if view["decides"]] == ["runner"]
    room.run("stop")
    room.run("kill", "job", "--yes")


def test_explain_of_nobody(room: Room) -> None:
    assert "there is no agent 'nobody'" in room.run("explain", "nobody", expect=5)


def test_why_of_a_task_is_of_the_task_where_its_agent_is_called_alike(room: Room) -> None:
    """Agents bear the ids of their tasks where those have no plain words, and where watchers are not to see them."""
    room.run("queue", "hold")
    assert room.run("task", "add", "修理") == "t1\n"
    room.run("spawn", "t1", "--", "sleep", "6000")
    room.wait_for_state("t1", "working")
    assert room.run("why", "t1").startswith("t1 is waiting")
    assert json.loads(room.run("why", "t1", "--json"))["id"] == "t1"
    assert room.run("why", "local/t1").startswith("local/t1, run 1\n")
    room.run("kill", "local/t1", "--yes")
    room.run("stop")
