"""Answers to what an agent asks, as they come to its runner and to its node."""

from __future__ import annotations

from typing import Any

from controlroom.runner.claude.questions import Question
from controlroom.text.states import ItemAnswer, TellKind, Verdict
from controlroom.wire.messages import QuestionSeen, Tell
from controlroom.wire.runner import Answer, request_fields


def chosen(*numbers: int, words: str = "") -> ItemAnswer:
    return ItemAnswer(numbers, words)


def answer_to(asked: Question | QuestionSeen | None, verdict: str, text: str = "", *answers: ItemAnswer) -> Answer:
    """What the runner of an agent is asked to do."""
    assert asked
    return Answer(asked.id, Verdict(verdict), asked.digest, text, answers)


def request(
    asked: Question | QuestionSeen | None, verdict: str, text: str = "", *answers: ItemAnswer
) -> dict[str, Any]:
    """Likewise, as the fields that are sent to it."""
    return request_fields(answer_to(asked, verdict, text, *answers))


def told(
    number: int, name: str, asked: QuestionSeen | None, verdict: str, text: str = "", *answers: ItemAnswer
) -> Tell:
    """What its node is asked to do, for its first epoch."""
    assert asked
    return Tell(number, name, 1, TellKind.ANSWER, text, asked.id, Verdict(verdict), asked.digest, answers)
