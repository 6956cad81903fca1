"""An agent's folder, and the repository that it works in, as a node finds both."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

from controlroom.domain.display.diff import DiffLine, diff_lines
from controlroom.node.git.changes import list_changes, read_diff
from controlroom.text.changes import ChangedFile, ChangeKind, Changes
from controlroom.wire.inquiries import DiffRead, ListChanges, ReadDiff

BEGAN = 1_790_000_000
"""Seconds since 1970: when the first commit was made; the agent began a minute later."""


def git(where: Path, *words: str, at: int = BEGAN + 3600) -> str:
    """Run git as the person does whose repository it is, with a clock that says so many seconds."""
    who = {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {f"GIT_{who}_DATE": f"{at} +0000" for who in ("AUTHOR", "COMMITTER")}
    environ = {"PATH": os.environ["PATH"], "HOME": str(where.parent), "GIT_CONFIG_NOSYSTEM": "1", **who, **dates}
    argv = ["git", "-C", str(where), *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout


class WorkInGit:
    """A repository with a commit, in which an agent began to work."""

    def __init__(self, folder: Path) -> None:
        self.top, self.state = folder / "repository", folder / "state"
        self.top.mkdir()
        git(self.top, "init", "-q", "-b", "main")
        self.write("docs/a.md", "".join(f"line {number}\n" for number in range(1, 31)))
        self.write("old.py", "".join(f"x = {number}\n" for number in range(20)))
        self.write("gone.txt", "away\n")
        self.first = self.commit("first", BEGAN)
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        agent = self.state / "agents" / "docs-1.1"
        agent.mkdir(parents=True)
        spec = {"kind": "command", "cwd": str(self.top)}
        (agent / "spec.json").write_text(json.dumps({"format": 1, "name": "docs-1", "epoch": 1, "spec": spec}))
        status = {"kind": "command", "state": "working", "since": 7, "started": (BEGAN + 60) * 1000}
        (agent / "status.json").write_text(json.dumps({"format": 1, **status}))

    def write(self, path: str, text: str | bytes) -> None:
        whole = self.top / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, words: str, at: int = BEGAN + 3600) -> str:
        git(self.top, "add", "-A")
        git(self.top, "commit", "-q", "-m", words, at=at)
        return git(self.top, "rev-parse", "HEAD").strip()

    def changes(self) -> Changes:
        listed = list_changes(ListChanges(1, "docs-1", 1), str(self.state), self.environ)
        assert listed.changes is not None, listed.reason
        return listed.changes

    def by_path(self) -> dict[str, ChangedFile]:
        return {file.path: file for file in self.changes().files}

    def read(self, file: ChangedFile | str, start: int = 0) -> DiffRead:
        file = file if isinstance(file, ChangedFile) else self.by_path()[file]
        asked = ReadDiff(2, "docs-1", 1, file.path, file.was, file.kind is ChangeKind.UNTRACKED, start)
        return read_diff(asked, str(self.state), self.environ)

    def lines(self, file: ChangedFile | str) -> list[DiffLine]:
        return lines_of(self.read(file))


def lines_of(read: DiffRead) -> list[DiffLine]:
    assert not read.reason, read.reason
    raw = base64.b64decode(read.data).split(b"\n")[:-1]
    return list(diff_lines(read.place, raw, {cut.index: cut.left_out for cut in read.cut}))
