"""The driver of Claude's control channel, fed with recorded events and with whatever else may come."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.runner.claude.channel import Conversation, command_line, new_session
from controlroom.runner.claude.questions import ASKS, Question, ask, proposed
from controlroom.runner.outcome import Exit, Refused
from controlroom.text.event_text import ASKED_LIMIT
from controlroom.text.states import Cause, ItemAnswer, State
from controlroom.wire.spec import AgentSpec
from tests.lab.answering import answer_to, chosen
from tests.runner.recorded import NAMES, events
from tests.text.mangled import mangled


def played(name: str, until: str = "") -> Conversation:
    """A conversation that has heard a recorded run, up to the first event of type `until`."""
    talk = Conversation()
    talk.begin("task")
    for at, event in enumerate(events(name)):
        talk.feed(event, 1000 + at)
        if event["type"] == until:
            break
    return talk


def written(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_the_task_is_the_first_message_whatever_it_holds() -> None:
    task = "quote ' \" `x` $(rm) ;\n\n😀 \ud800\x00"
    (line,) = written(Conversation().begin(task))
    assert line == {"type": "user", "message": {"role": "user", "content": task}}


def test_a_question_waits_and_its_answer_goes_on() -> None:
    talk = played("allowed", until="control_request")
    assert (talk.state, talk.detail) == (State.WAITING, "asks: touch made.txt")
    assert talk.question
    assert talk.question.text == "touch made.txt\nmake a file"
    (line,) = written(talk.answer(answer_to(talk.question, "allow"), 5))
    response = line["response"]["response"]
    assert response == {
        "behavior": "allow",
        "updatedInput": {"command": "touch made.txt", "description": "make a file"},
    }
    assert talk.state is State.WORKING
    assert talk.question is None


def test_an_answer_for_another_question_is_refused_and_changes_nothing() -> None:
    talk = played("allowed", until="control_request")
    with pytest.raises(Refused, match="no longer open"):
        talk.answer(answer_to(talk.question, "allow")._replace(question="another"), 5)
    with pytest.raises(Refused, match="allow, always or deny"):
        talk.answer(answer_to(talk.question, "perhaps"), 5)
    assert talk.state is State.WAITING


def test_always_grants_the_rule_for_this_session_and_no_more() -> None:
    talk = played("allowed", until="control_request")
    asked = talk.question
    assert asked
    (line,) = written(talk.answer(answer_to(asked, "always"), 5))
    granted = line["response"]["response"]["updatedPermissions"]
    folder = granted[1]["directories"][0]
    assert granted == [
        {
            "type": "addRules",
            "rules": [{"toolName": "Bash", "ruleContent": "touch made.txt"}],
            "behavior": "allow",
            "destination": "session",
        },
        {"type": "addDirectories", "directories": [folder], "destination": "session"},
    ]
    assert asked.always == ("Bash: touch made.txt", f"the folder {folder} and all below it, as if it were its own")


def rules(*rules: object, behavior: str = "allow", kind: str = "addRules") -> dict[str, Any]:
    return {"type": kind, "rules": list(rules), "behavior": behavior, "destination": "localSettings"}


def rule(tool: object, *content: object) -> dict[str, Any]:
    return {"toolName": tool, **({"ruleContent": content[0]} if content else {})}


def folders(*folders: object) -> dict[str, Any]:
    return {"type": "addDirectories", "directories": list(folders), "destination": "userSettings"}


def mode(mode: object) -> dict[str, Any]:
    return {"type": "setMode", "mode": mode, "destination": "session"}


BEGINS = "Bash: whatever begins with: "
EDITING = "edits of files in its folders, without asking (mode acceptEdits)"


@pytest.mark.parametrize(
    ("suggestions", "words"),
    [
        ([rules(rule("Bash", "git push *"), rule("Bash", "npm:*"))], [f"{BEGINS}git push", f"{BEGINS}npm"]),
        ([rules(rule("Bash", "git * main"))], ["Bash: git * main"]),
        ([rules(rule("Read", "//etc/**"))], ["Read: //etc/**"]),
        ([rules(rule("WebSearch"))], ["every use of WebSearch"]),
        ([rules(rule("Bash", "*"))], ["every use of Bash"]),
        ([rules(rule("Bash", ""))], ["every use of Bash"]),
        ([rules(rule("Bash", " :*"))], ["every use of Bash"]),
        ([mode("acceptEdits")], [EDITING]),
        ([mode("acceptEdits"), folders("/x")], ["the folder /x and all below it, as if it were its own", EDITING]),
        ([rules(rule("Bash", "ls")), mode("acceptEdits")], ["Bash: ls"]),
        ([folders("/")], ["every folder there is (/), as if it were its own"]),
    ],
)  # fmt: skip
def test_what_always_allows_is_said_in_words(suggestions: list[dict[str, Any]], words: list[str]) -> None:
    assert [part.words for part in proposed(suggestions)] == words
    assert {part.update["destination"] for part in proposed(suggestions)} == {"session"}


@pytest.mark.parametrize(
    "hostile",
    [
        mode("bypassPermissions"),
        mode("dontAsk"),
        mode("auto"),
        mode(["acceptEdits"]),
        rules(rule("Bash", "ls"), behavior="deny"),
        rules(rule("Bash", "ls"), behavior=""),
        rules(rule("Bash", "ls"), kind="replaceRules"),
        rules(rule("Bash", "ls"), kind="removeRules"),
        rules(rule("Bash", ["ls"]), rule(""), rule(None), rule(7, "x"), "Bash"),
        rules(rule("Bash", "ls\nrm -rf /")),
        rules(rule("Bash", "ls \u202e/ fr- mr")),
        rules(rule("Bash", "x" * 400)),
        rules(rule("Bash", "login sk-ant-api03-" + "k" * 60)),
        folders("/tmp/../", "/tmp/..", "../..", "~", ".", "", 7, None, "/tmp\n/etc"),
        {"type": "addDirectories", "directories": "/etc"},
        {"type": ["addRules"]},
        {},
    ],
)
def test_what_always_must_not_allow_or_cannot_be_shown_is_not_granted(hostile: dict[str, Any]) -> None:
    assert proposed([hostile]) == ()
    assert [part.words for part in proposed([hostile, rules(rule("Bash", "ls"))])] == ["Bash: ls"]


def test_of_a_thousand_rules_those_are_granted_that_are_shown() -> None:
    talk = asking([rules(*(rule("Bash", f"one {number}") for number in range(1000))), folders("/")])
    assert talk.question
    shown = talk.question.always
    assert shown == tuple(f"Bash: one {number}" for number in range(12))
    (line,) = written(talk.answer(answer_to(talk.question, "always"), 5))
    granted = line["response"]["response"]["updatedPermissions"]
    assert [part["rules"][0]["ruleContent"] for part in granted] == [f"one {number}" for number in range(12)]


def test_always_is_refused_where_nothing_is_proposed_and_the_question_stays_open() -> None:
    talk = asking([mode("bypassPermissions")])
    assert talk.question
    with pytest.raises(Refused, match="nothing that `always` could allow"):
        talk.answer(answer_to(talk.question, "always"), 5)
    assert written(talk.answer(answer_to(talk.question, "allow"), 5))


def test_an_answer_to_a_question_that_would_allow_something_else_is_refused() -> None:
    talk, other = asking([rules(rule("Bash", "ls"))]), asking([rules(rule("Bash", "*"))])
    assert talk.question
    assert other.question
    with pytest.raises(Refused, match="something else than what was shown"):
        other.answer(answer_to(talk.question, "always"), 5)


def asking(suggestions: list[dict[str, Any]]) -> Conversation:
    """A conversation with an open question about a command."""
    talk = Conversation()
    asks = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "ls"}}
    event = {"type": "control_request", "request_id": "q1", "request": {**asks, "permission_suggestions": suggestions}}
    talk.feed(event, 1)
    return talk


def test_a_denial_says_why() -> None:
    talk = played("denied", until="control_request")
    assert talk.question
    (line,) = written(talk.answer(answer_to(talk.question, "deny", "use ls"), 5))
    assert line["response"]["response"] == {"behavior": "deny", "message": "use ls"}


@pytest.mark.parametrize(
    ("answer", "told"), [(chosen(2), "us-1"), (chosen(words="neither"), "neither"), (chosen(words="9"), "9")]
)
def test_a_question_to_the_user_is_answered_by_number_or_in_words(answer: ItemAnswer, told: str) -> None:
    talk = played("asked_user", until="control_request")
    assert talk.question
    assert (talk.detail, talk.question.kind) == ("asks: Which region?", "choices")
    (line,) = written(talk.answer(answer_to(talk.question, "allow", "", answer), 5))
    assert line["response"]["response"]["updatedInput"]["answers"] == {"Which region?": told}


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (chosen(),),
        (chosen(3),),
        (chosen(0),),
        (chosen(-1),),
        (chosen(1, 2),),
        (chosen(1), chosen(1)),
        (chosen(words=" "),),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_the_question_stays_open(answers: tuple[ItemAnswer, ...]) -> None:
    talk = played("asked_user", until="control_request")
    with pytest.raises(Refused):
        talk.answer(answer_to(talk.question, "allow", "us-1", *answers), 5)
    assert (talk.state, talk.question is None) == (State.WAITING, False)


def test_an_answer_to_what_was_shown_before_under_the_same_id_is_refused() -> None:
    talk = played("allowed", until="control_request")
    shown = answer_to(talk.question, "allow")
    event = events("allowed")[2]
    assert event["type"] == "control_request"
    event["request"]["input"]["command"] = "rm -rf /"
    talk.feed(event, 6)
    assert talk.question
    assert talk.question.id == shown.question
    with pytest.raises(Refused, match="something else than what was shown"):
        talk.answer(shown, 7)
    with pytest.raises(Refused, match="something else than what was shown"):
        talk.answer(shown._replace(digest=""), 7)
    assert talk.state is State.WAITING


def test_a_result_takes_the_open_questions_with_it() -> None:
    talk = played("allowed", until="control_request")
    talk.feed(events("overloaded")[-1], 5)
    assert talk.state is State.IDLE
    assert talk.question is None


def test_words_with_an_ordinary_permission_become_a_message() -> None:
    talk = played("allowed", until="control_request")
    assert talk.question
    allowed, message = written(talk.answer(answer_to(talk.question, "allow", "and hurry"), 5))
    assert (allowed["type"], message["message"]["content"]) == ("control_response", "and hurry")


def test_a_plan_is_shown_when_leaving_plan_mode_is_asked() -> None:
    talk = played("plan", until="control_request")
    assert talk.question
    assert talk.question.text == "1. read\n2. write"


def test_what_is_allowed_with_a_plan_is_shown_with_it() -> None:
    talk = played("plan", until="assistant")
    told = events("plan")
    for event in told[: next(number for number, event in enumerate(told) if event["type"] == "control_request") + 1]:
        changed = json.loads(json.dumps(event))
        for block in changed.get("message", {}).get("content", []):
            if isinstance(block, dict) and block.get("name") == "ExitPlanMode":
                block["input"]["allowedPrompts"] = [{"tool": "Bash", "prompt": "anything"}]
        talk.feed(changed, 1000)
    assert talk.question
    assert talk.question.text == '1. read\n2. write\nallowedPrompts: [{"tool": "Bash", "prompt": "anything"}]'


def test_a_withdrawn_question_vanishes() -> None:
    talk = played("interrupted_question", until="control_cancel_request")
    assert (talk.question, talk.state) == (None, State.WORKING)


def test_several_questions_are_answered_in_their_order() -> None:
    talk = played("allowed", until="control_request")
    first = talk.question
    event = events("denied")[2]
    talk.feed(event, 2000)
    assert first
    assert talk.question == first
    talk.answer(answer_to(first, "allow"), 5)
    assert talk.state is State.WAITING
    assert talk.question
    assert talk.question.id == event["request_id"]


def test_an_unknown_control_request_is_answered_so_that_claude_need_not_wait() -> None:
    hook = {"type": "control_request", "request_id": "h1", "request": {"subtype": "hook_callback"}}
    (line,) = written(Conversation().feed(hook, 1))
    assert (line["response"]["subtype"], line["response"]["request_id"]) == ("error", "h1")


def test_the_end_of_a_turn_is_the_end_of_input() -> None:
    talk = played("allowed")
    at = talk.may_close_at
    assert at is not None
    assert at < 2000
    talk.closed()
    assert talk.may_close_at is None
    with pytest.raises(Refused, match="finished"):
        talk.message("more")
    assert talk.over(Exit(0)) == (State.DONE, "")


def test_input_stays_open_while_a_background_task_runs_and_a_while_after() -> None:
    talk = Conversation(settle=4000)
    talk.begin("task")
    recorded = events("background")
    results = [index for index, event in enumerate(recorded) if event["type"] == "result"]
    for event in recorded[: results[0] + 1]:
        talk.feed(event, 1000)
    assert (talk.may_close_at, talk.detail) == (None, "waits for sleep 2; echo bgdone")
    ended = next(index for index, event in enumerate(recorded) if event.get("tasks") == [])
    for event in recorded[results[0] + 1 : ended + 1]:
        talk.feed(event, 3000)
    assert talk.may_close_at == 7000
    for event in recorded[ended + 1 :]:
        talk.feed(event, 3500)
    assert talk.may_close_at == 7500
    assert talk.over(Exit(0)) == (State.DONE, "")


def test_a_message_in_a_turn_keeps_input_open_until_nothing_more_begins() -> None:
    talk = Conversation(settle=4000)
    talk.begin("task")
    recorded = events("message_in_turn")
    talk.feed(recorded[0], 1000)
    talk.message("second")
    for event in recorded[1:]:
        talk.feed(event, 2000)
        assert event["type"] != "system" or talk.may_close_at is None
    assert talk.may_close_at == 6000


def test_an_interrupt_leaves_it_idle_until_a_message_comes() -> None:
    talk = Conversation()
    talk.begin("task")
    recorded = events("interrupted")
    talk.feed(recorded[0], 1000)
    assert written(talk.interrupt("i1"))[0]["request"] == {"subtype": "interrupt"}
    end = next(index for index, event in enumerate(recorded) if event["type"] == "result")
    for event in recorded[1 : end + 1]:
        talk.feed(event, 2000)
    assert (talk.state, talk.may_close_at) == (State.IDLE, None)
    talk.message("go on")
    assert talk.state is State.WORKING
    for event in recorded[end + 1 :]:
        talk.feed(event, 3000)
    assert talk.may_close_at == 3000
    assert talk.over(Exit(0)) == (State.DONE, "")


def test_nothing_can_be_interrupted_when_no_turn_is_on() -> None:
    for talk in (Conversation(), played("allowed")):
        with pytest.raises(Refused, match="not working"):
            talk.interrupt("i1")


def test_an_interrupt_nobody_asked_for_is_a_failure_even_with_exit_0() -> None:
    talk = Conversation()
    talk.begin("task")
    for event in events("interrupted")[:5]:
        talk.feed(event, 1)
    assert talk.over(Exit(0)) == (State.FAILED, "interrupted by a signal")


@pytest.mark.parametrize(
    ("name", "state", "detail"),
    [
        ("allowed", State.DONE, ""),
        ("denied", State.DONE, "done, 1 denied"),
        ("overloaded", State.FAILED, "API Error: 529 Overloaded"),
        ("rate_limited", State.LIMITED, "API Error: Request rejected (429)"),
        ("plan_limit", State.LIMITED, "You've hit your 5-hour limit"),
        ("not_logged_in", State.FAILED, "not logged in: run `claude` on the host once"),
        ("login_refused", State.FAILED, "the login was refused: "),
        ("max_turns", State.FAILED, "Reached maximum number of turns (1); raise max_turns"),
        ("budget", State.FAILED, "Reached maximum budget ($0.01); raise max_budget_usd"),
    ],
)
def test_what_becomes_of_recorded_runs(name: str, state: State, detail: str) -> None:
    talk = played(name)
    found = talk.over(Exit(0 if state is State.DONE else 1))
    assert found[0] is state
    assert found[1].startswith(detail)
    assert bool(found[1]) == bool(detail)
    causes = {
        "not_logged_in": Cause.NO_LOGIN,
        "login_refused": Cause.LOGIN_REFUSED,
        "overloaded": Cause.OVERLOADED,
        "budget": Cause.COST,
    }
    assert talk.cause is causes.get(name, Cause.NONE)


def test_a_plan_limit_says_until_when() -> None:
    talk = played("plan_limit")
    reset = events("plan_limit")[1]["rate_limit_info"]["resetsAt"]
    assert (talk.state, talk.limited_until) == (State.LIMITED, reset * 1000)


def test_the_end_of_a_window_is_not_told_of_another_limit() -> None:
    recorded = events("plan_limit")
    result = {key: value for key, value in recorded[-1].items() if key != "api_error"}
    talk = Conversation()
    talk.begin("task")
    for event in (*recorded[:2], events("allowed")[0], result):
        talk.feed(event, 1000)
    assert talk.over(Exit(1))[0] is State.LIMITED
    assert talk.limited_until == 0


def test_the_message_of_an_error_says_when_its_limit_ends() -> None:
    params = {"rate_limit_info": {"status": "rejected", "resetsAt": 2_000_000_000}}
    error = {"type": "assistant", "is_api_error_message": True, "error": "rate_limit", "api_error_params": params}
    talk = Conversation()
    talk.begin("task")
    for event in (events("plan_limit")[0], error, events("plan_limit")[-1]):
        talk.feed(event, 1000)
    assert (talk.over(Exit(1))[0], talk.limited_until) == (State.LIMITED, 2_000_000_000_000)


def test_a_retry_after_429_is_a_limit_that_passes() -> None:
    recorded = events("rate_limited_once")
    talk = Conversation()
    talk.begin("task")
    for event in recorded[:2]:
        talk.feed(event, 10_000)
    assert (talk.state, talk.limited_until) == (State.LIMITED, 10_000 + recorded[1]["retry_delay_ms"])
    assert talk.detail.startswith("429 rate limit, retrying in 1 s")
    talk.feed(recorded[2], 12_000)
    assert (talk.state, talk.detail, talk.limited_until) == (State.WORKING, "", 0)


def test_other_retries_are_work_with_a_word_about_it() -> None:
    talk = Conversation()
    talk.begin("task")
    for event in events("overloaded")[:2]:
        talk.feed(event, 1)
    assert (talk.state, talk.detail[:14]) == (State.WORKING, "529 overloaded")


@pytest.mark.parametrize(
    ("ended", "detail"),
    [
        (Exit(0), "it ended without a result"),
        (Exit(2), "exit 2"),
        (Exit(signal=11), "killed by SIGSEGV"),
        (Exit(signal=9, starved=True), "probably out of memory"),
        (Exit(signal=9), "killed by SIGKILL"),
    ],
)
def test_an_end_without_a_result_is_a_failure(ended: Exit, detail: str) -> None:
    assert Conversation().over(ended) == (State.FAILED, detail)


def test_a_signal_after_a_good_result_is_still_a_failure() -> None:
    assert played("allowed").over(Exit(signal=11)) == (State.FAILED, "killed by SIGSEGV")
    assert played("allowed").over(Exit(3)) == (State.FAILED, "exit 3")


def test_init_tells_model_and_session() -> None:
    talk = played("allowed")
    assert (talk.model, talk.session) == ("claude-opus-5-5", events("allowed")[0]["session_id"])


def test_a_retry_elsewhere_does_not_hide_a_question() -> None:
    talk = played("allowed", until="control_request")
    talk.feed(events("rate_limited_once")[1], 3000)
    talk.feed(events("plan_limit")[1], 3000)
    assert (talk.state, talk.limited_until) == (State.WAITING, 0)


def test_evidence_names_the_event_that_decided() -> None:
    talk = played("plan_limit")
    assert talk.seen
    assert (talk.seen.state, talk.seen.value) == (State.LIMITED, "result api_error 429")


def test_the_command_line_holds_what_the_profile_says_and_no_task() -> None:
    spec = AgentSpec(
        model="opus", permission_mode="acceptEdits", max_turns=3, max_budget_usd="1.50", fallback=("sonnet", "haiku")
    )
    argv = command_line("/bin/claude", (), spec, "sess")
    assert argv[:2] == ["/bin/claude", "-p"]
    assert argv[argv.index("--session-id") + 1] == "sess"
    assert [argv[argv.index(name) + 1] for name in ("--model", "--max-turns", "--max-budget-usd")] == [
        "opus",
        "3",
        "1.50",
    ]
    assert argv[argv.index("--fallback-model") + 1] == "sonnet,haiku"
    resumed = command_line("/bin/claude", ("--debug",), AgentSpec(resume="old"), "sess")
    assert resumed[1] == "--debug"
    assert ("--session-id" in resumed, resumed[resumed.index("--resume") + 1]) == (False, "old")
    assert "--model" not in resumed


def test_a_new_session_is_a_uuid() -> None:
    assert new_session(bytes(range(16))) == "00010203-0405-4607-8809-0a0b0c0d0e0f"


@given(st.data(), st.sampled_from(NAMES))
def test_no_event_whatever_it_holds_makes_it_raise(data: st.DataObject, name: str) -> None:
    talk = Conversation()
    talk.begin("task")
    for at, event in enumerate(events(name)):
        kept = {key: mangled(value, data.draw) for key, value in event.items()}
        for line in written(talk.feed({**kept, "type": event["type"]}, at)):
            assert line["type"] == "control_response"
        assert talk.limited_until >= 0
        assert len(talk.detail) < 1000
        if talk.question and data.draw(st.booleans()):
            talk.answer(answer_to(talk.question, "deny", "words"), at)
        assert (talk.state is State.WAITING) == (talk.question is not None)
    state, detail = talk.over(data.draw(st.sampled_from([Exit(0), Exit(1), Exit(signal=9)])))
    assert state in (State.DONE, State.FAILED, State.LIMITED)
    assert isinstance(detail, str)


@pytest.mark.parametrize("size", [20_000, ASKED_LIMIT + 1])
def test_what_is_longer_than_can_be_shown_is_only_turned_down(size: int) -> None:
    talk = played("allowed", until="control_request")
    event = events("allowed")[2]
    event["request"]["input"]["command"] = "x" * size
    talk.feed(event, 6)
    assert talk.question
    cut = size > ASKED_LIMIT
    assert talk.question.cut is cut
    assert cut or talk.question.text.count("x") >= size, "all of it is shown"
    if cut:
        with pytest.raises(Refused, match="more than can be shown"):
            talk.answer(answer_to(talk.question, "allow"), 7)
    assert b"control_response" in talk.answer(answer_to(talk.question, "deny" if cut else "allow"), 7)


def test_choices_that_are_longer_than_can_be_shown_are_cut() -> None:
    def of(label: str = "a", more: int = 1) -> Question:
        options = [{"label": label, "description": "", "preview": ""}]
        asks = [{"question": "Which?", "header": "", "options": options}] * more
        return ask("q", ASKS, {"questions": asks}, 1)

    assert (of().cut, of("a" * 300).cut) == (False, False)
    assert (of("a" * 301).cut, of(more=7).cut) == (True, True)


def test_a_model_holds_once_claude_says_so_and_a_refusal_is_told_in_its_words() -> None:
    talk, told = Conversation(model="opus"), list[str]()
    (asked,) = written(talk.set_model("haiku", "m1", told.append))
    assert (asked["request_id"], asked["request"]) == ("m1", {"subtype": "set_model", "model": "haiku"})
    assert (talk.model, told) == ("opus", [])
    talk.feed({"type": "control_response", "response": {"subtype": "success", "request_id": "m1"}}, 1)
    assert (talk.model, told) == ("haiku", [""])
    talk.set_model("x", "m2", told.append)
    talk.feed({"type": "control_response", "response": {"subtype": "error", "request_id": "m2", "error": "no x"}}, 2)
    assert (talk.model, told[1:]) == ("haiku", ["Claude refused it: no x"])
    for model, parent in (("claude-haiku-5-5", None), ("claude-sonnet-5", "toolu_1"), ("<synthetic>", None)):
        talk.feed({"type": "assistant", "message": {"model": model}, "parent_tool_use_id": parent}, 3)
    assert talk.model == "claude-haiku-5-5"
