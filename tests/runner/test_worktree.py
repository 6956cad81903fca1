"""An agent's worktree: made before it starts, from a repository that may be hostile, and gone on in when it resumes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import tomllib

from controlroom.client.manual import read
from controlroom.runner.worktree import included, ports
from controlroom.runner.worktree.record import Worktree, every, from_fields
from controlroom.wire.runner import Message, request_fields
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import Agent, alive
from tests.lab.waiting import wait_for
from tests.runner.hostile_repository import HostileRepository
from tests.runner.hostile_repository import git as plain_git

Make = Callable[..., Agent]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A room's state folder on the host."""
    return tmp_path / "state"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "docs"
    top.mkdir()
    plain_git(top, "init", "-q", "-b", "main")
    (top / "inner").mkdir()
    (top / "inner" / "file").write_text("one\n")
    (top / "script").write_text("#!/bin/sh\n")
    (top / "script").chmod(0o755)
    (top / ".gitignore").write_text("*.local\n/build/\n")
    plain_git(top, "add", ".")
    plain_git(top, "commit", "-q", "-m", "first")
    plain_git(top, "branch", "older")
    (top / "inner" / "file").write_text("two\n")
    plain_git(top, "commit", "-q", "-a", "-m", "second")
    plain_git(top, "remote", "add", "origin", "https://me:secret@example.org/team/docs.git")
    return top


@pytest.fixture
def start(state: Path, repository: Path) -> Iterator[Make]:
    """`start("sh", "-c", "…", worktree="HEAD")`: a command at work in a worktree of `repository`."""
    with ExitStack() as stack:

        def begun(*command: str, name: str = "one", epoch: int = 1, **spec: Any) -> Agent:
            asked = {"kind": "command", "command": command, "cwd": str(repository), "worktree": "HEAD", **spec}
            made = Agent(state / "agents" / f"{name}.{epoch}", AgentSpec(**asked))
            made.order |= {"name": name, "epoch": epoch}
            made.write_order()
            stack.callback(made.close)
            return made.start()

        yield begun


def made(state: Path) -> list[Worktree]:
    return [worktree for _, worktree in every(str(state))]


def test_an_agent_works_in_a_worktree_and_on_a_branch_of_its_own(start: Make, repository: Path, state: Path) -> None:
    run = start("sh", "-c", "pwd; git branch --show-current; cat inner/file; git status --porcelain; ls -l script")
    seen = run.finish()
    assert seen.state == "done"
    assert seen.worktree is not None
    tree = Path(seen.worktree.path)
    assert run.lines("o")[-4:-1] == [str(tree), "controlroom/one", "two"]
    assert run.lines("o")[-1].startswith("-rwx"), "nothing is changed in it, and what could be run can be run"
    assert tree == state / "worktrees" / "one.1" / "docs"
    assert (seen.worktree.branch, seen.worktree.origin) == ("controlroom/one", "example.org/team/docs")
    assert seen.worktree.base == plain_git(repository, "rev-parse", "HEAD")
    assert seen.cwd == str(tree)
    assert plain_git(repository, "worktree", "list").count("\n") == 1
    assert "prunable" not in plain_git(repository, "worktree", "list", "--porcelain")


@pytest.mark.parametrize("base", ["older", "feature", "older~0"])
def test_it_begins_from_the_branch_or_commit_that_is_asked_for(start: Make, repository: Path, base: str) -> None:
    older = plain_git(repository, "rev-parse", "older")
    plain_git(repository, "update-ref", "refs/remotes/origin/feature", older)
    run = start("cat", "inner/file", worktree=base)
    seen = run.finish()
    assert run.lines("o")[-1] == "one"
    assert seen.worktree is not None
    assert (seen.worktree.base, seen.worktree.onto) == (older, base)


def test_it_works_in_the_same_folder_of_the_worktree_as_it_was_told_of_the_checkout(
    start: Make, repository: Path
) -> None:
    run = start("sh", "-c", "basename $PWD; pwd -P", cwd=str(repository / "inner"))
    assert run.finish().cwd.endswith("/docs/inner")
    assert run.lines("o")[-2] == "inner"


def test_two_agents_of_one_repository_have_branches_folders_and_ports_of_their_own(start: Make, state: Path) -> None:
    runs = [start("sleep", "60", name=name, epoch=epoch, worktree_ports=5) for name, epoch in (("a", 1), ("b", 7))]
    for run in runs:
        run.until(lambda seen: seen.pid)
    again = start("true", name="a", epoch=2)
    again.finish()
    assert sorted(worktree.branch for worktree in made(state)) == ["controlroom/a", "controlroom/a-2", "controlroom/b"]
    own = [worktree.ports for worktree in made(state) if worktree.ports]
    assert len({range_[0] for range_ in own}) == 2
    assert not set(range(own[0][0], own[0][0] + 5)) & set(range(own[1][0], own[1][0] + 5))


def test_an_agent_finds_its_ports_and_folders_in_its_environment(start: Make, repository: Path) -> None:
    names = ("CHECKOUT", "WORKTREE", "BRANCH", "PORT", "PORTS")
    run = start("sh", "-c", "; ".join(f"echo $CONTROLROOM_{name}" for name in names), worktree_ports=3)
    seen = run.finish()
    assert seen.worktree is not None
    first = seen.worktree.ports[0]
    assert run.lines("o")[-5:] == [str(repository), seen.worktree.path, "controlroom/one", str(first), "3"]


def test_ports_that_somebody_listens_on_are_passed_over() -> None:
    first, count = ports.free_range(4, [], seed=17)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first + 2))
        other.listen()
        assert ports.free_range(4, [], seed=17) != (first, count)
    assert ports.free_range(4, [(first + 1, 1)], seed=17) != (first, count)
    assert ports.free_range(100_000, [], seed=0) == ()


def test_files_that_git_ignores_are_copied_as_worktreeinclude_says(start: Make, repository: Path) -> None:
    (repository / ".worktreeinclude").write_text("# comment\n*.local\n!not.local\n/inner/file\n/link.local\n")
    for name in ("a.local", "not.local", "inner/b.local", ":(top)x.local", "untracked"):
        (repository / name).write_text(name)
    (repository / "a.local").chmod(0o640)
    (repository / "link.local").symlink_to("/etc/hostname")
    run = start(
        "sh", "-c", "find . -name '*.local' | LC_ALL=C sort; ls -l a.local; git status --porcelain; test ! -e untracked"
    )
    assert run.finish().exit_code == 0
    lines = run.lines("o")
    assert lines[-5:-1] == ["./:(top)x.local", "./a.local", "./inner/b.local", "./link.local"]
    assert lines[-1].startswith("-rw-r-----")
    assert any("copied 4 files that git ignores" in line for line in lines)


def test_what_worktreeinclude_names_is_bounded(start: Make, repository: Path, state: Path) -> None:
    (repository / ".worktreeinclude").write_text("*.local\n")
    with (repository / "large.local").open("wb") as file:
        file.truncate(included.MOST_BYTES + 1)
    seen = start("true").finish()
    assert (seen.state, seen.detail) == (
        "failed",
        f".worktreeinclude of {repository} names 1,024 MiB, more than 1,024: let worktree_setup make the large ones",
    )
    assert made(state) == []
    assert plain_git(repository, "branch", "--list", "controlroom/*") == ""


def test_a_file_that_would_be_copied_outside_of_the_worktree_keeps_the_agent_from_starting(
    start: Make, repository: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    plain_git(repository, "checkout", "-q", "-b", "linked")
    (repository / "out").symlink_to(outside)
    plain_git(repository, "add", "out")
    plain_git(repository, "commit", "-q", "-m", "link")
    plain_git(repository, "checkout", "-q", "main")
    (repository / "out").mkdir()
    (repository / "out" / "x.local").write_text("x")
    (repository / ".worktreeinclude").write_text("*.local\n")
    seen = start("true", worktree="linked").finish()
    assert "would lie outside of the worktree" in seen.detail
    assert list(outside.iterdir()) == []


# -- the setup


def test_setup_runs_in_the_worktree_with_a_log_of_its_own_before_the_agent(start: Make, state: Path) -> None:
    setup = ("sh", "-c", "pwd; echo oh >&2; echo $CONTROLROOM_PORT > port")
    run = start("sh", "-c", "cat port", worktree_setup=setup, worktree_ports=2)
    seen = run.finish()
    assert seen.worktree is not None
    assert (run.folder / "setup.log").read_text() == f"{seen.worktree.path}\noh\n"
    assert run.lines("o")[-1] == str(seen.worktree.ports[0])
    assert "worktree: setup: done" in run.lines("o")


def test_a_setup_that_fails_keeps_the_agent_from_starting_and_leaves_nothing(
    start: Make, state: Path, repository: Path
) -> None:
    seen = start("true", worktree_setup=("sh", "-c", "echo no network >&2; exit 7")).finish()
    assert (seen.state, seen.detail) == ("failed", "worktree_setup (sh) failed: exit 7: no network")
    assert made(state) == []
    assert plain_git(repository, "worktree", "list").count("\n") == 0
    assert plain_git(repository, "branch", "--list", "controlroom/*") == ""


def test_what_is_taken_away_is_this_worktree_alone_and_no_other_whose_disk_is_away(
    start: Make, repository: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    plain_git(repository, "worktree", "add", "-q", str(away))
    away.rename(tmp_path / "elsewhere")
    assert start("true", worktree_setup=("false",)).finish().state == "failed"
    assert (repository / ".git" / "worktrees" / "away").is_dir()
    assert not (repository / ".git" / "worktrees" / "docs").exists()


def test_a_setup_that_takes_too_long_is_ended(start: Make) -> None:
    seen = start("true", worktree_setup=("sleep", "300"), worktree_setup_minutes=0.005).finish()
    assert seen.detail == "worktree_setup (sleep) was ended after 0.005 minutes (worktree_setup_minutes)"


def test_an_agent_is_killed_while_its_worktree_is_made_and_nothing_is_left(
    start: Make, state: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "began"
    run = start("true", worktree_setup=("sh", "-c", f"echo $$ > {marker}; sleep 300"))
    pid = int(wait_for(lambda: marker.exists() and marker.read_text(), 20, "the setup"))
    assert run.seen().state == "starting"
    assert run.seen().detail == "its worktree is being made"
    assert run.ask(**request_fields(Message("hello"))) == "its worktree is being made: try again once it has started"
    assert run.ask(do="end") == ""
    assert run.finish().detail == "killed"
    assert not alive(pid)
    assert made(state) == []


def test_a_runner_that_is_told_to_end_takes_the_worktree_it_was_making_away(
    start: Make, state: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "began"
    run = start("true", worktree_setup=("sh", "-c", f"echo > {marker}; sleep 300"))
    wait_for(marker.exists, 20, "the setup")
    run.process.send_signal(signal.SIGTERM)
    assert run.finish().state == "failed"
    assert made(state) == []


# -- going on


def resumes(run: Agent, session: str) -> None:
    """Have a run look as if its Claude had had this session."""
    status = json.loads((run.folder / "status.json").read_text())
    (run.folder / "status.json").write_text(json.dumps({**status, "session": session}))


def test_a_resumed_agent_goes_on_in_its_worktree_and_a_new_task_begins_another(start: Make, state: Path) -> None:
    first = start("sh", "-c", "echo work > work", worktree_ports=2)
    path, own = (first.finish().worktree or pytest.fail("none")).path, made(state)[0].ports
    resumes(first, "s-1")
    for epoch in (2, 3):
        run = start("sh", "-c", "cat work; pwd; echo $CONTROLROOM_PORT", epoch=epoch, resume="s-1", worktree="")
        seen = run.finish()
        resumes(run, "s-1")
        assert run.lines("o")[-3:] == ["work", path, str(own[0])]
        assert seen.worktree is not None
        assert seen.worktree.path == path
    fresh = start("sh", "-c", "test ! -e work", epoch=4).finish()
    assert fresh.exit_code == 0
    assert fresh.worktree is not None
    assert fresh.worktree.path != path
    elsewhere = start("pwd", epoch=5, resume="s-other", worktree="")
    assert elsewhere.finish().worktree is None


def test_a_resumed_agent_whose_worktree_is_gone_is_not_started_elsewhere(start: Make, state: Path) -> None:
    first = start("true")
    path = (first.finish().worktree or pytest.fail("none")).path
    resumes(first, "s-1")
    os.rename(path, f"{path}.away")
    seen = start("true", epoch=2, resume="s-1").finish()
    assert seen.state == "failed"
    assert seen.detail.startswith("its worktree cannot be gone on in: ")


# -- what git does not bring along


def test_nothing_that_came_with_the_repository_runs_while_a_worktree_is_made(
    start: Make, tmp_path: Path, state: Path
) -> None:
    hostile = HostileRepository(tmp_path)
    (hostile.top / ".worktreeinclude").write_text("*.evil\n")
    (hostile.top / ".git" / "info" / "exclude").write_text("new.evil\n")
    hostile.edit()
    seen = start("true", cwd=str(hostile.top)).finish()
    assert seen.detail.startswith("the submodule inner is not checked out in the worktree"), "it got that far"
    assert hostile.ran == set()
    assert (
        start("true", cwd=str(hostile.top), epoch=2, worktree_setup=("mkdir", "-p", "inner/.git")).finish().exit_code
        == 0
    )
    assert hostile.ran == set()


def test_files_in_lfs_must_be_fetched_by_the_setup(start: Make, repository: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"
    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "a.bin").write_text(pointer)
    plain_git(repository, "add", ".")
    plain_git(repository, "commit", "-q", "-m", "large")
    assert start("true").finish().exit_code == 0, "where the checkout has pointers, too, they are what is wanted"
    (repository / "a.bin").write_text("abc")
    assert start("true", epoch=2).finish().detail == (
        "a.bin is kept in Git LFS, and is a pointer in the worktree: let worktree_setup fetch such files (git lfs pull)"
    )
    assert start("true", epoch=3, worktree_setup=("cp", str(repository / "a.bin"), "a.bin")).finish().exit_code == 0


def documented() -> list[tuple[str, ...]]:
    """The setups that the manual shows for submodules, for Git LFS, and for both."""
    examples = re.findall(r"```toml\n(.*?)```", read("results").text, re.DOTALL)
    profiles = tomllib.loads(next(each for each in examples if "[profiles.parts]" in each))["profiles"]
    return [tuple(profiles[name]["worktree_setup"]) for name in ("parts", "large", "both")]


def test_the_setups_of_the_manual_bring_submodules_and_files_in_lfs(
    start: Make, repository: Path, tmp_path: Path, need: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("git-lfs")
    settings = ("protocol.file.allow", "always"), ("user.name", "Ann"), ("user.email", "ann@example.org")
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (key, value) in enumerate(settings):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)

    def git(where: Path, *words: str) -> None:
        subprocess.run(["git", "-C", str(where), *words], check=True, capture_output=True, timeout=60)

    far, part = tmp_path / "far.git", tmp_path / "part"
    for folder, words in ((far, ("--bare",)), (part, ())):
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main", *words)
    (part / "words").write_text("of a part\n")
    git(part, "add", ".")
    git(part, "commit", "-q", "-m", "part")
    git(repository, "lfs", "install", "--local")
    git(repository, "lfs", "track", "*.bin")
    (repository / "a.bin").write_bytes(b"large\n")
    git(repository, "submodule", "add", "-q", str(part), "part")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "large")
    git(repository, "remote", "set-url", "origin", far.as_uri())
    git(repository, "push", "-q", "origin", "main")
    shutil.rmtree(repository / ".git" / "lfs" / "objects")  # so that they are fetched

    submodules, lfs, both = documented()
    seen = start("cat", "part/words", worktree_setup=submodules).finish()
    assert seen.detail.startswith("a.bin is kept in Git LFS")
    seen = start("true", epoch=2, worktree_setup=lfs).finish()
    assert seen.detail.startswith("the submodule part is not checked out")
    run = start("sh", "-c", "cat part/words a.bin; git status --porcelain", epoch=3, worktree_setup=both)
    assert run.finish().exit_code == 0, run.lines("n")
    assert run.lines("o")[-2:] == ["of a part", "large"], "and nothing is changed"


def test_another_filter_needs_a_setup(start: Make, repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.key filter=git-crypt\n")
    (repository / "a.key").write_text("x")
    plain_git(repository, "add", ".")
    plain_git(repository, "commit", "-q", "-m", "keys")
    assert "passes through the filter git-crypt, which is not run here" in start("true").finish().detail
    assert start("true", epoch=2, worktree_setup=("true",)).finish().exit_code == 0


def test_hooks_of_a_folder_that_the_worktree_lacks_are_asked_for_and_those_that_it_has_run(
    start: Make, repository: Path, tmp_path: Path
) -> None:
    plain_git(repository, "config", "core.hooksPath", ".husky/_")
    folder = repository / ".husky" / "_"
    folder.mkdir(parents=True)
    assert "(core.hooksPath), which is not in the worktree" in start("true").finish().detail
    hook = folder / "post-commit"
    hook.write_text(f"#!/bin/sh\npwd > {tmp_path}/ran\n")
    hook.chmod(0o755)
    plain_git(repository, "add", ".husky")
    plain_git(repository, "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "hooks")
    commit = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m work"
    seen = start("sh", "-c", commit, epoch=2).finish()
    assert seen.exit_code == 0
    assert seen.worktree is not None
    assert (tmp_path / "ran").read_text() == f"{seen.worktree.path}\n", "the agent's own git runs hooks as ever"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"worktree": "nowhere"}, "there is no branch or commit nowhere in "),
        ({"worktree": "--help"}, "there is no branch or commit --help in "),
        ({"cwd": "/"}, "no worktree: / is in no git repository"),
        (
            {"worktree_setup": ("nothing-of-that-name",)},
            "worktree_setup: nothing-of-that-name is not there on this host",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_sentence(start: Make, spec: dict[str, Any], words: str) -> None:
    seen = start("true", **spec).finish()
    assert seen.state == "failed"
    assert seen.detail.startswith(words)


def test_a_folder_that_the_base_does_not_have_is_refused(start: Make, repository: Path) -> None:
    (repository / "new").mkdir()
    seen = start("true", cwd=str(repository / "new"), worktree="older").finish()
    assert seen.detail == "the folder new is not there in older: give another cwd, or another base"


SOUND = {"name": "a", "path": "/p", "repository": "/r"}


@pytest.mark.parametrize(
    "value",
    [None, [], {}, *({**SOUND, **wrong} for wrong in ({"path": "p"}, {"ports": [1]}, {"epoch": "1"}, {"name": 1}))],
)
def test_what_is_written_down_of_a_worktree_is_read_with_care(value: object) -> None:
    assert from_fields(SOUND) is not None
    assert from_fields(value) is None
