"""What one host may take of the engine's time: beyond it is slowed, then cut off, and asked-for answers are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.model import LinkState
from controlroom.engine.hosts.link import AT_ONCE, PATIENCE, REFUSED, SHARE, TimeShare
from controlroom.wire import messages as wire
from tests.engine.link_bench import START, Bench

NEWS = wire.pack(wire.LastLines((wire.LastLine("a1", 1, "a line", START),)))
COST = 0.01


async def flooded(bench: Bench, seconds: float, message: bytes = NEWS) -> None:
    """A hundred messages a second, each of which takes a hundredth of a second: a whole core."""
    for _ in range(round(seconds)):
        await bench.say(*[message] * 100)
        await bench.time.pass_by(1)


async def test_a_host_that_asks_for_more_than_its_share_is_read_more_slowly() -> None:
    async with Bench().running() as bench:
        bench.heard.cost = COST
        await flooded(bench, 20)
        assert bench.up()
        read = len(bench.heard.events)
        assert read * COST <= AT_ONCE + 20 * SHARE + 5 * COST
        assert read * COST >= 0.9 * (AT_ONCE + 20 * SHARE)


async def test_a_host_that_does_not_give_way_is_cut_off_with_what_it_did_and_what_to_do() -> None:
    async with Bench().running() as bench:
        bench.heard.cost = COST
        await flooded(bench, PATIENCE + 10)
        told = bench.heard.last()
        assert told.link is LinkState.REFUSED
        assert told.reason.startswith("cut off: for 30 s it asked for more of the engine's time than one host may have")
        assert "most of it for LastLines" in told.reason
        assert "controlroom host remove vm1" in told.reason
        assert "controlroom host retry vm1" in told.reason
        assert bench.dialler.wires[0].closed
        tries = bench.dialler.tries
        await bench.time.pass_by(REFUSED - 30)
        assert bench.dialler.tries == tries
        await bench.time.pass_by(60)
        assert bench.dialler.tries > tries


async def test_a_host_that_is_busy_for_a_moment_waits_for_nothing() -> None:
    async with Bench().running() as bench:
        bench.heard.cost = COST
        before = len(bench.heard.events)
        for _ in range(10):
            await bench.say(NEWS * 100)
            await bench.time.settle()
            assert len(bench.heard.events) - before == 100
            before = len(bench.heard.events)
            await bench.time.pass_by(AT_ONCE / SHARE)
        assert bench.up()


async def test_what_was_asked_for_is_slowed_and_never_held_against_a_host() -> None:
    page = wire.pack(wire.LogChunk("a1", 1, 1, 0, "", 1, 9))
    async with Bench().running() as bench:
        bench.heard.cost = COST
        await flooded(bench, 3 * PATIENCE, page)
        assert bench.up()
        assert len(bench.heard.chunks) * COST <= AT_ONCE + 3 * PATIENCE * SHARE + 2 * COST


async def test_what_only_looks_like_an_answer_is_held_against_a_host() -> None:
    page = wire.pack(wire.LogChunk("a1", 1, 1, 0, "", 1, 9))
    async with Bench().running() as bench:
        bench.heard.cost, bench.heard.asked = COST, False
        await flooded(bench, PATIENCE + 10, page)
        assert "most of it for LogChunk" in bench.heard.last().reason


async def test_a_host_that_is_slowed_is_not_taken_for_silent() -> None:
    async with Bench().running() as bench:
        bench.heard.cost = AT_ONCE + 14 * SHARE  # one message: for longer than a silent link lives
        await bench.say(NEWS, NEWS)
        await bench.time.pass_by(13.5)
        assert bench.up()


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), max_size=40))
def test_no_schedule_gets_more_than_its_share(steps: list[tuple[float, float]]) -> None:
    now, taken, dearest = 0.0, 0.0, 0.0
    share = TimeShare(now)
    for idle, cost in steps:
        now += idle
        taken, dearest = taken + cost, max(dearest, cost)
        now += share.used("LastLines", cost, now, asked=False) or 0.0
        assert taken <= AT_ONCE + SHARE * now + dearest + 1e-6
        assert not share.is_spent(now) or now >= PATIENCE
