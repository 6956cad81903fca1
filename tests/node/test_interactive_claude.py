"""Kind interactive with the real Claude Code CLI: on the terminal of its tmux session, against a stand-in API."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.meter.speech import last_words
from controlroom.wire.messages import AgentSeen, Kill, QuestionSeen, Reply, Spawn, Tell
from controlroom.wire.questions import ItemAnswer
from controlroom.wire.records import Record, segment_number, unpack_all
from controlroom.wire.spec import AgentSpec, Credential
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.processes import look
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.answering import chosen, told
from tests.node.client import NodeClient
from tests.node.test_runner_claude import texts

NASTY = '!it\'s "quoted" `id` $(touch never) ; rm -rf / & \\ #(touch x) \U0001f39b\ufe0f \x1b[201~\x03 é\r\n'
ASK = '[[tool Bash {"command":"touch made.txt","description":"make a file"}]]'
LATE = 60  # seconds that a loaded machine may take for anything


pytestmark = pytest.mark.usefixtures("login_shell")


def spawn(node: NodeClient, task: str, epoch: int = 1, **more: str) -> Reply:
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="default", **more)  # type: ignore[arg-type]
    return node.ask(lambda number: Spawn(number, "talk", epoch, spec, task, epoch - 1))


def tell(node: NodeClient, what: str, text: str = "") -> Reply:
    return node.ask(lambda number: Tell(number, "talk", 1, what, text))


def answer(node: NodeClient, asked: QuestionSeen, verdict: str, text: str = "", *answers: ItemAnswer) -> Reply:
    return node.ask(lambda number: told(number, "talk", asked, verdict, text, *answers))


def wait(node: NodeClient, state: str, fits: Callable[[AgentSeen], object] = lambda seen: True) -> AgentSeen:
    return node.wait_agent("talk", lambda seen: seen.state == state and fits(seen), LATE)


def folder(home: World, epoch: int = 1) -> Path:
    return home.home / f".local/state/controlroom/agents/talk.{epoch}"


def log(home: World, epoch: int = 1) -> list[Record]:
    names = sorted(one for one in folder(home, epoch).iterdir() if segment_number(one.name))
    return [record for one in names for record in unpack_all(one.read_bytes())]


def said(home: World, epoch: int = 1) -> list[str]:
    return [words for record in log(home, epoch) if (words := last_words(record.stream, record.body))]


def screen() -> str:
    command = ["tmux", "-L", "controlroom", "capture-pane", "-p", "-t", "=talk:"]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout


def test_a_task_of_any_text_is_pasted_and_confirmed_and_talk_goes_on(node: NodeClient, home: World, api: Api) -> None:
    rows = NASTY * 400
    assert spawn(node, rows + "[[text all read]]").outcome == "done"
    seen = wait(node, "idle")
    asked = max((part for part in texts(api.requests(main=True)[0]["body"]) if "quoted" in part), key=len)
    shown = NASTY.replace("\x1b", "␛").replace("\x03", "␃").replace("\r\n", "\n")
    assert shown * 400 in asked
    assert not (home.home / "project" / "never").exists()
    wait_for(lambda: "all read" in said(home) and "all read" in screen(), LATE)
    assert seen.session in {json.loads(record.body)["sessionId"] for record in log(home) if record.stream == "a"}
    assert b"quoted" not in Path(f"/proc/{seen.pid}/cmdline").read_bytes()

    assert tell(node, "interrupt").reason == "it is not working on anything that could be stopped"
    assert tell(node, "message", "[[slow 1 300]][[text a long story]]").outcome == "done"
    wait(node, "working")
    assert tell(node, "message", "two lines\n[[text at last]]").outcome == "done"
    assert tell(node, "interrupt").reason == ""
    wait_for(lambda: "at last" in said(home), LATE)
    wait_for(lambda: "interrupted" in said(home), LATE)

    wait(node, "idle")
    assert spawn(node, "[[text gone on]]", 2, resume=seen.session).outcome == "done"
    second = node.wait_agent("talk", lambda seen: seen.epoch == 2 and seen.state == "idle", LATE)
    assert second.session == seen.session
    assert look(seen.pid) is None
    wait_for(lambda: "gone on" in said(home, 2), LATE)
    assert "all read" not in said(home, 2)


def test_a_permission_prompt_waits_for_a_person_and_takes_allow_and_deny(
    node: NodeClient, home: World, api: Api
) -> None:
    made = home.home / "project" / "made.txt"
    spawn(node, ASK + "[[text allowed]]")
    seen = wait(node, "waiting", lambda seen: seen.question)
    assert seen.question
    assert (seen.question.tool, seen.question.text) == ("Bash", "touch made.txt\nmake a file")
    assert seen.detail == "asks: touch made.txt"
    assert tell(node, "message", "hello").reason == "it waits for something else: look at what it asks"
    assert answer(node, replace(seen.question, id="another"), "allow").reason == "this question is no longer open"
    always = answer(node, seen.question, "always")
    assert (always.outcome, "attach" in always.reason) == ("refused", True)
    assert not made.exists()
    wait_for(lambda: "Esc to cancel" in screen(), LATE)
    assert answer(node, seen.question, "allow").reason == ""
    wait(node, "idle")
    assert made.exists()
    made.unlink()

    assert tell(node, "message", ASK).outcome == "done"
    first = seen.question.id
    seen = wait(node, "waiting", lambda now: now.question and now.question.id != first)
    assert seen.question
    wait_for(lambda: "Esc to cancel" in screen(), LATE)
    assert answer(node, seen.question, "deny").outcome == "done"
    wait(node, "idle", lambda seen: seen.detail == "interrupted")
    assert not made.exists()

    ask = {"question": "Which region?", "header": "Region", "multiSelect": False}
    ask["options"] = [{"label": "eu-1", "description": "Europe"}, {"label": "us-1", "description": "US"}]
    task = f"[[tool AskUserQuestion {json.dumps({'questions': [ask]})}]][[text chosen]]"
    assert tell(node, "message", task).outcome == "done"
    first = seen.question.id
    seen = wait(node, "waiting", lambda now: now.question and now.question.id != first)
    assert seen.question
    wait_for(lambda: "Esc to cancel" in screen(), LATE)
    assert "number of a choice" in answer(node, seen.question, "allow", "the moon").reason
    assert answer(node, seen.question, "allow", "", chosen(2)).reason == ""
    wait_for(lambda: "chosen" in said(home), LATE)
    assert 'Which region?\\"=\\"us-1' in json.dumps(api.requests(main=True)[-1]["body"]["messages"][-1])

    assert node.ask(lambda number: Kill(number, "talk", 1)).outcome == "done"
    assert look(seen.pid) is None


def test_a_start_up_dialog_is_told_and_a_killed_runner_takes_claude_along(
    node: NodeClient, home: World, api: Api
) -> None:
    told = json.loads((home.home / ".claude.json").read_text())
    (home.home / ".claude.json").write_text(json.dumps({**told, "projects": {}}))
    spawn(node, "[[text at last]]")
    seen = wait(node, "waiting")
    assert (seen.detail, seen.question) == ("start-up dialog: attach to answer it", None)
    assert tell(node, "message", "x").reason == "nothing can be typed to it now: look at its screen"
    assert not api.requests(main=True)
    wait_for(lambda: "trust" in screen(), LATE)
    subprocess.run(["tmux", "-L", "controlroom", "send-keys", "-t", "=talk:", "Down", "Enter"], check=True, timeout=10)
    wait_for(lambda: "at last" in said(home), LATE)
    seen = wait(node, "idle")

    runner = look(seen.pid)
    assert runner
    os.kill(runner.parent, signal.SIGKILL)
    assert wait(node, "failed").detail == "its runner was killed"
    assert look(seen.pid) is None


def test_at_its_plans_limit_it_is_limited_until_then(node: NodeClient, home: World, api: Api) -> None:
    log_in(home.home, "ann@example.org")
    api.configure(ratelimit="unified", mode=429)
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="default", credential=Credential(plan=True))
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, "hello", 0)).outcome == "done"
    seen = wait(node, "limited")
    assert "limit" in seen.detail
    assert (0 < seen.limited_until - seen.since <= 7_200_000, seen.ended) == (True, 0)


def test_a_plan_on_a_terminal_is_approved_without_more_rights_or_turned_down(
    node: NodeClient, home: World, api: Api
) -> None:
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="plan")
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, "[[text hello]]")).outcome == "done"
    wait(node, "idle")
    (path,) = set(re.findall(r"/[^\s\"\\]*plans/[^\s\"\\]*\.md", json.dumps(api.requests(main=True)[-1]["body"])))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("# The plan\n1. first\n")
    shows = "[[tool ExitPlanMode {}]]"
    assert tell(node, "message", shows).outcome == "done"
    seen = wait(node, "waiting", lambda seen: seen.question)
    assert seen.question
    assert (seen.question.kind, seen.question.text.startswith("# The plan")) == ("plan", True)
    wait_for(lambda: "manually approve edits" in screen(), LATE)
    assert "without more rights" in answer(node, seen.question, "always").reason
    assert "without words" in answer(node, seen.question, "allow", "and hurry").reason
    assert answer(node, seen.question, "deny").reason == ""
    wait(node, "idle")

    first = seen.question.id
    edit = '[[tool Write {"file_path":"%s/project/new.txt","content":"x"}]]' % home.home  # noqa: UP031
    assert tell(node, "message", shows + edit).outcome == "done"
    seen = wait(node, "waiting", lambda now: now.question and now.question.id != first)
    assert seen.question
    wait_for(lambda: "manually approve edits" in screen(), LATE)
    second = seen.question.id
    assert answer(node, seen.question, "allow").reason == ""
    seen = wait(node, "waiting", lambda now: now.question and now.question.id != second)
    assert seen.question
    assert seen.question.kind == "permission", "an edit is asked about all the same"
    assert not (home.home / "project" / "new.txt").exists()
