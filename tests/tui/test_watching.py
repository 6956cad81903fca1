"""Who watches sees everything and has no key that does anything; the engine would not do it anyway."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from controlroom.domain.keys.actions import ACTIONS
from controlroom.domain.keys.keymap import DEFAULT
from controlroom.domain.model import Fleet, Question
from controlroom.domain.questions import QuestionKind
from controlroom.text.states import Item, Option
from controlroom.tui.actions.actions import do
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.help import HelpScreen
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.palette import Finds, PaletteScreen
from tests.tui import scenes
from tests.tui.engine import SmallEngine
from tests.tui.room import Room, room
from tests.tui.storms import storm, whole

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))
ACTS = [action for action in ACTIONS if not action.looks]


@asynccontextmanager
async def watching(fleet: Fleet, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Room]:
    engine = SmallEngine(fleet, scenes.logs(fleet))
    engine.read_only = True
    async with room(fleet, size=size, engine=engine, read_only=True) as here:
        yield here


def changed(here: Room) -> list[object]:
    """What the engine was asked to do, and what happened because of it."""
    return [*here.engine.asked, *here.engine.effects]


@SIZES
async def test_no_key_of_the_table_acts_on_any_screen(size: tuple[int, int]) -> None:
    async with watching(scenes.farm(), size) as here:
        before = here.engine.fleet
        for way in ("", "enter", "h"):
            await here.press(*[way] * bool(way))
            screen = here.screen(RoomScreen)
            looks = {action.key for action in screen.actions()}
            for key in {action.key for action in ACTS} - looks:
                await here.press(key)
                assert here.app.screen is screen, key
            await here.press(*["q"] * bool(way))
        assert not changed(here)
        assert here.engine.fleet == before


@SIZES
async def test_it_says_read_only_and_shows_the_keys_that_look(size: tuple[int, int]) -> None:
    async with watching(scenes.farm(), size) as here:
        assert "read-only" in here.text().splitlines()[0]
        for action in ("spawn", "kill", "reassign", "message"):
            assert f" {action} " not in here.text().splitlines()[-1]
        assert "?" in here.text().splitlines()[-1]
    async with room(scenes.farm(), size=size) as here:
        assert "read-only" not in here.text()


async def test_the_machine_of_the_engine_is_named_when_it_is_another_one() -> None:
    engine = SmallEngine(scenes.farm())
    engine.where = "me@box"
    async with room(scenes.farm(), engine=engine) as here:
        assert "control room  me@box" in here.text().splitlines()[0]


@pytest.mark.parametrize("where", ["overview", "agent", "hosts"])
async def test_help_and_palette_name_only_what_looks(where: str) -> None:
    async with watching(scenes.farm(), WIDE) as here:
        await here.press(*{"agent": ["enter"], "hosts": ["h"]}.get(where, []))
        await here.press("?")
        here.screen(HelpScreen)
        helped = here.text()
        await here.press("q", ":")
        found = here.screen(PaletteScreen).query_one(Finds).rows
        for action in DEFAULT.on_screen(where):
            assert (action.help[:40] in helped) == action.looks, action.name
        names = {find.name for find in found}
        assert not names & {f"action {action.name}" for action in ACTS}


async def test_a_question_is_read_and_not_answered() -> None:
    async with watching(scenes.farm()) as here:
        await here.press("n")
        panel = here.screen(AgentScreen).pane.question
        assert panel.question is not None
        assert "an operator answers" in here.text()
        assert "allow" not in here.text().splitlines()[-1]
        for key in ("y", "a", "d", "1", "2", "m"):
            await here.press(key)
        for x in range(0, 60, 3):
            await here.pilot.click(panel, offset=(x, panel.size.height - 1))
        assert not changed(here)


async def test_one_of_several_choices_is_not_chosen() -> None:
    fleet = scenes.farm()
    asking = next(agent for agent in fleet.agents.values() if agent.question)
    async with watching(fleet) as here:
        items = (Item("Which one?", "", (Option("this"), Option("that"))),)
        question = Question("q9", QuestionKind.CHOICES, "Which?", "Which?", 0, items)
        here.engine.put(replace(asking, question=question))
        await here.until(lambda: here.app.context.fleet.agents[asking.id].question == question)
        await here.press("n")
        await here.until(lambda: "Which one?" in here.text())
        await here.press("1", "2")
        assert not changed(here)


async def test_no_host_is_added_where_there_is_none() -> None:
    async with watching(Fleet(room="r")) as here:
        assert "No hosts yet" in here.text()
        assert "host add" not in here.text()
        await here.press("h")
        here.screen(HostsScreen)
        assert "adds one" not in here.text()


async def test_without_an_engine_it_says_so_and_comes_when_there_is_one() -> None:
    fleet = scenes.farm()
    engine = SmallEngine(fleet)
    engine.running, engine.read_only = False, True
    engine.why_not = "no engine runs for this room, and a watcher starts none"
    async with room(fleet, engine=engine, read_only=True) as here:
        await here.until(lambda: "a watcher starts none" in here.text())
        await here.press("s", "x", "y")
        assert "read-only" in here.said()
        engine.running = True
        await here.until(lambda: here.app.context.source is not None)
        here.screen(Overview)
        engine.stop(in_order=True)
        await here.until(lambda: "engine stopped" in here.text())
        assert "starts it" not in here.text()


async def test_an_action_that_is_not_for_watchers_is_not_done_however_it_is_reached() -> None:
    async with watching(scenes.farm(), PHONE) as here:
        for action in ACTS:
            do(here.app, action.name)
            await here.settle()
            assert "read-only" in here.said(), action.name
            here.screen(Overview)
        assert not changed(here)


async def test_random_keys_and_taps_change_nothing(seed: int) -> None:
    await press_at_random(seed, 400)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_ten_thousand_random_keys_and_taps_change_nothing(seed: int) -> None:
    await press_at_random(seed, 10_000)


async def press_at_random(seed: int, keys: int) -> None:
    fleet = scenes.watched()
    async with watching(fleet) as here:
        await storm(here, random.Random(seed), keys, keys // 40, whole)
        assert not changed(here)
        assert here.engine.fleet.hosts == fleet.hosts
        assert here.engine.fleet.agents.keys() == fleet.agents.keys()


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))
async def test_who_is_attached_stands_on_a_sheet_found_in_the_palette(size: tuple[int, int]) -> None:
    async with watching(scenes.farm(), size) as here:
        await here.press(":")
        await here.write("attached")
        await here.press("enter")
        await here.until(lambda: "who is attached: 2" in here.text())
        assert "ann from 192.0.2.7 (this one)" in here.text()
        assert "may only look" in here.text()
        assert "bob" in here.text()
        await here.press("q")
        here.screen(Overview)
        here.engine.stop()
        await here.until(lambda: here.app.context.source is None)
        do(here.app, "attached")
        assert "not here" in here.said()
