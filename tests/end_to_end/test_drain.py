"""A host is emptied over SSH in batches, whatever fails on the way: each agent is at work there, then elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from tests.end_to_end.room import Room, engines, here
from tests.lab.waiting import wait_for
from tests.lab.world import World

COUNT, BATCH = 6, 2
SCRIPT = "echo $$ >> ran; trap 'sleep 0.3; exit 0' TERM; while :; do sleep 7003; done"
"""It ends late, so that a cut finds some on their way."""


def only_hosts_of_the_room(home: World) -> None:
    """Have this machine be none of them."""
    home.room.mkdir(mode=0o700, exist_ok=True)
    config = home.room / "config.toml"
    config.write_text("local = false\n")
    config.chmod(0o600)


def drain_of(room: Room) -> dict[str, Any]:
    """How far the drain of vm1 is."""
    (row,) = [row for row in room.records("hosts", "host", "list") if row["name"] == "vm1"]
    return dict(row["drain"])


def at_work(host: Any) -> list[str]:
    """The names of those that run there, as its processes say."""
    shells = [process for process in host.processes() if SCRIPT[:20] in process.command and "trap" in process.command]
    return [process.command for process in shells]


def test_a_host_is_emptied_though_it_is_cut_off_and_rebooted_and_the_engine_stopped_and_killed(
    home: World, room: Room, vms: Callable[..., Any]
) -> None:
    only_hosts_of_the_room(home)
    lab = vms(2)
    vm1, vm2 = lab["vm1"], lab["vm2"]
    for host in (vm1, vm2):
        room.run("host", "add", host.target, "--name", host.name, "--fingerprint", host.fingerprint)
    for number in range(COUNT):
        room.run("spawn", f"job{number}", "--host", "vm1", "--task", "go", "--", "sh", "-c", SCRIPT)
    for number in range(COUNT):
        room.wait_for_state(f"job{number}", "working")
    room.run("host", "drain", "vm1", "--move", "--batch", str(BATCH), "--reason", "new kernel")
    wait_for(lambda: drain_of(room)["leaving"], 60, "the first batch to be on its way")
    _, _, said = here(["stop"])
    assert "the next engine goes on with what is under way" in said
    assert "vm1 is being emptied" in said
    wait_for(lambda: 0 < drain_of(room)["moved"] < COUNT, 60, "the drain to be in the middle")
    vm1.sever()
    room.wait_until("the cut to be seen", lambda status: _link(status, "vm1") == "lost", 60)
    before = drain_of(room)
    assert len(before["leaving"]) <= BATCH
    assert before["stopped_since"] is None, "a cut is no failure"
    for engine in engines(home):
        os.kill(engine.pid, signal.SIGKILL)
    assert at_work(vm1), "some are still to leave"
    vm1.reboot()
    wait_for(lambda: drain_of(room)["empty_since"], 90, "vm1 to be empty")
    after = drain_of(room)
    assert (after["moved"], after["failed"]) == (COUNT, [])
    working = [agent["id"] for agent in room.status()["agents"] if agent["state"] == "working"]
    assert sorted(working) == [f"vm2/job{number}" for number in range(COUNT)]
    assert (len(at_work(vm1)), len(at_work(vm2))) == (0, COUNT)
    assert len((vm2.home / "ran").read_text().split()) == COUNT, "each was begun there once"
    assert "switched off" in room.run("status", "--json")
    room.run("host", "undrain", "vm1")
    for number in range(COUNT):
        room.run("kill", f"vm2/job{number}", "--yes")


def _link(status: dict[str, Any], name: str) -> str:
    return next(str(host["state"]) for host in status["hosts"] if host["name"] == name)
