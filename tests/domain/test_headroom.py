"""What limits leave: the newest reading counts in any order, and a window that is over is nobody's knowledge."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.display import limit_rows as limits
from controlroom.domain.gauges import Headroom
from controlroom.domain.limits.headroom import (
    DAY,
    HOUR,
    MOST_READINGS,
    Reading,
    believable,
    lasting,
    model_of,
    per_mille,
    taken,
    unread,
    window_gauge,
    window_name,
)

NOW = 1_795_348_800_000
ANN = "ann@example.org"

readings = st.builds(
    Reading,
    st.sampled_from([ANN, "bob@example.org"]),
    st.sampled_from(["five_hour", "seven_day", "seven_day_opus", "overage", "new_one"]),
    st.integers(NOW - 8 * DAY, NOW),
    st.none() | st.floats(0, 1000),
    st.just(0) | st.integers(NOW - DAY, NOW + 8 * DAY),
    st.booleans(),
    st.sampled_from(["stream", "get_usage"]),
)


@given(
    st.lists(readings, max_size=30).flatmap(lambda all_: st.tuples(st.just(all_), st.permutations(all_ + all_[::2])))
)
def test_order_and_replay_change_nothing(case: tuple[list[Reading], list[Reading]]) -> None:
    once, shuffled = case
    together = taken({}, once)
    one_by_one: dict[tuple[str, str], Reading] = {}
    for reading in shuffled:
        one_by_one = dict(taken(one_by_one, [reading]))
    assert one_by_one == together
    assert lasting(one_by_one, NOW) == lasting(together, NOW)
    for key, kept in together.items():
        assert kept.at == max(reading.at for reading in once if reading.key == key)


@given(st.lists(readings, max_size=30), st.integers(NOW - DAY, NOW + 40 * DAY))
def test_what_lasts_has_not_ended(all_: list[Reading], now: int) -> None:
    for reading in lasting(taken({}, all_), now):
        assert reading.ends > now
        gauge = window_gauge(reading, None, {})
        assert gauge.used is None or gauge.used >= 0


def test_a_window_that_a_new_reading_lacks_stays_as_it_was() -> None:
    first = [Reading(ANN, "five_hour", NOW, 30.0), Reading(ANN, "seven_day", NOW, 60.0)]
    after = taken(taken({}, first), [Reading(ANN, "seven_day", NOW + 1, 61.0)])
    assert [(one.window, one.percent) for one in lasting(after, NOW + 2)] == [("five_hour", 30.0), ("seven_day", 61.0)]


def test_a_window_that_began_anew_is_gone_and_an_older_reading_does_not_bring_it_back() -> None:
    over = taken({}, [Reading(ANN, "five_hour", NOW, 90.0, NOW + HOUR)])
    assert lasting(over, NOW + HOUR) == []
    again = taken(over, [Reading(ANN, "five_hour", NOW - 1, 80.0, NOW + 2 * HOUR)])
    assert lasting(again, NOW + HOUR) == []
    assert len(lasting(over, NOW + HOUR - 1)) == 1


def test_a_reading_without_an_end_counts_as_long_as_its_window_is() -> None:
    kept = taken({}, [Reading(ANN, "five_hour", NOW, 10.0), Reading(ANN, "seven_day", NOW, 10.0)])
    assert [one.window for one in lasting(kept, NOW + 5 * HOUR)] == ["seven_day"]


@pytest.mark.parametrize("resets", [-1, NOW + 7 * HOUR, 10**17])
def test_an_end_that_cannot_be_is_not_believed(resets: int) -> None:
    assert believable(Reading(ANN, "five_hour", NOW, 10.0, resets), NOW).resets == 0
    assert believable(Reading(ANN, "five_hour", NOW, 10.0, NOW + 5 * HOUR), NOW).resets == NOW + 5 * HOUR


def test_what_lets_nothing_through_is_used_up_whatever_else_is_said() -> None:
    assert Reading(ANN, "seven_day", NOW, rejected=True).used == 100
    assert Reading(ANN, "seven_day", NOW, 99.9).used == 99
    assert Reading(ANN, "seven_day", NOW).used is None


def test_hosts_cannot_fill_the_memory_with_windows() -> None:
    kept = taken({}, [Reading(ANN, f"w{number}", NOW + number, 1.0) for number in range(2 * MOST_READINGS)])
    assert len(kept) == MOST_READINGS
    assert (ANN, f"w{2 * MOST_READINGS - 1}") in kept


@pytest.mark.parametrize(
    ("window", "name", "models"),
    [
        ("five_hour", "5 h", ""),
        ("seven_day", "week", ""),
        ("seven_day_opus", "week Opus", "opus"),
        ("seven_day_overage_included", "week overage included", ""),
        ("overage", "overage", ""),
        ("fortnight_x", "fortnight x", ""),
    ],
)
def test_windows_have_names_for_people(window: str, name: str, models: str) -> None:
    assert (window_name(window), model_of(window)) == (name, models)


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 10**18), max_size=8))
def test_shares_are_of_the_whole(parts: dict[str, int]) -> None:
    shares = per_mille(parts)
    assert all(0 < share <= 1000 for share in shares.values())
    assert abs(sum(shares.values()) - 1000) <= len(parts) or not sum(parts.values())


def test_a_reading_that_is_missing_is_not_nothing_used() -> None:
    gauge = unread(ANN)
    assert gauge.used is None
    row = limits.row(gauge, NOW, str)
    assert (row.used, row.left, row.source) == ("no reading", "", "comes with its agents' next answer")
    assert limits.record(gauge)["used"] is None


def test_what_is_left_ends_where_the_buffer_begins() -> None:
    gauge = Headroom("api", "requests opus-5", "bucket", 40, 50, buffer=45, at=NOW, source="metering", measured=False)
    row = limits.row(gauge, NOW, str)
    assert (row.used, row.limit, row.left) == ("~40", "45 of 50", "5")
    assert limits.record(gauge)["left"] == 5
    assert limits.left(Headroom("api", "x", "bucket", 60, 50)) == 0


def test_those_who_used_most_are_named() -> None:
    shares = {f"v/{number}": 200 for number in range(5)}
    assert limits.row(Headroom("a", "week", "window", 9, 100, shares=shares), NOW, str).who == (
        "v/0 20 %, v/1 20 %, v/2 20 %, 2 more"
    )


def test_limits_are_in_an_order_that_stays() -> None:
    names = ["week Opus", "5 h", "input opus-5", "week", "requests haiku"]
    kinds = ["window", "window", "bucket", "window", "bucket"]
    made = [Headroom("a", name, kind) for name, kind in zip(names, kinds, strict=True)]
    sorted_names = [one.name for one in limits.in_order(reversed(made))]
    assert sorted_names == ["5 h", "week", "week Opus", "requests haiku", "input opus-5"]


def test_a_record_is_json() -> None:
    credit = Headroom("api", "credit", "credit", 1_500_000, 100_000_000, shares={"vm1/a": 1000})
    told = json.loads(json.dumps(limits.record(credit)))
    assert (told["used"], told["of"], told["left"], told["shares"]) == (
        "1.500000", "100.000000", "98.500000", {"vm1/a": 1.0},
    )  # fmt: skip
    assert (told["resets_at"], told["read_at"]) == (None, None)
