"""The link to the engine: reached, lost and reached again; keeps the view state up to date with what it says."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from controlroom.domain.model import Fleet
from controlroom.tui.engine_client import Connect, Source, unless_lost
from controlroom.tui.logs.log_follower import LogFollower
from controlroom.tui.terminal.keyboard import Keyboard
from controlroom.tui.terminal.throttle import LINE_PACE, ThrottledLines, frame_of
from controlroom.tui.view_state import Engine, ViewState

_MINUTE = 60_000
_JUMP = 2_000
"""Milliseconds by which a clock must have been set to count: anything less is the time that messages take."""
_REST, _LONGEST = 4, 0.5
"""How many times longer than the last picture took the next one waits, in seconds at most: keys come in between."""
_FIRST_WAIT, _LONGEST_WAIT = 0.3, 5.0
"""Seconds between two attempts to reach the engine."""


class EngineLink:
    """Connects to the engine and calls `show` with each new view state.

    `now` gives UTC milliseconds, `monotonic` seconds, `width` the columns of the screen; `wait` calls back after a
    number of seconds.
    """

    def __init__(
        self,
        connect: Connect,
        view: ViewState,
        *,
        show: Callable[[ViewState], None],
        logs: LogFollower,
        keyboard: Keyboard,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        width: Callable[[], int],
        wait: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.view = view
        self.source: Source | None = None
        """The engine, while it can be reached."""
        self._connect, self._show, self._logs, self._keyboard = connect, show, logs, keyboard
        self._own_clock, self._monotonic, self._width, self._wait = now, monotonic, width, wait
        self._ahead = 0
        """Milliseconds that the engine's clock is ahead of ours."""
        self._hurry = asyncio.Event()
        self._lines = ThrottledLines()
        self._lines_due = False
        """Whether lines that are held back will be shown by a timer."""

    def now(self) -> int:
        """The time by the engine's clock, UTC milliseconds, as far as it is known."""
        return self._own_clock() + self._ahead

    def tick(self) -> None:
        """A minute has passed: all ages move, together."""
        self._become(now=self.now())
        self.tick_later()

    def tick_later(self) -> None:
        """Tick when the next minute begins."""
        self._wait((_MINUTE - self._own_clock() % _MINUTE) / 1000 + 0.01, self.tick)

    def start_engine(self) -> None:
        """Start an engine that was stopped."""
        self._become(engine=Engine.GONE)
        self._hurry.set()

    def show_now(self) -> None:
        """Show the newest fleet at once, on a phone too: a person waits to see what they did."""
        if self.source is not None:
            self._become(fleet=self.source.fleet)

    def _become(self, **changes: object) -> None:
        fleet = changes.get("fleet", self.view.fleet)
        assert isinstance(fleet, Fleet)
        self.view = replace(self.view, counts=self.view.counts.after(fleet.agents), **changes)  # type: ignore[arg-type]
        self._show(self.view)

    # ------------------------------------------------------------------ the connection

    async def run(self) -> None:
        """Connect, show what the engine says, and connect again when it is lost."""
        from controlroom.client.client import EngineUnavailable

        wait = _FIRST_WAIT
        while True:
            try:
                source = await self._connect(self.view.engine is not Engine.STOPPED)
            except EngineUnavailable as error:
                self._lost(str(error))
                await self._pause(max(wait, error.rest))
                wait = min(_LONGEST_WAIT, wait * 2)
                continue
            wait = _FIRST_WAIT
            await self._live(source)
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; `start_engine` ends it."""
        self._hurry.clear()
        try:
            await asyncio.wait_for(self._hurry.wait(), seconds)
        except TimeoutError:
            return

    async def _live(self, source: Source) -> None:
        """Show what the engine says, until it is gone."""
        from controlroom.client.client import EngineUnavailable

        self.source = source
        pages = asyncio.ensure_future(unless_lost(self._logs.pump(source)))
        reason = "the engine has stopped"
        try:
            self._reached(source)
            await self._views(source)
        except EngineUnavailable as error:
            reason = str(error)
        finally:
            self.source = None
            self._logs.connect(None)
            pages.cancel()
            await asyncio.gather(pages, return_exceptions=True)
        self._lost(reason, stopped=source.stopped)
        try:
            await source.close()
        except (EngineUnavailable, OSError):
            return

    async def _views(self, source: Source) -> None:
        while source.connected:
            began = time.thread_time()
            self._become(now=self._adjusted_now(source), fleet=self._throttled(source.fleet), known=True)
            took = time.thread_time() - began
            await asyncio.sleep(max(frame_of(self._width()), min(_LONGEST, _REST * took)))
            await source.changed()
            await self._keyboard.quiet()

    def _adjusted_now(self, source: Source) -> int:
        """The time to count ages by: ages move once a minute, but not because a clock was set."""
        jumped = source.ahead - self._ahead
        if abs(jumped) < _JUMP:
            return self.view.now
        self._ahead = source.ahead
        return self.view.now + jumped

    def _throttled(self, fleet: Fleet) -> Fleet:
        """The fleet with lines held back where the screen is a phone's; a timer shows them if nothing else does."""
        throttled = self._lines.shown(fleet, self._width(), self._monotonic())
        if self._lines.late and not self._lines_due:
            self._lines_due = True
            self._wait(LINE_PACE, self._show_late)
        return throttled

    def _show_late(self) -> None:
        self._lines_due = False
        if self.source is not None:
            self._become(fleet=self._throttled(self.source.fleet))

    def _reached(self, source: Source) -> None:
        self._ahead = source.ahead
        self._become(
            now=self.now(),
            fleet=source.fleet,
            engine=Engine.HERE,
            reason="",
            known=True,
            read_only=source.read_only,
            where=source.where,
        )
        self._logs.connect(source)

    def _lost(self, reason: str, stopped: bool = False) -> None:
        before = self.view
        gone = before.engine in (Engine.GONE, Engine.STOPPED)
        if before.engine is Engine.STOPPED:
            stopped, reason = True, before.reason
        engine = Engine.STOPPED if stopped else Engine.GONE
        self._become(now=self.now(), engine=engine, reason=reason, gone_since=before.gone_since if gone else self.now())
