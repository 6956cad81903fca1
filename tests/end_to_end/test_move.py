"""An agent moves between two real SSH hosts: command and Claude, task and folder kept, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.room import FurnishClaude, Room, Status, engines
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World

TASK = 'It\'s "all" of $(this) `task`;\n– and more 🎉'


def add(room: Room, *hosts: Host) -> None:
    for host in hosts:
        room.run("host", "add", host.target, "--name", host.name, "--fingerprint", host.fingerprint)


def on(room: Room, host: str, name: str) -> dict[str, object]:
    (found,) = [agent for agent in room.status()["agents"] if agent["id"] == f"{host}/{name}"]
    return dict(found)


def test_a_command_moves_with_its_task_and_leaves_nothing_running(
    room: Room, ssh_hosts: Callable[..., list[Host]]
) -> None:
    vm1, vm2 = ssh_hosts(2)
    add(room, vm1, vm2)
    for host in (vm1, vm2):
        (host.home / "work").mkdir()
    script = "cat > got; setsid sleep 6001 & sleep 6001"
    room.run("spawn", "job", "--host", "vm1", "--cwd", "work", "--task", TASK, "--", "sh", "-c", script)
    room.wait_for_state("job", "working")
    wait_for(lambda: (vm1.home / "work" / "got").exists(), 20)
    said = room.run("reassign", "job", "--host", "vm2", "--continue", expect=1)
    assert "is in no git repository, and its files would stay behind. To move it without them: --leave-folder" in said
    assert "there is no host 'vm3'" in room.run("reassign", "job", "--host", "vm3", expect=5)
    assert room.run("reassign", "job", "--host", "vm2") == "vm2/job\n"
    wait_for(lambda: (vm2.home / "work" / "got").read_text() == TASK, 20, "the task to arrive")
    old = on(room, "vm1", "job")
    assert (old["state"], old["detail"], old["pending"]) == ("done", "moved to vm2", None)
    assert not [process for process in vm1.processes() if "sleep 6001" in process.command]
    assert [process for process in vm2.processes() if "sleep 6001" in process.command]
    room.run("kill", "vm2/job", "--yes")


def test_a_claude_agent_moves(
    room: Room, ssh_hosts: Callable[..., list[Host]], claude_home: FurnishClaude, api: Api
) -> None:
    vm1, vm2 = ssh_hosts(2)
    for host in (vm1, vm2):
        claude_home(host.home, api)
    add(room, vm1, vm2)
    room.run("spawn", "docs", "--host", "vm1", "--cwd", "project", "--task", '[[tool Bash {"command": "touch a.txt"}]]')
    room.wait_for_state("docs", "waiting")
    room.run("reassign", "docs", "--host", "vm2")
    wait_for(lambda: on(room, "vm2", "docs")["state"] == "waiting", 30, "it to ask on vm2")
    assert on(room, "vm1", "docs")["state"] == "done"
    room.run("answer", "vm2/docs", "allow")
    wait_for(lambda: (vm2.home / "project" / "a.txt").exists(), 30, "the file to be made on vm2")
    assert not (vm1.home / "project" / "a.txt").exists()


def test_an_engine_that_is_killed_on_the_way_leaves_one_agent(
    room: Room, home: World, ssh_hosts: Callable[..., list[Host]]
) -> None:
    vm1, vm2 = ssh_hosts(2)
    add(room, vm1, vm2)
    stubborn = "trap '' TERM; cat > got; while :; do sleep 6002; done"
    room.run("spawn", "job", "--host", "vm1", "--task", TASK, "--", "sh", "-c", stubborn)
    wait_for(lambda: (vm1.home / "got").exists(), 20)
    words = [sys.executable, "-m", "controlroom", "reassign", "job", "--host", "vm2"]
    ordering = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    kept = home.room / "moves"
    wait_for(lambda: "move" in open_orders(home.room / "ledger.db"), 20, "the move to be written down")
    for engine in engines(home):
        os.kill(engine.pid, signal.SIGKILL)
    assert ordering.communicate(timeout=60)[1]
    room.wait_until("it to run on vm2", lambda status: "vm2/job" in running(status), 60)
    assert running(room.status()) == ["vm2/job"]
    assert (vm2.home / "got").read_text() == TASK
    assert not [process for process in vm1.processes() if "sleep 6002" in process.command]
    assert not list(kept.iterdir())
    room.run("kill", "vm2/job", "--yes")


def open_orders(ledger: Path) -> list[str]:
    """The verbs of the orders that the ledger holds as open."""
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as database:
        return [str(verb) for (verb,) in database.execute("select verb from orders where outcome is null")]


def running(status: Status) -> list[str]:
    return [agent["id"] for agent in status["agents"] if agent["state"] == "working"]
