"""Nodes that break the protocol, flood or take nothing: dropped with words, and nobody else notices."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.model import LinkState
from controlroom.engine.hosts.link import MAX_AGENTS, MAX_OUTBOX, SILENCE
from controlroom.wire import messages as wire
from controlroom.wire.spec import AgentSpec
from tests.engine.link_bench import START, WELCOME, Bench

# -- nodes that break the protocol


BROKEN: dict[str, bytes] = {
    "not json": b"hello\n",
    "nan": b'{"is":"HostSample","at":NaN}\n',
    "unknown kind": b'{"is":"Shutdown"}\n',
    "wrong type": b'{"is":"Pong","number":"1","clock":1}\n',
    "deep": b"[" * 100_000 + b"\n",
    "huge number": b'{"is":"Pong","number":1,"clock":' + b"9" * 6000 + b"}\n",
    "a list": b"[1]\n",
    "no newline for ever": b"x" * (4 * 1024 * 1024 + 1),
    "hello twice": wire.pack(WELCOME),
    "a command": wire.pack(wire.Kill(1, "a", 1)),
    "binary": bytes(range(256)) + b"\n",
    "escapes": b'{"is":"\x1b[2J"}\n',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
async def test_a_node_that_breaks_the_protocol_is_dropped_with_words(data: bytes) -> None:
    async with Bench().running() as bench:
        await bench.say(data)
        told = bench.heard.last()
        assert told.link is LinkState.LOST
        assert told.reason.startswith("vm1's node broke the protocol: ")
        assert told.reason.isprintable()
        assert bench.dialler.wires[0].closed
        await bench.time.pass_by(5)
        assert bench.dialler.tries == 1  # it is not hurried back
        await bench.time.pass_by(30)
        assert bench.dialler.tries == 2


@given(st.binary(max_size=400))
def test_no_bytes_bring_a_link_down_for_good(data: bytes) -> None:
    async def run() -> int:
        async with Bench().running() as bench:
            await bench.say(data + b"\n")
            await bench.time.pass_by(60)
            return bench.dialler.tries

    assert asyncio.run(run()) >= 2


@pytest.mark.parametrize(
    "first", [wire.Pong(1, 1), wire.AgentsSeen(()), wire.Welcome(**{**vars(WELCOME), "version": "9"})]
)
async def test_a_node_must_begin_with_a_welcome_of_our_version(first: wire.FromNode) -> None:
    async with Bench().running(welcome=False) as bench:
        await bench.say(first)
        assert "broke the protocol: it " in bench.heard.last().reason
        assert not [event for event in bench.heard.events if isinstance(event, events.HostMet)]


def crowd(start: int, count: int) -> tuple[wire.AgentSeen, ...]:
    return tuple(wire.AgentSeen(f"a{n}", 1, "command", "working", START) for n in range(start, start + count))


async def test_a_host_with_a_million_agents_is_cut_off() -> None:
    async with Bench().running() as bench:
        await bench.say(wire.AgentsSeen(crowd(0, MAX_AGENTS), True))
        assert bench.up()
        await bench.say(wire.AgentsSeen(crowd(0, 10), gone=("a20",)), wire.AgentsSeen(crowd(MAX_AGENTS, 1)))
        assert bench.up()
        await bench.say(wire.AgentsSeen(crowd(MAX_AGENTS + 1, 1)))
        assert "more than 5,000 agents" in bench.heard.last().reason


async def test_a_host_that_floods_is_cut_off() -> None:
    async with Bench().running() as bench:
        for _ in range(30):
            await bench.say(wire.pack(wire.Pong(0, START)) * 500)
            await bench.time.pass_by(0.5)
        assert bench.up()
        await bench.say(wire.pack(wire.Pong(0, START)) * 21_000)
        assert "far more than 5000 messages a second" in bench.heard.last().reason


async def test_a_host_that_takes_nothing_fills_its_own_queue_only() -> None:
    async with Bench().running() as bench:
        bench.dialler.wire.stuck = asyncio.Event()
        big = wire.Spawn(1, "a", 1, AgentSpec(), "x" * 1_000_000)
        taken = sum(bench.link.send(big) for _ in range(40))
        assert taken == MAX_OUTBOX // 1_000_000 - 1 or taken == MAX_OUTBOX // 1_000_000
        await bench.time.pass_by(SILENCE)
        assert not bench.up()


async def test_a_mistake_of_ours_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with Bench().running(welcome=False) as bench:
        bench.heard.fault = KeyError("reduce")
        await bench.say(WELCOME)
        assert bench.heard.last().reason == "we failed to understand vm1 (KeyError); see the log"
        assert "KeyError" in caplog.text
        await bench.time.pass_by(30)
        await bench.say(WELCOME)
        assert bench.up()
