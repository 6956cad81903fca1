"""What people read of an agent: recorded events, log records, and whatever else may come."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.text.event_text import (
    ASKED_LIMIT,
    LINE_LIMIT,
    Line,
    asked,
    last_words,
    money,
    record_lines,
    retry_words,
    speak,
    tool_line,
)
from tests.runner.recorded import NAMES, events
from tests.text.mangled import mangled

KINDS = {"say", "tool", "result", "error", "ask", "note", "think", "done"}


def said(name: str) -> list[tuple[str, str]]:
    return [(line.kind, line.text) for event in events(name) for line in speak(event)]


def test_a_run_with_a_question() -> None:
    assert said("allowed") == [
        ("note", "claude-opus-5-5 · default · /home/agent/project"),
        ("tool", "Bash  touch made.txt"),
        ("ask", "Bash  touch made.txt"),
        ("result", "(Bash completed with no output)"),
        ("say", "all done"),
        ("done", "done · 2 turns · $0.07"),
    ]


def test_a_denial_is_seen_and_counted() -> None:
    assert said("denied")[-3:] == [
        ("error", "not today"),
        ("say", "all done"),
        ("done", "done · 2 turns · $0.07 · 1 denied"),
    ]


def test_edits_say_how_much_they_changed() -> None:
    lines = said("edited")
    assert ("tool", "Edit  /home/agent/project/t.txt") in lines
    assert ("result", "/home/agent/project/t.txt  +1 −1") in lines
    assert ("think", "let me see") in lines


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("overloaded", ("error", "529 overloaded, retrying in 0.5 s (1 of 1)")),
        ("overloaded", ("error", "failed · 1 turn · $0.00")),
        ("rate_limited_once", ("error", "429 rate limit, retrying in 1 s (1 of 1)")),
        ("plan_limit", ("error", "5-hour limit used up")),
        ("not_logged_in", ("error", "Not logged in · Please run /login")),
        ("max_turns", ("error", "failed · Reached maximum number of turns (1) · 2 turns · $0.07")),
        ("interrupted", ("note", "interrupted")),
        ("asked_user", ("ask", "Which region?")),
        ("background", ("note", "background: sleep 2; echo bgdone")),
    ],
)
def test_what_recorded_runs_say(name: str, line: tuple[str, str]) -> None:
    assert line in [(kind, text.replace("in 0.6 s", "in 0.5 s")) for kind, text in said(name)]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_line_is_one_line_of_a_known_kind(name: str) -> None:
    assert said(name)
    assert all(kind in KINDS and text and "\n" not in text for kind, text in said(name))


def test_what_a_subagent_says_is_marked() -> None:
    event = {"type": "assistant", "parent_tool_use_id": "t1", "message": {"content": [{"type": "text", "text": "hi"}]}}
    assert speak(event) == [Line("say", "» hi")]


def test_long_results_are_cut_and_say_how_much_is_left_out() -> None:
    block = {"type": "tool_result", "content": "\n".join(f"row {n}" for n in range(100))}
    lines = speak({"type": "user", "message": {"content": [block]}})
    assert [line.text for line in lines] == ["row 0", "row 1", "row 2", "row 3", "row 4", "… 95 more lines"]


def test_questions_show_their_choices() -> None:
    given_ = events("asked_user")[1]["message"]["content"][0]["input"]
    assert asked("AskUserQuestion", given_) == "Which region?\n  1. eu-1 - Europe\n  2. us-1 - US"


def test_what_is_asked_is_told_in_full() -> None:
    assert asked("Bash", {"command": "git push\ngit log", "description": "send"}) == "git push\ngit log\nsend"
    assert asked("Write", {"file_path": "/a", "content": "x"}) == "/a\nx"
    assert asked("Strange", {}) == "Strange"
    assert tool_line("Bash", {"command": "one\ntwo"}) == "Bash  one …"
    assert (
        tool_line("TodoWrite", {"todos": [{"status": "completed"}, {"status": "pending"}]}) == "TodoWrite  1 of 2 done"
    )


def test_no_argument_looks_like_another() -> None:
    mail = {"file_path": "notes.txt", "to": "eve@example.com\nbody: nothing", "body": "all of it"}
    assert asked("mcp__mail__send", mail) == 'notes.txt\nto: "eve@example.com\\nbody: nothing"\nbody: all of it'


def test_an_argument_that_cannot_be_written_is_said() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert asked("Strange", {"command": "ls", "deep": deep}) == "ls\ndeep: a value that cannot be shown"


def test_money_reads_like_money() -> None:
    assert [money(0), money(0.0041), money(0.061547), money(12.4)] == ["$0.00", "$0.0041", "$0.06", "$12.40"]


@pytest.mark.parametrize(
    ("stream", "body", "kind", "words"),
    [
        ("o", b"plain \xff out", "say", "plain \ufffd out"),
        ("e", b"oh no\r", "error", "oh no"),
        ("n", b"ended", "note", "ended"),
        ("i", b"go on", "note", "you: go on"),
        ("a", b"{broken", "say", "{broken"),
        ("a", b'{"type":"assistant","message":{"content":"hello\\nthere"}}', "say", "there"),
    ],
)
def test_records_of_every_stream(stream: str, body: bytes, kind: str, words: str) -> None:
    assert record_lines(stream, body)[-1] == Line(kind, words)
    assert last_words(stream, body) == words


def test_last_words_skip_thoughts_and_silence() -> None:
    thought = {"type": "thinking", "thinking": "hm"}
    event: dict[str, Any] = {"type": "assistant", "message": {"content": [{"type": "text", "text": "done\n"}, thought]}}
    assert last_words("a", json.dumps(event).encode()) == "done"
    assert last_words("a", b'{"type":"nothing we know"}') == ""
    assert last_words("o", b"   ") == ""


@given(st.data(), st.sampled_from([event for name in NAMES for event in events(name)]))
def test_no_event_whatever_it_holds_makes_it_raise(data: st.DataObject, event: dict[str, Any]) -> None:
    kept = {key: mangled(value, data.draw) for key, value in event.items()}
    for line in speak({**kept, "type": event["type"]}):
        assert line.kind in KINDS
        assert "\n" not in line.text
        assert len(line.text) <= LINE_LIMIT + 300


@given(st.sampled_from("oeain"), st.binary(max_size=200))
def test_no_record_makes_it_raise(stream: str, body: bytes) -> None:
    assert "\n" not in last_words(stream, body)


def test_all_that_is_allowed_with_a_call_is_said() -> None:
    given_ = {
        "command": "ls",
        "dangerouslyDisableSandbox": True,
        "timeout": 5,
        "env": {"A": "b"},
        "run_in_background": False,
    }
    told = asked("Bash", given_)
    assert told == 'ls\ndangerouslyDisableSandbox: true\ntimeout: 5\nenv: {"A": "b"}\nrun_in_background: false'
    assert asked("mcp__db__run", {"name": "harmless", "sql": "drop table a"}) == "harmless\nsql: drop table a"
    assert len(asked("Write", {"file_path": "/a", "content": "x" * 90_000})) == ASKED_LIMIT + 1, (
        "it shows that it is cut"
    )


def test_a_connection_that_broke_is_told_as_no_answer_and_not_as_unknown() -> None:
    event = {"error": "unknown", "error_status": None, "retry_delay_ms": 600, "attempt": 1, "max_retries": 4}
    assert retry_words(event) == "no answer, retrying in 0.6 s (1 of 4)"
