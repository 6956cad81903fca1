"""A real node is asked which worktrees lie on its host, and told to drop them: nothing is lost that nobody named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from controlroom.node.git.worktrees import disk_use
from controlroom.text.states import Outcome
from controlroom.wire.messages import Forget, Reply
from controlroom.wire.worktrees import DropWorktree, ListWorktrees, WorktreeFound, WorktreesListed
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.world import World
from tests.runner.hostile_repository import git

COMMIT = "git add -A && git -c user.name=A -c user.email=a@example.org commit -q -m work"


@pytest.fixture
def top(home: World) -> Path:
    """A repository with one commit on `main`."""
    folder = home.home / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "story.txt").write_text("one\n")
    (folder / ".gitignore").write_text("*.o\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def work(node: NodeClient, name: str, script: str) -> WorktreeFound:
    """Have an agent work in a worktree, to its end; that worktree."""
    assert node.spawn(name, 1, "sh", "-c", script, cwd="app", worktree="HEAD").outcome == Outcome.DONE
    node.wait_agent(name, lambda seen: seen.ended, 30)
    return listed(node)[f"{name}.1"]


def listed(node: NodeClient) -> dict[str, WorktreeFound]:
    number = node.number()
    node.send(ListWorktrees(number))
    answer = node.wait(WorktreesListed, lambda told: told.id == number, 30)
    return {one.key: one for one in answer.worktrees}


def dropped(node: NodeClient, key: str, *, unsaved: bool = False, name: str = "") -> Reply:
    return node.ask(lambda number: DropWorktree(number, name or key.rpartition(".")[0], key, unsaved))


def test_a_worktree_says_what_it_takes_and_what_would_be_lost_with_it(node: NodeClient, top: Path) -> None:
    found = work(node, "a", f"echo x > one && {COMMIT} && echo y > two && head -c 300000 /dev/urandom > big.o")
    assert (found.uncommitted, found.only_here, found.ready, found.alive) == (1, 1, True, False)
    assert found.branch == "controlroom/a"
    assert found.bytes >= 300_000
    git(top, "branch", "kept", "controlroom/a")
    assert listed(node)["a.1"].only_here == 0, "another branch has it"


def test_only_what_would_lose_nothing_is_dropped_without_the_name(node: NodeClient, top: Path) -> None:
    clean, committed, changed = (
        work(node, "clean", "echo build > x.o"),
        work(node, "committed", f"echo x > one && {COMMIT}"),
        work(node, "changed", "echo x > one"),
    )
    assert dropped(node, "clean.1").outcome == Outcome.DONE
    assert not Path(clean.path).parent.exists()
    refused = dropped(node, "committed.1"), dropped(node, "changed.1")
    assert [reply.outcome for reply in refused] == [Outcome.REFUSED] * 2
    assert "1 commit that no other branch has" in refused[0].reason
    assert "1 file that no commit has" in refused[1].reason
    assert Path(committed.path, "one").exists()
    assert Path(changed.path, "one").exists()
    for key in ("committed.1", "changed.1"):
        assert dropped(node, key, unsaved=True).outcome == Outcome.DONE
    assert listed(node) == {}
    assert git(top, "branch", "--list", "controlroom/*") == ""
    assert git(top, "worktree", "list").count("\n") == 0


def test_one_that_an_agent_works_in_is_kept_and_that_of_a_forgotten_agent_is_found(node: NodeClient, top: Path) -> None:
    assert node.spawn("busy", 1, "sleep", "60", cwd="app", worktree="HEAD").outcome == Outcome.DONE
    node.wait_agent("busy", lambda seen: seen.pid)
    assert listed(node)["busy.1"].alive
    reply = dropped(node, "busy.1", unsaved=True)
    assert (reply.outcome, reply.reason) == (Outcome.REFUSED, "run 1 of busy works in it: kill it first")
    work(node, "gone", "echo x > one")
    assert node.ask(lambda number: Forget(number, "gone", 1)).outcome == Outcome.DONE
    assert listed(node)["gone.1"].uncommitted == 1
    assert dropped(node, "gone.1").outcome == Outcome.REFUSED
    assert dropped(node, "gone.1", unsaved=True).outcome == Outcome.DONE


@pytest.mark.parametrize(("key", "name"), [("../agents", "a"), ("a.2", "a"), ("a.1", "b"), (".", "a")])
def test_what_is_no_worktree_of_that_agent_is_not_dropped(node: NodeClient, top: Path, key: str, name: str) -> None:
    found = work(node, "a", "true")
    reply = dropped(node, key, unsaved=True, name=name)
    assert reply.outcome == Outcome.REFUSED
    assert reply.reason.startswith("there is no worktree ")
    assert Path(found.path).exists()


def test_what_cannot_be_looked_at_is_not_dropped_without_the_name(node: NodeClient, home: World, top: Path) -> None:
    found = work(node, "a", "true")
    shutil.move(top, home.home / "moved")
    seen = listed(node)["a.1"]
    assert (seen.uncommitted, seen.only_here) == (-1, -1)
    assert seen.problem
    assert dropped(node, "a.1").outcome == Outcome.REFUSED
    assert Path(found.path).exists()
    (state_folder(home.home) / "worktrees" / "x.1").mkdir()
    assert set(listed(node)) == {"a.1"}, "a folder of which nothing is written down is left alone"


def test_disk_use_counts_a_file_with_two_names_once_and_follows_no_link(tmp_path: Path) -> None:
    large = tmp_path / "tree" / "large"
    large.parent.mkdir()
    large.write_bytes(b"x" * 1_000_000)
    (tmp_path / "tree" / "again").hardlink_to(large)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "other").write_bytes(b"x" * 1_000_000)
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "outside")
    size, whole = disk_use(str(tmp_path / "tree"), float("inf"))
    assert whole
    assert 1_000_000 <= size < 1_100_000
    assert disk_use(str(tmp_path / "tree"), 0.0) == (0, False)
