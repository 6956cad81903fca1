"""Agents that write into their own folders what is not so, or remove them: what runs is seen, and can be ended.

All of them are scripts of the host's user, as every agent is; each has a child that carries none of its marks.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from controlroom.node.agent_folders import Entry, read_status, write_status
from controlroom.node.ending import record_killed
from controlroom.runner.files import why
from controlroom.wire.messages import AgentSeen, AgentsSeen
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.processes import Process, belonging_to, look
from tests.lab.waiting import wait_for
from tests.lab.world import World

LIAR = """
import json, os, subprocess, sys, time
folder = sys.argv[1]
subprocess.Popen(["env", "-i", "sleep", "601"], start_new_session=True)
spec = None
while True:
    with open(folder + "/status.json") as file:
        status = json.load(file)
    status |= {"state": sys.argv[2], "ended": int(time.time() * 1000), "detail": "all is done", "pid": 0}
    with open(folder + "/mine", "w") as file:
        json.dump(status, file)
    os.rename(folder + "/mine", folder + "/status.json")
    if spec is None:
        spec = open(folder + "/spec.json").read()
        os.unlink(folder + "/spec.json")
        open(folder + "/spec.json", "w").write(spec)
    time.sleep(0.05)
"""
"""Says that it has ended, again and again, and takes the lock away by which its runner is known to live."""


def folder_of(home: World, name: str) -> Path:
    return state_folder(home.home) / "agents" / f"{name}.1"


def asleep(home: World) -> list[Process]:
    """The children of agents that carry no mark."""
    return [process for process in belonging_to(home.directory) if process.command.endswith("sleep 601")]


@pytest.mark.parametrize("state", ["done", "limited"])
def test_an_agent_that_says_it_has_ended_while_its_runner_lives_is_unknown_and_can_be_killed(
    home: World, node: NodeClient, state: str
) -> None:
    node.spawn("liar", 1, "python3", "-c", LIAR, str(folder_of(home, "liar")), state)
    seen = node.wait_agent("liar", lambda seen: seen.state == "unknown")
    assert seen.detail.startswith(f"it says that it has ended ({state}), and its runner (process ")
    assert seen.detail.endswith(") still runs: kill it")
    assert seen.ended == 0
    assert node.kill("liar", 1).outcome == "done"
    assert not asleep(home)
    # What it wrote; or, where its runner was quicker than its end, the last word of that, put right.
    node.wait_agent("liar", lambda seen: seen.state == state or (seen.state, seen.detail) == ("done", "killed"))


@pytest.mark.parametrize("long_ago", [False, True], ids=["just now", "before the node came"])
def test_an_agent_without_a_status_is_unknown_while_its_runner_lives(home: World, *, long_ago: bool) -> None:
    folder = folder_of(home, "mute")
    with NodeClient() as node:
        node.greet()
        node.spawn("mute", 1, "sleep", "603")
        node.wait_agent("mute", lambda seen: seen.state == "working")
        (folder / "status.json").unlink()
        if not long_ago:
            _is_unknown_until_its_runner_says_more(node)
    if long_ago:
        past = time.time() - 3600
        os.utime(folder, (past, past))
        with NodeClient() as node:
            node.greet()
            _is_unknown_until_its_runner_says_more(node)


def _is_unknown_until_its_runner_says_more(node: NodeClient) -> None:
    seen = node.wait_agent("mute", lambda seen: seen.state == "unknown")
    assert seen.detail.startswith("its status.json is gone, and its runner (process ")
    assert seen.ended == 0
    told = [agent.state for message in node.all(AgentsSeen) for agent in message.agents if agent.name == "mute"]
    assert "failed" not in told
    assert node.kill("mute", 1).outcome == "done"
    node.wait_agent("mute", lambda seen: (seen.state, seen.detail.split(";")[0]) == ("done", "killed"))


@pytest.mark.parametrize(
    ("number", "ended", "last"),
    [
        (15, 2_000, ("done", "killed")),
        (11, 2_000, ("failed", "")),
        (15, 999, ("failed", "")),
        (None, 0, ("working", "")),
    ],
)
def test_what_a_runner_says_that_only_saw_its_agent_die_of_our_signal_is_put_right(
    tmp_path: Path, number: int | None, ended: int, last: tuple[str, str]
) -> None:
    entry = Entry("one", 1, str(tmp_path))
    state = "failed" if ended else "working"
    write_status(entry, AgentSeen("one", 1, "command", state, 1_000, ended=ended, exit_signal=number))
    record_killed(entry, "killed", 1_000)
    status = read_status(entry)
    assert status is not None
    assert (status.state, status.detail) == last


@pytest.mark.parametrize("how", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("elsewhere"))])
def test_an_agent_without_a_folder_is_still_seen_and_can_be_killed(home: World, node: NodeClient, how: object) -> None:
    node.spawn("lost", 1, "sh", "-c", "env -i sleep 601 & exec sleep 602")
    pid = node.wait_agent("lost", lambda seen: seen.pid and seen.state == "working").pid
    assert callable(how)
    how(folder_of(home, "lost"))
    seen = node.wait_agent("lost", lambda seen: seen.state == "unknown")
    assert seen.detail.startswith("its folder is gone, and its runner (process ")
    assert look(pid) is not None
    assert node.kill("lost", 1).outcome == "done"
    assert look(pid) is None
    assert not asleep(home)
    wait_for(lambda: "lost" not in node.agents(), 15, "it to be gone")
    told = [agent.state for seen in node.all(AgentsSeen) for agent in seen.agents if agent.name == "lost"]
    assert told[-1] == "unknown"


def test_a_node_that_comes_later_sees_an_agent_without_a_folder(home: World, node: NodeClient) -> None:
    node.spawn("lost", 1, "sleep", "602")
    node.wait_agent("lost", lambda seen: seen.pid and seen.state == "working")
    node.close()
    shutil.rmtree(folder_of(home, "lost"))
    with NodeClient() as later:
        later.greet()
        later.wait_agent("lost", lambda seen: seen.state == "unknown")
        assert later.kill("lost", 1).outcome == "done"


def test_what_has_ended_in_order_is_told_as_it_ended(home: World, node: NodeClient) -> None:
    node.spawn("brief", 1, "true")
    node.wait_agent("brief", lambda seen: seen.state == "done")
    node.spawn("other", 1, "sleep", "602")
    node.wait_agent("other", lambda seen: seen.pid and seen.state == "working")
    assert node.agents()["brief"].state == "done"
    assert node.kill("brief", 1).outcome == "done"


# --------------------------------------------------------------------------- what others leave in the way


@pytest.mark.parametrize("how", ["open to all", "a link"])
def test_a_folder_that_tmux_does_not_take_is_named_with_what_to_do(home: World, node: NodeClient, how: str) -> None:
    """In /tmp, anybody on the machine can make it first."""
    place = home.tmux / f"tmux-{os.geteuid()}"
    if how == "a link":
        place.symlink_to("/nonexistent")
    else:
        place.mkdir()
        place.chmod(0o777)
    said = node.spawn("one", 1, "sleep", "602").reason
    assert said.startswith("one does not start: ")
    wanted = f"tmux wants {place} to be a folder of this user alone (0700)"
    assert said.endswith(f"; {wanted}, and it is uid {os.geteuid()}'s: remove it")


def test_no_room_for_a_file_is_said_with_what_to_do() -> None:
    full = why(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/spec.json"))
    assert full == "/some/spec.json: No space left on device: free some space there (df -h), or some files (df -i)"
    assert why(OSError("its runner has written nothing")) == "its runner has written nothing"
    assert why(PermissionError(errno.EACCES, "Permission denied", "/x")) == "/x: Permission denied"
    assert why(ValueError()) == "ValueError"
