"""Keys, taps and sizes in any order, and a screen that has to stand them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from textual.events import Key, MouseScrollDown, MouseScrollUp
from textual.keys import _character_to_key

from controlroom.domain.keys.actions import ACTIONS
from controlroom.domain.model import State
from controlroom.tui.screens.dialogs import YesSheet
from controlroom.tui.screens.many import ListSheet
from tests.tui import scenes
from tests.tui.room import Room

KEYS = [
    *sorted({key for action in ACTIONS for key in action.keys}),
    *"jkobewq<>1379 ",
    "down",
    "up",
    "pagedown",
    "pageup",
    "home",
    "end",
    "escape",
    "backspace",
    "tab",
    "left",
    "right",
]

WAYS = {
    "overview": "",
    "agent": "enter",
    "review": "+",
    "hosts": "h",
    "costs": "c",
    "timeline": "l",
    "questions": "!",
    "tasks": "#",
    "worktrees": "h w",
}
"""The keys that lead from the overview to each screen."""


def churn(here: Room, dice: random.Random) -> None:
    """Let the fleet change under the fingers."""
    if here.engine.running and here.engine.fleet.agents:
        agent = here.engine.fleet.agents[dice.choice(sorted(here.engine.fleet.agents))]
        asked = scenes.permission("run: ls", id_=str(here.clock.now)) if dice.random() < 0.3 else None
        state = State.WAITING if asked else dice.choice(list(State))
        epoch = agent.epoch + (dice.random() < 0.1)
        here.engine.put(replace(agent, state=state, question=asked, epoch=epoch, last_line=str(dice.random())))
        here.engine.write(agent.id, *(b"line" for _ in range(dice.randint(0, 50))))
    if dice.random() < 0.05:
        here.engine.stop()
    elif dice.random() < 0.3:
        here.engine.running = True


def typed(key: str) -> Key:
    """What a terminal sends: faster than the pilot, who waits after each key."""
    characters = {" ": " ", "space": " ", "enter": "\r", "tab": "\t"}
    if len(key) == 1:
        return Key(_character_to_key(key), key)
    return Key(key, characters.get(key))


async def storm(here: Room, dice: random.Random, keys: int, sizes: int, check: Callable[[Room], None]) -> None:
    """Press keys, tap and turn the wheel anywhere, in a window whose size changes; leaving is not possible."""
    here.app.exit = lambda *_, **__: None  # type: ignore[method-assign]
    for _ in range(sizes):
        await here.pilot.resize_terminal(dice.randint(1, 210), dice.randint(1, 60))
        for _ in range(keys // sizes // 5):
            here.clock.pass_(dice.choice([0.01, 1]))
            churn(here, dice)
            for key in dice.choices(KEYS, k=5):
                here.app.post_message(typed(key))
            await here.calm()
            check(here)
        x, y = (dice.randrange(most) for most in here.app.size)
        await here.pilot.click(offset=(x, y))
        kind = dice.choice([MouseScrollDown, MouseScrollUp])
        here.app.post_message(kind(None, x, y, 0, 0, 0, False, False, False, x, y))
        await here.calm()
        check(here)


def whole(here: Room) -> None:
    """Nothing went wrong, and every cell of the screen is painted."""
    assert here.app.mistake is None
    width, height = here.app.size
    strips = here.strips()
    assert len(strips) == height
    assert all(strip.cell_length == width for strip in strips)


async def asked(here: Room) -> None:
    """Wait until the sheet that asks before something is done takes a yes, or a number."""
    sheet = here.app.screen
    assert isinstance(sheet, YesSheet | ListSheet)
    await here.until(lambda: sheet.painted)


async def tap(here: Room, words: str, line: int | None = None, into: int = 1) -> None:
    """Tap where some words stand, in the last line that has them: once what was begun has moved nothing any more."""
    await here.settle()
    lines = here.text().splitlines()
    y = [at for at, drawn in enumerate(lines) if words in drawn and line in (None, at, at - len(lines))][-1]
    here.clock.pass_(1)
    await here.pilot.click(offset=(lines[y].index(words) + into, y))
    await here.settle()
