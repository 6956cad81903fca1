"""A night's work: tasks (thirty with --long), three hosts, real Claude Code, and what goes wrong in a night."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import MakeLab
from tests.end_to_end.room import FurnishClaude, Room, engines
from tests.lab.messages_api.server import Api
from tests.lab.namespaces import NamespaceHost, NamespaceLab
from tests.lab.waiting import NotInTime, wait_for
from tests.lab.world import World

FEW, MANY, HALTED = 20, 30, 8
HOSTS = ("vm1", "vm2", "vm3")

CONFIG = """
local = false

[queue]
stagger_seconds = 0
retry_seconds = 0.5
backoff_seconds = 2
max_agents = 6
max_agents_per_host = 3
memory_percent = 100
min_disk_mb = 0

[profiles.work]
cwd = "project"
permission_mode = "bypassPermissions"
outside = "always"
shares_folder = true
"""

Task = dict[str, Any]


class Night:
    """A room with three hosts, the API that their agents talk to, and a list of tasks."""

    def __init__(self, room: Room, home: World, lab: NamespaceLab, api: Api) -> None:
        self.room, self.home, self.lab, self.api = room, home, lab, api

    def add_tasks(self, count: int) -> None:
        """Hand over a list: the first three come before one after a third of it, that before one later, and so on."""
        third, two_thirds, last = count // 3 - 1, count * 2 // 3 - 1, count - 1
        after = {third: ["job-0", "job-1", "job-2"], two_thirds: [f"job-{third}"], last: [f"job-{two_thirds}"]}
        tasks = [
            {
                "text": work(number),
                "key": f"job-{number}",
                "priority": number % 4,
                "after": after.get(number, []),
                "profile": "work",
            }
            for number in range(count)
        ]
        ids = self.room.run("task", "add", "--from", "-", stdin=json.dumps(tasks)).split()
        assert len(ids) == count

    def tasks(self) -> dict[str, Task]:
        """All tasks, by key."""
        return {task["key"]: task for task in self.room.records("tasks", "task", "list", "--all")}

    def done(self) -> int:
        """How many tasks are done."""
        return sum(task["state"] == "done" for task in self.tasks().values())

    def wait_for_done(self, count: int) -> None:
        """Wait until so many tasks are done."""
        self.wait(lambda: self.done() >= count, f"{count} tasks to be done")

    def wait_for_reason(self, reason: str) -> None:
        """Wait until a task waits for this reason."""
        self.wait(lambda: reason in {task["wait"] for task in self.tasks().values()}, f"a task to wait: {reason}")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; a failure shows the tasks and the agents."""
        try:
            wait_for(condition, 60, what, poll=0.5)
        except NotInTime as late:
            late.add_note("\n".join(self.room.run(*words) for words in (("task", "list", "--all"), ("status",))))
            raise

    def kill_engine(self) -> None:
        """As the kernel does when memory is short; the next verb starts another one."""
        (engine,) = engines(self.home)
        os.kill(engine.pid, signal.SIGKILL)

    def attempts(self, task: Task) -> list[dict[str, Any]]:
        """The attempts of a task, oldest first."""
        shown = json.loads(self.room.run("task", "show", task["id"], "--json"))
        attempts: list[dict[str, Any]] = shown["attempts"]
        return attempts

    def story(self, host: NamespaceHost) -> list[str]:
        """What the tasks of a host have written into its home."""
        path = host.home / "project" / "story.txt"
        return path.read_text().splitlines() if path.exists() else []


def work(number: int) -> str:
    """A task that writes into its folder when it begins and when it ends."""
    script = f"echo begin {number} >>story.txt; sleep 0.5; echo end {number} >>story.txt"
    return f"Do job {number}.\n[[tool Bash {json.dumps({'command': script})}]][[text Job {number} is done.]]"


@pytest.fixture
def night(
    room: Room,
    home: World,
    vms: MakeLab,
    start_api: Callable[..., Api],
    claude_share: dict[str, str],
    claude_home: FurnishClaude,
) -> Night:
    home.room.mkdir(mode=0o700, exist_ok=True)
    config = home.room / "config.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    lab = vms(len(HOSTS), share=claude_share)
    api = start_api(host=lab.record.gateway)
    for host in lab.hosts:
        claude_home(host, api)
        room.run("host", "add", host.target, "--name", host.name, "--fingerprint", host.fingerprint)
    return Night(room, home, lab, api)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_all_is_done_though_hosts_links_limits_money_and_the_engine_fail(night: Night, count: int) -> None:
    room, lab, api = night.room, night.lab, night.api
    night.add_tasks(count)
    night.wait_for_done(count // 10)
    lab["vm1"].reboot()
    night.wait_for_done(count // 5)
    lab["vm2"].cut()
    night.kill_engine()
    night.wait_for_done(count * 3 // 10)
    api.configure(mode=429, retry_after=2)
    night.wait_for_reason("limited")
    api.configure(mode=529)
    lab["vm2"].heal()
    night.kill_engine()
    night.wait_for_reason("overloaded")
    api.configure(mode="ok")
    night.wait_for_done(count * 2 // 5)
    room.run("budget", "set", "day", "--limit", "0.01")
    night.wait_for_reason("budget")
    room.run("budget", "set", "day", "--limit", "1000")
    night.wait_for_done(count)
    assert_done_once(night, count)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_halt_stops_the_night_until_resume(night: Night) -> None:
    room = night.room
    night.add_tasks(HALTED)
    night.wait_for_done(2)
    room.run("halt", "--kill", "--yes", "--reason", "wrong branch")
    wait_for(lambda: not at_work(room), 60, "all agents to have ended", poll=0.3)
    asked, done = len(night.api.requests()), night.done()
    night.kill_engine()
    (later,) = room.run("task", "add", work(HALTED), "--key", f"job-{HALTED}", "--profile", "work").split()
    night.lab["vm3"].reboot()
    assert json.loads(room.run("queue", "show", "--json"))["halted_by"]["reason"] == "wrong branch"
    room.wait_until("all hosts to be back", lambda status: {host["state"] for host in status["hosts"]} == {"up"}, 60)
    assert "halted" in room.run("why", later)
    assert (len(night.api.requests()), night.done(), at_work(room)) == (asked, done, [])
    room.run("resume")
    night.wait_for_done(HALTED + 1)
    assert_done_once(night, HALTED + 1)


def at_work(room: Room) -> list[str]:
    """The agents that run."""
    return [agent["name"] for agent in room.status()["agents"] if agent["state"] in ("starting", "working")]


def assert_done_once(night: Night, count: int) -> None:
    """Each task was done, by one attempt, and none of its attempts ran beside another; what they did was done once."""
    tasks = night.tasks()
    assert {key: task["state"] for key, task in tasks.items()} == {f"job-{n}": "done" for n in range(count)}
    written = Counter(line for host in night.lab.hosts for line in night.story(host))
    for number in range(count):
        attempts = night.attempts(tasks[f"job-{number}"])
        assert [attempt["end"] for attempt in attempts].count("done") == 1, attempts
        assert all(first["ended_at"] <= second["started_at"] for first, second in pairwise(attempts)), attempts
        assert written[f"end {number}"] <= 1
        assert written[f"begin {number}"] <= len(attempts)
