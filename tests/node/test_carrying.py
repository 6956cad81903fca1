"""A folder is packed on one host and unpacked on another: as it was, proved by its hashes, and nothing of it runs."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlroom.node.agent_folders import Entry
from controlroom.node.carrying import packing, sessions, snapshot, staging, unpacking
from controlroom.node.carrying.unpacking import Arrival
from controlroom.node.spawn import Refusal
from controlroom.runner.git import GitFailed, opened
from controlroom.runner.worktree import record
from controlroom.wire.carrying import (
    FindRepository,
    FolderLooked,
    LookAtFolder,
    Manifest,
    Pack,
    RepositoryFound,
    SessionFile,
    Unpack,
    Unpacked,
)
from tests.node.work_in_git import WorkInGit, git
from tests.runner.hostile_repository import HostileRepository

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

    def works_in(self, top: Path) -> None:
        """Have the agent work in another repository."""
        self.old.top = top
        order = {"format": 1, "name": ENTRY, "epoch": 1, "spec": {"kind": "command", "cwd": str(top)}}
        (self.old.state / "agents" / f"{ENTRY}.1" / "spec.json").write_text(json.dumps(order))

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


def test_nothing_that_came_with_a_hostile_repository_runs(hosts: Hosts, tmp_path: Path) -> None:
    hostile = HostileRepository(tmp_path)
    hostile.edit()
    hosts.works_in(hostile.top)
    hostile.forget()
    with pytest.raises(GitFailed, match=r"the submodule inner in .* is checked out, and would stay behind"):
        hosts.look(has_setup=True)
    (hostile.top / "inner").rename(tmp_path / "aside")
    (hostile.top / "inner").mkdir()
    with pytest.raises(GitFailed, match=r"story.evil in .* passes through the filter evil, which is not run here"):
        hosts.look()
    manifest = hosts.pack(has_setup=True)
    there = Path(hosts.unpack(manifest).cwd)
    assert hostile.ran == set()
    assert (there / "story.evil").read_text() == "changed by an agent\n"
    assert (there / "new.evil").read_text() == "new\n"
    assert os.listdir(there / "inner") == [], "a submodule is carried as its commit"
    kept = [record_.repository for _, record_ in record.every(str(hosts.state))]
    assert not (Path(kept[0]) / "hooks").exists()
    assert "ext::" not in (Path(kept[0]) / "config").read_text()


@pytest.mark.parametrize(
    ("under_way", "words"),
    [
        (("merge", "other"), "a merge is under way"),
        (("rebase", "other"), "a rebase is under way"),
        (("cherry-pick", "other"), "a cherry-pick is under way"),
    ],
)
def test_what_is_under_way_keeps_it_where_it_is(hosts: Hosts, under_way: tuple[str, ...], words: str) -> None:
    old = hosts.old
    git(old.top, "checkout", "-q", "-b", "other")
    old.write("gone.txt", "theirs\n")
    old.commit("theirs")
    git(old.top, "checkout", "-q", "main")
    old.write("gone.txt", "ours\n")
    old.commit("ours")
    with pytest.raises(subprocess.CalledProcessError):
        git(old.top, *under_way)
    with pytest.raises(GitFailed, match=words):
        hosts.look()


def test_what_git_was_told_not_to_tell_of_comes_along(hosts: Hosts) -> None:
    git(hosts.old.top, "update-index", "--assume-unchanged", "old.py")
    git(hosts.old.top, "update-index", "--skip-worktree", "docs/a.md")
    hosts.old.write("old.py", "hidden\n")
    hosts.old.write("docs/a.md", "hidden, too\n")
    _, there = hosts.moved()
    assert ((there / "old.py").read_text(), (there / "docs/a.md").read_text()) == ("hidden\n", "hidden, too\n")


def test_a_file_that_became_a_folder_and_a_folder_that_became_a_link_arrive(hosts: Hosts, tmp_path: Path) -> None:
    old = hosts.old
    (old.top / "gone.txt").unlink()
    old.write("gone.txt/now/a.folder", "x")
    (old.top / "docs").rename(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", old.top / "docs")
    _, there = hosts.moved()
    assert (there / "gone.txt/now/a.folder").read_text() == "x"
    assert os.readlink(there / "docs") == str(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere/a.md").read_text().startswith("line 1\n"), "nothing is written through a link"


def test_more_than_is_let_through_is_not_packed(hosts: Hosts) -> None:
    with (hosts.old.top / "huge.bin").open("wb") as file:
        file.truncate(3 * MOST)
    with pytest.raises(Refusal, match=r"192 MiB would have to be carried, more than 64 \(moves.most_mb\)"):
        hosts.pack()
    assert not list((hosts.old.state / "moves").glob("*/work"))


def test_other_bytes_than_were_sent_are_no_folder(hosts: Hosts) -> None:
    manifest = hosts.pack()
    assert manifest.folder is not None
    damaged = Path(hosts.carry(manifest), "work")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    asked = Unpack(4, ENTRY, 3, OP, manifest)
    with pytest.raises(Refusal, match="did not arrive as it was sent"):
        unpacking.unpack(Arrival(asked, str(hosts.state), str(damaged.parent), hosts.environ))
    assert staging.arrived(str(damaged.parent), manifest.parts[1]) == 0, "it is sent again"
    folder, other = manifest.folder, "a" * 40
    for wrong in (folder._replace(head=other), folder._replace(staged=other), folder._replace(work=other)):
        said = manifest._replace(folder=wrong)
        with pytest.raises((Refusal, GitFailed)):
            hosts.unpack(said)
    assert Path(hosts.unpack(manifest).cwd, "old.py").exists(), "and once it is right, it is there"
    assert len(record.every(str(hosts.state))) == 1


def test_a_folder_that_leads_out_of_what_came_is_none_to_work_in(hosts: Hosts) -> None:
    (hosts.old.top / "way").symlink_to("/")
    manifest = hosts.pack()
    assert manifest.folder is not None
    for inner in ("way", "way/etc"):
        with pytest.raises(Refusal, match="which leads out of what came: nothing is started"):
            hosts.unpack(manifest._replace(folder=manifest.folder._replace(inner=inner)))
    for inner in ("../..", "/etc", "a/../../.."):
        where = hosts.unpack(manifest._replace(folder=manifest.folder._replace(inner=inner))).cwd
        assert Path(where).is_relative_to(hosts.state)


def test_files_that_become_more_than_a_disk_has_room_for_are_not_written(hosts: Hosts, tmp_path: Path) -> None:
    manifest = hosts.pack()
    folder = hosts.carry(manifest)
    evil = tmp_path / "evil.git"
    git(tmp_path, "init", "-q", "--bare", str(evil))
    git(evil, "fetch", "-q", f"{folder}/commits", "refs/carried/index:refs/heads/staged")
    tree = given_to_git(evil, b"x", "hash-object", "-w", "--stdin")
    for level in range(3):  # 300^3 files, in a few hundred bytes
        kind = "40000 tree" if level else "100644 blob"
        rows = "".join(f"{kind} {tree}\t{number}\n" for number in range(300))
        tree = given_to_git(evil, rows.encode(), "mktree")
    git(evil, "update-ref", "refs/carried/work", commit_of(evil, tree))
    (Path(folder) / "work").unlink()
    git(evil, "bundle", "create", "-q", f"{folder}/work", "refs/carried/work", "^staged")
    assert manifest.folder is not None
    parts = (*manifest.parts[:-1], staging.part_of(folder, "work"))
    asked = Unpack(4, ENTRY, 3, OP, manifest._replace(parts=parts, folder=manifest.folder._replace(work=tree)))
    with pytest.raises(GitFailed, match="said too much"):
        unpacking.unpack(Arrival(asked, str(hosts.state), folder, hosts.environ))
    assert [path.name for path in hosts.state.rglob("*") if path.name == "299"] == []


def given_to_git(where: Path, data: bytes, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(where), *words], input=data, capture_output=True, check=True, timeout=60)
    return done.stdout.decode().strip()


def commit_of(where: Path, tree: str) -> str:
    who = ("-c", "user.name=eve", "-c", "user.email=eve@example.org")
    return git(where, *who, "commit-tree", tree, "-p", "staged", "-m", "x").strip()


def test_what_a_tree_takes_on_a_disk_is_known_before_it_is_written(hosts: Hosts) -> None:
    (hosts.old.top / "zeros.bin").write_bytes(bytes(5_000_000))
    manifest = hosts.pack()
    assert manifest.folder is not None
    assert sum(part.size for part in manifest.parts) < 100_000
    where = Path(hosts.unpack(manifest).cwd)
    size = sum(path.stat().st_size for path in where.rglob("*") if path.is_file() and path.name != ".git")
    with opened(str(where), hosts.environ) as tree:
        git(where, "add", "-A")
        assert snapshot.expanded_size(tree, git(where, "write-tree").strip()) == size > 5_000_000


@pytest.mark.parametrize("size", [-1, -(2**40)])
def test_no_file_of_a_session_has_less_than_nothing(size: int, tmp_path: Path) -> None:
    source, session = tmp_path / "session", "11111111-2222-4333-8444-555555555555"
    source.write_bytes(gzip.compress(bytes(10_000_000)))
    file = SessionFile(f"{session}.jsonl", size, hashlib.sha256(b"").hexdigest())
    with pytest.raises(Refusal, match="cannot have -"):
        sessions.unpack(str(source), session, (file,), str(tmp_path / "project"), {}, OP)
    assert not (tmp_path / "project").exists()


def test_a_step_that_comes_twice_is_one_and_one_that_came_to_nothing_leaves_nothing(hosts: Hosts) -> None:
    there = hosts.home / "app"
    git(hosts.home, "clone", "-q", str(hosts.old.top), str(there))
    for top in (hosts.old.top, there):
        git(top, "config", "remote.origin.url", "git@example.org:team/app.git")
    manifest = hosts.pack(*hosts.find("example.org/team/app", "app").tips)
    first, again = hosts.unpack(manifest, str(there)), hosts.unpack(manifest, str(there))
    assert first == again
    assert git(there, "branch", "--list", "controlroom/*").strip() == "+ controlroom/docs-1"
    unpacking.undo(str(hosts.state), OP, hosts.environ)
    assert record.every(str(hosts.state)) == []
    assert git(there, "branch", "--list", "controlroom/*") == ""
    assert git(there, "worktree", "list").count("\n") == 1


def test_the_address_of_the_origin_comes_along_without_a_password(hosts: Hosts) -> None:
    git(hosts.old.top, "remote", "add", "origin", "https://ann:hush@example.org/team/app.git")
    manifest, there = hosts.moved()
    assert "hush" not in repr(manifest)
    assert git(there, "remote", "get-url", "origin").strip() == "https://example.org/team/app.git"
    assert hosts.find("example.org/team/app").path.endswith("repositories/repository-docs-1.77")
