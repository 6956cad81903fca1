"""Who is attached: the engine's own word on rights and address, people's word on their names; all of it sanitized."""

from __future__ import annotations

import asyncio

import pytest

from controlroom import __version__
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.attached import FrontEnd, cells, in_order, lines
from controlroom.protocol.messages import VERSION, Bridged, Hello, Submit, Unwelcome, Watch, Welcome
from tests.engine.raw_reader import raw
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.engine.watching import watcher
from tests.lab.world import World

BRIDGE = Bridged(VERSION, "192.0.2.7")


@pytest.fixture(autouse=True)
def in_a_world(home: World) -> World:
    return home


async def there(here: Room) -> list[FrontEnd]:
    client = await Client.connect(start=False, role="cli")
    told = await client.attached()
    await client.close()
    await here.until(lambda: len(here.engine.connections.seen_by(None)) == len(told.front_ends) - 1)
    return [one for one in told.front_ends if not one.asks]


async def test_it_says_who_is_there_with_what_rights_and_since_when() -> None:
    async with room(ScriptedHost()) as here:
        tui = await raw(here, Hello(VERSION, "tui", "ann", "pts/3"), Watch())
        await tui.until_told(Welcome)
        here.now += 60_000
        far = await raw(here, BRIDGE, Hello(VERSION, "tui", "bob from 10.0.0.1", "pts/9"), Watch())
        await far.until_told(Welcome)
        looks = await watcher(here, Watch())
        await looks.until_told(Welcome)
        assert await there(here) == [
            FrontEnd("ann", "tui", "all", NOON, "pts/3"),
            FrontEnd("bob from 192.0.2.7", "tui", "all", NOON + 60_000, "pts/9", bridged=True),
            FrontEnd("eve", "watch", "look", NOON + 60_000),
        ]
        far.connection.close()
        looks.connection.close()
        await here.until(lambda: len(here.engine.connections.seen_by(None)) == 1)
        tui.connection.close()
        await here.until(lambda: not here.engine.connections.seen_by(None))


async def test_a_watcher_may_ask_it_and_knows_itself() -> None:
    async with room(ScriptedHost()):
        client = await Client.connect(start=False, role="watch")
        (me,) = (await client.attached()).front_ends
        assert (me.role, me.rights, me.asks) == ("watch", "look", True)
        await client.close()


async def test_who_was_sent_away_is_not_there() -> None:
    async with room(ScriptedHost()) as here:
        for hello in (Hello("9.9.9", "tui", "old"), Hello(__version__, "tui", "older"), Hello(VERSION, "king", "mad")):
            reader = await raw(here, hello)
            await reader.until_told(Unwelcome)
            reader.connection.close()
        assert await there(here) == []


HOSTILE = "\x1b]0;owned\x07\u202eann (root from 10.9.9.9)\n\x9b2J" + "x" * 500


async def test_what_a_front_end_says_of_itself_is_sanitized_and_bounded_in_list_and_audit() -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1")
    async with room(host) as here:
        kill = Submit(1, intents.KillAgent("vm1/a1", 1))
        reader = await raw(here, Bridged(VERSION, HOSTILE), Hello(VERSION, "tui", HOSTILE, HOSTILE), Watch(), kill)
        await here.until(lambda: here.engine.store.fleet.agents["vm1/a1"].state == "done")
        await here.engine.wait_idle()
        (one,) = await there(here)
        client = await Client.connect(start=False, role="cli")
        (line, *_) = [line for line in (await client.audit()).lines if line.verb == "kill"]
        await client.close()
        for text in (one.who, one.terminal, line.who):
            assert text.isprintable()
            assert "\u202e" not in text
            assert len(text) < 200
        reader.connection.close()


async def test_nobody_takes_on_the_address_of_somebody_else() -> None:
    """Only the bridge, which runs where the engine is, says where a front end comes from."""
    async with room(ScriptedHost()) as here:
        for name in ("root from 10.9.9.9", "root(10.9.9.9)", "", " ", "ann\tfrom 10.9.9.9"):
            reader = await raw(here, BRIDGE, Hello(VERSION, "tui", name), Watch())
            await reader.until_told(Welcome)
            (one,) = await there(here)
            assert one.who.endswith(" from 192.0.2.7")
            assert "10.9.9.9" not in one.who
            reader.connection.close()
            await here.until(lambda: not here.engine.connections.seen_by(None))
        reader = await raw(here, BRIDGE, Bridged(VERSION, "10.9.9.9"), Hello(VERSION, "tui", "ann"))
        assert "hello" in str(await reader.until_told(Unwelcome))
        reader.connection.close()


async def test_a_bridge_of_another_version_says_which_machine_has_which() -> None:
    async with room(ScriptedHost()) as here:
        for bridge, words in (
            (BRIDGE, f"Control Room is version {VERSION} there and 9.9.9 here: install the same version"),
            (Bridged("9.9.9", "x"), f"an engine of version {VERSION} runs there, and this is version 9.9.9"),
        ):
            reader = await raw(here, bridge, Hello("9.9.9", "tui"))
            told = await reader.until_told(Unwelcome)
            assert isinstance(told, Unwelcome)
            assert told.reason.startswith(words)
            reader.connection.close()


async def test_the_audit_names_who_came_over_a_bridge() -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1")
    async with room(host) as here:
        reader = await raw(here, BRIDGE, Hello(VERSION, "tui", "bob"), Submit(1, intents.KillAgent("vm1/a1", 1)))
        await here.until(lambda: here.engine.store.fleet.agents["vm1/a1"].state == "done")
        await here.engine.wait_idle()
        (line,) = await asyncio.to_thread(here.ledger.audit, 10, "kill")
        assert line.who == "bob from 192.0.2.7 (tui)"
        reader.connection.close()


def test_how_it_is_written() -> None:
    ann = FrontEnd("ann", "tui", "all", NOON, "pts/3", asks=True)
    eve = FrontEnd("eve from 192.0.2.7", "watch", "look", NOON - 120_000, bridged=True)
    assert in_order([eve, ann]) == (ann, eve)
    assert cells(ann, NOON + 60_000) == ("ann (this one)", "tui", "pts/3", "all", "1m")
    assert cells(eve, NOON) == ("eve from 192.0.2.7", "watch", "ssh", "look", "2m")
    told = " ".join(line.words for line in lines([ann, eve], NOON, lambda at: "12:00"))
    assert "tui on pts/3 · may do everything · since 12:00, now" in told
    assert "watch, over ssh · may only look · since 12:00, 2m" in told
