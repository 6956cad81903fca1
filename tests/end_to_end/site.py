"""Three hosts on networks of their own, the engine that has them, and the fleet file of a site."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.end_to_end.room import Room, Status
from tests.lab.messages_api.server import Api
from tests.lab.namespaces import NamespaceHost, NamespaceLab
from tests.lab.waiting import NotInTime, wait_for

CONFIG = """
local = true

[queue]
stagger_seconds = 0
max_agents = 30
max_agents_per_host = 14
retry_seconds = 0.5
memory_percent = 100
min_disk_mb = 0

[profiles.work]
cwd = "project"
permission_mode = "bypassPermissions"
outside = "always"
shares_folder = true
labels = ["site"]

[profiles.feed]
kind = "command"
command = ["sh", "-c", 'read -r it; echo "$it" >>~/fed; trap "sleep 0.3; exit 0" TERM; while :; do sleep 7003; done']
cwd = "project"
shares_folder = true
labels = ["site"]

[profiles.job]
kind = "command"
command = ["sh", "-c", 'read -r what; echo "$what" >>story.txt']
cwd = "project"
shares_folder = true
labels = ["site"]
"""
"""Who feeds ends late when it is told to, so that a cut finds some on their way."""

FLEET = r"""
fleet = "site"

[defaults]
profile = "work"

[templates.page]
text = "Write page {{number}}. [[tool Bash {\"command\": \"echo {{number}} >page.html; tail -f /dev/null\"}]]"

[[agents]]
name = "page"
count = 3
spread = ["vm1", "vm2", "vm3"]
template = "page"

[[agents]]
name = "editor"
host = "vm1"
text = "Answer readers. [[tool Bash {\"command\": \"tail -f /dev/null\"}]]"

[[agents]]
name = "feed"
count = 8
spread = ["vm2", "vm3"]
profile = "feed"
text = "feed"
"""
"""Twelve agents: four of them are Claude Code."""

TASKS = 10


def tasks() -> str:
    """Ten tasks: the first is done by Claude Code, and the last, which waits for it."""
    entries = []
    for number in range(TASKS):
        script = json.dumps({"command": f"echo job {number} >>story.txt"})
        by_claude = number in (0, TASKS - 1)
        text = f"Do job {number}. [[tool Bash {script}]]" if by_claude else f"job {number}"
        more = 'after = ["job-0"]' if number == TASKS - 1 else "" if by_claude else 'profile = "job"'
        entries.append(f'[[tasks]]\nkey = "job-{number}"\ntext = {json.dumps(text)}\n{more}\n')
    return "".join(entries)


class Site:
    """A room with three hosts, the API that their agents talk to, and a fleet file."""

    def __init__(self, room: Room, lab: NamespaceLab, api: Api, file: Path) -> None:
        self.room, self.lab, self.api, self.file = room, lab, api, file
        self.vm1, self.vm2, self.vm3 = lab.hosts

    def add_hosts(self) -> None:
        """Have the room run them."""
        for host in self.lab.hosts:
            words = ("--name", host.name, "--fingerprint", host.fingerprint, "--label", "site")
            self.room.run("host", "add", host.target, *words)

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def plan(self) -> Counter[str]:
        """How many things of each kind applying the file would do."""
        plan = json.loads(self.room.run("fleet", "plan", str(self.file), "--json"))
        return Counter(change["action"] for change in plan["changes"] if change["action"])

    def apply(self) -> None:
        self.room.run("fleet", "apply", str(self.file), "--yes")

    def drift(self) -> dict[str, str]:
        """What of the fleet has become otherwise, by name."""
        (fleet,) = self.room.records("fleets", "fleet", "drift")
        told = {change["name"]: change["drift"] for change in fleet["changes"]}
        return {name: drift for name, drift in told.items() if drift and drift != "extra"}

    def working(self) -> dict[str, str]:
        """The hosts of the fleet's agents that are at work, by name."""
        agents = json.loads(self.room.run("status", "fleet:site", "state:working", "--json"))["agents"]
        working = [(agent["name"], agent["host"]) for agent in agents]
        assert len(working) == len(dict(working)), f"one is at work twice: {working}"
        return dict(working)

    def agents(self) -> dict[str, Status]:
        """All agents, by id."""
        return {agent["id"]: agent for agent in self.room.status()["agents"]}

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; a failure shows the agents, the plan and the drift."""
        try:
            wait_for(condition, 60, what, poll=0.3)
        except NotInTime as late:
            shown = ("status", f"fleet plan {self.file}", "fleet drift", "host list", "task list --all")
            late.add_note("\n".join(self.room.run(*words.split()) for words in shown))
            raise

    def done(self) -> int:
        """How many tasks are done."""
        return sum(task["state"] == "done" for task in self.room.records("tasks", "task", "list", "--all"))

    def lines(self, name: str) -> Counter[str]:
        """The lines of a file in the homes of all hosts."""
        paths = [host.home / name for host in self.lab.hosts]
        return Counter(line for path in paths if path.exists() for line in path.read_text().splitlines())

    def host(self, name: str) -> dict[str, Any]:
        """What `host list` says of one."""
        (row,) = [row for row in self.room.records("hosts", "host", "list") if row["name"] == name]
        return dict(row)

    def history(self, name: str) -> str:
        """How far the history of a host is."""
        return str((self.host(name)["imported"] or {}).get("state"))


def begin_repository(host: NamespaceHost, project: Path) -> None:
    """A repository with nothing in it cannot be moved."""
    (project / "README").write_text("The site.\n")
    for words in (["add", "README"], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "begin"]):
        subprocess.run(["git", "-C", str(project), "-c", "safe.directory=*", *words], check=True, timeout=60)
    host.own(host.home)
