"""Without colours nothing is lost: every fact is a word, a sign or a place; what is chosen is reverse."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import pytest

from controlroom.domain.display.loglines import KINDS
from controlroom.domain.model import Fleet, LinkState, State
from controlroom.domain.orders import Order
from controlroom.tui.context import Level
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.theme import PLAIN_GLYPHS, RICH_GLYPHS, Glyphs
from controlroom.tui.theme.theme_store import ThemeStore
from controlroom.tui.widgets.log import gutter_of
from tests.lab.waiting import wait_for
from tests.tui import scenes
from tests.tui.room import Room, room
from tests.tui.terminals import Stage, settled
from tests.tui.tour import TOUR, cells

COLOURLESS = ThemeStore(None, Depth.NONE)
SIZES = pytest.mark.parametrize("size", [(45, 20), (120, 40)], ids=["phone", "wide"])
LOOKS = pytest.mark.parametrize(("size", "glyphs"), [((45, 20), RICH_GLYPHS), ((120, 40), PLAIN_GLYPHS)])


def one_agent(state: State, **changes: object) -> Fleet:
    agent = replace(scenes.agent("web-2", "vm1", State.WORKING, 12), state=state, **changes)  # type: ignore[arg-type]
    return replace(scenes.farm(), agents={agent.id: agent})


def one_host(link: LinkState) -> Fleet:
    host = replace(scenes.farm().hosts["vm1"], link=link)
    return replace(scenes.farm(), hosts={host.name: host}, agents={})


async def text_of(fleet: Fleet, size: tuple[int, int], *keys: str, glyphs: Glyphs = RICH_GLYPHS) -> str:
    async with room(fleet, size=size, theme_store=COLOURLESS, glyphs=glyphs) as here:
        if keys:
            await here.press(*keys)
        return here.text()


@LOOKS
async def test_every_state_is_told_by_words_and_signs(size: tuple[int, int], glyphs: Glyphs) -> None:
    async with room(one_agent(State.WORKING), size=size, theme_store=COLOURLESS, glyphs=glyphs) as here:
        told = {}
        for state in State:
            here.engine.fleet = one_agent(state)
            here.engine.wake()
            await here.until(partial(is_in, here, state))
            await here.settle()
            told[state] = here.text()
    assert len(set(told.values())) == len(State)


def is_in(here: Room, state: State) -> bool:
    (agent,) = here.app.context.fleet.agents.values()
    return agent.state is state


@LOOKS
async def test_every_link_is_told_by_words_and_signs(size: tuple[int, int], glyphs: Glyphs) -> None:
    told = [await text_of(one_host(link), size, glyphs=glyphs) for link in LinkState]
    assert len(set(told)) == len(LinkState)


@SIZES
async def test_what_is_on_its_way_chosen_and_marked_is_told_too(size: tuple[int, int]) -> None:
    farm = scenes.farm()
    pending = replace(farm.agents["vm2/api-3"], pending=Order(1, "kill", "vm2", "api-3", 1, scenes.NOW))
    async with room(farm, size=size, theme_store=COLOURLESS) as here:
        told = [here.text()]
        for keys in (["j"], ["space"], ["j"], ["slash", *"work"]):
            await here.press(*keys)
            told.append(here.text())
        await here.press("enter")
        here.engine.put(pending)
        await here.until(lambda: here.app.context.fleet.agents[pending.id].pending is not None)
        await here.settle()
        told.append(here.text())
    assert len(set(told)) == len(told)


@pytest.mark.long
async def test_the_words_are_those_of_the_coloured_screen() -> None:
    farm = scenes.farm()
    async with room(farm, scenes.logs(farm)) as here:
        for place, keys in TOUR:
            here.clock.pass_(1)
            await here.pilot.press(*keys)
            await here.settle()
            told = []
            for depth in (Depth.MANY, Depth.NONE):
                here.app.context.themes.depth = depth
                here.app.use_theme(here.app.context.themes.current)
                await here.settle()
                told.append(here.text())
            assert told[0] == told[1], place


async def test_there_is_no_colour_and_what_is_chosen_is_reverse() -> None:
    farm = scenes.farm()
    async with room(farm, scenes.logs(farm), theme_store=COLOURLESS) as here:
        looks = list(cells(here, "overview"))
        for key in ("s", "escape", "question_mark"):
            await here.press(key)
            looks += cells(here, key)
    colours = {colour.name for cell in looks for colour in (cell.style.color, cell.style.bgcolor) if colour}
    assert colours <= {"default"}
    chosen = "".join(cell.text for cell in looks if cell.place == "overview, line 8")
    assert "docs-1" in chosen
    assert all(cell.style.reverse for cell in looks if cell.place == "overview, line 8")
    assert {cell.text for cell in looks if cell.style.bold} >= {"docs-1", "waiting", "failed", "x"}


def test_every_kind_of_line_and_saying_has_a_sign() -> None:
    for glyphs in (RICH_GLYPHS, PLAIN_GLYPHS):
        signs = {kind: gutter_of(glyphs, kind) for kind in KINDS}
        assert {kind for kind, sign in signs.items() if sign == " "} == {"out", "result"}
    rich = [gutter_of(RICH_GLYPHS, kind) for kind in KINDS if kind not in {"out", "result"}]
    assert len(set(rich)) == len(rich)
    assert len(Level) == 3


COLOUR = re.compile(r"3[0-8]|4[0-8]|9[0-7]|10[0-7]")
"""SGR parameters that choose a colour (ECMA-48, and xterm's bright ones); 39 and 49 take it back."""


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "vt220"}], ids=["NO_COLOR", "vt220"])
def test_no_colour_is_sent(stage: Stage, env: dict[str, str]) -> None:
    terminal = stage(env=env)
    terminal.wait_for_text("docs-1", "y allow once")
    terminal.keys("s")
    terminal.wait_for_text("spawn an agent")
    settled(terminal)
    sent = re.findall(rb"\x1b\[([0-9;]*)m", terminal.raw())
    assert sent
    assert not [sgr for sgr in sent if any(COLOUR.fullmatch(part) for part in sgr.decode().split(";"))]


def test_sixteen_colours_are_sent_as_such(stage: Stage) -> None:
    terminal = stage(env={"TERM": "xterm-16color"})
    terminal.wait_for_text("docs-1", "y allow once")
    assert not re.search(rb"\x1b\[[0-9;]*[34]8;[25];[0-9;]*m", terminal.raw())
    wait_for(lambda: b";93;40m" in terminal.raw(), what="bright yellow on black")
