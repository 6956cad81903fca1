"""What somebody arranged is so the next time; a memory that is damaged is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.display.arrange import Group, Sort
from controlroom.domain.display.layout import MOST, Layout, Panes, PaneSize, Pick, ScreenSettings, read, written
from controlroom.domain.model import State
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.theme.memory import Memory, Terminal
from controlroom.tui.theme.theme_store import ThemeStore
from controlroom.tui.widgets.hosts import HostSummary, HostTable
from controlroom.tui.widgets.limits import Meters
from tests.tui import scenes
from tests.tui.room import Room, at_sizes, room

NAMES = st.text(st.characters(categories=["L", "N", "P"]), max_size=12)
LAYOUTS = st.builds(
    Layout,
    st.sampled_from(Sort),
    st.sampled_from(Group),
    st.builds(
        Panes,
        st.sampled_from([pick for pick in Pick if pick is not Pick.HAND]),
        st.integers(1, MOST),
        NAMES,
        st.lists(NAMES, max_size=MOST).map(tuple),
    ),
    st.sampled_from(PaneSize),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*written(Layout()), "x"]), inner),
    max_leaves=10,
)


@given(LAYOUTS)
def test_what_was_written_is_read(layout: Layout) -> None:
    assert read(json.loads(json.dumps(written(layout)))) == layout


@given(ANYTHING)
def test_anything_else_is_a_layout_too(known: object) -> None:
    read(known)
    told = read({"panes": known, "sort": known, "wrap": known})
    assert told.sort is Sort.NEED
    assert told.wrap in (True, known)


DAMAGE = [
    {"pick": "hand", "count": 4, "of": "", "pinned": []},
    {"pick": "active", "count": 0, "of": "", "pinned": []},
    {"pick": "active", "count": True, "of": "", "pinned": []},
    {"pick": "host", "count": 4, "of": 3, "pinned": []},
    {"pick": "active", "count": 4, "of": "", "pinned": ["a\x1b[2J"]},
]


@pytest.mark.parametrize("panes", DAMAGE)
def test_damaged_panes_are_those_of_the_beginning(panes: dict[str, object]) -> None:
    assert read({"panes": panes}) == Layout()


@pytest.mark.parametrize("text", ["", "[]", '{"layout": 3}', '{"layout": {"sort": "x"}}', "\ufffd"])
def test_a_damaged_memory_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "screen.json").write_text(text)
    memory = Memory(tmp_path / "screen.json")
    assert memory.layout(Terminal.DESK) == Layout()
    assert memory.remember_layout(Terminal.DESK, Layout(Sort.CPU))
    assert memory.layout(Terminal.DESK) == Layout(Sort.CPU)


def theme_store(folder: Path) -> ThemeStore:
    return ThemeStore(ScreenSettings(folder / "themes", folder / "screen.json"))


async def test_the_next_screen_begins_as_this_one_was(tmp_path: Path) -> None:
    fleet = scenes.farm()
    async with room(fleet, size=(200, 50), theme_store=theme_store(tmp_path)) as here:
        await here.press("o", "u", "g", "a", "3", "enter", "[", "enter", "w", "q")
        assert here.screen(Overview).grid.wish == Panes(Pick.ACTIVE, 3)
    async with room(fleet, size=(200, 50), theme_store=theme_store(tmp_path)) as here:
        overview = here.screen(Overview)
        assert overview.grid.wish == Panes(Pick.ACTIVE, 3)
        assert len(overview.grid.live) == 3
        assert "sort: name · by host · panes: active" in here.text()
        assert not overview.query_one("#hosts", HostTable).display
        assert overview.query_one(HostSummary).display
        await here.press("enter")
        assert not here.screen(AgentScreen).log_view.wrapped


async def test_pinned_agents_that_are_gone_leave_the_others_their_panes(tmp_path: Path) -> None:
    gone = Layout(panes=Panes(Pick.HAND, 4, "", ("vm9/gone", "vm2/api-3")))
    Memory(tmp_path / "screen.json").remember_layout(Terminal.DESK, gone)
    async with room(scenes.farm(), size=(200, 50), theme_store=theme_store(tmp_path)) as here:
        assert here.screen(Overview).grid.live == ("vm2/api-3",)


@at_sizes((45, 20), (80, 24), (200, 50))
async def test_hosts_and_limits_fold(size: tuple[int, int]) -> None:
    async with room(scenes.watched(), size=size) as here:
        overview = here.screen(Overview)
        table, line, meters = overview.query_one("#hosts"), overview.query_one(HostSummary), overview.query_one(Meters)
        before = here.text()
        assert table.display is (size[0] >= 60)
        lines = meters.size.height
        assert lines > 1
        await here.press("[", "]")
        assert not table.display
        assert line.display is (size[0] >= 60)
        assert meters.size.height == 1
        assert overview.table.size.height > 5
        await here.press("[", "]")
        assert here.text() == before


EVERY_SIZE = [(45, 20), (60, 20), (80, 24), (100, 24), (100, 30), (120, 40), (140, 40), (160, 50), (200, 50)]


@at_sizes(*EVERY_SIZE)
async def test_an_empty_room_says_what_to_do_at_every_size(size: tuple[int, int]) -> None:
    async with room(replace(scenes.farm(), agents={}), size=size) as here:
        assert "Press s to start one" in here.text()
        assert "started elsewhere show up by themselves." in here.text()
        assert not here.screen(Overview).grid.display


@at_sizes(*EVERY_SIZE[1:])
@pytest.mark.parametrize("count", [1, 2, 4, 8])
async def test_the_table_has_its_headings_and_the_rows_it_needs(size: tuple[int, int], count: int) -> None:
    whole = scenes.farm()
    fleet = replace(whole, agents=dict(list(whole.agents.items())[:count]))
    async with room(fleet, size=size) as here:
        overview = here.screen(Overview)
        head = here.text().splitlines()[overview.table.region.y]
        assert "agent" in head
        assert "now" in head
        if size[1] >= 30:
            assert overview.table.size.height > count


def headings(here: Room) -> list[str]:
    return here.text().splitlines()[here.screen(Overview).table.region.y].split("▏")[0].split()


async def test_a_wide_table_has_more_columns_than_a_narrow_one_and_leaves_room_for_panes() -> None:
    async with room(scenes.farm(), size=(120, 40)) as here:
        narrow = headings(here)
    async with room(scenes.thousand(), size=(200, 50)) as here:
        wide, overview = headings(here), here.screen(Overview)
        assert overview.grid.region.x >= overview.table.region.right
        assert overview.grid.size.width >= 68
        assert overview.table.size.width <= overview.table.natural_width
    assert set(narrow) < set(wide)


async def test_panes_stand_under_a_short_table_and_leave_nothing_empty_on_a_wide_screen() -> None:
    async with room(scenes.farm(), size=(200, 50)) as here:
        overview = here.screen(Overview)
        assert overview.table.size.height == 1 + len(overview.table.rows)
        assert overview.grid.region.y == overview.table.region.bottom
        assert (overview.grid.size.width, overview.grid.region.bottom) == (200, 49)
        await here.press("v", "v")
        assert overview.table.size == (200, 49 - overview.table.region.y)


async def test_agents_at_work_are_live_below_the_chosen_one_where_there_is_room() -> None:
    async with room(scenes.farm(), size=(200, 50)) as here:
        grid = here.screen(Overview).grid
        chosen, *others = grid.live
        assert [here.engine.fleet.agents[other].state for other in others] == [State.WORKING] * 2
        await here.press("j")
        assert grid.live[0] != chosen
        assert grid.live[0] == here.screen(Overview).agent_here()
    async with room(scenes.farm(), size=(120, 40)) as here:
        assert len(here.screen(Overview).grid.live) == 1


@pytest.mark.parametrize("size", [(120, 40), (200, 50)], ids=["120x40", "200x50"])
async def test_one_key_enlarges_the_panes_and_hides_them(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        grid = here.screen(Overview).grid

        def cells() -> int:
            return grid.size.width * grid.size.height

        fitted = cells()
        await here.press("v")
        await here.until(lambda: cells() > fitted)
        await here.press("v")
        await here.until(lambda: not grid.display)
        assert here.screen(Overview).table.size.width == size[0]
        await here.press("g")
        await here.until(lambda: grid.display)
        await here.press("q", "v")
        await here.until(lambda: cells() == fitted)


async def test_a_phone_and_a_desk_keep_a_layout_each(tmp_path: Path) -> None:
    desk, phone = (120, 40), (45, 20)
    async with room(scenes.farm(), size=desk, theme_store=theme_store(tmp_path)) as here:
        await here.press("o", "u")
    async with room(scenes.farm(), size=phone, theme_store=theme_store(tmp_path)) as here:
        overview = here.screen(Overview)
        assert (overview.layout_now.sort, overview.layout_now.group) == (Sort.NEED, Group.NONE)
        await here.press("o", "o")
    async with room(scenes.farm(), size=desk, theme_store=theme_store(tmp_path)) as here:
        overview = here.screen(Overview)
        assert (overview.layout_now.sort, overview.layout_now.group) == (Sort.NAME, Group.HOST)
        await here.pilot.resize_terminal(*phone)
        await here.until(lambda: overview.layout_now.sort is Sort.HOST)
