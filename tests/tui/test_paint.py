"""What is painted when one thing changes: just that."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._styles_cache import StylesCache
from textual.geometry import Region
from textual.strip import Strip

from controlroom.domain import events
from controlroom.tui.screens.overview import Overview
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets import lines
from controlroom.tui.widgets.agents import AgentTable
from controlroom.tui.widgets.lines import Painting, Pieces
from controlroom.tui.widgets.panes import UNASKED, AgentPane
from tests.tui import scenes
from tests.tui.room import room
from tests.tui.scenes import NOW


def counted(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, what: Any) -> list[str]:
    """Take note of what a method is called for."""
    called: list[str] = []
    real = getattr(kind, name)

    def noting(self: object, *given: Any) -> object:
        called.append(what(self, *given))
        return real(self, *given)

    monkeypatch.setattr(kind, name, noting)
    return called


async def test_a_new_line_draws_one_row_and_shares_out_no_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = scenes.farm()
    agent = next(agent for agent in fleet.agents.values() if agent.name == "web-2")
    async with room(fleet, size=(200, 50)) as here:
        chosen = here.app.screen.query_one(AgentTable).chosen
        assert chosen != agent.id
        rows = counted(monkeypatch, AgentTable, "draw", lambda _table, row, *_rest: row.id)
        panes = counted(monkeypatch, AgentPane, "fit", lambda pane: pane.agent.id)
        line = events.LineSeen(agent.id, agent.epoch, "all 42 tests passed", NOW)
        here.engine.happen(events.LinesSeen(agent.host, (line,), NOW))
        await here.until(lambda: "all 42 tests passed" in here.text())
        assert rows == [agent.id]
        assert panes == []


async def test_a_line_of_an_agent_out_of_sight_makes_and_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = scenes.thousand()
    async with room(fleet, size=(120, 40)) as here:
        table = here.app.screen.query_one(AgentTable)
        shown, hidden = (here.engine.fleet.agents[table.rows[place].id] for place in (1, len(table.rows) - 1))
        builds = counted(monkeypatch, AgentTable, "build", lambda *_: "built")
        rows = counted(monkeypatch, AgentTable, "draw", lambda _table, row, *_rest: row.id)
        lines = [events.LineSeen(agent.id, agent.epoch, "all 42 tests passed", NOW) for agent in (shown, hidden)]
        for line in lines:
            here.engine.happen(events.LinesSeen(line.agent.partition("/")[0], (line,), NOW))
        await here.until(lambda: "all 42 tests passed" in here.text())
        assert (rows, builds) == ([shown.id], [])
        assert here.text().count("all 42 tests passed") == 1


PARTS = st.lists(
    st.tuples(st.sampled_from(["a ", "ab", "b a", " ", "日", "a日", "42 "]), st.sampled_from([None, Style(bold=True)])),
    max_size=5,
)


@given(old=PARTS, new=PARTS)
@settings(deadline=None)
def test_a_line_is_the_new_one_once_what_is_different_was_painted(
    old: list[tuple[str, Style | None]], new: list[tuple[str, Style | None]]
) -> None:
    before, after = styled.line(*old), styled.line(*new)
    width = 24

    def strip(line: Line) -> Strip:
        return Strip([*line, Segment(" " * (width - styled.length(line)))], width)

    shown = strip(before)
    for start, end in lines.changes(before, after, width):
        shown = Strip.join([shown.crop(0, start), strip(after).crop(start, end), shown.crop(end, width)])
    assert list(shown.simplify()) == list(strip(after).simplify())


def test_of_a_line_only_the_words_that_are_others_are_painted() -> None:
    def spans(old: str, new: str) -> list[tuple[int, int]]:
        return lines.changes(styled.line((old, None)), styled.line((new, None)), 80)

    assert spans("step 10 of 200", "step 11 of 200") == [(5, 7)], "words are whole"
    assert spans("step 9 of 200", "step 10 of 200") == [(5, 14)], "up to where the longer one ends"
    assert spans("a longer one", "short") == [(0, 12)]
    assert spans("日 ten", "日 one") == [(0, 6)], "of what is wider than its letters all"


def test_a_line_is_painted_whole_where_a_mark_of_one_part_stands_over_the_part_before_it() -> None:
    """A host may send a text that begins with such a mark: it would stay over a cell that is not painted anew."""

    def spans(old: str, new: str) -> list[tuple[int, int]]:
        before, after = (styled.line(("name ", None), (words, Style(bold=True))) for words in (old, new))
        return lines.changes(before, after, 80)

    assert spans("said", "told") == [(5, 9)]
    assert spans("\u0301said", "told") == spans("said", "\u0301told") == [(0, 80)]


async def test_a_pane_that_nobody_asked_for_is_painted_seldom() -> None:
    async with room(scenes.farm(), size=(200, 50)) as here:
        grid = here.screen(Overview).grid
        await here.until(lambda: len(grid.live) > 1)
        chosen = here.screen(Overview).agent_here()
        pauses = {pane.agent.id: pane.log_view.paint_pause for pane in grid.panes if pane.display and pane.agent}
        assert pauses.pop(chosen or "") < UNASKED
        assert set(pauses.values()) == {UNASKED}


def test_pieces_are_written_where_they_stand() -> None:
    console = Console(force_terminal=True, color_system=None)
    pieces = [(1, 8, Strip([Segment("a li")])), (2, 0, Strip([Segment("│日")]))]
    assert Pieces(pieces).render_segments(console) == "\x1b[2;9Ha li\x1b[3;1H│日"
    assert Pieces([]).render_segments(console) == ""


def cells(strips: list[Strip]) -> list[list[tuple[str, Style | None]]]:
    """Return each cell of lines; a wide sign stands in its first one."""
    return [
        [cell for text, style, _ in strip for sign in text for cell in [(sign, style), ("", style)][: cell_len(sign)]]
        for strip in strips
    ]


@pytest.mark.parametrize("width", [200, 120, 45])
async def test_what_is_painted_anew_and_what_was_painted_are_the_whole_screen(width: int) -> None:
    async with room(scenes.farm(), size=(width, 50)) as here:
        screen, compositor = here.app.screen, Painting()
        compositor.reflow(screen, screen.size)
        changed = [
            Region(1, 1, 7, 3), Region(width // 2 - 3, 0, 9, 50), Region(0, 20, width, 2), Region(width - 2, 30, 9, 40)
        ]  # fmt: skip
        compositor.update_widgets({screen})
        compositor.render_partial_update()  # what was to be painted before
        whole = cells(compositor.render_strips())
        screen.refresh(*changed)
        compositor.update_widgets({screen})
        update = compositor.render_partial_update()
        assert update is not None
        painted: dict[tuple[int, int], object] = {}
        for y, x, strip in update.pieces:
            for column, cell in enumerate(cells([strip])[0], x):
                assert (y, column) not in painted
                painted[y, column] = cell
        inside = {(y, x) for each in changed for x, y in _places(each.intersection(screen.region))}
        assert painted.keys() == inside
        one_cell = {(y, x): whole[y][x] for y, x in painted if cell_len(whole[y][x][0]) == 1}  # no half of a wide sign
        assert len(one_cell) > 500
        assert {at: cell for at, cell in one_cell.items() if painted[at] != cell} == {}
        assert compositor.render_partial_update() is None


def _places(region: Region) -> list[tuple[int, int]]:
    return [(x, y) for y in region.line_range for x in region.column_range]


def drawn() -> int:
    """Count what Textual keeps of widgets that were drawn."""
    return sum(type(each) is StylesCache for each in gc.get_objects())


@pytest.mark.parametrize("key", ["l", "?"])
async def test_what_was_drawn_of_screens_is_freed_soon_after_they_are_left(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "TIDY_AFTER", 0.01)
    async with room(scenes.farm(), size=(120, 40)) as here:
        await here.press(key, "escape")
        await here.until(lambda: not here.app.context.tidying)
        before = drawn()
        for _ in range(5):
            await here.press(key, "escape")
        await here.until(lambda: not here.app.context.tidying)
        await here.until(lambda: drawn() == before)
