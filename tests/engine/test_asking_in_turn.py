"""Who may only look keeps nobody who acts from an answer, and what nobody waits for is taken back from its host."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from controlroom.cli.exits import Exit
from controlroom.client.client import Client
from controlroom.engine.hosts.inquiries import MAX_OPEN, WATCHERS
from controlroom.wire import inquiries
from controlroom.wire import messages as wire
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedChannel, ScriptedHost, seen
from tests.engine.tails import Tail
from tests.lab.world import World


class Ponders(ScriptedHost):
    """It shows screens at once, and never comes to an end of a search, nor of reading a log while it `ponders`."""

    ponders = True

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, inquiries.ShowScreen):
            channel.say(inquiries.ScreenShown(message.id, "", 80, 24))

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, wire.Fetch) and self.ponders:
            self.heard.append(message)
        else:
            super().take(channel, message)

    def asked(self, kind: type) -> set[int]:
        """What it is asked and has not been told to give up."""
        given_up = {message.id for message in self.heard if isinstance(message, wire.GiveUp)}
        asked = (message for message in self.heard if isinstance(message, kind))
        return {message.id for message in asked if isinstance(message, (inquiries.Search, wire.Fetch))} - given_up


def pondering() -> Ponders:
    host = Ponders()
    host.agents["a1"] = seen("a1")
    return host


async def test_watchers_who_search_without_end_leave_operators_their_answers(home: World) -> None:
    host = pondering()
    async with room(host) as here:
        watchers = [await Client.connect(start=False, role="watch") for _ in range(8)]
        searches = [
            asyncio.create_task(watcher.search("vm1/a1", 1, "(a+)+$", regex=True))
            for watcher in watchers
            for _ in range(8)
        ]
        await here.until(lambda: len(host.asked(inquiries.Search)) == WATCHERS)
        operator = await Client.connect(start=False)
        for _ in range(3):
            assert (await operator.screen("vm1/a1")).columns == 80
        assert len(host.asked(inquiries.Search)) == WATCHERS
        for client in [*watchers, operator]:
            await client.close()
        await asyncio.gather(*searches, return_exceptions=True)
        await here.until(lambda: not host.asked(inquiries.Search), "nothing is left at the host")
        again = await Client.connect(start=False, role="watch")
        assert (await again.screen("vm1/a1")).columns == 80
        await again.close()


async def test_what_took_too_long_is_given_up_at_the_host(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.engine.hosts.inquiries.PATIENCE", 0.05)
    host = pondering()
    async with room(host) as here:
        for role in ("cli", "watch"):
            client = await Client.connect(start=False, role=role)
            assert (await client.search("vm1/a1", 1, "x")).reason == "vm1 did not answer within 0.05 s"
            assert (await client.fetch("vm1/a1", 1)).reason == "vm1 did not answer within 0.05 s"
            await here.until(lambda: not host.asked(inquiries.Search) and not host.asked(wire.Fetch))
            await client.close()


async def test_an_operator_who_asks_too_much_at_once_is_told_so(home: World) -> None:
    host = pondering()
    async with room(host) as here:
        clients = [await Client.connect(start=False) for _ in range(2)]
        asked = [asyncio.create_task(clients[0].search("vm1/a1", 1, "x")) for _ in range(MAX_OPEN)]
        await here.until(lambda: len(host.asked(inquiries.Search)) == MAX_OPEN)
        refused = await clients[1].search("vm1/a1", 1, "x")
        assert refused.reason == "vm1 cannot be asked now: 64 requests to it are under way; try again soon"
        for client in clients:
            await client.close()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_an_operator_who_follows_a_log_waits_for_no_watchers_turn(home: World) -> None:
    host = pondering()
    host.write("a1", 1, b"old")
    async with room(host) as here:
        watcher = await Client.connect(start=False, role="watch")
        lines = [asyncio.create_task(watcher.fetch("vm1/a1", 1)) for _ in range(WATCHERS)]
        await here.until(lambda: len(host.asked(wire.Fetch)) == WATCHERS)
        await watcher.follow({"vm1/a1": None})
        await watcher.attached()  # what is said first is taken first: now its wish is known
        host.ponders = False
        tail = await Tail.of()
        await here.until(lambda: any(channel.follow for channel in host.channels))
        host.write("a1", 1, b"new")
        await tail.until("new")
        await Tail.opened.pop().close()
        await watcher.close()
        await asyncio.gather(*lines, return_exceptions=True)


class Busy(ScriptedHost):
    """It has no time to read logs."""

    def fetch(self, wanted: wire.Fetch) -> wire.Fetched:
        return wire.Fetched(wanted.id, 0, 0, "", 0, 0, reason="64 requests for logs wait already")


async def test_watchers_leave_a_host_time_to_breathe_between_their_questions(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each starts a program there; as fast as it answered, two watchers kept a core of it busy."""
    monkeypatch.setattr("controlroom.engine.hosts.inquiries.BREATH", 1e6)
    host = pondering()
    async with room(host):
        watcher = await Client.connect(start=False, role="watch")
        for _ in range(WATCHERS):
            assert (await watcher.screen("vm1/a1")).columns == 80
        late = asyncio.create_task(watcher.screen("vm1/a1"))
        operator = await Client.connect(start=False)
        for _ in range(3):
            assert (await operator.screen("vm1/a1")).columns == 80
        await watcher.attached()  # what is said first is taken first: now the late one is known
        assert not late.done()
        assert sum(isinstance(message, inquiries.ShowScreen) for message in host.heard) == WATCHERS + 3
        for client in (watcher, operator):
            await client.close()
        await asyncio.gather(late, return_exceptions=True)


class Breaks(ScriptedHost):
    """Its link breaks whenever it is asked for a log."""

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, wire.Fetch):
            channel.cut()
        else:
            super().take(channel, message)


@pytest.mark.parametrize(
    ("host", "code", "said"),
    [
        (Breaks(), Exit.UNKNOWN, "the link to vm1 was lost"),
        (Busy(), Exit.REFUSED, "64 requests for logs wait already"),
        (ScriptedHost(), Exit.DONE, "vm1/a1 has written nothing yet"),
    ],
    ids=["lost", "busy", "there is none"],
)
async def test_a_log_that_could_not_be_asked_for_is_not_told_to_be_empty(
    home: World, host: ScriptedHost, code: int, said: str
) -> None:
    host.agents["a1"] = seen("a1")
    async with room(host):
        words = (sys.executable, "-m", "controlroom", "logs", "vm1/a1")
        asks = await asyncio.create_subprocess_exec(*words, env={**os.environ}, stderr=asyncio.subprocess.PIPE)
        _, told = await asks.communicate()
        assert said in told.decode()
        assert ("written nothing" in told.decode()) is (code == Exit.DONE)
        assert asks.returncode == code
