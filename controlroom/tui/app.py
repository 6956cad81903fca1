"""The app: keeps the link to the engine, hands every screen the newest picture, and does what keys say."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import WorkerFailed

from controlroom.domain.keys.keymap import DEFAULT, Keymap
from controlroom.domain.model import Fleet
from controlroom.domain.news import happened_since
from controlroom.tui.dressed import DressedApp
from controlroom.tui.engine_client import Connect, Source
from controlroom.tui.keyed import KeyedApp
from controlroom.tui.logs.log_buffer import LogBuffer
from controlroom.tui.reading import ReadingApp
from controlroom.tui.room import Level
from controlroom.tui.screens.base import BREAKPOINTS, RoomScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.terminal.bell import Bell
from controlroom.tui.terminal.restore import stop
from controlroom.tui.terminal.throttle import LINE_PACE, NARROW, ThrottledLines
from controlroom.tui.theme import theme
from controlroom.tui.theme.memory import LastLook
from controlroom.tui.theme.theme import Glyphs
from controlroom.tui.theme.theme_store import ThemeFile, ThemeStore
from controlroom.tui.view_state import Engine, ViewState

if TYPE_CHECKING:
    from controlroom.domain.intents import Intent

_MINUTE = 60_000
_JUMP = 2_000
"""Milliseconds by which a clock is set at least: anything less is the way that news take."""
FRAME = 0.04
"""Seconds between two pieces of news that the engine gives us at least: all of one are painted together."""
_SHORTEST = 0.02
"""Seconds between two pictures at least, whoever gives them."""
_PHONE_FRAME = 0.5
"""The same on a phone: every packet wakes its radio."""
_REST, _LONGEST = 4, 0.5
"""How many times longer than the last picture took the next one waits, in seconds at most: keys come in between."""
_KEY_FIRST, _KEYS_MOST = 0.06, 0.4
"""Seconds for which the next picture waits after a key, so that what that does is painted first; and after many keys
at most."""
_FIRST_WAIT, _LONGEST_WAIT = 0.3, 5.0
"""Seconds between two attempts to reach the engine."""


def utc_now() -> int:
    """Give UTC milliseconds."""
    return time.time_ns() // 1_000_000


class ControlRoomApp(KeyedApp, ReadingApp, DressedApp):
    """The control room's screen. It holds no truth: all it knows came from the engine a moment ago."""

    CSS_PATH = Path(__file__).parent / "controlroom.tcss"
    TITLE = "control room"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", "leave", show=False, priority=True),
        Binding("ctrl+p", "find", "all", show=False),
        Binding("ctrl+z", "suspend_process", "stop", show=False, priority=True),
    ]

    def __init__(
        self,
        connect: Connect,
        *,
        theme_file: ThemeFile | None = None,
        theme_store: ThemeStore | None = None,
        keys: Keymap = DEFAULT,
        glyphs: Glyphs = theme.RICH_GLYPHS,
        now: Callable[[], int] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        zone: tzinfo | None = None,
        read_only: bool = False,
        hold_keys: bool = False,
    ) -> None:
        """`connect` reaches the engine; `now` (UTC ms), `monotonic` (s) and `zone` are the clocks to go by.

        `read_only`: what to show until the engine says what we may do. `hold_keys`: tell a paste from keys.
        """
        for name in ("COLUMNS", "LINES"):  # exported by a shell, they would hold against the terminal's real size
            os.environ.pop(name, None)
        super().__init__(theme_file, theme_store, glyphs)
        self.keys = keys
        self.keys_begin(monotonic, hold_keys)
        self.troubles: list[str] = []
        """What is wrong with the settings, in sentences that are said when the screen is there."""
        self._connect_engine = connect
        self._own_clock, self._ahead = now, 0
        self.monotonic = monotonic
        self.view = ViewState(now=now(), zone=zone, read_only=read_only)
        self.source = None
        self.mistake: BaseException | None = None
        """What went wrong in the app itself; whoever runs it reports it after the terminal is restored."""
        self.on_start: Callable[[], None] = lambda: None
        """Called once when the loop runs."""
        self._over = False
        self._hurry = asyncio.Event()
        self.alert: Bell | None = None
        """What rings, if anything does."""
        self._key_at = -1.0
        """When somebody pressed a key or tapped last, by the loop's time."""
        self._last_look = LastLook(self.theme_store.memory)
        self._calm = ThrottledLines()
        self._calm_due: Timer | None = None
        self.drafts = {}
        self.reading_begin(monotonic)
        self._overview = Overview()

    # ------------------------------------------------------------------ beginning

    def get_default_screen(self) -> Screen[Any]:
        """The overview lies under everything."""
        return self._overview

    def on_ready(self) -> None:
        """The first frame is painted: now reach for the engine, and let the minutes go by."""
        self.on_start()
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))  # after Ctrl-Z and fg
        if self.troubles:
            self.say(" ".join(self.troubles), Level.DANGER)
        self._next_tick()
        self.call_after_refresh(self.work, self._keep_connected())

    def _handle_exception(self, error: Exception) -> None:
        """Close at the first mistake of our own. Textual would print a traceback with the values of all variables."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.mistake is None:
            self.mistake = cause
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    def panic(self, *renderables: object) -> None:
        """Close: the terminal can no longer be read."""
        self._return_code = 1
        self._close_messages_no_wait()

    def work(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that takes a while; what goes wrong in it ends the app, an engine that is lost does not."""
        self.run_worker(self._patient(work), exit_on_error=True)

    async def _patient(self, work: Coroutine[Any, Any, None]) -> None:
        """A lost engine is not an error of the work that needed it: the link says so, and comes back."""
        from controlroom.client.client import EngineUnavailable

        try:
            await work
        except EngineUnavailable:
            return

    def _now(self) -> int:
        """Say what time it is by the engine's clock, UTC ms, as far as it has been heard."""
        return self._own_clock() + self._ahead

    def _next_tick(self) -> None:
        """Wake up when the next minute begins."""
        self.set_timer((_MINUTE - self._own_clock() % _MINUTE) / 1000 + 0.01, self.tick)

    def tick(self) -> None:
        """A minute has passed: all ages move, together."""
        self._see(replace(self.view, now=self._now()))
        self._next_tick()

    # ------------------------------------------------------------------ the engine

    async def _keep_connected(self) -> None:
        from controlroom.client.client import EngineUnavailable

        wait = _FIRST_WAIT
        while True:
            try:
                source = await self._connect_engine(self.view.engine is not Engine.STOPPED)
            except EngineUnavailable as error:
                self._engine_gone(str(error))
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

    def start_engine(self) -> None:
        """Somebody wants something of an engine that was stopped: start it."""
        self._see(replace(self.view, engine=Engine.GONE))
        self._hurry.set()

    async def _live(self, source: Source) -> None:
        """Show what the engine says, until it is gone."""
        from controlroom.client.client import EngineUnavailable

        self.source = source
        pages = asyncio.ensure_future(self._patient(self._reader.pump(source)))
        reason = "the engine has stopped"
        try:
            self._engine_here(source)
            await self._views(source)
        except EngineUnavailable as error:
            reason = str(error)
        finally:
            self.source = None
            self._reader.connect(None)
            pages.cancel()
            await asyncio.gather(pages, return_exceptions=True)
        self._engine_gone(reason, stopped=source.stopped)
        await self._let_go(source)

    async def _views(self, source: Source) -> None:
        while source.connected:
            began = time.thread_time()
            now, fleet = self._heard_clock(source), self._calmed(source.fleet)
            self._see(replace(self.view, now=now, fleet=fleet, known=True))
            took = time.thread_time() - began
            await asyncio.sleep(max(self._frame, min(_LONGEST, _REST * took)))
            await source.changed()
            await self._keys_first()

    async def _keys_first(self) -> None:
        """Let what a key does be painted before the next picture is made."""
        time = asyncio.get_running_loop().time
        until = time() + _KEYS_MOST
        while (wait := min(until, self._key_at + _KEY_FIRST) - time()) > 0:  # noqa: ASYNC110 - another key may come
            await asyncio.sleep(wait)

    def _heard_clock(self, source: Source) -> int:
        """Give the time to count ages by: ages move once a minute, but not because a clock was set."""
        jumped = source.ahead - self._ahead
        if abs(jumped) < _JUMP:
            return self.view.now
        self._ahead = source.ahead
        return self.view.now + jumped

    def _calmed(self, fleet: Fleet) -> Fleet:
        """Give the fleet as calm as a phone wants it; what is held back comes in its time, if nothing else does."""
        calm = self._calm.shown(fleet, self.size.width, self.monotonic())
        if self._calm.late and self._calm_due is None:
            self._calm_due = self.set_timer(LINE_PACE, self._see_late)
        return calm

    def _see_late(self) -> None:
        self._calm_due = None
        if self.source is not None:
            self._see(replace(self.view, fleet=self._calmed(self.source.fleet)))

    @property
    def _frame(self) -> float:
        return _PHONE_FRAME if self.size.width < NARROW else _SHORTEST

    @property
    def paint_pause(self) -> float:
        """Seconds between two paintings of a log that grows."""
        return self._frame

    async def _let_go(self, source: Source) -> None:
        from controlroom.client.client import EngineUnavailable

        try:
            await source.close()
        except (EngineUnavailable, OSError):
            return

    def _engine_here(self, source: Source) -> None:
        self._ahead = source.ahead
        seen = replace(self.view, now=self._now(), fleet=source.fleet, engine=Engine.HERE, reason="", known=True)
        self._see(replace(seen, read_only=source.read_only, where=source.where))
        self._reader.connect(source)

    def _engine_gone(self, reason: str, stopped: bool = False) -> None:
        before = self.view
        gone = before.engine in (Engine.GONE, Engine.STOPPED)
        if before.engine is Engine.STOPPED:
            stopped, reason = True, before.reason
        engine = Engine.STOPPED if stopped else Engine.GONE
        since = before.gone_since if gone else self._now()
        self._see(replace(before, now=self._now(), engine=engine, reason=reason, gone_since=since))

    # ------------------------------------------------------------------ what the screens see

    def _see(self, view: ViewState) -> None:
        said = self.alert.hear(view.fleet, self.monotonic()) if self.alert and view.known else ""
        if said and self._driver and not self.is_headless:
            self._driver.write(said)
        self.view = view = replace(view, counts=self.view.counts.after(view.fleet.agents))
        screen = self._looked_at()
        if screen is not None:
            with self.batch_update():
                screen.news(view)

    def see_anew(self) -> None:
        """Draw what is looked at, all of it."""
        screen = self._looked_at()
        if screen is not None:
            screen.see(self.view)

    def _looked_at(self) -> RoomScreen | None:
        """Give the screen on top, also where a sheet lies over it; None while it is being made or taken apart."""
        if self._over:
            return None
        top = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, RoomScreen)), None)
        return top if top is not None and top.made else None

    def looks_at(self, screen: Screen[Any]) -> bool:
        """Say whether somebody looks at a screen; a sheet may lie over it."""
        return self._looked_at() is screen

    def log_grown(self, book: LogBuffer) -> None:
        """More of a log is held: who looks at it sees it."""
        screen = self._looked_at()
        if screen is not None:
            screen.log_grown(book.agent)

    async def _close_all(self) -> None:
        """The end: what still arrives finds no screen."""
        self._over = True
        await super()._close_all()

    def touched(self) -> None:
        """Somebody is here."""
        self._key_at = asyncio.get_running_loop().time()
        if self.view.known:
            self._last_look.touched(self.view.fleet, self._now())

    def absence(self, view: ViewState) -> tuple[str, str]:
        """Say since when nobody had looked, and what has happened since; nothing when somebody was here."""
        before = self._last_look.before(view.now) if view.known else None
        return (view.clock(before.at), happened_since(view.fleet, before, view.now)) if before else ("", "")

    # ------------------------------------------------------------------ what keys do

    def do(self, name: str) -> None:
        """Do an action of the table on the screen that is on top, or say why not."""
        from controlroom.tui.actions.actions import do

        do(self, name)

    def choose(self, number: int) -> None:
        """Answer the question on the screen that is on top with one of its choices, counted from 1."""
        from controlroom.tui.actions.actions import choose

        choose(self, number)

    def open_agent(self, agent: str) -> None:
        """Show an agent; from one agent to another the way back stays one step."""
        from controlroom.tui.actions.navigate import open_agent

        open_agent(self, agent)

    def open_hosts(self, host: str | None = None) -> None:
        """Show the hosts, with the cursor on one of them."""
        from controlroom.tui.actions.navigate import open_hosts

        open_hosts(self, host)

    def open_themes(self, name: str = "") -> None:
        """Offer the themes, beginning with one of them, or with the one that is worn."""
        from controlroom.tui.actions.navigate import open_themes

        open_themes(self, name)

    def action_leave(self) -> None:
        """Leave: agents and engine live on."""
        if self.view.known:
            self._last_look.leave(self.view.fleet, self._now())
        self.exit()

    def action_suspend_process(self) -> None:
        """Stop until the shell goes on with us."""
        if not stop(self):
            self.say(f"no shell waits under this screen; {self.keys.shown('back')} leaves it")

    def action_find(self) -> None:
        """Open the palette."""
        self.do("palette")

    def say(self, text: str, level: Level = Level.NOTE) -> None:
        """Say something on the screen that is on top; longer for longer texts."""
        screen = self._looked_at()
        if screen is not None:
            screen.say(text, level, seconds=4 + len(text) / 20)

    def order(self, intent: "Intent", done: str = "") -> None:
        """Ask the engine for something; `done` is said when it was done."""
        if self.source is None:
            self.say(f"not done: the engine is not here ({self.view.reason or 'still starting'})", Level.DANGER)
            return
        from controlroom.tui.actions.order import order

        self.work(order(self, self.source, intent, done))

    def see_now(self, source: Source) -> None:
        """Show the newest fleet: what one does oneself shows at once, on a phone too."""
        self._see(replace(self.view, fleet=source.fleet))

    def attach(self, agent: str) -> None:
        """Hand the terminal to an agent's session."""
        from controlroom.tui.actions.attach import attach

        self.work(attach(self, agent))
