"""The verbs of budgets, against a real engine: set, changed, shown, removed; what is wrong is said."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import tomllib

from controlroom.cli.budget import runs_out_when
from controlroom.cli.exits import Exit
from controlroom.domain.adoption import Adoption
from controlroom.domain.budgets import Budget, BudgetUnit, Period
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.money.ladder import waits_for
from controlroom.protocol.home import find_home
from tests.domain.worlds import NOON, agent, fleet
from tests.end_to_end.room import Room
from tests.lab.world import World


@pytest.fixture
def room(home: World) -> Room:
    return Room()


def stands(room: Room) -> dict[str, dict[str, object]]:
    return {budget["name"]: budget for budget in room.records("budgets", "budget", "show")}


def test_a_budget_is_set_changed_shown_and_removed(room: Room) -> None:
    assert room.run("budget", "show") == ""
    room.run("budget", "set", "day", "--limit", "8", "--ladder", "80:hold,100:stop")
    day = stands(room)["day"]
    assert (day["limit_usd"], day["stop_usd"], day["period"], day["unit"]) == ("8.000000", "8.000000", "day", "billed")
    assert (day["spent_usd"], day["granted_usd"], day["scope"], day["armed"]) == ("0.000000", "0.000000", "fleet", True)
    assert day["ladder"] == [{"at_percent": 80, "do": "hold"}, {"at_percent": 100, "do": "stop"}]

    room.run("budget", "set", "day", "--period", "week", "--disarm")
    day = stands(room)["day"]
    assert (day["limit_usd"], day["period"], day["armed"], len(day["ladder"])) == ("8.000000", "week", False, 2)  # type: ignore[arg-type]
    room.run("budget", "set", "day", "--arm", "--limit", "2.50")
    room.run("budget", "set", "tokens", "--limit", "5M", "--unit", "tokens", "--scope", "host local")
    room.run("budget", "set", "mine", "--limit", "85", "--unit", "window", "--window", "seven_day")
    table = room.run("budget", "show")
    assert "$2.50" in table
    assert "5.0M tokens" in table
    assert " week " in table.splitlines()[2], "a window is called what it is called everywhere"
    kept = tomllib.loads(find_home(os.environ).budgets.read_text())["budgets"]
    assert kept["tokens"] == {"limit": "5000000", "unit": "tokens", "scope": "host local"}
    assert kept["day"]["ladder"] == [{"at": 80, "do": "hold"}, {"at": 100, "do": "stop"}]

    room.run("stop")
    assert set(stands(room)) == {"day", "tokens", "mine"}, "another engine keeps them"
    room.run("budget", "remove", "tokens")
    assert set(stands(room)) == {"day", "mine"}
    told = [line for line in room.records("lines", "audit") if line["verb"].startswith("budget")]
    assert [line["outcome"] for line in told] == ["done"] * 6
    assert "$2.50 per week for fleet, 80:hold,100:stop" in told[2]["reason"]
    room.run("stop")


def test_a_dry_run_says_what_would_change_and_stores_nothing(room: Room) -> None:
    said = room.run("budget", "set", "day", "--limit", "8", "--dry-run")
    assert said.splitlines() == [
        "nothing is changed; it would be: day: $8.00 per day for fleet, 50:notify,80:hold,95:pause",
        "  day stops agents at $7.60",
    ]
    assert stands(room) == {}
    room.run("budget", "set", "day", "--limit", "8")
    before = find_home(os.environ).budgets.read_text(), stands(room)
    said = room.run("budget", "set", "day", "--disarm", "--limit", "1", "--dry-run")
    assert "  day no longer stops anybody: it is disarmed, and only says what it would do" in said.splitlines()
    assert (find_home(os.environ).budgets.read_text(), stands(room)) == before, "nothing is stored"
    assert "there is no host 'lokal'" in room.run(
        "budget", "set", "day", "--scope", "host lokal", "--dry-run", expect=Exit.NOT_FOUND
    )
    room.run("budget", "set", "day", "--limit", "9")
    assert stands(room)["day"]["armed"] is True, "after a dry run a new limit keeps it armed"
    room.run("budget", "set", "day", "--disarm")
    room.run("budget", "set", "day", "--limit", "10")
    assert stands(room)["day"]["armed"] is False, "what was disarmed on purpose stays so"
    room.run("stop")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (BudgetRule("b", 85, unit=BudgetUnit.WINDOW, window="five_hour"), ""),
        (BudgetRule("b", 85, unit=BudgetUnit.WINDOW, window="fife_hour"), "how much of the fife hour window is used"),
        (BudgetRule("b", 85, scope="agent vm1/docs-1"), ""),
        (BudgetRule("b", 85, scope="agent vm1/dosc-1"), "no agent vm1/dosc-1 yet"),
        (BudgetRule("b", 85, scope="agent vm1/api-1"), 'say --scope "agent vm1/~work"'),
        (BudgetRule("b", 85), ""),
    ],
)
def test_a_budget_that_stops_nobody_yet_says_so(rule: BudgetRule, says: str) -> None:
    read = Headroom("ann", "5 h", LimitKind.WINDOW)
    theirs = agent("~work", kind="adopted", adoption=Adoption("api-1", "b1.7.5"))
    note = waits_for(rule, replace(fleet(agent(), theirs), headroom={read.key: read}))
    assert says in note
    assert bool(says) == bool(note)


def test_a_budget_that_is_gone_does_not_run_out_any_more() -> None:
    for spent, says in ((7_500_000, "12:00"), (7_600_000, "gone"), (None, "")):
        known = Budget(
            "day", "fleet", Period.DAY, BudgetUnit.BILLED, 8_000_000, 7_600_000, spent=spent, runs_out=spent and NOON
        )
        assert runs_out_when(known, lambda at: "12:00") == says


def test_what_cannot_be_a_budget_is_said(room: Room) -> None:
    for words, code, sentence in (
        (["set", "day"], 2, "how much? say --limit"),
        (["set", "day", "--limit", "much"], 2, 'expected dollars like "2.50"'),
        (["set", "day", "--limit", "5M"], 2, "not '5M'; tokens are another unit: unit tokens"),
        (["set", "day", "--limit", "85%"], 2, "per cent are of a plan's window"),
        (["set", "day", "--limit", "0"], 2, "a limit is more than nothing"),
        (["set", "Day!", "--limit", "8"], 2, "'Day!' cannot name a budget"),
        (["set", "day", "--limit", "8", "--ladder", "50"], 2, "a rung does notify, hold"),
        (["set", "day", "--limit", "8", "--ladder", "x:stop"], 2, "expected a ladder like"),
        (["set", "day", "--limit", "8", "--scope", "everything"], 2, "is no scope"),
        (["set", "day", "--limit", "8", "--scope", "host lokal"], 5, "there is no host 'lokal': did you mean local?"),
        (["set", "day", "--limit", "85", "--unit", "window"], 2, "says which: five_hour"),
        (["remove", "day"], 5, "there is no budget 'day': there is none"),
    ):
        assert sentence in room.run("budget", *words, expect=code)
    room.run("stop")
