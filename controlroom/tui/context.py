"""What screens, widgets and actions share: a context to read from, and messages that ask the app for something."""

from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from textual.app import App
from textual.message import Message

from controlroom.domain.keys.keymap import Keymap
from controlroom.domain.model import Fleet
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.engine_client import Source
from controlroom.tui.link import EngineLink
from controlroom.tui.logs.log_follower import LogFollower
from controlroom.tui.review_drafts import ReviewDrafts
from controlroom.tui.terminal.keyboard import Keyboard
from controlroom.tui.theme.memory import LastLook, Layouts
from controlroom.tui.theme.theme import Palette
from controlroom.tui.theme.theme_file import ThemeFile
from controlroom.tui.theme.theme_store import ThemeStore
from controlroom.tui.view_state import ViewState

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.domain.intents import Intent
    from controlroom.domain.keys.many import AnyPlan
    from controlroom.domain.tasks import Attempt


class Undo(NamedTuple):
    """What takes something back, until a moment of the room's monotonic clock (seconds)."""

    take_back: Callable[[], None]
    until: float


@dataclass
class Context:
    """The parts of the app. Screens and widgets read them; only the app replaces what they hold."""

    link: EngineLink
    logs: LogFollower
    keyboard: Keyboard
    keys: Keymap
    themes: ThemeStore
    layouts: Layouts
    last_look: LastLook
    reviews: ReviewDrafts
    monotonic: Callable[[], float]
    """Seconds, to measure durations."""
    drafts: dict[str, str] = field(default_factory=dict)
    """Unsent texts of forms that were left, by form."""
    looked_at: str = ""
    """The id of the agent that had the screen to itself last: the overview's cursor goes on there."""
    undos: list[Undo] = field(default_factory=list)
    """Takes back what was done, the newest last, where and as long as that can be."""
    forget_after: float = 10.0
    """Seconds for which an agent that is to be forgotten can be kept."""
    tidying: bool = False
    """Whether what screens that are gone have left behind is about to be freed."""
    closing: bool = False
    """Whether the app is on its way out: nothing is shown any more."""

    @property
    def view(self) -> ViewState:
        """The fleet and the state of the link, as last shown."""
        return self.link.view

    @property
    def fleet(self) -> Fleet:
        """The fleet as last shown."""
        return self.link.view.fleet

    @property
    def source(self) -> Source | None:
        """The engine; None while it cannot be reached."""
        return self.link.source

    @property
    def palette(self) -> Palette:
        """The styles to draw with."""
        return self.themes.palette


class ContextApp(App[None]):
    """An app with a context."""

    context: Context


def context_of(app: App[Any]) -> Context:
    """The context of the app that a screen or widget stands in."""
    return cast(ContextApp, app).context


Asked = tuple[str, str]
"""A question: the host or agent that it is about, and its id."""

NOTHING_ASKED: Asked = ("", "")


class Level(Enum):
    """How a status message looks."""

    DONE = "done"
    NOTE = "note"
    DANGER = "danger"


@dataclass(eq=False, repr=False)
class Say(Message):
    """Show a status message on the screen on top."""

    text: str
    level: Level = Level.NOTE


@dataclass(eq=False, repr=False)
class RunAction(Message):
    """Run an action of the table on the screen on top. `asked`: only while this is the question on show there."""

    action_name: str
    asked: Asked = NOTHING_ASKED


@dataclass(eq=False, repr=False)
class ChooseAnswer(Message):
    """Answer the question on the screen on top with one of its choices, counted from 1, while `asked` is on show."""

    number: int
    asked: Asked


@dataclass(eq=False, repr=False)
class SubmitOrder(Message):
    """Submit an intent to the engine; `done` is the status message once it was carried out."""

    intent: "Intent"
    done: str = ""


@dataclass(eq=False, repr=False)
class SubmitPlan(Message):
    """Submit the same intent for many agents or tasks."""

    plan: "AnyPlan"


@dataclass(eq=False, repr=False)
class OpenAgent(Message):
    """Show an agent."""

    agent: str


@dataclass(eq=False, repr=False)
class OpenHosts(Message):
    """Show the hosts, with the cursor on one of them."""

    host: str


@dataclass(eq=False, repr=False)
class OpenAttempt(Message):
    """Show the log of an attempt at a task."""

    attempt: "Attempt"


@dataclass(eq=False, repr=False)
class OpenTasks(Message):
    """Show the tasks, with the cursor on one of them."""

    task: str = ""


@dataclass(eq=False, repr=False)
class OpenThemes(Message):
    """Offer the themes, with the cursor on one of them."""

    theme_name: str


@dataclass(eq=False, repr=False)
class UseTheme(Message):
    """Draw everything in the colours of a theme."""

    file: ThemeFile
