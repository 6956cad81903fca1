"""Five real Claudes of somebody's scripts are taken over: named, stopped by signals, begun anew under a runner."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.room import Room, Status
from tests.end_to_end.somebody import begin, others
from tests.lab.messages_api.server import Api
from tests.lab.processes import everything
from tests.lab.world import World


@pytest.fixture
def project(home: World, claude_home: Callable[..., Path], api: Api) -> Path:
    """The project of somebody who has Claude Code."""
    return claude_home(home.home, api)


def alive(pids: dict[str, int]) -> set[str]:
    """Whose processes are still there."""
    there = {process.pid for process in everything() if process.name == "claude"}
    return {name for name, pid in pids.items() if pid in there}


def sessions() -> set[str]:
    listed = subprocess.run(
        ["tmux", "ls", "-F", "#{session_name}"], capture_output=True, text=True, timeout=60, check=True
    )
    return set(listed.stdout.split())


def begin_all(project: Path, home: World) -> None:
    """Start five Claudes as somebody's scripts do, in a room whose profile `small` lets agents take next to nothing."""
    config = home.room / "config.toml"
    config.write_text("[profiles.small]\nmax_memory_mb = 20\n")
    config.chmod(0o600)
    logs = home.home / "agents" / "logs"
    logs.mkdir(parents=True)
    begin("typed", "exec bash --norc", home.home)
    for number in (1, 2):
        task = f"'[[hang 600]]' --model claude-sonnet-5-5 | tee {logs}/agent-{number}.log"
        begin(f"agent-{number}", f"echo begun by hand > {logs}/agent-{number}.log; claude -p {task} -a", project)
    loop = home.home / "loop.sh"
    loop.write_text("while true; do claude -p '[[hang 600]]' --model claude-sonnet-5-5; done\n")
    begin("agent-3", f"bash {loop}", project)
    begin("agent-4", "claude -p '[[hang 600]]' --model claude-sonnet-5-5", project)
    begin("agent-5", "claude --model claude-sonnet-5-5 '[[text the first words]]'; exec bash --norc", project)


def test_agents_of_somebodys_scripts_are_taken_over(room: Room, project: Path, home: World, api: Api) -> None:
    begin_all(project, home)
    names = {f"~agent-{number}" for number in range(1, 6)}
    room.wait_until(
        "all sessions",
        lambda status: {name for name, agent in others(status).items() if agent["session"]} == names,
        60,
    )
    room.wait_until("the first words", lambda status: others(status)["~agent-5"]["spent_usd"] is not None, 60)
    assert "was not started here" in room.run("kill", "~agent-4", "--yes", expect=1)

    taken = room.records("agents", "adopt", "agent-*", "--yes")
    assert {(each["agent"], each["outcome"]) for each in taken} == {(f"local/{name}", "done") for name in names}
    assert {agent["taken_over_as"] for agent in others(room.status()).values()} == {
        *(name[1:] for name in names),
        None,
    }
    assert "begun by hand" in room.run("logs", "agent-1"), "its log file is its log"
    assert "a signal to its processes is all that reaches it" in room.run("explain", "agent-3")

    pids = {name: agent["pid"] for name, agent in others(room.status()).items() if name in names}
    assert alive(pids) == names
    room.run("kill", "agent-4", "--yes")
    room.run("kill", "agent-3", "--yes")
    assert alive(pids) == names - {"~agent-3", "~agent-4"}
    assert sessions() == {"typed", "agent-1", "agent-2", "agent-5"}
    room.run("adopt", "agent-2", "--profile", "small")
    room.wait_until("what takes too much to end", lambda status: others(status)["~agent-2"]["state"] == "failed")
    assert alive(pids) == {"~agent-1", "~agent-5"}
    assert sessions() == {"typed", "agent-1", "agent-5"}
    assert "MiB of memory, 20 are the most: it is ended" in room.run("audit", "--grep", "agent-2")
    assert "ended by a signal from here: it takes" in room.run("explain", "agent-2")

    (spent,) = [row for row in room.records("rows", "costs", "--by", "agent") if row["key"] == "local/~agent-5"]
    session = others(room.status())["~agent-5"]["session"]
    assert room.run("adopt", "agent-5", "--restart", "--yes", "--task", "[[text the last words]]") == "local/agent-5\n"
    agent = room.wait_for_state("agent-5", "done", deadline=60)
    assert (agent["session"], agent["cwd"], agent["kind"]) == (session, str(project), "headless")
    assert sessions() == {"typed", "agent-1", "agent-5"}, "whoever looks at agent-5 has a shell there"
    said = str(api.requests(main=True)[-1])
    assert "the first words" in said
    assert "the last words" in said

    def counted(status: Status) -> bool:
        rows = {row["key"]: row for row in room.records("rows", "costs", "--by", "agent")}
        before, after = rows["local/~agent-5"], rows.get("local/agent-5", {"messages": 0})
        assert before["list_price_usd"] == spent["list_price_usd"]
        return (before["messages"], after["messages"]) == (1, 1)

    room.wait_until("each message to be counted, once", counted)
    room.run("halt", "--kill", "--yes")
    room.wait_until("the end of all", lambda status: not alive(pids))
    assert sessions() == {"typed", "agent-5"}
    audit = room.run("audit", "--grep", "agent-5")
    assert "taken over as agent-5" in audit
