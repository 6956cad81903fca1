"""An app on a small engine, with clocks that a test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timezone
from typing import TypeVar

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip

from controlroom.domain.keys.keymap import DEFAULT, Keymap
from controlroom.domain.model import Fleet
from controlroom.tui.app import ControlRoomApp
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.theme import theme
from controlroom.tui.theme.theme_store import ThemeStore
from controlroom.tui.widgets.log import LogView
from tests.lab.waiting import wait_for_async
from tests.tui.engine import Logs, SmallEngine
from tests.tui.scenes import NOW

S = TypeVar("S", bound=Screen)  # type: ignore[type-arg]


class Clock:
    """UTC milliseconds and seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000

    def pass_(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


_ROUNDS = 500
"""Turns of the loop after which something is taken for endless."""

_AT_ONCE = 20
"""Turns that follow each other without a pause: whoever is busy for longer waits for a timer."""

_SOON = 0.02
"""Seconds within which a timer is waited for: a screen paints what has changed 60 times a second."""


async def nothing_is_due(min_sleep: float = 0, max_sleep: float = 1) -> None:
    """Wait until no task of the loop can go on and none of its timers is due soon."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, asyncio.BaseEventLoop)
    soon, end = loop.time() + _SOON, loop.time() + max_sleep
    while loop.time() < end:
        await asyncio.sleep(min_sleep)
        if loop._ready:  # type: ignore[attr-defined]
            continue
        timers = (timer.when() for timer in loop._scheduled if not timer.cancelled())  # type: ignore[attr-defined]
        due = min(timers, default=end)
        if due > soon:
            return
        await asyncio.sleep(max(0.0, due - loop.time()))


def logs_read(app: ControlRoomApp) -> bool:
    """Whether the logs on show have been read, and stand there."""
    agents, logs = app.context.fleet.agents, app.context.logs
    read = all((book := logs.book(agents.get(agent))) is not None and book.loaded for agent in logs.wanted)
    filled = [view for view in app.screen.query(LogView) if view.is_on_screen and view.size and view.book]
    return read and all(view.top is not None for view in filled)


def at_sizes(*sizes: tuple[int, int]) -> pytest.MarkDecorator:
    """Run at the smallest and the largest of these sizes; at those between them with --long."""
    between = [pytest.param(size, marks=pytest.mark.long) for size in sizes[1:-1]]
    return pytest.mark.parametrize("size", [sizes[0], *between, sizes[-1]], ids=[f"{x}x{y}" for x, y in sizes])


class Room:
    """The app, its engine, its clock, and the pilot who presses keys."""

    def __init__(self, app: ControlRoomApp, engine: SmallEngine, clock: Clock, pilot: Pilot[None]) -> None:
        self.app, self.engine, self.clock, self.pilot = app, engine, clock, pilot

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, at a person's pace."""
        for key in keys:
            self.clock.pass_(1)
            await self.pilot.press(key)
            await self.settle()

    async def calm(self) -> None:
        """Wait until nothing is on its way inside the app.

        The pilot's own pause takes a process that gets no processor for one that has nothing to do, and a message that
        leads to another one for the end.
        """
        await self.pilot.pause()
        for turn in range(_ROUNDS):
            if not self._busy():
                return
            await self.pilot.pause(0 if turn < _AT_ONCE else _SOON)

    def _busy(self) -> bool:
        screen = self.app.screen
        pumps = (self.app, *screen.walk_children(with_self=True))
        made = getattr(screen, "made", True) and len(self.strips()) == self.app.size.height
        return not made or any(pump.message_queue_size for pump in pumps)

    async def settle(self) -> None:
        """Wait until what was begun is done, and a question that is on show has been painted."""
        await self.calm()
        screen = self.app.screen
        panel = screen.question_here() if isinstance(screen, RoomScreen) and screen.made else None
        if panel is not None and panel.question is not None:
            await self.until(lambda: panel.shown_at is not None, "the question to be painted")

    async def logs_read(self) -> None:
        """Wait until all logs on show have been read: what keys can do may depend on their lines."""
        await self.until(lambda: logs_read(self.app), "the logs to be read")
        await self.settle()

    async def write(self, text: str) -> None:
        """Type text."""
        self.clock.pass_(1)
        await self.pilot.press(*("space" if sign == " " else sign for sign in text))
        await self.settle()

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait for a condition, with a deadline."""
        await wait_for_async(condition, 10, what or "the screen to come to it")

    async def press_until(self, condition: Callable[[], object], key: str, most: int = 100) -> None:
        """Press a key again and again until the screen comes to it, as somebody does who looks for something."""
        for _ in range(most):
            if condition():
                return
            await self.press(key)
        await self.until(condition)

    def screen(self, kind: type[S]) -> S:
        """Return the screen on top, which must be of this kind."""
        assert isinstance(self.app.screen, kind), f"on top is {self.app.screen}"
        screen: S = self.app.screen
        return screen

    @property
    def overview(self) -> Overview:
        """The first screen, also where another one lies over it."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, Overview))

    def strips(self) -> list[Strip]:
        """Return the rows of the screen as they are drawn."""
        return self.app.screen._compositor.render_strips()

    def text(self) -> str:
        """Return all text on the screen, a line a row."""
        height = self.app.size.height
        lines = self.strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines[:height])

    def said(self) -> str:
        """Return what was said above the footer last."""
        from controlroom.tui.widgets.footer import StatusMessage

        return next((says.text for says in self.app.screen.query(StatusMessage)), "")


@asynccontextmanager
async def room(
    fleet: Fleet,
    logs: Logs | None = None,
    size: tuple[int, int] = (120, 40),
    engine: SmallEngine | None = None,
    theme_name: str = "dusk",
    glyphs: theme.Glyphs = theme.RICH_GLYPHS,
    read_only: bool = False,
    theme_store: ThemeStore | None = None,
    troubles: Sequence[str] = (),
    keys: Keymap = DEFAULT,
) -> AsyncIterator[Room]:
    """Open the app at a size and wait until it shows the fleet."""
    clock = Clock()
    engine = engine or SmallEngine(fleet, logs, clock)
    themes = theme_store or ThemeStore()
    themes.glyphs = glyphs
    themes.use(themes.find(theme_name))
    app = ControlRoomApp(
        engine.connect,
        themes=themes,
        keys=keys,
        now=clock,
        monotonic=clock.monotonic,
        zone=timezone.utc,
        read_only=read_only,
    )
    app.troubles = list(troubles)
    async with app.run_test(size=size) as pilot:
        opened = Room(app, engine, clock, pilot)
        if engine.running and engine.starting.is_set():
            await opened.until(
                lambda: app.context.source is not None and app.context.view.known, "the engine to be reached"
            )
        await opened.settle()
        yield opened
        await pilot.pause()
