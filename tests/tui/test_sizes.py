"""Any size, any key, in any order: the screen stands. And it follows a keyboard that comes and goes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from controlroom.domain.keys.keymap import DEFAULT
from controlroom.domain.model import State
from controlroom.tui.actions.actions import do
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.overview import Overview
from tests.lab.waiting import wait_for_async
from tests.tui import scenes
from tests.tui.room import room
from tests.tui.storms import storm, whole


async def storms(seed: int, keys: int, sizes: int) -> None:
    fleet = scenes.watched()
    async with room(fleet, scenes.logs(fleet), size=(120, 40)) as here:
        await storm(here, random.Random(seed), keys, sizes, whole)


@pytest.mark.parametrize("number", range(1))
async def test_a_hundred_sizes_and_a_thousand_keys(seed: int, number: int) -> None:
    await storms(seed + number, 250, 25)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(4))
async def test_a_thousand_sizes_and_ten_thousand_keys(seed: int, number: int) -> None:
    await storms(seed + number, 2_500, 250)


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("", id="overview"),
        pytest.param("enter", id="agent"),
        pytest.param("h", id="hosts", marks=pytest.mark.long),
        pytest.param("c", id="costs", marks=pytest.mark.long),
        pytest.param("l", id="timeline", marks=pytest.mark.long),
    ],
)
async def test_whatever_is_open_survives_a_window_of_almost_nothing(way: str) -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet)) as here:
        here.app.exit = lambda *_, **__: None  # type: ignore[method-assign]
        await here.press(*[way] * bool(way))
        below = here.screen(RoomScreen)
        for action in [action for action in DEFAULT.on_screen(below.where) if action.name != "back"]:
            do(here.app, action.name)
            await here.settle()
            for size in ((2, 3), (120, 40)):
                await here.pilot.resize_terminal(*size)
                await wait_for_async(lambda size=size: here.app.size == size)  # type: ignore[misc]
                await here.calm()
                whole(here)
            while here.app.screen is not below and len(here.app.screen_stack) > 1:
                await here.press("escape")


async def test_a_keyboard_that_comes_and_goes() -> None:
    """A phone's keyboard takes half the height and gives it back, all the time."""
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size=(45, 20)) as here:
        whole = here.text()
        for height in (9, 20, 8, 20, 5, 20):
            await here.pilot.resize_terminal(45, height)
            await here.pilot.pause()
            assert "docs-1" in here.text()
            assert "help" in here.text().splitlines()[-1]
        assert here.text() == whole
        await here.press("enter")
        await here.pilot.resize_terminal(45, 9)
        await here.pilot.pause()
        assert "allow" in here.text()
        here.screen(AgentScreen)


async def test_breakpoints_are_followed_live() -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size=(45, 20)) as here:
        screen = here.screen(Overview)
        for width, beside in ((45, False), (80, True), (120, True), (200, True), (59, False)):
            await here.pilot.resize_terminal(width, 40)
            await here.pilot.pause()
            assert screen.grid.display is beside
            assert ("asks for permission" in here.text()) is beside
        await here.pilot.resize_terminal(200, 50)
        await here.pilot.pause()
        pane, table = screen.grid.region, screen.table.region
        assert (pane.x, pane.y) == (0, table.bottom)
        await here.pilot.resize_terminal(120, 50)
        await here.pilot.pause()
        assert screen.grid.region.y >= screen.table.region.bottom


async def test_two_hundred_agents_scroll_under_the_cursor() -> None:
    many = [scenes.agent(f"a{number:03}", "vm1", State.WORKING, number) for number in range(200)]
    fleet = replace(scenes.farm(), agents={agent.id: agent for agent in many})
    async with room(fleet, size=(45, 20)) as here:
        for expected in ("a000", "a199"):
            assert expected in here.text()
            row = next(line for line in here.text().splitlines() if expected in line)
            assert row.startswith("▌")
            await here.press(">")
        await here.press("<")
        assert "a000" in here.text()
