"""Choosing a theme: each is seen on the screen as one comes to it, Enter keeps it, back leaves things as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from controlroom.domain.display.layout import ScreenSettings
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.themes import ThemeSheet
from controlroom.tui.theme import theme_file
from controlroom.tui.theme.theme_store import ThemeStore
from tests.tui import scenes
from tests.tui.room import Room, room


def settings(folder: Path) -> ScreenSettings:
    return ScreenSettings(folder / "themes", folder / "screen.json")


@asynccontextmanager
async def dressed(tmp_path: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Room]:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size, theme_store=ThemeStore(settings(tmp_path))) as here:
        yield here


async def choose(here: Room) -> ThemeSheet:
    await here.press("colon")
    await here.write("theme")
    await here.press("enter")
    return here.screen(ThemeSheet)


def shown(here: Room) -> set[str]:
    """Every colour that is on the screen."""
    strips = here.strips()
    styles = [segment.style for strip in strips for segment in strip if segment.style]
    return {colour.name for style in styles for colour in (style.color, style.bgcolor) if colour}


def of_theme(name: str) -> set[str]:
    file = theme_file.find(name)
    return {*file.colours.values(), *file.alarms.values(), *file.log.values()}


async def test_each_is_seen_as_one_comes_to_it(tmp_path: Path) -> None:
    async with dressed(tmp_path) as here:
        assert shown(here) <= of_theme("dusk")
        sheet = await choose(here)
        assert sheet.offers.chosen == "dusk"
        await here.press(*"jjjj")
        assert here.app.context.themes.current.name == sheet.offers.chosen == "sixteen"
        for step in ("k", "up"):
            await here.press(step)
        assert here.app.context.themes.current.name == "contrast"
        assert shown(here) <= of_theme("contrast"), "nothing is left of the theme before"


async def test_enter_keeps_it_for_the_next_time(tmp_path: Path) -> None:
    async with dressed(tmp_path) as here:
        await choose(here)
        await here.press("j", "enter")
        here.screen(Overview)
        assert here.said() == "theme clear"
        assert here.app.context.themes.current.name == "clear"
    assert ThemeStore(settings(tmp_path)).first({})[0].name == "clear"


async def test_a_theme_is_found_by_its_name(tmp_path: Path) -> None:
    async with dressed(tmp_path) as here:
        await here.press("colon")
        await here.write("paper")
        await here.press("enter")
        assert here.screen(ThemeSheet).offers.chosen == "paper"
        assert here.app.context.themes.current.name == "paper"
        await here.press("q")
        assert here.app.context.themes.current.name == "dusk"


async def test_back_leaves_things_as_they_were(tmp_path: Path) -> None:
    async with dressed(tmp_path) as here:
        before = shown(here)
        await choose(here)
        await here.press("j", "j", "q")
        here.screen(Overview)
        assert here.app.context.themes.current.name == "dusk"
        assert shown(here) == before
    assert ThemeStore(settings(tmp_path)).first({})[0].name == "dusk"


async def test_a_screen_below_wears_it_too(tmp_path: Path) -> None:
    async with dressed(tmp_path) as here:
        await here.press("enter")
        await choose(here)
        await here.press("j", "j", "enter", "q")
        here.screen(Overview)
        assert shown(here) <= of_theme("contrast")


async def test_a_wrong_file_of_ones_own_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "mine.toml").write_text('like = "dusk"\n[colours]\ntext = "white"\n')
    async with dressed(tmp_path) as here:
        sheet = await choose(here)
        sheet.offers.choose("mine")
        await here.settle()
        await here.press("enter")
        here.screen(ThemeSheet)
        assert here.app.context.themes.current.name == "dusk"
        assert "colours.text: found 'white', expected a colour" in " ".join(here.text().split())


async def test_on_a_phone_the_screen_is_seen_above_the_list(tmp_path: Path) -> None:
    async with dressed(tmp_path, (45, 20)) as here:
        await choose(here)
        text = here.text()
        assert "docs-1" in text
        assert "Dusk, a calm dark" in text
        assert "Enter keep it" in text


async def test_what_is_wrong_with_the_settings_is_said_when_the_screen_is_there() -> None:
    async with room(scenes.farm(), troubles=["config.toml: theme: there is no theme 'nope'"]) as here:
        assert here.said() == "config.toml: theme: there is no theme 'nope'"
