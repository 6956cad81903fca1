"""Forms to take over agents that others started: what they are called, and which profile's limits bind them.

What a profile is going to mean, and what cannot be seen or done from outside, stands below the fields.
"""

from collections.abc import Sequence
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from controlroom.domain.adopted_care import prospect
from controlroom.domain.adopting import free_name
from controlroom.domain.intents import AdoptAgent
from controlroom.domain.keys.many import Plan
from controlroom.domain.model import Agent, Fleet
from controlroom.text.states import AgentKind
from controlroom.tui.screens.dialogs import AskSheet, Choices
from controlroom.tui.screens.forms import Form
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.widgets.fields import Choice, Field, OneLine
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.sentences import Sentences

_REST = 3
"""Lines of the sheet beside its fields and the sentences: heading, keys, and one of the screen below."""

_WHEN_OVER = ["leave it", "go on with it"]
"""What becomes of its session once it has ended."""


def _profiles(fleet: Fleet, chosen: str = "") -> list[str]:
    """Those that an agent of others can have. A profile that it has can be changed, not taken away."""
    fit = sorted(name for name, profile in fleet.profiles.items() if profile.kind is not AgentKind.COMMAND)
    return fit if chosen in fit else ["", *fit]


class _ProspectForm(Form):
    """Fields, and what they mean below them. What is chosen is no draft."""

    def told(self) -> Sequence[str]:
        """What is going to hold, a sentence each."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """A heading, the fields, what they mean, the keys."""
        with Vertical(classes="sheet form"):
            yield Rule(self.heading, id="heading")
            with VerticalScroll(can_focus=False):
                yield from self._fields
            yield Sentences("prospect")
            yield Choices([("Enter", self.go), ("⌫", "field above"), ("Esc", "leave")])

    def on_mount(self) -> None:
        """Begin at the profile, and say what it means."""
        super().on_mount()
        self._say()

    def on_resize(self) -> None:
        """Keep fields and keys on show, and as much of the sentences as there is room for."""
        super().on_resize()
        self._say()

    def on_key(self, event: events.Key) -> None:
        """Keys that no field takes turn the pages of the sentences."""
        if event.key in ("pagedown", "pageup"):
            event.stop()
            self.query_one(Sentences).press(event.key)

    @on(Field.Changed)
    def _chosen(self, event: Field.Changed) -> None:
        event.stop()
        self._say()

    def leave(self) -> None:
        """Close."""
        self.dismiss()

    def _say(self) -> None:
        keys = self.query_one(Choices).styles.height
        rest = _REST - 1 + (int(keys.value) if keys else 1)
        told = [(sentence, False) for sentence in self.told()]
        self.query_one(Sentences).say(told, max(2, self.size.height - len(self._fields) - rest))


class AdoptForm(_ProspectForm):
    """Take one over; once more: give it another name or profile."""

    go = "adopt"

    def __init__(self, fleet: Fleet, agent: Agent) -> None:
        self._fleet, self._agent = fleet, agent
        self.heading = f"take {agent.name} on {agent.host} over"
        super().__init__()

    def fields(self) -> list[Field]:
        """The profile last, where the form begins."""
        ours = self._agent.adoption
        name, profile = (ours.name, ours.profile) if ours else (free_name(self._fleet, self._agent), "")
        over = _WHEN_OVER[ours is not None and ours.when_ended]
        return [
            OneLine("name", name),
            *[Choice("when over", _WHEN_OVER, over)] * bool(self._agent.session),
            Choice("profile", _profiles(self._fleet, profile), profile),
        ]

    def told(self) -> Sequence[str]:
        """What binds it from now on."""
        session, when_ended = self._agent.session, self._goes_on
        return prospect(self._fleet, self.value("profile"), when_ended=when_ended, session=session)

    def intent(self) -> AdoptAgent:
        """It carries the process that was shown."""
        name, profile = self.value("name").strip(), self.value("profile")
        return AdoptAgent(self._agent.id, self._agent.mark, name, profile, when_ended=self._goes_on)

    @property
    def _goes_on(self) -> bool:
        return self.value("when over") == _WHEN_OVER[-1]


class AnewForm(_ProspectForm):
    """End one, and go on with its session under a runner."""

    go = "next"

    def __init__(self, fleet: Fleet, agent: Agent) -> None:
        self._fleet, self._agent = fleet, agent
        self.heading = f"begin {agent.called} on {agent.host} anew"
        super().__init__()

    def fields(self) -> list[Field]:
        """The profile last, where the form begins."""
        ours = self._agent.adoption
        name, profile = (ours.name, ours.profile) if ours else (free_name(self._fleet, self._agent), "")
        return [OneLine("name", name), Choice("profile", _profiles(self._fleet, profile), profile)]

    def told(self) -> Sequence[str]:
        """What a runner then does, which a signal could not."""
        profile = self.value("profile")
        kept = f"all that profile {profile} says" if profile else "no limit but budgets and halt, headless"
        return [
            "it is ended first, with the script that runs only it; its Claude session and folder stay",
            f"the session then goes on under a runner: {kept}",
            "from then on it takes messages, answers and another model, as agents that were started here",
        ]

    def send(self) -> None:
        """Ask first: what runs is ended."""
        agent = self._agent
        wanted = AdoptAgent(agent.id, agent.mark, self.value("name").strip(), self.value("profile"), restart=True)
        text = f"It is {self.context.fleet.state_of(agent)}. It is ended first; its Claude session goes on."
        title = f"End {agent.called} on {agent.host}, and go on with it under a runner?"
        self.app.push_screen(AskSheet(title, text, "adopt anew", partial(self.order, wanted)))


class AdoptAll(_ProspectForm):
    """A profile for several; they are listed before they are taken over."""

    go = "next"

    def __init__(self, fleet: Fleet, plan: Plan[Agent]) -> None:
        self._fleet, self._plan = fleet, plan
        self.heading = f"take over {plan.named}"
        super().__init__()

    def fields(self) -> list[Field]:
        """Names are as their sessions or folders are."""
        return [Choice("profile", _profiles(self._fleet), "")]

    def told(self) -> Sequence[str]:
        """What binds them from now on."""
        return prospect(self._fleet, self.value("profile"), when_ended=False, session="")

    def send(self) -> None:
        """Show the list."""
        self.finish()
        self.app.push_screen(ListSheet(self._plan.saying(self.value("profile"))))
