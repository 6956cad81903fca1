"""Ten agents that die of one login are one alarm, until somebody gets through."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain import events
from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.reduce import reduce
from controlroom.text.states import Cause
from tests.domain.worlds import MINUTE, NOON, agent, fleet

REFUSED = "the login was refused: log in again with `claude` on the host, or check the profile's credential"


def dead(name: str, at: int = NOON) -> Agent:
    return agent(name, state=State.FAILED, since=at, started=at - MINUTE, detail=REFUSED, cause=Cause.LOGIN_REFUSED)


def seen(world: Fleet, *agents: Agent) -> Fleet:
    return reduce(world, events.AgentsObserved("vm1", agents, NOON))


def test_several_that_die_of_one_login_are_one_alarm() -> None:
    one = seen(fleet(), dead("a"))
    assert not one.alarms
    ten = seen(one, *(dead(f"b{number}", NOON + number) for number in range(9)))
    (alarm,) = ten.alarms.values()
    assert alarm.text.startswith("10 agents on vm1 failed because of its login: the login was refused: log in again")
    assert (alarm.level, alarm.since) == ("danger", NOON)


def test_it_ends_when_one_gets_through_or_they_are_gone() -> None:
    world = seen(fleet(), dead("a"), dead("b"))
    assert world.alarms
    again = seen(world, agent("c", state=State.WORKING, started=NOON - 5 * MINUTE))
    assert again.alarms
    assert not seen(again, agent("c", state=State.WORKING, started=NOON + 1)).alarms
    assert not seen(world, replace(dead("a"), epoch=2, state=State.WORKING, detail="", cause=Cause.UNSAID)).alarms
    assert not reduce(world, events.AgentsObserved("vm1", (), NOON, complete=True)).alarms


def test_other_failures_and_other_hosts_are_no_matter_of_a_login() -> None:
    world = fleet(replace(dead("far"), host="vm2"))
    assert not seen(world, dead("a"), agent("b", state=State.FAILED, detail="exit 1")).alarms


def kept_out(name: str, at: int = NOON) -> Agent:
    words = "Please run /login · API Error: 401"
    return agent(name, state=State.IDLE, since=at, started=at - MINUTE, detail=words, cause=Cause.LOGIN_REFUSED)


def test_those_that_live_on_and_get_no_further_are_one_alarm_too() -> None:
    """Interactive ones, and those that somebody else has started."""
    assert not seen(fleet(), kept_out("a"), agent("b", state=State.IDLE)).alarms
    world = seen(fleet(), kept_out("a"), replace(kept_out("b"), epoch=0))
    (alarm,) = world.alarms.values()
    assert alarm.text.startswith("2 agents on vm1 get no further because of its login: the login was refused: log in")
    assert alarm.text.endswith("then tell them to go on")
    assert not seen(world, replace(kept_out("a"), state=State.WORKING, cause=Cause.NONE)).alarms
