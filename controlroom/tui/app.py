"""The app: puts its parts together, hands every new view state to the screen on top, and runs what keys mean."""

import os
import time
from collections.abc import Callable, Coroutine
from datetime import tzinfo
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.filter import NoColor
from textual.screen import Screen
from textual.worker import WorkerFailed

from controlroom.domain.keys.keymap import DEFAULT, Keymap
from controlroom.tui.context import (
    NOTHING_ASKED,
    Asked,
    ChooseAnswer,
    Context,
    ContextApp,
    Level,
    OpenAgent,
    OpenAttempt,
    OpenHosts,
    OpenTasks,
    OpenThemes,
    RunAction,
    Say,
    SubmitOrder,
    SubmitPlan,
    UseTheme,
)
from controlroom.tui.engine_client import Connect, unless_lost
from controlroom.tui.link import EngineLink
from controlroom.tui.logs.log_follower import LogFollower
from controlroom.tui.review_drafts import ReviewDrafts
from controlroom.tui.screens.base import BREAKPOINTS, Motion, RoomScreen, plain_key, say, top_screen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.terminal.bell import Bell
from controlroom.tui.terminal.keyboard import Keyboard
from controlroom.tui.terminal.restore import OnceDriver, stop
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.memory import LastLook, Layouts
from controlroom.tui.theme.theme import textual_theme
from controlroom.tui.theme.theme_file import ThemeFile
from controlroom.tui.theme.theme_store import ThemeStore
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.log import LogView

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.tui.logs.log_buffer import LogBuffer

_READ = 1.0
"""Seconds for which somebody reads the first frame."""

FRAME = 0.04
"""Seconds between two messages of the engine at least: everything in one of them is painted together."""


def utc_now() -> int:
    """The time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class ControlRoomApp(ContextApp):
    """The control room's screen. It holds no truth: all it shows came from the engine a moment ago."""

    CSS_PATH = Path(__file__).parent / "controlroom.tcss"
    TITLE = "control room"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", "leave", show=False, priority=True),
        Binding("ctrl+p", "find", "all", show=False),
        Binding("ctrl+z", "suspend_process", "stop", show=False, priority=True),
    ]
    told = 0
    """The exit code of the signal that ends the app; 0: no signal came."""

    def __init__(
        self,
        connect: Connect,
        *,
        themes: ThemeStore | None = None,
        keys: Keymap = DEFAULT,
        now: Callable[[], int] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        zone: tzinfo | None = None,
        read_only: bool = False,
        hold_keys: bool = False,
        bell: Bell | None = None,
    ) -> None:
        """`connect` reaches the engine; `now` (UTC ms), `monotonic` (s) and `zone` are the clocks to go by.

        `read_only`: what to show until the engine says what is allowed. `hold_keys`: tell a paste from keys.
        """
        for name in ("COLUMNS", "LINES"):  # exported by a shell, they would hold against the terminal's real size
            os.environ.pop(name, None)
        themes = themes or ThemeStore()
        colourless = themes.depth is Depth.NONE
        super().__init__(OnceDriver, ansi_color=True if colourless else None)
        if colourless and not self.no_color:
            self._filters.append(NoColor())
        view = ViewState(now=now(), zone=zone, read_only=read_only)
        self.context = self._parts(connect, view, themes, keys, now, monotonic, hold_keys)
        self.use_theme(themes.current)
        self.troubles: list[str] = []
        """What is wrong with the settings, in sentences that are shown when the screen is there."""
        self.mistake: BaseException | None = None
        """An error of the app itself; whoever runs it reports it after the terminal is restored."""
        self.on_start: Callable[[], None] = lambda: None
        """Called once when the loop runs."""
        self._bell = bell
        self._overview = Overview()

    def _parts(
        self,
        connect: Connect,
        view: ViewState,
        themes: ThemeStore,
        keys: Keymap,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        hold_keys: bool,
    ) -> Context:
        logs = LogFollower(self.work, self.log_grown, monotonic)
        keyboard = Keyboard(
            monotonic,
            ready=lambda: getattr(self.screen, "made", True),
            deliver=self._key,
            pasted=self._pasted,
            wait=self.set_timer if hold_keys else None,
        )
        link = EngineLink(
            connect,
            view,
            show=self._show,
            logs=logs,
            keyboard=keyboard,
            now=now,
            monotonic=monotonic,
            width=lambda: self.size.width,
            wait=self.set_timer,
        )
        memory = themes.memory
        kept = Layouts(memory), LastLook(memory), ReviewDrafts(memory)
        return Context(link, logs, keyboard, keys, themes, *kept, monotonic)

    # ------------------------------------------------------------------ beginning and end

    def get_default_screen(self) -> Screen[Any]:
        """The overview lies under everything."""
        return self._overview

    def on_ready(self) -> None:
        """The first frame is painted: now reach for the engine, and let the minutes go by."""
        self.on_start()
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))  # after Ctrl-Z and fg
        if self.troubles:
            say(self, " ".join(self.troubles), Level.DANGER)
        self.context.link.tick_later()
        self.call_after_refresh(self.work, self.context.link.run())
        self.set_timer(_READ, self._load_actions)

    def _load_actions(self) -> None:
        """Load what keys do, in a thread: neither the first frame nor the first key is to wait for it."""
        self.run_worker(partial(import_module, "controlroom.tui.actions.actions"), thread=True)

    def work(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that takes a while; an error in it ends the app, losing the engine does not."""
        self.run_worker(unless_lost(work), exit_on_error=True)

    def _handle_exception(self, error: Exception) -> None:
        """Close at the first error of our own. Textual would print a traceback with the values of all variables."""
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

    async def _close_all(self) -> None:
        """The end: what still arrives finds no screen."""
        self.context.closing = True
        await super()._close_all()

    def action_leave(self) -> None:
        """Leave: agents and engine live on."""
        if self.context.view.known:
            self.context.last_look.leave(self.context.fleet, self.context.link.now())
        self.exit()

    def action_suspend_process(self) -> None:
        """Stop until the shell continues the app."""
        if not stop(self):
            say(self, f"there is no shell under this screen; {self.context.keys.shown('back')} leaves it")

    # ------------------------------------------------------------------ what the screens show

    def _show(self, view: ViewState) -> None:
        ring = self._bell.hear(view.fleet, self.context.monotonic()) if self._bell and view.known else ""
        if ring and self._driver and not self.is_headless:
            self._driver.write(ring)
        screen = top_screen(self)
        if screen is None:
            return
        screen.news(view)
        if self.screen is not screen:
            from controlroom.tui.screens.dialogs import Sheet  # where one lies on top, it is loaded

            if isinstance(self.screen, Sheet) and self.screen.made:
                self.screen.news(view)

    def log_grown(self, book: "LogBuffer") -> None:
        """Show what was added to a log, if the screen on top shows that log."""
        if screen := top_screen(self):
            screen.log_grown(book.agent)

    @on(UseTheme)
    def _use_theme(self, event: UseTheme) -> None:
        self.use_theme(event.file)

    def refresh_css(self, animate: bool = True) -> None:
        """Style anew what is there; before the first screen nothing is, and to parse the style sheet once will do."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())
            self.stylesheet.update(self, animate=animate)

    def use_theme(self, file: ThemeFile) -> None:
        """Draw everything in the colours of a theme."""
        themes = self.context.themes
        themes.use(file)
        self.register_theme(textual_theme(file, themes.depth))
        self.theme = file.name
        if not self.is_running:
            return
        for screen in self.screen_stack:
            for lines in screen.query(Lines):
                lines.redraw()
        if top := top_screen(self):
            top.see(self.context.view)

    # ------------------------------------------------------------------ keys

    async def on_event(self, event: events.Event) -> None:
        """Take keys in order, each for the screen it was meant for; everything else goes Textual's way."""
        keyboard = self.context.keyboard
        if isinstance(event, (events.Key, events.MouseDown)) and not event.is_forwarded:
            keyboard.used()
            if screen := top_screen(self):
                screen.keep_choice()
            if self.context.view.known:
                self.context.last_look.touched(self.context.fleet, self.context.link.now())
        if isinstance(event, events.Key) and not event.is_forwarded:
            await keyboard.take(event)
            return
        if isinstance(event, (events.Paste, events.MouseEvent)):
            await keyboard.flush()
        await super().on_event(event)

    async def _key(self, event: events.Key) -> None:
        """Run what a key means on the screen on top; where it means nothing it is Textual's."""
        screen = self.screen
        if isinstance(screen, RoomScreen) and screen.focused is None and not event.key.startswith("ctrl+"):
            held = self.context.keyboard.timing.held(plain_key(event))
            command = screen.command(event)
            if isinstance(command, Motion):
                self._move(command, held)
            elif command is not None and not (held and command.changes):
                self._run(command.name)
            if command is not None:
                return
        await super().on_event(event)

    def _move(self, motion: Motion, held: bool) -> None:
        if not motion.answer:
            if action := motion.do():
                self._run(action)
        elif not held:
            self._choose(motion.answer)

    def _choose(self, answer: int) -> None:
        from controlroom.tui.actions.questions import choose

        choose(self, answer)

    def _run(self, name: str) -> None:
        from controlroom.tui.actions.actions import do

        do(self, name)

    async def _pasted(self, text: str) -> None:
        """A paste has come as keys: text for a field, and nothing where keys are commands."""
        if self.screen.focused is not None:
            await super().on_event(events.Paste(text))
        else:
            say(self, f"that looked like a paste ({len(text)} characters): nothing was done", Level.DANGER)

    def action_find(self) -> None:
        """Open the palette."""
        self._run("palette")

    # ------------------------------------------------------------------ what screens ask for

    @on(RunAction)
    def _run_action(self, event: RunAction) -> None:
        if self._is_on_show(event.asked):
            self._run(event.action_name)

    @on(Say)
    def _say(self, event: Say) -> None:
        say(self, event.text, event.level)

    @on(ChooseAnswer)
    def _choose_answer(self, event: ChooseAnswer) -> None:
        if self._is_on_show(event.asked):
            self._choose(event.number)

    def _is_on_show(self, asked: Asked) -> bool:
        """Whether a question that was tapped is still the one that actions are about, or none was."""
        screen = self.screen
        panel = screen.question_here() if isinstance(screen, RoomScreen) else None
        return asked == NOTHING_ASKED or (panel is not None and panel.asked == asked)

    @on(SubmitOrder)
    def _submit_order(self, event: SubmitOrder) -> None:
        from controlroom.domain.intents import ForgetAgent
        from controlroom.tui.actions.orders import forget, order

        submit = partial(order, self, event.intent, event.done)
        if isinstance(event.intent, ForgetAgent):
            forget(self, f"{event.intent.agent.rpartition('/')[2]} is", submit)
        else:
            submit()

    @on(SubmitPlan)
    def _submit_plan(self, event: SubmitPlan) -> None:
        from controlroom.tui.actions.orders import forget, order_all

        if event.plan.action == "forget":
            forget(self, f"{len(event.plan.targets)} agents are", partial(order_all, self, event.plan))
        else:
            order_all(self, event.plan)

    @on(OpenAgent)
    def _open_agent(self, event: OpenAgent) -> None:
        from controlroom.tui.actions.navigate import open_agent

        open_agent(self, event.agent)

    @on(OpenHosts)
    def _open_hosts(self, event: OpenHosts) -> None:
        from controlroom.tui.actions.navigate import open_hosts

        open_hosts(self, event.host)

    @on(OpenAttempt)
    def _open_attempt(self, event: OpenAttempt) -> None:
        from controlroom.tui.actions.navigate import open_attempt

        open_attempt(self, event.attempt)

    @on(OpenTasks)
    def _open_tasks(self, event: OpenTasks) -> None:
        from controlroom.tui.actions.navigate import open_tasks

        open_tasks(self, event.task)

    @on(OpenThemes)
    def _open_themes(self, event: OpenThemes) -> None:
        from controlroom.tui.actions.navigate import open_themes

        open_themes(self, event.theme_name)

    @on(LogView.Wanted)
    def _log_wanted(self, event: LogView.Wanted) -> None:
        if not event.over:
            self.context.logs.want(event.book, event.which)

    @on(LogView.Jumped)
    def _log_jumped(self, event: LogView.Jumped) -> None:
        self.context.logs.jump(event.book, event.place)
