"""The checks of an agent's work are run again on a merge, and decide whether its branch moves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from controlroom.node.git.checking import PROGRAM, check
from controlroom.node.git.merging import Ground
from controlroom.node.spawn import Refusal
from controlroom.text.checks import CheckOrder
from controlroom.wire.spec import AgentSpec, Credential
from tests.lab.agent_under_test import alive
from tests.lab.waiting import wait_for
from tests.runner.hostile_repository import git


def environ(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder)}


def run(folder: Path, *commands: tuple[str, ...], minutes: float = 1.0, **spec: object) -> str:
    wanted = AgentSpec(checks=CheckOrder(commands, minutes), **spec)  # type: ignore[arg-type]
    checkout = folder / "checkout"
    if not checkout.exists():
        checkout.mkdir()
        git(checkout, "init", "-q")
    return check(wanted, environ(folder), Ground(str(folder), str(folder), str(checkout)))


def test_without_checks_nothing_is_run(tmp_path: Path) -> None:
    assert run(tmp_path) == ""


def test_they_run_in_the_folder_one_after_the_other_in_the_agents_environment(tmp_path: Path) -> None:
    script = 'echo "$PWD $WHO" >> said'
    said = run(tmp_path, ("sh", "-c", script), ("grep", "-q", "ann", "said"), env={"WHO": "ann"})
    assert said == f"checked: sh -c '{script}', grep -q ann said"
    assert (tmp_path / "said").read_text() == f"{tmp_path} ann\n"


def test_the_merge_is_made_ready_as_a_worktree_is(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    git(checkout, "init", "-q")
    (checkout / ".gitignore").write_text("*.env\n")
    (checkout / "local.env").write_text("KEY=1\n")
    (checkout / ".worktreeinclude").write_text("*.env\n")
    setup = ("sh", "-c", 'cat local.env > ready; echo "$CONTROLROOM_CHECKOUT" >> ready')
    said = run(tmp_path, ("grep", "-q", "KEY", "ready"), worktree_setup=setup)
    assert said.endswith(", grep -q KEY ready")
    assert (tmp_path / "ready").read_text() == f"KEY=1\n{checkout}\n"
    with pytest.raises(Refusal, match="the check false failed: exit 1"):
        run(tmp_path, ("true",), worktree_setup=("false",))


def test_the_credential_of_the_agent_is_not_read(tmp_path: Path) -> None:
    assert run(tmp_path, ("true",), credential=Credential(command=("false",))) == "checked: true"


def test_the_first_that_fails_is_named_with_the_end_of_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        run(tmp_path, ("true",), ("sh", "-c", "echo 3 tests failed; exit 2"), ("touch", "never"))
    assert "nothing was merged: the check sh -c 'echo 3 tests failed; exit 2' failed: exit 2" in str(refusal.value)
    assert str(refusal.value).endswith("it said: 3 tests failed")
    assert not (tmp_path / "never").exists()


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no-such-program is not there on this host"):
        run(tmp_path, ("no-such-program",))
    with pytest.raises(Refusal, match=r"it cannot be checked, and nothing was merged: env_file .* cannot be read"):
        run(tmp_path, ("true",), env_file="nowhere")


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = "setsid sleep 600 & echo $! > pid; sleep 600"
    with pytest.raises(Refusal, match=r"failed: no end in 0\.08 min"):
        run(tmp_path, ("sh", "-c", script), minutes=0.08)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_whoever_runs_them_takes_them_along(tmp_path: Path) -> None:
    order = {"commands": [["sh", "-c", "echo $$ > pid; sleep 600"]], "minutes": 1.0, "folder": str(tmp_path)}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-I", "-S", PROGRAM], stdin=pipe, stdout=pipe) as runner:
        assert runner.stdin is not None
        assert runner.stdout is not None
        runner.stdin.write(json.dumps({**order, "environ": environ(tmp_path)}).encode() + b"\n")
        runner.stdin.flush()
        pid = wait_for(lambda: int((tmp_path / "pid").read_text()), 15, "the check to run")
        runner.stdin.close()
        assert b'"unfinished"' in runner.stdout.read()
        assert runner.wait(15) == 0
    assert not alive(pid)
