"""`controlroom costs`: moments as people say them, a table that keeps bills apart, CSV without traps."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from controlroom.cli import costs
from controlroom.domain.money.costs import HOUR, CostRow
from controlroom.text.states import Payer

NOW = 1_795_348_800.0
BILLED = CostRow("vm1/api-1", Payer.API, 120, 5000, 900, 100, 0, 90_000, 0, 1_920_000, 0)
COVERED = CostRow("vm1/docs-1", Payer.PLAN, 3, 10, 20, 0, 0, 0, 0, 4_100, 4_100)


@pytest.mark.parametrize(("text", "seconds_ago"), [("90m", 5400), ("12h", 43_200), ("7d", 604_800), ("0d", 0)])
def test_a_moment_can_be_an_age(text: str, seconds_ago: int) -> None:
    assert costs.moment(text, NOW) == NOW - seconds_ago


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_a_day_begins_where_the_operator_is(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert time.localtime(costs.moment("today", NOW))[3:6] == (0, 0, 0)
        assert time.localtime(costs.moment("2026-11-01", NOW))[:6] == (2026, 11, 1, 0, 0, 0)
        assert costs.moment("2026-11-01T05:00:00Z", NOW) == 1_793_509_200
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_day_begins_where_the_rooms_days_begin() -> None:
    zone = ZoneInfo("Pacific/Auckland")
    assert datetime.fromtimestamp(costs.moment("today", NOW, zone), zone).strftime("%d %H:%M") == "23 00:00"
    assert datetime.fromtimestamp(costs.moment("2026-11-01", NOW, zone), zone).strftime("%d %H:%M") == "01 00:00"
    assert costs.moment("2026-11-01T05:00:00Z", NOW, zone) == 1_793_509_200


def test_a_moment_that_is_still_to_come_is_refused() -> None:
    assert costs.moment("2026-11-21", NOW) < NOW
    with pytest.raises(ValueError, match="2027-01-01 is in the future"):
        costs.moment("2027-01-01", NOW)


@pytest.mark.parametrize("text", ["", "d", "7w", "-3d", "yesterday", "9" * 30 + "d", "2026-13-01", "\x1b[2J"])
def test_what_is_no_moment_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="say 90m, 12h, 7d, today"):
        costs.moment(text, NOW)


def test_the_table_keeps_a_bill_and_a_worth_apart(capsys: pytest.CaptureFixture[str]) -> None:
    costs.write_table([BILLED, COVERED], "agent", "", {"vm1/api-1": 2 * HOUR})
    out, talk = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split()[:8] == ["AGENT", "PAYS", "COST", "SHARE", "MSGS", "IN", "OUT", "CACHED"]
    assert lines[0].split()[8:] == ["READ", "HITS", "AN", "HOUR"]
    assert lines[1].split()[:5] == ["vm1/api-1", "billed", "$1.92", "100%", "120"]
    assert lines[1].split()[5:] == ["5.0k", "900", "100", "90k", "95", "%", "$0.96"]
    assert lines[2].split()[:3] == ["vm1/docs-1", "plan", "≈$0.0041"]
    assert [line.split()[:3] for line in lines[4:]] == [["all", "billed", "$1.92"], ["all", "plan", "≈$0.0041"]]
    assert "not a bill" in talk
    assert "$0.0041 of it is for models without a price" in talk


def hourly(rows: Sequence[CostRow], ran: Mapping[str, int], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The last column: of each row, of the line between, and of the sums."""
    costs.write_table(rows, "host", "", ran)
    return [line.rsplit(None, 1)[-1] for line in capsys.readouterr()[0].splitlines()[1:] if line.strip()]


def test_an_agent_hour_has_a_price_where_all_hours_are_known_and_one_kind_of_account_pays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two = replace(BILLED, key="vm1", micro=6_000_000), replace(BILLED, key="vm2", micro=1_000_000)
    ran = {"vm1": 3 * HOUR, "vm2": HOUR}
    assert hourly([one, two], ran, capsys) == ["$2.00", "$1.00", "$1.75"]
    assert hourly([one, two], {"vm1": 3 * HOUR}, capsys) == ["$2.00", "–", "–"]
    covered = replace(COVERED, key="vm2", micro=500_000)
    assert hourly([one, covered], ran, capsys) == ["$2.00", "≈$0.50", "–", "–"]
    assert hourly([one, replace(covered, key="vm1")], ran, capsys) == ["–", "–", "–", "–"]
    assert hourly([one], {"vm1": 1000}, capsys) == ["–"], "too short to say anything"


def test_a_share_is_of_what_is_billed_alike() -> None:
    rows = [BILLED, replace(BILLED, key="vm2/b", micro=BILLED.micro * 3), COVERED, replace(COVERED, micro=0, key="")]
    priced, totals = costs.priced_rows(rows, {})
    assert [cost.share for cost in priced] == [25, 75, 100, 0]
    assert [(cost.row.billing, cost.row.micro, cost.share) for cost in totals] == [
        (Payer.API, 4 * BILLED.micro, 100),
        (Payer.PLAN, COVERED.micro, 100),
    ]
    assert costs.priced_rows([replace(BILLED, micro=0)], {})[0][0].share is None


def test_nothing_spent_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    costs.write_table([], "agent", "1970-01-01 00:00", {})
    out, talk = capsys.readouterr()
    assert (out, talk.startswith("nothing has been spent since 1970-01-01")) == ("", True)


def test_a_spreadsheet_gets_the_totals_in_rows_that_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [CostRow("vm1/a", Payer.API, micro=5), CostRow("vm1/b", Payer.API, micro=7), COVERED]
    costs.spreadsheet(rows, "agent", {})
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["is_total"] for row in read] == ["false"] * 3 + ["true"] * 2
    billed = next(row for row in read if row["is_total"] == "true" and row["billing"] == "api")
    assert (billed["agent"], billed["list_price_usd"]) == ("", "0.000012")
    costs.spreadsheet([], "agent", {})
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_spreadsheet_gets_no_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    costs.spreadsheet([CostRow("=cmd()", Payer.API, micro=5), BILLED], "profile", {"vm1/api-1": 90 * 60_000})
    rows = [row for row in csv.DictReader(io.StringIO(capsys.readouterr().out)) if row["is_total"] == "false"]
    assert [row["profile"] for row in rows] == ["'=cmd()", "vm1/api-1"]
    assert [row["ran_seconds"] for row in rows] == ["", "5400.0"]
    assert [row["agent_hour_usd"] for row in rows] == ["", "1.280000"]
    assert [row["list_price_usd"] for row in rows] == ["0.000005", "1.920000"]
