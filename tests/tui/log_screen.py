"""The log of an agent on a screen."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain.model import Fleet, State
from controlroom.text.event_text import LogRecord
from controlroom.tui.screens.agent import AgentScreen
from tests.tui import scenes
from tests.tui.room import Room


def one(kind: str = "command", epoch: int = 1, state: State = State.WORKING) -> Fleet:
    agent = scenes.agent("a", "vm1", state, 3, kind=kind, epoch=epoch)
    return replace(scenes.farm(), agents={agent.id: agent})


def lines(count: int, word: str = "line") -> list[LogRecord]:
    return [LogRecord(scenes.NOW, "o", f"{word} {number}".encode()) for number in range(count)]


def rows(here: Room) -> list[str]:
    return [row.strip() for row in here.text().splitlines()]


async def opened(here: Room) -> AgentScreen:
    await here.press("enter")
    screen = here.screen(AgentScreen)
    await here.until(lambda: screen.log_view.book is not None and screen.log_view.book.loaded)
    await here.pilot.pause()
    return screen
