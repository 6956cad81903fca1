"""A folder is packed on one host and unpacked on another: as it was, proved by its hashes, and nothing of it runs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlroom.node.agent_folders import Entry
from controlroom.node.carrying import packing, staging, unpacking
from controlroom.node.carrying.unpacking import Arrival
from controlroom.runner.worktree import record
from controlroom.wire.carrying import (
    FindRepository,
    FolderLooked,
    LookAtFolder,
    Manifest,
    Pack,
    RepositoryFound,
    Unpack,
    Unpacked,
)
from tests.node.work_in_git import WorkInGit, git

MOST = 64 * 1024 * 1024
OP = 77
ENTRY = "docs-1"


@dataclass
class Hosts:
    """A host that an agent leaves, and one that it goes to, each with a home and a state folder."""

    old: WorkInGit
    home: Path

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home)}

    def leaving(self, has_setup: bool = False) -> packing.Leaving:
        entry = Entry(ENTRY, 1, str(self.old.state / "agents" / f"{ENTRY}.1"))
        return packing.leaving(str(self.old.state), entry, self.old.environ, has_setup=has_setup)

    def look(self, *have: str, has_setup: bool = False) -> FolderLooked:
        asked = LookAtFolder(1, ENTRY, 1, have=have)
        return packing.look(asked, self.leaving(has_setup), self.old.environ)

    def pack(self, *have: str, most: int = MOST, has_setup: bool = False) -> Manifest:
        folder = staging.made(str(self.old.state), ENTRY, OP)
        asked = Pack(2, ENTRY, 1, OP, have=have, most=most)
        return packing.pack(asked, self.leaving(has_setup), folder, self.old.environ)

    def find(self, origin: str, *folders: str) -> RepositoryFound:
        return unpacking.find(FindRepository(3, origin, folders), str(self.state), self.environ)

    def carry(self, manifest: Manifest) -> str:
        """Take the parts across, as home does; the folder that they lie in there."""
        source, target = (staging.made(str(state), ENTRY, OP) for state in (self.old.state, self.state))
        for part in manifest.parts:
            done = staging.arrived(target, part)
            while done < part.size:
                done = staging.write_piece(target, part, done, staging.read_piece(source, part.name, done))
        return target

    def unpack(self, manifest: Manifest, repository: str = "") -> Unpacked:
        asked = Unpack(4, ENTRY, 3, OP, manifest, repository)
        return unpacking.unpack(Arrival(asked, str(self.state), self.carry(manifest), self.environ))

    def moved(self, *have: str, repository: str = "") -> tuple[Manifest, Path]:
        manifest = self.pack(*have)
        return manifest, Path(self.unpack(manifest, repository).cwd)


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "state").mkdir()
    return Hosts(WorkInGit(tmp_path / "old"), tmp_path / "new")


def status(where: Path) -> list[str]:
    return sorted(git(where, "status", "--porcelain", "--untracked-files=all", "--ignored").splitlines())


def test_commits_index_changes_and_new_files_arrive_as_they_were(hosts: Hosts) -> None:
    old = hosts.old
    git(old.top, "checkout", "-q", "-b", "feature")
    old.write(".gitignore", "*.o\nnode_modules/\n.env\n")
    old.write(".worktreeinclude", ".env\n")
    old.write("sub/in.txt", "in\n")
    last = old.commit("second")
    old.write("docs/a.md", "staged\n")
    git(old.top, "add", "docs/a.md")
    old.write("docs/a.md", "and changed again\n")
    (old.top / "gone.txt").unlink()
    git(old.top, "mv", "old.py", "new.py")
    old.write("new\nline.txt", b"\x00\xff untracked")
    old.write("sub/tool.sh", "#!/bin/sh\n")
    (old.top / "sub/tool.sh").chmod(0o755)
    old.write(".env", "SECRET=hush\n")
    old.write("x.o", "built")
    old.write("node_modules/m/index.js", "m")
    os.symlink("/etc/passwd", old.top / "out")
    before = status(old.top)
    looked = hosts.look()
    assert looked.folder is not None
    assert (looked.folder.left, looked.folder.more_left) == (("node_modules/", "x.o"), 0)
    manifest, there = hosts.moved()
    assert git(there, "rev-parse", "HEAD").strip() == last
    assert git(there, "branch", "--show-current").strip() == "feature"
    kept = [line for line in before if line not in ("!! x.o", "!! node_modules/m/index.js", "!! node_modules/")]
    assert status(there) == kept
    assert git(there, "show", ":docs/a.md") == "staged\n"
    assert (there / "docs/a.md").read_text() == "and changed again\n"
    assert (there / "new\nline.txt").read_bytes() == b"\x00\xff untracked"
    assert os.access(there / "sub/tool.sh", os.X_OK)
    assert (there / ".env").read_text() == "SECRET=hush\n"
    assert os.readlink(there / "out") == "/etc/passwd"
    assert manifest.folder is not None
    assert git(there, "write-tree").strip() == manifest.folder.staged
    assert status(old.top) == before, "the folder that is left is as it was"
    for where in (old.top, there):
        objects = git(where, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
        hushed = subprocess.run(
            ["git", "hash-object", "--stdin"], input=b"SECRET=hush\n", capture_output=True, check=True, cwd=where
        ).stdout.decode()
        assert hushed.strip() not in objects, "a secret stays in no repository"
    (_, worktree), *none = record.every(str(hosts.state))
    assert not none
    assert (worktree.name, worktree.epoch, worktree.carried, worktree.ready) == (ENTRY, 3, OP, False)


def test_a_checkout_of_the_same_origin_gets_only_what_it_lacks(hosts: Hosts) -> None:
    old, there = hosts.old, hosts.home / "app"
    old.write("big.bin", os.urandom(300_000))
    old.commit("big")
    git(hosts.home, "clone", "-q", str(old.top), str(there))
    for top in (old.top, there):
        git(top, "remote", "remove", "origin") if top is there else None
        git(top, "remote", "add", "origin", "git@example.org:team/app.git")
    git(there, "branch", "controlroom/docs-1")
    old.write("small.txt", "small\n")
    old.commit("small")
    looked = hosts.look()
    assert looked.folder is not None
    found = hosts.find(looked.folder.origin, "app")
    assert found.path == str(there)
    manifest, worktree = hosts.moved(*found.tips, repository=found.path)
    assert sum(part.size for part in manifest.parts) < 5_000
    assert git(worktree, "log", "--format=%s").split() == ["small", "big", "first"]
    assert git(worktree, "branch", "--show-current").strip() == "controlroom/docs-1-2", "main is the checkout's own"
    assert git(there, "for-each-ref", "refs/carried") == ""
    assert status(there) == []
