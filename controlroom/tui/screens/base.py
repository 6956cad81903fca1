"""What all screens share: the gauge line, the footer, and keys that become actions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual import events, on
from textual.app import App

from controlroom.domain.keys.action import Action
from controlroom.domain.keys.availability import unavailable
from controlroom.tui.context import ChooseAnswer, Context, Level, RunAction, context_of
from controlroom.tui.theme.theme import Palette
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.lines import PaintedScreen
from controlroom.tui.widgets.notices import HaltLine
from controlroom.tui.widgets.question import QuestionPanel
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.type_line import FilterLine

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.domain.open_questions import Asking

BREAKPOINTS = [(0, "-phone"), (60, "-narrow"), (100, "-normal"), (160, "-wide")]


class Motion(NamedTuple):
    """A key of one screen alone: most move the view and change nothing else."""

    keys: str
    """As Textual names them, separated by spaces; the first is the one that is shown."""
    help: str
    do: Callable[[], str | None] = lambda: None
    """Move the view; may return the name of an action to run next."""
    answer: int = 0
    """The number of the answer that the key chooses; a held key chooses none. 0: the key moves the view."""


def plain_key(event: events.Key) -> str:
    """Name a key as the tables do: letters small (phone keyboards begin with a capital), Backspace as `q`."""
    if event.key == "space":
        return "space"
    if event.is_printable and event.character:
        return event.character.lower()
    return event.key


class RoomScreen(PaintedScreen):
    """A screen of the control room."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    AUTO_FOCUS: ClassVar[str | None] = ""
    ALLOW_SELECT: ClassVar[bool] = False
    where: ClassVar[str] = ""
    """What the table of actions calls this screen."""

    @property
    def context(self) -> Context:
        """The parts of the app that this reads."""
        return context_of(self.app)

    @property
    def palette(self) -> Palette:
        """The styles to draw with."""
        return self.context.palette

    @property
    def on_top(self) -> bool:
        """Whether this screen is on show; a sheet may lie over it."""
        return top_screen(self.app) is self

    @property
    def view(self) -> ViewState:
        """What is known now."""
        return self.context.view

    made = False
    """Whether everything on it is there; what comes before is shown when it is."""

    def on_mount(self) -> None:
        """Note that all parts are there."""
        self.made = True
        self.app.call_later(self.context.keyboard.screen_made)

    # ------------------------------------------------------------------ what subclasses say

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        self.query_one(Gauges).show(view)
        self._see_halt(view)
        self.show_keys()

    def _see_halt(self, view: ViewState) -> None:
        """Show a halt of the room above everything else."""
        lines, halted = self.query(HaltLine), view.fleet.queue.halt is not None
        self.app.screen.set_class(halted, "-halted")
        if halted and not lines:
            self.mount(HaltLine(), after="#gauges")
        for line in lines:
            line.show(view)

    def news(self, view: ViewState) -> None:
        """Show this, which came after what was shown last: whoever knows what lies between draws just that."""
        with self.app.batch_update():
            self.see(view)

    def motions(self) -> list[Motion]:
        """The keys that move the view here."""
        return []

    def agent_here(self) -> str | None:
        """The id of the agent that actions are about."""
        return None

    def marked(self) -> list[str]:
        """The ids of what is acted on together, agents or tasks; without any it is what the cursor is on."""
        return []

    def lines_here(self) -> frozenset[str] | None:
        """The agents whose newest lines are on show, so that those of others may come seldom; None: all."""
        return None

    def hidden_marks(self) -> list[str]:
        """The ids of what is marked and out of sight: nothing is done to them."""
        return []

    def unmark(self, names: Collection[str]) -> None:
        """Take the marks of these away."""

    def step_back(self) -> bool:
        """Go back within the screen, first from what is filtered; says whether there was a step to go."""
        filtered = next((line for line in self.query(FilterLine) if line.text), None)
        if filtered is not None:
            filtered.write("")
        return filtered is not None

    def host_here(self) -> str | None:
        """The name of the host that actions are about."""
        return None

    def task_here(self) -> str | None:
        """The id of the task that actions are about."""
        return None

    def list_here(self) -> Rows[Any] | None:
        """The list whose cursor says what keys are about, where there is one."""
        return None

    def lead_to(self, subjects: Sequence[str]) -> bool:
        """Go on to the first of these agents and hosts that can be shown here; False: none can, but elsewhere."""
        return True

    def alike(self) -> "Asking | None":
        """All who ask the question on show, where it is answered for all of them at once."""
        return None

    def line_here(self) -> str:
        """The line of a log that is looked at; "" where none is."""
        return ""

    def keep_choice(self) -> None:
        """Keep what is chosen chosen: a key was pressed, and somebody looks at it."""
        if rows := self.list_here():
            rows.keep_choice()

    def answered(self, subjects: Collection[str]) -> None:
        """What these asked has just been answered: go to the next question, where there is a list of them."""

    def question_here(self) -> QuestionPanel | None:
        """The question on show, when there is one."""
        return None

    def log_grown(self, agent: str) -> None:
        """Show what was added to an agent's log."""

    # ------------------------------------------------------------------ keys

    def motion(self, name: str, do: Callable[[], str | None]) -> Motion:
        """What a motion of the table does here."""
        entry = self.context.keys.motion(self.where, name)
        return Motion(" ".join(entry.keys), entry.help, do)

    def actions(self) -> list[Action]:
        """What can be done here."""
        return self.context.keys.on_screen(self.where, watching=self.view.read_only)

    def items(self) -> list[Item]:
        """The footer. A phone has no room for the way back, the halt and the help: that is found in the palette."""
        halted = self.view.fleet.queue.halt is not None
        narrow = self.size.width < 64 and self.where != "overview" and not self.view.read_only
        items = [Item(action) for action in self.actions() if action.footer]
        items = [item for item in items if not (narrow and item.action.name == "help")]
        return [replace(item, title="resume") if halted and item.action.name == "halt" else item for item in items]

    def reason_against(self, action: Action) -> str | None:
        """Why an action cannot be done here and now, or None."""
        return unavailable(action, self.view.fleet, self.agent_here(), self.host_here(), self.task_here())

    def show_keys(self) -> None:
        """Bring the footer up to date."""
        self.query_one(Keys).show(self.items(), self.reason_against)

    def on_screen_resume(self) -> None:
        """Draw what came while another screen was on top."""
        self.context.logs.look_at(self.lines_here())
        self.see(self.view)

    def command(self, event: events.Key) -> Motion | Action | None:
        """What a key means here."""
        key, motions = plain_key(event), self._motions()
        actions = (*self.context.keys.on_screen(self.where), *self.actions())
        by_key = {key: action for action in actions for key in action.keys}
        action = self.context.keys["back"] if key in ("backspace", "escape") else by_key.get(key)
        return motions.get(key) or motions.get(event.key) or action

    def _motions(self) -> Mapping[str, Motion]:
        return {key: motion for motion in self.motions() for key in motion.keys.split()}

    @on(Keys.Pressed)
    def _tapped(self, event: Keys.Pressed) -> None:
        event.stop()
        self.app.post_message(RunAction(event.action_name))

    @on(QuestionPanel.Answered)
    def _tapped_answer(self, event: QuestionPanel.Answered) -> None:
        event.stop()
        if self.turns_to(event.panel):
            self.app.post_message(RunAction(event.action_name, event.panel.asked))

    @on(Gauges.Tapped)
    def _tapped_gauge(self, event: Gauges.Tapped) -> None:
        """What waits is gone to, what else is counted is shown alone."""
        event.stop()
        leads = {"costs": "costs", "hosts": "hosts", "attached": "attached", "waiting": "next", "halt": "halt"}
        if event.what == self.where:
            return
        if event.what in leads:
            self.app.post_message(RunAction(leads[event.what]))
        else:
            self.filter_by(event.what)

    def filter_by(self, words: str) -> None:
        """Show only what contains this, where things can be sifted."""

    @on(QuestionPanel.Chosen)
    def _tapped_choice(self, event: QuestionPanel.Chosen) -> None:
        event.stop()
        if self.turns_to(event.panel):
            self.app.post_message(ChooseAnswer(event.number, event.panel.asked))

    def turns_to(self, panel: QuestionPanel) -> bool:
        """Whether a tapped question is the one that actions are about."""
        return self.question_here() is panel

    def say(self, text: str, level: Level = Level.NOTE) -> None:
        """Show a status message above the footer; longer for longer texts."""
        for status in self.query(StatusMessage):
            status.say(text, level, seconds=4 + len(text) / 20)


def top_screen(app: App[Any]) -> RoomScreen | None:
    """The screen on top, also where a sheet lies over it; None while it is being made or the app closes."""
    top = next((screen for screen in reversed(app.screen_stack) if isinstance(screen, RoomScreen)), None)
    return top if top is not None and top.made and not context_of(app).closing else None


def say(app: App[Any], text: str, level: Level = Level.NOTE) -> None:
    """Show a status message on the screen on top."""
    if screen := top_screen(app):
        screen.say(text, level)
