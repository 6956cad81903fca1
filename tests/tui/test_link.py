"""The screen and its engine: painted before there is one, honest while there is none, back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from textual.css import stylesheet
from textual.css.model import RuleSet
from textual.css.parse import parse

from controlroom.domain import events
from controlroom.domain.intents import KillAgent
from controlroom.domain.model import LinkState, State
from controlroom.domain.orders import Order
from controlroom.text.event_text import LogRecord
from controlroom.tui.logs import log_follower
from controlroom.tui.screens.overview import Overview
from controlroom.tui.view_state import Engine
from controlroom.tui.widgets.gauges import Gauges
from tests.tui import scenes
from tests.tui.engine import SmallEngine
from tests.tui.room import Clock, room


async def test_the_first_frame_does_not_wait_for_the_engine() -> None:
    engine = SmallEngine(scenes.farm(), {}, Clock())
    engine.starting = asyncio.Event()
    async with room(scenes.farm(), engine=engine) as here:
        assert "starting the engine" in here.text()
        await here.press("s")
        assert "not now" in here.said()
        await here.press("h", "q", "?", "q", "j", "enter", "/", "backspace")
        engine.starting.set()
        await here.until(lambda: "docs-1" in here.text())


async def test_the_first_frame_waits_for_one_parse_of_the_style_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def noted(scope: str, css: str, *rest: Any, **options: Any) -> Iterable[RuleSet]:
        parsed.append(css)
        return parse(scope, css, *rest, **options)

    monkeypatch.setattr(stylesheet, "parse", noted)
    async with room(scenes.farm()) as here:
        assert "docs-1" in here.text()
    assert parsed.count(here.app.CSS_PATH.read_text()) == 1


async def test_an_engine_that_cannot_start_says_why_and_is_tried_again() -> None:
    engine = SmallEngine(scenes.farm(), {}, Clock())
    engine.running = False
    async with room(scenes.farm(), engine=engine) as here:
        await here.until(lambda: "its config has an error" in here.text())
        assert "no engine" in here.text()
        engine.running = True
        await here.until(lambda: "docs-1" in here.text())


async def test_a_lost_engine_leaves_the_old_picture_with_its_age_and_comes_back() -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size=(200, 50)) as here:
        await here.until(lambda: "git push origin docs/update" in here.text())
        here.engine.starting.clear()  # another attempt does not fail, and says nothing of its own, before it is wanted
        here.engine.stop()
        await here.until(lambda: here.app.context.view.engine is Engine.GONE)
        await here.until(lambda: "no engine; this is as of 14:32" in here.text())
        assert "docs-1" in here.text()
        here.clock.pass_(180)
        here.app.context.link.tick()
        await here.until(lambda: "no engine for 3m" in here.text())
        await here.press("x")
        await here.until(lambda: "the engine has ended; agents live on" in here.said())
        here.engine.running = True
        here.engine.starting.set()
        await here.until(lambda: here.app.context.view.engine is Engine.HERE, "the engine to be back")
        assert here.engine.connections == 2
        await here.until(lambda: "need you" in here.text())
        here.engine.write("vm1/docs-1", b"after the break")
        await here.until(lambda: "after the break" in here.text())


@pytest.mark.parametrize(
    ("width", "words"), [(120, "no word from me@box; this is as of"), (45, "no engine; this is as of")]
)
async def test_of_an_engine_elsewhere_it_is_said_that_nothing_comes_from_there(width: int, words: str) -> None:
    fleet = scenes.farm()
    engine = SmallEngine(fleet, None, Clock())
    engine.where = "me@box"
    async with room(fleet, size=(width, 30), engine=engine) as here:
        await here.until(lambda: "docs-1" in here.text())
        engine.stop()
        await here.until(lambda: words in here.text(), words)


async def test_an_engine_that_was_stopped_stays_so_until_something_is_wanted_of_it() -> None:
    async with room(scenes.farm(), size=(120, 40)) as here:
        here.engine.stop(in_order=True)
        await here.until(lambda: here.app.context.view.engine is Engine.STOPPED)
        await here.until(lambda: "engine stopped; this is as of 14:32; any order starts it" in here.text())
        before = here.engine.attempts
        await here.until(lambda: here.engine.attempts > before, "a look whether somebody else has started one")
        await here.settle()
        assert here.app.context.view.engine is Engine.STOPPED
        await here.press("j", "enter", "q")  # looking is no order
        assert here.app.context.view.engine is Engine.STOPPED
        await here.press("s")
        assert "starting it again" in here.said()
        await here.until(lambda: here.app.context.view.engine is Engine.HERE)


async def test_an_order_that_the_engine_takes_with_it_is_said_to_be_unknown() -> None:
    async with room(scenes.farm(), size=(200, 50)) as here:
        await here.press("x")
        here.engine.clients[0].connected = False  # it is gone, and nobody has been told yet
        await here.press("y")
        await here.until(lambda: "look before you try again" in here.said())
        assert KillAgent("vm1/docs-1", 1) not in here.engine.asked


async def test_ages_move_together_once_a_minute_and_not_between() -> None:
    async with room(scenes.farm(), size=(200, 50)) as here:
        before = here.text()
        here.clock.pass_(50)
        here.engine.put(replace(here.engine.fleet.agents["vm2/api-3"], last_line="something new"))
        await here.until(lambda: "something new" in here.text())
        assert "14:32" in here.text()
        changed = [new for old, new in zip(before.splitlines(), here.text().splitlines(), strict=True) if old != new]
        assert len(changed) == 1
        here.clock.pass_(10)
        here.app.context.link.tick()
        await here.pilot.pause()
        assert "14:33" in here.text()
        ages = {row.name: row.age for row in here.screen(Overview).table.agents}
        assert (ages["docs-1"], ages["infra"], ages["test-4"]) == ("3m", "5m", "1h03")


async def test_ages_are_counted_by_the_clock_of_the_engine_also_when_it_is_set() -> None:
    engine = SmallEngine(scenes.farm(), None, Clock())
    engine.ahead = 3 * scenes.MINUTE
    async with room(scenes.farm(), size=(200, 50), engine=engine) as here:

        def age() -> str:
            return {row.name: row.age for row in here.screen(Overview).table.agents}["docs-1"]

        await here.until(lambda: age() == "5m")
        engine.ahead = scenes.MINUTE
        engine.put(replace(engine.fleet.agents["vm2/api-3"], last_line="something new"))
        await here.until(lambda: age() == "3m")
        here.clock.pass_(60)
        here.app.context.link.tick()
        await here.until(lambda: age() == "4m")


async def test_figures_that_always_move_do_not_keep_a_phone_awake() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        before = here.text()
        sample = here.engine.fleet.hosts["mini"].sample
        assert sample is not None
        for second in range(10):
            here.clock.pass_(1)
            here.engine.happen(events.HostSampled("mini", replace(sample, cpu_percent=50.0 + second)))
            await here.until(lambda: here.app.context.view.fleet is here.engine.fleet)
            await here.pilot.pause()
            assert here.text() == before
        here.clock.pass_(6)
        here.engine.happen(events.HostSampled("mini", replace(sample, cpu_percent=77.0)))
        await here.until(lambda: "77 %" in here.text())


async def test_what_a_lost_host_said_is_shown_with_its_age() -> None:
    fleet = scenes.farm()
    lost = replace(
        fleet.hosts["vm2"],
        link=LinkState.LOST,
        since=scenes.NOW,
        seen=scenes.NOW - 4 * scenes.MINUTE,
        reason="no answer",
    )
    async with room(replace(fleet, hosts={**fleet.hosts, "vm2": lost}), size=(120, 40)) as here:
        text = here.text()
        assert "host away: vm2" in text
        row = next(line for line in text.splitlines() if " api-3 " in line)
        assert "lost" in row
        assert "4m" in row
        assert "4m old, lost just now" in text
    async with room(replace(fleet, hosts={**fleet.hosts, "vm2": lost}), size=(60, 30)) as here:
        assert "lost just now: no answer; heard 4m ago" in here.text()


async def test_no_reading_is_no_reading() -> None:
    fleet = scenes.farm()
    blank = replace(fleet.hosts["vm1"], sample=None, cpu_history=(), memory_history=())
    async with room(replace(fleet, hosts={"vm1": blank}, agents={}), size=(120, 40)) as here:
        row = next(line for line in here.text().splitlines() if " vm1 " in line)
        assert "–" in row
        assert "0 %" not in row


async def test_counts_stand_on_top() -> None:
    async with room(scenes.farm(), size=(200, 50)) as here:
        top = here.text().splitlines()[0]
        for part in ("▲ 2 need you", "● 4 working", "◷ 1 limited", "✕ 1 failed", "○ 1 idle", "14:32"):
            assert part in top
        assert here.app.screen.query_one(Gauges).size.height == 1


async def test_a_limit_says_until_when() -> None:
    for size in ((45, 20), (120, 40)):
        async with room(scenes.farm(), size=size) as here:
            row = next(line for line in here.text().splitlines() if " test-4 " in line)
            assert "until 17:00" in row


async def test_an_agent_that_is_being_started_says_so_before_its_host_has_answered() -> None:
    fleet = scenes.farm()
    begun = replace(
        scenes.agent("fresh", "vm1", State.STARTING, 0), pending=Order(1, "spawn", "vm1", "fresh", 1, scenes.NOW)
    )
    async with room(replace(fleet, agents={begun.id: begun}), size=(120, 40)) as here:
        row = next(line for line in here.text().splitlines() if " fresh " in line)
        assert "starting" in row


async def test_the_engine_is_told_whose_lines_are_on_show() -> None:
    agents = [scenes.agent(f"job-{n:02}", "vm1", State.WORKING, 9) for n in range(40)]
    fleet = replace(scenes.farm(), agents={agent.id: agent for agent in agents})
    async with room(fleet, size=(45, 20)) as here:

        def looked_at() -> object:
            return here.engine.clients[-1].looked_at

        table = here.screen(Overview).table
        await here.until(lambda: looked_at() == table.drawn and 5 < len(table.drawn) < 20)
        assert "vm1/job-00" in table.drawn
        await here.press("end")
        await here.until(lambda: looked_at() == table.drawn and "vm1/job-39" in table.drawn)
        assert "vm1/job-00" not in table.drawn
        here.engine.stop()
        await here.until(lambda: here.app.context.view.engine is not Engine.HERE)
        here.engine.running = True
        await here.until(lambda: looked_at() == table.drawn and here.engine.connections == 2, "the next engine, too")
        await here.press("/")
        await here.write("job")
        await here.until(lambda: looked_at() is None, "a line of any agent may have the word in it")
        await here.press("enter", "escape", "h")
        await here.until(lambda: looked_at() is None, "another screen says nothing of its own")


async def test_logs_that_were_on_show_hold_little_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "MOST_KEPT", 500)
    agents = [scenes.agent(f"job-{n:02}", "vm1", State.WORKING, 9) for n in range(12)]
    fleet = replace(scenes.farm(), agents={agent.id: agent for agent in agents})
    logs = {(agent.id, agent.epoch): [LogRecord(n, "o", b"line %d" % n) for n in range(300)] for agent in agents}
    async with room(fleet, logs, size=(80, 24)) as here:
        follower = here.app.context.logs
        for agent in agents:
            follower.show({agent.id: agent.epoch})
            await here.until(lambda agent=agent: bool((book := follower.book(agent)) and len(book)))  # type: ignore[misc]
        held = [agent.id for agent in agents if follower.book(agent)]
        assert held == ["vm1/job-10", "vm1/job-11"], "the one on show, and of those before as much as may be kept"
