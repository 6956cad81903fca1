"""Logs reach readers whole: nothing doubled, nothing lost, and what is skipped is told."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.model import LinkState, LogPlace
from controlroom.protocol.messages import VERSION, AskAttached, Attached, FollowedAgent, FollowLogs, Hello, Page
from controlroom.wire import messages as wire
from tests.engine import scripted
from tests.engine.raw_reader import raw
from tests.engine.rooms import Room, room
from tests.engine.scripted import ScriptedHost, seen
from tests.engine.tails import AGENT, Tail
from tests.lab.waiting import wait_for_async


@pytest.fixture(autouse=True)
async def in_a_world(home: object) -> AsyncIterator[None]:
    """Every test has its own, and closes the tails it opened."""
    yield
    for tail in Tail.opened:
        await tail.close()
    Tail.opened.clear()


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


def follow_orders(host: ScriptedHost) -> list[wire.Follow]:
    """What the host has been told to send, each time."""
    return [message for message in host.heard if isinstance(message, wire.Follow)]


async def follows(host: ScriptedHost, count: int = 1) -> None:
    """Wait until the host has been told what to send."""
    await wait_for_async(lambda: sum(bool(order.logs) for order in follow_orders(host)) >= count, 5)


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
    await wait_for_async(lambda: follow_orders(host)[-1] == wire.Follow(()), 5)
    await Tail.of()
    await follows(host, 2)
    await Tail.opened.pop().close()
    await wait_for_async(lambda: follow_orders(host)[-1] == wire.Follow(()), 5)


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


async def test_a_gap_that_nobody_accounts_for_is_fetched(here: Room, host: ScriptedHost) -> None:
    tail = await Tail.of()
    await follows(host)
    place = wire.LogStart("a1", 1, 1, len(host.logs["a1", 1]))
    for channel in host.channels:
        channel.follow.clear()
    host.write("a1", 1, b"lost on the way", b"arrived")
    data = host.logs["a1", 1][place.offset :]
    cut = data.index(b"\n") + 1
    for channel in host.channels:
        channel.say(host.chunk_of(replace(place, offset=place.offset + cut), data[cut:]))
    await tail.until("lost on the way", "arrived")
    assert tail.skipped == 0


async def test_a_place_that_no_longer_exists_is_no_dead_end(here: Room, host: ScriptedHost) -> None:
    first = await Tail.of()
    await follows(host)
    host.write("a1", 1, b"new")
    await first.until("new")
    fetches = len([message for message in host.heard if isinstance(message, wire.Fetch)])
    host.fetch = lambda wanted: wire.Fetched(wanted.id, 0, 0, "", 0, 0, reason="gone")  # type: ignore[method-assign]
    second = await Tail.of(LogPlace(1, 0, 0))
    await here.engine.wait_idle()
    assert len([message for message in host.heard if isinstance(message, wire.Fetch)]) == fetches + 1
    host.write("a1", 1, b"newer")
    await second.until("newer")
    assert second.lines == ["newer"]


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
    quick = await Tail.of()
    slow = await raw(here, Hello(VERSION, "tui", "ann"), FollowLogs(1, (FollowedAgent(AGENT),)), AskAttached(2))
    await slow.until_told(Attached)
    await here.engine.wait_idle()
    line = b"x" * 4000
    written = 0
    for number in range(60):
        before = len(host.logs["a1", 1])
        host.write("a1", 1, *[line] * 10, f"line {number}".encode())
        written += len(host.logs["a1", 1]) - before
        await quick.until(f"line {number}")
    assert quick.skipped == 0

    def pages() -> list[Page]:
        slow.read()
        return [told for told in slow.told if isinstance(told, Page)]

    await here.until(lambda: base64.b64decode(pages()[-1].data).endswith(b"line 59\n"))
    skipped = sum(page.skipped for page in pages())
    assert skipped > 0
    assert skipped + sum(len(base64.b64decode(page.data)) for page in pages()) == written
    slow.connection.close()


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
    monkeypatch.setattr("controlroom.engine.hosts.inquiries.PATIENCE", 0.02)
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


async def test_a_reason_from_a_host_is_sanitized(
    here: Room, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "fetch", lambda wanted: wire.Fetched(wanted.id, 0, 0, "", 0, 0, reason="\x1b[2Jno"))
    client = await Client.connect(start=False)
    assert (await client.fetch("vm1/a1", 1)).reason == "␛no"
    await client.close()


async def test_a_host_is_told_whose_newest_lines_anybody_looks_at(here: Room, host: ScriptedHost) -> None:
    def told() -> tuple[str, ...] | None:
        """What the host was told last; at first a host takes it that all are looked at."""
        return next((m.names for m in reversed(host.heard) if isinstance(m, wire.LinesOnShow)), None)

    await wait_for_async(lambda: told() == (), 5, "nobody looks")
    first, second = await Client.connect(start=False), await Client.connect(start=False)
    await wait_for_async(lambda: told() is None, 5, "who does not say what is on show may show all")
    await first.show_lines([AGENT, "vm1/never-was"])
    await second.show_lines([])
    await wait_for_async(lambda: told() == ("a1",), 5)
    await second.show_lines(None)
    await wait_for_async(lambda: told() is None, 5)
    await second.close()
    await wait_for_async(lambda: told() == ("a1",), 5)
    before = host.heard.count(wire.LinesOnShow(("a1",)))
    host.cut()
    await wait_for_async(lambda: host.heard.count(wire.LinesOnShow(("a1",))) > before, 15, "the next node, too")
    await first.close()
    await wait_for_async(lambda: told() == (), 5)
