"""The checks of a real Claude's work: it is told what failed, in its own session, and goes on."""

from __future__ import annotations

import json
import os
import signal

from controlroom.text.checks import CheckOrder
from tests.lab.agent_under_test import MakeAgent, alive
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.claude_agents import agent, heard, said

__all__ = ["agent"]

ALLOWED = ("claude", "--allowedTools", "Bash")
MENDS = '[[tool Bash {"command":"touch mended.txt"}]][[text It is mended.]]'


def check_script(home: World, script: str) -> CheckOrder:
    """A check of the project that runs this script; nothing of it stands in its command line."""
    path = home.home / "project" / "check.sh"
    path.write_text(script)
    return CheckOrder((("sh", "check.sh"),), attempts=2)


def test_it_is_told_what_failed_mends_it_and_is_done_and_checked(agent: MakeAgent, home: World, api: Api) -> None:
    checks = check_script(home, f"test -e mended.txt && exit 0\necho '{MENDS}'\necho 1 failed\nexit 4\n")
    run = agent("[[text I am done.]]", command=ALLOWED, checks=checks)
    seen = run.finish()
    assert (seen.state, seen.detail, seen.exit_code) == ("done", "done, checked", 0)
    assert seen.checks is not None
    assert (seen.checks.state.value, seen.checks.told, seen.checks.runs[0].failure) == ("passed", 1, "")
    first, told = [request["body"]["messages"] for request in api.requests(main=True)][:2]
    words = json.dumps(told[len(first) :])
    assert "The check `sh check.sh` failed: exit 4." in words
    assert "1 failed" in words
    lines = said(run)
    order = ["I am done.", "checking: sh check.sh", "check failed: sh check.sh: exit 4", "It is mended."]
    places = [lines.index(line) for line in order]
    assert places == sorted(places)
    assert lines[-1] == "done, checked"
    assert set(run.lines("e")) == set()


def test_one_whose_checks_never_pass_has_failed_with_what_they_printed(agent: MakeAgent, home: World) -> None:
    run = agent("[[text I am done.]]", checks=check_script(home, "echo '[[text I tried.]]'\necho no way\nexit 1\n"))
    seen = run.finish()
    assert (seen.state, seen.cause, seen.exit_code) == ("failed", "checks", 0)
    assert seen.detail == "checks failed: sh check.sh: exit 1 (no way)"
    assert seen.checks is not None
    assert (seen.checks.told, seen.checks.attempts, seen.checks.output) == (2, 2, "[[text I tried.]]\nno way")
    assert [line for line in said(run) if line.startswith("check failed")] == ["check failed: sh check.sh: exit 1"] * 3


def test_a_message_during_its_checks_stops_them_and_they_run_again_after_it(
    agent: MakeAgent, home: World, api: Api
) -> None:
    run = agent("[[text I am done.]]", checks=check_script(home, "echo $$; test -e go.txt || sleep 300\n"))
    pid = int(wait_for(lambda: run.lines("o"))[0])
    assert run.seen().detail == "checking: sh check.sh"
    (home.home / "project" / "go.txt").touch()
    assert run.ask(do="message", text="[[text Yes.]] one more thing") == ""
    seen = run.finish()
    assert not alive(pid)
    assert (seen.state, seen.detail) == ("done", "done, checked")
    assert "one more thing" in heard(api)
    assert "its checks were stopped" in said(run)


def test_a_claude_that_ends_during_its_checks_is_checked_all_the_same(agent: MakeAgent, home: World) -> None:
    run = agent("[[text I am done.]]", checks=check_script(home, "echo up; test -e gone.txt || sleep 300\n"))
    wait_for(lambda: "up" in run.lines("o"))
    (home.home / "project" / "gone.txt").touch()
    claude = run.seen().pid
    os.kill(claude, signal.SIGINT)
    seen = run.finish()
    assert (seen.state, seen.detail, seen.exit_code) == ("done", "done, checked", 0)


def test_an_interrupt_during_its_checks_ends_them_and_it_waits_for_a_message(agent: MakeAgent, home: World) -> None:
    run = agent("[[text I am done.]]", checks=check_script(home, "echo $$; test -e go.txt || sleep 300\n"))
    pid = int(wait_for(lambda: run.lines("o"))[0])
    assert run.ask(do="interrupt") == ""
    run.until(lambda seen: seen.state == "idle")
    seen = run.seen()
    assert seen.checks is not None
    assert (seen.detail, seen.checks.state.value) == ("interrupted", "unfinished")
    wait_for(lambda: not alive(pid))
    (home.home / "project" / "go.txt").touch()
    assert run.ask(do="message", text="[[text Yes.]] go on") == ""
    assert run.finish().detail == "done, checked"
