"""Why an agent is paused or has failed is said as such; words tell it of older runners alone."""

from __future__ import annotations

import json
from enum import Enum

import pytest

from controlroom.text.states import AgentKind, Cause, Outcome, Payer, Verdict, read_cause


@pytest.mark.parametrize(
    ("said", "state", "detail", "cause"),
    [
        ("budget", "paused", "nothing is left", Cause.BUDGET),
        ("none", "paused", "budget: $1.00 of $1.00 spent", Cause.NONE),
        ("none", "failed", "not logged in: it said so of another thing", Cause.NONE),
        ("login-refused", "failed", "in whatever words", Cause.LOGIN_REFUSED),
        ("of-tomorrow", "failed", "not logged in", Cause.NONE),
        ("", "paused", "budget: $1.00 of $1.00 spent", Cause.BUDGET),
        ("", "paused", "paused: budget: $1.00 of $1.00 spent", Cause.BUDGET),
        ("", "paused", "stopped by SIGSTOP", Cause.UNSAID),
        ("", "failed", "budget used up; raise max_budget_usd", Cause.UNSAID),
        ("", "failed", "not logged in: run `claude` on the host once", Cause.NO_LOGIN),
        ("", "failed", "the login was refused: log in again", Cause.LOGIN_REFUSED),
        ("", "failed", "the host was rebooted", Cause.REBOOTED),
        ("", "failed", "its runner cannot work here: [Errno 13]", Cause.RUNNER_FAILED),
        ("", "failed", "exit 137, probably out of memory", Cause.OUT_OF_MEMORY),
        ("unseen", "unknown", "", Cause.NONE),
        ("", "working", "budget", Cause.UNSAID),
    ],
)
def test_a_cause_is_taken_as_it_is_said_and_from_words_where_nobody_says_it(
    said: str, state: str, detail: str, cause: Cause
) -> None:
    assert read_cause(said, state, detail) is cause


@pytest.mark.parametrize(
    ("kind", "unknown"),
    [(AgentKind, AgentKind.UNKNOWN), (Verdict, Verdict.UNKNOWN), (Payer, Payer.UNKNOWN), (Outcome, Outcome.UNKNOWN)],
)
def test_a_word_of_another_version_is_read_as_unknown_and_others_are_written_as_they_are_read(
    kind: type[Enum], unknown: Enum
) -> None:
    assert kind("of-tomorrow") is unknown
    for member in kind:
        assert (json.loads(json.dumps(member)), f"{member}") == (member.value, member.value)
        assert kind(member.value) is member
