"""The watchers' socket: every intent, every frame and many crafted bytes go in, and nothing changes.

What is tried comes from the unions of the protocol, so that a new intent or frame is tried by itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from controlroom.client.client import Client, EngineUnavailable, NoAttachment, NoEngine
from controlroom.domain import intents
from controlroom.domain.orders import Result
from controlroom.engine.frontends.rights import LOOK_ONLY, Operator
from controlroom.engine.frontends.watcher_view import MAY_ASK, Watcher
from controlroom.protocol.messages import (
    LOOK,
    VERSION,
    Answered,
    BackUpLedger,
    Hello,
    Question,
    Request,
    StopEngine,
    Submit,
    Told,
    Unwelcome,
    Watch,
    Welcome,
    pack,
)
from controlroom.text.states import Outcome
from controlroom.wire.messages import QuestionSeen
from tests.engine import scripted
from tests.engine.raw_reader import RawReader, raw
from tests.engine.rooms import Room, room
from tests.engine.samples import sample
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.engine.watching import watcher
from tests.lab.world import World

INTENTS: tuple[Any, ...] = get_args(intents.Intent)
REQUESTS: tuple[Any, ...] = tuple(kind for kind in get_args(Request) if kind is not Submit)
ROLES = ("watch", "tui", "cli", "stop")

KNOWN = {
    "name": "a2", "agent": "vm1/a1", "subject": "vm1/a1", "host": "vm1", "epoch": 1, "task": "do it", "text": "hello",
    "question": "q1", "verdict": "allow", "address": "ann@vm9", "command": (), "version": VERSION, "role": "watch",
    "by": "agent", "digest": QuestionSeen("q1", "Bash", "Bash: ls", NOON).digest,
}  # fmt: skip
"""What makes a sample mean something in the room of these tests."""


@pytest.fixture(autouse=True)
def in_a_world(home: World) -> World:
    return home


def every_intent(folder: Path) -> list[intents.Intent]:
    """One of each, such that an operator's does something; those about hosts name one."""
    made = []
    for kind in INTENTS:
        about_host = kind in (intents.RemoveHost, intents.TakeHost, intents.DrainHost)
        made.append(sample(kind, **{**KNOWN, "path": str(folder / "made"), **({"name": "vm1"} if about_host else {})}))
    return made


def every_request(folder: Path) -> list[Request]:
    return [sample(kind, **{**KNOWN, "path": str(folder / "made")}) for kind in REQUESTS]


def asking_host() -> ScriptedHost:
    """A host with an agent that asks something."""
    host = ScriptedHost()
    question = QuestionSeen("q1", "Bash", "Bash: ls", NOON)
    host.agents["a1"] = seen("a1", state="waiting", question=question)
    host.owner = ""
    return host


class Before:
    """A room as it was, to be compared with as it is."""

    def __init__(self, here: Room, hosts: list[ScriptedHost]) -> None:
        self._here, self._hosts = here, hosts
        self.was = self._now()

    def _now(self) -> dict[str, object]:
        here = self._here
        return {
            "fleet": dataclasses.replace(here.engine.store.fleet, hosts={}),
            "hosts": {name: host.link for name, host in here.engine.store.fleet.hosts.items()},
            "orders": [message for host in self._hosts for message in scripted.orders(host)],
            "ledger": list(_dump(here)),
            "files": dict(_files(here)),
            "stopped": here.stopped.is_set(),
        }

    def same(self) -> None:
        """Fails where anything differs."""
        now = self._now()
        for part, was in self.was.items():
            assert now[part] == was, part


async def settled(here: Room, host: ScriptedHost) -> Before:
    """The room when all that begins by itself has begun."""
    await here.engine.wait_idle()
    await here.until(lambda: here.engine.store.fleet.money is not None, "the first sums")
    return Before(here, [host])


def _dump(here: Room) -> Iterator[object]:
    tables = [name for (name,) in here.ledger.read("select name from sqlite_master where type = 'table' order by 1")]
    for table in tables:
        yield table, here.ledger.read(f"select * from {table}")


def _files(here: Room) -> Iterator[tuple[str, str]]:
    for top in {here.home.config_folder, here.home.state_folder}:
        for path in sorted(top.rglob("*")):
            if path.is_file() and not path.name.startswith("ledger.db"):
                yield str(path), hashlib.sha256(path.read_bytes()).hexdigest()


async def over(here: Room, session: RawReader) -> list[Told]:
    """Everything it is told, once the engine has taken all it said: its last word is a frame that ends it."""
    await session.say(b"\n[]\n")
    await here.until(lambda: session.read() == 0 and session.ended, "the engine to send it away")
    session.connection.close()
    return session.told


# --------------------------------------------------------------------------- every intent, every frame


async def test_an_operator_changes_something_with_each_of_them(tmp_path: Path) -> None:
    """Else the tests below would see nothing change whoever asks."""
    answers: dict[str, str] = {}
    for intent in every_intent(tmp_path):
        async with room(asking_host()):
            client = await Client.connect(start=False)
            outcome = await client.submit(intent, wait=False)
            answers[type(intent).__name__] = outcome.reason
            await client.close()
    assert all(reason != LOOK_ONLY for reason in answers.values())
    done = {name for name, reason in answers.items() if not reason}
    assert done >= {"SpawnAgent", "KillAgent", "ReassignAgent", "SendMessage", "AnswerQuestion", "AddHost"}, answers


async def test_no_intent_does_anything(tmp_path: Path) -> None:
    host = asking_host()
    async with room(host) as here:
        before = await settled(here, host)
        made = [Submit(number, intent) for number, intent in enumerate(every_intent(tmp_path), 1)]
        for role in ("watch", "tui", "cli"):
            session = await watcher(here, Watch(), *made, role=role)
            await session.until_told(Answered, len(made))
            told = await over(here, session)
            answers = [answer for answer in told if isinstance(answer, Answered)]
            assert {(answer.result.outcome, answer.result.reason) for answer in answers} == {("refused", LOOK_ONLY)}
        before.same()


@pytest.mark.parametrize("role", ROLES)
async def test_no_frame_does_anything(tmp_path: Path, role: str) -> None:
    host = asking_host()
    async with room(host) as here:
        before = await settled(here, host)
        for request in every_request(tmp_path):
            await over(here, await watcher(here, request, role=role))
            await over(here, await watcher(here, Watch(), request, request, role=role))
        for kind in get_args(Told):
            await over(here, await watcher(here, pack(sample(kind, **KNOWN)), role=role))
        before.same()
        assert not (tmp_path / "made").exists()


async def test_what_is_not_named_is_refused(tmp_path: Path) -> None:
    """Also what will be invented later: it stands in no list."""
    async with room(asking_host()) as here:
        for request in every_request(tmp_path):
            if isinstance(request, Question) and not isinstance(request, MAY_ASK):
                session = await watcher(here, request)
                told = await session.until_told(Answered)
                assert told == Answered(request.id, Result(Outcome.REFUSED, LOOK_ONLY))
                session.connection.close()


async def test_nobody_stops_the_engine_there() -> None:
    async with room(asking_host()) as here:
        for role, words in (("stop", "did not say hello"), ("watch", "may not say StopEngine")):
            session = await watcher(here, StopEngine(), role=role)
            told = await session.until_told(Unwelcome)
            session.connection.close()
            assert isinstance(told, Unwelcome)
            assert words in told.reason
        assert not here.stopped.is_set()
        client = await Client.connect(start=False, role="watch")
        with pytest.raises(EngineUnavailable):
            await client.stop_engine()
        await client.close()
        assert not here.stopped.is_set()


# --------------------------------------------------------------------------- crafted bytes


def crafted(folder: Path) -> list[bytes]:
    """Frames that mean one thing to one parser and another to the next, and frames that are none."""
    kill = pack(Submit(1, intents.KillAgent("vm1/a1", 1)))
    stop = pack(StopEngine())
    hello = pack(Hello(VERSION, "tui", "root"))
    copy = pack(BackUpLedger(1, str(folder / "made")))
    twice = b'{"is":"Watch","is":"Submit","id":1,"intent":{"is":"KillAgent","agent":"vm1/a1","epoch":1}}\n'
    inside = b'{"is":"Watch","pace":0,"also":' + kill.strip() + b"}\n"
    return [
        kill, stop, hello, copy, twice, inside, hello + kill, hello + stop, stop + kill, kill[:-1] + kill,
        kill.replace(b"Submit", b"submit"), kill.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + kill, b"\0" + kill,
        kill.decode().encode("utf-16"), kill.replace(b'"Submit"', b'"\\u0053ubmit"'), b"[" + kill.strip() + b"]\n",
        b'{"is":"Welcome","version":"x","room":"y","rights":"all"}\n', b'{"is":"Operator"}\n',
        json.dumps({"is": "Hello", "version": VERSION, "role": "tui", "rights": "all"}).encode() + b"\n" + kill,
        b"\xff" * 4096 + b"\n" + kill, b"{" * 100_000 + b"\n" + kill, b" " * 100_000 + kill,
    ]  # fmt: skip


async def test_crafted_bytes_do_nothing(tmp_path: Path) -> None:
    host = asking_host()
    async with room(host) as here:
        before = await settled(here, host)
        for role in ROLES:
            for said in crafted(tmp_path):
                await over(here, await watcher(here, said, role=role))
        for said in crafted(tmp_path):
            session = RawReader(socket.socket(socket.AF_UNIX))
            session.connection.setblocking(True)
            session.connection.connect(str(here.home.watch_socket))
            session.connection.setblocking(False)
            await session.say(said)
            await over(here, session)
        before.same()
        assert not (tmp_path / "made").exists()


async def test_mangled_frames_do_nothing(tmp_path: Path) -> None:
    """Bytes of good frames swapped, dropped, doubled and cut together."""
    host = asking_host()
    rng = random.Random(20_261_122)
    good = [pack(Submit(1, intent)) for intent in every_intent(tmp_path)] + list(map(pack, every_request(tmp_path)))
    async with room(host) as here:
        before = await settled(here, host)
        for _ in range(300):
            said = b"".join(mangled(rng, rng.choice(good)) for _ in range(3))
            await over(here, await watcher(here, said, role=rng.choice(ROLES)))
        before.same()
        assert not (tmp_path / "made").exists()


def mangled(rng: random.Random, frame: bytes) -> bytes:
    data = bytearray(frame)
    for _ in range(rng.choice((0, 0, 1, 2, 8))):
        at = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at]
            case _:
                data[at:at] = bytes(rng.choices(b'{}[]",:\n0', k=2))
    return bytes(data)


# --------------------------------------------------------------------------- the socket


async def test_it_is_a_socket_of_its_own_for_us_alone() -> None:
    async with room(ScriptedHost()) as here:
        path = here.home.watch_socket
        assert path != here.home.socket
        assert path.parent == here.home.socket.parent
        assert len(os.fsencode(path)) == len(os.fsencode(here.home.socket))
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_ISSOCK(os.stat(path).st_mode)


async def test_it_is_told_what_it_may_do_and_sees_what_there_is() -> None:
    async with room(asking_host()) as here:
        session = await watcher(here, Watch())
        assert await session.until_told(Welcome) == Welcome(VERSION, "room-1", LOOK, here.engine.store.clock())
        await here.until(lambda: session.read() == 0 and session.fleet == here.engine.store.fleet)
        session.connection.close()
        client = await Client.connect(start=False, role="watch")
        operator = await Client.connect(start=False)
        try:
            assert (client.read_only, operator.read_only) == (True, False)
            await here.until(lambda: client.fleet == here.engine.store.fleet)
        finally:
            await client.close()
            await operator.close()


async def test_watching_is_no_role_at_the_operators_socket() -> None:
    """It would promise what only the other socket keeps."""
    async with room(ScriptedHost()) as here:
        session = await raw(here, Hello(VERSION, "watch"))
        told = await session.until_told(Unwelcome)
        assert isinstance(told, Unwelcome)
        session.connection.close()


async def test_no_engine_is_started_for_a_watcher() -> None:
    with pytest.raises(NoEngine, match="no engine runs for this room, and a watcher starts none"):
        await Client.connect(start=True, role="watch")


async def test_a_line_without_an_end_is_not_kept_for_long() -> None:
    async with room(ScriptedHost()) as here:
        session = await watcher(here)
        with pytest.raises(ConnectionError):
            await session.say(*(b"x" * 65536 for _ in range(64)))
        session.connection.close()
        await here.until(lambda: not here.server.sessions)


async def test_no_terminal_is_handed_out() -> None:
    async with room(asking_host()):
        client = await Client.connect(start=False, role="watch")
        with pytest.raises(NoAttachment, match="gets no terminal"):
            await client.attachment("vm1/a1")
        await client.close()


async def test_watchers_take_no_place_from_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.engine.frontends.server.MAX_READERS", 2)
    async with room(ScriptedHost()):
        watchers = [await Client.connect(start=False, role="watch") for _ in range(2)]
        with pytest.raises(EngineUnavailable, match="2 front ends are connected already"):
            await Client.connect(start=False, role="watch")
        operators = [await Client.connect(start=False) for _ in range(2)]
        for client in [*watchers, *operators]:
            await client.close()


def test_a_conversation_holds_nothing_that_acts() -> None:
    """Only what stands behind an operator's conversation can be told to act."""
    acts = {"submit", "stop", "happened", "carry_out", "send"}
    from controlroom.engine.frontends import answers

    assert not acts & set(dir(Watcher))
    assert acts & {field.name for field in dataclasses.fields(Operator)} == {"submit", "stop"}
    parts = get_type_hints(answers.Answering)
    assert not acts & parts.keys()
    assert not [part for part in parts.values() if acts & set(dir(part))]
