"""Periods of budgets: without gaps, whatever the clocks of a zone are put to; month ends; Mondays."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.budgets import PERIODS, Period
from controlroom.domain.money.budget import HOUR, period

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",  # clocks are put forward at midnight
    "America/Havana",  # and back over it
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # a day of 2011 is missing
]
DAY = 24 * HOUR
some_time = st.integers(1_300_000_000_000, 1_900_000_000_000)


def at(zone: str, *fields: int, fold: int = 0) -> int:
    year, month, day, hour, minute = (*fields, 0, 0)[:5]
    return round(datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


@given(some_time, st.sampled_from(ZONES), st.sampled_from(PERIODS))
def test_now_is_in_its_period_and_the_next_one_begins_where_it_ends(now: int, zone: str, kind: Period) -> None:
    began, ends = period(kind, now, ZoneInfo(zone))
    assert began <= now < ends
    if kind is Period.HOUR:
        assert ends - began == HOUR
        return
    assert period(kind, began, ZoneInfo(zone)) == (began, ends)
    assert period(kind, ends - 1, ZoneInfo(zone)) == (began, ends)
    assert period(kind, ends, ZoneInfo(zone))[0] == ends


@given(some_time, st.integers(0, 40 * DAY), st.sampled_from(ZONES), st.sampled_from(PERIODS))
def test_a_later_time_is_never_in_an_earlier_period(now: int, more: int, zone: str, kind: Period) -> None:
    assert period(kind, now, ZoneInfo(zone))[0] <= period(kind, now + more, ZoneInfo(zone))[0]


@given(some_time, st.sampled_from(ZONES))
def test_days_weeks_and_months_begin_with_a_date_of_the_zone(now: int, zone: str) -> None:
    for kind in (Period.DAY, Period.WEEK, Period.MONTH):
        began, _ = period(kind, now, ZoneInfo(zone))
        first = datetime.fromtimestamp(began / 1000, ZoneInfo(zone))
        before = datetime.fromtimestamp((began - 1) / 1000, ZoneInfo(zone))
        assert before.date() < first.date()
        if kind is Period.WEEK:
            assert first.weekday() == 0 or before.weekday() > first.weekday()
        if kind is Period.MONTH:
            assert before.month != first.month


def test_days_are_as_long_as_the_clock_makes_them() -> None:
    spring = period(Period.DAY, at("Europe/Berlin", 2026, 3, 29, 12), ZoneInfo("Europe/Berlin"))
    autumn = period(Period.DAY, at("Europe/Berlin", 2026, 10, 25, 12), ZoneInfo("Europe/Berlin"))
    assert (spring[1] - spring[0], autumn[1] - autumn[0]) == (23 * HOUR, 25 * HOUR)
    gap = period(Period.DAY, at("America/Santiago", 2026, 9, 6, 12), ZoneInfo("America/Santiago"))
    assert gap == (at("America/Santiago", 2026, 9, 5, 23) + HOUR, at("America/Santiago", 2026, 9, 7))
    assert gap[1] - gap[0] == 23 * HOUR


@pytest.mark.parametrize(
    ("day", "ends"),
    [((2026, 1, 31), (2026, 2, 1)), ((2028, 2, 29), (2028, 3, 1)), ((2026, 12, 31), (2027, 1, 1))],
)
def test_months_end_where_they_do(day: tuple[int, int, int], ends: tuple[int, int, int]) -> None:
    zone = "America/New_York"
    assert period(Period.MONTH, at(zone, *day, 23, 59), ZoneInfo(zone)) == (at(zone, *day[:2], 1), at(zone, *ends))


def test_weeks_begin_on_monday() -> None:
    sunday, monday = at("Europe/Berlin", 2026, 11, 22, 23, 59), at("Europe/Berlin", 2026, 11, 23)
    assert period(Period.WEEK, sunday, ZoneInfo("Europe/Berlin")) == (at("Europe/Berlin", 2026, 11, 16), monday)
    assert period(Period.WEEK, monday, ZoneInfo("Europe/Berlin"))[0] == monday


def test_hours_begin_where_the_minutes_are_0() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")
    began, _ = period(Period.HOUR, at("Asia/Kathmandu", 2026, 11, 22, 9, 40), kathmandu)
    assert began == at("Asia/Kathmandu", 2026, 11, 22, 9)
    twice = [at("Europe/Berlin", 2026, 10, 25, 2, 30, fold=fold) for fold in (0, 1)]
    hours = [period(Period.HOUR, now, ZoneInfo("Europe/Berlin"))[0] for now in twice]
    assert hours[1] - hours[0] == HOUR
    offset = timezone(timedelta(minutes=30))
    assert period(Period.HOUR, 0, offset) == (-HOUR // 2, HOUR // 2)
