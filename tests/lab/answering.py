"""Answers to what an agent asks, as they come to its runner and to its node."""

from __future__ import annotations

from typing import Any

from controlroom.runner.claude.questions import Question
from controlroom.wire.messages import ItemAnswer, QuestionSeen, Tell


def chosen(*numbers: int, words: str = "") -> ItemAnswer:
    return ItemAnswer(numbers, words)


def request(
    asked: Question | QuestionSeen | None, verdict: str, text: str = "", *answers: ItemAnswer
) -> dict[str, Any]:
    """What the runner of an agent is asked to do."""
    assert asked
    said = [{"choices": list(one.choices), "words": one.words} for one in answers]
    return {
        "do": "answer", "question": asked.id, "digest": asked.digest, "verdict": verdict, "text": text, "answers": said,
    }  # fmt: skip


def told(
    number: int, name: str, asked: QuestionSeen | None, verdict: str, text: str = "", *answers: ItemAnswer
) -> Tell:
    """What its node is asked to do, for its first epoch."""
    assert asked
    return Tell(number, name, 1, "answer", text, asked.id, verdict, asked.digest, answers)
