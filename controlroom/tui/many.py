"""Carries out what is done to many agents at once: ten at a time, summed up in one sentence."""

import asyncio
from typing import TYPE_CHECKING

from controlroom.domain.intents import Intent
from controlroom.domain.many import AT_ONCE, Plan, plan, summed
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.source import Outcome, Source
from controlroom.tui.widgets.says import Level

if TYPE_CHECKING:
    from controlroom.tui.app import ControlRoomApp


def begin(room: "ControlRoomApp", screen: RoomScreen, action: str) -> None:
    """Begin to do an action to all marked agents: ask for words where it needs some, else show the list."""
    from controlroom.tui.screens.forms import MessageAll, ReassignAll
    from controlroom.tui.screens.many import ListSheet

    todo = plan(room.fleet, screen.marked(), action)
    if not todo.targets:
        room.say(todo.left_out[0][1] if todo.left_out else "they are no longer there")
    elif action == "message":
        room.push_screen(MessageAll(screen, todo))
    elif action == "reassign":
        room.push_screen(ReassignAll(screen, todo))
    else:
        room.push_screen(ListSheet(screen, todo))


def carry_out(room: "ControlRoomApp", screen: RoomScreen, todo: Plan) -> None:
    """Ask the engine for all of it; what was done loses its mark, what was refused keeps it."""
    if room.source is None:
        room.say(f"not done: the engine is not here ({room.picture.reason or 'still starting'})", Level.DANGER)
        return
    room.work(_carry_out(room, room.source, screen, todo))


async def _carry_out(room: "ControlRoomApp", source: Source, screen: RoomScreen, todo: Plan) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(_submit(source, target.intent, gate) for target in todo.targets))
    done = [target.agent.id for target, outcome in zip(todo.targets, outcomes, strict=True) if outcome and outcome.ok]
    room.see_now(source)
    if screen.made:
        screen.unmark(done)
    words = summed(todo, outcomes)
    room.say(words, Level.DONE if len(done) == len(todo.targets) else Level.DANGER)


async def _submit(source: Source, intent: Intent, gate: asyncio.Semaphore) -> Outcome | None:
    """Ask for one of them; None: the engine went away before it answered."""
    from controlroom.fleet.client import EngineUnavailable

    async with gate:
        try:
            return await source.submit(intent)
        except EngineUnavailable:
            return None
