"""The engine's socket: what a reader holds is what the engine holds, and no reader is anybody else's trouble."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import stat
import struct
import tempfile
import termios
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.client.client import Client, EngineUnavailable
from controlroom.domain import events, intents
from controlroom.domain.model import Fleet
from controlroom.engine.frontends.rights import Operator
from controlroom.engine.frontends.server import answering
from controlroom.engine.frontends.session import Session
from controlroom.engine.frontends.turns import Turns
from controlroom.protocol.home import find_home
from controlroom.protocol.messages import (
    MAX_REQUEST,
    VERSION,
    Answered,
    FleetNews,
    Hello,
    StopEngine,
    Submit,
    Unwelcome,
    Watch,
    Welcome,
    pack,
)
from tests.domain.worlds import agent, happenings
from tests.engine import scripted
from tests.engine.raw_reader import RawReader, raw
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen

HELLO = Hello(VERSION, "tui", "ann")


@pytest.fixture(autouse=True)
def in_a_world(home: object) -> None:
    """Every test has its own."""


# --------------------------------------------------------------------------- the property

steps = st.one_of(
    happenings.map(lambda event: ("event", event)),
    st.tuples(st.integers(0, 2), st.integers(1, 6000)),
    st.just(("pause", 0)),
)


@given(st.lists(steps, max_size=40))
def test_after_any_interleaving_of_events_and_readers_all_hold_the_same(script: list[tuple[object, object]]) -> None:
    asyncio.run(play(script))


async def play(script: list[tuple[object, object]]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        here = Room(find_home({"CONTROLROOM_HOME": folder}), [])
        here.engine.start()
        served = [serve(here) for _ in range(3)]
        readers = [reader for reader, _ in served]
        for reader in readers:
            await reader.say(HELLO, Watch())
        for what, value in script:
            if isinstance(value, int) and isinstance(what, int):
                readers[what].read(value)
            elif what == "event":
                here.engine.host_events.happened(value)  # type: ignore[arg-type]
            await asyncio.sleep(0)
        for reader in readers:
            await here.until(lambda reader=reader: reader.read() == 0 and reader.fleet == here.engine.store.fleet)  # type: ignore[misc]
            reader.connection.close()
        await asyncio.gather(*(task for _, task in served))
        await here.engine.close()


def serve(here: Room) -> tuple[RawReader, asyncio.Task[None]]:
    """A reader behind a socket that holds next to nothing."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    async def conversation() -> None:
        incoming, outgoing = await asyncio.open_connection(sock=theirs)
        operator = Operator(here.engine.submit, here.engine.orders.result_of, lambda: None, Turns())
        await Session(answering(here.engine), operator, incoming, outgoing).serve()
        outgoing.close()

    return RawReader(ours), asyncio.create_task(conversation())


# --------------------------------------------------------------------------- slow and stopped readers


def big_agents(count: int, text: str) -> events.AgentsObserved:
    agents = tuple(agent(f"a{number}", detail=text * 200) for number in range(count))
    return events.AgentsObserved("vm1", agents, NOON, complete=True)


async def test_a_stopped_reader_costs_one_patch_and_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.engine.frontends.session.PACE", 0.0)
    async with room(ScriptedHost()) as here:
        stopped = await raw(here, HELLO, Watch())
        client = await Client.connect(start=False)

        def arrived() -> bytes:
            """How much lies in its socket: no more, once that is full."""
            return fcntl.ioctl(stopped.connection, termios.FIONREAD, b"\0" * 4)

        number = full = 0
        while full < 50:
            before, number = arrived(), number + 1
            here.engine.host_events.happened(big_agents(20, f"{number} "))
            await here.until(lambda: client.fleet == here.engine.store.fleet, "the other reader is up to date")
            full = full + 1 if arrived() == before else 0
        await here.until(lambda: stopped.read() == 0 and stopped.fleet == here.engine.store.fleet)
        patches = sum(isinstance(told, FleetNews) for told in stopped.told)
        held = number - patches  # what the system still takes on the way comes in patches of its own
        assert held > full // 2, "what came while it was full came in one patch"
        await client.close()
        stopped.connection.close()


async def test_many_changes_are_few_patches() -> None:
    async with room(ScriptedHost()) as here:
        reader = await raw(here, HELLO, Watch(pace=0.5))  # less often than a busy machine stumbles
        await reader.until_told(FleetNews)
        for number in range(100):
            here.engine.host_events.happened(events.HostNoticed("vm1", str(number), NOON))
            await asyncio.sleep(0)
        await here.until(lambda: reader.read() == 0 and reader.fleet == here.engine.store.fleet)
        assert len(reader.told) < 20
        reader.connection.close()


async def test_requests_beyond_the_bound_wait_and_none_is_lost() -> None:
    async with room(scripted.Mute()) as here:
        reader = await raw(here, HELLO)
        spawn = intents.SpawnAgent("a1", "x", "vm1")
        count = Operator.open_requests * 3
        await reader.say(*(Submit(number, spawn, deadline=0.05) for number in range(1, count + 1)))
        await reader.until_told(Answered, count)
        answers = {told.id: told.result.outcome for told in reader.told if isinstance(told, Answered)}
        assert sorted(answers) == list(range(1, count + 1))
        assert sorted(answers.values()) == ["refused"] * (count - 1) + ["unknown"]
        reader.connection.close()


async def test_a_front_end_that_leaves_takes_nothing_with_it() -> None:
    host = scripted.Mute()
    async with room(host) as here:
        reader = await raw(here, HELLO, Watch(), Submit(1, intents.SpawnAgent("a1", "x", "vm1")))
        await here.until(lambda: scripted.orders(host))
        reader.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reader.connection.close()
        await here.until(lambda: not here.server.sessions)
        assert here.agent("vm1/a1").pending is not None
        client = await Client.connect(start=False)
        assert "vm1/a1" in client.fleet.agents
        await client.close()


# --------------------------------------------------------------------------- manners


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "not a JSON object"),
        (b"\x00\xff\n", "not a JSON object"),
        (b'{"is": "Nonsense"}\n', "unknown message"),
        (b'{"is": "Hello", "version": 3}\n', "version: expected text"),
        (pack(Watch()), "did not say hello first"),
        (pack(replace(HELLO, role="king")), "did not say hello first"),
        (pack(HELLO) + pack(HELLO), "may not say Hello"),
        (pack(HELLO) + b'{"is":"Submit","id":1}\n', "Submit without an intent"),
        (pack(HELLO) + b'{"is":"Submit","id":1,"intent":{"is":"Format","disk":1}}\n', "unknown message 'Format'"),
        (pack(HELLO) + b'{"is":"Submit","id":NaN,"intent":{"is":"KillAgent"}}\n', "not a JSON object"),
        (pack(HELLO) + b'{"is":"Submit","id":1,"intent":{"is":"KillAgent","agent":"a"}}\n', "KillAgent"),
    ],
)
async def test_who_breaks_the_protocol_is_sent_away_in_words(said: bytes, words: str) -> None:
    async with room(ScriptedHost()) as here:
        reader = await raw(here, said)
        told = await reader.until_told(Unwelcome)
        assert isinstance(told, Unwelcome)
        assert words in told.reason
        await here.until(lambda: reader.read() == 0 and reader.ended)
        reader.connection.close()
        client = await Client.connect(start=False)
        await client.close()


async def test_a_line_without_end_is_not_kept() -> None:
    async with room(ScriptedHost()) as here:
        reader = await raw(here)
        with pytest.raises(ConnectionError):
            await reader.say(*(b"x" * 65536 for _ in range(2 * MAX_REQUEST // 65536)))
        reader.connection.close()
        await here.until(lambda: not here.server.sessions)


async def test_another_version_is_told_what_to_do_and_may_only_stop_the_engine() -> None:
    async with room(ScriptedHost()) as here:
        reader = await raw(here, replace(HELLO, version="9.9.9"))
        told = await reader.until_told(Unwelcome)
        assert told == Unwelcome(
            f"an engine of version {VERSION} runs here, and this is version 9.9.9: "
            "run `controlroom stop` to let a new engine start (agents live on)"
        )
        stopper = await raw(here, Hello("9.9.9", "stop"))
        await stopper.until_told(Welcome)
        assert not here.stopped.is_set()
        await stopper.say(StopEngine())
        await here.until(here.stopped.is_set)
        await stopper.say(Watch())
        await stopper.until_told(Unwelcome)
        reader.connection.close()
        stopper.connection.close()


async def test_a_watcher_sees_everything_and_changes_nothing() -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1")
    async with room(host) as here:
        client = await Client.connect(start=False, role="watch")
        await here.until(lambda: client.fleet == here.engine.store.fleet)
        outcome = await client.submit(intents.KillAgent("vm1/a1", 1))
        assert (outcome.ok, outcome.reason) == (False, "a watcher may look, and change nothing")
        with pytest.raises(EngineUnavailable):
            await client.stop_engine()
        assert not here.stopped.is_set()
        assert not scripted.orders(host)
        await client.close()


async def test_a_mistake_of_ours_drops_one_front_end_and_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with room(ScriptedHost()):
        client, other = await Client.connect(start=False), await Client.connect(start=False)
        monkeypatch.setattr("controlroom.engine.engine.decide", lambda *_: 1 / 0)
        with pytest.raises(EngineUnavailable):
            await client.submit(intents.KillAgent("vm1/a1", 1))
        monkeypatch.undo()
        assert (await other.submit(intents.SpawnAgent("a1", "x", "vm1"))).ok
        assert "ZeroDivisionError" in caplog.text
        await client.close()
        await other.close()


async def test_nobody_else_may_open_the_socket() -> None:
    async with room(ScriptedHost()) as here:
        assert stat.S_IMODE(os.stat(here.home.socket).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(here.home.runtime_folder).st_mode) == 0o700


async def test_a_front_end_that_says_nothing_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.engine.frontends.session.GREETING", 0.02)
    async with room(ScriptedHost()) as here:
        reader = await raw(here)
        await here.until(lambda: reader.read() == 0 and reader.ended)
        reader.connection.close()


async def test_too_many_front_ends_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.engine.frontends.server.MAX_READERS", 2)
    async with room(ScriptedHost()) as here:
        kept = [await Client.connect(start=False) for _ in range(2)]
        with pytest.raises(EngineUnavailable, match="2 front ends are connected already"):
            await Client.connect(start=False)
        for client in kept:
            await client.close()
        await here.until(lambda: not here.server.sessions)


# --------------------------------------------------------------------------- intents through the client


async def test_an_intent_says_what_became_of_it_and_what_it_was_about() -> None:
    async with room(ScriptedHost()):
        client = await Client.connect(start=False, role="cli")
        spawn = intents.SpawnAgent("a1", "x", "vm1")
        outcome = await client.submit(spawn)
        assert (outcome.ok, outcome.outcome, outcome.agent, outcome.epoch) == (
            True,
            "done",
            "vm1/a1",
            1,
        )
        again = await client.submit(spawn)
        assert (again.ok, again.outcome) == (False, "refused")
        assert "vm1/a1 is there already" in again.reason
        await client.close()


async def test_who_does_not_wait_is_told_that_it_is_on_its_way() -> None:
    async with room(scripted.Mute()):
        client = await Client.connect(start=False)
        outcome = await client.submit(intents.SpawnAgent("a1", "x", "vm1"), wait=False)
        assert (outcome.ok, outcome.outcome) == (True, "asked")
        late = await client.submit(intents.SpawnAgent("a2", "x", "vm1"), deadline=0.02)
        assert (late.ok, late.outcome) == (False, "unknown")
        assert "no answer within 0.02 s" in late.reason
        await client.close()


async def test_an_intent_of_any_text_passes() -> None:
    host = ScriptedHost()
    async with room(host):
        client = await Client.connect(start=False)
        task = '\x00\n"$(rm -rf)\u2028 \U0001f600 ' + "é" * 500_000
        assert (await client.submit(intents.SpawnAgent("a1", task, "vm1"))).ok
        (spawn,) = scripted.orders(host)
        assert json.loads(json.dumps(getattr(spawn, "task", ""))) == task
        await client.close()


async def test_when_the_engine_ends_every_wait_ends_with_a_sentence() -> None:
    async with room(scripted.Mute()) as here:
        client = await Client.connect(start=False)
        await client.changed()
        await client.follow({"vm1/a1": None})
        waits = [
            asyncio.create_task(client.changed()),
            asyncio.create_task(client.submit(intents.SpawnAgent("a1", "x", "vm1"))),
            asyncio.create_task(anext(client.pages())),  # type: ignore[arg-type]
        ]
        await here.until(lambda: "vm1/a1" in client.fleet.agents)
        first = await waits[0]
        assert isinstance(first, Fleet)
        assert first.hosts.keys() == client.fleet.hosts.keys()
        await here.server.close()
        for wait in waits[1:]:
            with pytest.raises(EngineUnavailable, match="the engine has ended; agents live on"):
                await wait
        with pytest.raises(EngineUnavailable):
            await client.fetch("vm1/a1", 1)
        assert not client.connected
        await client.close()


async def test_a_socket_that_a_dead_engine_left_behind_is_in_nobodys_way(home: object) -> None:
    path = find_home(os.environ).socket
    path.parent.mkdir(mode=0o700, exist_ok=True)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(EngineUnavailable, match="no engine runs"):
        await Client.connect(start=False)
    async with room(ScriptedHost()):
        client = await Client.connect(start=False)
        await client.close()


async def test_a_question_that_cannot_be_answered_ends_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no ledger can hold is a reason; a mistake of ours is called one, and not the end of the engine."""
    async with room(ScriptedHost()) as here:
        client = await Client.connect(start=False)
        assert "can stand in no ledger" in (await client.audit(10, "\udcff")).reason

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(here.ledger, "audit", broken)
        with pytest.raises(EngineUnavailable, match="by a mistake of ours, and goes on"):
            await client.audit(10)
        await client.close()
        again = await Client.connect(start=False)
        await again.close()
