"""Buckets of the API: what flows off, what is counted once, whose ceiling it is, and when a person is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.gauges import Alarm, Headroom, LimitKind
from controlroom.domain.limits.buckets import (
    KINDS,
    LOOKED_BACK,
    MOST_MESSAGES,
    Ceilings,
    HeadersRead,
    Lately,
    ModelClass,
    Ruling,
    Tier,
    Tiers,
    buffer_of,
    gauges,
    level,
    weight,
)
from controlroom.domain.limits.headroom import MINUTE, alarms
from controlroom.metering.usage import Message, Usage

NOW = 1_795_348_800_000
OPUS = "claude-opus-5-5"
TIERS = Tiers((Tier("start", "Start"),), (ModelClass("opus-5-5", (OPUS,), {"start": Ceilings(50, 30_000, 8_000)}),))
RULING = Ruling(tiers=TIERS, tier="start", buffers={"requests": "45", "": "90%"})


def message(number: int, at: int = NOW, model: str = OPUS, **usage: int) -> Message:
    return Message(f"msg_{number}", "req", at, model, Usage(**{"input": 100, "output": 10, **usage}))


def shown(*messages: Message, ruling: Ruling = RULING, now: int = NOW) -> dict[str, Headroom]:
    """The gauges after these messages."""
    lately = Lately()
    lately.add(messages, now)
    return {gauge.name: gauge for gauge in gauges(lately.messages(), (), (), ruling, now)}


def test_what_was_used_flows_off_at_the_ceilings_rate() -> None:
    taken = [(NOW, 60)]
    assert [level(taken, 60, NOW + seconds * 1000) for seconds in (0, 1, 30, 60, 600)] == [60, 59, 30, 0, 0]
    assert level([(NOW, 60), (NOW + 30_000, 60)], 60, NOW + 30_000) == 90, "an overfilled one needs longer"
    assert level([(NOW, 60), (NOW + 30_000, 60)], 60, NOW + MINUTE) == 60


def test_without_a_ceiling_the_last_minute_counts() -> None:
    taken = [(NOW - MINUTE, 5), (NOW - MINUTE + 1, 7), (NOW, 1)]
    assert level(taken, None, NOW) == 8


amounts = st.lists(st.tuples(st.integers(NOW - LOOKED_BACK, NOW), st.integers(0, 10**9)), max_size=20)


@given(amounts, st.integers(1, 10**9), st.integers(0, 2 * MINUTE))
def test_a_bucket_is_never_less_than_empty_nor_more_than_all(
    taken: list[tuple[int, int]], ceiling: int, later: int
) -> None:
    taken.sort()
    now_used, later_used = (level(taken, ceiling, at) for at in (NOW, NOW + later))
    assert 0 <= later_used <= now_used <= sum(amount for _, amount in taken)


def test_input_that_was_read_from_the_cache_does_not_count() -> None:
    made = shown(message(1, cache_read=10**6, cache_write_5m=20, cache_write_1h=3, output=7))
    used = {name: gauge.used for name, gauge in made.items()}
    assert used == {"requests opus-5-5": 1, "input opus-5-5": 123, "output opus-5-5": 7}
    assert all(not gauge.measured and gauge.source == "metering, tier Start" for gauge in made.values())


def test_a_message_counts_once_with_its_last_numbers_however_it_comes() -> None:
    first, last = message(1, output=1), message(1, output=500)
    for order in ([first, last], [last, first], [last, first, last]):
        assert shown(*order)["output opus-5-5"].used == 500
        assert shown(*order)["requests opus-5-5"].used == 1


def test_a_late_message_counts_at_its_own_time() -> None:
    assert shown(message(1, NOW - MINUTE // 2, output=4000))["output opus-5-5"].used == 0, "8,000 a minute flow off"
    assert shown(message(1, NOW - MINUTE // 2, output=8000))["output opus-5-5"].used == 4000
    assert shown(message(1, NOW - LOOKED_BACK)) == {}


def test_batches_do_not_count_and_fast_mode_has_buckets_of_its_own() -> None:
    assert weight(message(1)._replace(batch=True), RULING) is None
    made = shown(message(1), message(2)._replace(fast=True))
    assert made["requests opus-5-5"].used == 1
    fast = made["requests opus-5-5 fast"]
    assert (fast.used, fast.limit, fast.source) == (1, None, "metering")


def test_models_at_work_show_their_ceilings_before_they_use_anything() -> None:
    made = gauges((), {OPUS, "claude-new-9", ""}, (), RULING, NOW)
    assert [(one.name, one.used, one.limit, one.buffer) for one in made] == [
        ("requests new-9", 0, None, None),
        ("input new-9", 0, None, None),
        ("output new-9", 0, None, None),
        ("requests opus-5-5", 0, 50, 45),
        ("input opus-5-5", 0, 30_000, 27_000),
        ("output opus-5-5", 0, 8_000, 7_200),
    ]


def test_the_operators_word_goes_before_the_apis_and_the_apis_before_the_tiers() -> None:
    told = replace(RULING, told={OPUS: {"requests": 60}})
    own = replace(told, own={"opus-5-5": Ceilings(70, 1, 1)})
    assert RULING.ceiling("opus-5-5", OPUS, "requests") == (50, "tier Start")
    assert told.ceiling("opus-5-5", OPUS + "[1m]", "requests") == (60, "Rate Limits API")
    assert told.ceiling("opus-5-5", OPUS, "input") == (30_000, "tier Start")
    assert own.ceiling("opus-5-5", OPUS, "requests") == (70, "your ceiling")
    assert Ruling(tiers=TIERS).ceiling("opus-5-5", OPUS, "requests") == (None, "")


def test_headers_are_measured_until_something_is_used_after_them() -> None:
    read = [HeadersRead("opus-5-5", kind, 100, 40, NOW - 1000) for kind in KINDS]
    (requests, *_) = gauges((), {OPUS}, read, RULING, NOW)
    assert (requests.used, requests.limit, requests.measured, requests.source) == (60, 100, True, "headers")
    assert requests.at == NOW - 1000
    later = [message(1, NOW)]
    (requests, *_) = gauges(later, {OPUS}, read, RULING, NOW)
    assert (requests.used, requests.limit, requests.measured) == (59, 100, False)  # 1.7 flowed off, one came
    (requests, *_) = gauges((), {OPUS}, read, RULING, NOW + LOOKED_BACK)
    assert (requests.limit, requests.source) == (50, "metering, tier Start")


@pytest.mark.parametrize(
    ("buffers", "limit", "place"),
    [({}, 50, None), ({"": "90%"}, 50, 45), ({"requests": "45"}, 50, 45), ({"requests": "99"}, 50, 50),
     ({"": "90%", "requests": "10"}, 50, 10), ({"": "90%"}, None, None), ({"input": "1"}, 50, None)],
)  # fmt: skip
def test_a_buffer_is_a_number_or_a_share(buffers: dict[str, str], limit: int | None, place: int | None) -> None:
    assert buffer_of(buffers, "requests", limit) == place


def test_memory_is_bounded() -> None:
    lately = Lately()
    lately.add((message(number) for number in range(MOST_MESSAGES + 10)), NOW)
    assert len(lately.messages()) == MOST_MESSAGES
    lately.prune(NOW + LOOKED_BACK)
    assert not lately.messages()


# -- alarms


def window(used: int) -> Headroom:
    return Headroom("ann@example.org", "5 h", LimitKind.WINDOW, used, 100, resets=NOW, buffer=90)


def told(one: Headroom, known: dict[str, Alarm], at: int = NOW) -> dict[str, Alarm]:
    return alarms([one], known, at, lambda _: "14:20")


def test_a_person_is_told_once_when_a_buffer_is_passed_and_when_it_is_over() -> None:
    assert told(window(89), {}) == {}
    first = told(window(90), {})
    (alarm,) = first.values()
    assert (alarm.level, alarm.since) == ("warning", NOW)
    assert alarm.text == "ann@example.org: 5 h has passed the 90 % that you want to keep to"
    assert told(window(95), first, NOW + 1) == first
    out = told(window(100), first, NOW + 2)
    assert out["limit ann@example.org 5 h"].text.startswith("ann@example.org: 5 h is used up until 14:20: ")
    assert out["limit ann@example.org 5 h"].level == "danger"
    assert told(window(1), out) == {}


def test_an_alarm_about_a_bucket_does_not_flicker() -> None:
    def bucket(used: int) -> Headroom:
        return Headroom("API", "requests opus-5-5", LimitKind.BUCKET, used, 50, buffer=45)

    assert told(bucket(44), {}) == {}
    on = told(bucket(45), {})
    assert on["limit API requests opus-5-5"].text == (
        "API: requests opus-5-5 have passed the 45 a minute that you want to keep to"
    )
    assert told(bucket(37), on, NOW + 5) == on
    assert told(bucket(35), on) == {}
    danger = told(bucket(50), on)
    assert told(bucket(41), danger) == danger


def test_nobody_is_told_of_what_is_not_known() -> None:
    assert (
        alarms([Headroom("API", "x", LimitKind.BUCKET, 10**9), Headroom("a", "plan", LimitKind.WINDOW)], {}, NOW, str)
        == {}
    )


def test_credit_that_is_used_up_is_said() -> None:
    (alarm,) = alarms([Headroom("API", "credit", LimitKind.CREDIT, 100, 100)], {}, NOW, str).values()
    assert "used up by our count" in alarm.text
