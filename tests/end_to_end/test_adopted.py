"""What others started is there at the first start: agents that somebody runs in tmux, real Claude Code among them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.room import Room, Status, micro
from tests.end_to_end.somebody import begin, others
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.terminal import Terminal
from tests.lab.world import World


@pytest.fixture
def project(home: World, claude_home: Callable[..., Path], api: Api) -> Path:
    """The project of somebody who has Claude Code."""
    return claude_home(home.home, api)


def test_a_fresh_room_shows_the_agents_somebody_already_runs(
    room: Room, project: Path, home: World, tmux_screen: Callable[..., Terminal]
) -> None:
    begin("agent-1", "claude -p '[[hang 600]]' --model claude-sonnet-5-5 | tee log", project)
    begin(
        "Agent 2",
        'claude --permission-mode default --model claude-sonnet-5-5 \'[[tool Bash {"command": "touch made.txt"}]]\'',
        project,
    )
    begin("notes", "exec bash --norc", home.home)
    screen = tmux_screen(["controlroom"], width=120, height=40)
    screen.wait_for_text("~agent-1", "~agent-2", "~notes", deadline=60)

    states = {"~agent-1": "working", "~agent-2": "waiting", "~notes": "idle"}
    room.wait_until(
        "what Claude says of itself",
        lambda status: {name: agent["state"] for name, agent in others(status).items()} == states,
    )
    seen = others(room.status())
    one, two, notes = seen["~agent-1"], seen["~agent-2"], seen["~notes"]
    assert (one["place"], two["place"], notes["place"]) == ("tmux agent-1", "tmux Agent 2", "tmux notes")
    assert one["cwd"] == two["cwd"] == str(project)
    assert two["detail"] == "waits: permission prompt"
    assert one["session"] != two["session"]
    room.wait_until("the model", lambda status: others(status)["~agent-2"]["model"] == "claude-sonnet-5-5")
    room.wait_until("memory", lambda status: (others(status)["~agent-1"]["memory_bytes"] or 0) > 50_000_000)
    room.wait_until("its cost", lambda status: micro(others(status)["~agent-2"]["spent_usd"]) > 10_000)
    assert others(room.status())["~agent-2"]["billing"] == "api"
    (row,) = room.records("rows", "costs", "--by", "agent")
    assert (row["key"], row["billing"], row["messages"]) == ("local/~agent-2", "api", 1)
    assert row["ran_seconds"] > 0
    assert "touch made.txt" in room.run("logs", "~agent-2")
    said = room.run("explain", "~agent-2")
    assert "adopted (tmux Agent 2)" in said
    assert "Claude's session file" in said
    assert "not started here" in room.run("kill", "~agent-1", "--yes", expect=1)
    assert "was not started here" in room.run("send", "~agent-2", "hello", expect=1)

    subprocess.run(["tmux", "kill-session", "-t", "=agent-1:"], check=True, timeout=60)
    room.wait_until("the end of one", lambda status: others(status)["~agent-1"]["state"] == "failed")
    said = room.run("explain", "~agent-1")
    assert "it ended in the middle of a turn; its exit code is not known" in said
    assert others(room.status())["~agent-1"]["billing"] == "api"
    room.run("forget", "~agent-1", "--yes")
    room.wait_until("the ended one to leave", lambda status: set(others(status)) == {"~agent-2", "~notes"})
    screen.keys("q")


def test_what_others_run_on_a_host_comes_and_goes_with_its_link(room: Room, ssh_host: Host) -> None:
    ssh_host.run("tmux -f /dev/null new-session -d -s build 'echo made 41 of 97; exec sleep 600'")
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)

    def build(status: Status) -> Status:
        return next((agent for agent in status["agents"] if agent["id"] == "vm1/~build"), {})

    room.wait_until("its last line", lambda status: build(status).get("last_line") == "made 41 of 97")
    ssh_host.stop()
    room.wait_until("the host to be lost", lambda status: build(status)["state"] == "lost", 60)
    assert build(room.status())["last_known_state"] == "unknown"
    ssh_host.start()
    room.wait_until("the host to be back", lambda status: build(status).get("state") == "unknown", 60)
    ssh_host.run("tmux kill-session -t '=build:'")
    room.wait_until("the session to be gone", lambda status: not build(status))
