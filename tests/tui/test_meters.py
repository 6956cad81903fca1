"""Gauges of budgets and limits on top of the overview, and the line of alarms under it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.display.bars import gauges
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.model import Fleet
from controlroom.tui.screens.dialogs import ReportSheet
from controlroom.tui.screens.overview import Overview, Shares, Wishes, share
from controlroom.tui.theme import theme
from controlroom.tui.widgets.limits import Meters, columns
from controlroom.tui.widgets.lines import Lines
from tests.tui import scenes
from tests.tui.room import Room, at_sizes, room
from tests.tui.scenes import MINUTE, NOW, bucket, budget, keyed, window

SIZES = at_sizes((45, 20), (60, 30), (80, 24), (100, 30), (120, 40), (160, 42), (200, 50))


def standing(here: Room) -> list[str]:
    region = here.app.screen.query_one(Meters).region
    return here.text().splitlines()[region.y : region.bottom]


async def lines(here: Room) -> list[str]:
    """Return the lines of gauges once they have been painted."""
    await here.until(lambda: all(standing(here) or [""]), "gauges to be painted")
    return standing(here)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (
            (45, 20),
            [
                " day $98/160 ━━━━━━╍··│ 61 %  runs out 16:40",
                " 5 h ━━━━━━━···· 63 %│ req ━━━━━━···│ ~62 %",
            ],
        ),
        (
            (100, 40),
            [
                " day  $98.20 /  160 ━━━╸·│  61 %  runs out 16:40 │ 5 h              ━━━━━━╸···  63 %  resets 17:00",
                " hour  $3.10 /    8 ━━╸··│  39 %                 │ req   ~31 /   50 ━━━━━━···│ ~62 %",
                " out   ~120k / 400k ━━···· ~30 %                 │ in  ~1.2M / 2.0M ━━━━━━···· ~60 %",
            ],
        ),
    ],
)
async def test_the_gauges_on_a_phone_and_on_a_workstation(size: tuple[int, int], expected: list[str]) -> None:
    async with room(scenes.watched(), size=size) as here:
        assert await lines(here) == expected


@SIZES
async def test_words_are_whole_and_figures_line_up_at_every_size(size: tuple[int, int]) -> None:
    async with room(scenes.watched(), size=size) as here:
        drawn = await lines(here)
        assert 1 <= len(drawn) <= 3
        assert all("…" not in line for line in drawn)
        assert "61 %" in drawn[0]
        assert "runs out 16:40" in drawn[0]
        assert "docs-1" in here.text()


async def test_without_budgets_and_limits_there_is_no_line() -> None:
    async with room(scenes.farm(), size=(120, 40)) as here:
        assert not here.app.screen.query_one(Meters).display
        assert "hosts" in here.text().splitlines()[1]
        here.engine.become(budgets={"day": budget("day", 160_000_000, 98_200_000)})
        await here.until(lambda: "$98.20 / 160" in here.text().splitlines()[1])


async def test_a_limit_without_a_ceiling_is_no_gauge_here() -> None:
    fleet = replace(scenes.farm(), headroom=keyed(bucket("requests opus", 3, None), window("week", 22)))
    async with room(fleet, size=(80, 24)) as here:
        assert [line.split()[0] for line in await lines(here)] == ["week"]


async def test_no_reading_is_said_and_signs_are_plain_where_they_must_be() -> None:
    fleet = replace(scenes.farm(), headroom=keyed(window("5 h", None), window("week", 22)))
    async with room(fleet, size=(80, 24), glyphs=theme.PLAIN_GLYPHS) as here:
        assert "no reading" in (await lines(here))[0]
        assert "22 %" in (await lines(here))[1]
        assert all(line.isascii() for line in await lines(here))


async def test_a_name_is_cut_before_its_figure_is() -> None:
    found = keyed(bucket("requests sonnet-5-5", 145, 50), bucket("requests opus-5-5", 155, 50))
    fleet = replace(scenes.farm(), budgets={"day": budget("day", 160_000_000, 98_200_000)}, headroom=found)
    async with room(fleet, size=(45, 20)) as here:
        told = (await lines(here))[1]
        assert ("~290%" in told, "~310%" in told) == (True, True)


async def test_levels_have_words_and_colours() -> None:
    stopped = budget("day", 160_000_000, 155_000_000, reached=3)
    async with room(replace(scenes.farm(), budgets={"day": stopped}), size=(120, 40)) as here:
        assert (await lines(here))[0].endswith("97 %  stopped")
        palette = here.app.context.palette
        strip = here.strips()[1]
        red = {part.text.strip() for part in strip if part.style and part.style.color == palette.danger.color}
        assert {"97 %", "stopped"} <= red
        assert any("━" in words for words in red)


async def test_figures_rest_on_a_phone_but_alarms_do_not() -> None:
    async with room(scenes.watched(), size=(45, 20)) as here:
        before = await lines(here)

        async def spend(spent: int, reached: int) -> None:
            day = replace(here.engine.fleet.budgets["day"], spent=spent, reached=reached)
            here.engine.become(budgets={"day": day})
            await here.until(lambda: here.app.context.view.fleet is here.engine.fleet)
            await here.settle()

        here.engine.become(headroom={})
        await spend(99_000_000, 1)
        assert "$99/160" in (await lines(here))[0]
        before = await lines(here)
        await spend(103_000_000, 1)
        assert await lines(here) == before
        await spend(130_000_000, 2)
        assert "$130/160" in (await lines(here))[0]
        here.clock.pass_(16)
        await spend(131_000_000, 2)
        assert "$131/160" in (await lines(here))[0]


async def test_between_ticks_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[Lines] = []

    def refresh(self: Lines, *_regions: object) -> None:
        painted.append(self)

    async with room(scenes.watched(), size=(120, 40)) as here:
        monkeypatch.setattr(Lines, "refresh", refresh)
        here.screen(Overview).see(here.app.context.view)
        assert painted == []
        day = replace(here.app.context.fleet.budgets["day"], spent=140_000_000, reached=2)
        here.screen(Overview).see(
            replace(here.app.context.view, fleet=replace(here.app.context.fleet, budgets={"day": day}))
        )
        assert here.app.screen.query_one(Meters) in painted
        monkeypatch.undo()


# --------------------------------------------------------------------------- alarms


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_alarms_have_one_line_at_the_bottom_and_w_lists_them(size: tuple[int, int]) -> None:
    async with room(replace(scenes.watched(), alarms={}), size=size) as here:
        rows = here.screen(Overview).table.region
        before = here.text().splitlines()[: rows.y + 3]
        here.engine.become(alarms=scenes.watched().alarms)
        await here.until(lambda: "2 alarms  docs-1 on vm1 pays" in here.text())
        assert "2 alarms" in here.text().splitlines()[-2]
        assert here.text().splitlines()[: rows.y + 3] == before
        await here.press("w")
        assert here.screen(ReportSheet).heading == "alarms: 2"
        shown = " ".join(here.text().replace("\n", " ").split())
        assert "unset ANTHROPIC_API_KEY there" in shown
        assert "budget day is half gone" in shown


async def test_a_tap_opens_the_alarms_and_w_without_any_says_so() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        await here.press("w")
        assert here.said() == "there are no alarms"
        here.engine.become(alarms={"ledger": Alarm("the disk is full", AlarmLevel.DANGER, NOW)})
        await here.until(lambda: " alarm  the disk is full" in here.text())
        here.clock.pass_(30)
        await here.pilot.click(offset=(10, 18))
        await here.settle()
        here.screen(ReportSheet)


# --------------------------------------------------------------------------- sharing out


def test_rows_of_agents_stay_whatever_else_wants_a_line() -> None:
    for height in range(1, 60):
        for width in (30, 45, 60, 80, 120, 160, 200):
            wish = Wishes(3, 2, 20, 50, False, False)
            got = share(width, height, wish)
            used = got.meters + got.alarm + got.hosts + got.host_line + got.agents_rule
            assert height - 2 - used >= min(height - 2, 5), (width, height, got)


def test_nothing_is_shared_out_to_what_is_not_there() -> None:
    assert share(80, 24, Wishes(0, 0, 0, 0, False, False)) == Shares(0, False, 0, False, True, 0)


def test_columns_hold_kinds_together_where_they_fit() -> None:
    found = gauges(scenes.watched(), NOW, lambda _: "")
    names = [[gauge.label for gauge in column] for column in columns(found, 200, 50)]
    assert names == [["day", "hour"], ["5 h", "week"], ["req", "in", "out"]]
    names = [[gauge.label for gauge in column] for column in columns(found, 120, 40)]
    assert names == [["day", "hour", "out"], ["5 h", "req", "in"]]
    assert columns(found, 120, 9) == []
    assert columns([], 120, 40) == []
    windows = [gauge for gauge in found if gauge.group == "window"]
    assert [[gauge.label for gauge in column] for column in columns(windows, 80, 24)] == [["5 h", "week"]]
    assert [len(column) for column in columns(found, 45, 12)] == [1]


def test_a_fleet_that_has_only_windows_has_them_in_two_lines_of_a_phone() -> None:
    found = gauges(Fleet(headroom=keyed(window("5 h", 63), window("week", 22))), NOW + MINUTE, lambda _: "")
    assert [[gauge.label for gauge in column] for column in columns(found, 45, 20)] == [["5 h"], ["week"]]
