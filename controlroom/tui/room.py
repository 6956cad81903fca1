"""The app as its parts see it: what screens, widgets and actions may ask of it. `app` is the one that answers."""

from collections.abc import Callable, Coroutine, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

from controlroom.domain.keys.keymap import Keymap
from controlroom.domain.model import Agent, Fleet
from controlroom.tui.engine_client import Source
from controlroom.tui.logs.log_buffer import LogBuffer
from controlroom.tui.logs.log_search import LogSearch
from controlroom.tui.terminal.keyboard import KeyTiming
from controlroom.tui.theme.memory import Layouts
from controlroom.tui.theme.theme import Palette
from controlroom.tui.theme.theme_store import ThemeFile, ThemeStore
from controlroom.tui.view_state import ViewState

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.domain.intents import Intent


class Level(Enum):
    """How a saying looks."""

    DONE = "done"
    NOTE = "note"
    DANGER = "danger"


class Room(App[None]):
    """What is known, what it looks like, and what can be asked for."""

    view: ViewState
    """What is known now."""
    source: Source | None
    """The engine, while it is here."""
    keys: Keymap
    keys_wait: bool
    """Whether somebody is on the way to another screen: keys are for that one."""
    touch: KeyTiming
    """When keys came."""
    monotonic: Callable[[], float]
    """Seconds, for what lasts."""
    drafts: dict[str, str]
    """Texts that somebody began to write and left."""
    palette: Palette
    """The styles to draw with."""
    worn: ThemeFile
    """The theme that they are of."""
    theme_store: ThemeStore
    layouts: Layouts
    """How the screens are arranged."""

    @property
    def fleet(self) -> Fleet:
        """What is known of everything."""
        return self.view.fleet

    @property
    def paint_pause(self) -> float:
        """Seconds between two paintings of a log that grows."""
        raise NotImplementedError

    def looks_at(self, screen: Screen[Any]) -> bool:
        """Say whether somebody looks at a screen; a sheet may lie over it."""
        raise NotImplementedError

    def absence(self, view: ViewState) -> tuple[str, str]:
        """Say since when nobody had looked, and what has happened since; nothing when somebody was here."""
        raise NotImplementedError

    # ------------------------------------------------------------------ said and done

    def say(self, text: str, level: Level = Level.NOTE) -> None:
        """Say something on the screen that is on top; longer for longer texts."""
        raise NotImplementedError

    def do(self, name: str) -> None:
        """Do an action of the table on the screen that is on top, or say why not."""
        raise NotImplementedError

    def choose(self, number: int) -> None:
        """Answer the question on the screen that is on top with one of its choices, counted from 1."""
        raise NotImplementedError

    def order(self, intent: "Intent", done: str = "") -> None:
        """Ask the engine for something; `done` is said when it was done."""
        raise NotImplementedError

    def work(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that takes a while; what goes wrong in it ends the app, an engine that is lost does not."""
        raise NotImplementedError

    def wear(self, file: ThemeFile) -> None:
        """Draw everything in these colours from now on."""
        raise NotImplementedError

    def open_agent(self, agent: str) -> None:
        """Show an agent; from one agent to another the way back stays one step."""
        raise NotImplementedError

    def open_hosts(self, host: str | None = None) -> None:
        """Show the hosts, with the cursor on one of them."""
        raise NotImplementedError

    def open_themes(self, name: str = "") -> None:
        """Offer the themes, beginning with one of them, or with the one that is worn."""
        raise NotImplementedError

    async def screen_made(self) -> None:
        """A screen is ready: it gets what was typed while it was made."""
        raise NotImplementedError

    # ------------------------------------------------------------------ the engine

    def start_engine(self) -> None:
        """Somebody wants something of an engine that was stopped: start it."""
        raise NotImplementedError

    def see_now(self, source: Source) -> None:
        """Show the newest fleet: what one does oneself shows at once, on a phone too."""
        raise NotImplementedError

    def attach(self, agent: str) -> None:
        """Hand the terminal to an agent's session."""
        raise NotImplementedError

    # ------------------------------------------------------------------ logs

    def read_logs(self, wanted: Mapping[str, int]) -> None:
        """Follow these logs from now on: agent id -> epoch."""
        raise NotImplementedError

    def book(self, agent: Agent | None) -> LogBuffer | None:
        """Give what is held of an agent's log."""
        raise NotImplementedError

    def search(self, log_search: LogSearch, found: Callable[[LogSearch], None]) -> None:
        """Search on as far as is wanted; `found` is told of every piece."""
        raise NotImplementedError
