"""A person has pull requests made of an agent's work on an SSH host, with the real `gh` and its login there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.room import Room
from tests.end_to_end.steps import git
from tests.lab.forge import TOKEN, Forge
from tests.lab.host import Host
from tests.lab.world import World

CONFIG = """
local = false

[profiles.docs]
kind = "command"
command = ["sh", "-c", 'read -r it; echo "$it" >docs.md; git add -A; git commit -q -m "write docs"; echo "I wrote it"']
cwd = "project"
worktree = true
"""


@pytest.fixture
def forge(home: World, room: Room, ssh_host: Host, need: Callable[..., str], tmp_path: Path) -> Iterator[Forge]:
    """The origin of a clone on the host `vm1`, which reaches it over ssh, and with a `gh` that is logged in."""
    need("gh")
    bare, project = ssh_host.home / "team" / "docs.git", ssh_host.home / "project"
    home.room.joinpath("config.toml").write_text(CONFIG)
    home.room.joinpath("config.toml").chmod(0o600)
    for folder, words in ((bare, ("--bare",)), (project, ())):
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "-b", "main", *words)
    for name, value in (("name", "Ann"), ("email", "ann@example.org")):
        git(project, "config", f"user.{name}", value)
    git(project, "commit", "-q", "--allow-empty", "-m", "first")
    git(project, "remote", "add", "origin", "vm1:team/docs.git")
    git(project, "push", "-q", "origin", "main", ssh=f"ssh -F {ssh_host.ssh_config}")
    with Forge(tmp_path, "vm1", "team/docs", bare) as forge:
        variables = {**forge.environ, "GIT_SSH_COMMAND": f"ssh -F {ssh_host.ssh_config}"}
        exports = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
        (ssh_host.home / ".profile").write_text(exports)
        login = ["gh", "auth", "login", "--hostname", "vm1", "--with-token"]
        environ = {**os.environ, **variables, "HOME": str(ssh_host.home)}
        subprocess.run(login, input=TOKEN, env=environ, text=True, check=True, timeout=60)
        room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
        yield forge


def test_work_on_a_host_becomes_one_pull_request(room: Room, forge: Forge, home: World, ssh_host: Host) -> None:
    room.run("spawn", "docs-1", "--host", "vm1", "--profile", "docs", "--task", "words")
    room.wait_for_state("docs-1", "done")
    assert room.run("pull-request", "docs-1", "--draft") == "https://vm1/team/docs/pull/7\n"
    (pull,) = forge.pulls
    assert (pull["title"], pull["head"]["ref"], pull["base"]["ref"], pull["draft"]) == (
        "write docs", "controlroom/docs-1", "main", True,
    )  # fmt: skip
    assert "I wrote it" in pull["body"]
    assert git(forge.bare, "show", "controlroom/docs-1:docs.md") == "words"
    assert room.run("pull-request", "docs-1").startswith("https://vm1/team/docs/pull/7 was there already")
    forge.instead["GET repos/team/docs"] = (403, {"message": f"\x1b[31mno rights with {TOKEN}"})
    assert "no rights with …" in room.run("pull-request", "docs-1", expect=1)
    assert len(forge.pulls) == 1
    audit = room.run("audit", "-n", "20")
    assert [audit.count(word) for word in ("pull-request", TOKEN)] == [3, 0]
    for folder in (home.room, ssh_host.home / ".local"):
        told = [path for path in folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        assert told == []
