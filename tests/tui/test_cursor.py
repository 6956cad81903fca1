"""The cursor: on the agent one looked at, in view, and never on another one under the finger."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace

import pytest

from controlroom.domain.intents import AnswerQuestion, InterruptAgent, ReassignAgent
from controlroom.domain.model import Agent, Fleet, State
from controlroom.text.states import Verdict
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.dialogs import AskSheet
from controlroom.tui.screens.forms import ReassignForm
from controlroom.tui.screens.overview import Overview
from controlroom.tui.widgets.type_line import FilterLine
from tests.tui import scenes
from tests.tui.room import Room, room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


def chosen(here: Room) -> str:
    return here.screen(Overview).table.chosen or ""


def show(here: Room, agents: Mapping[str, Agent]) -> Awaitable[None]:
    """Let there be no other agents."""
    here.engine.become(agents=agents)
    return here.until(lambda: {row.id for row in here.screen(Overview).table.agents} == set(agents))


def asking(*names: str, calm: int = 0) -> Fleet:
    """Agents that ask for permission, the first for the longest time, and some that work."""
    asked = [scenes.permission(f"Bash: {name}", id_=name, minutes=50 - n) for n, name in enumerate(names)]
    asks = [scenes.agent(question.id, "vm1", State.WAITING, 9, question=question) for question in asked]
    works = [scenes.agent(f"job-{n:02}", "vm1", State.WORKING, 9) for n in range(calm)]
    return replace(scenes.farm(), agents={agent.id: agent for agent in [*asks, *works]})


@SIZES
async def test_after_next_and_back_the_cursor_is_on_the_agent_looked_at_last(size: tuple[int, int]) -> None:
    async with room(asking("a", "b", "c", calm=3), size=size) as here:
        await here.press("j", "j", "n", "n", "q")
        assert chosen(here) == "vm1/b"
        await here.press("n", "q", "x")
        assert "Kill a on vm1?" in here.text()


async def test_an_agent_that_was_looked_at_is_shown_again_in_spite_of_a_filter() -> None:
    async with room(asking("a", "b", calm=3), size=PHONE) as here:
        await here.press("/")
        await here.write("job")
        await here.press("enter", "n", "q")
        assert chosen(here) == "vm1/a"
        assert here.screen(Overview).query_one(FilterLine).text == ""
        assert "all agents are shown again" in here.said()


@SIZES
async def test_the_cursor_comes_back_to_its_agent_when_a_filter_is_left(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("j", "j", "/")
        assert chosen(here) == "vm1/seed-9"
        await here.write("vm2")
        assert chosen(here).startswith("vm2/")
        await here.press("escape")
        assert chosen(here) == "vm1/seed-9"
        await here.press("/")
        await here.write("vm2")
        await here.press("enter", "j", "escape")
        assert chosen(here).startswith("vm2/"), "one went on to it"


@SIZES
async def test_the_cursor_comes_back_to_its_agent_after_the_engine_was_away(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    async with room(fleet, size=size) as here:
        here.screen(Overview).table.choose("vm2/api-3")
        await here.press("o")
        for agents in ({}, {key: agent for key, agent in fleet.agents.items() if agent.host == "vm1"}):
            await show(here, agents)
        assert chosen(here).startswith("vm1/")
        here.engine.become(agents=fleet.agents)
        await here.until(lambda: chosen(here) == "vm2/api-3")


async def test_a_key_is_not_for_an_agent_that_the_cursor_has_just_come_to_by_itself() -> None:
    async with room(asking(calm=3), size=WIDE) as here:
        await here.press("j")
        assert chosen(here) == "vm1/job-01"
        agents = {key: agent for key, agent in here.engine.fleet.agents.items() if key != "vm1/job-01"}
        here.engine.become(agents=agents)
        await here.until(lambda: chosen(here) == "vm1/job-02")
        await here.pilot.press("i")
        await here.settle()
        assert here.engine.asked == []
        assert here.said() == "this is job-02 now: look, then press again"
        await here.press("i")
        assert here.engine.asked == [InterruptAgent("vm1/job-02", 1)]


async def test_after_the_first_key_what_comes_to_the_top_does_not_take_the_cursor() -> None:
    async with room(asking(calm=3), size=WIDE) as here:
        calm = here.engine.fleet.agents
        here.engine.put(replace(calm["vm1/job-02"], state=State.FAILED))
        await here.until(lambda: chosen(here) == "vm1/job-02")
        await here.press("[")
        here.engine.put(replace(calm["vm1/job-01"], state=State.WAITING))
        await here.until(lambda: here.screen(Overview).table.agents[0].id == "vm1/job-01")
        assert chosen(here) == "vm1/job-02"


@SIZES
async def test_what_is_out_of_sight_is_counted_at_the_edge_where_it_is(size: tuple[int, int]) -> None:
    async with room(asking("a", "b", "c", calm=60), size=size) as here:
        await here.press("end")
        assert "more above, 3 need you" in here.text()
        await here.press("home")
        assert "above" not in here.text()
        await here.press("o")  # by name: those that ask stand first; then by nothing that has to do with need
        here.engine.put(replace(here.engine.fleet.agents["vm1/job-59"], state=State.WAITING))
        await here.until(lambda: "more, 1 needs you" in here.text())


@SIZES
async def test_the_cursor_is_never_under_the_line_that_stands_for_others(size: tuple[int, int]) -> None:
    async with room(asking("a", calm=60), size=size) as here:
        sign = here.app.context.palette.glyphs.cursor
        for key in [*"j" * 30, *"k" * 30]:
            await here.pilot.press(key)
            await here.calm()
            drawn = [line[3:].split()[0] for line in here.text().splitlines() if line.startswith(sign)]
            assert drawn == [chosen(here).rpartition("/")[2]]


async def test_a_tap_on_the_line_that_stands_for_others_opens_none_of_them() -> None:
    async with room(asking("a", calm=60), size=PHONE) as here:
        lines = here.text().splitlines()
        await here.pilot.click(offset=(6, next(y for y, line in enumerate(lines) if "… " in line and "more" in line)))
        await here.settle()
        assert f"{chosen(here).rpartition('/')[2]} " in here.text()


@pytest.mark.parametrize("key", ["escape", "backspace"])
async def test_escape_clears_the_filter_then_the_marks_and_never_leaves(key: str) -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press("space", "/")
        await here.write("vm1")
        await here.press("enter", key)
        assert here.screen(Overview).query_one(FilterLine).text == ""
        assert here.screen(Overview).table.marks.names
        await here.press(key)
        assert not here.screen(Overview).table.marks.names
        await here.press(key, key)
        assert not here.app._exit
        assert here.said() == "q leaves; agents and engine live on"


async def test_after_an_answer_the_cursor_goes_to_the_next_question() -> None:
    async with room(asking("a", "b", "c", calm=3), size=WIDE) as here:
        await here.press("j", "y")
        assert chosen(here) == "vm1/c"
        await here.press("d")
        assert chosen(here) == "vm1/a", "from the last one to the first that is left"
        await here.press("y")
        assert chosen(here) == "vm1/a", "nothing else is asked: one stays where one is"
        assert here.engine.asked == [
            AnswerQuestion("vm1/b", "b", Verdict.ALLOW),
            AnswerQuestion("vm1/c", "c", Verdict.DENY),
            AnswerQuestion("vm1/a", "a", Verdict.ALLOW),
        ]


@SIZES
async def test_a_command_is_not_run_again_before_that_was_asked(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        here.screen(Overview).table.choose("vm1/lint-all")
        await here.press("r", "enter")
        assert here.screen(AskSheet).title_words == "End lint-all on vm1 and run the same command again?"
        assert here.engine.asked == []
        await here.press("q")
        here.screen(ReassignForm)
        await here.press("enter", "y")
        assert here.engine.asked == [ReassignAgent("vm1/lint-all", 1, "")]


async def test_of_the_fields_of_a_form_the_one_that_takes_keys_is_lit() -> None:
    async with room(scenes.farm(), size=WIDE) as here:

        def lit(field: str) -> bool:
            line = next(line for line in here.strips() if field in line.text[:10])
            return any(part.style and part.style.reverse for part in line)

        await here.press("s")
        assert not lit("profile")
        await here.press("backspace")
        assert lit("profile")
        await here.press("backspace")
        assert lit("kind")
        assert not lit("profile")


async def test_the_cursor_is_where_the_fleet_was_opened_from_elsewhere() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press(":")
        await here.write("api-3")
        await here.press("enter")
        assert here.screen(AgentScreen).agent_id == "vm2/api-3"
        await here.press("q")
        assert chosen(here) == "vm2/api-3"
