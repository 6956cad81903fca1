"""Claudes below an agent are known however an agent crowds what names them, or it is known that some are not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controlroom.runner import process_tree
from controlroom.runner.claude import nested
from controlroom.runner.claude.nested import OFTEN, Nested, below
from tests.lab.waiting import wait_for


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An agent's, with a config folder and a folder for sockets of its own."""
    (tmp_path / "claude" / "sessions").mkdir(parents=True)
    return {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "claude"), "TMPDIR": str(tmp_path)}


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def claude(started: ExitStack, environ: dict[str, str]) -> int:
    """A process that goes by the name, and writes none of its files."""
    process = subprocess.Popen(["claude", "60"], executable="/bin/sleep", env=environ)
    started.callback(process.wait)
    started.callback(process.kill)
    return process.pid


def waits_to_be_one(started: ExitStack, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process that becomes one, by the name, when its input ends."""
    argv = ["bash", "-c", "read; exec -a claude sleep 60"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, env={**os.environ, **environ})
    started.callback(process.wait)
    started.callback(process.kill)
    return process


def looking(environ: dict[str, str]) -> Nested:
    runner = os.getpid()
    made = Nested(environ, environ["HOME"], below(environ, runner), runner=runner)
    made.look(1000.0)
    return made


def test_folders_that_are_full_of_files_hide_no_claude(started: ExitStack, environ: dict[str, str]) -> None:
    sessions = Path(environ["CLAUDE_CONFIG_DIR"]) / "sessions"
    for number in range(5001):
        (sessions / f"{900_000_000 + number}.json").touch()
    seen = looking(environ)
    started.callback(seen.close)
    assert seen.wakes_at <= 1000.0 + OFTEN
    pid = claude(started, environ)
    seen.look(1000.0 + OFTEN)
    seen.look(1000.0 + 2 * OFTEN)
    assert pid in seen.alive


def test_more_claudes_than_can_be_known_are_noticed(
    started: ExitStack, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested, "MOST", 3)
    seen = looking(environ)
    started.callback(seen.close)
    sessions = Path(environ["CLAUDE_CONFIG_DIR"]) / "sessions"
    for count in range(1, 5):
        (sessions / f"{claude(started, environ)}.json").touch()
        seen.notice()
        seen.look(1000.0 + count)
        assert seen.too_many == (count > 3)


def test_one_whose_pid_a_file_of_a_killed_one_names_is_met(started: ExitStack, environ: dict[str, str]) -> None:
    process = waits_to_be_one(started, environ)
    named = Path(environ["CLAUDE_CONFIG_DIR"]) / "sessions" / f"{process.pid}.json"
    named.touch()
    seen = looking(environ)
    started.callback(seen.close)
    seen.notice()
    seen.look(1001.0)
    assert process.pid not in seen.alive
    assert process.stdin
    process.stdin.close()
    wait_for(lambda: process_tree.arguments(process.pid)[:1] == ["claude"], 20, "it has become one")
    seen.notice()
    seen.look(1002.0)
    assert process.pid in seen.alive
