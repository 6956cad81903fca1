"""Carries out what is done to many agents at once: ten at a time, summed up in one sentence."""

import asyncio

from controlroom.domain.intents import Intent
from controlroom.domain.keys.many import AT_ONCE, Plan, summed
from controlroom.domain.results import Result
from controlroom.tui.engine_client import Source
from controlroom.tui.room import Level, Room
from controlroom.tui.screens.base import RoomScreen


def carry_out(room: Room, screen: RoomScreen, todo: Plan) -> None:
    """Ask the engine for all of it; what was done loses its mark, what was refused keeps it."""
    if room.source is None:
        room.say(f"not done: the engine is not here ({room.view.reason or 'still starting'})", Level.DANGER)
        return
    room.work(_carry_out(room, room.source, screen, todo))


async def _carry_out(room: Room, source: Source, screen: RoomScreen, todo: Plan) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(_submit(source, target.intent, gate) for target in todo.targets))
    done = [target.agent.id for target, outcome in zip(todo.targets, outcomes, strict=True) if outcome and outcome.ok]
    room.see_now(source)
    if screen.made:
        screen.unmark(done)
    words = summed(todo, outcomes)
    room.say(words, Level.DONE if len(done) == len(todo.targets) else Level.DANGER)


async def _submit(source: Source, intent: Intent, gate: asyncio.Semaphore) -> Result | None:
    """Ask for one of them; None: the engine went away before it answered."""
    from controlroom.client.client import EngineUnavailable

    async with gate:
        try:
            return await source.submit(intent)
        except EngineUnavailable:
            return None
