"""One key that stops it all, on every screen; a halted room says so wherever one looks, and the same key ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import HaltRoom, ResumeRoom
from controlroom.domain.model import Fleet, State
from controlroom.domain.tasks import Halt
from tests.tui import scenes
from tests.tui.engine import for_watchers
from tests.tui.room import Room, room
from tests.tui.storms import WAYS, asked, tap

SIZES = pytest.mark.parametrize("size", [(45, 20), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
EVERY_SCREEN = pytest.mark.parametrize("where", WAYS)


def halted() -> Fleet:
    fleet = scenes.with_tasks()
    halt = Halt("bob", scenes.NOW - 3 * scenes.MINUTE, "the deploy broke")
    return replace(fleet, queue=replace(fleet.queue, halt=halt))


async def confirm(here: Room, key: str) -> None:
    await asked(here)
    await here.press(key)


@EVERY_SCREEN
@pytest.mark.parametrize("size", [(45, 20)], ids=["45x20"])
async def test_one_key_and_a_yes_halt_the_room_and_the_same_key_ends_that(where: str, size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        await here.press(*WAYS[where].split())
        below = here.app.screen
        await here.press("-")
        assert here.engine.asked == []
        await confirm(here, "y")
        await here.until(lambda: "3 agents are interrupted" in here.said())
        assert here.engine.asked == [HaltRoom()]
        assert here.app.screen is below
        assert "HALTED by ann, just now: nothing starts or goes on" in " ".join(here.text().split())
        assert "- resume" in here.text()
        await here.press("-")
        await confirm(here, "y")
        await here.until(lambda: here.said() == "the halt is over (told to go on: 3 agents)")
        assert here.engine.asked == [HaltRoom(), ResumeRoom()]
        assert "HALTED" not in here.text()


@SIZES
@EVERY_SCREEN
async def test_a_halted_room_says_so_on_every_screen(where: str, size: tuple[int, int]) -> None:
    async with room(halted(), size=size) as here:
        await here.press(*WAYS[where].split())
        words = " ".join(here.text().split())
        assert words.startswith("HALTED")
        assert "HALTED by bob, 3m ago (the deploy broke): nothing starts or goes on" in words
        await here.press("?")
        assert "HALTED by bob, 3m ago (the deploy broke)" in " ".join(here.text().split())


async def test_two_taps_halt_the_room_on_a_phone() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        await tap(here, "- halt", -1)
        await asked(here)
        await tap(here, "y halt")
        await here.until(lambda: here.engine.asked == [HaltRoom()])


async def test_a_no_halts_nothing() -> None:
    async with room(scenes.farm()) as here:
        await here.press("-")
        await confirm(here, "n")
        assert here.engine.asked == []


async def test_a_halt_by_somebody_else_appears_and_goes() -> None:
    async with room(scenes.with_tasks()) as here:
        queue = here.engine.fleet.queue
        here.engine.become(queue=replace(queue, halt=Halt("bob", scenes.NOW)))
        await here.until(lambda: "HALTED by bob" in here.text())
        assert "queue:" not in here.text()
        here.engine.become(queue=queue)
        await here.until(lambda: "HALTED" not in here.text())
        await here.until(lambda: "queue: 3 waiting" in here.text())


async def test_a_watcher_sees_the_halt_and_has_no_key_for_it() -> None:
    async with room(Fleet(), engine=for_watchers(halted())) as here:
        assert "HALTED by bob" in here.text()
        assert "- resume" not in here.text()
        await here.press("-")
        assert "read-only" in here.said()
        assert here.engine.asked == []


async def test_the_line_of_the_halt_can_be_tapped() -> None:
    async with room(halted(), size=(45, 20)) as here:
        await tap(here, "nothing starts")
        assert "End the halt?" in here.text()


@SIZES
async def test_agents_are_ended_after_a_sheet_that_names_them(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("-")
        await confirm(here, "x")
        assert here.engine.asked == []
        words = " ".join(here.text().split())
        live = [agent for agent in here.engine.fleet.agents.values() if not agent.has_ended and not agent.adopted]
        assert f"Halt the room and end {len(live)} agents?" in words
        assert all(agent.name in words for agent in live)
        await confirm(here, "y")
        await here.until(lambda: here.engine.asked == [HaltRoom(kill=True)])


async def test_who_begins_or_ends_under_the_sheet_is_named_or_not_and_no_key_ends_it_unseen() -> None:
    async with room(scenes.farm()) as here:
        await here.press("-")
        await confirm(here, "x")
        live = [agent for agent in here.engine.fleet.agents.values() if not agent.has_ended and not agent.adopted]
        here.clock.pass_(5)
        here.engine.put(scenes.agent("late-1", "vm1", State.WORKING, 1))
        await here.until(lambda: f"end {len(live) + 1} agents?" in here.text())
        assert "late-1" in here.text()
        await here.pilot.press("y")
        await here.settle()
        assert here.engine.asked == []
        assert "more would end now" in here.text()
        here.engine.put(replace(live[0], state=State.DONE, ended=scenes.NOW))
        await here.until(lambda: f"end {len(live)} agents?" in here.text())
        await here.press("y")
        await here.until(lambda: here.engine.asked == [HaltRoom(kill=True)])


async def test_a_halted_room_is_halted_harder_from_the_palette() -> None:
    async with room(halted()) as here:
        await here.press(":")
        await here.write("end all")
        await here.press("enter")
        await confirm(here, "y")
        await here.until(lambda: here.engine.asked == [HaltRoom(kill=True)])


@pytest.mark.parametrize("size", [(45, 12), (45, 20), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_however_many_agents_end_their_sheet_fits_with_what_it_does_and_its_keys(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    live = next(agent for agent in fleet.agents.values() if not agent.has_ended and not agent.adopted)
    some = [replace(live, name=f"agent-number-{number}") for number in range(200)]
    async with room(replace(fleet, agents={agent.id: agent for agent in some}), size=size) as here:
        await here.press("-")
        await confirm(here, "x")
        words = " ".join(here.text().split())
        assert "agent-number-0, agent-number-1" in words
        assert " more Everything they started ends with them" in words
        await tap(here, "y end 200 agents", -1)
        await here.until(lambda: here.engine.asked == [HaltRoom(kill=True)])
