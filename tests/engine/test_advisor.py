"""What the advisor takes from the fleet: memory of agents that run, weeks of plans that have been read."""

from __future__ import annotations

import os
from dataclasses import replace

from controlroom.domain.calculators.comparison import Terms
from controlroom.domain.calculators.use import DAY, Week
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.model import Agent, Fleet, Limits, State
from controlroom.engine.budgets.advisor import compared, measured_memory, weeks_of
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import Booking, Source, book
from controlroom.metering.prices import DOLLAR, Cost
from controlroom.metering.usage import Message, Usage
from controlroom.protocol.home import find_home
from controlroom.protocol.messages import AskComparison, Compared, pack, read_told
from controlroom.text.states import AgentKind
from tests.domain.offers import NOON
from tests.lab.world import World

MIB = 1024**2


def agent(name: str, rss: int | None, kind: str = "headless", state: State = State.WORKING) -> Agent:
    return Agent("vm1", name, 1, AgentKind(kind), state, NOON, rss=rss)


def fleet(*agents: Agent, gauges: tuple[Headroom, ...] = ()) -> Fleet:
    return Fleet(
        agents={one.id: one for one in agents},
        limits=Limits(700 * MIB),
        headroom={gauge.key: gauge for gauge in gauges},
    )


def test_an_agent_needs_what_three_quarters_of_those_that_run_need() -> None:
    running = [agent(f"a{n}", n * 100 * MIB) for n in range(1, 5)]
    others = (
        agent("make", 9000 * MIB, "command"),
        agent("done", 9000 * MIB, state=State.DONE),
        agent("new", None, state=State.STARTING),
    )
    found = measured_memory(fleet(*running, *others))
    assert found.bytes == 300 * MIB
    assert found.source == "measured: three quarters of the 4 that run now need no more"
    assert measured_memory(fleet(*others)).bytes == 700 * MIB
    assert "limits.memory_per_agent_mb" in measured_memory(fleet()).source


def test_a_week_counts_what_its_agents_used_of_plans_since_it_began(ledger: Ledger) -> None:
    for number, (name, billing, ago) in enumerate(
        [("a1", "plan", DAY), ("a1", "plan", 6 * DAY), ("a1", "api", DAY), ("a2", "plan", DAY), ("a1", "plan", 0)]
    ):
        at = NOON - ago - 60_000
        message = Message(f"msg_{number}", "r", at, "claude-opus-5-5", Usage(1))
        ledger.booked(book(Source("vm1", name, "", "", billing), [Booking(message, Cost(DOLLAR, True), at)])).result(60)
    week = Headroom("ann", "week", LimitKind.WINDOW, 40, 100, NOON + 2 * DAY, shares={"vm1/a1": 1000})
    gauges = (
        week,
        replace(week, name="week Opus"),
        replace(week, name="5 h"),
        replace(week, account="bob", used=None),
        replace(week, account="cid", resets=NOON),
    )
    assert list(weeks_of(fleet(gauges=gauges), ledger, NOON)) == [Week("ann", 40, 2_000_000)]


def test_more_money_than_can_be_counted_is_a_reason(home: World, ledger: Ledger) -> None:
    place = find_home(os.environ)
    place.prepare()
    message = Message("msg", "r", NOON - 1, "claude-opus-5-5", Usage(90_000_000))
    ledger.booked(book(Source("vm1", "a1", "", "", "api"), [Booking(message, Cost(DOLLAR, True), NOON - 1)])).result(60)
    asked = AskComparison(7, 30, Terms(committed=10**12, tokens_per_minute=1))
    assert compared(place, ledger, fleet(), asked, NOON) == Compared(
        7, reason="that is more money than can be counted here: ask for less"
    )
    fine = compared(place, ledger, fleet(), replace(asked, terms=Terms()), NOON)
    told = read_told(pack(fine))
    assert told == fine, "it survives its journey"
    assert fine.comparison is not None
