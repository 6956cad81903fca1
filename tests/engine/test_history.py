"""How busy a host was: counted while it is connected, kept in the ledger, read over any span."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.client.client import Client
from controlroom.domain import events
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.history import KEPT, ROOM, STEP, Metric, Point
from controlroom.domain.model import Fleet, Limits, LinkState
from controlroom.domain.queue import attempts
from controlroom.domain.tasks import AttemptEnd, Task, TaskState
from controlroom.engine import history
from controlroom.engine.history import HistoryRecorder, flow_kept, recorded
from controlroom.engine.hosts.translate_usage import UsagePiece
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Refusal
from controlroom.text.host_sample import HostSample
from controlroom.wire.usage import UsagePlace
from tests.engine.rooms import room
from tests.engine.scripted import NOON, ScriptedHost
from tests.lab.world import World

GIB, DAY = 1 << 30, 86_400_000


class Watched:
    """One host that is looked at, on a clock that stands still until it is moved."""

    def __init__(self, ledger: Ledger) -> None:
        self.now = NOON
        self.set_by = 0
        """Milliseconds by which a person has set the clock."""
        self.ledger = ledger
        self.store = FleetStore(Fleet(), lambda: self.now, lambda: self.now - self.set_by)
        self.writer = LedgerWriter(ledger, self.store)
        self.history = HistoryRecorder(self.store, self.writer)
        self.store.apply(events.Configured({}, Limits(), {"vm1": "ann@vm1"}, NOON))
        self.link(LinkState.UP)

    def link(self, state: LinkState) -> None:
        self.store.apply(events.LinkChanged("vm1", state, self.now, ""))

    def does(self, cpu: float | None, looks: int = 1, **more: int) -> None:
        self.store.apply(events.HostSampled("vm1", HostSample(self.now, cpu_percent=cpu, **more)))
        for _ in range(looks):
            self.history.look()

    async def read(self, since: int, until: int, points: int = 100) -> list[Point]:
        self.history.write()
        await self.writer.outbox.wait_idle()
        return list(recorded(self.ledger, (), "vm1", since, until, points))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.db", "room-1")
    yield opened
    opened.close()


async def test_what_was_seen_in_five_minutes_is_kept_as_its_mean_and_its_peak(ledger: Ledger) -> None:
    watched = Watched(ledger)
    watched.does(10, looks=3, memory_used=GIB, memory_total=4 * GIB, disk_free=GIB, disk_total=10 * GIB)
    watched.does(50, looks=1, network_in=700, network_out=20)
    assert await watched.read(NOON, NOON + STEP) == [
        Point(Metric.CPU, NOON, 20.0, 50.0),
        Point(Metric.DISK, NOON, 90.0, 90.0),
        Point(Metric.MEMORY, NOON, 25.0, 25.0),
        Point(Metric.NETWORK_IN, NOON, 700.0, 700.0),
        Point(Metric.NETWORK_OUT, NOON, 20.0, 20.0),
    ]


async def test_of_the_time_in_which_a_host_was_lost_nothing_is_known(ledger: Ledger) -> None:
    watched = Watched(ledger)
    watched.does(10)
    watched.link(LinkState.LOST)
    for _ in range(3):
        watched.now += STEP
        watched.history.look()
    watched.link(LinkState.UP)
    watched.does(30)
    assert [(point.at, point.mean) for point in await watched.read(NOON, NOON + 4 * STEP)] == [
        (NOON, 10.0),
        (NOON + 3 * STEP, 30.0),
    ]


async def test_five_minutes_that_two_engines_saw_are_one_mean(ledger: Ledger) -> None:
    watched = Watched(ledger)
    watched.does(10, looks=3)
    await watched.read(NOON, NOON + STEP)  # as an engine that ends writes what it has
    watched.does(50, looks=1)
    assert await watched.read(NOON, NOON + STEP) == [Point(Metric.CPU, NOON, 20.0, 50.0)]


async def test_a_long_span_is_read_in_as_many_points_as_fit(ledger: Ledger) -> None:
    watched = Watched(ledger)
    for step in range(12):
        watched.does(step)
        watched.now += STEP
    points = await watched.read(NOON, NOON + 12 * STEP, points=3)
    assert [(point.at, point.mean, point.peak) for point in points] == [
        (NOON, 1.5, 3.0),
        (NOON + 4 * STEP, 5.5, 7.0),
        (NOON + 8 * STEP, 9.5, 11.0),
    ]


async def test_what_is_older_than_thirty_days_is_forgotten(ledger: Ledger) -> None:
    watched = Watched(ledger)
    watched.does(10)
    await watched.read(NOON, NOON + STEP)
    watched.now += KEPT + 2 * STEP
    watched.does(20)
    assert [point.mean for point in await watched.read(0, watched.now + STEP)] == [20.0]


@asynccontextmanager
async def connected(role: str) -> AsyncIterator[Client]:
    client = await Client.connect(role=role)
    try:
        yield client
    finally:
        await client.close()


async def test_a_front_end_is_told_what_is_under_way_too(home: World) -> None:
    host = ScriptedHost()
    async with room(host) as here, connected("tui") as client:
        for channel in host.channels:
            channel.say(HostSample(NOON, cpu_percent=42.0))
        await here.until(lambda: here.engine.store.fleet.hosts["vm1"].sample)
        here.engine.history.look()
        answer = await client.history("vm1", NOON - STEP, NOON + STEP, 100)
        assert (answer.points, answer.reason) == ((Point(Metric.CPU, NOON // STEP * STEP, 42.0, 42.0),), "")
        assert (await client.history("vm2", NOON - STEP, NOON + STEP, 100)).points == ()


async def test_a_host_that_lies_about_its_size_spoils_nobodys_history(ledger: Ledger) -> None:
    watched = Watched(ledger)
    huge = 2**53
    watched.does(10, memory_used=huge, memory_total=1, disk_free=huge, disk_total=1, network_in=huge, network_out=huge)
    points = {point.metric: point.peak for point in await watched.read(NOON, NOON + STEP)}
    assert (points[Metric.CPU], points[Metric.MEMORY], points[Metric.DISK]) == (10.0, 100.0, 0.0)
    for _ in range(3):
        watched.now += STEP
        watched.does(10, looks=200, network_in=huge)
    assert [point.mean for point in await watched.read(NOON, watched.now + STEP, 1) if point.metric is Metric.CPU] == [
        10
    ]


async def test_invented_windows_are_kept_up_to_a_bound(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.engine.history.MOST_SERIES", 3)
    watched = Watched(ledger)
    watched.does(10)
    names = [f"week {number}" for number in range(5)]
    windows = [Headroom("ann@example.org", name, LimitKind.WINDOW, 40, 100, NOON + STEP, at=NOON) for name in names]
    watched.store.apply(events.HeadroomSeen({window.key: window for window in windows}))
    watched.history.look()
    watched.history.write()
    await watched.writer.outbox.wait_idle()
    assert len(ledger.read("select * from history where subject <> ?", (ROOM,))) == 3


async def test_a_clock_that_is_a_year_ahead_takes_a_day_of_history_at_most(ledger: Ledger) -> None:
    watched = Watched(ledger)
    for day in range(3):
        watched.now = NOON + day * DAY
        watched.does(10)
        watched.history.look()
    await watched.read(0, 1)
    watched.now += 365 * DAY
    watched.does(10)
    assert len(await watched.read(NOON - STEP, NOON + 3 * DAY)) == 2


def test_a_host_that_tells_of_refusals_without_end_fills_no_memory(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_TOLD", 2)
    watched = Watched(ledger)
    watched.history.start()
    told = (*(Refusal(f"r{number}", 429, NOON) for number in range(3)), Refusal("r0", 429, NOON))
    watched.history.used(UsagePiece(UsagePlace("a", 1, 0), 1, (), refusals=told))
    watched.history.look()
    assert watched.history.counted[Metric.RATE_LIMITED] == 4, "the oldest is forgotten"


async def test_how_work_flows_is_kept_as_well(ledger: Ledger) -> None:
    watched = Watched(ledger)
    watched.history.start()
    waiting = Task(1, "a task", TaskState.WAITING, NOON, NOON)
    begun = attempts.begun(waiting, "vm1", "a", 1, NOON)
    ended = replace(begun.attempts[0], end=AttemptEnd.DONE, ended=NOON)
    watched.store.apply(events.TasksSeen((waiting,)))
    watched.history.look()
    for task in (begun, replace(begun, state=TaskState.DONE, attempts=(ended,))):
        watched.store.apply(events.TasksSeen((task,)))
    answers = [Message(f"m{number}", "", NOON, "opus", Usage(), took=1_000 * (number + 1)) for number in range(3)]
    old = answers[0]._replace(id="old", at=NOON - 2 * 3_600_000, took=60_000)
    again = answers[2]._replace(took=8_000)
    refusals = (Refusal("r1", 429, NOON), Refusal("r1", 429, NOON), Refusal("r2", 500, NOON))
    watched.history.used(UsagePiece(UsagePlace("a", 1, 0), 1, (*answers, old, again), refusals=refusals))
    for _ in range(59):
        watched.now += 1_000
        watched.history.look()
    expected = {
        Metric.DONE: 60,
        Metric.BEGUN: 60,
        Metric.RATE_LIMITED: 60,
        Metric.OVERLOADED: 0,
        Metric.WAITING: 1 / 60,
    }
    watched.history.write()
    await watched.writer.outbox.wait_idle()
    points = {point.metric: point for point in recorded(ledger, (), ROOM, NOON - STEP, NOON + STEP, 100)}
    for metric, mean in expected.items():
        assert points[metric].mean == pytest.approx(mean, abs=0.01)
    assert points[Metric.DONE].peak == 12  # an hour, had nothing else been done in its five minutes
    assert points[Metric.ANSWER].mean == pytest.approx(2_000, rel=0.05)
    assert points[Metric.ANSWER].peak == pytest.approx(8_000, rel=0.05)
    figures = watched.history.figures(flow_kept(ledger, watched.now, NOON - DAY, {}), NOON - DAY)
    assert (figures.watched, figures.answers, figures.waiting) == (60_000, 3, 0)
    assert figures.done == pytest.approx(60, abs=0.1)


async def test_an_engine_that_starts_again_knows_the_hour_but_not_the_time_between(ledger: Ledger) -> None:
    watched = Watched(ledger)
    watched.does(5.0, looks=30)
    await watched.read(0, NOON)
    later = Watched(ledger)
    later.now = NOON + 10 * 60_000
    later.does(5.0, looks=30)
    figures = later.history.figures(flow_kept(ledger, later.now, NOON - DAY, {}), NOON - DAY)
    assert (figures.watched, figures.done, figures.answer_median) == (60_000, 0.0, None)


async def test_a_watcher_is_told_how_work_flows(home: World) -> None:
    async with room(ScriptedHost()), connected("watch") as client:
        answer = await client.figures()
        assert answer.figures is not None
        assert (answer.reason, answer.figures.waiting, answer.figures.most_agents) == ("", 0, 10)


async def test_a_clock_that_is_set_makes_nothing_happen(ledger: Ledger) -> None:
    watched = Watched(ledger)
    running = attempts.begun(Task(1, "a task", TaskState.WAITING, NOON, NOON), "vm1", "a", 1, NOON)
    watched.store.apply(events.TasksSeen((running, Task(2, "another", TaskState.WAITING, NOON - 60_000, NOON))))
    watched.history.start()
    watched.history.look()
    watched.now, watched.set_by = NOON + 3_600_000, 3_600_000
    watched.store.follow_clock()
    assert watched.store.fleet.tasks["t1"].attempts[0].at == NOON + 3_600_000
    watched.history.look()
    assert not watched.history.counted[Metric.BEGUN]
    (oldest,) = (point for point in watched.history.running(ROOM) if point.metric is Metric.OLDEST)
    assert oldest.peak == 60_000
