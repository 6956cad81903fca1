"""Sentences about budgets and limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.adoption import Adoption
from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction, ScopeKind, read_scope
from controlroom.domain.display.limit_rows import budget_facts, forecast, ladder, limit_facts
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.model import Agent
from controlroom.domain.money.budget import covers, scope_problem
from controlroom.domain.money.ladder import account_of, alarm, difference, holds, is_unstopped, previewed, rule_of, told
from controlroom.text.states import Payer
from tests.domain.worlds import agent, clock, fleet
from tests.tui.scenes import HOUR, MINUTE, NOW, bucket, budget, window

DAY = budget(
    "day", 160_000_000, 98_200_000, reached=1, runs_out=NOW + 128 * MINUTE, granted=14_000_000, overshoot=800_000
)


def test_a_budget_says_when_it_ends_what_it_does_and_what_may_come_on_top() -> None:
    assert budget_facts(DAY, NOW, clock) == [
        "the whole fleet",
        "runs out 16:40 at this rate",
        "resets 00:00",
        "✓ 50 % tell, 80 % hold new work, 95 % stop",
        "$14 granted to running agents",
        "at most $0.80 over the stop line",
    ]
    unknown = replace(DAY, overshoot=None)
    assert budget_facts(unknown, NOW, clock)[-1] == "how far over the stop line is not known"
    assert "stop line" not in budget_facts(replace(unknown, granted=0), NOW, clock)[-1]
    dry = budget_facts(replace(DAY, dry_run=True, scope="host vm1", granted=0, overshoot=None, ends=0), NOW, clock)
    assert dry == [
        "host vm1",
        "runs out 16:40 at this rate",
        "disarmed: its ladder only says what it would do",
        "✓ 50 % tell, 80 % hold new work, 95 % stop",
    ]


def test_a_budget_of_a_window_says_of_which() -> None:
    week = replace(DAY, unit=BudgetUnit.WINDOW, window="seven_day", limit=70, spent=61, reached=2)
    assert budget_facts(week, NOW, clock)[1] == "70 % of the week window"
    assert told(week, week.rungs[1]) == "budget day (fleet): 87 % of 70 % of the week window is gone; new work is held"


def test_an_alarm_says_how_much_is_gone_what_is_done_and_what_ends_it() -> None:
    over = replace(DAY, spent=260_800_000, reached=3, rungs=(*DAY.rungs[:2], Rung(95, RungAction.PAUSE)))
    raised = alarm(over, "2026-11-02 00:00", NOW, ["vm1/~a-1", "vm1/~a-2"])
    assert raised is not None
    assert raised.text == (
        "budget day (fleet): 163% of $160.00 is gone; agents are paused, until it resets at 2026-11-02 00:00 or is "
        "raised; adopted agents spend on: vm1/~a-1, vm1/~a-2"
    )
    later = alarm(replace(over, spent=262_400_000), "2026-11-02 00:00", NOW + MINUTE)
    assert later is not None
    assert "164%" in later.text
    assert not later.is_news_after(raised), "people are told at each rung, not at each per cent"
    assert alarm(replace(over, reached=2), "", NOW).is_news_after(raised)  # type: ignore[union-attr]
    dry = alarm(replace(over, dry_run=True), "2026-11-02 00:00", NOW, ["vm1/~a-1"])
    assert dry is not None
    assert dry.text == "budget day (fleet): 163% of $160.00 is gone; armed, it would pause agents"


def test_what_would_change_is_said_before_it_is_done() -> None:
    armed = replace(DAY, spent=130_400_000, reached=3, rungs=(Rung(50, RungAction.HOLD), Rung(80, RungAction.PAUSE)))
    rule = rule_of(armed)
    assert difference(armed, rule) == []
    assert difference(None, rule) == ["day stops agents at $128.00"]
    assert difference(armed, replace(rule, dry_run=True)) == [
        "day no longer stops anybody: it is disarmed, and only says what it would do",
        "82 % of $160.00 is gone then: would hold new work, would pause agents",
        "agents that it paused go on",
    ]
    assert difference(armed, replace(rule, limit=200_000_000)) == [
        "limit $160.00 → $200.00",
        "65 % of $200.00 is gone then: new work is held",
        "agents that it paused go on",
    ]
    assert difference(replace(armed, dry_run=True), rule)[0] == "day stops agents from now on, at $128.00"
    assert difference(armed, replace(rule, rungs=(Rung(50, RungAction.NOTIFY),)))[0] == (
        "day no longer stops anybody: nothing on its ladder does"
    )
    assert previewed(armed, rule)[1] == "  day is so already"


def test_forecasts() -> None:
    assert forecast(replace(DAY, runs_out=None), NOW, clock) == ""
    assert forecast(replace(DAY, spent=None), NOW, clock) == "no reading yet"
    assert forecast(replace(DAY, spent=160_000_000), NOW, clock) == "all of it is gone"


def test_ladders() -> None:
    assert ladder(replace(DAY, reached=3)) == "✓ 50 % tell, ✓ 80 % hold new work, ✓ 95 % stop"
    assert ladder(replace(DAY, reached=0)) == "50 % tell, 80 % hold new work, 95 % stop"
    assert ladder(replace(DAY, rungs=())) == "no ladder: nothing is done when it is gone"


def test_a_limit_says_what_is_left_where_that_is_from_and_who_used_it() -> None:
    five = window("5 h", 63, shares={"vm1/docs-1": 410, "vm2/api-3": 220})
    assert limit_facts(five, NOW, clock) == [
        "ann@example.org",
        "37 % left",
        "read 1m ago",
        "stream",
        "vm1/docs-1 41 %, vm2/api-3 22 %",
    ]
    requests = bucket("requests sonnet", 31, 50, buffer=45)
    assert limit_facts(requests, NOW, clock) == [
        "key work",
        "sonnet, a minute",
        "14 left of what you allow",
        "read just now",
        "worked out from metering",
    ]
    assert limit_facts(window("5 h", None, at=NOW - HOUR), NOW, clock) == ["ann@example.org", "stream"]


@pytest.mark.parametrize("text", ["fleet", "host vm1", "profile docs", "agent vm1/docs-1", "account ann@example.org"])
def test_a_scope_is_written_as_it_is_read(text: str) -> None:
    assert str(read_scope(text)) == text
    assert scope_problem(text) is None


def test_an_agent_that_was_taken_over_is_held_by_its_names_its_profile_and_its_account() -> None:
    taken = Adoption("api-1", "b1.7.5", profile="docs")
    theirs = agent("~work", kind="adopted", profile="", adoption=taken, billing=Payer.PLAN)
    gauges = [Headroom(account, "5 h", LimitKind.WINDOW, used=90) for account in ("ann", "bob")]
    alone, both = ({gauge.key: gauge for gauge in some} for some in (gauges[:1], gauges))

    def held(scope: str, account: str = "", unit: BudgetUnit = BudgetUnit.WINDOW) -> bool:
        return holds(Budget("b", scope, Period.DAY, unit, 85, 85), theirs, account)

    for scope in ("fleet", "host vm1", "profile docs", "agent vm1/~work", "agent vm1/api-1"):
        assert held(scope), scope
    assert not held("profile other")
    assert not held("fleet", unit=BudgetUnit.BILLED), "a plan pays for it"
    for known, logins, account in ((alone, {}, "ann"), (both, {}, ""), (both, {theirs.id: "bob"}, "bob")):
        assert account_of(replace(fleet(theirs), headroom=known), theirs, logins) == account
    assert held("account ann", "ann")
    assert not held("account ann", "bob")
    assert not held("account ann"), "nobody knows which it uses"

    def unstopped(scope: str, account: str, one: Agent = theirs) -> bool:
        return is_unstopped(Budget("b", scope, Period.DAY, BudgetUnit.WINDOW, 85, 85), one, account)

    assert unstopped("account ann", ""), "and so it is named"
    assert not unstopped("account ann", "ann")
    assert not unstopped("fleet", "")
    assert unstopped("fleet", "", replace(theirs, adoption=None))


def test_a_scope_of_another_version_binds_nobody() -> None:
    assert read_scope("planet earth").kind is ScopeKind.UNKNOWN
    assert not covers("planet earth", "vm1", "docs-1", "earth")
    assert scope_problem("planet earth") is not None
