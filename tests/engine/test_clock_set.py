from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import pytest

from controlroom.client.client import Client
from controlroom.domain import events
from controlroom.domain.changes import Changes
from controlroom.domain.gauges import Alarm, AlarmLevel, Headroom, LimitKind
from controlroom.domain.model import Agent, Fleet, Host, Question, State
from controlroom.domain.news import GATHER, News, NewsKind, NotificationQueue, Wish, happened
from controlroom.domain.patch import apply, diff, snapshot
from controlroom.domain.questions import QuestionKind
from controlroom.domain.reduce import changed
from controlroom.engine.clock import JUMP, ClockWatch, HostClock, steady
from controlroom.engine.hosts.link import PING
from controlroom.text.host_sample import HostSample
from controlroom.text.states import AgentKind
from controlroom.wire import messages as wire
from tests.engine.link_bench import START, WELCOME, Bench
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.lab.world import World

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
YEARS = 3_653 * DAY
LONG_AGO = 10**12
SETTINGS = pytest.mark.parametrize("by", [DAY, YEARS, -DAY, -YEARS], ids=["day", "years", "day back", "years back"])


def moments(value: object, path: str = "") -> Iterator[tuple[str, int]]:
    """Find every moment that a record holds, wherever it is."""
    if is_dataclass(value):
        for field in fields(value):
            yield from moments(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from moments(item, f"{path}[{number}]")
    elif isinstance(value, int) and value > LONG_AGO and not path.endswith(".resets"):
        yield path, value


def ages(fleet: Fleet, now: int) -> dict[str, int]:
    tables = {"hosts": fleet.hosts, "agents": fleet.agents, "alarms": fleet.alarms, "headroom": fleet.headroom}
    records = [(f"{name} {key}", record) for name, table in tables.items() for key, record in table.items()]
    return {path: now - at for key, record in records for path, at in moments(record, key)}


def busy() -> ScriptedHost:
    """A host of which every moment that can be shown is known."""
    host = ScriptedHost()
    question = wire.QuestionSeen("q1", "Bash", "git push", NOON - 10 * MINUTE)
    evidence = (wire.EvidenceSeen("process", "waiting", "runs", NOON - MINUTE),)
    asks = {"question": question, "evidence": evidence, "since": NOON - 10 * MINUTE, "started": NOON - 3 * DAY}
    over = {"since": NOON - HOUR, "started": NOON - 2 * DAY, "ended": NOON - HOUR, "exit_code": 0}
    limited = {"since": NOON - MINUTE, "started": NOON - HOUR, "limited_until": NOON + HOUR}
    host.agents = {
        "asks": seen("asks", 1, "waiting", **asks),
        "over": seen("over", 1, "done", **over),
        "limited": seen("limited", 1, "limited", **limited),
    }
    return host


def furnish(here: Room, host: ScriptedHost) -> None:
    """Have the engine itself note something, too."""
    for channel in host.channels:
        channel.say(wire.LastLines((wire.LastLine("asks", 1, "a line", NOON - 2 * MINUTE),)))
        channel.say(HostSample(NOON - MINUTE, cpu_percent=3.0))
    here.engine.host_events.happened(events.Alarmed("test", Alarm("a test", since=here.now - HOUR)))


@SETTINGS
@pytest.mark.parametrize("shared", [False, True], ids=["another machine", "this machine"])
async def test_ages_stay_what_they_are_when_the_clock_is_set_and_set_back(home: World, by: int, shared: bool) -> None:
    host = busy()
    async with room(host, up=False) as here:
        if shared:
            host.clock = lambda: here.now
            del host.agents["limited"]  # by the clock of Anthropic, which no machine here can set
        await here.up()
        furnish(here, host)
        await here.until(lambda: here.agent("vm1/asks").last_line and here.engine.store.fleet.hosts["vm1"].sample)
        reader = [apply(Fleet(), snapshot(here.engine.store.fleet))]
        known = [here.engine.store.fleet]

        def told(changes: Changes) -> None:
            reader[0] = apply(reader[0], diff(known[0], here.engine.store.fleet, changes))
            known[0] = here.engine.store.fleet

        here.engine.store.subscribe(told)
        before = ages(here.engine.store.fleet, here.now)
        assert len(before) >= 12
        for step in (by, -by):
            here.set_clock(step)
            await here.until(
                lambda: here.engine.store.clock_set == here.clock_set, "nothing happens, and it is noticed"
            )
            assert ages(reader[0], here.now) == before
            for number in (1, 2):
                await retold(here, host, f"{step} {number}")
            assert ages(here.engine.store.fleet, here.now) == before
            assert reader[0] == here.engine.store.fleet


async def retold(here: Room, host: ScriptedHost, detail: str) -> None:
    """Have the host tell of all its agents again, and wait until its clock is known as it is now."""
    host.agents["over"] = replace(host.agents["over"], detail=detail)
    host.show()
    ahead = host.clock() - here.now

    def known() -> bool:
        found = here.engine.store.fleet.hosts["vm1"].facts
        return found is not None and found.clock_offset == ahead

    await here.until(lambda: here.agent("vm1/over").detail == detail)
    await here.until(known, f"the clock is {ahead} ms ahead")


@SETTINGS
def test_what_was_asked_and_warned_of_is_no_news_because_the_clock_was_set(by: int) -> None:
    """Told once is enough."""
    alarm, agent = Alarm("full", AlarmLevel.DANGER, NOON), Agent("vm1", "a", 1, AgentKind.HEADLESS, State.WAITING, NOON)
    asks = replace(agent, question=Question("q1", QuestionKind.PERMISSION, "push", "push", NOON))
    week = Headroom("a", "week", LimitKind.WINDOW, 3, resets=NOON + DAY, at=NOON)
    hosts, gauges = {"vm1": Host("vm1", "vm1")}, {week.key: week}
    before = Fleet(hosts=hosts, agents={"vm1/a": asks}, alarms={"disk": alarm}, headroom=gauges)
    after, changes = changed(before, events.ClockSet(by))
    assert (changes.agents, changes.alarms) == ({"vm1/a"}, {"disk"})
    assert after.headroom[week.key] == replace(week, at=NOON + by)
    assert happened(before, after, changes, NOON + by, NOON + by - HOUR) == []


@SETTINGS
def test_what_waits_to_be_told_waits_no_longer_because_the_clock_was_set(by: int) -> None:
    queue = NotificationQueue(Wish(frozenset({NewsKind.DONE})), lambda at: 0)
    queue.offer([News(NewsKind.DONE, "vm1/a", "a is done", NOON)])
    assert queue.take(NOON + GATHER, lambda news: True)
    queue.offer([News(NewsKind.DONE, "vm1/b", "b is done", NOON + GATHER)])
    due = queue.due_at(NOON + GATHER) - NOON
    queue.clock_set(by)
    assert queue.due_at(NOON + by + GATHER) - NOON - by == due


@pytest.mark.parametrize("by", [DAY, -DAY, 2 * JUMP, -2 * JUMP])
def test_a_clock_that_is_set_is_told_from_one_that_is_cared_for(by: int) -> None:
    watch = ClockWatch(NOON, 0)
    assert watch.was_set(NOON + HOUR, HOUR) == 0
    assert [watch.was_set(NOON + HOUR + ms * 20, HOUR + ms * 21) for ms in range(1, 500)] == [0] * 499
    wall, still = NOON + HOUR + 500 * 20, HOUR + 500 * 21
    assert watch.was_set(wall + by, still) in (by, by - 1)
    assert watch.was_set(wall + by, still) == 0


def test_the_steady_clock_goes_on() -> None:
    assert 0 < steady() <= steady()


@SETTINGS
def test_a_time_written_before_a_hosts_clock_was_set_keeps_its_age(by: int) -> None:
    """The host runs for an hour, its clock is set, it runs for an hour more; and it is set back."""
    clock = HostClock()
    written = []
    shown = NOON
    for minute in range(180):
        still = minute * MINUTE
        shown += MINUTE + (by if minute == 60 else -by if minute == 120 else 0)
        clock.measured(shown, still)
        written.append((still, shown))
        ahead = clock.ahead(NOON, still)
        for then, at in written:
            if minute < 120 or not 60 <= then // MINUTE < 120 or abs(by) > DAY:
                assert clock.as_now(at, still) - ahead - NOON == then - still


def test_messages_that_were_under_way_for_long_are_no_clock_that_was_set() -> None:
    clock = HostClock()
    for still, late in [(0, 3_000), (5_000, 0), (10_000, 2_000), (10 * HOUR, 9_000)]:
        clock.measured(NOON + still - late, still)
        assert clock.as_now(NOON - DAY, still) == NOON - DAY


async def test_a_host_whose_clock_is_set_is_told_of_with_the_ages_that_things_have() -> None:
    agent = wire.AgentSeen("a", 1, "command", "done", START - HOUR)
    async with Bench().running(welcome=False) as bench:
        await bench.say(WELCOME, wire.AgentsSeen((agent,)))
        await bench.time.pass_by(PING)
        (*_, ping) = bench.sent(wire.Ping)
        assert isinstance(ping, wire.Ping)
        await bench.say(wire.Pong(ping.number, bench.time.clock() - YEARS))
        await bench.say(wire.AgentsSeen((agent, replace(agent, name="b", since=bench.time.clock() - YEARS))))
        clock, seen_ = bench.heard.events[-2:]
        assert clock == events.HostClockSeen("vm1", -YEARS)
        assert isinstance(seen_, events.AgentsObserved)
        assert [one.since for one in seen_.agents] == [START - HOUR, bench.time.clock()]


@SETTINGS
async def test_a_front_end_counts_ages_by_the_engines_clock(home: World, by: int) -> None:
    host = busy()
    async with room(host) as here:
        await here.until(lambda: "vm1/asks" in here.engine.store.fleet.agents)
        client = await Client.connect(start=False)
        try:
            assert abs(client.now() - here.now) < HOUR, "by the welcome, whatever this machine's clock shows"
            here.set_clock(by)
            await here.until(lambda: here.engine.store.clock_set == here.clock_set)
            await here.until(lambda: abs(client.now() - here.now) < HOUR, "by the news")
            since = here.engine.store.fleet.agents["vm1/asks"].since
            await here.until(lambda: client.fleet.agents["vm1/asks"].since == since)
            assert -MINUTE < client.now() - since - 10 * MINUTE < HOUR, "it has waited for ten minutes, and some"
        finally:
            await client.close()
