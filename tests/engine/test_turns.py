"""What watchers can do to operators by asking for much: they wait for their own turns, and for nobody's but theirs."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlroom.client.client import Client
from controlroom.domain.calculators.comparison import Terms
from controlroom.domain.model import LogPlace
from controlroom.engine.frontends import session, turns
from controlroom.engine.frontends.answers import Answering, answer
from controlroom.engine.frontends.turns import AT_ONCE, SHARE, SharedTurns
from controlroom.engine.frontends.watcher_view import Watcher
from controlroom.protocol.messages import (
    AskAudit,
    AskComparison,
    AskCosts,
    AskRunways,
    Costs,
    FollowedAgent,
    FollowLogs,
    LookAtScreen,
    Question,
    Watch,
)
from controlroom.wire import messages as wire
from tests.engine.rooms import room
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.engine.tails import AGENT, Tail
from tests.engine.watching import watcher
from tests.lab.world import World


@pytest.fixture(autouse=True)
async def in_a_world(home: World) -> AsyncIterator[None]:
    yield
    for tail in Tail.opened:
        await tail.close()
    Tail.opened.clear()


@pytest.fixture
def host() -> ScriptedHost:
    made = ScriptedHost()
    made.agents["a1"] = seen("a1")
    made.write("a1", 1, b"old")
    return made


class Clock:
    """A clock that shows what it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# --------------------------------------------------------------------------- questions


async def test_operators_are_answered_while_watchers_wait_for_their_turn(
    host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watchers have nothing left of their share, ever; what they ask for would fill every thread of the engine."""
    monkeypatch.setattr(turns, "SHARE", 1e-9)
    monkeypatch.setattr(turns, "AT_ONCE", 0.0)
    async with room(host) as here:
        watchers = [await watcher(here, Watch(), *_questions()) for _ in range(10)]
        operator = await Client.connect(start=False, role="cli")
        for _ in range(20):
            assert await operator.costs("agent", 0, NOON) is not None
            assert await operator.audit(10) is not None
        await operator.close()
        for reader in watchers:
            while reader.read():
                pass
            assert not [told for told in reader.told if isinstance(told, Costs)]
            reader.connection.close()


def _questions() -> list[AskCosts | AskAudit | AskComparison | AskRunways]:
    numbers = itertools.count(1)
    return [
        ask
        for _ in range(4)
        for ask in (
            AskComparison(next(numbers), 3650, Terms()),
            AskCosts(next(numbers), "agent", 0, NOON),
            AskAudit(next(numbers), 10_000),
            AskRunways(next(numbers)),
        )
    ]


# --------------------------------------------------------------------------- logs


async def test_a_watcher_at_a_place_that_no_log_has_keeps_no_line_from_operators(host: ScriptedHost) -> None:
    async with room(host) as here:
        reader = await watcher(here, FollowLogs(1, (FollowedAgent(AGENT, LogPlace(1, 10**6, 10**9)),)))
        await here.until(lambda: any(isinstance(told, wire.Follow) and told.logs for told in host.heard), "it follows")
        tail = await Tail.of()
        await here.engine.wait_idle()
        host.write("a1", 1, b"new")
        await tail.until("new")
        reader.connection.close()


async def test_a_watcher_at_the_beginning_has_no_operator_read_all_of_it(host: ScriptedHost) -> None:
    async with room(host) as here:
        reader = await watcher(here, FollowLogs(1, (FollowedAgent(AGENT, LogPlace(1, 0, 0)),)))
        await here.until(lambda: any(isinstance(told, wire.Follow) and told.logs for told in host.heard), "it follows")
        (place,) = next(told.logs for told in host.heard if isinstance(told, wire.Follow) and told.logs)
        assert place.offset == len(host.logs["a1", 1])
        reader.connection.close()


async def test_a_watcher_has_nothing_looked_for_that_is_not_there(host: ScriptedHost) -> None:
    made_up = tuple(FollowedAgent(f"vm1/n{number}") for number in range(200))
    async with room(host) as here:
        reader = await watcher(here, FollowLogs(1, (*made_up, FollowedAgent(AGENT))))
        await here.until(lambda: any(isinstance(told, wire.Follow) and told.logs for told in host.heard), "it follows")
        host.agents["n7"] = seen("n7")
        host.write("n7", 1, b"old")
        host.show()
        await here.until(lambda: "vm1/n7" in here.engine.store.fleet.agents)
        await here.engine.wait_idle()
        looked_for = {told.name for told in host.heard if isinstance(told, wire.Fetch)}
        followed = {log.name for told in host.heard if isinstance(told, wire.Follow) for log in told.logs}
        assert looked_for | followed == {"a1"}
        reader.connection.close()


# --------------------------------------------------------------------------- the share


async def test_all_of_them_together_take_no_more_than_their_share() -> None:
    clock = Clock()
    shared = SharedTurns(clock)
    done: list[float] = []

    async def work() -> None:
        while True:
            await shared.turn()
            done.append(clock.now)
            shared.used(0.05)

    tasks = [asyncio.create_task(work()) for _ in range(5)]
    try:
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(done) == pytest.approx(AT_ONCE / 0.05, abs=2)
        assert 0.0 < shared.owed() <= 0.05 / SHARE
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        shared.close()


class Summed(SharedTurns):
    """It knows how much was counted in all."""

    seconds = 0.0

    def used(self, seconds: float) -> None:
        self.seconds += seconds
        super().used(seconds)


async def test_what_is_done_for_them_is_counted_wherever_it_is_done() -> None:
    shared = Summed(Clock())

    def spin() -> None:
        sum(range(300_000))

    async def work() -> str:
        spin()
        await asyncio.sleep(0)
        spin()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        await shared.apart(spin)
        return "done"

    assert await asyncio.create_task(shared.counted(work())) == "done"
    in_all = shared.seconds
    await shared.apart(spin)
    assert in_all > 1.5 * (shared.seconds - in_all) > 0
    shared.close()


async def test_work_that_is_ended_before_it_began_is_ended() -> None:
    shared = SharedTurns(Clock())
    task = asyncio.create_task(shared.counted(asyncio.sleep(0)))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    shared.close()


async def test_questions_that_are_not_begun_when_the_engine_ends_are_left_in_order(
    host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had not been begun said so, as a mistake of ours, when it was thrown away."""
    begun = list[object]()

    async def noted(parts: Answering, asked: Question, *rest: Any) -> object:
        begun.append(asked)
        return await answer(parts, asked, *rest)

    monkeypatch.setattr(session, "answer", noted)
    async with room(host) as here:
        reader = await watcher(here, *(LookAtScreen(number, AGENT) for number in range(1, 40)))
        await here.until(lambda: len(begun) == Watcher.open_requests, "its places are taken")
    reader.connection.close()
    gc.collect()
