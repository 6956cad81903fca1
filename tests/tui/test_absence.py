"""Who comes back is told in one line what has happened_since; who was here all the time is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.domain.model import State
from controlroom.domain.news import AWAY, Look, happened_since, look
from controlroom.tui.theme.memory import LastLook, Memory
from tests.domain.worlds import MINUTE, NOON, agent, fleet
from tests.tui import scenes
from tests.tui.room import room

BEFORE = fleet(agent("a", billing="api", spent=5_000_000), agent("b", billing="plan", spent=1_000_000))
AFTER = fleet(
    agent("a", state=State.DONE, since=NOON + 1, billing="api", spent=26_400_000),
    agent("b", state=State.FAILED, ended=NOON + 1, billing="plan", spent=3_000_000),
    agent("old", state=State.DONE, since=NOON - MINUTE, ended=NOON - MINUTE),
)


def test_what_has_happened_since() -> None:
    assert happened_since(AFTER, look(BEFORE, NOON), NOON + AWAY) == "1 done, 1 failed, +$21.40, +≈$2.00"
    assert happened_since(BEFORE, look(BEFORE, NOON), NOON + AWAY) == ""


def test_the_look_before_this_one_counts_until_the_next_absence() -> None:
    last = LastLook(None)
    last.touched(BEFORE, NOON)
    assert last.before(NOON + AWAY - 1) is None
    assert last.before(NOON + AWAY) == Look(NOON, 5_000_000, 1_000_000)
    last.touched(AFTER, NOON + 2 * AWAY)
    last.touched(AFTER, NOON + 2 * AWAY + MINUTE)
    before = last.before(NOON + 2 * AWAY + MINUTE)
    assert before is not None
    assert before.at == NOON


def test_the_next_screen_knows_when_this_one_closed(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "screen.json")
    last = LastLook(memory)
    last.touched(BEFORE, NOON)
    last.touched(BEFORE, NOON + 1)
    last.leave(BEFORE, NOON + 2)
    assert LastLook(memory).before(NOON + AWAY + 2) == Look(NOON + 2, 5_000_000, 1_000_000)


@pytest.mark.parametrize("damage", ["", "[]", '{"looked": 3}', '{"looked": {"at": -1, "billed": 0, "covered": 0}}'])
def test_a_damaged_memory_is_none(tmp_path: Path, damage: str) -> None:
    (tmp_path / "screen.json").write_text(damage)
    assert Memory(tmp_path / "screen.json").looked() is None


def test_what_else_is_remembered_stays(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "screen.json")
    memory.remember_theme("dusk", "")
    memory.remember_look(Look(NOON))
    assert json.loads((tmp_path / "screen.json").read_text()).keys() == {"theme", "looked"}


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_the_line_comes_after_an_absence_and_stays_while_one_reads(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("j")
        assert "since" not in here.text()
        here.clock.pass_(AWAY / 1000 + 1)
        done = replace(here.engine.fleet.agents["vm2/api-3"], state=State.DONE, since=here.app.context.link.now())
        here.engine.put(done)
        await here.until(lambda: here.app.context.view.fleet.agents["vm2/api-3"].state is State.DONE)
        here.app.context.link.tick()
        await here.until(lambda: "1 done" in here.text())
        await here.press("k")
        assert "1 done" in next(line for line in here.text().splitlines() if "since " in line)
