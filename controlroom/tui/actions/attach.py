"""The terminal handed to an agent's session and taken back: the screen stands still meanwhile, and is drawn anew."""

from textual.app import SuspendNotSupported

from controlroom.tui.room import Level, Room


async def attach(room: Room, agent: str) -> None:
    """Attach to an agent until its person leaves; say why not, or what went wrong."""
    from controlroom.client.client import NoAttachment

    if room.source is None:
        room.say(f"not now: {room.view.reason or 'the engine is still starting'}", Level.DANGER)
        return
    try:
        found = await room.source.attachment(agent)
    except NoAttachment as problem:
        room.say(str(problem), Level.DANGER)
        return
    try:
        with room.suspend():
            trouble = found.run()
    except SuspendNotSupported:
        room.say("this terminal cannot be handed over: use controlroom attach in another one", Level.DANGER)
        return
    room.refresh(layout=True)
    if trouble:
        room.say(trouble, Level.DANGER)
    elif found.why_read_only:
        room.say(f"it was read-only: {found.why_read_only}")
