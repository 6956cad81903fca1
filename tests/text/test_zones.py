"""Time zones as the variable TZ names them, and hours that come twice."""

from __future__ import annotations

import calendar
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest

from controlroom.domain.budgets import Period
from controlroom.domain.money.budget import period
from controlroom.text.time_zones import day_name, hour_name, named, zone_here, zone_of

NOON = 1_795_348_800_000
"""22 November 2026, 12:00 UTC."""
BERLIN = ZoneInfo("Europe/Berlin")


def at(*moment: int) -> int:
    return calendar.timegm((*moment, 0, 0)) * 1000


def day_ends(name: str) -> str:
    zone = zone_of(name)
    assert zone is not None
    return datetime.fromtimestamp(period(Period.DAY, NOON, zone)[1] / 1000, timezone.utc).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("<+03>-3", "22 21:00"),
        ("<+0330>-3:30", "22 20:30"),
        ("EST5EDT,M3.2.0,M11.1.0", "23 05:00"),
        (":EST5EDT,M3.2.0,M11.1.0", "23 05:00"),
        ("CST6CDT", "23 06:00"),
        ("JST-9", "22 15:00"),
        ("UTC0", "23 00:00"),
        ("Asia/Kolkata", "22 18:30"),
        (":Asia/Kolkata", "22 18:30"),
    ],
)
def test_a_day_ends_where_the_variable_says(name: str, ends: str) -> None:
    assert day_ends(name) == ends


def test_a_rule_has_its_summer() -> None:
    zone = zone_of("EST5EDT,M3.2.0,M11.1.0")
    assert datetime.fromtimestamp(at(2026, 7, 1, 12) / 1000, zone).strftime("%H %Z") == "08 EDT"
    assert datetime.fromtimestamp(at(2026, 12, 1, 12) / 1000, zone).strftime("%H %Z") == "07 EST"


def test_a_zone_may_be_a_path() -> None:
    files = [Path(folder, "Asia/Kolkata") for folder in TZPATH if Path(folder, "Asia/Kolkata").exists()]
    if not files:
        pytest.skip("this machine has no files of time zones")
    assert day_ends(str(files[0])) == day_ends(f":{files[0]}") == "22 18:30"
    assert named("", str(files[0])) == "Asia/Kolkata"


@pytest.mark.parametrize(
    "name", ["", "nonsense", "/etc/passwd", "../../etc/passwd", "A5", "UTC0\nX", "<+03>", "EST5EDT,M"]
)
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone_of(name) is None


def test_the_setting_goes_before_the_variable_and_that_before_the_machine(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "none")
    assert named("Pacific/Auckland", "Asia/Kolkata") == "Pacific/Auckland"
    assert named("", "Asia/Kolkata") == "Asia/Kolkata"
    assert named("", "nonsense", nowhere) == "UTC"
    assert zone_here("", "nonsense", nowhere) is timezone.utc
    (tmp_path / "zoneinfo" / "Asia").mkdir(parents=True)
    (tmp_path / "zoneinfo" / "Asia" / "Tokyo").touch()
    (tmp_path / "localtime").symlink_to(tmp_path / "zoneinfo" / "Asia" / "Tokyo")
    assert named("", "", str(tmp_path / "localtime")) == "Asia/Tokyo"


def test_an_hour_that_comes_twice_tells_which_it_is() -> None:
    hours = [hour_name(at(2026, 10, 24, 23) + number * 3_600_000, BERLIN) for number in range(4)]
    assert hours == ["2026-10-25 01:00", "2026-10-25 02:00 CEST", "2026-10-25 02:00 CET", "2026-10-25 03:00"]
    assert hours == sorted(hours)


def test_an_hour_that_is_left_out_is_no_hour() -> None:
    hours = [hour_name(at(2026, 3, 29, 0) + number * 3_600_000, BERLIN) for number in range(3)]
    assert hours == ["2026-03-29 01:00", "2026-03-29 03:00", "2026-03-29 04:00"]


def test_half_an_hour_may_come_twice() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")  # put back by half an hour on 5 April 2026 at 15:00 UTC
    names = {hour_name(at(2026, 4, 5, 14) + quarter * 900_000, zone) for quarter in range(8)}
    assert {"2026-04-06 01:00 +1100", "2026-04-06 01:00 +1030"} <= names or len(names) == 3


def test_a_day_is_named_where_it_is() -> None:
    assert (day_name(NOON, ZoneInfo("Pacific/Auckland")), day_name(NOON, timezone.utc)) == ("2026-11-23", "2026-11-22")
