"""Pushing what agents have committed to a bare repository over real ssh, and asking for its merge with a stand-in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from controlroom.node.carrying import remotes
from controlroom.node.git.branches import UNRECORDED, read_work
from controlroom.node.git.merging import Conflict, Job, Unsure, accept
from controlroom.node.git.pushing import push, request_pull
from controlroom.node.spawn import Refusal
from controlroom.runner.git import opened
from controlroom.wire.branches import AcceptWork, PushWork, RequestPull
from tests.lab.host import Host
from tests.runner.hostile_repository import git

GH = r"""#!/bin/sh
echo "$PWD $*" >> "$HOME/gh.log"
case "$1" in
  auth) exit ${GH_AUTH:-0} ;;
  pr) cat > "$HOME/gh.body"; echo "Warning: 1 uncommitted change" >&2
      if [ -n "$GH_FAILS" ]; then echo "GraphQL: No commits between main and agents/docs-1" >&2; exit 1; fi
      echo "https://forge.example/team/docs/pull/7" ;;
esac
"""


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

    def gh(self, text: str = GH) -> None:
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / "gh"
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


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


# --------------------------------------------------------------------------- pull requests


def ask(clone: Clone, **wanted: object) -> str:
    fields: dict[str, object] = {"title": "Docs 'n more", "body": "It is *done*.", **wanted}
    return request_pull(clone.job("docs-1"), RequestPull(1, "docs-1", 1, **fields))  # type: ignore[arg-type]


def test_a_pull_request_is_asked_for_far_from_the_repository(clone: Clone) -> None:
    clone.gh()
    head = clone.agent("docs-1", "docs.txt", "words\n")
    assert ask(clone, draft=True) == "https://forge.example/team/docs/pull/7"
    assert clone.at("agents/docs-1") == head
    auth, create = (clone.home / "gh.log").read_text().splitlines()
    assert auth == "/ auth status --hostname vm1"
    where = "--repo vm1/team/docs --head agents/docs-1 --base main"
    assert create == f"/ pr create {where} --draft --title Docs 'n more --body-file -"
    assert (clone.home / "gh.body").read_text() == "It is *done*."


def test_where_nobody_is_logged_in_nothing_is_pushed_and_the_commands_are_shown(clone: Clone) -> None:
    clone.agent("docs-1", "docs.txt", "words\n")
    by_hand = (
        "controlroom push docs-1, and where you are logged in: controlroom collect docs-1 --markdown | gh pr create "
        "--repo vm1/team/docs --head agents/docs-1 --base main --title 'Docs '\"'\"'n more' --body-file -"
    )
    with pytest.raises(Refusal) as missing:
        ask(clone)
    assert str(missing.value) == f"gh is not there on this host: {by_hand}"
    clone.gh()
    clone.environ["GH_AUTH"] = "1"
    with pytest.raises(Refusal) as nobody:
        ask(clone)
    assert str(nobody.value).endswith(f"on this host: {by_hand}")
    assert not clone.at("agents/docs-1")


def test_what_gh_refuses_after_the_push_is_not_called_refused(clone: Clone) -> None:
    clone.gh()
    clone.agent("docs-1", "docs.txt", "words\n")
    clone.environ["GH_FAILS"] = "1"
    with pytest.raises(Unsure, match=r"agents/docs-1 is pushed; gh says: .*No commits between"):
        ask(clone)


def test_what_cannot_become_a_pull_request_is_refused_before_anything_is_pushed(clone: Clone) -> None:
    clone.gh()
    clone.agent("docs-1", "docs.txt", "words\n")
    git(clone.top, "remote", "set-url", "origin", f"ssh://vm1{clone.bare}")
    with pytest.raises(Refusal, match="is no HOST/OWNER/NAME"):
        ask(clone)
    with pytest.raises(Refusal, match="push that under a name of its own first"):
        ask(clone, into="agents/docs-1")
    assert not clone.at("agents/docs-1")


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
