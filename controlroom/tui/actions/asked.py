"""What is asked of the engine and read on a sheet, which is there at once and filled when the answer comes."""

from collections.abc import Awaitable, Callable, Sequence

from controlroom.domain.display.views import Line
from controlroom.tui.engine_client import Source
from controlroom.tui.room import Level, Room
from controlroom.tui.screens.base import RoomScreen

Told = tuple[str, Sequence[Line]]
"""A heading, and the lines under it."""


def host_check(room: Room, screen: RoomScreen) -> None:
    """See whether the chosen host has all that agents need."""
    if name := screen.host_here():
        _ask(room, f"check of {name}", f"{name} is looking at itself…", lambda source: _checked(source, name))


async def _checked(source: Source, name: str) -> Told:
    from controlroom.domain.display.checkup import is_well, lines

    told = await source.check(name)
    verdict = "not all is known" if told.reason else "nothing is bad" if is_well(told.checks) else "something is bad"
    rest = [Line("", told.reason, "warn")] if told.reason else []
    return f"check of {name}: {verdict}", [*lines(told.checks), *rest]


def attached(room: Room, screen: RoomScreen) -> None:
    """Show who is attached to the engine."""

    async def found(source: Source) -> Told:
        from controlroom.domain.attached import lines

        told = await source.attached()
        if told.reason:
            return "who is attached", [Line("", told.reason, "warn")]
        return f"who is attached: {len(told.front_ends)}", lines(told.front_ends, room.view.now, room.view.clock)

    _ask(room, "who is attached", "asking the engine…", found)


def _ask(room: Room, heading: str, meanwhile: str, ask: Callable[[Source], Awaitable[Told]]) -> None:
    from controlroom.tui.screens.dialogs import ReportSheet

    if room.source is None:
        room.say("not now: the engine is not here", Level.DANGER)
        return
    sheet = ReportSheet(heading, [Line("", meanwhile)])
    room.push_screen(sheet)

    async def fill(source: Source) -> None:
        from controlroom.client.client import EngineUnavailable

        try:
            sheet.report(*await ask(source))
        except EngineUnavailable as problem:
            sheet.report(f"{heading}: not done", [Line("", str(problem), "warn")])

    room.work(fill(room.source))
