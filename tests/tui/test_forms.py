"""Forms are filled with plain keys, say what is missing, and send what stands in them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input, TextArea

from controlroom.domain.intents import AnswerQuestion, InterruptAgent, ReassignAgent, SendMessage, SetModel, SpawnAgent
from controlroom.domain.keys.many import plan
from controlroom.domain.model import Fleet, Profile, State
from controlroom.text.states import ItemAnswer, Verdict
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.forms import MessageForm, ReassignForm, SpawnForm
from controlroom.tui.screens.overview import Overview
from tests.tui import scenes
from tests.tui.room import room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


@SIZES
async def test_spawn_is_two_keys_and_the_task(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("s")
        here.screen(SpawnForm)
        await here.write("fix it; now")
        await here.press("enter")
        assert here.engine.asked == [SpawnAgent("agent-1", "fix it; now", "vm1", "default")]
        await here.until(lambda: "vm1/agent-1" in here.app.context.view.fleet.agents)
        here.screen(Overview)
        await here.until(lambda: "agent-1 started on vm1" in here.said())


async def test_every_field_of_the_spawn_form_is_reached_with_plain_keys() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press("s", "backspace", "3", "backspace", "3", "backspace")
        await here.write("docs")
        await here.press(*["backspace"] * 5, "j", "backspace", *["backspace"] * 7)
        await here.write("web")
        await here.press("enter", "enter", "enter", "enter", "enter")
        await here.write("go")
        await here.press("enter")
        assert here.engine.asked == [SpawnAgent("web", "go", "vm2", "docs", "interactive")]


async def test_a_profile_is_chosen_with_four_keys() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        profiles = sorted(here.app.context.fleet.profiles)
        await here.press("s", "backspace", "2", "enter")
        await here.write("go")
        await here.press("enter")
        assert here.engine.asked == [SpawnAgent("agent-1", "go", "vm1", profiles[0])]


async def test_arrows_move_within_a_long_text_and_send_nothing() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        here.screen(Overview).table.choose("vm1/web-2")
        await here.press("m")
        await here.write("one two three four five six seven eight nine ten\\")
        await here.press("enter")
        await here.write("last")
        area = here.app.screen.query_one(TextArea)
        await here.press("up")
        assert area.cursor_location[0] == 0
        await here.press("down", "down", "down", "tab")
        assert here.app.focused is area
        assert area.cursor_location[0] == 1
        assert here.engine.asked == []


async def test_the_chosen_one_of_many_is_shown_whole_and_what_is_left_out_marked() -> None:
    many = {name: Profile(name) for name in ("access-10", "api-10", "api-11", "api-3", "audit-6", "backup", "web-2")}
    async with room(replace(scenes.farm(), profiles=many), size=PHONE) as here:

        def shown(field: str) -> str:
            return next(line for line in here.text().splitlines() if line.split()[:1] == [field])

        await here.press("s", "backspace", "7")
        await here.until(lambda: "7 backup" in shown("profile"))
        assert shown("profile").split()[1] == "…"
        assert shown("profile").endswith("…")
        await here.press("1")
        await here.until(lambda: "1 none" in shown("profile"))
        assert shown("profile").split()[1:] == ["1", "none", "2", "access-10", "3", "api-10", "…"]
        assert shown("kind").split()[1:] == ["1", "profile's", "2", "headless", "…"]
        await here.press("j", "j", "j", "j", "j", "j", "j")
        await here.until(lambda: "8 web-2" in shown("profile"))
        assert not shown("profile").endswith("…")


@pytest.mark.parametrize("keys", [("s",), ("h", "a")], ids="".join)
async def test_what_a_field_wants_is_said_whole_on_a_phone(keys: tuple[str, ...]) -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press(*keys)
        for hint in [field.placeholder for field in here.app.screen.query(Input)]:
            assert str(hint) in here.text()


async def test_a_task_may_have_lines_and_keeps_what_is_pasted() -> None:
    async with room(scenes.farm()) as here:
        await here.press("s")
        await here.write("one")
        await here.press("\\", "enter")
        await here.write("two")
        area = here.app.screen.query_one(TextArea)
        area.insert(" $(date) 'quoted' ; 🦊")
        await here.press("enter")
        assert here.engine.asked == [SpawnAgent("agent-1", "one\ntwo $(date) 'quoted' ; 🦊", "vm1", "default")]


async def test_a_form_says_what_is_missing_and_keeps_what_was_begun() -> None:
    async with room(scenes.farm()) as here:
        await here.press("s", "enter")
        assert "write its task first" in here.text()
        await here.write("half a task")
        await here.press("escape")
        here.screen(Overview)
        assert here.engine.asked == []
        await here.press("s")
        assert "half a task" in here.text()


async def test_a_refused_spawn_says_why() -> None:
    fleet = scenes.farm()
    full = replace(fleet, limits=replace(fleet.limits, memory_per_agent=900 * scenes.GIB))
    async with room(full) as here:
        await here.press("s", "x", "enter")
        await here.until(lambda: "an agent needs 900G" in here.said())


@SIZES
async def test_the_form_says_what_becomes_of_run_session_and_folder(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        here.screen(Overview).table.choose("vm1/web-2")
        await here.press("r")

        def told() -> str:
            return " ".join(here.text().split())

        assert "its run now is ended first it begins a new session there" in told()
        assert "1 new 2 keep 3 leave folder" in told(), "all of it is in sight"
        await here.press("backspace", "2")
        assert "it goes on in its session" in told()
        await here.press("backspace", "3")
        there = here.screen(ReassignForm).value("host")
        assert f"its run now is ended on vm1 first its session and its folder go along to {there} (commits" in told()
        assert "what git ignores stays" in told()
        await here.press("enter", "3")
        assert f"its session goes along to {there}: its files stay on vm1" in told()
        await here.press("1")
        assert f"it begins anew on {there}: its session and its files stay on vm1" in told()
        assert "Enter reassign" in told(), "the keys stay on show"


async def test_with_a_keyboard_in_half_the_screen_fields_and_keys_are_there() -> None:
    async with room(scenes.farm(), size=(45, 9)) as here:
        here.screen(Overview).table.choose("vm1/web-2")
        await here.press("r")
        lines = here.text().splitlines()
        assert "Enter reassign" in lines[-1]
        assert any("What should it do now?" in line for line in lines)
        await here.press("backspace", "backspace")
        assert any(line.split()[:1] == ["host"] for line in here.text().splitlines())


@SIZES
async def test_reassign_with_a_new_session_or_the_same(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("r")
        here.screen(ReassignForm)
        await here.write("now the tests")
        await here.press("enter")
        assert here.engine.asked == [ReassignAgent("vm1/docs-1", 1, "now the tests", False)]
        await here.press("r", "backspace", "2", "enter")
        await here.write("go on")
        await here.press("enter")
        assert here.engine.asked[1] == ReassignAgent("vm1/docs-1", 2, "go on", True)


@SIZES
async def test_an_agent_is_moved_with_the_task_it_has(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("r", "backspace", "backspace")
        await here.press("3", "enter", "enter", "enter")
        assert here.engine.asked == [ReassignAgent("vm1/docs-1", 1, "", False, "vm2")]


async def test_an_agent_is_moved_with_its_session_and_with_its_folder_or_without() -> None:
    for session, leave in (("2", False), ("3", True)):
        async with room(scenes.farm()) as here:
            await here.press("r", "backspace", "backspace")
            await here.press("3", "enter", session, "enter", "enter")
            assert here.engine.asked == [ReassignAgent("vm1/docs-1", 1, "", True, "vm2", leave_folder=leave)]


async def test_message_and_interrupt() -> None:
    async with room(scenes.farm()) as here:
        here.screen(Overview).table.choose("vm2/api-3")
        await here.press("m")
        here.screen(MessageForm)
        await here.write("use v2")
        await here.press("enter")
        await here.press("i")
        assert here.engine.asked == [SendMessage("vm2/api-3", 1, "use v2"), InterruptAgent("vm2/api-3", 1)]
        here.screen(Overview).table.choose("vm1/lint-all")
        await here.press("m")
        assert here.said() == "lint-all runs a command, which takes no messages"


@SIZES
async def test_another_model_is_written_and_ordered(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        here.screen(Overview).table.choose("vm2/api-3")
        await here.press("=")
        assert "model of api-3 on vm2, now" in here.text()
        await here.press("enter")
        assert here.engine.asked == []
        await here.press(*"haiku", "enter")
        assert here.engine.asked == [SetModel("vm2/api-3", 1, "haiku")]
        here.screen(Overview).table.choose("vm1/lint-all")
        await here.press("=")
        assert here.said() == "lint-all runs a command, which has no model"


async def test_a_question_is_answered_in_words() -> None:
    async with room(scenes.farm()) as here:
        await here.press("m")
        await here.write("not yet")
        await here.press("enter")
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.DENY, "not yet")]


@SIZES
async def test_a_question_with_choices_is_answered_by_number_or_in_words(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("n")
        assert here.screen(AgentScreen).agent_id == "vm2/infra"
        assert "1-2 choose" in here.text()
        await here.press("y")
        assert here.engine.asked == []
        assert "the number of a choice" in here.said()
        await here.press("3")
        assert here.engine.asked == []
        await here.press("2")
        assert here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.ALLOW, answers=(ItemAnswer((2,)),))]
        asking = here.engine.fleet.agents["vm2/infra"]
        again = replace(scenes.farm().agents["vm2/infra"].question, id="q-3")  # type: ignore[type-var]
        here.engine.put(replace(asking, state=State.WAITING, question=again))
        await here.until(lambda: here.app.context.fleet.agents["vm2/infra"].question == again)
        here.screen(AgentScreen).turn_to("vm2/infra")  # the answer has led to the next question
        await here.until(lambda: "1-2 choose" in here.text())
        await here.press("m")
        here.screen(MessageForm)
        await here.write("eu-north")
        await here.press("enter")
        assert here.engine.asked[1] == AnswerQuestion(
            "vm2/infra", "q-3", Verdict.ALLOW, answers=(ItemAnswer((), "eu-north"),)
        )


def claimed() -> Fleet:
    """The farm, where another room has ordered docs-1."""
    fleet = scenes.farm()
    agent = replace(fleet.agents["vm1/docs-1"], ordered=None, cwd="/home/ann/their work")
    return replace(fleet, agents={**fleet.agents, agent.id: agent})


@SIZES
async def test_of_an_agent_that_this_room_did_not_order_it_is_asked_whether_its_host_is_believed(
    size: tuple[int, int],
) -> None:
    async with room(claimed(), size=size) as here:
        assert "?docs-1" in here.text(), "its row has a mark"
        assert "?web-2" not in here.text()
        await here.press("r")
        await here.write("now the tests")
        await here.press("enter")
        assert here.engine.asked == []
        asked = " ".join(here.text().split())
        assert "This room did not order docs-1. Believe what vm1 claims of it?" in asked
        assert "kind headless, profile default, model claude-sonnet-5-5, folder /home/ann/their work" in asked
        await here.press("q")
        assert "now the tests" in here.screen(ReassignForm).value("task"), "the form stays as it was"
        await here.press("enter", "y")
        assert here.engine.asked == [ReassignAgent("vm1/docs-1", 1, "now the tests", False, trust=True)]
        await here.press("enter")
        assert isinstance(here.app.screen, AgentScreen)


@SIZES
async def test_an_agent_that_this_room_did_not_order_says_so_beside_its_evidence(size: tuple[int, int]) -> None:
    async with room(claimed(), size=size) as here:
        await here.press("enter")
        here.screen(AgentScreen)
        assert "? not ordered by this room; vm1" in here.text()


async def test_with_many_those_that_this_room_did_not_order_are_left_out() -> None:
    fleet = claimed()
    todo = plan(fleet, ["vm1/docs-1", "vm1/web-2"], "reassign")
    assert [target.subject.name for target in todo.targets] == ["web-2"]
    assert "was not ordered by this room" in todo.left_out[0][1]
