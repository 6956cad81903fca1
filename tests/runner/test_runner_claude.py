"""The runner around the real Claude Code CLI, against a stand-in for the Messages API."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from controlroom.text.states import Item, ItemAnswer, Option
from controlroom.wire.messages import AgentSeen
from controlroom.wire.runner import SetModel, request_fields
from tests.lab.agent_under_test import Agent, MakeAgent, alive
from tests.lab.answering import chosen, request
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.claude_agents import BY_KEY, PARTS, REGION, agent, asks, heard, question, said, texts

__all__ = ["agent"]

ASK = '[[tool Bash {"command":"touch made.txt","description":"make a file"}]]'


def answered(run: Agent, verdict: str, text: str = "", *answers: ItemAnswer) -> AgentSeen:
    """Answer the one question of a run; what becomes of it."""
    assert run.ask(**request(question(run), verdict, text, *answers)) == ""
    return run.finish()


# -- questions


def test_it_asks_is_allowed_and_is_done(agent: MakeAgent, home: World) -> None:
    run = agent(ASK + "[[text all done]]")
    asked = question(run)
    seen = run.seen()
    assert (asked.tool, asked.text) == ("Bash", "touch made.txt\nmake a file")
    assert (seen.state, seen.detail, alive(seen.pid)) == ("waiting", "asks: touch made.txt", True)
    assert [(entry.source, entry.state, entry.value) for entry in seen.evidence] == [
        ("stream", "waiting", "can_use_tool Bash"),
        ("runner", "waiting", f"process {seen.pid} runs"),
    ]
    another = {**request(asked, "allow"), "question": "another"}
    assert run.ask(**another) == "this question is no longer open"
    replaced = replace(asked, text="touch other.txt")
    assert "something else than what was shown" in run.ask(**request(replaced, "allow"))
    assert not (home.home / "project" / "made.txt").exists()
    seen = answered(run, "allow")
    assert (seen.state, seen.detail, seen.exit_code, seen.denied) == ("done", "", 0, 0)
    assert (seen.question, seen.pid, seen.model[:6]) == (None, 0, "claude")
    assert (home.home / "project" / "made.txt").exists()
    assert said(run)[-3:] == ["all done", "done · 2 turns · $0.07", "done"]


def test_a_denial_reaches_the_model_and_is_no_plain_done(agent: MakeAgent, home: World, api: Api) -> None:
    seen = answered(agent(ASK + "[[text all right]]"), "deny", "use ls")
    assert (seen.state, seen.detail, seen.denied) == ("done", "done, 1 denied", 1)
    assert not (home.home / "project" / "made.txt").exists()
    assert "use ls" in json.dumps(api.requests(main=True)[-1]["body"]["messages"][-1])


def test_always_is_not_asked_again_and_writes_no_settings(agent: MakeAgent, home: World) -> None:
    run = agent(ASK + ASK + "[[text twice]]")
    folder = home.home / "project"
    folders = f"the folder {folder} and all below it, as if it were its own"
    assert question(run).always == ("Bash: touch made.txt", folders)
    seen = answered(run, "always")
    assert (seen.state, seen.denied) == ("done", 0)
    assert not (home.home / "project" / ".claude").exists()


def test_a_question_of_the_model_is_answered_in_words(agent: MakeAgent, api: Api) -> None:
    run = agent(asks(REGION))
    asked = question(run)
    assert asked.text == "Which region?\n  1. eu-1 - Europe\n  2. us-1 - US"
    options = Option("eu-1", "Europe", "| a |\n| b |"), Option("us-1", "US")
    assert (asked.kind, asked.items) == ("choices", (Item("Which region?", "Region", options, False, True),))
    assert answered(run, "allow", "", chosen(words="the moon")).state == "done"
    assert 'Which region?\\"=\\"the moon' in heard(api)


def test_several_questions_with_several_choices_are_answered_each_by_itself(agent: MakeAgent, api: Api) -> None:
    run = agent(asks(PARTS, REGION))
    asked = question(run)
    assert [(item.header, item.several, len(item.options)) for item in asked.items] == [
        ("Parts", True, 3), ("Region", False, 2),
    ]  # fmt: skip
    for unfit in ((), (chosen(2),), (chosen(1, 3), chosen(9)), (chosen(1), chosen(1, 2)), (chosen(1), chosen())):
        assert run.ask(**request(asked, "allow", "2", *unfit)) != ""
    assert run.seen().state == "waiting"
    assert answered(run, "allow", "", chosen(1, 3), chosen(2)).state == "done"
    assert 'Which parts?\\"=\\"Auth, Docs\\", \\"Which region?\\"=\\"us-1' in heard(api)


BEGINS = "Bash: whatever begins with: "
EDITS = "edits of files in its folders, without asking (mode acceptEdits)"
ETC = "the folder /etc and all below it, as if it were its own"
PROPOSED = {
    "an edit": ('Write {"file_path":"new.txt","content":"x"}', EDITS),
    "a page": ('WebFetch {"url":"https://example.com/x","prompt":"y"}', "WebFetch: domain:example.com"),
    "commands": ('Bash {"command":"git push origin main && npm i x"}', f"{BEGINS}git push|{BEGINS}npm i"),
    "a secret file": ('Read {"file_path":"/etc/passwd"}', "Read: //etc/**"),
    "a folder of the system": ('Bash {"command":"rm -rf /etc/x"}', f"Bash: rm -rf /etc/x|{ETC}"),
    "several lines": (r"""Bash {"command":"python3 -c 'print(1)\nprint(2)'"}""", ""),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", PROPOSED)
def test_what_claude_proposes_with_a_permission_is_shown(agent: MakeAgent, name: str) -> None:
    call, words = PROPOSED[name]
    run = agent(f"[[tool {call}]]")
    asked = question(run)
    assert "|".join(asked.always) == words
    if not words:
        assert "names nothing that `always` could allow" in run.ask(**request(asked, "always"))
        assert run.seen().state == "waiting"
    run.ask(do="end")


def test_an_edit_that_is_always_allowed_stays_so_for_the_next(agent: MakeAgent, home: World) -> None:
    two = "".join('[[tool Write {"file_path":"new%d.txt","content":"x"}]]' % number for number in (1, 2))  # noqa: UP031
    assert answered(agent(two + "[[text twice]]"), "always").state == "done"
    assert (home.home / "project" / "new2.txt").exists()


def test_a_plan_is_approved_with_its_edits_or_turned_down_with_words(agent: MakeAgent, api: Api, home: World) -> None:
    plan = '[[tool ExitPlanMode {"plan":"# The plan\\n1. first"}]]'
    edit = '[[tool Write {"file_path":"%s/project/new.txt","content":"x"}]]' % home.home  # noqa: UP031
    run = agent(plan + edit + "[[text planned]]", permission_mode="plan")
    asked = question(run)
    assert (asked.kind, asked.text, asked.items) == ("plan", "# The plan\n1. first", ())
    assert asked.always == (EDITS,)
    assert answered(run, "always").state == "done"
    assert (home.home / "project" / "new.txt").exists()

    run = agent(plan + "[[text well]]", permission_mode="plan")
    assert answered(run, "deny", "more tests first").denied == 1
    assert "more tests first" in heard(api)


# -- messages and interrupts


def test_an_interrupted_agent_waits_for_a_message_and_goes_on(agent: MakeAgent) -> None:
    run = agent("[[slow 1 300]][[text a long story]]")
    run.until(lambda seen: seen.state == "working")
    assert run.ask(do="interrupt") == ""
    run.until(lambda seen: seen.state == "idle")
    assert run.ask(do="interrupt") == "it is not working on anything that could be stopped"
    assert run.ask(do="message", text="[[text on we go]]") == ""
    seen = run.finish()
    assert (seen.state, seen.detail) == ("done", "")
    assert "on we go" in said(run)


def test_a_message_in_a_turn_gets_its_answer(agent: MakeAgent, api: Api) -> None:
    run = agent("[[slow 0.2 10]][[text first]]")
    wait_for(lambda: api.requests(main=True))
    assert run.ask(do="message", text="[[text second]]\nline two") == ""
    assert run.finish().state == "done"
    assert [words for words in said(run) if words in ("first", "second")] == ["first", "second"]
    assert [record.body for record in run.log() if record.stream == "i"] == [b"[[text second]]", b"line two"]


def test_a_background_task_is_waited_for(agent: MakeAgent) -> None:
    tool = {"command": "sleep 5; echo over", "run_in_background": True}
    run = agent(f"[[tool Bash {json.dumps(tool)}]][[text started]]")
    assert run.until(lambda seen: seen.detail) == "waits for sleep 5; echo over"
    assert run.finish().state == "done"
    assert any("completed (exit code 0)" in words for words in said(run))


# -- failures and limits


def test_a_plan_limit_says_until_when(agent: MakeAgent, api: Api) -> None:
    api.configure(ratelimit="unified", mode=429, unified={"status": "rejected", "5h_utilization": 1.0})
    run = agent("hello", without=("ANTHROPIC_AUTH_TOKEN",), env={"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-fake"})
    seen = run.finish()
    assert (seen.state, seen.detail[:32]) == ("limited", "You've hit your 5-hour limit · r")
    assert 0 < seen.limited_until - seen.ended <= 7_200_000


def test_a_rate_limit_is_seen_while_it_lasts(agent: MakeAgent) -> None:
    run = agent("[[error 429 times=1 retry_after=2]][[text through]]")
    seen = run.until(lambda seen: seen if seen.state == "limited" else None)
    assert seen
    assert seen.detail.startswith("429 rate limit, retrying in 2 s")
    assert 0 < seen.limited_until - seen.since <= 3_000
    assert run.finish().state == "done"


@pytest.mark.parametrize(
    ("task", "spec", "detail", "cause"),
    [
        ("[[error 529 times=inf]]", {}, "API Error: 529 Overloaded", "overloaded"),
        ('[[tool Bash {"command":"ls"}]]', {"max_turns": 1}, "Reached maximum number of turns (1); raise", "none"),
        ('[[tool Bash {"command":"ls"}]]', {"max_budget_usd": "0.01"}, "Reached maximum budget ($0.01); raise", "cost"),
        ("x", {"permission_mode": "silly"}, "exit 1: error: option '--permission-mode <mode>'", "none"),
        ("x", {"resume": "8fd0c1eb-626a-404c-9d8e-76787be4c15d"}, "No conversation found with session ID: 8fd", "none"),
        ("x", {"without": ("ANTHROPIC_AUTH_TOKEN",)}, "not logged in: run `claude` on the host once", "no-login"),
        ("x", {"without": ("PATH",)}, "claude is not on the login shell's PATH on this host", "none"),
        ("x", {"cwd": "~/nowhere"}, "the folder HOME/nowhere is not there on this host: create it", "none"),
        ("x", {"command": ("~/bin/claude",)}, "~/bin/claude is not there on this host", "none"),
    ],
)
def test_failures_are_told_in_words(
    agent: MakeAgent, home: World, task: str, spec: dict[str, Any], detail: str, cause: str
) -> None:
    seen = agent(task, **spec).finish()
    assert seen.state == "failed"
    assert seen.detail.startswith(detail.replace("HOME", str(home.home)))
    assert seen.cause == cause
    assert "Traceback" not in seen.detail


def test_a_killed_claude_is_told_as_such(agent: MakeAgent) -> None:
    run = agent("[[slow 1 300]][[text a long story]]")
    run.until(lambda seen: seen.state == "working")
    os.kill(run.seen().pid, signal.SIGKILL)
    seen = run.finish()
    assert (seen.state, seen.detail, seen.exit_signal) == ("failed", "killed by SIGKILL", signal.SIGKILL)


def test_its_time_is_limited_and_it_may_stop_its_turn(agent: MakeAgent) -> None:
    run = agent("[[slow 1 300]][[text a long story]]", max_hours=0.0014)
    seen = run.finish()
    assert (seen.state, seen.detail) == ("failed", "stopped after 0.0014 h (max_hours)")
    assert "interrupted" in said(run)


# -- the end


def test_end_takes_along_what_its_tools_have_started(agent: MakeAgent) -> None:
    run = agent('[[tool Bash {"command":"setsid sleep 300 & echo $!; touch x"}]][[slow 1 300]][[text long]]')
    assert run.ask(**request(question(run), "allow")) == ""
    result = wait_for(lambda: [record.body for record in run.log() if b'"tool_result"' in record.body])
    sleeper = int(json.loads(result[0])["message"]["content"][0]["content"].split()[0])
    claude = run.seen().pid
    assert alive(sleeper)
    assert run.ask(do="end", why="enough") == ""
    assert not alive(sleeper)
    assert not alive(claude)
    assert (run.finish().state, run.seen().detail) == ("done", "enough")


# -- what it is given


def test_task_options_and_session_reach_it(agent: MakeAgent, api: Api) -> None:
    nasty = "quote ' \" `x` $(touch never) ; 🎛️\n" * 5_000
    first = agent(nasty + "[[text one]]", max_output_tokens=1234, model="claude-sonnet-5-5").finish()
    asked = api.requests(main=True)[-1]["body"]
    assert (asked["max_tokens"], asked["model"], first.model) == (1234, "claude-sonnet-5-5", "claude-sonnet-5-5")
    assert any(nasty in part for part in texts(asked))
    second = agent("[[text two]]", resume=first.session).finish()
    assert second.session == first.session
    assert len(api.requests(main=True)[-1]["body"]["messages"]) > len(asked["messages"])


def test_events_are_kept_as_they_came_but_for_keys(agent: MakeAgent) -> None:
    run = agent("[[text my key is sk-ant-api03-abcdefgh]]")
    run.finish()
    events = [json.loads(record.body) for record in run.log() if record.stream == "a"]
    assert [event["type"] for event in events] == ["system", "assistant", "result"]
    assert events[1]["message"]["content"][0]["text"] == "my key is sk-ant-…"
    assert "tools" in events[0]


# -- models


def test_another_model_holds_from_its_next_request_on(agent: MakeAgent, api: Api) -> None:
    run = agent(ASK + "[[text all done]]", model="opus")
    asked = question(run)
    assert "opus" in run.seen().model
    assert run.ask(**request_fields(SetModel("haiku"))) == ""
    assert run.until(lambda seen: "haiku" in seen.model)
    seen = answered(run, "allow")
    models = [call["body"]["model"] for call in api.requests(main=True)]
    assert ("opus" in models[0], "haiku" in models[-1], "haiku" in seen.model) == (True, True, True)
    assert (seen.state, asked.tool) == ("done", "Bash")
    assert "to go on with the model haiku" in said(run)


# -- what an organisation does not let in


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        ("429", "enforced_spend_limit_reached", "spend-cap"),
        ("429", "contract_spend_limit_reached", "spend-cap"),
        ("403", "oauth_org_not_allowed", "organisation"),
        ("403", "", "organisation"),
    ],
)
def test_a_spend_cap_and_a_disabled_organisation_are_causes_of_their_own(
    agent: MakeAgent, api: Api, status: str, code: str, cause: str
) -> None:
    api.configure(mode=status, error_message="not now", error_details={"error_code": code} if code else None)
    seen = agent("[[text hello]]").finish()
    assert (seen.state, seen.cause, seen.limited_until) == ("failed", cause, 0)
    assert "not now" in seen.detail or "organization" in seen.detail


@pytest.mark.parametrize(
    ("words", "spec", "cause"),
    [
        ("This organization has been disabled.", {}, "organisation"),
        ("This organization has been disabled.", {"without": ("ANTHROPIC_AUTH_TOKEN",), **BY_KEY}, "organisation"),
        ("messages: at least one message is required", {}, "none"),
    ],
    ids=["by a token", "by a key", "another fault"],
)
def test_a_400_that_says_that_its_organisation_is_disabled_is_no_fault_of_the_task(
    agent: MakeAgent, api: Api, words: str, spec: dict[str, Any], cause: str
) -> None:
    api.configure(mode=400, error_message=words)
    seen = agent("[[text hello]]", **spec).finish()
    assert (seen.state, seen.cause) == ("failed", cause)
