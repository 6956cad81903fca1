"""What agents have committed is collected, and one branch made of many, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.room import Room, engines
from tests.lab.world import World
from tests.runner.hostile_repository import git

COMMIT = "git add -A && git -c user.name=A -c user.email=a@example.org commit -q -m"


@pytest.fixture
def top(home: World) -> Path:
    """A repository with worktrees for three agents."""
    folder = home.home / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "story.txt").write_text("one\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    for name in ("docs-1", "docs-2", "docs-3"):
        git(folder, "worktree", "add", "-q", "-b", f"agents/{name}", str(home.home / name))
    return folder


def work(room: Room, name: str, script: str) -> None:
    room.run("spawn", name, "--cwd", name, "--", "sh", "-c", script)
    room.wait_for_state(name, "done")


def test_one_branch_is_made_of_many_up_to_the_first_that_conflicts(home: World, top: Path) -> None:
    room = Room()
    work(room, "docs-1", f"echo 1 > a.txt && {COMMIT} 'write a' && echo I wrote a")
    work(room, "docs-2", f"echo 2 > a.txt && {COMMIT} 'write a, too' && echo rest > rest")
    work(room, "docs-3", f"echo 3 > b.txt && {COMMIT} 'write b'")
    table = room.run("collect", "docs-*")
    assert [line.split()[0] for line in table.splitlines()] == ["AGENT", "local/docs-1", "local/docs-2", "local/docs-3"]
    assert " ".join(table.splitlines()[1].split()[3:6]) == "1 1 +1"
    told = room.run("collect", "docs-3", "docs-1", "docs-2", "--merge-into", "next", expect=1)
    assert "docs-3: 1 commit merged into next" in told
    assert "docs-2 conflicts with next in a.txt: nothing was merged" in told
    assert "stopped there" in told
    assert git(top, "log", "--format=%s", "--merges", "next").splitlines() == [
        "Merge docs-1: write a",
        "Merge docs-3: write b",
    ]
    back = room.run("accept", "docs-2", "--into", "next", "--give-back", expect=1)
    assert "not given back: local/docs-2 runs a command" in back
    first, second = room.records("agents", "collect", "docs-1", "docs-2")
    assert (first["commit_count"], first["lines_added"], first["commits_only_here"]) == (1, 1, 0)
    assert (second["uncommitted_files"], second["commits_only_here"]) == (1, 1)
    assert room.run("collect", "--all", "--markdown").startswith("| Agent | Checks | Commits |")
    assert "made for it: nothing of that is dropped" in room.run("drop", "docs-1", "--yes", expect=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("collect",), "which agents?"),
        (("collect", "--all", "--push"), "say --merge-into BRANCH"),
        (("collect", "--all", "--merge-into", "--x"), "expected one argument"),
        (("collect", "--all", "--merge-into", "a..b"), "cannot name a branch"),
        (("collect", "--since", "yesterday"), "is not a time"),
        (("accept", "docs-1"), "--into"),
        (("drop", "docs-1", "--yes", "--typed", "docs-1"), "not allowed with"),
    ],
)
def test_what_makes_no_sense_is_said_before_an_engine_is_asked(home: World, words: tuple[str, ...], said: str) -> None:
    assert said in Room().run(*words, expect=2)
    assert not engines(home)
