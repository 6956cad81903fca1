"""A real node is asked what its agents have committed, and told to merge it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.text.branch_work import BranchWork
from controlroom.text.checks import CheckOrder
from controlroom.text.states import Outcome
from controlroom.wire.branches import AcceptWork, DropBranch, PushWork, ReadWork, RequestPull, WorkRead
from controlroom.wire.messages import Reply, ToNode
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import alive
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.hostile_repository import git

PATIENCE = 90.0

COMMIT = "git add -A && git -c user.name=A -c user.email=a@example.org commit -q -m"


@pytest.fixture
def top(home: World) -> Path:
    """A repository with one commit on `main`."""
    folder = home.home / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "story.txt").write_text("one\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def work_of(node: NodeClient, name: str, epoch: int = 1) -> BranchWork:
    number = node.number()
    node.send(ReadWork(number, name, epoch))
    return node.wait(WorkRead, lambda read: read.id == number).work


def ask(node: NodeClient, make: Callable[[int], ToNode]) -> Reply:
    """Order something of a node, which runs git a dozen times for it."""
    return node.ask(make, PATIENCE)


def run_agent(node: NodeClient, name: str, script: str) -> None:
    """Have an agent work in a git worktree of its own, to its end."""
    reply = node.spawn(name, 1, "sh", "-c", script, cwd="app", worktree="HEAD")
    assert reply.outcome == Outcome.DONE, reply
    node.wait_agent(name, lambda seen: seen.ended, PATIENCE)


def test_an_agents_commits_and_last_words_are_told_and_merged(node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", f"echo words > docs.txt && {COMMIT} 'write docs' && echo more > rest && echo I did")
    work = work_of(node, "docs-1")
    assert work.reason == ""
    assert (work.answer, work.branch, work.commit_count, work.uncommitted) == ("I did", "controlroom/docs-1", 1, 1)
    assert [(file.path, file.added, file.removed) for file in work.files] == [("docs.txt", 1, 0)]
    assert [commit.subject for commit in work.commits] == ["write docs"]
    assert (work.base, work.clone) == (git(top, "rev-parse", "main"), str(top / ".git"))
    reply = ask(node, lambda number: AcceptWork(number, "docs-1", 1, "next", head=work.head))
    assert (reply.outcome, reply.reason) == (Outcome.DONE, f"1 commit merged into next: {at(top, 'next')[:12]}")
    assert git(top, "show", "next:docs.txt") == "words"
    assert os.listdir(state_folder(top.parent) / "merges") == []


def at(top: Path, name: str) -> str:
    return git(top, "rev-parse", name)


def test_conflicts_come_with_the_names_of_the_files(node: NodeClient, top: Path) -> None:
    for name in ("docs-1", "docs-2"):
        run_agent(node, name, f"echo {name} > story.txt && {COMMIT} 'by {name}'")
    assert ask(node, lambda number: AcceptWork(number, "docs-1", 1, "next")).outcome == Outcome.DONE
    reply = ask(node, lambda number: AcceptWork(number, "docs-2", 1, "next"))
    wanted = Reply(0, Outcome.REFUSED, "docs-2 conflicts with next in story.txt: nothing was merged", ("story.txt",))
    assert replace(reply, id=0) == wanted


def test_checks_run_on_the_merge_and_decide_whether_the_branch_moves(node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", f"echo words > docs.txt && {COMMIT} 'write docs'")
    run_agent(node, "api-1", f"echo calls > api.txt && {COMMIT} 'write api'")
    assert ask(node, lambda number: AcceptWork(number, "docs-1", 1, "next")).outcome == Outcome.DONE
    before = at(top, "next")

    def accept(*command: str) -> Reply:
        checks = AgentSpec(checks=CheckOrder((command,), 1.0))
        return ask(node, lambda number: AcceptWork(number, "api-1", 1, "next", spec=checks))

    failed = accept("sh", "-c", "ls; exit 3")
    assert failed.outcome == Outcome.REFUSED
    assert "failed: exit 3; it said: api.txt\ndocs.txt\nstory.txt" in failed.reason
    assert at(top, "next") == before
    passed = accept("grep", "-q", "words", "docs.txt")
    assert passed.reason == f"1 commit merged into next: {at(top, 'next')[:12]}; checked: grep -q words docs.txt"


def test_an_agent_in_no_repository_has_its_last_words_alone(node: NodeClient, home: World) -> None:
    assert node.spawn("plain", 1, "sh", "-c", "echo forty-two", cwd="/").outcome == Outcome.DONE
    node.wait_agent("plain", lambda seen: seen.ended, PATIENCE)
    work = work_of(node, "plain")
    assert (work.answer, work.clone, work.reason) == ("forty-two", "", "/ is in no git repository")
    for make in (
        lambda number: AcceptWork(number, "plain", 1, "next"),
        lambda number: PushWork(number, "plain", 1),
        lambda number: RequestPull(number, "plain", 1),
    ):
        reply = ask(node, make)
        assert (reply.outcome, reply.reason) == (Outcome.REFUSED, "/ is in no git repository")


def test_what_is_not_there_is_said(node: NodeClient) -> None:
    assert "run 1 of 'nobody' is not on this host" in work_of(node, "nobody").reason
    assert "run 3 of nobody is not on this host" in ask(node, lambda n: AcceptWork(n, "nobody", 3, "next")).reason
    assert "cannot name an agent" in ask(node, lambda n: DropBranch(n, "../x", 1)).reason


def test_who_may_only_look_merges_nothing(home: World, node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", f"echo words > docs.txt && {COMMIT} 'write docs'")
    with NodeClient() as watcher:
        watcher.greet(read_only=True)
        assert work_of(watcher, "docs-1").commit_count == 1
        reply = ask(watcher, lambda number: AcceptWork(number, "docs-1", 1, "next"))
        assert (reply.outcome, reply.reason) == (Outcome.REFUSED, "this connection is read-only")
    assert git(top, "branch", "--list", "next") == ""


# --------------------------------------------------------------------------- drop


def drop(node: NodeClient, name: str, *, unsaved: bool = False, head: str = "") -> Reply:
    return ask(node, lambda number: DropBranch(number, name, 1, unsaved, head))


def tree_of(node: NodeClient, name: str) -> Path:
    worktree = node.agents()[name].worktree
    assert worktree is not None
    return Path(worktree.path)


def test_work_that_another_branch_has_is_dropped(node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", f"echo words > docs.txt && {COMMIT} 'write docs'")
    tree = tree_of(node, "docs-1")
    refused = drop(node, "docs-1")
    words = "nothing was dropped: docs-1 has 1 commit that no other branch has. To lose that: type its name"
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, words)
    assert (tree / "docs.txt").read_text() == "words\n"
    ask(node, lambda number: AcceptWork(number, "docs-1", 1, "next"))
    dropped = drop(node, "docs-1")
    assert (dropped.outcome, dropped.reason) == (Outcome.DONE, "its worktree and the branch controlroom/docs-1")
    assert not tree.parent.exists()
    assert git(top, "branch", "--format=%(refname:short)").split() == ["main", "next"]
    assert git(top, "worktree", "list").count("\n") == 0
    assert git(top, "show", "next:docs.txt") == "words"
    assert "is gone" in work_of(node, "docs-1").reason


def test_what_no_commit_has_is_lost_only_where_a_person_says_so(node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", "echo words > docs.txt")
    head = work_of(node, "docs-1").head
    assert "has 1 file that no commit has" in drop(node, "docs-1").reason
    assert (
        "has committed something else since that was shown"
        in drop(node, "docs-1", unsaved=True, head=head[::-1]).reason
    )
    tree = tree_of(node, "docs-1")
    assert drop(node, "docs-1", unsaved=True, head=head).outcome == Outcome.DONE
    assert not tree.exists()
    assert at(top, "main") == head


@pytest.mark.parametrize("bit", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_was_told_not_to_tell_of_is_lost_only_where_a_person_says_so(
    node: NodeClient, top: Path, bit: str
) -> None:
    run_agent(node, "docs-1", f"git update-index {bit} story.txt && echo words >> story.txt")
    assert "1 file that no commit has" in drop(node, "docs-1").reason
    assert (tree_of(node, "docs-1") / "story.txt").exists()


def test_of_two_that_are_dropped_at_once_the_last_one_keeps_what_both_have(node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", f"echo words > docs.txt && {COMMIT} 'write docs'")
    run_agent(node, "docs-2", "git reset -q --hard controlroom/docs-1")
    numbers = [node.number(), node.number()]
    for number, name in zip(numbers, ("docs-1", "docs-2"), strict=True):
        node.send(DropBranch(number, name, 1, unsaved=False))

    def ours() -> list[Outcome]:
        return [reply.outcome for reply in node.all(Reply) if reply.id in numbers]

    wait_for(lambda: len(ours()) == 2, PATIENCE, "both to be answered")
    assert sorted(ours()) == [Outcome.DONE, Outcome.REFUSED]


def test_what_was_not_made_for_an_agent_is_not_dropped(node: NodeClient, top: Path) -> None:
    assert node.spawn("mine", 1, "sh", "-c", "echo x > y", cwd="app").outcome == Outcome.DONE
    node.wait_agent("mine", lambda seen: seen.ended, PATIENCE)
    assert "works in a folder that was not made for it" in drop(node, "mine", unsaved=True).reason
    assert (top / "y").exists()


def test_an_agent_that_lives_keeps_its_worktree(node: NodeClient, top: Path) -> None:
    node.spawn("docs-1", 1, "sh", "-c", "echo up; sleep 600", cwd="app", worktree="HEAD")
    node.wait_agent("docs-1", lambda seen: seen.worktree and seen.state == "working", PATIENCE)
    assert drop(node, "docs-1", unsaved=True).reason == "docs-1 is running (run 1): kill it first"


def test_what_an_agent_writes_down_of_its_worktree_removes_nothing_else(node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", "git symbolic-ref HEAD refs/heads/other && git update-ref refs/heads/other main")
    tree = tree_of(node, "docs-1")
    file = tree.parent / "worktree.json"
    made = json.loads(file.read_text())
    file.write_text(json.dumps({**made, "branch": "other"}))
    dropped = drop(node, "docs-1", unsaved=True)
    assert (dropped.outcome, dropped.reason) == (Outcome.DONE, "its worktree")
    assert at(top, "other") == at(top, "main")


def test_gits_note_of_another_worktree_stays(node: NodeClient, top: Path) -> None:
    git(top, "worktree", "add", "-q", "-b", "mine", str(top.parent / "mine"))
    run_agent(node, "docs-1", "true")
    (tree_of(node, "docs-1") / ".git").write_text(f"gitdir: {top}/.git/worktrees/mine\n")
    assert "is not the worktree that was made for docs-1" in drop(node, "docs-1", unsaved=True).reason
    assert (top / ".git" / "worktrees" / "mine").is_dir()


def test_a_worktree_that_is_a_link_to_elsewhere_is_not_followed(node: NodeClient, top: Path) -> None:
    run_agent(node, "docs-1", "true")
    tree = tree_of(node, "docs-1")
    precious = top.parent / "precious"
    tree.rename(precious)
    tree.symlink_to(precious)
    assert "is not the worktree that was made for docs-1" in drop(node, "docs-1", unsaved=True).reason
    assert (precious / "story.txt").exists()


def test_a_node_that_is_killed_takes_its_checks_along_and_the_next_one_removes_what_is_left(
    home: World, top: Path
) -> None:
    note, merges = home.home / "check", state_folder(home.home) / "merges"
    checks = AgentSpec(checks=CheckOrder((("sh", "-c", f"echo $$ > {note}; sleep 600"),), 15.0))
    with NodeClient() as doomed:
        doomed.greet()
        run_agent(doomed, "docs-1", f"echo words > docs.txt && {COMMIT} 'write docs'")
        doomed.send(AcceptWork(doomed.number(), "docs-1", 1, "next", spec=checks))
        check = wait_for(lambda: int(note.read_text()), PATIENCE, "the check to run")
        assert len(os.listdir(merges)) == 1
        doomed.process.kill()
        wait_for(lambda: not alive(check), PATIENCE, "the check to end with its node")
    with NodeClient() as other:
        other.greet()
        wait_for(
            lambda: os.listdir(merges) == [] and "merges" not in git(top, "worktree", "list"),
            PATIENCE,
            "the next node to remove what is left",
        )
        assert git(top, "branch", "--list", "next") == ""
