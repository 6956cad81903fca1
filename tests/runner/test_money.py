"""What Claude tells of its session's cost counts for the run's grant as soon as it is told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from controlroom.runner.claude.channel import answer, is_answer
from controlroom.runner.money.run_money import Money
from controlroom.runner.spec import Order
from controlroom.wire.spec import AgentSpec
from tests.lab.waiting import wait_for
from tests.runner.run_money import Room, room
from tests.runner.usage import FORK, SESSION, add, line

__all__ = ["room"]


def money(room: Room, kind: str = "interactive", **environ: str) -> Money:
    """The money of a run that begins, with a dollar to spend."""
    room.grant(1, billed=1_000_000)
    made = Money(Order("a", 1, "", 0, AgentSpec(kind), grant=1), lambda: SESSION, list[str]().append)
    variables = {"HOME": str(room.claude.config.parent), "PWD": str(room.claude.cwd), **environ}
    assert made.begin(variables) == ""
    if kind != "command":
        made.watch(variables, str(room.claude.cwd), SESSION)
    return made


def told(dollars: object, session: str = SESSION) -> dict[str, Any]:
    return {"session_id": session, "cost": {"total_cost_usd": dollars}}


def response(number: object, dollars: object) -> dict[str, Any]:
    inner = {"session": {"total_cost_usd": dollars}}
    return {"type": "control_response", "response": {"request_id": f"usage-{number}", "response": inner}}


def over(run: Money) -> str:
    return wait_for(lambda: run.due(ending=False), 5)


def test_the_status_line_tells_what_stands_in_no_transcript(room: Room) -> None:
    run = money(room, ANTHROPIC_API_KEY="k")
    assert run.wants_status_line
    for nothing in (told(float("nan")), told(-1), told("9"), told(9.0, FORK), {"cost": 9}, {}):
        run.told(nothing)
    assert run.due(ending=False) == ""
    run.told(told(1.5))
    assert over(run) == "budget: $1.50 of $1.00 spent"


def test_what_the_session_had_cost_before_is_not_the_runs(room: Room) -> None:
    run = money(room, "headless", ANTHROPIC_API_KEY="k")
    assert b"get_usage" in run.question(first=True)
    assert run.question() == b""
    run.hear(response(0, 20.0))
    run.hear(response(1, 20.5))
    assert run.due(ending=False) == ""
    run.hear(response(2, 21.25))
    assert over(run) == "budget: $1.25 of $1.00 spent"


@pytest.mark.parametrize("environ", [{}, {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-x"}])
def test_a_plan_is_not_asked_and_a_command_has_no_money(room: Room, environ: dict[str, str]) -> None:
    assert money(room, "headless", **environ).question(first=True) == b""
    command = money(room, "command", **environ)
    assert (command.question(first=True), command.wants_status_line, command.due(ending=False)) == (b"", False, "")


def test_what_is_no_answer_is_none(room: Room) -> None:
    assert answer(response(3, 1.0)) == (3, 10**12)
    for event in (response("x", 1.0), response(3, None), response(3, 1e300)):
        assert (is_answer(event), answer(event)) == (True, None)
    assert not is_answer({"type": "control_response", "response": {"request_id": "operator-1"}})


def test_an_agent_that_is_ended_is_counted_to_its_last_message(room: Room) -> None:
    run = money(room, ANTHROPIC_API_KEY="k")
    add(room.claude.transcript, line(1, 30))
    run.finish()
    assert run.fields(last=True) == {"grant": 1, "run_spent": 300_000, "run_tokens": 33, "subagents": 0}
    assert (run.over(), run.wakes_at(ending=True) > time.monotonic() + 100) == ("", True)
