"""A fleet from a file on three hosts, with real Claude Code: planned, applied, changed, drained, mended."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeLab
from tests.end_to_end.room import FurnishClaude, Room
from tests.lab.messages_api.server import Api
from tests.lab.namespaces import NamespaceLab
from tests.lab.waiting import NotInTime, wait_for
from tests.lab.world import World

CONFIG = """
local = false

[queue]
stagger_seconds = 0
max_agents = 20
max_agents_per_host = 12
retry_seconds = 0.5
memory_percent = 100
min_disk_mb = 0

[profiles.work]
cwd = "project"
permission_mode = "bypassPermissions"
outside = "always"
shares_folder = true
"""

FLEET = """
fleet = "site"

[defaults]
profile = "work"

[templates.page]
text = "Write page {{number}}. [[tool Bash UNTIL]]"

[[agents]]
name = "page"
count = 11
spread = ["vm1", "vm2", "vm3"]
template = "page"

[[agents]]
name = "editor"
host = "vm1"
text = "Answer readers. [[tool Bash UNTIL]]"
""".replace("UNTIL", r"{\"command\": \"until test -e ~/go-on; do sleep 0.3; done\", \"timeout\": 600000}")

TASKS = 10


def tasks() -> str:
    """Ten tasks, of which the last waits for the first."""
    entries = []
    for number in range(TASKS):
        script = json.dumps({"command": f"echo job {number} >>story.txt"})
        text = json.dumps(f"Do job {number}. [[tool Bash {script}]]")
        after = 'after = ["job-0"]' if number == TASKS - 1 else ""
        entries.append(f'[[tasks]]\nkey = "job-{number}"\ntext = {text}\n{after}\n')
    return "".join(entries)


class Site:
    """A room with three hosts, and a fleet file."""

    def __init__(self, room: Room, lab: NamespaceLab, file: Path) -> None:
        self.room, self.lab, self.file = room, lab, file

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def plan(self) -> Counter[str]:
        """How many things of each kind applying the file would do."""
        plan = json.loads(self.room.run("fleet", "plan", str(self.file), "--json"))
        return Counter(change["action"] for change in plan["changes"] if change["action"])

    def apply(self) -> None:
        self.room.run("fleet", "apply", str(self.file), "--yes")

    def drift(self) -> dict[str, str]:
        """What has become otherwise, by name."""
        (fleet,) = self.room.records("fleets", "fleet", "drift")
        return {change["name"]: change["drift"] for change in fleet["changes"] if change["drift"]}

    def working(self) -> dict[str, str]:
        """The hosts of the agents that are at work, by name."""
        agents = self.room.status()["agents"]
        working = [(agent["name"], agent["host"]) for agent in agents if agent["state"] == "working"]
        assert len(working) == len(dict(working)), f"one is at work twice: {working}"
        return dict(working)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; a failure shows the agents, the plan and the drift."""
        try:
            wait_for(condition, 120, what, poll=0.5)
        except NotInTime as late:
            shown = ("status", f"fleet plan {self.file}", "fleet drift", "host list", "task list --all")
            late.add_note("\n".join(self.room.run(*words.split()) for words in shown))
            raise

    def done(self) -> int:
        """How many tasks are done."""
        return sum(task["state"] == "done" for task in self.room.records("tasks", "task", "list", "--all"))


@pytest.fixture
def site(
    room: Room,
    home: World,
    vms: MakeLab,
    start_api: Callable[..., Api],
    claude_share: dict[str, str],
    claude_home: FurnishClaude,
    tmp_path: Path,
) -> Site:
    home.room.mkdir(mode=0o700, exist_ok=True)
    config = home.room / "config.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    lab = vms(3, share=claude_share)
    api = start_api(host=lab.record.gateway)
    for host in lab.hosts:
        commit(claude_home(host, api))
        host.own(host.home)
        room.run("host", "add", host.target, "--name", host.name, "--fingerprint", host.fingerprint)
    return Site(room, lab, tmp_path / "fleet.toml")


@pytest.mark.timeout(900)
def test_a_fleet_is_planned_applied_changed_drained_and_mended(site: Site) -> None:
    room, vm3 = site.room, site.lab["vm3"]
    site.write(FLEET + tasks())
    assert site.plan() == {"start": 12, "add": TASKS}
    site.apply()
    site.wait(lambda: len(site.working()) == 12 and site.done() == TASKS, "all agents at work, and all tasks done")
    site.wait(lambda: not site.plan(), "nothing to be left to do")
    where = site.working()
    assert Counter(where.values()) == {"vm1": 5, "vm2": 4, "vm3": 3}

    site.write(FLEET.replace("count = 11", "count = 10").replace("Answer readers.", "Answer writers.") + tasks())
    assert site.plan() == {"end": 1, "new run": 1}
    site.apply()
    site.wait(lambda: len(site.working()) == 11 and not site.plan(), "the change to be there")
    assert "page-11" not in site.working()
    assert "Answer writers." in room.agent("editor")["task"]

    room.run("host", "drain", "vm3", "--move", "--batch", "1")
    site.wait(lambda: _drain(room)["moved"] >= 1, "the drain to be in the middle")
    vm3.sever()
    room.wait_until("the cut to be seen", lambda status: _host(status, "vm3")["state"] == "lost", 60)
    vm3.heal()
    site.wait(lambda: _drain(room)["empty_since"], "vm3 to be empty")
    assert _drain(room)["failed"] == []
    moved = {name for name, host in where.items() if host == "vm3"}
    assert moved <= {agent["name"] for agent in room.status()["agents"] if agent["host"] != "vm3"}
    assert not site.plan(), "a fleet follows its agents to where this room has moved them"

    room.run("host", "undrain", "vm3")
    room.run("kill", "page-1", "--yes")
    site.wait(lambda: site.drift().get("page-1") == "ended", "the drift to be seen")
    site.apply()
    site.wait(lambda: not site.drift(), "the drift to be mended")
    site.wait(lambda: site.working().get("page-1") == where["page-1"], "it to be at work again")
    written = Counter(line for host in site.lab.hosts for line in _lines(host.home / "project" / "story.txt"))
    assert written == {f"job {number}": 1 for number in range(TASKS)}

    exported = site.file.with_name("exported.toml")
    room.run("fleet", "export", str(exported))
    site.file = exported
    assert not site.plan(), "what runs is what was written down"
    site.write('fleet = "site"\n')
    site.apply()
    site.wait(lambda: not site.working(), "the fleet to have ended")


def commit(project: Path) -> None:
    """A repository with nothing in it cannot be moved."""
    (project / "README").write_text("The site.\n")
    for words in (["add", "README"], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "begin"]):
        subprocess.run(["git", "-C", str(project), "-c", "safe.directory=*", *words], check=True, timeout=60)


def _drain(room: Room) -> dict[str, Any]:
    (row,) = [row for row in room.records("hosts", "host", "list") if row["name"] == "vm3"]
    return dict(row["drain"])


def _host(status: dict[str, Any], name: str) -> dict[str, Any]:
    (host,) = [host for host in status["hosts"] if host["name"] == name]
    return dict(host)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
