"""Agents that write what they like into their own record, on real hosts: what was ordered counts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from controlroom.runner.folder import TASK
from tests.end_to_end.room import Room
from tests.lab.host import Host
from tests.lab.waiting import wait_for
from tests.lab.world import World

PROFILES = """
[profiles.docs]
kind = "command"
command = ["%s", "%s"]

[profiles.rich]
kind = "headless"
permission_mode = "bypassPermissions"
[profiles.rich.env]
SECRET = "a-secret-of-rich"
"""

FORGER = """
import glob, json, os, time
(folder,) = glob.glob(os.path.expanduser("~/.local/state/controlroom*/**/job.1"), recursive=True)
while True:
    try:
        with open(folder + "/status.json") as file:
            said = json.load(file)
        said.update(profile="rich", kind="headless", cwd="/etc", task="do evil", session="--permission-mode=plan")
        with open(folder + "/mine", "w") as file:
            json.dump(said, file)
        os.replace(folder + "/mine", folder + "/status.json")
    except (OSError, ValueError):
        pass
    time.sleep(0.05)
"""


def test_an_agent_that_calls_itself_another_ones_profile_is_run_as_it_was_ordered(home: World, room: Room) -> None:
    forger = home.home / "forger.py"
    forger.write_text(FORGER)
    (home.room / "config.toml").write_text(PROFILES % (sys.executable, forger))
    (home.room / "config.toml").chmod(0o600)
    room.run("spawn", "job", "--profile", "docs", "--task", "write")
    wait_for(lambda: "profile" in {claim["field"] for claim in room.agent("job")["claims"]}, 30, "the lie to be seen")
    agent = room.agent("job")
    assert (agent["profile"], agent["kind"], agent["task"]) == ("docs", "command", "write")
    assert agent["session"] is None
    lie = "says profile rich, but docs was ordered: what was ordered counts"
    wait_for(lambda: lie in room.run("explain", "job"), 30, "the lie to be told: its runner writes the truth, too")
    room.run("reassign", "job", "--task", "and the tests")
    spec = json.loads((folder_of(home.home, "job.2") / "spec.json").read_text())["spec"]
    assert (spec["profile"], spec["kind"]) == ("docs", "command")
    assert (spec.get("permission_mode", ""), spec.get("env", {})) == ("", {}), "those of the other profile"
    assert len([line for line in room.run("audit").splitlines() if "profile rich" in line]) == 1
    room.run("kill", "job", "--yes")


def test_an_agent_that_calls_itself_a_command_takes_none_to_another_host(
    room: Room, ssh_hosts: Callable[..., list[Host]]
) -> None:
    (vm1,) = ssh_hosts(1)
    room.run("host", "add", vm1.target, "--name", "vm1", "--fingerprint", vm1.fingerprint)
    room.run("spawn", "job", "--host", "vm1", "--task", "count", "--", "sh", "-c", "sleep 6001")
    room.wait_for_state("job", "working")
    spec = folder_of(vm1.home, "job.1") / "spec.json"
    order = json.loads(spec.read_text())
    order["spec"]["command"] = ["sh", "-c", "touch ~/was-here; sleep 6002"]
    spec.write_text(json.dumps(order))
    refused = room.run("reassign", "job", "--host", "local", expect=1)
    assert "gives another command of job than was ordered" in refused
    (folder_of(vm1.home, "job.1") / TASK).write_text("do evil")
    assert "gives another task of job than was ordered: say --task" in room.run(
        "reassign", "job", "--host", "local", expect=1
    )
    assert [agent["id"] for agent in room.status()["agents"]] == ["vm1/job"]
    room.run("kill", "job", "--yes")


def folder_of(home: Path, run: str) -> Path:
    """The folder of a run on the host with this HOME."""
    (found,) = home.glob(f".local/state/controlroom*/**/{run}")
    return found
