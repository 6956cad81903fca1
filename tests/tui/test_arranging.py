"""Order and groups: one key each, said above the table; the cursor stays on its agent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.display.arrange import Arranged, Arrangement, Ids
from controlroom.domain.model import Fleet, State
from controlroom.domain.patch import apply, snapshot
from controlroom.domain.persistent_tables import hosted
from controlroom.tui.screens.overview import Overview
from tests.tui import scenes
from tests.tui.room import Room, room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


def order(here: Room) -> list[str]:
    return [row.name for row in here.screen(Overview).table.agents]


@SIZES
async def test_o_goes_through_the_orders_and_the_cursor_stays(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        table = here.screen(Overview).table
        table.choose("vm2/api-3")
        seen = []
        for _ in range(9):
            await here.press("o")
            seen.append(here.screen(Overview).arranged.arrangement.sort.value)
            assert table.chosen == "vm2/api-3"
            if seen[-1] != "need":
                assert f"sort: {seen[-1]}" in here.text()
        assert seen == ["name", "host", "state", "age", "model", "ram", "cpu", "cost", "need"]


@SIZES
async def test_u_groups_with_headings_that_the_cursor_passes_by(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("u")
        assert "by host" in here.text()
        assert "mini  1" in here.text()
        table = here.screen(Overview).table
        assert table.chosen == "vm1/docs-1"
        await here.press("j")
        assert table.chosen == "vm1/seed-9"
        await here.press("k", "k", "k", "k")
        assert table.chosen == "mini/new-1"
        assert "mini  1" in here.text()
        await here.press("u", "u", "u")
        assert here.screen(Overview).arranged.arrangement == Arrangement()


async def test_a_heading_is_not_chosen_by_a_tap() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("j", "u")
        table = here.screen(Overview).table
        before = table.chosen
        lines = here.text().splitlines()
        row = next(index for index, line in enumerate(lines) if line.startswith("─ vm2  6"))
        await here.pilot.click(offset=(3, row))
        await here.pilot.pause()
        assert table.chosen == before


async def test_an_order_by_cpu_rests_between_two_readings() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        for _ in range(7):
            await here.press("o")
        before = order(here)
        calm = here.engine.fleet.agents["vm1/lint-all"]
        here.engine.put(replace(calm, cpu_percent=99.0))
        await here.until(lambda: "99 %" in here.text())
        assert order(here) == before
        here.clock.pass_(6)
        here.engine.put(replace(calm, cpu_percent=98.0))
        await here.until(lambda: order(here)[0] == "lint-all")


async def test_a_filter_and_groups_go_together() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("u", "u", "/")
        await here.write("vm1")
        await here.press("enter")
        assert order(here) == ["docs-1", "seed-9", "test-4", "lint-all", "web-2"]
        assert "5 of 12 with “vm1”" in here.text()
        assert " working  2  ● 2" in here.text()


async def test_a_group_that_empties_while_the_cursor_is_in_it() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("u", "u")
        table = here.screen(Overview).table
        table.choose("vm1/seed-9")
        agents = {key: agent for key, agent in here.engine.fleet.agents.items() if key != "vm1/seed-9"}
        here.engine.fleet = replace(here.engine.fleet, agents=agents)
        here.engine.wake()
        await here.until(lambda: "seed-9" not in here.text())
        assert table.chosen in agents
        alone = {key: replace(agent, state=State.IDLE) for key, agent in agents.items() if key == "vm2/api-3"}
        here.engine.fleet = replace(here.engine.fleet, agents=alone)
        here.engine.wake()
        await here.until(lambda: table.chosen == "vm2/api-3")


async def test_what_is_not_on_show_is_not_looked_at_when_one_agent_has_news(monkeypatch: pytest.MonkeyPatch) -> None:
    agents = [scenes.agent(f"a{number}", "vm1", State.WORKING, 5) for number in range(2000)]
    fleet = apply(Fleet(), snapshot(replace(scenes.farm(), agents={agent.id: agent for agent in agents})))
    async with room(fleet, size=WIDE) as here:
        looked_at, row_at = [0], Arranged.__getitem__

        def noting(table: Arranged, index: object) -> object:
            looked_at[0] += 1
            return row_at(table, index)

        monkeypatch.setattr(Arranged, "__getitem__", noting)
        monkeypatch.setattr(Ids, "__iter__", lambda _: pytest.fail("all agents were gone through"))
        for change in ({"state": State.WAITING}, {"last_line": "new"}, {"state": State.DONE}):
            agent = replace(here.engine.fleet.agents["vm1/a1500"], **change)
            here.engine.become(agents=hosted(here.engine.fleet.agents).updated({agent.id: agent}))
            await here.until(lambda: here.app.context.view.fleet is here.engine.fleet)
            await here.calm()
        assert 0 < looked_at[0] < 3 * 3 * here.app.size.height
