"""The checks of an agent's work: what runs, what is made of it, and that it ends, whatever it does."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from controlroom.text.checks import CheckOrder, CheckState
from controlroom.wire.messages import AgentSeen
from tests.lab.agent_under_test import MakeAgent, alive
from tests.lab.waiting import wait_for
from tests.lab.world import World

KEY = "sk-ant-api03-a-key-of-the-lab-that-is-forty-digits-long"


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def checked(*commands: tuple[str, ...], **more: Any) -> dict[str, Any]:
    return {"checks": CheckOrder(commands, **more)}


def outcome(seen: AgentSeen) -> tuple[str, str, list[tuple[str, str]]]:
    """How the checks of an agent stand: state, what is said of the agent, and each one that ran with its failure."""
    assert seen.checks is not None
    return seen.checks.state.value, seen.detail, [(run.command, run.failure) for run in seen.checks.runs]


# -- commands


def test_a_command_whose_checks_pass_is_done_and_checked(agent: MakeAgent, home: World) -> None:
    run = agent("sh", "-c", "echo work; echo made > made.txt", **checked(sh("cat made.txt"), ("true",))).start()
    seen = run.finish()
    assert seen.state == "done"
    assert outcome(seen) == ("passed", "done, checked", [("sh -c 'cat made.txt'", ""), ("true", "")])
    assert run.lines("on") == [
        "work",
        "checking: sh -c 'cat made.txt'",
        "made",
        "check passed: sh -c 'cat made.txt'",
        "checking: true",
        "check passed: true",
        "done, checked",
    ]


def test_a_command_whose_check_fails_has_failed_and_says_with_what(agent: MakeAgent) -> None:
    run = agent("true", **checked(sh("echo one; echo two >&2; exit 2"), ("true",), attempts=3)).start()
    seen = run.finish()
    assert (seen.state, seen.cause) == ("failed", "checks")
    command = "sh -c 'echo one; echo two >&2; exit 2'"
    assert outcome(seen) == ("failed", f"checks failed: {command}: exit 2 (two)", [(command, "exit 2")])
    assert seen.checks
    assert seen.checks.output == "one\ntwo"
    assert [(entry.source, entry.state) for entry in seen.evidence] == [("checks", "failed"), ("runner", "failed")]


def test_a_command_that_fails_is_not_checked(agent: MakeAgent) -> None:
    seen = agent("sh", "-c", "exit 3", **checked(("true",))).start().finish()
    assert (seen.state, seen.detail, seen.checks) == ("failed", "exit 3", None)


def test_what_cannot_be_run_is_a_check_that_fails(agent: MakeAgent) -> None:
    seen = agent("true", **checked(("no-such-program",))).start().finish()
    assert seen.state == "failed"
    assert "no-such-program is not there on this host" in seen.detail


def test_a_check_that_takes_too_long_is_ended_with_all_that_it_started(agent: MakeAgent, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hides = f"setsid sleep 300 & echo $! >> {pids}; (sleep 301 & echo $! >> {pids}); trap '' TERM; echo up; sleep 302"
    run = agent("true", **checked(sh(hides), minutes=0.02)).start()
    seen = run.finish()
    assert seen.state == "failed"
    assert seen.checks
    assert seen.checks.runs[0].failure == "no end in 0.02 min"
    assert seen.checks.output == "up"
    assert [pid for pid in map(int, pids.read_text().split()) if alive(pid)] == []


def test_what_a_check_leaves_behind_is_ended_before_the_next_begins(agent: MakeAgent, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    leaves = sh(f"setsid sleep 300 & echo $! > {pid}")
    looks = sh(f"grep -s 'State:.[^Z]' /proc/$(cat {pid})/status && exit 1; exit 0")  # one that has ended may be there
    run = agent("true", **checked(leaves, looks)).start()
    seen = run.finish()
    assert (seen.state, seen.detail) == ("done", "done, checked"), run.lines("on")


def test_a_kill_during_the_checks_ends_them(agent: MakeAgent) -> None:
    run = agent("true", **checked(sh("echo $$; sleep 300"))).start()
    pid = int(wait_for(lambda: run.lines("o"))[0])
    seen = run.seen()
    assert (seen.state, seen.detail) == ("working", "checking: sh -c 'echo $$; sleep 300'")
    assert run.ask(do="end", why="killed") == ""
    seen = run.finish()
    assert not alive(pid)
    assert (seen.state, seen.cause, seen.checks and seen.checks.state) == ("done", "killed", CheckState.UNFINISHED)


def test_a_runner_that_is_killed_takes_the_check_with_it(agent: MakeAgent) -> None:
    run = agent("true", **checked(sh("echo $$; exec sleep 300"))).start()
    pid = int(wait_for(lambda: run.lines("o"))[0])
    run.process.kill()
    run.process.wait(20)
    wait_for(lambda: not alive(pid))
    assert run.seen().checks.state is CheckState.RUNNING  # type: ignore[union-attr]


def test_hours_that_are_up_end_the_checks_too(agent: MakeAgent) -> None:
    seen = agent("true", max_hours=2 / 3600, **checked(sh("sleep 300"))).start().finish()
    assert (seen.state, seen.cause) == ("failed", "over-limit")
    assert seen.checks
    assert seen.checks.state is CheckState.UNFINISHED


def test_an_agent_tells_its_own_checks_nothing(agent: MakeAgent) -> None:
    script = 'test -z "$(cat)" && echo mine=$MINE tag=$CONTROLROOM_AGENT'
    run = agent("true", env={"MINE": "yes"}, **checked(sh(script))).start()
    assert run.finish().state == "done"
    assert run.lines("o") == ["mine=yes tag=test/agent-1.1"]


@pytest.mark.parametrize("size", [200_000, 3_000_000])
def test_of_a_flood_the_log_has_both_ends_and_the_result_the_last_lines(agent: MakeAgent, size: int) -> None:
    flood = f"i=0; yes 'a line of it' | head -c {size}; echo; echo the last word; exit 1"
    run = agent("true", **checked(sh(flood))).start()
    seen = run.finish()
    assert seen.checks
    assert seen.checks.output.endswith("the last word")
    lines = run.lines("o")
    assert (lines[0], lines[-1]) == ("a line of it", "the last word")
    logged = sum(len(line) + 1 for line in lines)
    left_out = [line for line in run.lines("n") if "left out here" in line]
    if size > 1_000_000:
        assert logged < 1_200_000
        assert [int(line.split()[0]) + logged >= size for line in left_out] == [True]
    else:
        assert logged >= size
        assert left_out == []
    assert len(seen.checks.output) <= 6_001


def test_what_a_check_prints_is_made_safe_and_tells_no_key(agent: MakeAgent) -> None:
    hostile = f"\x1b]0;title\x07\x1b[2J{KEY}\r\n\u202ebidi\x00 \x9b31m"
    told = "printf %s " + shlex.quote(hostile.replace("\x00", "")) + "; exit 1"
    run = agent("true", **checked(sh(told))).start()
    seen = run.finish()
    assert seen.checks is not None
    for text in (seen.checks.output, seen.detail, *(check.command for check in seen.checks.runs)):
        assert not any(sign in text for sign in "\x1b\x07\u202e\x9b\r")
        assert KEY not in text
    assert KEY.encode() not in (run.folder / "log.000001").read_bytes()
    assert KEY.encode() not in (run.folder / "status.json").read_bytes()


WORKED_AGAIN = """
import os, selectors
from unittest.mock import Mock
from controlroom.runner.checks import CheckRunner
from controlroom.text.checks import CheckOrder
selector = selectors.DefaultSelector()
checks = CheckRunner(CheckOrder((("true",),)), selector, Mock(), lambda: 7, lambda: 0, {})
checks.begin(dict(os.environ), "/")
checks.reaped(*os.waitpid(-1, 0))
while checks.busy:
    for key, mask in selector.select(0.05):
        key.data(mask)
    checks.due(works=False)
print(checks.fields()["state"])
checks.worked()
print(checks.fields()["state"])
"""


def test_what_has_passed_says_nothing_any_more_once_the_agent_has_worked_again() -> None:
    ran = subprocess.run([sys.executable, "-c", WORKED_AGAIN], capture_output=True, check=True, text=True)
    assert ran.stdout.split() == ["passed", "unfinished"]


def test_a_runner_loads_no_code_for_checks_that_nobody_wants() -> None:
    looks = "import sys; import controlroom.runner.main; print('controlroom.runner.checks' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", looks], capture_output=True, check=True).stdout == b"False\n"
