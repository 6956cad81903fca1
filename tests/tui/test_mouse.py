"""Whatever a key does to something on show, a tap on it does too; the wheel moves what is under it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual import events
from textual.widget import Widget

from controlroom.domain.intents import AnswerQuestion
from controlroom.domain.model import Fleet, Question, State
from controlroom.domain.questions import QuestionKind
from controlroom.text.states import ItemAnswer, Verdict
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.costs import CostsScreen
from controlroom.tui.screens.dialogs import ConfirmSheet, ReportSheet
from controlroom.tui.screens.forms import SpawnForm
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.palette import Finds, PaletteScreen
from controlroom.tui.screens.panes import PanesSheet
from controlroom.tui.screens.timeline import TimelineScreen
from controlroom.tui.widgets.fields import Choice, OneLine
from controlroom.tui.widgets.host_figures import HostFacts
from controlroom.tui.widgets.limits import LimitsInFull
from controlroom.tui.widgets.notices import AbsenceLine
from controlroom.tui.widgets.question import QuestionPanel
from tests.tui import scenes
from tests.tui.room import Room, room
from tests.tui.storms import tap

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


async def wheel(here: Room, widget: Widget, down: bool = True) -> None:
    """Turn the wheel over a widget."""
    x, y = widget.region.x + 2, widget.region.y + min(1, widget.size.height - 1)
    kind = events.MouseScrollDown if down else events.MouseScrollUp
    here.app.post_message(kind(None, x, y, 0, 0, 0, False, False, False, x, y))
    await here.settle()


@SIZES
async def test_the_line_on_top_leads_to_what_it_counts(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        signs = here.app.context.palette.glyphs.states
        await tap(here, signs[State.WAITING], 0)
        assert here.screen(AgentScreen).agent_id == "vm2/infra"
        await here.press("q")
        await tap(here, signs[State.FAILED], 0)
        assert [row.name for row in here.screen(Overview).table.agents] == ["seed-9"]
        await tap(here, signs[State.FAILED], 0)
        assert len(here.screen(Overview).table.agents) == 12
        await tap(here, "$", 0)
        here.screen(CostsScreen)
        await tap(here, "$", 0)
        here.screen(CostsScreen)
        await here.press("q")
        here.screen(Overview)


@SIZES
async def test_hosts_away_are_one_tap_away(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    asked = replace(fleet.hosts["mini"], question=scenes.host_key("mini"))
    async with room(replace(fleet, hosts={**fleet.hosts, "mini": asked}), size=size) as here:
        await tap(here, "1 host", 0)
        here.screen(HostsScreen)


async def test_each_word_of_the_rule_above_the_agents_is_a_key() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        overview = here.screen(Overview)
        await tap(here, "sort: need")
        assert overview.layout_now.sort.value == "name"
        await tap(here, "agents ─")
        assert overview.layout_now.group.value == "host"
        await tap(here, "by host")
        assert overview.layout_now.group.value == "state"
        await here.press("g", "a", "enter")
        await tap(here, "panes: active")
        here.screen(PanesSheet)
        await tap(here, "Enter")
        await here.press("space")
        await tap(here, "1 marked")
        assert not overview.marked()
        await here.press("/")
        await here.write("vm1")
        await here.press("enter")
        await tap(here, "with “vm1”")
        assert "with" not in here.text().splitlines()[overview.query_one("#agents-rule").region.y]


async def test_hosts_are_folded_and_opened_by_a_tap() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        overview = here.screen(Overview)
        await tap(here, "─ hosts")
        assert not overview.query_one("#hosts").display
        await here.pilot.click("#host-line")
        await here.settle()
        assert overview.query_one("#hosts").display
    async with room(scenes.farm(), size=PHONE) as here:
        await here.pilot.click("#host-line")
        await here.settle()
        here.screen(HostsScreen)


@SIZES
async def test_gauges_and_alarms_lead_to_all_of_them(size: tuple[int, int]) -> None:
    async with room(scenes.watched(), size=size) as here:
        await here.pilot.click("#meters")
        await here.settle()
        screen = here.screen(CostsScreen)
        if not screen.query_one("#limits-side").display:
            await here.press("l")
        full = screen.full
        await here.pilot.click(LimitsInFull)
        await here.settle()
        assert screen.full is not full


@SIZES
async def test_what_happened_meanwhile_stands_in_the_log(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        here.screen(Overview).query_one(AbsenceLine).show("12:05", "3 done")
        await here.settle()
        await tap(here, "since 12:05")
        here.screen(TimelineScreen)


def two_ask() -> Fleet:
    fleet = scenes.farm()
    infra = replace(fleet.agents["vm2/infra"], question=scenes.permission("run: rm -r build", "rm -r build", 4, "q-2"))
    return replace(fleet, agents={**fleet.agents, "vm2/infra": infra})


async def test_a_tap_in_another_pane_answers_what_that_pane_asks() -> None:
    async with room(two_ask(), size=WIDE) as here:
        await here.press("g", "s", "enter")
        overview = here.screen(Overview)
        assert overview.agent_here() == "vm1/docs-1"
        other = overview.grid.of("vm2/infra")
        assert other is not None
        panel = other.question
        await here.until(lambda: panel.shown_at is not None)
        here.clock.pass_(1)
        keys = panel.region.bottom - 1
        x = here.text().splitlines()[keys].index(" deny", panel.region.x)
        await here.pilot.click(offset=(x + 1, keys))
        await here.settle()
        assert here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.DENY)]
        await here.until(lambda: overview.agent_here() == "vm1/docs-1")  # the next one that asks


@SIZES
async def test_one_of_several_answers_is_tapped(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("n")
        await tap(here, "2. us-east")
        assert here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.ALLOW, answers=(ItemAnswer((2,)),))]


async def test_beside_the_table_one_of_several_answers_is_tapped_too() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("j")
        assert "Enter choose" in here.text()
        await tap(here, "1. eu-west")
        assert here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.ALLOW, answers=(ItemAnswer((1,)),))]


@SIZES
async def test_the_head_of_an_agent_leads_back_and_says_why(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("enter")
        await here.pilot.click("#head", offset=(8, 0))
        await here.settle()
        here.screen(ReportSheet)
        await here.press("q")
        await here.pilot.click("#head", offset=(1, 0))
        await here.settle()
        here.screen(Overview)


@SIZES
async def test_a_tap_beside_a_sheet_leaves_it_and_does_nothing(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        for key, kind in (("x", ConfirmSheet), ("s", SpawnForm), ("e", ReportSheet), ("g", PanesSheet)):
            if key == "g" and size == PHONE:
                continue
            await here.press(key)
            here.screen(kind)
            await here.pilot.click(offset=(5, 1))
            await here.settle()
            here.screen(Overview)
        assert not here.engine.asked


async def test_a_draft_outlives_a_tap_beside_the_form() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press("s")
        await here.write("tidy up")
        await here.pilot.click(offset=(5, 1))
        await here.press("s")
        assert here.screen(SpawnForm).value("task") == "tidy up"


@SIZES
async def test_fields_and_their_choices_are_tapped(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("s")
        form = here.screen(SpawnForm)
        await tap(here, "vm2")
        assert form.value("host") == "vm2"
        await tap(here, "docs")
        assert form.value("profile") == "docs"
        line = next(field for field in form.query(OneLine) if field.name_of == "name")
        await tap(here, "name", into=0)
        assert form.focused in line.walk_children()
        assert not any(form.focused in field.walk_children() for field in form.query(Choice))


@SIZES
async def test_the_palette_finds_themes_and_what_is_tapped_is_done(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await tap(here, ": all", -1)
        names = {find.name for find in here.screen(PaletteScreen).query_one(Finds).rows}
        assert {f"theme {name}" for name in here.app.context.themes.names()} <= names
        assert {f"agent {agent}" for agent in here.engine.fleet.agents} <= names
        assert {f"host {host}" for host in here.engine.fleet.hosts} <= names
        await here.write("paper")
        await tap(here, "theme paper", into=8)
        assert here.app.context.themes.current.name == "paper"
        await here.press("enter")
        here.screen(Overview)
        assert here.app.context.themes.current.name == "paper"


async def test_the_wheel_moves_what_is_under_it() -> None:
    long = Question("q-9", QuestionKind.PERMISSION, "run: long", "\n".join(f"line {n}" for n in range(60)), scenes.NOW)
    fleet = scenes.farm()
    docs = replace(fleet.agents["vm1/docs-1"], question=long)
    async with room(replace(fleet, agents={**fleet.agents, "vm1/docs-1": docs}), size=PHONE) as here:
        table = here.screen(Overview).table
        await wheel(here, table)
        assert table.chosen == "vm2/infra"
        await wheel(here, table, down=False)
        await here.press("enter")
        panel = here.screen(AgentScreen).query_one(QuestionPanel)
        await wheel(here, panel)
        assert "line 1" in here.text().splitlines()[panel.region.y + 1]
        await wheel(here, panel, down=False)
        assert "line 0" in here.text().splitlines()[panel.region.y + 1]
        await here.press("q", "h")
        facts = here.screen(HostsScreen).query_one(HostFacts)
        first = here.text().splitlines()[facts.region.y]
        await wheel(here, facts)
        assert here.text().splitlines()[facts.region.y] != first
        await wheel(here, facts, down=False)
        assert here.text().splitlines()[facts.region.y] == first
