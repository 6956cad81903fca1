"""What a person may take at its word: times, titles, what back does, where next leads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controlroom.domain.model import State
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.view_state import ViewState
from tests.tui import scenes
from tests.tui.room import room

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "shown"), [(5, "17:00"), (-13, "Sat 23:00"), (24, "Mon 12:00"), (24 * 9, "2026-12-01 12:00")]
)
def test_a_time_of_another_day_says_which(hours: int, shown: str) -> None:
    now, then = (int(at.timestamp() * 1000) for at in (NOON, NOON + timedelta(hours=hours)))
    assert ViewState(now=now, zone=UTC).clock(then) == shown


async def test_a_long_reason_leaves_the_title_of_a_pane_its_name() -> None:
    failed = scenes.agent("seed-9", "vm1", State.FAILED, 2, detail="not logged in: " + "run claude there; " * 20)
    async with room(replace(scenes.farm(), agents={failed.id: failed}), size=(200, 50)) as here:
        assert "seed-9 · vm1 ─" in here.text()


async def test_next_leads_to_what_waits_on_its_own_terminal_too() -> None:
    waiting = scenes.agent("talk", "vm1", State.WAITING, 2, detail="start-up dialog: attach to answer it")
    async with room(replace(scenes.farm(), agents={waiting.id: waiting})) as here:
        await here.press("n")
        assert here.screen(AgentScreen).agent_id == "vm1/talk"


async def test_the_footer_says_what_back_does_now() -> None:
    async with room(scenes.farm(), size=(200, 50)) as here:
        assert "q quit" in here.text()
        await here.press("slash", *"docs", "enter")
        await here.until(lambda: "q show all" in here.text())
        await here.press("q")
        await here.until(lambda: "q quit" in here.text())
        await here.press("enter", "slash", *"docs", "enter")
        await here.until(lambda: "q end" in here.text())
        await here.press("q")
        await here.until(lambda: "q back" in here.text())
