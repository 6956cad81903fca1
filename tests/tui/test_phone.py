"""A phone: all is reached with letters, digits, Enter, Backspace and taps; what matters is on the first screen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import AnswerQuestion, SendMessage, SpawnAgent
from controlroom.domain.keys.actions import ACTIONS
from controlroom.domain.keys.keymap import DEFAULT
from controlroom.domain.model import Fleet, State
from controlroom.domain.news import AWAY
from controlroom.text.states import Verdict
from controlroom.tui.actions import actions
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.forms import SpawnForm
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.palette import PaletteScreen
from tests.tui import scenes
from tests.tui.room import Room, room
from tests.tui.storms import WAYS, tap, typed

UP, DOWN = (45, 9), (45, 20)
"""With the keyboard and without."""
KEYBOARD = pytest.mark.parametrize("size", [UP, DOWN], ids=["keyboard", "whole"])
TEXT = "rm -rf build && make all\n" + " ".join(f"Sentence {n} says why the old build must go." for n in range(1, 25))


def asking(text: str = TEXT) -> Fleet:
    """The farm with budgets, and one question that is long."""
    fleet = scenes.watched()
    docs = replace(fleet.agents["vm1/docs-1"], question=scenes.permission("run: rm -rf build", text, 5))
    infra = replace(fleet.agents["vm2/infra"], question=None, state=State.WORKING)
    return replace(fleet, agents={**fleet.agents, "vm1/docs-1": docs, "vm2/infra": infra})


def test_the_ways_lead_to_every_screen_that_has_actions() -> None:
    places = {place for action in ACTIONS for place in action.where.split()}
    assert places - {"anywhere"} == set(WAYS)


@pytest.mark.parametrize(("where", "size"), [*((where, DOWN) for where in WAYS), ("overview", UP), ("agent", UP)])
async def test_every_action_is_reached_with_plain_keys_and_taps(
    where: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = asking()
    async with room(fleet, scenes.logs(fleet), size=size) as here:
        await here.press(*WAYS[where].split())
        await here.logs_read()
        screen = here.screen(RoomScreen)
        done: list[str] = []
        for action in ACTIONS:
            if action.name != "palette":
                monkeypatch.setitem(actions.ACTS, action.name, lambda *_, name=action.name: done.append(name))
        monkeypatch.setattr(actions, "to_all", lambda _app, _screen, action: done.append(action))
        for action in DEFAULT.on_screen(where):
            if action.name == "palette":
                continue
            say(here.app, "")
            if action.key.isalnum():
                await here.press(action.key)
            else:
                await by_palette(here, action.name)
            assert here.app.screen is screen
            reason = screen.reason_against(action)
            assert (done[-1:] == [action.name]) if reason is None else reason in here.said(), action.name


async def by_palette(here: Room, name: str) -> None:
    """Find an action by letters of its title and tap it."""
    await tap(here, ": all", -1)
    await here.until(lambda: isinstance(here.app.screen, PaletteScreen))
    palette = here.app.screen
    action = DEFAULT[name]
    await here.write("".join(sign for sign in action.title.split()[0] if sign.isalnum()))
    await tap(here, f"{action.title} ", into=0)
    await here.until(lambda: here.app.screen is not palette)
    await here.settle()


async def test_the_first_screen_answers_what_one_asks_first() -> None:
    fleet = asking()
    async with room(fleet, scenes.logs(fleet), size=DOWN) as here:
        await here.press("j", "k")
        here.clock.pass_(AWAY / 1000 + 1)
        here.engine.put(replace(fleet.agents["vm2/api-3"], state=State.DONE, since=here.clock()))
        await here.until(lambda: here.app.context.view.fleet.agents["vm2/api-3"].state is State.DONE)
        here.app.context.link.tick()
        await here.until(lambda: "since 14:32  1 done" in here.text() and "✓3" in here.text())
        top, *lines = here.text().splitlines()
        assert top.split() == ["▲1", "●4", "◷1", "✕1", "○1", "◌1", "✓3", "$83.73", "14:37"]
        assert lines[0].startswith(" day $98/160")
        assert lines[2].startswith(" since 14:32  1 done")
        assert lines[4].startswith("▌▲ docs-1   wants to run: rm -rf build")
        assert lines[-2].startswith(" 2 alarms  docs-1 on vm1 pays")


@KEYBOARD
async def test_one_key_to_the_question_every_word_of_it_and_one_letter(size: tuple[int, int]) -> None:
    fleet = asking()
    async with room(fleet, scenes.logs(fleet), size=size) as here:
        await here.press("n")
        panel = here.screen(AgentScreen).pane.question
        seen = ""
        for _ in range(30):
            first, last = panel.region.y + 1, panel.region.bottom - 1
            assert "y allow" in here.text().splitlines()[last]
            seen += " ".join(line.strip() for line in here.text().splitlines()[first:last]) + " "
            if panel.read:
                break
            await here.press("y")  # not before all was read: it turns the page
            assert not here.engine.asked
            say(here.app, "")
            await here.settle()
        assert all(word in seen for word in ["make all", "Sentence 1 says", "Sentence 24 says why the old build"])
        await here.press("y")
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.ALLOW)]


async def test_a_low_screen_gives_a_long_question_all_of_it() -> None:
    fleet = asking()
    async with room(fleet, scenes.logs(fleet), size=UP) as here:
        await here.press("n")
        assert here.screen(AgentScreen).pane.question.size.height == 7
    fleet = asking("git push")
    async with room(fleet, scenes.logs(fleet), size=UP) as here:
        await here.press("n")
        await here.until(lambda: "› Bash" in here.text())
        assert "─ log ─" in here.text()


@KEYBOARD
async def test_words_go_to_the_agent(size: tuple[int, int]) -> None:
    async with room(asking(), size=size) as here:
        here.screen(Overview).table.choose("vm2/api-3")
        await here.press("m")
        await here.write("use the second one")
        await here.press("enter")
        assert here.engine.asked == [SendMessage("vm2/api-3", 1, "use the second one")]


@KEYBOARD
async def test_four_keys_and_the_task_start_an_agent_of_a_profile(size: tuple[int, int]) -> None:
    async with room(asking(), size=size) as here:
        await here.press("s", "backspace", "3", "enter")
        form = here.screen(SpawnForm)
        await here.write("tidy the pages")
        assert form.value("profile") == "docs"
        lines = here.text().splitlines()
        assert "tidy the pages" in here.text()
        assert "Enter start" in lines[-1]
        await here.press("enter")
        [asked] = here.engine.asked
        assert isinstance(asked, SpawnAgent)
        assert (asked.profile, asked.task) == ("docs", "tidy the pages")


@pytest.mark.parametrize(("way", "last"), [("s", "enter"), ("m", "enter"), ("x", "y"), ("x", "q"), ("s", "escape")])
async def test_keys_that_a_slow_link_brings_at_once_do_a_thing_once(way: str, last: str) -> None:
    async with room(asking(), size=DOWN) as here:
        here.screen(Overview).table.choose("vm2/api-3")
        await here.press(way)
        if way != "x":
            await here.write("do it")
        await here.settle()
        for _ in range(3):
            here.app.post_message(typed(last))
        orders = last in ("enter", "y")
        await here.until(lambda: isinstance(here.app.screen, Overview) and len(here.engine.asked) >= orders)
        await here.settle()
        assert here.app.mistake is None
        assert len(here.engine.asked) == orders
