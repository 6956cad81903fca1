"""What an interactive Claude is doing, from the shapes of its files; and texts on their way to it, without Claude."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controlroom.runner import process_tree
from controlroom.runner.claude import settings
from controlroom.runner.claude.interactive import BEGINS, DIALOG_AFTER, GOES_ON, UNTOLD, Interactive, prompt, squeezed
from controlroom.runner.claude.transcripts import RecentPieces, SessionFile, Transcript
from controlroom.runner.outcome import Exit, Refused, Unfit
from controlroom.runner.typed import PATIENCE, Keys, Pressed, Typed, as_text, plain
from controlroom.text.event_text import speak
from controlroom.text.states import State

SESSION = "92720a38-626a-404c-9d8e-76787be4c15d"


def line(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    message = {"role": kind, "content": content, "model": "claude-opus-5-5"}
    return {"type": kind, "sessionId": SESSION, "message": message, **more}


def call(ident: str, tool: str = "Bash") -> dict[str, Any]:
    return line("assistant", [{"type": "tool_use", "id": ident, "name": tool, "input": {"command": "ls"}}])


def result(ident: str) -> dict[str, Any]:
    return line("user", [{"type": "tool_result", "tool_use_id": ident, "content": "a\nb"}])


def bash(command: str) -> list[str]:
    """A screen with the prompt for a command."""
    rule, mark = "─" * 60, "╌" * 60
    rows = [
        rule,
        " Bash command",
        " look",
        mark,
        f" {command}",
        mark,
        " Do you want to proceed?",
        " ❯ 1. Yes",
        "   2. No",
    ]
    return [*rows, "", " Esc to cancel · Tab to amend"]


def told(*events: dict[str, Any], status: str = "idle", waits: str = "") -> Interactive:
    talk = Interactive(SESSION, "", 1_000)
    for event in events:
        talk.hear(event, 2_000)
    talk.look({"status": status, "waitingFor": waits, "sessionId": SESSION}, 3_000)
    return talk


# -- states


@pytest.mark.parametrize(
    ("status", "state", "detail"),
    [
        ("idle", "idle", ""),
        ("busy", "working", ""),
        ("shell", "working", "a background command still runs"),
        ("waiting", "waiting", "a dialog is open: attach to answer it"),
        ("tired", "unknown", "its session file says 'tired', which is not known here"),
    ],
)
def test_states_are_those_of_the_session_file(status: Any, state: str, detail: str) -> None:
    talk = Interactive(SESSION, "", 0)
    talk.look({"status": status}, 5)
    assert (talk.state, talk.detail, talk.question) == (state, detail, None)


def test_a_session_file_that_says_nothing_yet_is_one_of_a_claude_that_starts() -> None:
    talk = Interactive(SESSION, "", 0)
    talk.look({"sessionId": SESSION}, 5)
    assert (talk.state, talk.status) == ("starting", "")
    talk.look({"status": "idle"}, 10)
    assert talk.state == "idle"
    late = Interactive(SESSION, "", 0)
    late.look({"sessionId": SESSION}, DIALOG_AFTER)
    assert (late.state, late.detail) == ("unknown", "its session file says 'unknown', which is not known here")


LIMIT = line(
    "assistant", [{"type": "text", "text": "You've hit your weekly limit"}], isApiErrorMessage=True, error="rate_limit",
    apiErrorParams={"rate_limit_info": {"resetsAt": 1_800_000_000}},
)  # fmt: skip


def test_a_limit_stays_one_while_claude_asks_whether_to_wait_for_its_end() -> None:
    talk = told(line("user", "go"), LIMIT, status="waiting", waits="dialog open")
    assert (talk.state, talk.limited_until) == ("limited", 1_800_000_000_000)
    assert talk.detail == "You've hit your weekly limit; dialog open: attach to answer it"
    assert told(line("user", "go"), status="waiting", waits="dialog open").state == "waiting"
    assert told(LIMIT, status="waiting", waits="permission prompt").state == "waiting"


SAYS = line("assistant", [{"type": "text", "text": "done"}])
STOPPED = line("user", [{"type": "text", "text": "[Request interrupted by user]"}])


@pytest.mark.parametrize(
    ("events", "status", "state"),
    [
        ((line("user", "go"),), "busy", "failed"),
        ((line("user", "go"), call("a"), result("a")), "busy", "failed"),
        ((line("user", "go"), call("a")), "busy", "failed"),
        ((line("user", "go"), SAYS), "busy", "done"),
        ((line("user", "go"), STOPPED), "busy", "done"),
        ((line("user", "go"), LIMIT), "busy", "done"),
        ((line("user", "/clear"),), "idle", "done"),
        ((), "idle", "done"),
    ],
)
def test_one_that_ends_in_the_middle_of_a_turn_is_not_done(
    events: tuple[dict[str, Any], ...], status: str, state: str
) -> None:
    assert told(*events, status=status).over(Exit(code=0))[0] == state


def test_without_a_session_file_it_starts_and_then_stands_at_a_dialog() -> None:
    talk = Interactive(SESSION, "", 1_000)
    talk.look(None, 1_000 + DIALOG_AFTER - 1)
    assert talk.state == "starting"
    talk.look(None, 1_000 + DIALOG_AFTER)
    assert (talk.state, talk.detail) == ("waiting", "start-up dialog: attach to answer it")
    assert talk.wants_screen(1_000 + DIALOG_AFTER)
    talk.shows([" Quick safety check: Is this a project you created or one", " you trust?"], 15_000)
    assert not talk.wants_screen(15_100)
    talk.look(None, 15_100)
    assert talk.detail == "start-up dialog: it asks whether you trust its folder; attach to answer it"
    talk.look({"status": "idle"}, 20_000)
    assert (talk.state, talk.detail, talk.wants_screen(30_000)) == ("idle", "", False)


def test_it_is_not_idle_while_its_task_is_owed() -> None:
    talk = Interactive(SESSION, "", 0)
    talk.owed = State.STARTING, "its task is being typed"
    talk.look({"status": "idle"}, 1)
    assert (talk.state, talk.detail) == ("starting", "its task is being typed")


def test_a_permission_prompt_names_the_one_open_call() -> None:
    talk = told(call("t1"), result("t1"), call("t2"), status="waiting", waits="permission prompt")
    assert (talk.question, talk.wants_screen(3_000)) == (None, True)
    talk.shows(bash("ls"), 3_000)
    assert talk.question
    assert (talk.question.id, talk.detail, talk.wants_screen(9_000)) == ("t2", "asks: ls", False)


def test_of_two_open_calls_nobody_knows_which_is_asked_for() -> None:
    talk = told(call("t1"), call("t2"), status="waiting", waits="permission prompt")
    assert (talk.question, talk.detail) == (None, "permission prompt: attach to answer it")


def test_an_interrupt_and_an_api_error_stay_to_be_seen_until_the_next_prompt() -> None:
    broken = line("assistant", [{"type": "text", "text": "API Error: 500"}], isApiErrorMessage=True)
    assert told(broken).detail == "API Error: 500"
    assert told(broken, line("user", "go on")).detail == ""
    stopped = line("user", [{"type": "text", "text": "[Request interrupted by user for tool use]"}])
    assert told(call("t1"), stopped).detail == "interrupted"


def test_a_prompt_begins_a_turn_before_the_session_file_says_so() -> None:
    talk = Interactive(SESSION, "", 0)
    talk.look({"status": "idle", "statusUpdatedAt": 7}, 1_000)
    talk.hear(line("user", "go"), 1_000)
    talk.look({"status": "idle", "statusUpdatedAt": 7}, 1_100)
    assert talk.state == "working"
    talk.look({"status": "idle", "statusUpdatedAt": 8}, 1_200)
    assert talk.state == "idle"
    talk.hear(line("user", "<command-name>/cost</command-name>"), 1_300)
    talk.look({"status": "idle", "statusUpdatedAt": 8}, 1_300 + BEGINS)
    assert talk.state == "idle"


def test_a_turn_that_is_over_before_its_prompt_is_read_is_over() -> None:
    """The session file's time is that of the prompt's line, of one clock."""
    talk = Interactive(SESSION, "", 0)
    talk.look({"status": "idle", "statusUpdatedAt": 9_000}, 9_100)
    talk.hear({**line("user", "go"), "timestamp": "1970-01-01T00:00:08.900Z"}, 9_100)
    talk.look({"status": "idle", "statusUpdatedAt": 9_000}, 9_100)
    assert talk.state == "idle"
    talk.hear({**line("user", "more"), "timestamp": "1970-01-01T00:00:09.200Z"}, 9_300)
    talk.look({"status": "idle", "statusUpdatedAt": 9_000}, 9_300)
    assert talk.state == "working"


@pytest.mark.parametrize("params", ["apiErrorParams", "api_error_params"])
def test_a_plan_limit_is_limited_until_its_reset(params: str) -> None:
    info = {params: {"rate_limit_info": {"resetsAt": 1_795_314_342}}}
    said = [{"type": "text", "text": "5-hour limit"}]
    talk = told(line("assistant", said, isApiErrorMessage=True, error="rate_limit", **info))
    assert (talk.state, talk.detail, talk.limited_until) == ("limited", "5-hour limit", 1_795_314_342_000)
    file = {"status": "idle", "statusUpdatedAt": 7}
    talk.look(file, 1_795_314_342_000 + GOES_ON)
    assert talk.state == "limited"
    talk.look(file, 1_795_314_342_001 + GOES_ON)
    assert (talk.state, talk.detail) == ("idle", "its limit is over, and it has not gone on by itself")


def test_a_subagent_says_nothing_about_its_parent() -> None:
    assert told({**call("t1"), "isSidechain": True}, status="waiting", waits="permission prompt").question is None


def waiting(*events: dict[str, Any]) -> Interactive:
    return told(*events, status="waiting", waits="permission prompt")


def test_a_prompt_that_looks_like_a_secret_is_still_the_one_on_the_screen() -> None:
    talk, secret = waiting(), bash("curl -H 'x-api-key: sk-ant-api03-0123456789abcdefghijklmnop'")
    talk.shows(secret, 4_500)
    assert talk.question
    assert "0123456789abcdef" not in talk.question.text
    assert (talk.is_shown(secret), talk.is_shown(bash("ls"))) == (True, False)
    talk.shows([], 4_600)
    assert not talk.is_shown([])


def test_what_the_transcript_does_not_say_is_read_from_the_screen() -> None:
    talk = waiting()
    talk.shows(bash("ls"), 3_000 + UNTOLD - 1)
    assert (talk.question, talk.detail) == (None, "permission prompt: attach to answer it")
    talk.shows(bash("ls"), 3_000 + UNTOLD)
    assert (talk.detail, talk.question and talk.question.text) == ("asks: ls", "ls\nlook")


def test_a_question_that_was_read_stays_the_same_when_its_line_comes_late() -> None:
    talk = waiting()
    talk.shows(bash("ls"), 4_500)
    asked = talk.question
    talk.hear(call("1"), 4_600)
    talk.look({"status": "waiting", "waitingFor": "permission prompt", "sessionId": SESSION}, 4_700)
    talk.shows(bash("ls"), 4_700)
    assert asked is not None
    assert (talk.question, talk.is_shown(bash("ls"))) == (asked, True)


def test_a_line_that_comes_late_says_all_of_what_the_screen_shows_in_part() -> None:
    talk, rows = waiting(), (Path(__file__).parent / "screens" / "plan_small.txt").read_text().split("\n")
    rows.remove(rows[rows.index("   The plan") - 1])
    talk.shows(rows, 4_500)
    asked, given = talk.question, {"plan": "# The plan\n1. first\n1. second with code and words enough to be wrapped"}
    talk.hear(line("assistant", [{"type": "tool_use", "id": "1", "name": "ExitPlanMode", "input": given}]), 4_600)
    talk.look({"status": "waiting", "waitingFor": "permission prompt", "sessionId": SESSION}, 4_700)
    talk.shows(rows, 4_700)
    assert [asked and asked.cut, talk.question and talk.question.cut] == [True, False]


@pytest.mark.parametrize("tool", ["Bash", "Write"])
def test_a_prompt_that_is_not_the_open_calls_is_told_as_its_screen_says(tool: str) -> None:
    """The open call needed no permission and is under way; who asks is a subagent in the background."""
    talk = waiting(call("1", tool))
    for now in (3_000, 3_000 + UNTOLD - 1):
        talk.shows(bash("rm -rf build"), now)
        assert talk.question is None
    talk.shows(bash("rm -rf build"), 3_000 + UNTOLD)
    assert talk.question
    assert (talk.question.tool, talk.question.text) == ("Bash", "rm -rf build\nlook")
    assert [talk.is_shown(bash(command)) for command in ("rm -rf build", "ls")] == [True, False]


def test_an_answer_goes_to_no_other_prompt_of_the_same_tool() -> None:
    talk = waiting(call("1"))
    talk.shows(bash("ls"), 3_000)
    assert [talk.is_shown(bash(command)) for command in ("ls", "ls -a", "l s", "rm", "")] == [True, *[False] * 4]


def test_the_next_prompt_below_the_same_open_call_is_another_question() -> None:
    talk = waiting(call("1"))
    talk.shows(bash("ls"), 3_000)
    later = {"status": "waiting", "waitingFor": "permission prompt", "sessionId": SESSION, "statusUpdatedAt": 5}
    talk.look(later, 5_000)
    assert (talk.question, talk.wants_screen(5_000)) == (None, True)


def test_where_nothing_can_be_read_the_transcript_is_told_and_no_key_fits() -> None:
    talk = waiting(call("1"))
    for rows in ([], bash("ls")[5:]):
        talk.shows(rows, 3_000 + UNTOLD)
        assert talk.question
        assert (talk.question.id, talk.is_shown(rows)) == ("1", False)


def test_what_is_no_prompt_is_not_told_as_the_open_call() -> None:
    talk = told(call("1"), status="waiting", waits="dialog open")
    assert (talk.question, talk.detail) == (None, "dialog open: attach to answer it")


def test_another_text_on_the_screen_is_another_question_and_none_is_none() -> None:
    talk, seen = waiting(), []
    for words in ("ls", "ls", "rm"):
        talk.shows(bash(words), 4_500)
        seen.append(talk.question)
    assert seen[0] is seen[1]
    assert len({question.id for question in seen if question}) == 2
    talk.shows([], 7_500)
    assert talk.question is None
    assert talk.detail == "permission prompt: attach to answer it"


def test_a_question_from_the_screen_goes_when_nothing_waits() -> None:
    talk = waiting()
    talk.shows(bash("ls"), 4_500)
    talk.look({"status": "busy", "sessionId": SESSION}, 5_000)
    assert talk.question is None
    assert not talk.wants_screen(9_000)


# -- texts on their way


class Screen(Keys):
    """Keys that count what is pressed."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.cleared = 0
        self.rows: list[str] = []

    def screen(self) -> list[str]:
        return self.rows

    def clear(self, rows: int) -> None:
        self.cleared += 1

    def submit(self, text: str) -> None:
        self.done.append(text)

    def press(self, key: str) -> None:
        self.done.append(key)


def typed(words: str, status: str = "idle") -> tuple[Typed, Interactive, Screen, list[str]]:
    talk, keys = Interactive(SESSION, "", 0), Screen()
    ends: list[str] = []
    talk.status = status
    return Typed(words, talk, keys, ends.append), talk, keys, ends


def test_nothing_is_typed_before_claude_listens_and_has_the_terminal() -> None:
    text, talk, keys, _ = typed("hello", "")
    text.due(0, True)
    talk.status = "waiting"
    text.due(1, True)
    talk.status = "idle"
    text.due(2, False)
    assert keys.done == []
    text.due(3, True)
    assert keys.done == ["hello"]


def test_it_is_taken_when_the_transcript_shows_it_or_claude_gets_busy() -> None:
    text, talk, _, ends = typed("one\ttwo\nthree")
    text.due(1, True)
    text.hear(line("user", "something else"))
    assert ends == []
    text.hear(line("user", '\n\n<pasted_content id="bd76">\none    two\nthree\n</pasted_content id="bd76">\n'))
    assert ends == [""]
    text, talk, _, ends = typed("hello")
    text.due(1, True)
    talk.status = "busy"
    text.due(2, True)
    assert ends == [], "a hook may still refuse it"
    text.due(4, True)
    assert ends == [""]


def refused(words: str, reason: str = "not here") -> dict[str, Any]:
    ending = {"kind": "blocked_by_hook", "reason": reason}
    content = f"UserPromptSubmit operation blocked by hook:\n[x]: {reason}\n\n\nOriginal prompt: {words}"
    more = {"content": content, "preventContinuation": True, "promptSubmitEnding": {"ending": ending}}
    return {"type": "system", "subtype": "informational", **more}


def test_what_a_hook_refused_is_taken_back_also_late_and_what_a_person_typed_is_left() -> None:
    text, talk, keys, ends = typed("hello")
    text.due(1, True)
    text.turned_away(refused("of somebody else"))
    assert (ends, keys.cleared) == ([], 0)
    text.turned_away(refused("hello"))
    assert (ends, keys.cleared) == (["a hook refused it: not here"], 1)
    text, talk, keys, ends = typed("hello")
    text.due(1, True)
    talk.status = "busy"
    text.due(2, True)
    text.due(5, True)
    text.turned_away(refused("hello"))
    assert (ends, keys.cleared) == ([""], 1)


def test_beside_a_background_command_it_listens_too() -> None:
    text, talk, keys, ends = typed("hello", "shell")
    text.due(1, True)
    text.due(2, True)
    assert (keys.done, ends) == (["hello"], [])
    talk.status = "busy"
    text.due(3, True)
    text.due(5, True)
    assert ends == [""]


def test_during_a_turn_only_the_queue_shows_it() -> None:
    text, _, _, ends = typed("hello", "busy")
    text.due(1, True)
    text.due(2, True)
    assert ends == []
    text.hear({"type": "queue-operation", "operation": "enqueue", "content": "hello"})
    assert ends == [""]


def test_a_lost_enter_is_pressed_once_more_and_then_it_is_told() -> None:
    text, _, keys, ends = typed("hello")
    text.due(1, True)
    text.due(1 + PATIENCE / 2, True)
    assert keys.done == ["hello"]
    text.due(2 + PATIENCE, True)
    assert keys.done == ["hello", "Enter"]
    text.due(4 + 2 * PATIENCE, True)
    assert ends == ["it was typed, but Claude has not taken it: attach and look"]
    assert keys.done == ["hello", "Enter"]


def test_enter_is_not_pressed_into_a_dialog_that_has_come_up() -> None:
    text, talk, keys, ends = typed("hello", "busy")
    text.due(1, True)
    talk.status = "waiting"
    text.due(2 + PATIENCE, True)
    assert (keys.done, len(ends)) == (["hello"], 1)


HELD = [
    "─" * 120,
    "  Auto mode can't check actions in this session",
    "",
    "  Enter to stay in auto mode · shift+Tab to leave for accept edits mode and stop · Esc to cancel",
]
"""A part of a real screen of 2.1.332."""


def test_another_dialog_is_named_in_its_own_words_and_gets_no_key() -> None:
    screen = Screen()
    screen.rows = HELD
    with pytest.raises(
        Refused, match=r"another dialog \(Auto mode can't check actions in this session\); nothing was pressed: attach"
    ):
        Pressed("1", screen, 0.0, shown=lambda: False, certain=lambda: False, done=print)
    assert screen.done == []


@pytest.mark.parametrize(
    ("words", "text"), [("!rm x", "\n!rm x"), ("/src is broken", " /src is broken"), ("# a", "# a")]
)
def test_a_task_never_begins_as_a_command(words: str, text: str) -> None:
    assert as_text(words) == text
    assert as_text("/compact", commands=True) == "/compact"
    assert as_text("!ls", commands=True) == "\n!ls"


def test_no_key_comes_out_of_a_text() -> None:
    assert plain("a\x1b[201~\x03b\r\nc\rd\te\x9b") == "a␛[201~␃b\nc\nd\te\ufffd"
    assert squeezed("<pasted_content id=\"x\"> a\n b</pasted_content id='x'>") == "ab"


def test_without_a_pane_there_is_nothing_to_type_into() -> None:
    with pytest.raises(Unfit, match="needs a tmux pane"):
        Keys("/usr/bin/tmux", {})
    with pytest.raises(Refused, match="cannot be reached"):
        Keys("/nowhere/tmux", {"TMUX": "/tmp/none,1,0", "TMUX_PANE": "%0"}).press("Enter")


def test_prompts_are_told_from_other_lines() -> None:
    assert prompt(line("user", "hello")) == "hello"
    assert prompt(result("t1")) == ""
    assert prompt(line("user", "meta", isMeta=True)) == ""
    assert prompt(line("user", [{"type": "text", "text": "[Request interrupted by user]"}])) == ""


# -- files


def write(path: Path, *events: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def test_a_transcript_is_read_on_and_never_twice(tmp_path: Path) -> None:
    path = tmp_path / "projects" / "-a-b" / f"{SESSION}.jsonl"
    reader = Transcript(str(tmp_path), "/a/b", RecentPieces(lambda: False))
    reader.follow(SESSION)
    assert reader.read() == []
    write(path, line("user", "one"), {"type": "api-request", "sessionId": SESSION})
    assert [event["message"]["content"] for event, _ in reader.read()] == ["one"]
    assert reader.read() == []
    with path.open("a") as file:
        file.write('{"type":"user","message":{"con')
    assert reader.read() == []
    with path.open("a") as file:
        file.write('tent":"two"}}\n')
    assert [event["message"]["content"] for event, _ in reader.read()] == ["two"]
    path.write_text("")
    assert reader.read() == []
    write(path, line("user", "three"))
    assert [event["message"]["content"] for event, _ in reader.read()] == ["three"]


def test_of_a_session_that_goes_on_only_what_is_new_counts(tmp_path: Path) -> None:
    path = tmp_path / "projects" / "somewhere-else" / f"{SESSION}.jsonl"
    write(path, line("user", "old", timestamp="2026-11-22T05:00:00.000Z"))
    reader = Transcript(str(tmp_path), "/a/b", RecentPieces(lambda: False))
    reader.follow(SESSION, "2026-11-22T06:00:00")
    write(path, line("user", "new", timestamp="2026-11-22T06:00:00.100Z"))
    assert [event["message"]["content"] for event, _ in reader.read()] == ["new"]


def test_a_session_names_no_file_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "secret.jsonl", line("user", "secret"))
    reader = Transcript(str(tmp_path), "/a/b", RecentPieces(lambda: False))
    reader.follow("../../secret")
    assert reader.read() == []


def test_a_session_file_of_an_earlier_process_is_none(tmp_path: Path) -> None:
    import os

    pid = os.getpid()
    path = tmp_path / "sessions" / f"{pid}.json"
    write(path, {"pid": pid, "procStart": "1", "status": "idle"})
    reader = SessionFile(str(tmp_path), pid)
    assert reader.read() is None
    path.write_text(json.dumps({"pid": pid, "procStart": process_tree.started(pid), "status": "idle"}))
    found = reader.read()
    assert found
    assert found["status"] == "idle"
    path.write_text("{half")
    assert reader.read() == found
    path.unlink()
    assert reader.read() is None


def test_the_config_folder_is_the_users_own() -> None:
    assert settings.config_folder({"HOME": "/h"}, "/") == "/h/.claude"
    assert settings.config_folder({"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}, "/") == "/c"
    assert settings.config_folder({"HOME": "/h", "CLAUDE_CONFIG_DIR": "c"}, "/w") == "/w/c"


# -- what people read


def test_a_transcript_reads_like_a_conversation() -> None:
    events = [
        line("user", '<pasted_content id="x">\nfirst\nsecond\n</pasted_content id="x">'),
        call("t1"),
        {**result("t1"), "toolUseResult": {"filePath": "a.py", "structuredPatch": [{"lines": ["+x", "-y", "+z"]}]}},
        line("assistant", [{"type": "text", "text": "fine"}]),
        {"type": "system", "subtype": "turn_duration", "durationMs": 6_200, "sessionId": SESSION},
        line("user", "<command-name>/compact</command-name>"),
        line("user", "not for people", isMeta=True),
        line("user", [{"type": "text", "text": "[Request interrupted by user]"}]),
        {**call("t2"), "isSidechain": True},
    ]
    assert [(one.kind, one.text) for event in events for one in speak(event)] == [
        ("note", "you: first"),
        ("note", "you: second"),
        ("tool", "Bash  ls"),
        ("result", "a.py  +2 −1"),
        ("say", "fine"),
        ("done", "done · 6 s"),
        ("note", "you: /compact"),
        ("note", "interrupted"),
        ("tool", "» Bash  ls"),
    ]


def test_a_prompt_below_a_subagent_is_read_from_the_screen_and_not_told_as_the_call_of_the_subagent() -> None:
    for tool in ("Agent", "Task"):
        talk = waiting(call("1", tool))
        talk.shows(bash("ls"), 9_000)
        assert talk.question
        assert talk.question.id.startswith("screen-")


def test_two_prompts_under_one_id_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zlib.crc32", lambda _text: 7)  # as a model can have it, that chooses its words
    talk, asked, other = waiting(), bash("ls"), bash("rm -rf ~")
    talk.shows(asked, 4_500)
    first = talk.question
    talk.shows(other, 4_600)
    assert first
    assert talk.question
    assert (talk.question.text, talk.question.digest == first.digest) == ("rm -rf ~\nlook", False)
    assert (talk.is_shown(asked), talk.is_shown(other)) == (False, True)
