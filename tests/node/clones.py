"""A clone of a bare repository on an ssh host, in which agents work."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from controlroom.node.git.merging import Job, accept
from controlroom.wire.branches import AcceptWork
from tests.lab.host import Host
from tests.runner.hostile_repository import git


class Clone:
    """A clone of a bare repository on an ssh host, as one that agents work in."""

    def __init__(self, host: Host, folder: Path, name: str = "app") -> None:
        self.bare, self.folder, self.top = host.home / "team" / "docs.git", folder, folder / name
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.environ = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "GIT_SSH_COMMAND": f"ssh -F {host.ssh_config}",
        }
        self.url = f"{host.name}:team/docs.git"
        if not self.bare.exists():
            self.bare.mkdir(parents=True)
            git(self.bare, "init", "-q", "--bare", "-b", "main")
            self.top.mkdir()
            git(self.top, "init", "-q", "-b", "main")
            self.commit(self.top, "story.txt", "one\n", "first")
            git(self.top, "push", "-q", str(self.bare), "main")
        else:
            git(folder, "clone", "-q", str(self.bare), str(self.top))
            git(self.top, "remote", "remove", "origin")
        git(self.top, "remote", "add", "origin", self.url)
        git(self.top, "fetch", "-q", str(self.bare), "+refs/heads/*:refs/remotes/origin/*")

    def commit(self, where: Path, name: str, text: str, subject: str) -> str:
        (where / name).write_text(text)
        git(where, "add", "-A")
        git(where, "commit", "-q", "-m", subject)
        return git(where, "rev-parse", "HEAD")

    def agent(self, name: str, file: str, text: str) -> str:
        git(self.top, "worktree", "add", "-q", "-b", f"agents/{name}", str(self.folder / name), "origin/main")
        return self.commit(self.folder / name, file, text, f"{name} writes {file}")

    def job(self, agent: str, head: str = "") -> Job:
        return Job(agent, str(self.folder / agent), str(self.folder / "merges" / agent), self.environ, head)

    def accept(self, agent: str, into: str = "next") -> str:
        return accept(self.job(agent), AcceptWork(1, agent, 1, into, push=True), lambda ground: "")

    def at(self, branch: str) -> str:
        return git(self.bare, "rev-parse", "-q", "--verify", f"refs/heads/{branch}", check=False)

    def gh(self, text: str) -> None:
        """Have a program of this text be `gh`."""
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / "gh"
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
