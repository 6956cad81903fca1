"""Limits in the room: one gauge an account over all hosts, who used how much of it, and nothing that a host made up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controlroom.cli.records import answer
from controlroom.domain.gauges import Headroom
from controlroom.domain.intents import AddHost, RemoveHost
from controlroom.domain.limits.headroom import DAY, HOUR
from controlroom.engine.hosts.translate import HostContext
from controlroom.engine.hosts.translate_usage import read_limits
from controlroom.engine.limits import limit_tracker
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import to_line
from controlroom.wire.messages import Tell
from controlroom.wire.usage import LimitsSeen, SendUsage, UsageOrder, UsagePlace, UsageSeen, WindowSeen
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen
from tests.lab.world import World

ANN = "ann@example.org"
SETTING = HostContext("vm1", "room-1", NOON, ahead=60_000)


def five_hours(percent: float, at: int = NOON, resets: int = NOON + HOUR) -> WindowSeen:
    return WindowSeen("five_hour", at, percent, resets, "allowed", "stream")


class OnPlan(ScriptedHost):
    """A host with an agent on a plan; it has spent hundreds of thousands of output tokens."""

    def __init__(self, name: str, spent: int) -> None:
        super().__init__(name)
        self.agents["a1"] = seen("a1", billing="plan")
        self.plans: list[LimitsSeen] = []
        """What was told of plans: as a node does, it is told again over each new link."""
        message = Message(f"msg_{name}", "req", NOON - 60_000, "claude-opus-5-5", Usage(0, spent * 100_000))
        self.file = to_line(message).decode()

    def spend(self, channel: ScriptedChannel, message: UsageOrder) -> None:
        if isinstance(message, SendUsage):
            channel.say(UsageSeen(UsagePlace("a1", 1, 0, "a1b2"), len(self.file), self.file))

    def limits(self, *windows: WindowSeen, account: str = ANN, name: str = "a1") -> None:
        """The node tells how far a plan is."""
        self.plans.append(LimitsSeen(name, 1, account, "max", windows))
        for channel in tuple(self.channels):
            channel.say(self.plans[-1])

    def tell_all(self, channel: ScriptedChannel) -> None:
        super().tell_all(channel)
        for told in self.plans:
            channel.say(told)


@pytest.fixture
def hosts() -> tuple[OnPlan, OnPlan]:
    return OnPlan("vm1", 3), OnPlan("vm2", 1)


@pytest.fixture
async def here(home: World, hosts: tuple[OnPlan, OnPlan], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    monkeypatch.setattr(limit_tracker, "SOON", 0.01)
    monkeypatch.setattr(limit_tracker, "SHARED", 0)
    async with room(*hosts) as made:
        yield made


def gauges(here: Room) -> dict[str, Headroom]:
    return dict(here.engine.store.fleet.headroom)


async def test_one_login_on_two_hosts_is_one_gauge_and_says_who_used_it(
    here: Room, hosts: tuple[OnPlan, OnPlan]
) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent and here.agent("vm2/a1").spent)
    for host, percent in zip(hosts, (30.0, 41.9), strict=True):
        host.limits(five_hours(percent, NOON - 5 + int(percent)))
    await here.until(lambda: gauges(here) and len(gauges(here)[f"{ANN} 5 h"].shares) == 2)
    gauge = gauges(here)[f"{ANN} 5 h"]
    assert (gauge.used, gauge.limit, gauge.resets, gauge.source) == (41, 100, NOON + HOUR, "stream")
    assert gauge.shares == {"vm1/a1": 750, "vm2/a1": 250}
    assert list(gauges(here)) == [gauge.key]


async def test_windows_of_a_model_count_its_messages_only(here: Room, hosts: tuple[OnPlan, OnPlan]) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent)
    opus, sonnet = (WindowSeen(f"seven_day_{name}", NOON, 5, NOON + DAY) for name in ("opus", "sonnet"))
    hosts[0].limits(opus, sonnet)
    await here.until(lambda: len(gauges(here)) == 2)
    shares = {gauge.name: dict(gauge.shares) for gauge in gauges(here).values()}
    assert shares == {"week Opus": {"vm1/a1": 1000}, "week Sonnet": {}}


async def test_a_window_ends_when_it_begins_anew(here: Room, hosts: tuple[OnPlan, OnPlan]) -> None:
    hosts[0].limits(five_hours(30), WindowSeen("seven_day", NOON, 60, NOON + DAY))
    await here.until(lambda: len(gauges(here)) == 2)
    here.now += HOUR
    hosts[0].limits()
    await here.until(lambda: list(gauges(here)) == [f"{ANN} week"])


async def test_a_login_without_a_reading_says_so(here: Room, hosts: tuple[OnPlan, OnPlan]) -> None:
    hosts[1].limits(account="")
    await here.until(lambda: gauges(here))
    (gauge,) = gauges(here).values()
    assert (gauge.account, gauge.used, gauge.limit) == ("login on vm2", None, None)


async def test_an_agent_that_now_has_a_key_waits_for_no_reading(here: Room, hosts: tuple[OnPlan, OnPlan]) -> None:
    await here.until(lambda: here.agent("vm2/a1").spent, "what it used on its plan is not taken for the key's")
    hosts[1].limits()
    await here.until(lambda: gauges(here))
    hosts[1].agents["a1"] = replace(hosts[1].agents["a1"], billing="api")
    for channel in tuple(hosts[1].channels):
        hosts[1].tell_all(channel)
    await here.until(lambda: here.agent("vm2/a1").billing != "plan")
    hosts[0].limits(five_hours(5), account="bob")
    await here.until(lambda: list(gauges(here)) == ["bob 5 h"])


async def test_the_gauges_reach_front_ends_and_outlive_a_link(here: Room, hosts: tuple[OnPlan, OnPlan]) -> None:
    hosts[0].limits(five_hours(30))
    await here.until(lambda: gauges(here))
    hosts[0].cut()
    await here.up("vm1")
    assert gauges(here)[f"{ANN} 5 h"].used == 30


async def test_a_quiet_login_is_asked_about_and_not_too_often(here: Room, hosts: tuple[OnPlan, OnPlan]) -> None:
    async def become(state: str) -> None:
        for host in hosts:
            host.agents["a1"] = replace(host.agents["a1"], state=state, kind="headless")
            for channel in tuple(host.channels):
                host.tell_all(channel)
        await here.until(lambda: {here.agent(f"{host.name}/a1").state for host in hosts} == {state})

    await become("waiting")
    for host in hosts:
        host.limits(five_hours(30))
    await here.until(lambda: gauges(here))
    here.now += limit_tracker.ASKED
    hosts[0].limits(five_hours(30), WindowSeen("seven_day", NOON, 1, NOON + DAY))
    await here.until(lambda: len(gauges(here)) == 2)
    await here.engine.wait_idle()
    assert not asked(*hosts), "nothing of it is used while agents wait"
    await become("working")
    hosts[0].limits(five_hours(30), WindowSeen("overage", NOON, 1, NOON + DAY))
    await here.until(lambda: len(asked(*hosts)) == 1)
    hosts[0].limits(five_hours(31, here.now + 60_000))
    here.now += 60_000
    await here.engine.wait_idle()
    assert len(asked(*hosts)) == 1, "it was asked just now"


def asked(*hosts: OnPlan) -> list[Tell]:
    return [message for host in hosts for message in host.heard if isinstance(message, Tell)]


async def test_overage_that_is_billed_is_said_while_it_is(here: Room, hosts: tuple[OnPlan, OnPlan]) -> None:
    hosts[0].limits(five_hours(100), WindowSeen("overage", NOON - 1, None, 0, "in_use", "stream"))
    await here.until(lambda: f"overage {ANN}" in here.engine.store.fleet.alarms)
    assert "is billed now" in here.engine.store.fleet.alarms[f"overage {ANN}"].text
    assert list(gauges(here)) == [f"{ANN} 5 h"], "nobody says how much of it is used"
    hosts[0].limits(WindowSeen("overage", NOON, None, 0, "allowed", "stream"))
    await here.until(lambda: f"overage {ANN}" not in here.engine.store.fleet.alarms)


async def test_a_window_ends_though_nobody_speaks(
    here: Room, hosts: tuple[OnPlan, OnPlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_tracker, "TICK", 0.01)
    hosts[0].limits(five_hours(30))
    await here.until(lambda: gauges(here).get(f"{ANN} 5 h"))
    here.now += HOUR
    await here.until(lambda: f"{ANN} 5 h" not in gauges(here))


@pytest.mark.parametrize(
    "window",
    [
        WindowSeen("five_hour", NOON, -1),
        WindowSeen("five_hour", NOON, 1e9),
        WindowSeen("five_hour", NOON, None, NOON),
        WindowSeen("five_hour", 0, 10),
        WindowSeen("", NOON, 10),
        WindowSeen("\x1b[2J", NOON, None),
    ],
)
def test_what_cannot_be_is_left_out(window: WindowSeen) -> None:
    login = read_limits(LimitsSeen("a1", 1, ANN, "max", (window,)), SETTING)
    assert login is not None
    assert login.readings == ()


def test_what_a_host_says_is_bounded_and_sanitized() -> None:
    windows = tuple(WindowSeen(f"w{number}", NOON, 1) for number in range(100))
    login = read_limits(LimitsSeen("a1", 1, "\x1b[31mann" + "x" * 500, "\u202emax", windows), SETTING)
    assert login is not None
    assert len(login.readings) == 32
    assert "\x1b" not in login.account
    assert "\u202e" not in login.plan
    assert len(login.account) <= 100
    assert login.readings[0].at == NOON - 60_000
    for name, epoch in (("../a", 1), ("a1", 0), ("a1", 2**40)):
        assert read_limits(LimitsSeen(name, epoch, ANN), SETTING) is None


def test_times_of_a_clock_that_runs_ahead_are_not_in_the_future() -> None:
    far = WindowSeen("five_hour", NOON + 10 * DAY, 5, NOON + 90 * DAY)
    login = read_limits(LimitsSeen("a1", 1, ANN, "", (far,)), SETTING)
    assert login is not None
    assert [(reading.at, reading.resets) for reading in login.readings] == [(NOON, 0)]


async def test_a_host_that_lies_about_a_shared_login_neither_lifts_nor_moves_its_window(
    here: Room, hosts: tuple[OnPlan, OnPlan]
) -> None:
    honest, liar = hosts[0], OnPlan("vm3", 1)
    here.hosts["vm3"] = liar
    assert (await here.order(AddHost("vm3", "ann@vm3"))).outcome == "done"
    await here.up("vm3")
    honest.limits(five_hours(60.0, NOON - 2))
    await here.until(lambda: gauges(here).get(f"{ANN} 5 h"))
    liar.limits(five_hours(0.0, NOON, NOON + 300 * 86_400_000))
    await here.until(lambda: gauges(here)[f"{ANN} 5 h"].disputed)
    shown = gauges(here)[f"{ANN} 5 h"]
    assert (shown.used, shown.resets, shown.disputed) == (60, NOON + HOUR, ("vm1", "vm3"))
    alarm = here.engine.store.fleet.alarms[f"disputed {ANN} 5 h"]
    assert "vm1 and vm3 contradict each other about 5 h" in alarm.text
    assert answer("limits", [shown])["limits"][0]["disputed_by"] == ["vm1", "vm3"]
    assert (await here.order(RemoveHost("vm3"))).outcome == "done"
    await here.until(lambda: not gauges(here)[f"{ANN} 5 h"].disputed)
    assert f"disputed {ANN} 5 h" not in here.engine.store.fleet.alarms
