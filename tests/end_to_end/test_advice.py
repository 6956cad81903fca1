"""Advice from a ledger with real bookings, through a real engine and the command line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from controlroom.engine.catalogs.price_sheet import load
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import Booking, Source, book
from controlroom.metering.usage import Message, Usage
from controlroom.protocol.home import Home, find_home
from tests.end_to_end.room import Room
from tests.lab.world import World

DAY = 86_400_000
CONFIG = """
local = false
limits = { memory_per_agent_mb = 1024 }
api = { tier = "build" }
plan = { name = "max" }
"""
WISH = ("--agents", "10", "--hours", "8", "--requests-per-hour", "60")


@pytest.fixture
def room(home: World) -> Iterator[Room]:
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(CONFIG)
    place.config.chmod(0o600)
    yield Room()
    Room().run("stop")


def fill(place: Home) -> None:
    """Book ten days: a hundred messages a day that keys paid, ten that a plan covered."""
    sheet, now = load(place), time.time_ns() // 1_000_000
    ledger = Ledger(place.ledger, "room-1")
    for billing, count in (("api", 1000), ("plan", 100)):
        each = []
        for number in range(count):
            at = now - 10 * DAY * (number + 1) // count
            usage = Usage(1_000, 500, 4_000, 0, 45_000)
            message = Message(f"msg_{billing}_{number}", f"req_{number}", at, "claude-opus-5-5", usage)
            each.append(Booking(message, sheet.cost(message), at))
        ledger.booked(book(Source("vm1", f"{billing}-1", "work", "/p", billing), each)).result(60)
    ledger.close()


def verb(room: Room, *words: str) -> Any:
    return json.loads(room.run(*words, "--json"))


def test_real_use_is_compared_with_its_alternatives(room: Room) -> None:
    fill(find_home(os.environ))
    found = verb(room, "plan", "--committed", "1", "--tokens-per-minute", "10000")
    assert found["asked_days"] == 30
    assert found["measured_days"] == pytest.approx(10, abs=0.01)
    keys, plans = found["parts"]
    assert (keys["billing"], plans["billing"]) == ("api", "plan")
    ways = {way["way"]: way for way in keys["ways"]}
    one = 0.004 + 0.01 + 0.02 + 0.009  # dollars of input, output, writes and reads at Opus 5.5's prices
    assert float(keys["booked_usd"]) == pytest.approx(1000 * one)
    assert float(plans["booked_usd"]) == pytest.approx(100 * one)
    assert float(ways["list"]["month_usd"]) == pytest.approx(3000 * one, rel=0.001)
    assert float(ways["batch"]["month_usd"]) == pytest.approx(1500 * one, rel=0.001)
    assert (ways["plan:ultra"]["month_usd"], ways["plan:ultra"]["break_even_usd"]) == ("200.000000", "200.000000")
    assert ways["committed:peak"]["month_usd"] == "720.000000"
    (own,) = [
        way for way in plans["ways"] if way["holds"] and way["way"].startswith("plan:") and "yours, it" in way["note"]
    ]
    assert (own["way"], own["month_usd"]) == ("plan:max", "100.000000")
    assert keys["cheapest"] == "plan:pro"
    assert keys["cheapest_that_holds"] == "list"

    text = room.run("plan", "--days", "5")
    assert "what keys paid:" in text
    assert "what plans covered (≈ list price):" in text
    assert room.run("plan", "--committed", "1", expect=2).startswith("an offer of throughput takes both")


def test_an_estimate_goes_by_what_was_measured(room: Room) -> None:
    fill(find_home(os.environ))
    found = verb(room, "estimate", *WISH)
    assert found["model"] == "claude-opus-5-5"
    assert found["cache_hit_percent"] == 90
    assert {case["prompt_tokens"] for case in found["cases"]} == {50_175}, "the middle of the step of 50,000"
    (month,) = {case["month_usd"] for case in found["cases"]}
    assert float(month) == pytest.approx(6192, rel=0.01), "144,000 requests of about 4.3 cents"
    assert found["mean_month_usd"] == "6192.000000"
    assert "requests: measured: 1,100 requests of the last 30 days, sizes to about 3 %" in found["assumptions"]
    assert found["memory_per_agent_bytes"] == 1024**3
    assert {tier["tier"]: tier["holds"] for tier in found["tiers"]} == {
        "yours": False, "start": False, "build": False, "scale": True,
    }  # fmt: skip


def test_nothing_used_yet_is_said_and_an_estimate_still_answers(room: Room) -> None:
    assert verb(room, "plan")["parts"] == []
    assert room.run("plan") == ""
    usual = verb(room, "estimate", *WISH)
    assert any("assumed" in sentence for sentence in usual["assumptions"])
    assert verb(room, "estimate", *WISH, "--model", "haiku")["model"] == "claude-haiku-5-5"
    room.run("stop")
    offline = verb(room, "estimate", *WISH, "--offline")
    assert offline == usual
    assert room.run("stop") == "", "no engine was started for it"


def test_more_than_can_be_counted_is_refused(room: Room) -> None:
    much = ("--agents", "100000", "--hours", "24", "--requests-per-hour", "100000", "--input-tokens", "10000000")
    for more in ((), ("--offline",)):
        assert "more money than can be counted" in room.run("estimate", *much, *more, expect=1)


def test_a_wrong_file_of_the_users_is_a_sentence(room: Room) -> None:
    place = find_home(os.environ)
    for path in (place.plans, place.machines):
        path.write_text("surprise = 1")
        path.chmod(0o600)
    assert f"{place.plans}: surprise is not a setting" in room.run("plan", expect=3), "no engine starts with it"
    assert f"{place.plans}: surprise is not a setting" in room.run("estimate", *WISH, expect=1)
    place.plans.unlink()
    assert f"{place.machines}: surprise is not a setting" in room.run("estimate", *WISH, expect=1)
    assert f"{place.machines}: surprise is not a setting" in room.run("estimate", *WISH, "--offline", expect=1)
