"""What is painted when one thing changes: just that."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from controlroom.domain import events
from controlroom.tui.painting import Spans
from controlroom.tui.widgets.agents import AgentTable
from controlroom.tui.widgets.pane import AgentPane
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


def test_only_the_cells_that_changed_are_written() -> None:
    left, right = Strip([Segment("agent-1 "), Segment("a line")]), Strip([Segment("│日本")])
    chops, ends = [{}, {0: left, 14: right}], [[], [14, 19]]
    console = Console(force_terminal=True, color_system=None)
    assert Spans(chops, [(1, 8, 12)], ends).render_segments(console) == "\x1b[2;9Ha li"
    assert Spans(chops, [(1, 8, 17)], ends).render_segments(console) == "\x1b[2;9Ha line\x1b[2;15H│日"
    assert Spans(chops, [], ends).render_segments(console) == ""
