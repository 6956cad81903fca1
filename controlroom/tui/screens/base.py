"""What all screens share: the gauge line, the footer, and keys that become actions."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from textual import events, on
from textual.screen import Screen

from controlroom.domain.keys.actions import Action, unavailable
from controlroom.tui.room import Level, Room
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.lines import Painting
from controlroom.tui.widgets.question import QuestionPanel

BREAKPOINTS = [(0, "-phone"), (60, "-narrow"), (100, "-normal"), (160, "-wide")]


@dataclass(frozen=True)
class Motion:
    """A key of one screen alone: most move the view and change nothing else."""

    keys: str
    """As Textual names them, apart by spaces; the first is the one that is shown."""
    help: str
    do: Callable[[], None]
    decides: bool = False
    """It answers something: a held key does not."""


def plain_key(event: events.Key) -> str:
    """Name a key as the tables do: letters small (phone keyboards begin with a capital), Backspace as `q`."""
    if event.key == "space":
        return "space"
    if event.is_printable and event.character:
        return event.character.lower()
    return event.key


class RoomScreen(Screen[None]):
    """A screen of the control room."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS: ClassVar[str | None] = ""
    ALLOW_SELECT: ClassVar[bool] = False
    where: ClassVar[str] = ""
    """What the table of actions calls this screen."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = Painting()

    @property
    def room(self) -> Room:
        """The app."""
        return cast(Room, self.app)

    @property
    def view(self) -> ViewState:
        """What is known now."""
        return self.room.view

    made = False
    """Whether everything on it is there; what comes before is shown when it is."""

    def on_mount(self) -> None:
        """All parts have been mounted."""
        self.made = True
        self.room.call_later(self.room.screen_made)

    # ------------------------------------------------------------------ what subclasses say

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        self.query_one(Gauges).show(view)
        self.show_keys()

    def news(self, view: ViewState) -> None:
        """Show this, which came after what was shown last: whoever knows what lies between draws just that."""
        self.see(view)

    def motions(self) -> list[Motion]:
        """Give the keys that move the view here."""
        return []

    def agent_here(self) -> str | None:
        """Give the id of the agent that actions are about."""
        return None

    def marked(self) -> list[str]:
        """Give the ids of the agents that are acted on together; without any it is the one of `agent_here`."""
        return []

    def unmark(self, agents: Collection[str]) -> None:
        """It was done to these: they are no longer marked."""

    def step_back(self) -> bool:
        """Go back within the screen; says whether there was a step to go."""
        return False

    def host_here(self) -> str | None:
        """Give the name of the host that actions are about."""
        return None

    def keep_choice(self) -> None:
        """Somebody acts on what is chosen here: it stays chosen."""

    def question_here(self) -> QuestionPanel | None:
        """Give the question on show, when there is one."""
        return None

    def log_grown(self, agent: str) -> None:
        """Take note that more of an agent's log is held."""

    # ------------------------------------------------------------------ keys

    def motion(self, name: str, do: Callable[[], None]) -> Motion:
        """Say what a motion of the table does here."""
        known = self.room.keys.motion(self.where, name)
        return Motion(" ".join(known.keys), known.help, do)

    def actions(self) -> list[Action]:
        """Give what can be done here."""
        return self.room.keys.on_screen(self.where, watching=self.view.read_only)

    def items(self) -> list[Item]:
        """Give the footer."""
        return [Item(action, self.reason_against(action) or "") for action in self.actions()]

    def reason_against(self, action: Action) -> str | None:
        """Say why an action cannot be done here and now, or None."""
        return unavailable(action, self.view.fleet, self.agent_here(), self.host_here())

    def show_keys(self) -> None:
        """Bring the footer up to date."""
        self.query_one(Keys).show(self.items())

    def on_screen_resume(self) -> None:
        """Draw what came while another screen was on top."""
        self.see(self.view)

    def take_key(self, event: events.Key) -> bool:
        """Turn a key into a motion or an action; says whether it is one."""
        key = plain_key(event)
        motion = self._motions().get(key) or self._motions().get(event.key)
        known = (*self.room.keys.on_screen(self.where), *self.actions())
        named = {key: action for action in known for key in action.keys}
        action = self.room.keys["back"] if key in ("backspace", "escape") else named.get(key)
        held = self.room.touch.held(key)
        if motion is not None:
            if not (held and motion.decides):
                motion.do()
        elif action is not None:
            if not (held and action.changes):
                self.room.do(action.name)
        else:
            return False
        return True

    def _motions(self) -> Mapping[str, Motion]:
        return {key: motion for motion in self.motions() for key in motion.keys.split()}

    @on(Keys.Pressed)
    def _tapped(self, event: Keys.Pressed) -> None:
        event.stop()
        self.room.do(event.action_name)

    @on(QuestionPanel.Answered)
    def _tapped_answer(self, event: QuestionPanel.Answered) -> None:
        event.stop()
        if self.turns_to(event.panel):
            self.room.do(event.action_name)

    @on(Gauges.Tapped)
    def _tapped_gauge(self, event: Gauges.Tapped) -> None:
        """What waits is gone to, what else is counted is shown alone."""
        event.stop()
        leads = {"costs": "costs", "hosts": "hosts", "attached": "attached", "waiting": "next"}
        if event.what == self.where:
            return
        if event.what in leads:
            self.room.do(leads[event.what])
        else:
            self.filter_by(event.what)

    def filter_by(self, words: str) -> None:
        """Show only what contains this, where things can be sifted."""

    @on(QuestionPanel.Chosen)
    def _tapped_choice(self, event: QuestionPanel.Chosen) -> None:
        event.stop()
        if self.turns_to(event.panel):
            self.room.choose(event.number)

    def turns_to(self, panel: QuestionPanel) -> bool:
        """Somebody answers this question with a tap: say whether it is the one that actions are about."""
        return self.question_here() is panel

    def say(self, text: str, level: Level, seconds: float) -> None:
        """Say something above the footer."""
        for says in self.query(StatusMessage):
            says.say(text, level, seconds)
