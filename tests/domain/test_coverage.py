"""What rules would do with what is asked now: nothing is said to be answered that would not be, and the reverse."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from controlroom.domain.model import Agent
from controlroom.domain.permissions.calls import Call
from controlroom.domain.permissions.coverage import Scope, askable, coverage, scopes
from controlroom.domain.permissions.judge import NO_RULES, RuleSet
from controlroom.domain.permissions.proposals import proposals
from controlroom.domain.permissions.rules import Rule, RuleVerdict
from controlroom.domain.questions import Question, QuestionKind
from controlroom.text.states import AgentKind, State
from tests.domain.worlds import agent, fleet, host

COMMANDS = (
    "make test", "make test && git status", "git push origin docs/update", "git push origin main", "rm -r build",
    "rm -r /etc", "echo $(date)", "env A=1 make test", "npm test 2>&1 | tail -5", "cd docs && make test", "ls *.py",
)  # fmt: skip


def asks(name: str, command: str, on: str = "vm1", **changes: object) -> Agent:
    told = json.dumps({"command": command})
    question = Question(
        "q-1", QuestionKind.PERMISSION, f"run: {command}", command, 0, digest=name, tool="Bash", input=told
    )
    made = agent(name, on, State.WAITING, question=question, profile="docs", cwd=f"/home/ann/{name}")
    return replace(made, **changes)  # type: ignore[arg-type]


def call(of: Agent) -> Call:
    assert of.question is not None
    found = askable(of, of.question)
    assert isinstance(found, Call)
    return found


FLEET = fleet(*(asks(f"a{n}", command) for n, command in enumerate(COMMANDS)), hosts=(host("vm1"),))


@given(some.sampled_from(COMMANDS), some.sampled_from(RuleVerdict), some.integers(0, 9), some.data())
def test_what_is_said_to_be_answered_is_what_the_rules_would_answer(
    command: str, verdict: RuleVerdict, which: int, data: some.DataObject
) -> None:
    made_of = next(one for one in FLEET.agents.values() if one.question and one.question.text == command)
    proposed = proposals(call(made_of), verdict, NO_RULES, 0)
    if not proposed:
        return
    scope = data.draw(some.sampled_from(scopes(made_of)))
    rules = proposed[which % len(proposed)].rules
    added = [
        replace(rule, folder=scope.folder, profile=scope.profile, host=scope.host, agent=scope.agent) for rule in rules
    ]
    told = {each.subject: each for each in coverage(FLEET, NO_RULES, added, 0, {})}
    assert set(told) == set(FLEET.agents)
    for one in FLEET.agents.values():
        judged = RuleSet(tuple(added)).judge(call(one), 0, {})
        by_these = any(rule.name in judged.rules for rule in added)
        assert told[one.id].answers is (by_these and judged.verdict in (RuleVerdict.ALLOW, RuleVerdict.DENY))
        assert told[one.id].answers or told[one.id].why
    assert told[made_of.id].answers or verdict is not RuleVerdict.ALLOW


def test_those_that_are_answered_come_first() -> None:
    told = coverage(FLEET, NO_RULES, [Rule("r", RuleVerdict.ALLOW, "Bash", "rm -r build")], 0, {})
    assert [each.answers for each in told] == [True] + [False] * (len(COMMANDS) - 1)
    assert told[0].subject == "vm1/a4"


def test_a_rule_that_was_there_before_gets_no_credit() -> None:
    there = RuleSet((Rule("before", RuleVerdict.ALLOW, "Bash", "make test"),))
    told = coverage(FLEET, there, [Rule("r", RuleVerdict.ALLOW, "Bash", "rm -r build")], 0, {})
    assert [each.subject for each in told if each.answers] == ["vm1/a4"]


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (replace(asks("a", "make test"), kind=AgentKind.ADOPTED, epoch=0), "somebody else started it"),
        (replace(asks("a", "make test"), ordered=None), "not what this room ordered"),
    ],
)
def test_no_rule_is_said_to_answer_whom_this_room_did_not_order(of: Agent, words: str) -> None:
    room = fleet(of, hosts=(host("vm1"),))
    (told,) = coverage(room, NO_RULES, [Rule("r", RuleVerdict.ALLOW, "Bash", "make test")], 0, {})
    assert not told.answers
    assert words in told.why


def test_scopes_are_all_for_the_agent_that_they_are_of_the_narrowest_first() -> None:
    one, other = asks("a", "make test"), asks("b", "make test", "vm2")
    found = scopes(one)
    assert [scope.words for scope in found] == [
        "a on vm1", "in /home/ann/a", "profile docs", "on vm1", "everywhere",
    ]  # fmt: skip

    def is_for(scope: Scope, whom: Agent) -> bool:
        where = scope.folder, scope.profile, scope.host, scope.agent
        return Rule("r", RuleVerdict.ALLOW, "Bash", "make test", *where).is_for(call(whom))

    assert all(is_for(scope, one) for scope in found)
    assert [is_for(scope, other) for scope in found] == [False, False, True, False, True]


def test_a_folder_that_reads_as_a_pattern_is_no_scope() -> None:
    assert not any(scope.folder for scope in scopes(asks("a", "make", cwd="/home/ann/*")))
    assert not any(scope.folder for scope in scopes(asks("a", "make", cwd="")))
