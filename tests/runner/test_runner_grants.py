"""A real runner holds a scripted Claude to its grant, with no node, no engine and no network."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from controlroom.text.checks import CheckOrder
from controlroom.wire.codec import encode
from tests.lab.agent_under_test import alive
from tests.lab.price_files import put_prices
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.spending import DOLLAR, Spender

ROOT = str(Path(__file__).parents[2])
HURRIED = """
import sys, time
sys.path.insert(0, {root!r})
from controlroom.runner import agent_run
from controlroom.runner.money import run_budget
from controlroom.runner import main as runner
run_budget.GRACE, run_budget.BLIND, agent_run.LAST_TURN_SECONDS, agent_run.PATIENCE = 1.0, 1.0, 1.0, 0.5
sys.exit(runner.main(sys.argv[1]))
"""
"""The runner, with less patience."""


Make = Callable[..., Spender]


@pytest.fixture
def spender(home: World) -> Iterator[Make]:
    """`spender("a", pace=0.5)`: an agent that spends a dollar a message, not yet started."""
    state = home.directory / "state"
    state.mkdir()
    put_prices(state)
    with ExitStack() as stack:

        def make(name: str = "a", **plan: Any) -> Spender:
            made = Spender(state, name, **plan)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def hurried(home: World) -> str:
    """The path of a runner with less patience."""
    path = home.directory / "hurried.py"
    path.write_text(HURRIED.format(root=ROOT))
    return str(path)


def test_ten_agents_alone_stay_within_their_ceilings_but_for_a_message_each(spender: Make) -> None:
    agents = [spender(f"a{number}", quick=1 + number % 2) for number in range(10)]
    for number, agent in enumerate(agents):
        agent.given(1, billed=(1 + number % 2) * DOLLAR)
        agent.start()
    for number, agent in enumerate(agents):
        seen = agent.finish(60)
        assert (seen.state, seen.cause) == ("paused", "budget")
        assert seen.detail == f"budget: ${seen.run_spent / DOLLAR:.2f} of ${1 + number % 2:.2f} spent"
        assert agent.begun() <= 1 + number % 2 + 1
        assert seen.run_spent >= (1 + number % 2) * DOLLAR
        assert not alive(seen.pid)


def test_overshoot_is_a_message_for_the_agent_and_each_of_its_subagents(spender: Make) -> None:
    agent = spender(quick=2, subagents=3)
    agent.given(1, billed=5 * DOLLAR)
    assert agent.start().finish(60).state == "paused"
    assert 5 <= agent.begun() <= 5 + 4 + 3  # four at a time: the fifth to eighth are paid together


def test_a_grant_that_is_raised_in_time_lets_it_go_on_and_one_that_is_gone_does_not_begin(spender: Make) -> None:
    agent = spender(pace=0.2)
    agent.given(1, billed=10**9)
    agent.start()
    wait_for(lambda: agent.begun() > 3)
    agent.given(2, spawned=False, billed=2 * 10**9)
    assert agent.ask(do="grant", number=2) == ""
    seen = agent.seen()
    assert (seen.grant, seen.run_spent >= DOLLAR) == (2, True)
    agent.given(3, spawned=False, billed=DOLLAR)
    assert agent.ask(do="grant", number=3) == ""
    assert agent.finish().grant == 3
    empty = spender("b")
    empty.given(1, billed=0)
    seen = empty.start().finish()
    assert (seen.state, seen.detail, empty.begun()) == ("paused", "budget: less is left of it than a start may need", 0)


def test_its_time_ends_it_with_nobody_there(spender: Make, hurried: str) -> None:
    agent = spender()
    until = round(time.time() * 1000) + 500
    agent.given(1, until=until, lasts=500)
    seen = agent.start(hurried).finish()
    hour = time.strftime("%H:%M", time.gmtime(until / 1000))
    words = f"budget: its allowance ended at {hour} UTC and nobody renewed it"
    assert (seen.state, seen.detail, seen.ended >= until + 1000) == ("paused", words, True)


def test_a_damaged_grant_starts_nothing(spender: Make) -> None:
    agent = spender()
    agent.given(1, billed=DOLLAR)
    agent.folder.joinpath("grant.json").write_text("{")
    seen = agent.start().finish()
    assert (seen.state, seen.detail, agent.begun()) == ("paused", "budget: grant.json is no JSON", 0)


def test_what_has_no_transcript_is_ended(spender: Make, hurried: str) -> None:
    agent = spender(transcript=False)
    agent.given(1, billed=10**9)
    seen = agent.start(hurried).finish()
    words = "budget: what it spends cannot be metered: its session has no transcript"
    assert (seen.state, seen.detail) == ("paused", words)


def test_what_its_transcript_keeps_quiet_about_ends_it(spender: Make, hurried: str) -> None:
    agent = spender(tells=3)
    agent.given(1, billed=10**9)
    seen = agent.start(hurried).finish()
    words = r"budget: what it spends cannot be metered: \d+ of its messages do not stand in its transcript"
    assert (seen.state, bool(re.fullmatch(words, seen.detail))) == ("paused", True), seen.detail


def test_what_claude_itself_says_counts_before_its_turn_is_over(spender: Make) -> None:
    agent = spender(hidden=50.0, pace=1.0)
    agent.given(1, billed=40 * DOLLAR)
    seen = agent.start().finish(60)
    assert (seen.state, seen.run_spent >= 50 * DOLLAR) == ("paused", True)
    assert agent.begun() < 40
    assert "usage-" not in "".join(agent.lines("a"))


def test_one_that_obeys_nothing_is_killed(spender: Make, hurried: str) -> None:
    agent = spender(stubborn=True)
    agent.given(1, billed=DOLLAR)
    seen = agent.start(hurried).finish()
    assert (seen.state, seen.exit_signal) == ("paused", 9)


def test_one_that_has_done_its_work_is_done(spender: Make) -> None:
    agent = spender(messages=2, pace=0.1)
    agent.given(1, billed=2 * DOLLAR)
    seen = agent.start().finish()
    assert (seen.state, seen.grant, seen.run_spent) == ("done", 1, 2 * DOLLAR)


def test_one_that_ends_slowly_when_its_work_and_money_are_gone_is_done(spender: Make) -> None:
    agent = spender(messages=2, pace=0.1, lingers=1.5)
    agent.given(1, billed=2 * DOLLAR)
    seen = agent.start().finish()
    assert (seen.state, seen.grant, seen.run_spent) == ("done", 1, 2 * DOLLAR)


def test_what_a_run_has_spent_is_said_whatever_ends_it(spender: Make) -> None:
    agent = spender(pace=0.2)
    agent.given(1, billed=10**9)
    agent.start()
    wait_for(lambda: agent.begun() > 2)
    assert agent.ask(do="end", why="enough") == ""
    seen = agent.finish()
    assert (seen.state, seen.run_spent >= DOLLAR) == ("done", True)


def test_a_command_takes_grants_and_is_bound_by_none(spender: Make) -> None:
    agent = spender(kind="command")
    agent.order["spec"]["command"] = ["sleep", "300"]
    agent.given(1, billed=0, until=1, lasts=1)
    agent.start().running()
    agent.given(2, spawned=False, billed=0)
    assert agent.ask(do="grant", number=2) == ""
    assert (agent.seen().state, agent.seen().grant) == ("working", 2)
    agent.ask(do="end")


def test_what_failed_its_checks_is_not_told_so_where_nothing_more_may_be_spent(spender: Make) -> None:
    agent = spender(messages=2)
    agent.given(1, billed=DOLLAR + DOLLAR // 2)
    agent.order["spec"]["checks"] = encode(CheckOrder((("sh", "-c", "sleep 1; exit 1"),)))
    agent.write_order()
    seen = agent.start().finish(60)
    assert (seen.state, seen.cause, agent.begun()) == ("paused", "budget", 2)
    assert seen.checks is not None
    assert (seen.checks.state, seen.checks.told) == ("failed", 0)
