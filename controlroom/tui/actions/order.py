"""An order on its way to the engine, and what is said of what became of it."""

from controlroom.domain.intents import Intent
from controlroom.text.states import Outcome
from controlroom.tui.engine_client import Source
from controlroom.tui.room import Level, Room


async def order(room: Room, source: Source, intent: Intent, done: str) -> None:
    """Ask the engine for something; `done` is said when it was done."""
    from controlroom.client.client import EngineUnavailable

    try:
        outcome = await source.submit(intent)
    except EngineUnavailable as error:
        room.say(f"the engine went away before it answered ({error}): look before you try again", Level.DANGER)
        return
    room.see_now(source)
    if outcome.ok:
        room.say(done, Level.DONE)
    elif outcome.outcome is Outcome.REFUSED:
        room.say(outcome.reason, Level.DANGER)
    else:
        room.say(f"not known whether that was done: {outcome.reason or 'the link dropped'}; looking again", Level.NOTE)
