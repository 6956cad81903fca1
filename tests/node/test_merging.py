"""Accepting what an agent has committed: a branch moves in one step or not at all, and nothing that came along runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.node.git.merging import Conflict, Ground, Job, accept, sweep
from controlroom.node.spawn import Refusal
from controlroom.runner.git import GitFailed
from controlroom.wire.branches import AcceptWork
from tests.runner.hostile_repository import HostileRepository, git


def nothing(ground: Ground) -> str:
    return ""


class Work:
    """A repository with a branch `main`, and worktrees in which agents have committed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.top = folder, folder / "app"
        self.top.mkdir()
        git(self.top, "init", "-q", "-b", "main")
        self.commit(self.top, "story.txt", "one\ntwo\nthree\n", "first")

    def commit(self, where: Path, name: str, text: str, subject: str) -> str:
        (where / name).write_text(text)
        git(where, "add", "-A")
        git(where, "commit", "-q", "-m", subject)
        return git(where, "rev-parse", "HEAD")

    def agent(self, name: str, file: str, text: str) -> str:
        git(self.top, "worktree", "add", "-q", "-b", f"agents/{name}", str(self.folder / name), "main")
        return self.commit(self.folder / name, file, text, f"{name} writes {file}")

    def accept(
        self,
        agent: str,
        into: str = "next",
        check: Callable[[Ground], str] = nothing,
        *,
        head: str = "",
        rebase: bool = False,
    ) -> str:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        job = Job(agent, str(self.folder / agent), str(self.folder / "state" / "merges" / agent), environ, head)
        return accept(job, AcceptWork(1, agent, 1, into, rebase), check)

    def at(self, name: str) -> str:
        return git(self.top, "rev-parse", "--verify", "-q", name, check=False)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_work_is_merged_into_a_new_branch_that_begins_where_it_began(work: Work) -> None:
    head, main = work.agent("docs-1", "docs.txt", "words\n"), work.at("main")
    said = work.accept("docs-1")
    made = work.at("next")
    assert said == f"1 commit merged into next: {made[:12]}"
    assert git(work.top, "rev-list", "--parents", "-1", made).split() == [made, main, head]
    assert git(work.top, "log", "-1", "--format=%s", made) == "Merge docs-1: docs-1 writes docs.txt"
    assert work.at("main") == main
    assert git(work.top, "status", "--porcelain") == ""


def test_nothing_of_a_merge_is_left_but_the_branch(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    before = git(work.top, "worktree", "list")
    work.accept("docs-1")
    with pytest.raises(Refusal):
        work.accept("docs-1", "other", failing)
    assert git(work.top, "worktree", "list") == before
    assert os.listdir(work.folder / "state" / "merges") == []
    assert os.listdir(work.top / ".git" / "worktrees") == ["docs-1"]


def failing(ground: Ground) -> str:
    raise Refusal("make test failed")


def test_several_are_merged_one_after_the_other(work: Work) -> None:
    heads = [work.agent("docs-1", "docs.txt", "words\n"), work.agent("api-1", "api.txt", "calls\n")]
    work.accept("docs-1")
    work.accept("api-1")
    for head in heads:
        assert git(work.top, "merge-base", head, "next") == head


def test_work_that_is_rebased_stands_on_top_of_the_branch(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    work.agent("api-1", "api.txt", "calls\n")
    work.commit(work.folder / "api-1", "api.txt", "more calls\n", "and more")
    work.accept("docs-1", rebase=True)
    assert work.accept("api-1", rebase=True).startswith("2 commits on top of next: ")
    subjects = git(work.top, "log", "--format=%s %an", "next").split("\n")
    assert subjects == ["and more A", "api-1 writes api.txt A", "docs-1 writes docs.txt A", "first A"]


@pytest.mark.parametrize("rebase", [False, True])
def test_a_conflict_names_its_files_and_changes_nothing(work: Work, rebase: bool) -> None:
    work.agent("docs-1", "story.txt", "one\nTWO\nthree\n")
    work.agent("docs-2", "story.txt", "one\n2\nthree\n")
    work.accept("docs-1")
    before = work.at("next")
    with pytest.raises(Conflict, match=r"docs-2 conflicts with next in story.txt: nothing was merged") as conflict:
        work.accept("docs-2", rebase=rebase)
    assert conflict.value.files == ("story.txt",)
    assert work.at("next") == before
    assert os.listdir(work.folder / "state" / "merges") == []


def test_the_name_of_a_file_in_conflict_is_shown_without_its_controls(work: Work) -> None:
    name = "a\x1b[31mb\nc"
    work.commit(work.top, name, "one\n", "odd")
    work.agent("docs-1", name, "two\n")
    work.agent("docs-2", name, "three\n")
    work.accept("docs-1")
    with pytest.raises(Conflict) as conflict:
        work.accept("docs-2")
    assert str(conflict.value).isprintable()


def test_checks_see_the_merge_and_what_they_refuse_changes_nothing(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    work.agent("api-1", "api.txt", "calls\n")
    work.accept("docs-1")
    before, seen = work.at("next"), []

    def check(ground: Ground) -> str:
        seen.append(sorted(name for name in os.listdir(ground.folder) if name != ".git"))
        raise Refusal("make test failed")

    with pytest.raises(Refusal, match="make test failed"):
        work.accept("api-1", check=check)
    assert seen == [["api.txt", "docs.txt", "story.txt"]]
    assert work.at("next") == before
    assert work.accept("api-1", check=lambda ground: "make test passed").endswith("; make test passed")


def test_checks_run_where_the_agent_works_within_its_repository(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    inner = work.folder / "docs-1" / "inner"
    inner.mkdir()
    work.commit(inner, "deep.txt", "words\n", "deep")
    seen: list[Ground] = []

    def check(ground: Ground) -> str:
        seen.append(ground)
        assert os.listdir(ground.folder) == ["deep.txt"]
        return ""

    environ = {"PATH": os.environ["PATH"], "HOME": str(work.folder)}
    job = Job("docs-1", str(inner), str(work.folder / "state" / "merges" / "x"), environ)
    accept(job, AcceptWork(1, "docs-1", 1, "next"), check)
    assert seen[0].folder == f"{seen[0].top}/inner"
    assert seen[0].checkout == str(inner)


def test_what_checks_leave_behind_is_no_part_of_the_merge(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")

    def check(ground: Ground) -> str:
        Path(ground.folder, "docs.txt").write_text("bent\n")
        git(Path(ground.folder), "commit", "-q", "-a", "-m", "bent")
        return ""

    work.accept("docs-1", check=check)
    assert git(work.top, "show", "next:docs.txt") == "words"


def test_a_check_that_puts_a_link_in_the_place_of_the_merge_takes_no_other_worktree_along(work: Work) -> None:
    work.agent("one", "a.txt", "a\n")
    work.agent("two", "b.txt", "b\n")
    (work.folder / "two" / "unsaved").touch()

    def check(ground: Ground) -> str:
        Path(ground.top).rename(work.folder / "moved")
        Path(ground.top).symlink_to(work.folder / "two")
        return ""

    work.accept("one", check=check)
    assert (work.folder / "two" / "unsaved").exists()
    assert not os.path.lexists(work.folder / "state" / "merges" / "one")


def test_a_branch_that_is_checked_out_is_left_to_whoever_did_that(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    with pytest.raises(Refusal, match=r"main is checked out in .*/app.*git merge agents/docs-1"):
        work.accept("docs-1", "main")
    git(work.top, "worktree", "add", "-q", "-b", "mine", str(work.folder / "mine"))
    with pytest.raises(Refusal, match=r"mine is checked out in .*/mine"):
        work.accept("docs-1", "mine")


@pytest.mark.parametrize("how", ["rebase", "rebase --apply", "bisect"])
def test_a_branch_that_git_is_in_the_middle_of_something_with_is_left_to_whoever_does_that(
    work: Work, how: str
) -> None:
    work.agent("one", "a.txt", "a\n")
    git(work.top, "checkout", "-q", "-b", "other")
    work.commit(work.top, "story.txt", "other\n", "other")
    git(work.top, "checkout", "-q", "main")
    before = work.commit(work.top, "story.txt", "mine\n", "mine")
    words = ("bisect", "start", "HEAD", "HEAD~1") if how == "bisect" else (*how.split(), "other")
    git(work.top, *words, check=False)
    git(work.top, "checkout", "-q", "--detach", check=False)
    with pytest.raises(Refusal, match=f"main is checked out in {work.top}"):
        work.accept("one", "main")
    assert work.at("main") == before


def test_a_branch_that_stands_for_another_one_does_not_move_that(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    main = work.at("main")
    git(work.top, "symbolic-ref", "refs/heads/next", "refs/heads/main")
    work.accept("docs-1")
    assert work.at("main") == main
    assert git(work.top, "show", "next:docs.txt") == "words"


def test_what_was_not_shown_is_not_merged(work: Work) -> None:
    shown = work.agent("docs-1", "docs.txt", "words\n")
    work.commit(work.folder / "docs-1", "docs.txt", "other words\n", "later")
    with pytest.raises(Refusal, match="has committed something else since that was shown"):
        work.accept("docs-1", head=shown)
    assert not work.at("next")


def test_nothing_new_is_refused(work: Work) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    work.accept("docs-1")
    with pytest.raises(Refusal, match="docs-1 has committed nothing that next does not have"):
        work.accept("docs-1")


@pytest.mark.parametrize("name", ["--force", "a..b", "HEAD", "x.lock", "a b"])
def test_what_cannot_name_a_branch_is_refused(work: Work, name: str) -> None:
    work.agent("docs-1", "docs.txt", "words\n")
    with pytest.raises(Refusal, match="cannot name a branch"):
        work.accept("docs-1", name)


def test_a_folder_in_no_repository_is_said(work: Work) -> None:
    (work.folder / "plain").mkdir()
    with pytest.raises(GitFailed, match="is in no git repository"):
        work.accept("plain")


def test_what_a_killed_node_left_of_a_merge_is_removed_and_what_a_living_one_makes_is_not(work: Work) -> None:
    merges = work.folder / "state" / "merges"
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, made = merges / f"docs-1.7.{dead.pid}", merges / f"docs-2.8.{os.getpid()}"
    for path in (left, made):
        git(work.top, "worktree", "add", "-q", "--detach", str(path))
    (merges / f"damaged.9.{dead.pid}").mkdir()
    sweep(str(work.folder / "state"), {"PATH": os.environ["PATH"], "HOME": str(work.folder)})
    assert os.listdir(merges) == [made.name]
    assert str(left) not in git(work.top, "worktree", "list")
    assert str(made) in git(work.top, "worktree", "list")


def test_a_merge_runs_nothing_that_came_with_the_repository(tmp_path: Path) -> None:
    hostile = HostileRepository(tmp_path)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def merge(into: str, rebase: bool) -> str:
        job = Job("evil-1", str(hostile.top), str(tmp_path / "state" / "merges" / into), environ)
        return accept(job, AcceptWork(1, "evil-1", 1, into, rebase), nothing)

    with pytest.raises(Conflict, match=r"story\.evil"):
        merge("other", False)
    with pytest.raises(Conflict, match=r"story\.evil"):
        merge("other", True)
    git(hostile.top, "-c", "core.fsmonitor=false", "branch", "before", "main~1")
    hostile.forget()
    assert merge("before", False).startswith("1 commit merged into before")
    assert hostile.ran == set()
