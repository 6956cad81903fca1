"""From a phone: a real mosh over a way that is long, loses, is cut, and goes on from elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.room import Room
from tests.lab.mosh import MoshSession
from tests.lab.world import World

PHONE = (45, 20)


@pytest.fixture
def phone(home: World, room: Room, need: Callable[..., str], tmp_path: Path) -> Iterator[Callable[..., MoshSession]]:
    """`phone(delay=0.15, loss=0.05)`: the screen of this room on a phone."""
    need("mosh-server", package="mosh")
    sessions: list[MoshSession] = []

    def open_phone(delay: float = 0.0, loss: float = 0.0) -> MoshSession:
        folder = tmp_path / f"phone{len(sessions)}"
        sessions.append(MoshSession(folder, [sys.executable, "-m", "controlroom"], PHONE, delay=delay, loss=loss))
        return sessions[-1]

    yield open_phone
    for session in sessions:
        session.close()


def test_over_a_long_way_that_loses_everything_can_be_done(room: Room, phone: Callable[..., MoshSession]) -> None:
    room.run("spawn", "talker", "--task", "", "--", "sh", "-c", "echo ready to go; exec sleep 6000")
    here = phone(delay=0.15, loss=0.05)
    here.terminal.wait_for_text("talker", "ready to go", deadline=40)
    here.terminal.keys("Enter")
    here.terminal.wait_for_text("talker · local", deadline=20)
    here.terminal.keys("q")
    here.terminal.wait_for_text("n next", deadline=20)
    here.terminal.keys("x")
    here.terminal.wait_for_text("Kill talker on local?", deadline=20)
    here.terminal.keys("y")
    room.wait_for_state("talker", "done", "failed")
    here.terminal.wait_for_text("killed", deadline=20)


def test_it_goes_on_from_another_address_and_after_a_tunnel(room: Room, phone: Callable[..., MoshSession]) -> None:
    room.run("spawn", "one", "--task", "", "--", "sh", "-c", "echo first; exec sleep 6000")
    here = phone()
    here.terminal.wait_for_text("one", "first", deadline=40)
    here.way.roam()
    here.terminal.keys("Enter")
    here.terminal.wait_for_text("one · local", deadline=20)
    here.way.cut()
    room.run("kill", "one", "--yes")
    here.way.cut(False)
    here.terminal.wait_for_text("killed", deadline=30)


def test_the_keyboard_comes_up_and_goes_down(room: Room, phone: Callable[..., MoshSession]) -> None:
    room.run("spawn", "one", "--task", "", "--", "sh", "-c", "echo first; exec sleep 6000")
    here = phone()
    here.terminal.wait_for_text("one", deadline=40)
    for height in (9, 20, 8, 30):
        here.terminal.resize(45, height)
        here.terminal.wait_for_text("one", "? help", deadline=20)
    here.terminal.keys("?")
    here.terminal.wait_for_text("help", deadline=20)


def test_a_phone_hears_little_from_agents_that_talk(room: Room, phone: Callable[..., MoshSession]) -> None:
    loud = "i=0; while :; do i=$((i+1)); echo line number $i of many; sleep 0.2; done"
    for number in range(6):
        room.run("spawn", f"loud-{number}", "--task", "", "--", "sh", "-c", loud)
    here = phone()
    here.terminal.wait_for_text("loud-5", "line number", deadline=40)
    before, began = here.way.down.octets, time.monotonic()
    room.run("spawn", "clock", "--task", "", "--", "sleep", "6")
    room.wait_for_state("clock", "done", deadline=40)
    heard, took = here.way.down.octets - before, time.monotonic() - began
    assert heard < 2_000 * took  # of 30 lines a second, for six seconds and more
