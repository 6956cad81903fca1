"""Gauges of money and limits: words, bars, order, what comes first when there is no room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.budgets import BudgetUnit, Rung, RungAction
from controlroom.domain.display.bars import Gauge, budget_gauge, calm_moment, cells, fitting, gauges, headroom_gauge
from controlroom.domain.display.views import alarm_lines, worst_first
from controlroom.domain.gauges import Alarm, AlarmLevel, LimitKind
from controlroom.domain.model import Fleet
from tests.domain.worlds import clock
from tests.tui import scenes
from tests.tui.scenes import HOUR, MINUTE, NOW, bucket, budget, keyed, window


def drawn(share: float | None, granted: float = 0.0, mark: float | None = None, width: int = 10) -> str:
    return "".join(signs for _, signs in cells(share, granted, mark, width))


@pytest.mark.parametrize(
    ("share", "bar"),
    [
        (None, "··········"),
        (0.0, "··········"),
        (0.0001, "╸·········"),
        (0.0125, "╸·········"),
        (0.5, "━━━━━·····"),
        (0.55, "━━━━━╸····"),
        (0.9999, "━━━━━━━━━━"),
        (1.0, "━━━━━━━━━━"),
        (3.0, "━━━━━━━━━━"),
    ],
)
def test_a_bar_is_a_line_and_dots(share: float | None, bar: str) -> None:
    assert drawn(share) == bar


def test_a_bar_shows_what_is_granted_and_where_it_stops_without_colour() -> None:
    assert drawn(0.5, 0.2, 0.95) == "━━━━━╍╍··│"
    assert drawn(0.5, 0.2, 0.6) == "━━━━━╍│···"
    assert drawn(0.5, 0.2, 0.2) == "━━│━━╍╍···"
    assert drawn(0.9, 0.9, 1.0) == "━━━━━━━━━│"
    assert drawn(0.0, 0.3) == "╍╍╍·······"
    assert drawn(0.5, width=0) == ""
    assert cells(0.5, 0.2, 0.95, 10) == [("used", "━━━━━"), ("granted", "╍╍"), ("rest", "··"), ("mark", "│")]


@pytest.mark.parametrize("width", [1, 2, 7, 26])
@pytest.mark.parametrize("share", [None, 0.0, 0.03, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("granted", [0.0, 0.01, 0.5, 3.0])
def test_a_bar_has_its_width_whatever_it_shows(width: int, share: float | None, granted: float) -> None:
    for mark in (None, 0.0, 0.5, 1.0):
        assert len(drawn(share, granted, mark, width)) == width


def test_a_budget_in_dollars() -> None:
    day = budget("day", 160_000_000, 98_200_000, runs_out=NOW + 128 * MINUTE, granted=16_000_000)
    gauge = budget_gauge(day, NOW, clock)
    assert (gauge.label, gauge.used, gauge.limit, gauge.short) == ("day", "$98.20", "160", "$98/160")
    assert (gauge.percent, gauge.when, gauge.note, gauge.level) == ("61 %", "runs out 16:40", "", "")
    assert gauge.share == pytest.approx(0.61375)
    assert gauge.granted == pytest.approx(0.1)
    assert gauge.mark == pytest.approx(0.95)


def test_units_of_budgets() -> None:
    covered = budget_gauge(budget("day", 160_000_000, 98_200_000, unit=BudgetUnit.COVERED), NOW, clock)
    assert (covered.used, covered.limit, covered.short) == ("≈$98.20", "160", "≈$98/160")
    tokens = budget_gauge(budget("day", 2_000_000, 1_234_567, unit=BudgetUnit.TOKENS), NOW, clock)
    assert (tokens.used, tokens.limit, tokens.short) == ("1.2M", "2.0M", "1.2M/2.0M")
    small = budget_gauge(budget("hour", 8_500_000, 3_100_000), NOW, clock)
    assert (small.used, small.limit, small.short) == ("$3.10", "8.50", "$3.10/8.50")
    assert budget_gauge(budget("m", 2_000_000_000, 1_204_560_000), NOW, clock).used == "$1,205"


def test_a_budget_of_a_window_is_drawn_on_the_window() -> None:
    week = budget("week cap", 85, 63, unit=BudgetUnit.WINDOW, stop=85)
    gauge = budget_gauge(week, NOW, clock)
    assert (gauge.used, gauge.limit, gauge.percent) == ("", "", "63 %")
    assert gauge.share == pytest.approx(0.63)
    assert gauge.mark == pytest.approx(0.85)


def test_no_reading_is_not_nothing() -> None:
    gauge = budget_gauge(budget("day", 160_000_000, None), NOW, clock)
    assert (gauge.share, gauge.percent, gauge.level) == (None, "no reading", "")
    gauge = headroom_gauge(window("5 h", None), NOW, clock, "5 h")
    assert (gauge.share, gauge.percent, gauge.when) == (None, "no reading", "")


@pytest.mark.parametrize(
    ("reached", "level", "note", "would"),
    [
        (0, "", "", ""),
        (1, "notice", "", ""),
        (2, "warning", "new work held", "would hold"),
        (3, "danger", "stopped", "would stop"),
    ],
)
def test_a_ladder_says_what_it_does(reached: int, level: str, note: str, would: str) -> None:
    day = budget("day", 160_000_000, 98_200_000, reached=reached)
    gauge = budget_gauge(day, NOW, clock)
    assert (gauge.level, gauge.note) == (level, note)
    assert budget_gauge(replace(day, dry_run=True), NOW, clock).note == would


def test_without_a_ladder_the_share_alarms_and_nothing_marks_a_stop() -> None:
    bare = replace(budget("day", 100, 50), rungs=(Rung(50, RungAction.NOTIFY),))
    assert budget_gauge(bare, NOW, clock).mark is None
    levels = [budget_gauge(replace(bare, rungs=(), spent=spent), NOW, clock).level for spent in (50, 80, 100, 120)]
    assert levels == ["", "warning", "danger", "danger"]


def test_a_window() -> None:
    gauge = headroom_gauge(window("5 h", 63), NOW, clock, "5 h")
    assert (gauge.group, gauge.used, gauge.limit, gauge.percent) == ("window", "", "", "63 %")
    assert (gauge.when, gauge.note, gauge.level) == ("resets 17:00", "", "")
    assert headroom_gauge(window("5 h", 81), NOW, clock, "").level == "warning"
    assert headroom_gauge(window("5 h", 96), NOW, clock, "").level == "danger"
    assert headroom_gauge(window("5 h", 81, buffer=85), NOW, clock, "").level == "danger"


def test_a_limit_says_in_words_that_nothing_is_left() -> None:
    notes = [headroom_gauge(window("5 h", used, buffer=85), NOW, clock, "").note for used in (84, 85, 99, 100, 120)]
    assert notes == ["", "past your mark", "past your mark", "used up", "used up"]
    assert headroom_gauge(bucket("requests opus", 9, None, buffer=5), NOW, clock, "").note == ""


def test_an_old_reading_wears_its_age_and_one_from_before_the_reset_is_none() -> None:
    old = window("5 h", 63, at=NOW - 40 * MINUTE)
    assert headroom_gauge(old, NOW, clock, "").note == "40m old"
    assert headroom_gauge(replace(old, at=NOW - 14 * MINUTE), NOW, clock, "").note == ""
    over = headroom_gauge(replace(old, resets=NOW - 32 * MINUTE), NOW, clock, "")
    assert (over.share, over.percent, over.when) == (None, "no reading", "new since 14:00")


def test_a_bucket_is_an_estimate_until_it_was_measured() -> None:
    gauge = headroom_gauge(bucket("requests sonnet", 31, 50, buffer=45), NOW, clock, "req")
    assert (gauge.used, gauge.limit, gauge.short, gauge.percent) == ("~31", "50", "~31/50", "~62 %")
    assert gauge.mark == pytest.approx(0.9)
    measured = headroom_gauge(bucket("input sonnet", 1_200_000, 2_000_000, measured=True), NOW, clock, "in")
    assert (measured.used, measured.limit, measured.percent) == ("1.2M", "2.0M", "60 %")
    unlimited = headroom_gauge(bucket("requests sonnet", 31, None), NOW, clock, "req")
    assert (unlimited.used, unlimited.share, unlimited.percent) == ("~31", None, "no ceiling")
    assert (unlimited.bounded, gauge.bounded) == (False, True)
    credit = headroom_gauge(
        window("credit", 12_500_000, kind=LimitKind.CREDIT, limit=100_000_000), NOW, clock, "credit"
    )
    assert (credit.used, credit.limit, credit.percent) == ("$12", "100", "12 %")


def labels(fleet: Fleet) -> list[str]:
    return [gauge.label for gauge in gauges(fleet, NOW, clock)]


def test_gauges_have_their_order_and_short_names() -> None:
    fleet = scenes.watched()
    assert labels(fleet) == ["day", "hour", "5 h", "week", "req", "in", "out"]
    assert labels(Fleet()) == []
    agent = budget("docs", 5_000_000, 0, scope="agent vm1/docs-1", period="day")
    assert labels(replace(fleet, budgets={"docs": agent, **fleet.budgets}))[:3] == ["day", "hour", "docs"]


def test_two_accounts_and_two_classes_of_models_are_told_apart() -> None:
    both = keyed(window("5 h", 10), window("5 h", 20, account="team"), window("week", 5))
    assert labels(Fleet(headroom=both)) == ["5 h ann", "week", "5 h team"]
    alike = keyed(window("5 h", 10), window("5 h", 20, account="ann@example.com"))
    assert labels(Fleet(headroom=alike)) == ["5 h ann@example.com", "5 h ann@example.org"]
    classes = keyed(bucket("requests opus-5-5", 1, 50), bucket("requests sonnet-5-5", 1, 50))
    assert labels(Fleet(headroom=classes)) == ["req opus-5.5", "req sonnet-5.5"]


def test_the_tightest_come_first_and_keep_their_order() -> None:
    found = gauges(scenes.watched(), NOW, clock)
    assert [gauge.label for gauge in fitting(found, 3)] == ["day", "5 h", "req"]
    assert [gauge.label for gauge in fitting(found, 100)] == [gauge.label for gauge in found]
    assert fitting(found, 0) == []
    calm, alarmed = Gauge("a", "budget", "a", share=0.9), Gauge("b", "budget", "b", share=0.1, level=AlarmLevel.DANGER)
    unknown = Gauge("c", "window", "c")
    assert fitting([unknown, calm, alarmed], 2) == [calm, alarmed]


def test_a_forecast_is_as_round_as_it_is_good() -> None:
    at = NOW - NOW % (10 * MINUTE) + 3 * HOUR
    assert calm_moment(at + 7 * MINUTE, NOW) == at
    soon = NOW - NOW % (10 * MINUTE) + 40 * MINUTE
    assert calm_moment(soon + 3 * MINUTE, NOW) == soon
    assert calm_moment(NOW + 7 * MINUTE + 999, NOW) == NOW + 7 * MINUTE


def test_alarms_are_read_worst_first() -> None:
    found = {
        "a": Alarm("note", AlarmLevel.NOTICE, NOW),
        "b": Alarm("old", AlarmLevel.WARNING, NOW - HOUR),
        "c": Alarm("new", AlarmLevel.WARNING, NOW, "vm1/docs-1"),
        "d": Alarm("worst", AlarmLevel.DANGER, 0),
    }
    fleet = Fleet(alarms=found)
    assert [alarm.text for alarm in worst_first(fleet)] == ["worst", "new", "old", "note"]
    told = alarm_lines(fleet, NOW + MINUTE, clock)
    assert [line.words for line in told][:4] == ["worst", "new", "vm1/docs-1 · since 14:32, 1m", "old"]
    assert [line.tone for line in told if line.label] == ["bad", "warn", "warn", ""]
