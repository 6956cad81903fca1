"""Which of several credentials is taken is chosen in the forms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import EditTask, SpawnAgent
from controlroom.domain.model import Credential, Profile
from controlroom.domain.tasks import TaskChange
from controlroom.tui.screens.task_forms import EditForm
from controlroom.tui.screens.tasks import TasksScreen
from tests.tui import scenes
from tests.tui.room import room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))
SEVERAL = Profile("p", credentials=(Credential("team", "the key of team"), Credential("mine", "the key of mine")))


@SIZES
async def test_one_of_several_credentials_is_chosen_with_a_digit_where_a_profile_names_them(
    size: tuple[int, int],
) -> None:
    async with room(replace(scenes.farm(), profiles={"p": SEVERAL}), size=size) as here:
        await here.press("s", "backspace", "2")
        await here.press("backspace")
        assert "most left" in here.text()
        await here.press("2", "enter", "enter")  # mine comes before team
        await here.write("go")
        await here.press("enter")
        assert here.engine.asked == [SpawnAgent("agent-1", "go", "vm1", "p", credential="mine")]


async def test_where_no_profile_names_several_credentials_the_form_asks_for_none() -> None:
    async with room(scenes.farm()) as here:
        await here.press("s")
        assert "most left" not in here.text()


@SIZES
async def test_the_credential_of_a_task_is_chosen_in_the_forms(size: tuple[int, int]) -> None:
    fleet, several = scenes.with_tasks(), (Credential("team", "the key of team"), Credential("mine", "the key of mine"))
    profiles = {name: replace(one, credentials=several) for name, one in fleet.profiles.items()}
    async with room(replace(fleet, profiles=profiles), size=size) as here:
        here.engine.task_texts["t6"] = "Which dependencies need an update?"
        await here.press("#")
        here.screen(TasksScreen).turn_to("t6")
        await here.press("m")
        await here.until(lambda: isinstance(here.app.screen, EditForm))
        await here.settle()
        await here.press("up", "up", "up", "3", "enter", "enter", "enter", "enter")  # priority, profile, login
        await here.until(lambda: here.said() == "credential 'team' needs a profile that names it in its credentials")
        await here.press("m")
        await here.until(lambda: isinstance(here.app.screen, EditForm))
        await here.settle()
        await here.press("up", "up", "2", "backspace", "3", "enter", "enter", "enter", "enter")
        await here.until(lambda: here.said() == "t6 is changed")
        assert here.engine.asked == [
            EditTask("t6", TaskChange(credential="team"), TaskChange(credential="")),
            EditTask("t6", TaskChange(profile="default", credential="team"), TaskChange(profile="", credential="")),
        ]
