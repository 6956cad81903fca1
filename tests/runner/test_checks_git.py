"""What git tells of an agent's work: fresh checkouts for its checks, guarded files, whether anything has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from controlroom.runner.worktree.look import is_guarded
from controlroom.text.checks import CheckOrder, CheckState
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import Agent
from tests.lab.waiting import wait_for
from tests.runner.hostile_repository import HostileRepository, git

Make = Callable[..., Agent]
COMMIT = "git -c user.name=a -c user.email=a@example.org commit -q -a -m work"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
    top = tmp_path / "docs"
    (top / "tests").mkdir(parents=True)
    git(top, "init", "-q", "-b", "main")
    (top / "page").write_text("one\n")
    (top / "tests" / "run.sh").write_text("grep -q two page\n")
    (top / "package.lock").write_text("1\n")
    (top / ".gitignore").write_text("*.local\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    return top


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Make]:
    """`start("script", clean=True)`: a shell at work in `repository`, whose tests are its check."""
    with ExitStack() as stack:

        def begun(script: str, *check: str, checked: bool = True, ahead: int = 0, **more: Any) -> Agent:
            place = tmp_path / "state" / "agents" / "one.1"
            checks = CheckOrder((check or ("sh", "tests/run.sh"),), **more) if checked else CheckOrder()
            made = Agent(
                place, AgentSpec(kind="command", command=("sh", "-c", script), cwd=str(repository), checks=checks)
            )
            made.order["started"] = time.time_ns() // 1_000_000 + ahead
            made.write_order()
            stack.callback(made.close)
            return made.start()

        yield begun


def test_in_a_fresh_checkout_bent_tests_meet_the_real_ones(start: Make, repository: Path) -> None:
    bends = (
        "echo nonsense.local > x.local; echo 'exit 0' > tests/run.sh; git update-index --assume-unchanged tests/run.sh"
    )
    run = start(f"{bends}; echo three > page; {COMMIT}", clean=True)
    seen = run.finish()
    assert (seen.state, seen.detail) == ("failed", "checks failed: sh tests/run.sh: exit 1")
    assert seen.checks is not None
    assert (seen.checks.clean, seen.checks.commit) == (True, git(repository, "rev-parse", "HEAD"))
    assert git(repository, "worktree", "list").count("\n") == 0
    assert not (run.folder / "checkout").exists()


def test_what_is_committed_is_checked_where_it_was_checked_out(start: Make, repository: Path) -> None:
    run = start(f"echo two > page; {COMMIT}", "sh", "-c", "pwd; echo $PWD; ls -A; sh tests/run.sh", clean=True)
    seen = run.finish()
    assert (seen.state, seen.detail) == ("done", "done, checked")
    fresh = str(run.folder / "checkout")
    assert run.lines("o") == [fresh, fresh, ".git", ".gitignore", "package.lock", "page", "tests"]


def test_what_is_not_committed_is_no_work_that_a_fresh_checkout_proves(start: Make) -> None:
    seen = start("echo two > page; touch new.txt", clean=True, attempts=2).finish()
    assert seen.state == "failed"
    assert seen.checks is not None
    (run,) = seen.checks.runs
    assert run.command == "a fresh checkout"
    assert "this is not: new.txt, page; commit it" in run.failure


def test_what_was_there_uncommitted_before_is_not_held_against_it(start: Make, repository: Path) -> None:
    (repository / "mine.txt").touch()
    (repository / "package.lock").write_text("2\n")
    seen = start("true", "true", clean=True, guarded=("*.lock",), ahead=1_000).finish()
    assert (seen.state, seen.detail) == ("done", "done, checked")


def test_guarded_files_that_it_changed_are_named_beside_the_result(start: Make) -> None:
    work = f"echo two > page; echo 'exit 0' > tests/run.sh; {COMMIT}; echo 9 > package.lock; touch tests/new"
    seen = start(work, guarded=("tests/", "*.lock", "pa*/x", "page.local")).finish()
    named = ("package.lock", "tests/new", "tests/run.sh")
    assert seen.checks is not None
    assert (seen.checks.state, seen.checks.guarded) == (CheckState.PASSED, named)
    assert seen.detail == f"done, checked; changed guarded files: {', '.join(named)}"


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("spec.json", """s,"guarded": [^]]*],"guarded": [],"""),
        ("status.json", """s,"started": [0-9]*,"started": 9999999999999,"""),
    ],
)
def test_what_is_guarded_is_what_was_ordered_whatever_the_agent_writes_in_its_folder(
    start: Make, tmp_path: Path, file: str, change: str
) -> None:
    place = tmp_path / "state" / "agents" / "one.1" / file
    writes = f"until sed -i '{change}' {place} && grep -q 'ed.: .[]9]' {place}; do :; done"  # its runner writes, too
    work = f"echo two > page; echo 'exit 0' > tests/run.sh; {writes}"
    seen = start(work, guarded=("tests/",)).finish()
    assert seen.detail == "done, checked; changed guarded files: tests/run.sh"


@pytest.mark.parametrize("bit", ["--assume-unchanged", "--skip-worktree"])
def test_guarded_files_that_git_was_told_not_to_tell_of_are_named(start: Make, bit: str) -> None:
    work = f"echo two > page; git update-index {bit} tests/run.sh package.lock; echo 'exit 0' > tests/run.sh"
    seen = start(work, guarded=("tests/", "*.lock")).finish()
    assert seen.detail == "done, checked; changed guarded files: tests/run.sh"


def test_where_git_has_not_kept_where_it_began_nobody_says_what_it_changed(start: Make) -> None:
    work = f"echo two > page; echo 'exit 0' > tests/run.sh; {COMMIT}; rm -r .git/logs"
    seen = start(work, guarded=("tests/",)).finish()
    assert seen.detail.startswith("done, checked; whether it changed guarded files is not known: git has not kept")


def test_a_fresh_checkout_takes_no_other_worktree_along(start: Make, repository: Path, tmp_path: Path) -> None:
    away, mine, place = tmp_path / "away", tmp_path / "mine", tmp_path / "state" / "agents" / "one.1"
    for one in (away, mine):
        git(repository, "worktree", "add", "-q", str(one))
    (mine / "unsaved").touch()
    away.rename(tmp_path / "elsewhere")
    seen = start(f"echo two > page; {COMMIT}; ln -s {mine} {place}/checkout", clean=True).finish()
    assert seen.detail == "done, checked"
    assert (repository / ".git" / "worktrees" / "away").is_dir(), "its disk is not there now"
    assert (mine / "unsaved").exists(), "a link led to it"
    assert not (place / "checkout").is_symlink()
    assert sorted(path.name for path in (repository / ".git" / "worktrees").iterdir()) == ["away", "mine"]


def test_where_git_tells_nothing_it_says_so(start: Make, repository: Path) -> None:
    (repository / ".git").rename(repository.parent / "gone")
    seen = start("echo two > page", guarded=("tests/",)).finish()
    assert seen.detail.startswith("done, checked; whether it changed guarded files is not known: ")
    assert "is in no git repository" in seen.detail


def test_without_a_repository_there_is_no_fresh_checkout_and_it_is_told_of_nothing(
    start: Make, repository: Path
) -> None:
    (repository / ".git").rename(repository.parent / "gone")
    seen = start("echo two > page", clean=True, attempts=3).finish()
    assert (seen.state, seen.cause) == ("failed", "checks")
    assert "no fresh checkout: " in seen.detail
    assert seen.checks is not None
    assert seen.checks.told == 0


def test_a_kill_during_checks_takes_the_fresh_checkout_away(start: Make, repository: Path) -> None:
    run = start("true", "sh", "-c", "echo up; sleep 300", clean=True)
    wait_for(lambda: run.lines("o") == ["up"])
    assert (run.folder / "checkout").exists()
    assert run.ask(do="end", why="killed") == ""
    assert run.finish().cause == "killed"
    assert not (run.folder / "checkout").exists()
    assert git(repository, "worktree", "list").count("\n") == 0


def test_nothing_that_came_with_the_repository_runs(tmp_path: Path) -> None:
    hostile = HostileRepository(tmp_path)
    place = tmp_path / "state" / "agents" / "one.1"
    checks = CheckOrder((("ls",),), clean=True, guarded=("*",))
    run = Agent(place, AgentSpec(kind="command", command=("true",), cwd=str(hostile.top), checks=checks)).start()
    seen = run.finish()
    assert seen.checks is not None
    assert hostile.ran == set()


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("true", "done, nothing changed"),
        ("touch x.local", "done, nothing changed"),
        ("echo answered", ""),
        ("touch new", ""),
        ("rm page", ""),
        ("echo two >> page", ""),
        (f"echo two >> page; {COMMIT}", ""),
    ],
)
def test_a_run_that_has_changed_nothing_and_said_nothing_is_no_plain_done(
    start: Make, script: str, detail: str
) -> None:
    seen = start(script, checked=False).finish()
    assert (seen.state, seen.detail, seen.nothing_changed) == ("done", detail, bool(detail))


@pytest.mark.parametrize("script", ["rm -r .git/logs", f"echo two > page; {COMMIT}; rm .git/logs/HEAD"])
def test_where_git_has_not_kept_where_it_began_it_is_done(start: Make, script: str) -> None:
    seen = start(script, checked=False).finish()
    assert (seen.state, seen.detail, seen.nothing_changed) == ("done", "", False)


def test_where_nobody_can_tell_whether_anything_has_changed_it_is_done(start: Make, repository: Path) -> None:
    (repository / ".git").rename(repository.parent / "gone")
    assert start("true", checked=False).finish().detail == ""


@pytest.mark.parametrize(
    ("path", "guarded"),
    [
        ("tests/a/b.py", True), ("xtests/a", False), ("src/tests/a", False), ("a/b/uv.lock", True), ("uv.lock", True),
        (".github/workflows/ci.yml", True), (".github/x.yml", False), ("lock", False),
        ("x/.github/workflows/ci.yml", False),
    ],
)  # fmt: skip
def test_patterns_name_folders_names_and_paths(path: str, guarded: bool) -> None:
    assert is_guarded(path, ("tests/", "*.lock", ".github/workflows/*")) is guarded
