"""Forms to take over agents that others started: what they are called, and which profile's limits bind them.

What a profile is going to mean, and what cannot be seen or done from outside, stands below the fields.
"""

from collections.abc import Sequence
from functools import partial

from controlroom.domain.adopted_care import prospect
from controlroom.domain.adopting import free_name
from controlroom.domain.intents import AdoptAgent
from controlroom.domain.keys.many import Plan
from controlroom.domain.model import Agent, Fleet
from controlroom.text.states import AgentKind
from controlroom.tui.screens.dialogs import AskSheet
from controlroom.tui.screens.forms import TellingForm
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.widgets.fields import Choice, Field, OneLine

_WHEN_OVER = ["leave it", "go on with it"]
"""What becomes of its session once it has ended."""


def _profiles(fleet: Fleet, chosen: str = "") -> list[str]:
    """Those that an agent of others can have. A profile that it has can be changed, not taken away."""
    fit = sorted(name for name, profile in fleet.profiles.items() if profile.kind is not AgentKind.COMMAND)
    return fit if chosen in fit else ["", *fit]


class _AdoptingForm(TellingForm):
    def leave(self) -> None:
        """Close; what was chosen is no draft."""
        self.dismiss()


class AdoptForm(_AdoptingForm):
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


class AnewForm(_AdoptingForm):
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


class AdoptAll(_AdoptingForm):
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
