"""Spending: what hosts send is booked once, acknowledged when it is on the disk, and shown with each agent."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controlroom.domain.intents import SpawnAgent
from controlroom.domain.model import Money
from controlroom.domain.orders import Result
from controlroom.engine.budgets import spending
from controlroom.engine.budgets.spending import hour_and_day
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.hosts.translate import HostContext
from controlroom.engine.hosts.translate_usage import read_usage
from controlroom.engine.ledger.usage_tables import LONG_PROMPTS
from controlroom.engine.ledger.usage_views import costs
from controlroom.metering.prices import Sheet
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from controlroom.wire.usage import SendUsage, UsagePlace, UsageSeen
from tests.engine import rooms
from tests.engine.budgeted import Spender, lines, message
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, seen
from tests.lab.world import World

SETTING = HostContext("vm1", "room-1", NOON, ahead=60_000)


@pytest.fixture
def host() -> Spender:
    return Spender()


@pytest.fixture
async def here(home: World, host: Spender) -> AsyncIterator[Room]:
    async with room(host) as made:
        yield made


async def test_what_an_agent_has_cost_is_shown(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
    host.use(message(3), message(3))
    await here.until(lambda: here.agent("vm1/a1").spent == 60_000_000)
    assert here.agent("vm1/a1").billing == "api"
    assert host.booked[-1] == UsagePlace("a1", 1, len(host.file), "a1b2")
    rows = here.ledger.read("select host, agent, profile, folder, billing from sources")
    assert rows == [("vm1", "a1", "docs", "/project", "api")]


@pytest.mark.parametrize("field", ["id", "request", "model"])
async def test_a_name_that_no_ledger_can_hold_takes_nothing_else_along(here: Room, host: Spender, field: str) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
    start = len(host.file)
    host.file += json.dumps({**json.loads(lines(message(3))), field: "\ud800"}) + "\n" + lines(message(4))
    for channel in tuple(host.channels):
        host.send_from(channel, start)
    await here.until(lambda: here.agent("vm1/a1").spent == 60_000_000)
    assert "usage vm1/a1" in here.engine.store.fleet.alarms
    assert host.booked[-1].offset == len(host.file)


async def test_a_link_that_comes_back_is_asked_only_for_what_is_missing(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
    done = len(host.file)
    host.cut()
    host.file += lines(message(3))
    await here.until(lambda: here.agent("vm1/a1").spent == 60_000_000)
    assert host.asked[-1] == SendUsage((UsagePlace("a1", 1, done, "a1b2"),))


async def test_an_engine_that_comes_back_knows_what_was_spent(home: World, host: Spender) -> None:
    async with room(host) as first:
        await first.until(lambda: first.agent("vm1/a1").spent == 40_000_000)
    async with room(host) as second:
        await second.until(lambda: second.agent("vm1/a1").spent == 40_000_000)
        assert len(host.asked) == 2
        assert second.ledger.read("select count(*) from usage") == [(2,)]


async def test_a_new_ledger_gets_from_the_hosts_what_the_old_one_held(home: World, host: Spender) -> None:
    async with room(host) as first:
        await first.until(lambda: first.agent("vm1/a1").spent == 40_000_000)
        await first.engine.wait_idle()  # a thread that still reads would have the old file and the new one's log
        ledger = first.home.ledger
    forget(ledger)
    async with room(host) as second:
        await second.until(lambda: second.agent("vm1/a1").spent == 40_000_000)


def forget(ledger: Path) -> None:
    for path in ledger.parent.glob(f"{ledger.name}*"):
        path.unlink()


async def test_a_new_run_goes_on_with_the_bill(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
    host.agents["a1"] = replace(host.agents["a1"], state="done", ended=NOON)
    host.show()
    await here.until(lambda: here.agent("vm1/a1").state == "done")
    assert await here.order(SpawnAgent("a1", "more", host="vm1")) == Result(Outcome.DONE)
    await here.until(lambda: here.agent("vm1/a1").epoch == 2)
    assert here.agent("vm1/a1").spent == 40_000_000


async def test_an_agent_that_is_gone_leaves_its_bill_and_its_place_is_forgotten(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
    del host.agents["a1"]
    host.show("a1")
    await here.until(lambda: here.ledger.read("select count(*) from usage_read") == [(0,)])
    assert here.ledger.read("select sum(messages) from spend") == [(2,)]


async def test_damaged_lines_are_left_out_and_the_rest_counts(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
    start = len(host.file)
    host.file += "not json\n" + lines(message(3))
    for channel in tuple(host.channels):
        host.send_from(channel, start)
    await here.until(lambda: here.agent("vm1/a1").spent == 60_000_000)
    await here.until(lambda: host.booked[-1].offset == len(host.file))


def test_times_become_ours_and_never_lie_ahead() -> None:
    piece = UsageSeen(
        UsagePlace("a1", 1, 0), 9, lines(message(1, at=NOON), message(2, at=NOON + 10**9), message(3, at=0))
    )
    used = read_usage(piece, SETTING)
    assert used is not None
    assert [one.at for one in used.messages] == [NOON - 60_000, NOON, NOON]


def test_a_models_name_is_sanitized() -> None:
    used = read_usage(UsageSeen(UsagePlace("a1", 1, 0), 9, lines(message(1, model="\x1b[2Jclaude"))), SETTING)
    assert used is not None
    assert "\x1b" not in used.messages[0].model


THEIRS = seen("~work", epoch=0, kind="adopted", session="11111111-2222", cwd="/theirs", billing="plan")


async def test_what_an_agent_of_others_has_cost_is_that_of_its_session(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent)
    (channel,) = host.channels
    channel.say(wire.AdoptedSeen((THEIRS,)))
    await here.until(lambda: "vm1/~work" in here.engine.store.fleet.agents)
    place = UsagePlace("~work", 77, 0, "a1b2")
    channel.say(UsageSeen(place, 900, lines(message(7)), session=THEIRS.session))
    channel.say(UsageSeen(replace(place, epoch=78), 900, lines(message(8)), session=THEIRS.session))
    await here.until(lambda: here.agent("vm1/~work").spent == 40_000_000)
    assert replace(place, offset=900) in host.booked
    rows = here.ledger.read("select distinct agent, folder, billing from sources where agent like '~%'")
    assert rows == [("~work", "/theirs", "plan")]

    channel.say(wire.AdoptedSeen((replace(THEIRS, session="22222222-2222"),)))
    await here.until(lambda: here.agent("vm1/~work").spent is None)
    channel.say(UsageSeen(replace(place, epoch=79), 900, lines(message(9)), session="22222222-2222"))
    await here.until(lambda: here.agent("vm1/~work").spent == 20_000_000)
    assert here.ledger.read("select sum(messages) from spend") == [(5,)], "the bill of the first one stays"


async def test_what_it_has_cost_stays_with_its_session_under_another_name(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent)
    (channel,) = host.channels
    channel.say(wire.AdoptedSeen((THEIRS,)))
    await here.until(lambda: "vm1/~work" in here.engine.store.fleet.agents)
    place = UsagePlace("~work", 77, 0, "a1b2")
    channel.say(UsageSeen(place, 900, lines(message(7)), session=THEIRS.session))
    await here.until(lambda: here.agent("vm1/~work").spent == 20_000_000)
    channel.say(wire.AdoptedSeen((replace(THEIRS, name="~deploy"),)))
    await here.until(lambda: here.agent("vm1/~deploy").spent == 20_000_000)
    channel.say(UsageSeen(replace(place, name="~deploy"), 900, lines(message(8)), session=THEIRS.session))
    await here.until(lambda: here.agent("vm1/~deploy").spent == 40_000_000)
    assert "vm1/~work" not in here.engine.store.fleet.agents


async def test_one_of_others_that_has_ended_keeps_the_payer_that_it_had(here: Room, host: Spender) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent)
    (channel,) = host.channels
    channel.say(wire.AdoptedSeen((THEIRS,)))
    await here.until(lambda: "vm1/~work" in here.engine.store.fleet.agents)
    first = UsageSeen(UsagePlace("~work", 77, 0, "a1b2"), 900, lines(message(7)), THEIRS.session, "plan")
    channel.say(first)
    await here.until(lambda: here.agent("vm1/~work").spent == 20_000_000)
    channel.say(wire.AdoptedSeen(()))
    place = UsagePlace("~work", 77, 900, "a1b2")
    channel.say(UsageSeen(place, 1_900, lines(message(8)), THEIRS.session, "plan"))
    await here.until(lambda: replace(place, offset=1_900) in host.booked)
    rows = [row for row in costs(here.ledger, "agent", 0, NOON + 1) if row.key == "vm1/~work"]
    assert [(row.billing, row.messages) for row in rows] == [("plan", 2)]


async def test_places_in_transcripts_are_kept_for_as_long_as_somebody_is_at_work_on_them(
    here: Room, host: Spender
) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent)
    (channel,) = host.channels
    channel.say(wire.AdoptedSeen((THEIRS,)))
    await here.until(lambda: "vm1/~work" in here.engine.store.fleet.agents)
    place = UsagePlace("~work", 77, 0, "a1b2")
    channel.say(UsageSeen(place, 900, lines(message(7)), session=THEIRS.session))
    await here.until(lambda: here.agent("vm1/~work").spent == 20_000_000)
    host.cut()
    await here.until(lambda: len(host.asked) == 2)
    assert replace(place, offset=900) in host.asked[-1].places
    (channel,) = host.channels
    channel.say(wire.AdoptedSeen(()))
    await here.until(lambda: here.agent("vm1/~work").has_ended)
    assert here.agent("vm1/~work").spent == 20_000_000
    host.cut()
    await here.until(lambda: len(host.asked) == 3)
    assert [one.name for one in host.asked[-1].places] == ["a1"]


async def test_sums_are_kept_by_the_limits_of_the_price_sheet(
    home: World, host: Spender, monkeypatch: pytest.MonkeyPatch
) -> None:
    (price,) = rooms.PRICES.prices
    for limits in ((70_000,), (50_000, 70_000), ()):
        models = [price, *(price._replace(model=f"m{limit}", long_over=limit) for limit in limits)]
        monkeypatch.setattr(rooms, "PRICES", Sheet(models))
        async with room(host) as here:
            await here.until(lambda: [row[0] for row in here.ledger.read(LONG_PROMPTS)] == list(limits))  # noqa: B023
            await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)


async def test_a_price_list_that_cannot_be_read_is_an_alarm_until_it_can(
    home: World, host: Spender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spending, "AGAIN", 0.05)
    missing = ["list-prices.json: Too many open files"]

    def load() -> Sheet:
        if missing:
            raise ConfigProblem(missing[0])
        return rooms.PRICES

    async with room(host, prices=load) as here:
        await here.until(lambda: "prices" in here.engine.store.fleet.alarms)
        alarm = here.engine.store.fleet.alarms["prices"]
        assert (alarm.level, missing[0] in alarm.text, "nothing is metered" in alarm.text) == ("danger", True, True)
        missing.clear()
        await here.until(lambda: "prices" not in here.engine.store.fleet.alarms)


BAD_PLACES: Sequence[UsageSeen] = (
    UsageSeen(UsagePlace("../x", 1, 0), 9, ""),
    UsageSeen(UsagePlace("a1", 0, 0), 9, ""),
    UsageSeen(UsagePlace("a1", 2**40, 0), 9, ""),
    UsageSeen(UsagePlace("a1", 1, 9), 9, ""),
    UsageSeen(UsagePlace("a1", 1, -1), 9, ""),
    UsageSeen(UsagePlace("a1", 1, 0), 2**60, ""),
    UsageSeen(UsagePlace("a1", 1, 0, "'; drop table"), 9, ""),
    UsageSeen(UsagePlace("~work", 1, 0), 9, ""),
    UsageSeen(UsagePlace("~work", 1, 0), 9, "", session="../../etc"),
    UsageSeen(UsagePlace("~work", 0, 0), 9, "", session="11111111-2222"),
    UsageSeen(UsagePlace("~Work", 1, 0), 9, "", session="11111111-2222"),
)


@pytest.mark.parametrize("piece", BAD_PLACES)
def test_what_cannot_be_an_agents_is_dropped(piece: UsageSeen) -> None:
    assert read_usage(piece, SETTING) is None


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"])
def test_hours_and_days_begin_where_the_engine_is(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for now in (NOON, NOON + 17 * 3_600_000 + 1, 1_762_059_600_000, 1_772_950_500_000):
            hour, day, left = hour_and_day(now, ZoneInfo(zone))
            assert day <= hour <= now < now + left
            assert left <= 3_600_000
            assert time.localtime(hour / 1000)[4:6] == (0, 0)
            assert time.localtime(day / 1000)[3:6] == (0, 0, 0)
            assert time.localtime(day / 1000)[:3] == time.localtime(now / 1000)[:3]
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_what_the_room_has_spent_today_is_shown(home: World, host: Spender) -> None:
    async with room(host) as here:
        await here.until(lambda: here.engine.store.fleet.money == Money(40_000_000, 0, 40_000_000, 0))
    host.agents["a1"] = replace(host.agents["a1"], billing="plan")
    async with room(host) as here:
        await here.until(lambda: here.agent("vm1/a1").billing == "plan")
        _, day, _ = hour_and_day(NOON, here.engine.budgets.funds.zone)
        host.use(message(3), message(4, at=day - 1))
        await here.until(lambda: here.engine.store.fleet.money == Money(40_000_000, 20_000_000, 40_000_000, 20_000_000))
