"""Agents move between two real SSH hosts with their sessions and their folders, and go on there where they were."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.room import FurnishClaude, Room, micro
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for


def git(where: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    argv = ["git", *who, "-C", str(where), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def add(room: Room, *hosts: Host) -> None:
    for host in hosts:
        room.run("host", "add", host.target, "--name", host.name, "--fingerprint", host.fingerprint)


def on(room: Room, host: str, name: str) -> dict[str, object]:
    (found,) = [agent for agent in room.status()["agents"] if agent["id"] == f"{host}/{name}"]
    return dict(found)


def test_a_claude_goes_on_on_another_host_in_its_session_and_its_folder_and_back(
    room: Room, ssh_hosts: Callable[..., list[Host]], claude_home: FurnishClaude, api: Api
) -> None:
    vm1, vm2 = ssh_hosts(2)
    for host in (vm1, vm2):
        claude_home(host.home, api)
    project = vm1.home / "project"
    (project / "story.txt").write_text("one\n")
    (project / ".gitignore").write_text("*.o\n")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "first")
    (project / "x.o").write_text("built")
    add(room, vm1, vm2)
    task = (
        'Remember the word pear. [[tool Bash {"command": "echo two >> story.txt; echo new > new.txt"}]] [[text noted]]'
    )
    room.run("spawn", "docs", "--host", "vm1", "--cwd", "project", "--task", task)
    room.wait_for_state("docs", "waiting")
    room.run("answer", "vm1/docs", "allow")
    room.wait_for_state("docs", "done")
    session = str(on(room, "vm1", "docs")["session"])
    words = "--task", "Which word? [[text again]]"
    assert room.run("reassign", "vm1/docs", "--host", "vm2", "--continue", *words) == "vm2/docs\n"
    wait_for(lambda: on(room, "vm2", "docs")["state"] == "done", 60, "it to have gone on on vm2")
    new = on(room, "vm2", "docs")
    assert new["session"] == session
    asked = json.dumps(api.requests(main=True)[-1])
    assert "Remember the word pear" in asked
    assert "You go on on another machine" in asked
    there = Path(str(new["cwd"]))
    assert (there / "story.txt").read_text() == "one\ntwo\n"
    assert git(there, "status", "--porcelain").splitlines() == [" M story.txt", "?? new.txt"]
    assert not (there / "x.o").exists()
    (there / "more.txt").write_text("more\n")
    git(there, "add", "more.txt")
    git(there, "commit", "-q", "-m", "more")
    assert "has moved to vm2" in room.run("resume", "vm1/docs", expect=1)

    room.run("reassign", "vm2/docs", "--host", "vm1", "--continue", "--task", "And now? [[text home]]")
    wait_for(lambda: on(room, "vm1", "docs")["run"] == 2 and on(room, "vm1", "docs")["state"] == "done", 60)
    back = on(room, "vm1", "docs")
    assert back["session"] == session
    assert git(Path(str(back["cwd"])), "log", "-1", "--format=%s").strip() == "more"
    assert "Remember the word pear" in json.dumps(api.requests(main=True)[-1])
    theirs = billed(room, "vm1/docs")
    rounding = 3  # micro-dollars, one a run
    wait_for(lambda: abs(spent(room) - theirs) <= rounding, 30, "what it cost on both hosts to be what Claude says")
    rows = room.records("rows", "costs", "--by", "agent")
    assert {row["key"]: row["messages"] for row in rows} == {"vm1/docs": 3, "vm2/docs": 1}, "each message counts once"
    audit = [line for line in room.records("lines", "audit") if line["verb"] == "move"]
    branch = git(project, "branch", "--show-current").strip()
    assert len(audit) == 2
    assert all("carried its session" in line["reason"] and f"{branch} at" in line["reason"] for line in audit), audit


def spent(room: Room) -> int:
    """What all agents have cost, in micro-dollars."""
    return sum(micro(agent["spent_usd"]) for agent in room.status()["agents"])


def billed(room: Room, name: str) -> int:
    """What Claude's own last result says of the whole session, in micro-dollars."""
    lines = room.run("logs", name, "--raw", "-n", "1000").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    dollars: float = [event for event in events if event.get("type") == "result"][-1]["total_cost_usd"]
    return round(dollars * 1_000_000)
