"""Rounds: soon after they were wanted, at a pace, never two at once; a failure is tried again, and an end is an end.

The loop here has a clock of its own, which leaps to the next thing that is due: no test waits, and none is late.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import selectors
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.engine.background_tasks import SHARE, SLOWEST, SOON, Debouncer

AGAIN, LATER = 5.0, 30.0
MOMENT = 1e-6


@pytest.fixture(autouse=True)
def engines_gather_nothing() -> None:
    """Here it is tried what they gather."""


class Leaping(selectors.DefaultSelector):
    """Waits for nothing: it is later at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        self.now += 0 if ready else timeout or 0
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock leaps over the time in which nothing is due."""

    def __init__(self) -> None:
        self.selector = Leaping()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def leap(story: Coroutine[Any, Any, None]) -> None:
    """Run a story on a loop whose clock leaps."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(story)


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Work:
    """What is done in rounds, and when it was."""

    takes: float = 0.0
    then: Callable[[], Awaitable[float]] | None = None
    begun: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    on: int = 0

    async def __call__(self) -> float:
        self.begun.append(now())
        self.on += 1
        assert self.on == 1, "two at once"
        try:
            await asyncio.sleep(self.takes)
            return LATER if self.then is None else await self.then()
        finally:
            self.on -= 1
            self.ended.append(now())


@asynccontextmanager
async def rounds(work: Work) -> AsyncIterator[Debouncer]:
    made = Debouncer(work, "work", AGAIN)
    yield made
    made.close()


def test_a_burst_is_gathered_into_one_round() -> None:
    async def story() -> None:
        work = Work()
        async with rounds(work) as made:
            was_busy = made.busy
            for _ in range(50):
                made.want()
                await asyncio.sleep(SOON / 100)
            assert (was_busy, made.busy) == (False, True)
            await made.wait_idle()
            assert work.begun == pytest.approx([SOON])
            made.want(SOON)
            made.want(0.0)
            await made.wait_idle()
        assert work.begun == pytest.approx([SOON, 2 * SOON]), "what comes soon is not hurried"

    leap(story())


def test_it_is_done_by_the_time_that_was_wanted_first_and_again_though_nobody_wants_it() -> None:
    async def story() -> None:
        work = Work()
        async with rounds(work) as made:
            made.want(20)
            made.want(2)
            made.want(10)
            await asyncio.sleep(3)
            assert work.begun == pytest.approx([2])
            made.want(0.0)
            await asyncio.sleep(4)
            await asyncio.sleep(LATER)
        assert work.begun == pytest.approx([2, 3, 3 + LATER])

    leap(story())


def test_what_is_wanted_during_a_round_is_done_after_it_and_never_at_the_same_time() -> None:
    async def story() -> None:
        work = Work(takes=1)
        async with rounds(work) as made:
            made.want(0.0)
            await asyncio.sleep(MOMENT)
            for _ in range(5):
                made.want(0.0)
                made.want()
            await made.wait_idle()
        assert (len(work.begun), len(work.ended)) == (2, 2)
        assert work.begun[1] == pytest.approx(work.ended[0])

    leap(story())


def test_a_round_that_wants_itself_again_at_once_leaves_room_for_others() -> None:
    async def story() -> None:
        async def at_once() -> float:
            return -5.0

        work = Work(then=at_once)
        async with rounds(work) as made:
            made.want(0.0)
            await asyncio.sleep(10 * SOON + MOMENT)
        assert len(work.begun) == 11

    leap(story())


@pytest.mark.parametrize("burnt", [SOON / 4, 2 * SLOWEST / SHARE])
def test_a_dear_round_makes_those_after_it_rarer(burnt: float) -> None:
    async def burn() -> float:
        until = time.thread_time() + burnt
        while time.thread_time() < until:
            pass
        return LATER

    async def story() -> None:
        work = Work(then=burn)
        async with rounds(work) as made:
            made.want(0.0)
            await made.wait_idle()
            wanted = now()
            made.want()
            await made.wait_idle()
            assert min(SLOWEST, SHARE * burnt) - MOMENT <= work.begun[1] - wanted <= SLOWEST + MOMENT
            wanted = now()
            made.want(0.0)
            await made.wait_idle()
            assert work.begun[2] == pytest.approx(wanted), "a want with a time goes by that time"

    leap(story())


@pytest.mark.parametrize("problem", [ValueError("broken"), asyncio.CancelledError("what it waited for was cancelled")])
def test_a_round_that_fails_is_logged_and_tried_again(problem: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> float:
        raise problem

    async def story() -> None:
        work = Work(then=fail)
        async with rounds(work) as made:
            made.want(0.0)
            await asyncio.sleep(AGAIN + 1)
            made.want(0.0)
            await made.wait_idle()
        assert work.begun == pytest.approx([0, AGAIN, AGAIN + 1])

    with caplog.at_level(logging.ERROR):
        leap(story())
    assert [record.getMessage() for record in caplog.records] == ["work failed"] * 3


async def give_back() -> float:
    return LATER


async def swallow() -> float:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(100)
    return 0.0


async def fail_in_turn() -> float:
    try:
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        raise ValueError("while it was ended") from None
    return 0.0


@pytest.mark.parametrize("then", [give_back, swallow, fail_in_turn])
def test_nothing_begins_after_the_end_whatever_a_round_makes_of_it(then: Callable[[], Awaitable[float]]) -> None:
    async def story() -> None:
        work = Work(takes=1, then=then)
        made = Debouncer(work, "work", AGAIN)
        made.want(0.0)
        await asyncio.sleep(0.5 if then is give_back else 2)
        made.want()
        made.close()
        closed = now()
        await made.wait_idle()
        assert now() == closed, "the round that was on goes on"
        made.want(0.0)
        assert not made.busy
        await asyncio.sleep(2 * LATER)
        assert (len(work.begun), work.on) == (1, 0)

    leap(story())


def test_a_loop_that_ends_with_a_round_on_begins_no_other() -> None:
    work = Work(takes=1)

    async def story() -> None:
        made = Debouncer(work, "work", AGAIN)
        made.want(0.0)
        await asyncio.sleep(0.5)
        made.want(0.0)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        await made.wait_idle()
        await asyncio.sleep(2 * LATER)

    leap(story())
    assert len(work.begun) == 1


wishes = st.tuples(st.floats(0, 2), st.one_of(st.none(), st.floats(0, 8)))


@given(st.lists(wishes, min_size=1, max_size=30), st.lists(st.floats(0, 3), min_size=1), st.lists(st.booleans()))
def test_whenever_it_is_wanted_a_round_follows_in_time_and_alone(
    wanted: list[tuple[float, float | None]], lasts: list[float], fails: list[bool]
) -> None:
    async def story() -> None:
        async def end() -> float:
            number = len(work.begun)
            work.takes = lasts[number % len(lasts)]
            if number < len(fails) and fails[number]:
                raise ValueError("one of some")
            return LATER

        work = Work(then=end)
        async with rounds(work) as made:
            for pause, seconds in wanted:
                await asyncio.sleep(pause)
                at, begun, on = now(), len(work.begun), work.on
                made.want(seconds)
                asked.append((at, begun, on, SLOWEST if seconds is None else max(SLOWEST, seconds)))
            await asyncio.sleep(100)
        for at, begun, on, patience in asked:
            free = work.ended[begun - 1] if on else at
            assert at - MOMENT <= work.begun[begun] <= max(at + patience, free) + MOMENT

    asked: list[tuple[float, int, int, float]] = []
    leap(story())
