"""A queue in a real room: tasks from a file, an engine that is killed, one word that stops it all."""

from __future__ import annotations

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
retry_seconds = 0.2
max_agents = 3
memory_percent = 100

[profiles.job]
kind = "command"
command = ["bash", "-c", 'read -r what; echo "$what" >>"$HOME/done.txt"; sleep 0.3; [[ $what != *fails* ]]']

[profiles.long]
kind = "command"
command = ["bash", "-c", 'read -r what; echo "$what" >>"$HOME/begun.txt"; sleep 600']
"""


@pytest.fixture
def room(home: World) -> Room:
    config = home.room / "config.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    return Room()


def tasks(room: Room) -> dict[str, dict[str, Any]]:
    """All tasks, by their title."""
    return {task["title"]: task for task in room.records("tasks", "task", "list", "--all")}


def all_ended(room: Room) -> bool:
    return all(task["state"] in ("done", "failed") for task in tasks(room).values())


def test_tasks_from_a_file_are_done_once_each_though_the_engine_is_killed_twice(room: Room, home: World) -> None:
    listed = "".join(f"- job {number}\n" for number in range(12)) + "- one that fails\n- [x] done before\n"
    ids = room.run("task", "add", "--from", "-", "--profile", "job", "--attempts", "2", stdin=listed).split()
    assert ids == [f"t{number}" for number in range(1, 14)]
    for count in (3, 7):
        begun(home, "done.txt", count)
        for engine in engines(home):
            os.kill(engine.pid, signal.SIGKILL)
        room.run("task", "list")
    wait_for(lambda: all_ended(room), 90, "all have ended", poll=0.3)
    ended = tasks(room)
    jobs = [f"job {number}" for number in range(12)]
    assert sorted(lines(home, "done.txt")) == sorted([*jobs, "one that fails", "one that fails"])
    assert {title: task["state"] for title, task in ended.items()} == {
        **dict.fromkeys(jobs, "done"),
        "one that fails": "failed",
    }
    assert ended["one that fails"]["reason"] == "it failed 2 times; the last time: exit 1"
    assert "to have it tried again: controlroom task retry t13" in room.run("why", "t13")
    assert "one that fails" in room.run("task", "show", "t13")
    room.run("stop")


def test_halt_stops_what_runs_and_what_would_start_until_resume(room: Room, home: World) -> None:
    room.run("task", "add", "--from", "-", "--profile", "long", stdin="- a\n- b\n- c\n- d\n")
    begun(home, "begun.txt", 3)
    said = room.run("halt", "--kill", "--yes", "--reason", "wrong branch")
    assert said == ""
    wait_for(lambda: not [agent for agent in room.status()["agents"] if agent["state"] == "working"], 60, poll=0.2)
    room.run("stop")
    assert "halted" in room.run("spawn", "more", "--", "true", expect=1)
    wait_for(lambda: {task["state"] for task in tasks(room).values()} == {"waiting"}, 60, "all wait", poll=0.2)
    room.run("resume")
    begun(home, "begun.txt", 6)
    room.run("halt", "--kill", "--yes")
    wait_for(lambda: not [agent for agent in room.status()["agents"] if agent["state"] == "working"], 60, poll=0.2)
    room.run("stop")


def lines(home: World, name: str) -> list[str]:
    """The lines of a file in the home of the world."""
    path = home.home / name
    return path.read_text().splitlines() if path.exists() else []


def begun(home: World, name: str, count: int) -> None:
    """Wait until a file has so many lines."""
    wait_for(lambda: len(lines(home, name)) >= count, 60, f"{count} lines of {name}")
