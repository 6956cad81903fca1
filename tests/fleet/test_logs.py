"""Logs reach readers whole: nothing doubled, nothing lost, and what is skipped is told."""

from __future__ import annotations

import asyncio
import base64
import os
import tempfile
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import intents
from controlroom.domain.model import LinkState, LogPlace
from controlroom.fleet.client import Client, LogPage
from controlroom.fleet.pages import PageQueue
from controlroom.fleet.protocol import Page, base64_size
from controlroom.wire import messages as wire
from tests.fleet import scripted
from tests.fleet.rooms import Room, room
from tests.fleet.scripted import ScriptedHost, seen
from tests.lab.waiting import wait_for_async

AGENT = "vm1/a1"


@pytest.fixture(autouse=True)
async def in_a_world(home: object) -> AsyncIterator[None]:
    """Every test has its own, and closes the tails it opened."""
    yield
    for tail in Tail.opened:
        await tail.close()
    Tail.opened.clear()


class Tail:
    """A front end that follows logs, and what it has been given."""

    opened: ClassVar[list[Tail]] = []

    def __init__(self, client: Client) -> None:
        self.opened.append(self)
        self.client = client
        self.pages: list[LogPage] = []
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def of(cls, place: LogPlace | None = None, agent: str = AGENT) -> Tail:
        tail = cls(await Client.connect(start=False))
        await tail.client.follow({agent: place})
        return tail

    async def _read(self) -> None:
        async for page in self.client.pages():
            self.pages.append(page)

    @property
    def lines(self) -> list[str]:
        return [record.body.decode() for page in self.pages for record in page.records]

    @property
    def skipped(self) -> int:
        return sum(page.skipped for page in self.pages)

    async def until(self, *last: str) -> None:
        await wait_for_async(lambda: self.lines[-len(last) :] == list(last), 5, f"{last} in {self.lines[-5:]}")

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.client.close()


@pytest.fixture
def host() -> ScriptedHost:
    made = ScriptedHost()
    made.agents["a1"] = seen("a1")
    made.write("a1", 1, b"old 1", b"old 2")
    return made


@pytest.fixture
async def here(host: ScriptedHost) -> AsyncIterator[Room]:
    async with room(host) as made:
        yield made


async def follows(host: ScriptedHost, count: int = 1) -> None:
    """Wait until the host has been told what to send."""
    told = [message for message in host.heard if isinstance(message, wire.Follow) and message.logs]
    await wait_for_async(lambda: len([m for m in host.heard if isinstance(m, wire.Follow) and m.logs]) >= count, 5)
    assert told is not None


async def test_from_the_end_only_new_records_come(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of()
    await follows(host)
    host.write("a1", 1, b"new 1")
    host.write("a1", 1, b"new 2", b"new 3")
    await tail.until("new 1", "new 2", "new 3")
    assert tail.lines == ["new 1", "new 2", "new 3"]


async def test_a_page_that_was_fetched_and_what_comes_after_it_join_without_a_seam(
    here: Room, host: ScriptedHost
) -> None:
    client = await Client.connect(start=False)
    page = await client.fetch(AGENT, 1, count=1)
    assert [record.body for record in page.records] == [b"old 2"]
    assert not page.first
    host.write("a1", 1, b"between")
    tail = await Tail.of(page.end)
    await follows(host)
    host.write("a1", 1, b"after")
    await tail.until("between", "after")
    older = await client.fetch(AGENT, 1, before=page.start)
    assert ([record.body for record in older.records], older.first) == ([b"old 1"], True)
    newer = await client.fetch(AGENT, 1, after=page.end, count=1)
    assert [record.body for record in newer.records] == [b"between"]
    await client.close()


async def test_a_second_reader_that_wants_more_gets_just_what_it_lacks(here: Room, host: ScriptedHost) -> None:
    first = await Tail.of()
    await follows(host)
    host.write("a1", 1, b"new 1")
    await first.until("new 1")
    second = await Tail.of(LogPlace(1, 1, 0))
    third = await Tail.of()
    await wait_for_async(lambda: len(here.engine.logs._sources[AGENT].tails) == 3, 5)
    await second.until("old 1", "old 2", "new 1")
    await here.engine.wait_idle()
    host.write("a1", 1, b"new 2")
    await asyncio.gather(*(tail.until("new 2") for tail in (first, second, third)))
    assert first.lines == ["new 1", "new 2"]
    assert second.lines == ["old 1", "old 2", "new 1", "new 2"]
    assert third.lines == ["new 2"]
    asked = [message for message in host.heard if isinstance(message, wire.Follow) and message.logs]
    assert len({message.logs for message in asked[1:]}) <= 1, "the host sends each record once"


async def test_a_reader_ahead_of_the_source_gets_only_what_lies_behind_its_place(
    here: Room, host: ScriptedHost
) -> None:
    first = await Tail.of(LogPlace(1, 1, 0))
    await first.until("old 1", "old 2")
    end = first.pages[-1].end
    size = len(b"0000000000000 o ahead\n")
    second = await Tail.of(LogPlace(1, 1, end.offset + size))
    await wait_for_async(lambda: len(here.engine.logs._sources[AGENT].tails) == 2, 5)
    host.write("a1", 1, b"ahead", b"behind")
    await first.until("ahead", "behind")
    await second.until("behind")
    assert second.lines == ["behind"]


async def test_a_lost_link_loses_and_doubles_nothing(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of(LogPlace(1, 1, 0))
    expected = ["old 1", "old 2"]
    for number in range(6):
        await tail.until(*expected)
        host.reachable = number % 2 == 0
        host.cut()
        host.write("a1", 1, f"away {number}".encode())
        host.reachable = True
        expected.append(f"away {number}")
    await tail.until(*expected)


async def test_a_new_epoch_goes_on_after_the_rest_of_the_old_one(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of()
    await follows(host)
    host.write("a1", 1, b"last words")
    for channel in host.channels:
        channel.follow.clear()
    host.write("a1", 1, b"not sent any more")
    outcome = await tail.client.submit(intents.ReassignAgent(AGENT, 1, "anew"))
    assert outcome.ok
    host.write("a1", 2, b"first words")
    await tail.until("last words", "not sent any more", "first words")
    assert [page.start.epoch for page in tail.pages if page.records][-1] == 2


async def test_an_agent_that_does_not_exist_yet_is_followed_from_its_first_word(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of(agent="vm1/new")
    await tail.client.submit(intents.SpawnAgent("new", "x", "vm1"))
    host.write("new", 1, b"first", b"second")
    await tail.until("first", "second")


async def test_when_nobody_looks_the_host_is_told_to_send_nothing(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of()
    await follows(host)
    await tail.client.follow({})
    await wait_for_async(lambda: host.heard[-1] == wire.Follow(()), 5)
    await Tail.of()
    await wait_for_async(lambda: host.heard[-1] == wire.Follow(()), 5)


async def test_leaving_and_coming_back_at_an_older_place_loses_nothing(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of()
    await follows(host)
    host.write("a1", 1, b"new 1")
    await tail.until("new 1")
    await tail.client.follow({})
    host.write("a1", 1, b"new 2")
    await tail.client.follow({AGENT: tail.pages[-1].end})
    host.write("a1", 1, b"new 3")
    await tail.until("new 1", "new 2", "new 3")


async def test_what_the_link_skipped_is_told(home: object) -> None:
    host = scripted.Skipping()
    host.agents["a1"] = seen("a1")
    async with room(host):
        tail = await Tail.of(LogPlace(1, 0, 0))
        await wait_for_async(lambda: AGENT in tail.client.fleet.agents, 5)
        await follows(host)
        host.write("a1", 1, b"one", b"two", b"three")
        await tail.until("three")
        assert tail.lines == ["three"]
        assert tail.skipped == len(b"0000000000000 o one\n" * 2)


async def test_a_host_gets_credit_for_what_has_arrived(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of(LogPlace(1, 1, 0))
    await tail.until("old 1", "old 2")
    size = len(host.logs["a1", 1])
    await wait_for_async(lambda: wire.Credit(size) in host.heard, 5)


async def test_a_slow_reader_is_skipped_to_the_tail_and_delays_no_other(
    here: Room, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, slow = await Tail.of(), await Client.connect(start=False)
    await slow.follow({AGENT: None})
    await wait_for_async(lambda: len(here.engine.logs._sources[AGENT].tails) == 2, 5)
    await here.engine.wait_idle()
    line = b"x" * 4000
    written = 0
    slow._outgoing.transport.pause_reading()  # type: ignore[attr-defined]
    for number in range(60):
        before = len(host.logs["a1", 1])
        host.write("a1", 1, *[line] * 10, f"line {number}".encode())
        written += len(host.logs["a1", 1]) - before
        await quick.until(f"line {number}")
    assert quick.skipped == 0
    slow._outgoing.transport.resume_reading()  # type: ignore[attr-defined]
    pages = [await anext(aiter(slow.pages()))]
    while not pages[-1].records or pages[-1].records[-1].body != b"line 59":
        pages.append(await anext(aiter(slow.pages())))
    skipped = sum(page.skipped for page in pages)
    shown = sum(len(record.body) + len(b"0000000000000 o \n") for page in pages for record in page.records)
    assert skipped > 0
    assert skipped + shown == written
    await slow.close()


# --------------------------------------------------------------------------- any interleaving

steps = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 5)),
    st.tuples(st.sampled_from(["cut", "reassign", "pause"]), st.just(0)),
    st.tuples(st.sampled_from(["join", "leave", "back"]), st.integers(0, 2)),
)


@given(st.lists(steps, min_size=3, max_size=25), st.booleans())
def test_whatever_happens_every_reader_gets_every_record_once(script: list[tuple[str, int]], skipping: bool) -> None:
    try:
        asyncio.run(Story(skipping).play(script))
    finally:
        Tail.opened.clear()  # they went with their loop


class Story:
    """Readers come and go, the link drops, the agent is started anew; all the while it writes numbered lines."""

    def __init__(self, skipping: bool) -> None:
        self.host = scripted.Skipping() if skipping else ScriptedHost()
        self.host.agents["a1"] = seen("a1")
        self.host.logs["a1", 1] = b""
        self.skipping = skipping
        self.epoch = 1
        self.written = 0
        self.tails: dict[int, Tail] = {}
        self.got: dict[int, list[str]] = {0: [], 1: [], 2: []}
        self.lost: dict[int, int] = {0: 0, 1: 0, 2: 0}
        self.ends: dict[int, LogPlace] = dict.fromkeys(range(3), LogPlace(1, 0, 0))

    async def play(self, script: list[tuple[str, int]]) -> None:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONTROLROOM_HOME", folder)
            async with room(self.host) as here:
                for what, number in script:
                    await getattr(self, what)(number)
                    await asyncio.sleep(0)
                for number in range(3):
                    await self.join(number)
                await wait_for_async(lambda: here.link("vm1") is LinkState.UP, 5)
                await self.write(1)
                last = f"line {self.written}"
                await wait_for_async(lambda: all(self.lines(number)[-1:] == [last] for number in range(3)), 5)
                for number in range(3):
                    self.check(number)
                    await self.leave(number)

    def lines(self, number: int) -> list[str]:
        return self.got[number] + (self.tails[number].lines if number in self.tails else [])

    def check(self, number: int) -> None:
        lines = self.lines(number)
        numbers = [int(line.removeprefix("line ")) for line in lines]
        assert numbers == sorted(set(numbers)), f"reader {number}: in order, none twice: {numbers}"
        if not self.skipping:
            assert numbers == list(range(1, self.written + 1)), f"reader {number}: none lost"

    async def write(self, count: int) -> None:
        lines = [f"line {self.written + number + 1}".encode() for number in range(count)]
        self.written += count
        self.host.write("a1", self.epoch, *lines)

    async def cut(self, _: int) -> None:
        self.host.cut()

    async def pause(self, _: int) -> None:
        await asyncio.sleep(0.002)

    async def reassign(self, _: int) -> None:
        self.epoch += 1
        self.host.agents["a1"] = seen("a1", self.epoch)
        self.host.logs["a1", self.epoch] = b""
        self.host.show()

    async def join(self, number: int) -> None:
        if number not in self.tails:
            self.tails[number] = await Tail.of(self.ends[number])

    async def leave(self, number: int) -> None:
        if tail := self.tails.pop(number, None):
            self._keep(number, tail)
            await tail.close()

    async def back(self, number: int) -> None:
        """Stop following, and go on from where it was, over the same connection."""
        if tail := self.tails.get(number):
            await tail.client.follow({})
            self._keep(number, tail)
            tail.pages.clear()
            await tail.client.follow({AGENT: self.ends[number]})

    def _keep(self, number: int, tail: Tail) -> None:
        self.got[number] += tail.lines
        if tail.pages:
            self.ends[number] = tail.pages[-1].end


# --------------------------------------------------------------------------- what cannot be read


async def test_what_cannot_be_fetched_says_why(here: Room, host: ScriptedHost) -> None:
    client = await Client.connect(start=False)
    assert (await client.fetch("vm1/a1", 7)).reason == "no such log"
    assert "cannot be asked" in (await client.fetch("vm9/a1", 1)).reason
    assert "there is no agent 'vm1/../x'" in (await client.fetch("vm1/../x", 1)).reason
    host.reachable = False
    host.cut()
    await wait_for_async(lambda: here.link("vm1") is LinkState.LOST, 5)
    page = await client.fetch("vm1/a1", 1)
    assert (page.reason, page.records) == ("vm1 cannot be asked now", ())
    await client.close()


async def test_a_fetch_ends_when_the_link_does(here: Room, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "fetch", lambda wanted: wire.Pong(0, 0))
    client = await Client.connect(start=False)
    fetching = asyncio.create_task(client.fetch("vm1/a1", 1))
    await wait_for_async(lambda: any(isinstance(message, wire.Fetch) for message in host.heard), 5)
    host.cut()
    assert (await fetching).reason == "the link to vm1 was lost"
    monkeypatch.setattr("controlroom.fleet.logs.FETCH_PATIENCE", 0.02)
    await here.up()
    assert "did not answer within 0.02 s" in (await client.fetch("vm1/a1", 1)).reason
    await client.close()


@pytest.mark.parametrize("data", ["!!!", "A", "AAAAA", base64.b64encode(b"no newline").decode()])
async def test_a_page_that_is_no_page_hurts_nobody(here: Room, host: ScriptedHost, data: str) -> None:
    tail = await Tail.of(LogPlace(1, 1, 0))
    await tail.until("old 1", "old 2")
    at = tail.pages[-1].end.offset
    for channel in host.channels:
        channel.say(wire.LogChunk("a1", 1, 1, at, data, 1, at + 10))
        channel.say(wire.LogChunk("a1", 1, 1, at + 10, base64.b64encode(b"0000000000000 o on\n").decode(), 1, at + 29))
    await tail.until("on")


async def test_a_reason_from_a_host_is_inert(here: Room, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "fetch", lambda wanted: wire.Fetched(wanted.id, 0, 0, "", 0, 0, reason="\x1b[2Jno"))
    client = await Client.connect(start=False)
    assert (await client.fetch("vm1/a1", 1)).reason == "␛no"
    await client.close()


# --------------------------------------------------------------------------- the bounded queue


def page(agent: str, number: int, size: int) -> Page:
    data = base64.b64encode(os.urandom(size)).decode()
    return Page(agent, LogPlace(1, 1, number), LogPlace(1, 1, number + 1), data)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=60))
def test_a_queue_is_bounded_in_order_and_accounts_for_every_byte(script: list[tuple[str, int, bool]]) -> None:
    queue, given_out = PageQueue(limit=100), []
    put: dict[str, int] = dict.fromkeys("abc", 0)
    for number, (agent, size, take) in enumerate(script):
        queue.put(page(agent, number, size))
        put[agent] += size
        assert queue.size <= 100
        if take and queue:
            given_out.append(queue.pop())
    for agent in "abc":
        queue.put(page(agent, 1000, 0))
    while queue:
        given_out.append(queue.pop())
    for agent in "abc":
        pages = [one for one in given_out if one.agent == agent]
        assert sum(one.size + one.skipped for one in pages) == put[agent]
        assert [one.start.offset for one in pages] == sorted(one.start.offset for one in pages)


def test_agents_take_turns() -> None:
    queue = PageQueue()
    for number in range(3):
        queue.put(page("flood", number, 10))
    queue.put(page("quiet", 9, 1))
    assert [queue.pop().agent for _ in range(4)] == ["flood", "quiet", "flood", "flood"]
    with pytest.raises(IndexError):
        queue.pop()


@given(st.binary(max_size=300))
def test_sizes_are_known_without_decoding(data: bytes) -> None:
    assert base64_size(base64.b64encode(data).decode()) == len(data)
