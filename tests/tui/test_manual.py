"""From a screen's keys to the pages of the manual, and through them."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.client import manual
from controlroom.domain.display import markdown
from controlroom.tui.screens.help import HelpScreen
from controlroom.tui.screens.manual import ManualScreen, PageScreen
from controlroom.tui.screens.overview import Overview
from tests.tui import scenes
from tests.tui.room import room

LONG = pytest.mark.long

SIZES = pytest.mark.parametrize("size", [(45, 20), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")


@SIZES
async def test_help_leads_to_all_pages(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("?", "m")
        here.screen(ManualScreen)
        listed = here.text()
        assert all(page.title in listed for page in manual.contents())
        await here.press("q")
        here.screen(HelpScreen)
        await here.press("q")
        here.screen(Overview)


@pytest.mark.parametrize(
    "topic",
    [topic if number % 4 == 0 else pytest.param(topic, marks=LONG) for number, topic in enumerate(manual.TOPICS)],
)
async def test_each_page_is_read_to_its_end_on_a_phone(topic: str) -> None:
    page = manual.read(topic)
    last = markdown.lines(page.text, 45 - 4)[-1].text.strip()
    async with room(scenes.farm(), size=(45, 20)) as here:
        await here.press("?", "m", *"j" * manual.TOPICS.index(topic), "enter")
        here.screen(PageScreen)
        assert f"controlroom help {topic}" in here.text()
        assert page.summary.split()[0] in here.text()
        await here.press_until(lambda: last in here.text(), "space", most=300)
        await here.press("q")
        assert here.screen(ManualScreen).topics.chosen == topic


async def test_full_stop_and_comma_lead_from_heading_to_heading() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        await here.press("?", "m", "enter")
        tops = []
        for key in (".", ".", ",", ","):
            await here.press(key)
            tops.append(here.text().splitlines()[1].strip())
        assert tops == ["Start one", "Follow it", "Start one", "Agents"]


async def test_taps_do_what_keys_do() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        await here.press("?")
        row = next(at for at, line in enumerate(here.text().splitlines()) if "m manual" in line)
        column = here.text().splitlines()[row].index("m manual")
        await here.pilot.click(offset=(column, row))
        await here.settle()
        await here.pilot.click(offset=(6, 2))
        await here.settle()
        assert "controlroom help rules" in here.text()


async def test_a_page_that_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual, "folder", lambda: str(tmp_path))
    async with room(scenes.farm(), size=(120, 40)) as here:
        await here.press("?", "m")
        here.screen(Overview)
        await here.until(lambda: "the manual cannot be read" in here.said())
