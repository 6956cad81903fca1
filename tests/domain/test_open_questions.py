"""Open questions in groups: each in exactly one, those that ask alike together, an answer to the listed ones alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from controlroom.domain.intents import AnswerQuestion
from controlroom.domain.keys.many import answer_to_all
from controlroom.domain.model import Fleet
from controlroom.domain.open_questions import alike
from controlroom.domain.questions import Question, QuestionKind
from controlroom.domain.worktrees import Worktree
from controlroom.text.states import Item, Option, State, Verdict
from tests.domain.worlds import agent, fleet, host

REGION = (Item("Which region?", "Region", (Option("eu"), Option("us"))),)


def call(tool: str, id_: str = "q-1", **given: Any) -> Question:
    """Leave to use a tool, of which the whole input is known."""
    told = json.dumps(given)
    text = "\n".join(map(str, given.values()))
    return replace(permission(text, id_), tool=tool, input=told, digest=f"{id_} {told}")


def permission(text: str, id_: str = "q-1", **changes: object) -> Question:
    title = f"run: {text.partition(chr(10))[0]}"
    return replace(Question(id_, QuestionKind.PERMISSION, title, text, 0, digest=f"{id_} {text}"), **changes)  # type: ignore[arg-type]


def asking(*questions: Question | None, folders: bool = True) -> Fleet:
    agents = (
        replace(agent(f"a{n}"), state=State.WAITING, question=question, cwd=f"/home/ann/a{n}" if folders else "")
        for n, question in enumerate(questions)
    )
    return fleet(*agents, hosts=(host("vm1"),))


def groups(room: Fleet) -> list[list[str]]:
    return [[subject.rpartition("/")[2] for subject in asked.whom] for asked in alike(room)]


KINDS = some.sampled_from(QuestionKind)
COMMANDS = some.sampled_from(["make", "make test", "make -C /home/ann/a1", "make -C /home/ann/a2", "rm /home/ann/a1"])


@some.composite
def questions(draw: some.DrawFn, number: int) -> Question:
    if draw(some.booleans()):
        words = draw(some.sampled_from(["", "Run it"]))
        return call("Bash", f"q-{number}", command=draw(COMMANDS), description=words)
    kind = draw(KINDS)
    items = REGION if kind is QuestionKind.CHOICES else ()
    return permission(draw(COMMANDS), f"q-{number}", kind=kind, asked=draw(some.integers(0, 3)), items=items)


@some.composite
def rooms(draw: some.DrawFn) -> Fleet:
    asked = [draw(some.none() | questions(number)) for number in range(draw(some.integers(0, 8)))]
    room = asking(*asked)
    keyed = draw(some.booleans())
    key = Question("key-vm1", QuestionKind.HOST_KEY, "unknown key", "unknown key", 1)
    return replace(room, hosts={"vm1": replace(room.hosts["vm1"], question=key if keyed else None)})


@given(rooms())
def test_each_open_question_is_in_exactly_one_group(room: Fleet) -> None:
    grouped = [(asker.subject, asker.question) for asked in alike(room) for asker in asked.askers]
    assert sorted(grouped, key=repr) == sorted(room.questions(), key=repr)
    ids = Counter(asked.id for asked in alike(room))
    assert set(ids.values()) <= {1}


@given(rooms())
def test_what_is_answered_one_by_one_stands_alone(room: Fleet) -> None:
    for asked in alike(room):
        if asked.question.kind not in (QuestionKind.PERMISSION, QuestionKind.CHOICES):
            assert len(asked.whom) == 1


@given(rooms(), rooms(), some.sampled_from([Verdict.ALLOW, Verdict.DENY]))
def test_an_answer_reaches_exactly_those_who_were_listed_and_still_ask_that(
    listed: Fleet, now: Fleet, verdict: Verdict
) -> None:
    for asked in alike(listed):
        plan = answer_to_all(now, asked, verdict)
        still = {
            (asker.subject, asker.question.id, asker.question.digest)
            for asker in asked.askers
            if asker.subject in now.agents
            and now.agents[asker.subject].question is not None
            and now.agents[asker.subject].question.digest == asker.question.digest  # type: ignore[union-attr]
        }
        told = {
            (target.intent.subject, target.intent.question, target.intent.digest)
            for target in plan.targets
            if isinstance(target.intent, AnswerQuestion)
        }
        assert len(told) == len(plan.targets)
        assert told <= still
        left_out = {agent.id for agent, _ in plan.left_out}
        assert left_out.isdisjoint(subject for subject, _, _ in told)
        there = {subject for subject in asked.whom if subject in now.agents}
        assert {subject for subject, _, _ in told} | left_out == there


def test_the_folder_that_each_works_in_makes_no_difference() -> None:
    same = asking(permission("make -C /home/ann/a0 test"), permission("make -C /home/ann/a1 test"))
    assert groups(same) == [["a0", "a1"]]
    deeper = asking(permission("cat /home/ann/a0/src/x"), permission("cat /home/ann/a1/src/x"))
    assert groups(deeper) == [["a0", "a1"]]


def test_neither_do_the_worktree_and_the_branch_that_were_made_for_each() -> None:
    push = "cd /trees/a{0}/app && git push origin cr/a{0} # /home/ann/a{0}, refs/heads/cr/a{0}"
    commands = [push.format(number) for number in (0, 1)]
    room = asking(*(call("Bash", command=command) for command in commands))
    trees = {
        one.id: replace(one, worktree=Worktree(f"/trees/{one.name}/app", f"cr/{one.name}", "c0ffee"))
        for one in room.agents.values()
    }
    assert groups(room) == [["a0"], ["a1"]]
    assert groups(replace(room, agents=trees)) == [["a0", "a1"]]
    swapped = asking(
        call("Bash", command="git push origin cr/a0"), call("Bash", command="git push origin /trees/a1/app")
    )
    asked = {key: replace(trees[key], question=one.question) for key, one in swapped.agents.items()}
    swapped = replace(swapped, agents=asked)
    assert groups(swapped) == [["a0"], ["a1"]]


def test_a_folder_of_somebody_else_does_and_so_does_one_that_only_begins_alike() -> None:
    theirs = asking(permission("rm -r /home/ann/a0"), permission("rm -r /home/ann/a0"))
    assert groups(theirs) == [["a0"], ["a1"]]
    longer = asking(permission("rm -r /home/ann/a0-kept"), permission("rm -r /home/ann/a1-kept"))
    assert groups(longer) == [["a0"], ["a1"]]
    elsewhere = asking(permission("rm -r /backup/home/ann/a0"), permission("rm -r /backup/home/ann/a1"))
    assert groups(elsewhere) == [["a0"], ["a1"]]


def test_what_claude_says_about_a_command_makes_no_difference_and_what_is_done_does() -> None:
    make: dict[str, Any] = {"command": "make test", "timeout": 1000}
    first = call("Bash", **make, description="Run the tests")
    assert groups(asking(first, call("Bash", **make, description="Now the tests"))) == [["a0", "a1"]]
    for other in (
        call("Bash", **{**make, "command": "make install"}, description="Run the tests"),
        call("Bash", **make, description="Run the tests", run_in_background=True),
        call("Bash", **{**make, "timeout": True}),
        call("Bash", **{**make, "timeout": {"text": ["1000"]}}),
        call("BashOutput", **make, description="Run the tests"),
    ):
        assert groups(asking(first, other)) == [["a0"], ["a1"]]


def test_files_that_are_written_alike_have_the_same_in_them() -> None:
    one = [call("Write", file_path=f"/home/ann/a{n}/README.md", content="Hello.\n") for n in (0, 1)]
    assert groups(asking(*one)) == [["a0", "a1"]]
    other = call("Write", file_path="/home/ann/a1/README.md", content="Good bye.\n")
    assert groups(asking(one[0], other)) == [["a0"], ["a1"]]


def test_the_wording_of_a_question_decides_nothing_where_its_input_is_known() -> None:
    worded = replace(call("Bash", command="make"), title="run: rm -r /", text="rm -r /")
    assert groups(asking(call("Bash", command="make"), worded)) == [["a0", "a1"]]


DEEP = '{"a": ' + "[" * 900 + "]" * 900 + "}"


@pytest.mark.parametrize("told", ["", "[]", "{", "[" * 20_000, "1" * 5_000])
def test_where_the_input_is_not_known_all_that_is_shown_counts(told: str) -> None:
    ready, not_yet = (
        replace(permission(f"make\n{words}"), tool="Bash", input=told) for words in ("Ready.", "Not yet.")
    )
    assert groups(asking(ready, ready)) == [["a0", "a1"]]
    assert groups(asking(ready, not_yet)) == [["a0"], ["a1"]]


def test_an_input_that_is_nested_very_deep_is_taken_or_left_and_breaks_nothing() -> None:
    deep = replace(permission("make"), tool="Bash", input=DEEP)
    assert groups(asking(deep, deep)) == [["a0", "a1"]]


def test_what_always_would_allow_is_a_part_of_what_is_asked() -> None:
    one, other = permission("make", always=("Bash: make",)), permission("make", always=("every use of Bash",))
    assert groups(asking(one, other)) == [["a0"], ["a1"]]


def test_what_is_asked_keeps_its_id_while_others_come_and_go() -> None:
    first, second = permission("make", "q-1"), permission("make", "q-2")
    assert alike(asking(first))[0].id == alike(asking(None, second))[0].id == alike(asking(first, second))[0].id
    assert alike(asking(permission("make all")))[0].id != alike(asking(first))[0].id


def test_plans_that_read_alike_are_answered_one_by_one() -> None:
    plan = permission("# Rework the tests", kind=QuestionKind.PLAN)
    assert groups(asking(plan, plan)) == [["a0"], ["a1"]]
