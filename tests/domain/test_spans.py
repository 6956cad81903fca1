"""What was spent in a span, as rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from controlroom.domain.display.spans import By, Span, SpendRow, history, spend_rows, total
from controlroom.domain.money.costs import CostRow
from controlroom.text.states import Payer
from tests.tui.scenes import HOUR, MINUTE, NOW

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def paid(key: str, billing: str, micro: int, messages: int = 10) -> CostRow:
    return CostRow(key, Payer(billing), messages, 1000, 500, 200, 100, 8700, 0, micro)


@pytest.mark.parametrize(
    ("span", "began"),
    [
        (Span.TODAY, "2026-11-22T00:00:00+01:00"),
        (Span.WEEK, "2026-11-16T00:00:00+01:00"),
        (Span.MONTH, "2026-11-01T00:00:00+01:00"),
        (Span.THIRTY, "2026-10-22T23:30:00+00:00"),
    ],
)
def test_spans_begin_where_the_operator_is(span: Span, began: str) -> None:
    now = ms("2026-11-21T23:30:00+00:00")  # it is Sunday already in Berlin
    assert span.since(now, BERLIN) == ms(began)


def test_a_month_with_a_change_of_clocks_begins_at_its_midnight() -> None:
    assert Span.MONTH.since(ms("2026-10-28T12:00:00+01:00"), BERLIN) == ms("2026-10-01T00:00:00+02:00")


def test_who_is_billed_and_who_is_covered_stand_in_one_row_and_are_not_summed() -> None:
    found = [paid("vm1/a", "api", 500), paid("vm1/b", "plan", 900), paid("vm1/a", "plan", 300), paid("vm1/b", "", 7)]
    rows = spend_rows(found, By.AGENT, 0, NOW, UTC, {})
    assert [(row.name, row.where, row.billed, row.covered) for row in rows] == [
        ("b", "vm1", None, 907),
        ("a", "vm1", 500, 300),
    ]
    assert rows[1].all.messages == 20
    assert rows[1].all.hit_rate == pytest.approx(0.87)
    whole = total(rows)
    assert (whole.billed, whole.covered, whole.all.output) == (500, 1207, 2000)
    assert (total([]).billed, total([]).covered) == (None, None)


def test_what_is_not_known_is_named_so() -> None:
    for by, name in (
        (By.AGENT, "not known"),
        (By.PROFILE, "no profile"),
        (By.HOST, "not known"),
        (By.MODEL, "not known"),
    ):
        (row,) = spend_rows([paid("", "api", 1)], by, 0, NOW, UTC, {})
        assert row.name == name
    (row,) = spend_rows([paid("claude-sonnet-5-5-20261101", "api", 1)], By.MODEL, 0, NOW, UTC, {})
    assert row.name == "sonnet-5.5"


# --------------------------------------------------------------------------- hours


@pytest.mark.parametrize("by", [By.AGENT, By.PROFILE, By.HOST])
def test_how_long_agents_ran_is_that_of_the_key_and_unknown_where_nobody_said(by: By) -> None:
    found = [paid("vm1", "api", 9_000_000), paid("vm2", "api", 2_000_000), paid("vm3", "api", 1)]
    rows = spend_rows(found, by, 0, NOW, UTC, {"vm1": 3 * HOUR, "vm2": 0, "other": 1})
    assert [(row.ran, row.per_hour) for row in rows] == [(3 * HOUR, "$3.00"), (0, ""), (None, "")]
    assert total(rows).ran is None
    assert total(rows[:2]).ran == 3 * HOUR


def test_what_an_agent_hour_costs() -> None:
    row = SpendRow("a", "a", billed=3_000_000, ran=2 * HOUR)
    assert row.per_hour == "$1.50"
    assert replace(row, billed=None, covered=3_000_000).per_hour == "≈$1.50"
    assert replace(row, covered=1).per_hour == ""
    assert replace(row, ran=None).per_hour == ""
    assert replace(row, ran=3 * MINUTE).per_hour == ""
    assert total([row, replace(row, ran=HOUR)]).per_hour == "$2.00"
    assert total([row, replace(row, ran=None)]).per_hour == ""


# --------------------------------------------------------------------------- over time


def quarter(text: str, micro: int, billing: str = "api") -> CostRow:
    return paid(str(ms(text)), billing, micro)


def test_hours_are_newest_first_without_gaps() -> None:
    now, since = ms("2026-11-22T14:32:00+01:00"), ms("2026-11-22T00:00:00+01:00")
    found = [
        quarter("2026-11-22T10:15:00+01:00", 5),
        quarter("2026-11-22T10:30:00+01:00", 6),
        quarter("2026-11-22T13:00:00+01:00", 7, "plan"),
    ]
    rows = spend_rows(found, By.HOUR, since, now, BERLIN, {})
    assert [(row.name, row.billed, row.covered) for row in rows] == [
        ("14:00", None, None),
        ("13:00", None, 7),
        ("12:00", None, None),
        ("11:00", None, None),
        ("10:00", 11, None),
    ]


def test_days_have_their_names_and_long_spans_only_what_was_spent() -> None:
    now, since = ms("2026-11-22T14:32:00+01:00"), ms("2026-10-23T14:32:00+02:00")
    found = [quarter("2026-11-20T10:15:00+01:00", 5), quarter("2026-11-22T00:15:00+01:00", 6)]
    rows = spend_rows(found, By.DAY, since, now, BERLIN, {})
    assert [(row.name, row.billed) for row in rows] == [("Sun 22 Nov", 6), ("Sat 21 Nov", None), ("Fri 20 Nov", 5)]
    hours = spend_rows(found, By.HOUR, since, now, BERLIN, {})
    assert [row.name for row in hours] == ["00:00", "Fri 20 Nov 10:00"]


def test_the_past_is_of_what_was_billed_where_anything_was() -> None:
    now, since = ms("2026-11-22T03:32:00+01:00"), ms("2026-11-22T00:00:00+01:00")
    found = [quarter("2026-11-22T01:15:00+01:00", 5), quarter("2026-11-22T02:15:00+01:00", 9, "plan")]
    assert history(found, since, now, BERLIN, short=True) == [0, 5, 0, 0]
    assert history(found[1:], since, now, BERLIN, short=True) == [0, 0, 9, 0]
    assert history([], since, now, BERLIN, short=False) == [0]
