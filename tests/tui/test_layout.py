"""What somebody arranged is so the next time; a memory that is damaged is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.display.arrange import Group, Sort
from controlroom.domain.display.layout import MOST, Layout, Panes, Pick, ScreenSettings, read, written
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.theme.memory import Memory
from controlroom.tui.theme.theme_store import ThemeStore
from controlroom.tui.widgets.hosts import HostSummary, HostTable
from controlroom.tui.widgets.limits import Meters
from tests.tui import scenes
from tests.tui.room import room

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
    assert memory.layout() == Layout()
    assert memory.remember_layout(Layout(Sort.CPU))
    assert memory.layout() == Layout(Sort.CPU)


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
    Memory(tmp_path / "screen.json").remember_layout(gone)
    async with room(scenes.farm(), size=(200, 50), theme_store=theme_store(tmp_path)) as here:
        assert here.screen(Overview).grid.live == ("vm2/api-3",)


@pytest.mark.parametrize("size", [(45, 20), (80, 24), (200, 50)], ids=lambda size: "x".join(map(str, size)))
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
