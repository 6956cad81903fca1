"""Checks of tasks and profiles: what is ordered, and what becomes of a task whose checks fail for good."""

from __future__ import annotations

import pytest

from controlroom.domain import intents
from controlroom.domain.branch_intents import Accept
from controlroom.domain.checks import problem
from controlroom.domain.tasks import AttemptEnd, TaskState
from controlroom.text.checks import AS_PROFILE, CheckOrder, CheckRun, Checks, CheckState
from controlroom.text.states import Cause, State
from controlroom.wire.branches import AcceptWork
from tests.engine.queued import QUICK, Roomy, add, became, last, queue_room, runs, task

pytestmark = pytest.mark.usefixtures("home")

SETTINGS = f"""{QUICK}
[profiles.p]
verify = [["make", "test"], ["make", "lint"]]
verify_minutes = 20
attempts = 1
"""
FAILED = Checks(
    CheckState.FAILED, (CheckRun("make test", "exit 2", 3.0),), told=1, attempts=1, at=1, output="1 failed\nE  boom"
)


async def test_a_task_is_checked_as_its_profile_says_or_as_itself_says() -> None:
    host = Roomy()
    own = AS_PROFILE._replace(commands=(("make", "docs"),))
    async with queue_room(host, settings=SETTINGS) as here:
        await add(here, "a", profile="p")
        await add(here, "b", profile="p", checks=own)
        await runs(here, host, "a-t1", "b-t2")
        host.end("a-t1")
        host.end("b-t2")
        await add(here, "c")
        await add(here, "d", checks=own._replace(minutes=2.0, attempts=0))
        await runs(here, host, "a-t1", "b-t2", "c-t3", "d-t4")
        assert [order.spec.checks for order in host.spawned] == [
            CheckOrder((("make", "test"), ("make", "lint")), 20.0, 1),
            CheckOrder((("make", "docs"),), 20.0, 1),
            CheckOrder(),
            CheckOrder((("make", "docs"),), 2.0, 0),
        ]


async def test_before_work_is_merged_it_is_checked_as_its_task_and_profile_say() -> None:
    host = Roomy()
    async with queue_room(host, settings=SETTINGS) as here:
        await add(here, "a", profile="p", checks=AS_PROFILE._replace(commands=(("make", "docs"),)))
        await runs(here, host, "a-t1")
        host.end("a-t1")
        await became(here, "t1", TaskState.DONE)
        await here.order(Accept("vm1/a-t1", 1, "next"))
        accepted = next(message for message in host.heard if isinstance(message, AcceptWork))
        assert accepted.spec.checks.commands == (("make", "docs"),)
        assert accepted.spec.checks.minutes == 20.0


@pytest.mark.parametrize("verb", ["resume", "retry"])
async def test_an_agent_that_goes_on_after_its_task_is_done_is_checked_as_that_said(verb: str) -> None:
    host = Roomy()
    async with queue_room(host, settings=SETTINGS) as here:
        await add(here, "a", checks=AS_PROFILE._replace(commands=(("make", "docs"),)))
        await runs(here, host, "a-t1")
        host.end("a-t1", session="11111111-2222-4333-8444-555555555555")
        await became(here, "t1", TaskState.DONE)
        resume = intents.ResumeAgent("vm1/a-t1", 1, "resolve the conflict")
        await here.order(resume if verb == "resume" else intents.RetryAgent("vm1/a-t1", 1))
        await runs(here, host, "a-t1", "a-t1")
        assert host.spawned[-1].spec.checks.commands == (("make", "docs"),)
        host.end("a-t1")
        await here.until(lambda: here.engine.store.fleet.agents["vm1/a-t1"].has_ended)
        await here.order(Accept("vm1/a-t1", 2, "next"))
        accepted = next(message for message in host.heard if isinstance(message, AcceptWork))
        assert accepted.spec.checks.commands == (("make", "docs"),)


async def test_a_task_whose_checks_fail_has_failed_and_to_retry_goes_on_in_its_session() -> None:
    host = Roomy()
    async with queue_room(host, settings=SETTINGS) as here:
        await add(here, "a", profile="p")
        await runs(here, host, "a-t1")
        words = "checks failed: make test: exit 2 (E  boom)"
        session = "11111111-2222-4333-8444-555555555555"
        host.end("a-t1", State.FAILED, cause=Cause.CHECKS.value, detail=words, session=session, checks=FAILED)
        failed = await became(here, "t1", TaskState.FAILED)
        assert (failed.reason, last(here, "t1").end) == (words, AttemptEnd.CHECKS)
        kept = last(here, "t1").checks
        assert kept is not None
        assert (kept.state, kept.output, kept.runs) == (CheckState.FAILED, FAILED.output, FAILED.runs)
        assert len(host.spawned) == 1
        await here.order(intents.RetryTask("t1"))
        await runs(here, host, "a-t1", "a-t1")
        again = host.spawned[-1]
        assert (again.spec.resume, again.spec.checks.commands[0]) == (session, ("make", "test"))
        assert again.task == (
            "What you did has not passed its checks: make test: exit 2 (E  boom). Mend that; they run again when you "
            "are done.\n\nThe end of what it printed:\n\n1 failed\nE  boom"
        )


async def test_a_task_that_was_checked_says_so() -> None:
    host = Roomy()
    async with queue_room(host, settings=SETTINGS) as here:
        await add(here, "a", profile="p")
        await runs(here, host, "a-t1")
        passed = Checks(CheckState.PASSED, (CheckRun("make test"),), at=1)
        host.end("a-t1", State.DONE, detail="done, checked", checks=passed)
        assert (await became(here, "t1", TaskState.DONE)).reason == "checked"
        assert task(here, "t1").attempts[0].checks is not None


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (AS_PROFILE, ""),
        (CheckOrder((("make", "test"),) * 20, 1.0, 20), ""),
        (CheckOrder((("true",),) * 21), "at most 20 checks"),
        (CheckOrder(((),)), "each of 1 to 200 words"),
        (CheckOrder((("  ",),)), "begins with a program"),
        (CheckOrder((("a", "b\0"),)), "no zero byte"),
        (CheckOrder((("a", "x" * 8_001),)), "8000 characters"),
        (CheckOrder((("curl", "sk-ant-api03-abcdefgh"),)), "looks like a secret"),
        (CheckOrder((("a",),), minutes=1441), "at most 1440 minutes"),
        (CheckOrder((("a",),), attempts=21), "at most 20 times"),
    ],
)
def test_what_cannot_be_a_check_is_refused_in_words(order: CheckOrder, words: str) -> None:
    said = problem(order)
    assert (words in said) if words else not said
