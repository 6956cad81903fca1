"""Agents that others started are taken over on the screen: with a name, a profile, and what that is going to mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.care_rules import CareRules
from controlroom.domain.intents import AdoptAgent
from controlroom.domain.model import Agent, Fleet, Profile, State
from controlroom.domain.restart_rules import RestartRules
from controlroom.text.states import AgentKind, Cause
from controlroom.tui.screens.adopting import AdoptAll, AdoptForm, AnewForm
from controlroom.tui.screens.dialogs import AskSheet
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.screens.overview import Overview
from tests.tui import scenes
from tests.tui.room import Room, room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))
CARE = CareRules(8, 20 * scenes.MINUTE, 5, 2 * scenes.GIB, 60, (Cause.OVER_LIMIT, Cause.QUIET))
PROFILES = {
    "careful": Profile("careful", care=CARE, restarts=RestartRules(after_trouble=("quiet",))),
    "plain": Profile("plain"),
    "tests": Profile("tests", kind=AgentKind.COMMAND),
}


def theirs(name: str, **changes: object) -> Agent:
    """An agent that somebody's script has started."""
    mark = f"b1.{len(name)}.{sum(name.encode())}"
    made = scenes.agent(name, "vm1", State.WORKING, 3, "› Bash  make", epoch=0, kind=AgentKind.ADOPTED, mark=mark)
    return replace(made, profile="", ordered=None, place="tmux api:0.0", **changes)  # type: ignore[arg-type]


def fleet(*agents: Agent) -> Fleet:
    """A farm where these run, too."""
    farm = scenes.farm()
    return replace(farm, agents={**farm.agents, **{each.id: each for each in agents}}, profiles=PROFILES)


def flowing(here: Room) -> str:
    """The text on the screen without its line breaks."""
    return " ".join(here.text().split())


async def on_it(here: Room, agent: Agent) -> None:
    here.screen(Overview).table.choose(agent.id)
    await here.settle()


@SIZES
async def test_it_is_taken_over_with_two_keys_and_nothing_but_budgets_binds_it(size: tuple[int, int]) -> None:
    api = theirs("~api")
    async with room(fleet(api), size=size) as here:
        await on_it(here, api)
        await here.press("~")
        here.screen(AdoptForm)
        assert "without a profile only budgets and halt bind it" in flowing(here)
        assert "a signal to its processes is all that reaches it" in flowing(here)
        assert "its model, rights and environment stay as it was started" in flowing(here)
        await here.press("enter")
        assert here.engine.asked == [AdoptAgent(api.id, api.mark, "api")]
        await here.until(lambda: "taken over as api" in here.said())
        here.screen(Overview)


@SIZES
async def test_the_form_says_what_a_profile_is_going_to_mean_and_what_cannot_be_seen(size: tuple[int, int]) -> None:
    api = theirs("~api")
    async with room(fleet(api), size=size) as here:
        await on_it(here, api)
        await here.press("~", "2")
        seen = flowing(here)
        for words in (
            "profile careful binds it from outside, by signals: it is ended past 8 h, 2048 MiB of memory, 60 processes",
            "or 1h00 at work without a word",
            "(same_failures) is not seen from outside",
            "what it spends counts for the budgets of profile careful, too",
            "what the profile restarts (quiet) stays ended",
        ):
            assert words in seen, words
        assert "Enter adopt" in seen, "the keys stay on show"
        await here.press("3")
        assert "profile plain limits nothing that is seen from outside" in flowing(here)
        assert "tests" not in here.text().split("profile", 1)[1].split("\n")[0], "a command has no session"
        await here.press("backspace", "2", "backspace", *["backspace"] * 3)
        await here.write("web")
        await here.press("enter", "enter")
        assert "once it has ended its session goes on under a runner, with those of the profile" in flowing(here)
        await here.press("enter")
        assert here.engine.asked == [AdoptAgent(api.id, api.mark, "web", "plain", when_ended=True)]


async def test_once_more_it_changes_name_and_profile_and_begins_with_what_it_has() -> None:
    api = theirs("~api")
    async with room(fleet(api), size=PHONE) as here:
        await on_it(here, api)
        await here.press("~", "2", "enter")
        await here.until(lambda: here.engine.fleet.agents[api.id].adoption)
        await here.press("~")
        form = here.screen(AdoptForm)
        assert (form.value("name"), form.value("profile")) == ("api", "careful")
        assert "none" not in here.text(), "a profile is changed, not taken away: so does the verb"
        await here.press("j", "enter")
        assert here.engine.asked[-1] == AdoptAgent(api.id, api.mark, "api", "plain")


async def test_one_without_a_session_is_not_offered_to_go_on() -> None:
    loop = theirs("~loop", session="")
    async with room(fleet(loop), size=PHONE) as here:
        await on_it(here, loop)
        await here.press("~")
        assert "when over" not in here.text()
        await here.press("q")
        here.screen(Overview)
        assert here.engine.asked == []


async def test_what_is_refused_says_why() -> None:
    api = theirs("~api")
    async with room(fleet(api)) as here:
        await on_it(here, api)
        await here.press("~", "backspace", "backspace", *["backspace"] * 3)
        await here.write("docs-1")
        await here.press("enter", "enter", "enter")
        await here.until(lambda: "docs-1 is there already" in here.said())


@SIZES
async def test_several_are_listed_with_the_profile_before_they_are_taken_over(size: tuple[int, int]) -> None:
    some = theirs("~api"), theirs("~web")
    async with room(fleet(*some), size=size) as here:
        for agent in some:
            await on_it(here, agent)
            await here.press("space")
        await here.press("~", "2")
        here.screen(AdoptAll)
        assert "profile careful binds it" in flowing(here)
        await here.press("enter")
        here.screen(ListSheet)
        assert "Take 2 agents over? Limits and budgets of profile careful then hold, by signals." in flowing(here)
        await here.press("2", "enter")
        assert here.engine.asked == [AdoptAgent(each.id, each.mark, profile="careful") for each in some]


@SIZES
async def test_begun_anew_it_is_asked_before_anything_ends(size: tuple[int, int]) -> None:
    api = theirs("~api")
    async with room(fleet(api), size=size) as here:
        await on_it(here, api)
        await here.press(":")
        await here.write("adopt anew")
        await here.press("enter", "3")
        here.screen(AnewForm)
        assert "the session then goes on under a runner: all that profile plain says" in flowing(here)
        await here.press("enter")
        assert here.screen(AskSheet).title_words == "End ~api on vm1, and go on with it under a runner?"
        assert here.engine.asked == []
        await here.press("y")
        await here.until(lambda: here.engine.asked)
        assert here.engine.asked == [AdoptAgent(api.id, api.mark, "api", "plain", restart=True)]
