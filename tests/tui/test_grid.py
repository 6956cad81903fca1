"""Live panes side by side: who has one, where they stand at any size, and what is followed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from textual.geometry import Region

from controlroom.domain.display.layout import Pick
from controlroom.domain.intents import AnswerQuestion, KillAgent
from controlroom.domain.model import Fleet, State
from controlroom.text.event_text import LogRecord
from controlroom.text.states import Verdict
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.dialogs import ConfirmSheet
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.panes import PanesSheet
from controlroom.tui.widgets.log import LogView
from controlroom.tui.widgets.panes import LEAST, room_for, shape
from tests.tui import scenes
from tests.tui.room import Room, at_sizes, room
from tests.tui.storms import churn, whole

PHONE, MIDDLE, WIDE = (45, 20), (120, 40), (200, 50)


def crowd(count: int = 20) -> Fleet:
    """Agents a00, a01, … that last spoke one after the other; a00 just now."""
    many = [
        scenes.agent(f"a{n:02}", "vm1" if n % 2 else "vm2", State.WORKING, n, last_line_at=scenes.NOW - n * 1000)
        for n in range(count)
    ]
    return replace(scenes.farm(), agents={agent.id: agent for agent in many})


def live(here: Room) -> list[str]:
    """The names in the panes, in order."""
    panes = here.overview.grid.panes
    return [pane.agent.name for pane in panes if pane.display and pane.agent]


def apart(here: Room) -> None:
    """No pane lies over another, none is smaller than it may be, all are inside the grid."""
    grid = here.screen(Overview).grid
    regions = [pane.region for pane in grid.panes if pane.display]
    for index, region in enumerate(regions):
        assert grid.region.contains_region(region)
        assert not any(region.overlaps(other) for other in regions[index + 1 :])
        if len(regions) > 1:
            assert region.width >= LEAST[0]
            assert region.height >= LEAST[1]


async def test_g_a_and_a_number_show_whoever_is_active() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        assert live(here) == ["a00", "a01"]
        await here.press("g", "a", "6")
        assert "live panes: active, 6" in here.text()
        await here.press("enter")
        await here.until(lambda: live(here) == ["a00", "a01", "a02", "a03", "a04", "a05"])
        await here.settle()
        apart(here)
        assert "panes: active" in here.text()
        assert "4 a03 · vm1" in here.text()


async def test_only_what_is_shown_is_followed() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:

        def followed() -> set[str]:
            return set(here.engine.clients[0].followed)

        await here.until(lambda: followed() == {"vm2/a00", "vm1/a01"})
        await here.press("g", "a", "4", "enter")
        await here.until(lambda: followed() == {"vm2/a00", "vm1/a01", "vm2/a02", "vm1/a03"})
        await here.press("g", "c", "enter")
        await here.until(lambda: followed() == {"vm2/a00", "vm1/a01"})


async def test_every_pane_shows_what_its_agent_says() -> None:
    fleet = crowd(4)
    async with room(fleet, {}, size=WIDE) as here:
        await here.press("g", "a", "4", "enter")
        await here.until(lambda: len(here.engine.clients[0].followed) == 4)
        for agent in fleet.agents:
            here.engine.write(agent, f"hello from {agent}".encode())
        await here.until(lambda: all(f"hello from {agent}" in here.text() for agent in fleet.agents))


async def test_a_pane_that_says_nothing_new_is_not_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = crowd(4)
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        grid = here.screen(Overview).grid
        await here.press("g", "a", "4", "enter")
        await here.until(lambda: len(here.engine.clients[0].followed) == 4)
        await here.settle()
        painted: list[str] = []
        real = LogView.refresh

        def seen(view: LogView, *regions: Region, **how: bool) -> LogView:
            painted.append(next(pane.agent.name for pane in grid.panes if pane.log_view is view and pane.agent))
            return real(view, *regions, **how)

        monkeypatch.setattr(LogView, "refresh", seen)
        here.engine.write("vm1/a01", b"something new")
        await here.until(lambda: "something new" in here.text())
        assert set(painted) == {"a01"}


async def test_digits_choose_a_pane_enter_opens_it_and_x_means_it() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("g", "a", "4", "enter", "3")
        assert here.screen(Overview).table.chosen == "vm2/a02"
        assert "▌ 3 a02" in here.text()
        await here.press("x")
        assert here.screen(ConfirmSheet).intent == KillAgent("vm2/a02", 1)
        await here.press("q", "enter")
        assert here.screen(AgentScreen).agent_id == "vm2/a02"


async def test_a_question_in_a_pane_is_answered_there() -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("g", "s", "enter")  # those that wait, as the chosen one does
        await here.until(lambda: live(here) == ["docs-1", "infra"])
        await here.press("2", "d")
        assert here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.DENY)]


async def test_nobody_jumps_about_when_others_speak() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("g", "a", "4", "enter")
        await here.until(lambda: live(here) == ["a00", "a01", "a02", "a03"])
        for agent in sorted(fleet.agents.values(), key=lambda agent: agent.name)[4:12]:
            here.engine.put(replace(agent, last_line_at=here.clock.now))
        await here.settle()
        assert live(here) == ["a00", "a01", "a02", "a03"]
        loud = here.engine.fleet.agents["vm1/a07"]
        here.engine.put(replace(loud, last_line_at=scenes.NOW + 10 * scenes.MINUTE))
        await here.until(lambda: live(here) == ["a00", "a01", "a02", "a07"])


async def test_p_keeps_a_pane_and_lets_it_go() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("j", "j", "p", "j", "j", "p")
        await here.until(lambda: live(here) == ["a02", "a04"])
        assert "panes: by hand" in here.text()
        assert "a02 · vm2 · pinned" in here.text()
        await here.press("p", "k", "k", "p")
        assert here.screen(Overview).grid.wish.pick is Pick.CHOSEN
        await here.until(lambda: live(here)[0] == "a02")


async def test_marked_agents_are_pinned_together() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("space", "space", "space", "p")
        await here.until(lambda: live(here) == ["a00", "a01", "a02"])


async def test_h_goes_from_host_to_host() -> None:
    async with room(crowd(), size=WIDE) as here:
        await here.press("g", "h")
        await here.until(lambda: live(here) == ["a00", "a02", "a04", "a06"])  # vm2, where the chosen one is
        await here.press("h")
        await here.until(lambda: live(here) == ["a01", "a03", "a05", "a07"])
        here.screen(PanesSheet)


async def test_a_phone_shows_one_pane_at_a_time() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=PHONE) as here:
        await here.press("g")
        await here.until(lambda: live(here) == ["a00"])
        await here.press("j")
        assert live(here) == ["a01"]
        await here.press("g", "a", "4", "enter")
        assert "1 of 4" in here.text(), "who had a pane keeps it"
        for expected in ("a00", "a02", "a03", "a03"):
            await here.press("j")
            assert live(here) == [expected]
        await here.press("1")
        assert live(here) == ["a01"]
        await here.until(lambda: set(here.engine.clients[0].followed) == {"vm1/a01"})
        await here.press("q")
        assert "panes: active" not in here.text()
        await here.until(lambda: not here.engine.clients[0].followed)


async def test_on_a_phone_keys_act_on_the_pane_that_is_on_show() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=PHONE) as here:
        await here.press("g", "g", "a", "enter", "q")
        here.screen(Overview).table.choose("vm1/a15")
        await here.press("g", "x")
        target = here.screen(ConfirmSheet).intent
        assert isinstance(target, KillAgent)
        assert [target.agent.split("/")[1]] == live(here)


async def test_seats_outlive_a_keyboard_that_takes_the_room() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("g", "a", "4", "enter")
        await here.until(lambda: live(here) == ["a00", "a01", "a02", "a03"])
        await here.pilot.resize_terminal(60, 12)
        here.engine.put(replace(fleet.agents["vm2/a06"], last_line_at=scenes.NOW))
        await here.settle()
        await here.pilot.resize_terminal(*WIDE)
        await here.until(lambda: live(here) == ["a00", "a01", "a02", "a03"])


async def test_panes_can_be_tapped() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("g", "a", "4", "enter")
        await here.until(lambda: len(live(here)) == 4)
        await here.settle()
        pane = here.screen(Overview).grid.panes[2]
        await here.pilot.click(pane, offset=(5, 4))
        await here.pilot.pause()
        assert here.screen(Overview).table.chosen == "vm2/a02"
        await here.pilot.click(pane, offset=(5, 4))
        await here.pilot.pause()
        assert here.screen(AgentScreen).agent_id == "vm2/a02"


async def test_dot_and_comma_move_in_the_chosen_pane() -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("g", "a", "4", "enter", "2")
        await here.until(lambda: here.screen(Overview).pane.log_view.top is not None)
        await here.press(",")
        followed = {pane.agent.name: pane.log_view.following for pane in here.screen(Overview).grid.panes if pane.agent}
        assert followed == {"a00": True, "a01": False, "a02": True, "a03": True}
        await here.press(".", ".", ".")
        assert here.screen(Overview).pane.log_view.following


@at_sizes((45, 20), (60, 30), (80, 24), (100, 30), (120, 40), (160, 42), (200, 50), (210, 60))
async def test_sixteen_panes_at_any_size(size: tuple[int, int]) -> None:
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=size) as here:
        overview = here.screen(Overview)
        if not overview.pane_shown:
            await here.press("g")
        await here.press("g", "a", "0", "enter")
        await here.until(lambda: len(live(here)) == min(16, room_for(*overview.grid.size)))
        await here.settle()
        apart(here)
        assert len(overview.grid.seats) == 16


async def test_a_storm_of_sizes_with_the_panes_open(seed: int, request: pytest.FixtureRequest) -> None:
    dice = random.Random(seed)
    fleet = crowd()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        await here.press("g", "a", "0", "enter")
        for _ in range(250 if request.config.getoption("long") else 10):
            await here.pilot.resize_terminal(dice.randint(1, 210), dice.randint(1, 60))
            churn(here, dice)
            await here.pilot.press(dice.choice(["j", "k", "1", "7", "0", "p", "space", "o", "u", "g", "enter", "a"]))
            await here.calm()
            whole(here)


async def test_hostile_text_stays_in_its_pane() -> None:
    bad = "\x1b]0;title\x07[/red]\x1b[2J"
    fleet = crowd(4)
    agents = {key: replace(agent, detail=bad, last_line=bad, task=bad) for key, agent in fleet.agents.items()}
    fleet = replace(fleet, agents=agents)
    logs = {(agent, 1): [LogRecord(scenes.NOW, "o", f"{agent} {bad}".encode())] for agent in fleet.agents}
    async with room(fleet, logs, size=WIDE) as here:
        await here.press("g", "a", "4", "enter")
        await here.until(lambda: all(f"{agent} ␛[/red]␛" in here.text() for agent in fleet.agents))
        apart(here)


@pytest.mark.parametrize("count", range(1, 17))
@pytest.mark.parametrize("room_", [(120, 48), (80, 20), (124, 46), (99, 40), (60, 24)])
def test_shapes_hold_all_and_fit(count: int, room_: tuple[int, int]) -> None:
    shown = min(count, room_for(*room_))
    rows, columns = shape(shown, *room_)
    assert rows * columns >= shown
    assert (rows - 1) * columns < shown, "no empty row"
    assert room_[0] // columns >= LEAST[0]
    assert room_[1] // rows >= LEAST[1]
