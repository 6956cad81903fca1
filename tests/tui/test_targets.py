"""Random fleets, filters, marks, orders and news under the finger: a key reaches what was drawn, or what is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controlroom.domain.intents import Intent
from controlroom.domain.model import Agent, Fleet, State
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.dialogs import AskSheet, ConfirmSheet
from controlroom.tui.screens.forms import MessageAll, MessageForm, ReassignAll, ReassignForm
from controlroom.tui.screens.many import Listed, ListSheet
from controlroom.tui.screens.overview import Overview
from tests.tui import scenes
from tests.tui.room import Room, at_sizes, room

LOOKS = [*"jk*ounn ", "home", "end", *["filter"] * 6, "clear", "escape"]
"""What changes what is looked at."""

ACTS = [*"xrmifydea", "enter"]
"""What is done to the agent under the cursor, or to those that are marked."""

STATES = (State.WORKING, State.WAITING, State.FAILED, State.DONE, State.IDLE)


def agent(dice: random.Random, number: int) -> Agent:
    state = dice.choice(STATES)
    name, host = f"{dice.choice('abc')}{number}", dice.choice(("vm1", "vm2", "mini"))
    made = scenes.agent(name, host, state, dice.randint(1, 50), kind=dice.choice(("headless", "command")))
    asked = scenes.permission(f"Bash: {name}", id_=name) if state is State.WAITING and dice.random() < 0.8 else None
    return replace(made, question=asked, spent=dice.randint(0, 10**6))


def news(here: Room, dice: random.Random, fleet: Fleet, eye: str) -> None:
    """Let something be true that was not when somebody looked: also that the engine begins anew, host by host."""
    agents = dict(here.engine.fleet.agents)
    what = dice.random()
    if what < 0.15:
        hosts = dice.sample(("vm1", "vm2", "mini"), dice.randint(0, 2))
        agents = {key: one for key, one in fleet.agents.items() if one.host in hosts}
    elif what < 0.4:
        agents = dict(fleet.agents)
    elif what < 0.6:
        agents = {key: one for key, one in agents.items() if one.name != eye}
    for key in dice.sample(sorted(agents), min(len(agents), dice.randint(0, 4))):
        if dice.random() < 0.4:
            del agents[key]
        else:
            state = dice.choice(STATES)
            asked = scenes.permission("Bash: ls", id_=str(here.clock.now)) if state is State.WAITING else None
            agents[key] = replace(agents[key], state=state, question=asked)
    here.engine.become(agents=agents)


def drawn(here: Room) -> Iterator[tuple[bool, str]]:
    """The rows of the table as they stand on the screen: whether the cursor is there, and the agent's name."""
    table, glyphs = here.screen(Overview).table, here.app.context.palette.glyphs
    lines = here.text().splitlines()
    for y in range(table.region.y, table.region.bottom):
        line = lines[y]
        sign = line[:1]
        if line[1:2] in glyphs.states.values() and sign in (" ", glyphs.cursor, glyphs.marked, glyphs.marked_cursor):
            yield sign in (glyphs.cursor, glyphs.marked_cursor), line[3:].split()[0]


def under_the_eye(here: Room) -> str:
    """The agent that stands under the cursor; "" where no row has it."""
    names = [name for cursor, name in drawn(here) if cursor]
    assert len(names) <= 1
    return names[0] if names else ""


def reached(here: Room) -> tuple[list[str], str]:
    """Whom the sheet on top is about, by name, and the words that it says about them."""
    match here.app.screen:
        case ConfirmSheet() as sheet:
            return [named(sheet.intent)], here.text()
        case ListSheet() as sheet:
            lines = sheet.query_one(Listed).lines(here.app.size.width)
            return [target.subject.id.rpartition("/")[2] for target in sheet.plan.targets], "\n".join(
                "".join(part.text for part in line) for line in lines
            )
        case ReassignForm() | MessageForm() as form:
            return [form.agent.name], here.text()
        case AgentScreen() as screen:
            return [screen.agent_id.partition("/")[2]], here.text()
    return [], ""


def named(intent: Intent) -> str:
    return str(getattr(intent, "agent", "") or getattr(intent, "subject", "")).partition("/")[2]


async def look(here: Room, dice: random.Random) -> None:
    """Change what is on show, at a person's pace."""
    key = dice.choice(LOOKS)
    if key == "n":
        await here.press("n")
        seen = reached(here)[0]
        if seen:
            await here.press("q")
            assert [under_the_eye(here)] == seen, "one is back at what one has looked at"
    elif key == "filter":
        await here.press("space", "/", "ctrl+u")
        await here.write(dice.choice(("vm1", "vm2", "mini", "working", "waiting")))
        await here.press("enter")
    elif key == "clear":
        await here.press("escape", "escape")
    else:
        await here.press("space" if key == " " else key)


async def act(here: Room, dice: random.Random, fleet: Fleet) -> None:
    """Press a key that does something, at the moment at which something else may have come."""
    overview = here.screen(Overview)
    here.clock.pass_(1)
    eye, seen = under_the_eye(here), {name for _, name in drawn(here)}
    asked = len(here.engine.asked)
    if dice.random() < 0.6:
        news(here, dice, fleet, eye)
        await here.until(lambda: here.app.context.view.fleet.agents == here.engine.fleet.agents)
        await here.settle()
        if eye in {row.name for row in overview.table.agents}:
            assert under_the_eye(here) == eye, "the cursor stays with its agent"
    marked = {row.name for row in overview.table.agents if row.id in overview.table.marks.names}
    key = dice.choice(ACTS)
    await here.pilot.press(key)
    await here.settle()
    done = [named(intent) for intent in here.engine.asked[asked:]]
    assert set(done) <= {eye}, f"{key} did something to {done}, and {eye or 'nobody'} was under the eye"
    targets, words = reached(here)
    if isinstance(here.app.screen, (ListSheet, MessageAll, ReassignAll)):
        assert set(targets) <= marked, f"{key} reaches {targets}; on show and marked were {marked}"
    else:
        assert set(targets) <= {eye}, f"{key} reaches {targets}, and {eye or 'nobody'} was under the eye"
    for name in targets:
        assert name in words or name in seen, f"{key} reaches {name}, which is neither drawn nor named"
    for _ in range(5):
        if here.app.screen is overview:
            break
        await here.press("escape")
    assert here.app.screen is overview
    assert not isinstance(here.app.screen, AskSheet)


@at_sizes((45, 20), (120, 24), (200, 50))
@pytest.mark.parametrize("seed", range(1))
async def test_a_key_reaches_what_was_under_the_eye_or_what_is_named(seed: int, size: tuple[int, int]) -> None:
    dice = random.Random(seed)
    agents = [agent(dice, number) for number in range(dice.choice((5, 40)))]
    fleet = replace(scenes.farm(), agents={one.id: one for one in agents})
    async with room(fleet, size=size) as here:
        await here.press("[")
        for _ in range(12):
            for _ in range(dice.randint(0, 5)):
                await look(here, dice)
            await act(here, dice, fleet)
