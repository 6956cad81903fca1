"""The first minute of a new user: one command, a number, a yes."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.end_to_end.room import Room
from tests.lab.host import Host
from tests.lab.terminal import Terminal
from tests.lab.world import World

OpenScreen = Callable[..., Terminal]
INIT = [sys.executable, "-m", "controlroom", "init"]


def test_a_host_of_the_ssh_config_by_its_number(
    room: Room, ssh_hosts: Callable[..., list[Host]], tmux_screen: OpenScreen
) -> None:
    (host,) = ssh_hosts(1, known=False)
    screen = tmux_screen([*INIT], width=160, height=40)
    screen.wait_for_text("every setting stands in it", "1  vm1", "Which machines should run agents?", deadline=30)
    screen.type("9\n")
    screen.wait_for_text("'9' is neither a number of the list nor an address", deadline=20)
    screen.type("1\n")
    screen.wait_for_text(host.fingerprint, "Is that the key of vm1?", deadline=30)
    screen.type("y\n")
    screen.wait_for_text("vm1 is up", "Now: controlroom", deadline=40)
    assert screen.wait_for_exit() == 0
    assert [entry["state"] for entry in room.status()["hosts"]] == ["up", "up"]


def test_without_a_person_it_asks_nothing(room: Room, ssh_hosts: Callable[..., list[Host]], home: World) -> None:
    hosts = ssh_hosts(2)
    room.run("init", "--host", hosts[0].name)
    assert {entry["name"] for entry in room.status()["hosts"]} == {"local", "vm1"}
    assert "vm9" in room.run("init", "--host", "me@vm9.invalid", expect=1)
    room.run("init")
    assert {entry["name"] for entry in room.status()["hosts"]} == {"local", "vm1", "vm9"}
