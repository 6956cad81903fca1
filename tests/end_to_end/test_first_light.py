"""Real Claude Code agents on a real SSH host: spawned, watched, asked, answered, reassigned and killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.room import Room, engines
from tests.lab.host import Host
from tests.lab.terminal import Terminal
from tests.lab.world import World

OpenScreen = Callable[..., Terminal]


def sources(room: Room, name: str) -> set[str]:
    """Who says something about an agent."""
    return {evidence["source"] for evidence in room.agent(name)["evidence"]}


def test_a_claude_agent_from_spawn_to_kill(room: Room, vm1: Host) -> None:
    task = """[[tool Bash {"command": "touch made.txt"}]] [[text It's "made"; $(touch ran) `touch ran`\n– fertig 🎉]]"""
    room.run("spawn", "docs-1", "--host", "vm1", "--cwd", "project", "--model", "claude-sonnet-5-5", "--task", task)

    waiting = room.wait_for_state("docs-1", "waiting")
    assert "touch made.txt" in waiting["question"]["text"]
    assert waiting["pid"]
    assert waiting["model"] == "claude-sonnet-5-5"
    room.wait_until("stream and process give evidence", lambda _: sources(room, "docs-1") >= {"stream", "process"})

    room.run("answer", "docs-1", "allow")
    done = room.wait_for_state("docs-1", "done")
    assert done["exit_code"] == 0
    assert (vm1.home / "project" / "made.txt").exists()
    assert not (vm1.home / "project" / "ran").exists(), "task text never meets a shell"
    log = room.run("logs", "docs-1", "-n", "100")
    assert "touch made.txt" in log
    assert "fertig 🎉" in log

    room.run("reassign", "docs-1", "--task", "[[hang 60]]")
    working = room.wait_for_state("docs-1", "working")
    assert working["run"] == 2
    assert working["session"] != done["session"]
    assert "fertig" in room.run("logs", "docs-1", "--run", "1"), "earlier runs stay readable"

    room.run("kill", "docs-1", "--yes")
    killed = room.wait_for_state("docs-1", "done")
    assert killed["detail"].startswith("killed")
    assert not [process for process in vm1.processes() if "claude" in process.command], "nothing of it is left"
    assert "has ended" in room.run("send", "docs-1", "hello?", expect=1)


def test_the_same_from_the_screen(room: Room, vm1: Host, tmux_screen: OpenScreen) -> None:
    task = 'tidy up [[tool Bash {"command": "rm -r build"}]] [[text All tidy.]]'
    room.run("spawn", "tidy-1", "--host", "vm1", "--cwd", "project", "--task", task)
    room.wait_for_state("tidy-1", "waiting")
    screen = tmux_screen(["controlroom"], width=120, height=40)
    screen.wait_for_text("tidy-1", "rm -r build")
    screen.keys("n")
    screen.wait_for_text("rm -r build", "allow once", "seen  stream")
    screen.insist("y", lambda: room.agent("tidy-1")["state"] != "waiting")
    room.wait_for_state("tidy-1", "done")
    screen.wait_for_text("All tidy.")


def test_a_denied_agent_is_not_plainly_done(room: Room, vm1: Host) -> None:
    room.run(
        "spawn", "a", "--host", "vm1", "--cwd", "project", "--task", '[[tool Bash {"command": "rm x"}]] [[text ok]]'
    )
    room.wait_for_state("a", "waiting")
    room.run("answer", "a", "deny", "not today")
    done = room.wait_for_state("a", "done")
    assert done["denied"] == 1
    assert "1 denied" in done["detail"]


def test_interrupt_then_a_message_goes_on(room: Room, vm1: Host) -> None:
    room.run("spawn", "a", "--host", "vm1", "--cwd", "project", "--task", "[[hang 60]]")
    room.wait_for_state("a", "working")
    room.run("interrupt", "a")
    room.wait_for_state("a", "idle")
    room.run("send", "a", "go on [[text Going on.]]")
    room.wait_for_state("a", "done")
    assert "Going on." in room.run("logs", "a")


def test_reassign_goes_on_in_the_same_session_when_told(room: Room, vm1: Host) -> None:
    room.run("spawn", "a", "--host", "vm1", "--cwd", "project", "--task", "[[text First.]]")
    first = room.wait_for_state("a", "done")
    room.run("reassign", "a", "--continue", "--task", "and then [[text Second.]]")
    room.wait_until("the second run", lambda status: status["agents"][0]["run"] == 2)
    second = room.wait_for_state("a", "done")
    assert second["session"] == first["session"]
    assert second["cwd"] == first["cwd"]
    assert "Second." in room.run("logs", "a")


def test_a_paused_agent_goes_on_in_its_session_when_it_is_resumed(room: Room, vm1: Host) -> None:
    room.run("spawn", "a", "--host", "vm1", "--cwd", "project", "--task", "[[hang 600]]")
    room.wait_until("its session", lambda status: status["agents"][0]["session"])
    first = room.wait_for_state("a", "working")
    (paused,) = room.records("agents", "pause", "a")
    assert (paused["agent"], paused["outcome"]) == ("vm1/a", "done")
    assert room.wait_for_state("a", "paused")["detail"] == "until it is resumed"
    there = (line.split() for line in vm1.run("ps -e -o pid=,stat=").splitlines())
    assert str(first["pid"]) not in {pid for pid, state in there if not state.startswith("Z")}
    assert "controlroom resume vm1/a" in room.run("explain", "a")

    assert "has ended" in room.run("pause", "a", expect=1)
    room.run("resume", "state:paused")
    room.wait_until("the second run", lambda status: status["agents"][0]["run"] == 2)
    second = room.wait_for_state("a", "done")
    assert (second["session"], second["task"]) == (first["session"], first["task"])


def test_agents_outlive_engine_and_link(room: Room, vm1: Host, home: World) -> None:
    count = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done"
    room.run("spawn", "job", "--host", "vm1", "--task", "", "--", "sh", "-c", count)
    pid = room.wait_for_state("job", "working")["pid"]

    vm1.kill_connections()
    room.wait_until("the link to come back", lambda status: all(h["state"] == "up" for h in status["hosts"]))
    assert room.wait_for_state("job", "working")["pid"] == pid

    (engine,) = engines(home)
    os.kill(engine.pid, signal.SIGKILL)
    assert room.wait_for_state("job", "working")["pid"] == pid
    assert "line 1\n" in room.run("logs", "job", "-n", "100000")

    room.run("kill", "job", "--yes")
    assert count not in vm1.run("ps -e -o args= | grep -v grep || true")


def test_a_killed_child_is_a_failure_with_its_signal(room: Room, vm1: Host) -> None:
    room.run("spawn", "job", "--host", "vm1", "--task", "", "--", "sh", "-c", "kill -SEGV $$")
    failed = room.wait_for_state("job", "failed")
    assert failed["exit_signal"] == signal.SIGSEGV
    room.run("spawn", "job2", "--host", "vm1", "--task", "", "--", "sh", "-c", "exit 7")
    assert room.wait_for_state("job2", "failed")["exit_code"] == 7


def test_a_command_is_reassigned_without_saying_it_again(room: Room, vm1: Host) -> None:
    room.run("spawn", "copy", "--host", "vm1", "--task", "one", "--", "sh", "-c", "cat >> got; echo copied")
    room.wait_for_state("copy", "done")
    room.run("reassign", "copy", "--task", " two")
    room.wait_until("the second run", lambda status: status["agents"][0]["run"] == 2)
    room.wait_for_state("copy", "done")
    assert (vm1.home / "got").read_text() == "one two"
    room.run("forget", "copy", "--yes")
    assert not room.status()["agents"]


def test_the_task_of_a_command_arrives_byte_for_byte(room: Room, vm1: Host, tmp_path: Path) -> None:
    task = "'\"`$(touch ran)`; rm -rf x\n\t🎉\\ #{pane_id} %% ##(touch ran)\n" * 4000
    (tmp_path / "task.md").write_text(task)
    room.run("spawn", "copy", "--host", "vm1", "--task-file", str(tmp_path / "task.md"), "--", "sh", "-c", "cat > got")
    room.wait_for_state("copy", "done")
    assert (vm1.home / "got").read_text() == task
    assert not (vm1.home / "ran").exists()


def test_an_unknown_host_key_is_a_question(room: Room, ssh_hosts: Callable[..., list[Host]]) -> None:
    (host,) = ssh_hosts(1, known=False)
    said = room.run("host", "add", host.target, "--name", "vm1", expect=6)
    assert host.fingerprint in said
    (entry,) = [entry for entry in room.status()["hosts"] if entry["name"] == "vm1"]
    assert entry["state"] == "asking"
    assert host.fingerprint in entry["question"]["text"]
    room.run("host", "answer", "vm1", "allow")
    room.wait_until(
        "vm1 to be up", lambda status: [h["state"] for h in status["hosts"] if h["name"] == "vm1"] == ["up"]
    )


def test_two_spawns_of_one_name_make_one_agent(room: Room, vm1: Host, home: World) -> None:
    room.status()
    nap = f"{6000 + os.getpid() / 1e6:.6f}"
    words = [sys.executable, "-m", "controlroom", "spawn", "twin", "--host", "vm1", "--task", "", "--", "sleep", nap]
    racers = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [racer.communicate(timeout=60)[1] for racer in racers]
    assert sorted(racer.returncode for racer in racers) == [0, 1], said
    assert "twin is there already" in "".join(said)
    room.wait_for_state("twin", "working")
    assert [process.name for process in vm1.processes() if process.command.endswith(f"sleep {nap}")] == ["sleep"]
    room.run("kill", "twin", "--yes")
