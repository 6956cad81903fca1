"""Copying: a digit sends what was chosen to the terminal's clipboard, whole and nothing else."""

from __future__ import annotations

import pytest

from controlroom.tui.screens.copy import CopySheet
from tests.tui import scenes
from tests.tui.room import room


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_what_is_chosen_is_copied(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    async with room(fleet, size=size) as here:
        await here.press("@")
        await here.until(lambda: "copy of" in here.text(), "the sheet")
        agent = here.screen(CopySheet)._agent
        assert f"controlroom attach {agent.id}"[:30] in here.text()
        await here.press("2")
        await here.until(lambda: "copied: attach" in here.said(), "that it was copied")
        assert here.app.clipboard == f"controlroom attach {agent.id}"
        await here.press("@", "1")
        await here.until(lambda: here.app.clipboard == agent.id, "the id")
        await here.press("@", "q")
        assert here.app.clipboard == agent.id
