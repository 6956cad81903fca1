"""What limits leave: the newest reading counts in any order, and a window that is over is nobody's knowledge."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.cli.records import answer
from controlroom.domain.display import limit_rows as limits
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.limits.headroom import (
    DAY,
    HOUR,
    MOST,
    Reading,
    Settled,
    believable,
    heard,
    lasting,
    model_of,
    per_mille,
    settled,
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


def counted(*new: Reading, now: int = NOW) -> dict[str, Reading]:
    """What counts of each window of ann's that one host speaks of."""
    return {window: one.reading for (_, window), one in settled({"vm1": heard({}, new)}, now).items()}


@given(st.lists(readings, max_size=30))
def test_replay_changes_nothing(all_: list[Reading]) -> None:
    in_order = sorted(all_, key=lambda reading: reading.at)
    once = heard({}, in_order)
    assert heard(once, in_order[-1:]) == once
    assert settled({"vm1": once, "vm2": once}, NOW).keys() == settled({"vm1": once}, NOW).keys()


@given(st.lists(readings, max_size=30), st.integers(NOW - DAY, NOW + 40 * DAY))
def test_what_lasts_has_not_ended(all_: list[Reading], now: int) -> None:
    for reading in lasting({reading.key: reading for reading in all_}, now):
        assert reading.ends > now
        gauge = window_gauge(reading, None, {})
        assert gauge.used is None or gauge.used >= 0


def test_a_window_that_a_new_reading_lacks_stays_as_it_was() -> None:
    first = [Reading(ANN, "five_hour", NOW, 30.0), Reading(ANN, "seven_day", NOW, 60.0)]
    after = counted(*first, Reading(ANN, "seven_day", NOW + 1, 61.0))
    assert {window: one.percent for window, one in after.items()} == {"five_hour": 30.0, "seven_day": 61.0}


def test_a_window_that_began_anew_is_gone_and_an_older_reading_does_not_bring_it_back() -> None:
    over = Reading(ANN, "five_hour", NOW, 90.0, NOW + HOUR)
    assert counted(over, now=NOW + HOUR) == {}
    assert counted(over, Reading(ANN, "five_hour", NOW - 1, 80.0, NOW + 2 * HOUR), now=NOW + HOUR) == {}
    assert counted(over, now=NOW + HOUR - 1) == {"five_hour": over}
    anew = Reading(ANN, "five_hour", NOW + HOUR, 3.0, NOW + 6 * HOUR)
    assert counted(over, anew, now=NOW + HOUR) == {"five_hour": anew}
    assert counted(over, anew, over, now=NOW + HOUR) == {"five_hour": anew}


def test_a_reading_without_an_end_counts_as_long_as_its_window_is() -> None:
    kept = [Reading(ANN, "five_hour", NOW, 10.0), Reading(ANN, "seven_day", NOW, 10.0)]
    assert list(counted(*kept, now=NOW + 5 * HOUR)) == ["seven_day"]


@pytest.mark.parametrize("resets", [-1, NOW + 7 * HOUR, 10**17])
def test_an_end_that_cannot_be_is_not_believed(resets: int) -> None:
    assert believable(Reading(ANN, "five_hour", NOW, 10.0, resets), NOW).resets == 0
    assert believable(Reading(ANN, "five_hour", NOW, 10.0, NOW + 5 * HOUR), NOW).resets == NOW + 5 * HOUR


def test_what_lets_nothing_through_is_used_up_whatever_else_is_said() -> None:
    assert Reading(ANN, "seven_day", NOW, rejected=True).used == 100
    assert Reading(ANN, "seven_day", NOW, 99.9).used == 99
    assert Reading(ANN, "seven_day", NOW).used is None


# --------------------------------------------------------------------------- several hosts, one of which may lie


def said(percent: float | None, at: int, resets: int = NOW + 4 * HOUR, *, rejected: bool = False) -> Reading:
    return Reading(ANN, "five_hour", at, percent, resets, rejected)


def verdict(now: int = NOW + 10, **hosts: list[Reading]) -> Settled:
    """What counts of ann's window after hosts have said these, each in its own order."""
    return settled({host: heard({}, new) for host, new in hosts.items()}, now)[ANN, "five_hour"]


def test_within_a_window_use_never_falls_whoever_says_so() -> None:
    assert verdict(vm1=[said(60, NOW), said(0, NOW + 1)]).reading.used == 60
    assert verdict(vm1=[said(60, NOW)], vm2=[said(0, NOW + 1)]) == Settled(said(60, NOW), ("vm1", "vm2"))
    assert verdict(vm1=[said(None, NOW, rejected=True)], vm2=[said(3, NOW + 1)]).reading.used == 100


def test_a_host_that_says_again_what_it_knows_contradicts_nobody() -> None:
    old = [said(20, NOW - 3), said(20, NOW + 5)]
    assert verdict(vm1=[said(60, NOW)], vm2=old) == Settled(said(60, NOW))
    assert verdict(vm1=[said(60, NOW)], vm2=[said(59, NOW + 1)]) == Settled(said(60, NOW)), "they round"


def test_of_two_that_contradict_each_other_the_stricter_counts() -> None:
    lie = said(100, NOW + 1)
    assert verdict(vm1=[said(20, NOW), said(21, NOW + 2)], vm2=[lie]) == Settled(lie, ("vm1", "vm2"))


def test_who_is_contradicted_by_most_does_not_count() -> None:
    lie = said(100, NOW + 1)
    told = verdict(vm1=[said(20, NOW), said(21, NOW + 2)], vm2=[lie], vm3=[said(22, NOW + 3)])
    assert told == Settled(said(22, NOW + 3), ("vm1", "vm2", "vm3"))
    nothing = verdict(vm1=[said(60, NOW)], vm2=[said(0, NOW + 1)], vm3=[said(61, NOW + 2)])
    assert nothing.reading.used == 61


def test_a_window_does_not_end_later_than_it_did() -> None:
    lie = said(0, NOW + 1, NOW + 5 * HOUR)
    assert verdict(vm1=[said(60, NOW)], vm2=[lie]) == Settled(said(60, NOW), ("vm1", "vm2"))
    assert verdict(vm1=[said(60, NOW), lie]).reading == said(60, NOW)


@given(st.lists(st.tuples(st.sampled_from(["vm1", "vm2", "vm3"]), st.integers(0, 100)), min_size=1, max_size=12))
def test_what_counts_was_said_and_no_single_host_lowers_what_two_have_said(told: list[tuple[str, int]]) -> None:
    by_host: dict[str, list[Reading]] = {}
    for at, (host, percent) in enumerate(told):
        by_host.setdefault(host, []).append(said(percent, NOW + at))
    found = verdict(NOW + 20, **by_host)
    assert found.reading in [one for readings in by_host.values() for one in readings]
    peaks = sorted(max(one.used or 0 for one in readings) for readings in by_host.values())
    assert (found.reading.used or 0) >= (peaks[-2] if len(peaks) > 2 else peaks[-1])


def test_hosts_cannot_fill_the_memory_with_windows() -> None:
    kept = heard({}, [Reading(ANN, f"w{number}", NOW + number, 1.0) for number in range(2 * MOST)])
    assert len(kept) == MOST
    assert (ANN, f"w{2 * MOST - 1}") in kept


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
    assert answer("limits", [gauge])["limits"][0]["used_percent"] is None


def test_what_is_left_ends_where_the_buffer_begins() -> None:
    gauge = Headroom(
        "api",
        "requests opus-5",
        LimitKind.BUCKET,
        40,
        50,
        buffer=45,
        at=NOW,
        source="metering",
        measured=False,
        model="opus-5",
    )
    row = limits.row(gauge, NOW, str)
    assert (row.used, row.limit, row.left) == ("~40", "45 of 50", "5")
    assert answer("limits", [gauge])["limits"][0]["left_per_minute"] == 5
    assert limits.left(Headroom("api", "x", LimitKind.BUCKET, 60, 50)) == 0


def test_those_who_used_most_are_named() -> None:
    shares = {f"v/{number}": 200 for number in range(5)}
    assert limits.row(Headroom("a", "week", LimitKind.WINDOW, 9, 100, shares=shares), NOW, str).who == (
        "v/0 20 %, v/1 20 %, v/2 20 %, 2 more"
    )


def test_limits_are_in_an_order_that_stays() -> None:
    names = ["week Opus", "5 h", "input opus-5", "week", "requests haiku"]
    models = ["opus", "", "opus-5", "", "haiku"]
    window, bucket = LimitKind.WINDOW, LimitKind.BUCKET
    kinds = [window, window, bucket, window, bucket]
    facts = zip(names, kinds, models, strict=True)
    made = [Headroom("a", name, kind, model=model) for name, kind, model in facts]
    sorted_names = [one.name for one in limits.in_order(reversed(made))]
    assert sorted_names == ["5 h", "week", "week Opus", "requests haiku", "input opus-5"]


def test_a_record_is_json() -> None:
    credit = Headroom("api", "credit", LimitKind.CREDIT, 1_500_000, 100_000_000, shares={"vm1/a": 1000})
    told = json.loads(json.dumps(answer("limits", [credit])))["limits"][0]
    assert (told["used_usd"], told["limit_usd"], told["left_usd"], told["used_by"]) == (
        "1.500000", "100.000000", "98.500000", [{"agent": "vm1/a", "percent": 100.0}],
    )  # fmt: skip
    assert (told["resets_at"], told["read_at"]) == (None, None)
