"""Pushing what agents have committed to a bare repository over real ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.node.carrying import remotes
from controlroom.node.git.branches import UNRECORDED, read_work
from controlroom.node.git.merging import Conflict, accept
from controlroom.node.git.pushing import push
from controlroom.node.spawn import Refusal
from controlroom.runner.git import opened
from controlroom.wire.branches import AcceptWork, PushWork
from tests.lab.host import Host
from tests.node.clones import Clone
from tests.runner.hostile_repository import git


@pytest.fixture
def clone(ssh_host: Host, tmp_path: Path) -> Clone:
    return Clone(ssh_host, tmp_path)


def test_a_branch_is_pushed_under_its_name_or_another_and_never_by_force(clone: Clone) -> None:
    head = clone.agent("docs-1", "docs.txt", "words\n")
    said = push(clone.job("docs-1"), PushWork(1, "docs-1", 1))
    assert said == "agents/docs-1 is at vm1/team/docs"
    assert clone.at("agents/docs-1") == head
    assert "another" in push(clone.job("docs-1"), PushWork(1, "docs-1", 1, "another"))
    assert clone.at("another") == head
    push(clone.job("docs-1"), PushWork(1, "docs-1", 1))
    git(clone.folder / "docs-1", "reset", "-q", "--hard", "HEAD~1")
    clone.commit(clone.folder / "docs-1", "docs.txt", "other words\n", "instead")
    with pytest.raises(Refusal, match=r"the origin did not take agents/docs-1: .*non-fast-forward"):
        push(clone.job("docs-1"), PushWork(1, "docs-1", 1))
    assert clone.at("agents/docs-1") == head
    work = read_work(str(clone.folder / "docs-1"), clone.environ, UNRECORDED)
    assert (work.base_name, work.commit_count, work.unpushed) == ("origin/main", 1, 1)


def test_the_default_branch_of_the_origin_is_pushed_to_only_where_it_is_named(clone: Clone) -> None:
    head = clone.commit(clone.top, "story.txt", "two\n", "second")
    job = clone.job("app")
    with pytest.raises(Refusal, match="works on main, the origin's default branch: say under which name"):
        push(job, PushWork(1, "app", 1))
    push(job, PushWork(1, "app", 1, "main"))
    assert clone.at("main") == head


def test_work_in_several_clones_meets_at_the_origin(clone: Clone, ssh_host: Host, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = Clone(ssh_host, tmp_path / "elsewhere")
    heads = [clone.agent("docs-1", "docs.txt", "words\n"), other.agent("api-1", "api.txt", "calls\n")]
    assert " merged into next and pushed: " in clone.accept("docs-1")
    other.accept("api-1")
    for head in heads:
        assert git(clone.bare, "merge-base", head, "next") == head
    clone.agent("docs-2", "docs.txt", "something else\n")
    before = clone.at("next")
    with pytest.raises(Conflict, match=r"docs-2 conflicts with next in docs\.txt"):
        clone.accept("docs-2")
    assert clone.at("next") == before


def test_a_branch_that_only_the_origin_has_begins_there(clone: Clone) -> None:
    clone.agent("docs-1", "docs.txt", "words\n")
    ahead = clone.commit(clone.top, "more.txt", "more\n", "ahead")
    push(clone.job("app"), PushWork(1, "app", 1, "next"))
    git(clone.top, "fetch", "-q", str(clone.bare), "+refs/heads/*:refs/remotes/origin/*")
    accept(clone.job("docs-1"), AcceptWork(1, "docs-1", 1, "next"), lambda ground: "")
    assert git(clone.top, "merge-base", ahead, "refs/heads/next") == ahead


def test_what_the_origin_does_not_take_is_not_done_here_either(clone: Clone) -> None:
    clone.agent("docs-1", "docs.txt", "words\n")
    hook = clone.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho nobody pushes here\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refusal, match=r"the origin did not take next: .*pre-receive hook declined"):
        clone.accept("docs-1")
    assert not git(clone.top, "branch", "--list", "next")


def test_an_origin_that_is_reached_otherwise_is_not_spoken_to(clone: Clone) -> None:
    clone.agent("docs-1", "docs.txt", "words\n")
    for url in (str(clone.bare), "ext::sh -c true", "git://127.0.0.1/x", "http://127.0.0.1/x"):
        git(clone.top, "remote", "set-url", "origin", url)
        with pytest.raises(Refusal, match="is reached neither by ssh nor by https"):
            push(clone.job("docs-1"), PushWork(1, "docs-1", 1))
    git(clone.top, "remote", "remove", "origin")
    with pytest.raises(Refusal, match="has no remote named origin"):
        push(clone.job("docs-1"), PushWork(1, "docs-1", 1))


def test_commits_pass_from_one_clone_to_another_through_the_origin(ssh_host: Host, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    here = Clone(ssh_host, tmp_path)
    there = Clone(ssh_host, tmp_path / "there")
    head = here.commit(here.top, "more.txt", "more\n", "more")
    branch = remotes.branch_of_move("docs-1", 7)
    with opened(str(here.top), here.environ) as tree, opened(str(there.top), there.environ) as repository:
        assert remotes.lend(tree, branch) == head
        assert here.at(branch) == head
        with pytest.raises(Refusal, match="another commit"):
            remotes.take(repository, branch, git(here.top, "rev-parse", "HEAD^"))
        remotes.take(repository, branch, head)
        remotes.take_back(tree, branch)
        assert git(there.top, "log", "-1", "--format=%s", head) == "more"
        remotes.forget(repository, branch)
    assert here.at(branch) == ""
    assert "moves" not in git(there.top, "for-each-ref")
    with pytest.raises(Refusal):
        remotes.branch_of_move("docs 1:main", 7)
