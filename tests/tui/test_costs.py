"""The Costs screen: what was spent, by whom and when; budgets and limits in full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.display.spans import By, Span
from controlroom.domain.keys.keymap import remapped
from controlroom.domain.model import Fleet
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.costs import CostsScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.theme import theme
from controlroom.tui.widgets.limits import LimitsInFull, packed
from tests.tui import scenes
from tests.tui.engine import SmallEngine
from tests.tui.room import Clock, Room, at_sizes, room
from tests.tui.scenes import HOUR, MINUTE, NOW

PHONE, WIDE = (45, 20), (200, 50)
SIZES = at_sizes(PHONE, (60, 30), (80, 24), (120, 40), (160, 42), WIDE)


def ledger(fleet: Fleet, problem: str = "") -> SmallEngine:
    engine = SmallEngine(fleet, None, Clock())
    engine.spent, engine.ran, engine.ledger_problem = scenes.spent(fleet), scenes.ran(fleet), problem
    return engine


def row(here: Room, name: str) -> str:
    return next(line for line in here.text().splitlines() if name in line.split()[:2])


async def opened(here: Room) -> CostsScreen:
    await here.press("c")
    screen = here.screen(CostsScreen)
    await here.until(lambda: screen.table.rows, "the ledger's answer")
    return screen


@SIZES
async def test_every_size_says_who_spent_what(size: tuple[int, int]) -> None:
    fleet = scenes.watched()
    async with room(fleet, size=size, engine=ledger(fleet)) as here:
        await opened(here)
        text = here.text()
        for words in (
            "$84.28 billed",
            "≈$1.34 covered",
            "read 257M",
            "cache 98 %",
            "9.5k msgs",
            "[1 today]",
            "[agent]",
        ):
            assert words in text, words
        assert "$55.55" in row(here, "old-8")
        assert "━" in row(here, "old-8")
        await here.press(*"j" * 9)
        assert "$0.20" in row(here, "infra")
        assert "≈$0.09" in row(here, "infra")
        assert "$85.62" not in text  # the two are never summed
        assert "l limits" in text.splitlines()[-1]


@at_sizes((80, 24), (120, 40), WIDE)
async def test_above_the_rows_stands_their_sum_and_each_row_says_its_share(size: tuple[int, int]) -> None:
    fleet = scenes.watched()
    async with room(fleet, size=size, engine=ledger(fleet)) as here:
        await opened(here)
        whole = row(here, "all")
        assert whole.split()[1:5] == ["$84.28", "100%", "≈$1.34", "100%"]
        assert "$55.55  66 %" in row(here, "old-8")


async def test_a_wide_screen_has_every_column_in_line() -> None:
    fleet = scenes.watched()
    async with room(fleet, size=WIDE, engine=ledger(fleet)) as here:
        await opened(here)
        header = next(line for line in here.text().splitlines() if "an hour" in line)
        shown = row(here, "api-3")
        for title, figure in (
            ("an hour", "$1.33"),
            ("msgs", "174"),
            ("out", "22k"),
            ("write", "41k"),
            ("read", "4.7M"),
        ):
            assert header.index(f" {title}") + len(title) == shown.index(f" {figure}") + len(figure), title
        assert "by hour ▁" in here.text()
        limits = here.app.screen.query_one(LimitsInFull).region
        assert limits.x > here.screen(CostsScreen).table.region.right - 1
        assert "runs out 16:40 at this rate" in here.text()


@SIZES
async def test_a_host_with_a_long_name_does_not_touch_the_money(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    engine = ledger(fleet)
    top = max(engine.spent["agent"], key=lambda one: one.micro)
    engine.spent["agent"].append(replace(top, key="workstation-in-the-cellar/api-3", micro=1_234_000_000))
    async with room(fleet, size=size, engine=engine) as here:
        await opened(here)
        shown = next(line for line in here.text().splitlines() if "$1,234" in line and "api-3" in line)
        assert "… $1,234" in shown


async def test_an_hour_costs_what_is_known_only() -> None:
    fleet = scenes.farm()
    engine = ledger(fleet)
    del engine.ran["agent"]["vm2/api-3"]
    async with room(fleet, size=(120, 40), engine=engine) as here:
        await opened(here)
        assert "$1.54" in row(here, "test-4")
        assert row(here, "api-3").count("$") == 1  # an earlier run may have spent it
        assert row(here, "gone-1").count("$") == 1
        assert "agent-hour" not in here.text()
        await here.press("h")
        await here.until(lambda: "by host" in here.text())
        assert "$" in row(here, "vm1").rpartition("━")[2]
        assert "$" not in row(here, "vm2").rpartition("━")[2]
        engine.ran["agent"] = dict.fromkeys((spent.key for spent in engine.spent["agent"]), HOUR)
        engine.spent["agent"] = [spent for spent in engine.spent["agent"] if spent.billing == "api"]
        here.clock.now += MINUTE
        here.app.context.link.tick()
        await here.until(lambda: "agent-hour" in here.text(), "what an agent-hour costs when all is known")


@pytest.mark.parametrize(
    ("key", "by", "name", "money"),
    [
        ("h", By.HOST, "mini", "≈$1.25"),
        ("p", By.PROFILE, "default", "$83.64"),
        ("m", By.MODEL, "sonnet-5.5", "$83.67"),
        ("u", By.HOUR, "12:00", "$12.60"),
        ("d", By.DAY, "Sun", "$85.50"),
    ],
)
async def test_other_groups_are_a_key_away(key: str, by: By, name: str, money: str) -> None:
    fleet = scenes.watched()
    async with room(fleet, size=(80, 24), engine=ledger(fleet)) as here:
        screen = await opened(here)
        await here.press(key)
        assert screen.by is by
        await here.until(lambda: f"by {by}" in here.text() and name in here.text())
        assert money in row(here, name)
        assert f"[{by}]" in here.text()


async def test_b_turns_groups_and_tabs_can_be_tapped() -> None:
    fleet = scenes.watched()
    async with room(fleet, size=PHONE, engine=ledger(fleet)) as here:
        screen = await opened(here)
        await here.press("b")
        assert screen.by is By.PROFILE
        for words, wanted in (("model", By.MODEL), ("hour", By.HOUR)):
            lines = here.text().splitlines()
            y = next(index for index, line in enumerate(lines) if "profile" in line and "host" in line)
            await here.pilot.click(offset=(lines[y].index(words) + 1, y))
            await here.settle()
            assert screen.by is wanted
        await here.pilot.click(offset=(here.text().splitlines()[2].index("week"), 2))
        await here.settle()
        assert screen.span is Span.WEEK


async def test_the_ledger_is_asked_when_it_must_be_and_not_more() -> None:
    fleet = scenes.watched()
    engine = ledger(fleet)
    async with room(fleet, size=(80, 24), engine=engine) as here:
        assert engine.costs_asked == []
        await opened(here)
        midnight = NOW - 14 * HOUR - 32 * MINUTE
        asked = {("agent", midnight, NOW), ("time", midnight, NOW)}
        assert set(engine.costs_asked) == asked
        assert len(engine.costs_asked) == 2
        engine.put(replace(fleet.agents["vm2/api-3"], last_line="something new"))
        engine.become(money=None)
        await here.until(lambda: here.app.context.view.fleet is engine.fleet)
        await here.press("u", "d", "a", "l", "l")
        assert len(engine.costs_asked) == 2
        await here.press("h", "a", "h")
        assert engine.costs_asked[2:] == [("host", midnight, NOW)]
        here.clock.now = NOW + MINUTE
        here.app.context.link.tick()
        await here.until(lambda: len(engine.costs_asked) == 6)
        assert {by for by, _, _ in engine.costs_asked[3:]} == {"agent", "time", "host"}
        await here.press("3")
        await here.until(lambda: len(engine.costs_asked) == 9)
        assert {since for _, since, _ in engine.costs_asked[6:]} == {midnight - 21 * 24 * HOUR}
        await here.press("q")
        here.screen(Overview)
        here.app.context.link.tick()
        await here.settle()
        assert len(engine.costs_asked) == 9


async def test_enter_opens_an_agent_and_says_why_not() -> None:
    fleet = scenes.watched()
    async with room(fleet, size=PHONE, engine=ledger(fleet)) as here:
        screen = await opened(here)
        screen.table.choose("agent vm2/gone-1")
        await here.press("enter")
        assert here.said() == "gone-1 is no longer there"
        screen.table.choose("agent vm2/api-3")
        await here.press("enter")
        assert here.screen(AgentScreen).agent_here() == "vm2/api-3"
        await here.press("q", "h", "enter")
        assert here.said() == "only agents can be opened: a lists them"


async def test_a_tap_chooses_a_row_and_a_second_one_opens_it() -> None:
    fleet = scenes.watched()
    async with room(fleet, size=PHONE, engine=ledger(fleet)) as here:
        await opened(here)
        y = here.text().splitlines().index(row(here, "test-4"))
        await here.pilot.click(offset=(5, y))
        await here.settle()
        here.screen(CostsScreen)
        await here.pilot.click(offset=(5, y))
        await here.settle()
        here.screen(AgentScreen)


@at_sizes(PHONE, (80, 24), (120, 40), WIDE)
async def test_l_gives_budgets_and_limits_the_screen(size: tuple[int, int]) -> None:
    fleet = scenes.watched()
    async with room(fleet, size=size, engine=ledger(fleet)) as here:
        await opened(here)
        await here.press("l")
        seen = here.text()
        for _ in range(12):
            await here.press("j")
            seen += here.text()
        for words in (
            "runs out 16:40 at this rate",
            "✓ 50 % tell, 80 % hold new work, 95 % stop",
            "$14 granted to running agents",
            "37 % left",
            "vm1/docs-1 41 %, vm2/api-3 22 %",
            "worked out from metering",
            "14 left of what you allow",
        ):
            assert words in seen, words
        assert "old-8" not in here.text()
        await here.press("q")
        assert "old-8" in here.text()
        here.screen(CostsScreen)


async def test_budgets_that_change_show_at_once() -> None:
    fleet = scenes.watched()
    async with room(fleet, size=(120, 40), engine=ledger(fleet)) as here:
        await opened(here)
        day = replace(fleet.budgets["day"], spent=153_000_000, reached=3)
        here.engine.become(budgets={"day": day})
        await here.until(lambda: "stopped" in here.text())
        assert "✓ 95 % stop" in here.text()


async def test_a_ledger_that_cannot_say_and_one_with_nothing_in_it() -> None:
    fleet = scenes.farm()
    async with room(fleet, size=(80, 24), engine=ledger(fleet, "the ledger cannot be read: disk full")) as here:
        await here.press("c")
        await here.until(lambda: "the ledger cannot be read: disk full" in here.text())
    async with room(fleet, size=PHONE) as here:
        await here.press("c")
        await here.until(lambda: "Nothing was spent today." in here.text())
        assert "run Claude are metered." in " ".join(here.text().split()), "all of it can be read"
        await here.press("4")
        await here.until(lambda: "Nothing was spent in 30 days." in here.text())


@pytest.mark.parametrize("size", [PHONE, (120, 40)])
async def test_what_is_not_certain_is_said(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    engine = ledger(fleet)
    rows = engine.spent["agent"]
    at = next(index for index, one in enumerate(rows) if one.key == "vm2/api-3")
    rows[at] = replace(rows[at], unpriced=50_000, estimated=120_000, unattributed=200_000)
    async with room(fleet, size=size, engine=engine) as here:
        await opened(here)
        await here.press(*"jjj")
        assert "~$1.57" in row(here, "api-3")
        assert "~$84.28 billed" in here.text()
        said = " ".join(here.text().split())
        assert "$0.20 unattributed: Claude reports it, no message accounts for it" in said
        assert "$0.12 estimated (~): requests that were cut off" in said
        assert "$0.05 without a price" in said


async def test_where_there_is_room_it_is_shown_when_it_was_spent_too() -> None:
    fleet = scenes.watched()
    async with room(fleet, size=WIDE, engine=ledger(fleet)) as here:
        screen = await opened(here)
        assert "$12.60" in row(here, "12:00")
        assert "$1.57" in row(here, "api-3")
        await here.press("u")
        assert screen.table.chosen == "hour 2026-11-22 14:00"
        assert "$1.57" in row(here, "api-3")
    engine = ledger(scenes.thousand())
    async with room(engine.fleet, size=WIDE, engine=engine) as here:
        await opened(here)
        assert "12:00" not in here.text()  # a thousand agents leave none


async def test_signs_are_plain_where_they_must_be() -> None:
    fleet = scenes.watched()
    async with room(fleet, size=WIDE, engine=ledger(fleet), glyphs=theme.PLAIN_GLYPHS) as here:
        await opened(here)
        assert here.text().isascii()
        assert "+ 50 % tell" in here.text()
        assert "=$1.34 covered" in here.text()  # not the sign of an estimate
        assert "::......|." in here.text()


async def test_keys_that_are_other_ones_are_named() -> None:
    fleet = scenes.watched()
    keys = remapped({"by_agent": "+", "costs_limits": "%", "alarms": "&", "by_host": ""})
    async with room(fleet, size=(120, 40), engine=ledger(fleet), keys=keys) as here:
        assert "& all" in here.text()
        screen = await opened(here)
        assert "[+ agent]" in here.text()
        assert "more lines: %" in here.text()
        await here.press("d", "+")
        assert screen.by is By.AGENT
        await here.press("h")
        assert screen.by is By.AGENT


async def test_when_the_engine_goes_what_is_known_stays_with_its_age() -> None:
    fleet = scenes.watched()
    engine = ledger(fleet)
    async with room(fleet, size=(80, 24), engine=engine) as here:
        await opened(here)
        asked = len(engine.costs_asked)
        engine.stop()
        await here.until(lambda: "no engine" in here.text())
        here.clock.now = NOW + 5 * MINUTE
        here.app.context.link.tick()
        await here.settle()
        assert "14:37" in here.text().splitlines()[0]
        assert "as of 14:32" in here.text()
        assert "$55.55" in row(here, "old-8")
        assert len(engine.costs_asked) == asked
        engine.running = True
        await here.until(lambda: "as of 14:37" in here.text())


def test_facts_are_packed_and_not_broken() -> None:
    assert packed(["ab", "cd", "efgh"], 7) == ["ab · cd", "efgh"]
    assert packed(["one two three"], 7) == ["one two", "three"]
    assert packed([], 7) == []
