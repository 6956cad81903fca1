"""What home is told of a call: all of its input, or nothing that a rule could take for all of it."""

import json
from typing import Any

import pytest

from controlroom.runner.claude.channel import Conversation
from controlroom.runner.claude.questions import INPUT_LIMIT, Question, answer_words, ask
from controlroom.text.states import Verdict
from controlroom.wire.messages import QuestionSeen
from controlroom.wire.runner import Answer, digest_of


def asked(tool: str = "Bash", **given: Any) -> Question:
    """What an agent asks over its control channel."""
    talk = Conversation()
    request = {"subtype": "can_use_tool", "tool_name": tool, "input": given}
    talk.feed({"type": "control_request", "request_id": "q1", "request": request}, 1)
    assert talk.question
    return talk.question


def test_the_whole_input_is_told_and_its_digest_is_of_that_too() -> None:
    given: dict[str, Any] = {"command": "echo 'é\n\x1b[2J'", "timeout": 5}
    question = asked("Bash", **given)
    told = QuestionSeen(**question.shown())
    assert json.loads(told.input) == given
    assert told.input.isascii()
    assert told.input.isprintable()
    assert told.digest == question.digest
    assert told.digest != asked("Bash", **{**given, "timeout": 6}).digest


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("Bash", {"command": "x" * INPUT_LIMIT}),
        ("Bash", {"command": f"echo sk-ant-api03-{'a' * 40}"}),
        ("ExitPlanMode", {"plan": "1. first"}),
        ("AskUserQuestion", {"questions": [{"question": "Which?", "options": []}]}),
    ],
    ids=["too long", "a secret", "a plan", "choices"],
)
def test_of_what_is_too_long_or_secret_or_no_permission_no_input_is_told(tool: str, given: dict[str, Any]) -> None:
    assert asked(tool, **given).shown()["input"] == ""


def test_of_what_was_read_from_a_screen_no_input_is_told() -> None:
    assert ask("q1", "Bash", {"command": "ls"}, 1).shown()["input"] == ""


def test_a_question_of_an_older_runner_has_the_digest_that_it_makes_itself() -> None:
    question = QuestionSeen("q1", "Bash", "ls", 1, kind="permission")
    assert question.digest == digest_of("q1", "permission", "Bash", "ls", (), ())


def test_the_log_says_by_which_rule_an_answer_was_given() -> None:
    assert answer_words(Answer("q1", Verdict.ALLOW, by="tests")) == "allow, by rule tests"
    assert answer_words(Answer("q1", Verdict.DENY, text="no")) == "deny: no"
