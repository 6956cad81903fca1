"""Work comes back proven from two real SSH hosts: five real Claudes in worktrees, checks, rules, overlap, one branch.

Each host has a clone of a bare repository that lies on a third one and is reached over ssh.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.room import FurnishClaude, Room
from tests.end_to_end.steps import call, commit, git
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World

LINES = "".join(f"line {number}\n" for number in range(9))


MENDED = f"{call('Write', file_path='mender.md', content='final')} {commit('mended')} [[text mended]]"

CONFIG = """
local = false

[profiles.docs]
cwd = "project"
worktree = true
verify = [["test", "-s", "shared.md"]]

[profiles.mended]
cwd = "project"
worktree = true
verify = [["sh", "-c", 'grep -q final mender.md || { cat "$HOME/told"; exit 1; }']]
attempts = 3

[profiles.never]
cwd = "project"
worktree = true
verify = [["sh", "-c", "echo the moon is made of stone; exit 1"]]
attempts = 2
"""

RULES = """
[rules.files]
allow = "Edit"

[rules.add]
allow = "Bash: git add -A"

[rules.commit]
allow = "Bash: git commit -q -m *"
"""


class Remote:
    """A bare repository on a host of its own, and how others reach it."""

    def __init__(self, hub: Host, first: Path) -> None:
        self.bare, self.ssh = hub.home / "team" / "docs.git", f"ssh -F {hub.ssh_config}"
        self.url = f"ssh://{hub.name}{self.bare}"
        for folder, words in ((self.bare, ("--bare",)), (first, ())):
            folder.mkdir(parents=True)
            git(folder, "init", "-q", "-b", "main", *words)
        (first / "shared.md").write_text(LINES)
        git(first, "add", ".")
        git(first, "commit", "-q", "-m", "first")
        git(first, "push", "-q", self.url, "main", ssh=self.ssh)

    def clone(self, host: Host) -> None:
        """Make the clone of a host, in which Claude knows who commits."""
        project = host.home / "project"
        subprocess.run(["rm", "-rf", str(project)], check=True)
        git(host.home, "clone", "-q", self.url, str(project), ssh=self.ssh)
        for name, value in (("name", "Ann"), ("email", "ann@example.org")):
            git(project, "config", f"user.{name}", value)

    def show(self, branch: str, file: str) -> str:
        """A file of a branch, as it is there."""
        return git(self.bare, "show", f"{branch}:{file}")


@pytest.fixture
def remote(
    home: World, room: Room, ssh_hosts: Callable[..., list[Host]], claude_home: FurnishClaude, api: Api, tmp_path: Path
) -> Remote:
    """Two hosts of the room with Claude Code and a clone each, and where they were cloned from."""
    for name, text in (("config.toml", CONFIG), ("rules.toml", RULES)):
        home.room.joinpath(name).write_text(text)
        home.room.joinpath(name).chmod(0o600)
    vm1, vm2, hub = ssh_hosts(3)
    made = Remote(hub, tmp_path / "first")
    for host in (vm1, vm2):
        claude_home(host.home, api, GIT_SSH_COMMAND=made.ssh)
        made.clone(host)
        (host.home / "told").write_text(MENDED)
        room.run("host", "add", host.target, "--name", host.name, "--fingerprint", host.fingerprint)
    return made


def overlaps(room: Room) -> list[dict[str, Any]]:
    """The alarms about overlap."""
    return [one for one in room.status()["alarms"] if one["about"].startswith("overlap ")]


def asks(room: Room, name: str, words: str) -> bool:
    """Whether an agent asks this; what a rule answers is asked for a moment, too."""
    asked = room.agent(name)["question"]
    return asked is not None and words in asked["title"]


def edits(line: int, word: str) -> str:
    """Steps that edit one line of the file that two agents touch."""
    read = call("Read", file_path="shared.md")
    edit = call("Edit", file_path="shared.md", old_string=f"line {line}\n", new_string=f"line {line}, {word}\n")
    return f"{read} {edit}"


def writes(name: str, content: str) -> str:
    """Steps that write a file of its own, and commit it."""
    return f"{call('Write', file_path=f'{name}.md', content=content)} {commit(name)}"


AGENTS = {
    "plain": ("vm1", "docs", f"{writes('plain', 'plain')} {call('Bash', command='make publish')}"),
    "mender": ("vm2", "mended", writes("mender", "draft")),
    "never": ("vm1", "never", writes("never", "never")),
    "left": ("vm1", "docs", f"{edits(1, 'left')} {commit('left')}"),
    "right": ("vm2", "docs", f"{edits(7, 'right')} {commit('right')}"),
}
"""Each agent's host, profile and steps."""


def test_five_agents_come_back_proven_and_in_one_branch(room: Room, remote: Remote) -> None:
    for name, (host, profile, steps) in AGENTS.items():
        room.run("spawn", name, "--host", host, "--profile", profile, "--task", f"{steps} [[text done with {name}]]")

    # rules answer all prompts but one
    wait_for(lambda: asks(room, "plain", "make publish"), 60, "the one that no rule is about", poll=0.1)
    room.run("answer", "plain", "deny")

    # two that touch one file are told of before the merge
    (told,) = wait_for(lambda: overlaps(room), 60, "the alarm of both", poll=0.1)
    for part in ("vm1/left", "vm2/right", "shared.md"):
        assert part in told["text"]

    # checks: at once, after it was told, never
    for name in ("left", "right", "mender", "plain"):
        assert "checked" in room.wait_for_state(name, "done", deadline=60)["detail"]
    never = room.wait_for_state("never", "failed", deadline=60)
    assert "the moon is made of stone" in f"{never} {room.run('explain', 'never')}"
    assert (room.agent("mender")["checks"]["state"], room.agent("mender")["checks"]["told"]) == ("passed", 1)
    assert "also edited by vm2/right" in room.run("status")
    rows = {name: room.agent(name)["overlaps"] for name in AGENTS}
    assert {name: [one["agent"] for one in found] for name, found in rows.items() if found} == {
        "left": ["vm2/right"],
        "right": ["vm1/left"],
    }
    audit = room.run("audit", "-n", "200")
    assert "rule files" in audit
    assert "rules add, commit" in audit

    # results collected into one branch
    wanted = ("plain", "mender", "left", "right")
    room.run("collect", *wanted, "--merge-into", "docs/update-2.0", "--push")
    shared = remote.show("docs/update-2.0", "shared.md")
    assert "line 1, left" in shared
    assert "line 7, right" in shared
    assert remote.show("docs/update-2.0", "mender.md") == "final"
    assert remote.show("docs/update-2.0", "plain.md") == "plain"
    assert remote.show("main", "shared.md") == LINES.strip()
    wait_for(lambda: not overlaps(room), 30, "the overlap to be over", poll=0.1)
