"""Many marked, one act: the list first, a number typed, each for the run that was listed, one sentence in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from controlroom.client.client import EngineUnavailable
from controlroom.domain.intents import (
    AnswerQuestion,
    ForgetAgent,
    Intent,
    InterruptAgent,
    KillAgent,
    ReassignAgent,
    SendMessage,
    SetModel,
)
from controlroom.domain.keys.many import AT_ONCE, Plan, Target, plan, summed
from controlroom.domain.model import Agent, Fleet, LinkState, Question, State
from controlroom.domain.orders import Result
from controlroom.domain.questions import QuestionKind
from controlroom.text.states import Outcome, Verdict
from controlroom.tui.screens.forms import MessageAll, ReassignAll
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.screens.overview import Overview
from tests.tui import scenes
from tests.tui.engine import SmallClient, SmallEngine
from tests.tui.room import Room, room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


def crowd(count: int, state: State = State.WORKING) -> Fleet:
    many = [scenes.agent(f"a{n:02}", "vm1", state, n + 1) for n in range(count)]
    return replace(scenes.farm(), agents={agent.id: agent for agent in many})


def marked(here: Room) -> set[str]:
    return set(here.overview.table.marks.names)


@SIZES
async def test_space_marks_and_goes_on_and_x_shows_the_list_first(size: tuple[int, int]) -> None:
    async with room(crowd(6), size=size) as here:
        await here.press("space", "space", "space")
        assert marked(here) == {"vm1/a00", "vm1/a01", "vm1/a02"}
        assert here.screen(Overview).table.chosen == "vm1/a03"
        assert "3 marked" in here.text()
        await here.press("x")
        here.screen(ListSheet)
        shown = here.text()
        assert "Kill 3 agents" in shown
        for name in ("a00", "a01", "a02"):
            assert f"{name}  vm1  working" in shown.replace("   ", "  ")
        await here.press("y", "enter", "x", "enter", "4", "enter")
        assert here.engine.asked == []
        assert "type 3 first" in here.text()
        await here.press("3", "enter")
        await here.until(lambda: here.said() == "3 ended")
        assert here.engine.asked == [KillAgent(f"vm1/a{n:02}", 1) for n in range(3)]
        assert not marked(here)


@SIZES
async def test_star_marks_all_on_show_and_takes_all_marks_away(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("/")
        await here.write("vm1")
        await here.press("enter", "*")
        assert marked(here) == {"vm1/docs-1", "vm1/seed-9", "vm1/test-4", "vm1/lint-all", "vm1/web-2"}
        await here.press("*")
        assert not marked(here)
        await here.press("*", "q", "*")
        assert len(marked(here)) == 12


@pytest.mark.parametrize("key", ["q", "n", "backspace", "escape"])
async def test_the_list_is_left_with_a_plain_key(key: str) -> None:
    async with room(crowd(3), size=PHONE) as here:
        await here.press("*", "x", key)
        here.screen(Overview)
        assert here.engine.asked == []
        assert len(marked(here)) == 3


async def test_what_it_cannot_be_done_to_is_left_out_with_the_reason() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("*", "x")
        shown = here.text()
        assert "Kill 9 agents" in shown
        assert "left out:" in shown
        assert "vm1/seed-9  has ended: exit 1: not logged in" in shown
        await here.press("9", "enter")
        await here.until(lambda: "9 ended" in here.said())
        assert {type(intent) for intent in here.engine.asked} == {KillAgent}
        assert not marked(here), "the list said why they were left out"


async def test_where_it_can_be_done_to_none_of_them_the_reason_is_said() -> None:
    async with room(crowd(3, State.DONE), size=WIDE) as here:
        await here.press("*", "x")
        here.screen(Overview)
        assert here.said().startswith("none of the 3 marked: a00 has ended")


async def test_each_is_ended_in_the_run_that_was_listed_and_a_refused_one_stays_marked() -> None:
    async with room(crowd(9), size=WIDE) as here:
        await here.press("*", "x")
        known = here.engine.fleet.agents["vm1/a02"]
        here.engine.put(replace(known, epoch=2))
        await here.until(lambda: here.app.context.fleet.agents["vm1/a02"].epoch == 2)
        await here.press("9", "enter")
        await here.until(lambda: "8 ended, 1 refused: " in here.said())
        assert "restarted meanwhile" in here.said()
        assert "vm1/a02" in here.said()
        assert marked(here) == {"vm1/a02"}
        assert here.engine.fleet.agents["vm1/a02"].state is State.WORKING


async def test_the_list_shows_what_each_does_by_now() -> None:
    async with room(scenes.farm(), size=(120, 40)) as here:
        await here.press("*", "x")
        sheet = here.screen(ListSheet)
        names = [target.subject.id for target in sheet.plan.targets]
        working = next(one for name in names if (one := here.engine.fleet.agents[name]).state is State.WORKING)
        here.engine.put(replace(working, state=State.FAILED, ended=scenes.NOW))
        row = next(line for line in here.text().splitlines() if f" {working.name} " in line and working.host in line)
        assert "working" in row
        await here.until(
            lambda: any(f" {working.name} " in line and "failed" in line for line in here.text().splitlines())
        )
        assert [target.subject.id for target in sheet.plan.targets] == names


async def test_news_that_come_while_the_list_is_being_left_break_nothing() -> None:
    async with room(scenes.farm(), size=(120, 40)) as here:
        await here.press("*", "x")
        await here.screen(ListSheet).query("*").remove()
        one = here.engine.fleet.agents["vm1/web-2"]
        here.engine.put(replace(one, state=State.FAILED, ended=scenes.NOW))
        await here.until(lambda: here.app.context.fleet.agents[one.id].state is State.FAILED)
        await here.settle()


async def test_a_long_list_scrolls_on_a_phone() -> None:
    async with room(crowd(30), size=PHONE) as here:
        await here.press("*", "x")
        assert "Kill 30 agents" in here.text()
        assert "more lines" in here.text()
        assert "a29" not in here.text()
        for _ in range(3):
            await here.press("space")
        assert "a29" in here.text()
        await here.press("3", "0", "enter")
        await here.until(lambda: here.said() == "30 ended")


async def test_the_list_fits_when_the_keyboard_takes_half_the_phone() -> None:
    async with room(crowd(30), size=PHONE) as here:
        await here.press("*", "x")
        for height in (10, 8, 20):
            await here.pilot.resize_terminal(45, height)
            await here.pilot.pause()
            assert "30 Enter" in here.text().splitlines()[-1]
            assert "a00" in here.text()


async def test_a_message_says_how_many_of_the_marked_it_leaves_out() -> None:
    async with room(crowd(3, State.IDLE), size=PHONE) as here:
        agents = list(here.engine.fleet.agents.values())
        here.engine.put(*(replace(agent, state=State.FAILED) for agent in agents[1:]))
        await here.until(lambda: "✕2" in here.text())
        await here.press("*", "m")
        assert "message to 1 agent (2 left out): a00 ─" in here.text()


async def test_forget_interrupt_and_message_go_to_all() -> None:
    async with room(crowd(2, State.IDLE), size=WIDE) as here:
        await here.press("*", "i", "2", "enter")
        await here.until(lambda: here.said() == "2 interrupted")
        await here.press("*", "m")
        here.screen(MessageAll)
        assert "message to 2 agents: a00, a01" in here.text()
        await here.write("be brief")
        await here.press("enter")
        await here.until(lambda: here.said() == "2 told")
        await here.press("*", "=", *"haiku", "enter")
        await here.until(lambda: here.said() == "2 given the model")
        ended = [replace(agent, state=State.DONE) for agent in here.engine.fleet.agents.values()]
        here.engine.put(*ended)
        await here.until(lambda: "✓ 2 done" in here.text())
        here.app.context.forget_after = 0.01
        await here.press("*", "f", "2", "enter")
        await here.until(lambda: here.said() == "2 removed")
        both = ("vm1/a00", "vm1/a01")
        assert here.engine.asked == [
            *(InterruptAgent(agent, 1) for agent in both),
            *(SendMessage(agent, 1, "be brief") for agent in both),
            *(SetModel(agent, 1, "haiku") for agent in both),
            *(ForgetAgent(agent, 1) for agent in both),
        ]


async def test_the_same_new_task_for_all_shows_the_list_before_runs_are_ended() -> None:
    async with room(crowd(2), size=WIDE) as here:
        await here.press("*", "r")
        here.screen(ReassignAll)
        await here.press("enter")
        assert "write the new task, or choose a host, first" in here.text()
        await here.write("clean up")
        await here.press("enter")
        here.screen(ListSheet)
        assert here.engine.asked == []
        assert "Their runs now are ended first" in here.text()
        await here.press("2", "enter")
        await here.until(lambda: here.said() == "2 given the task")
        assert here.engine.asked == [ReassignAgent(f"vm1/a0{n}", 1, "clean up") for n in range(2)]


async def test_agents_are_moved_in_their_sessions_with_their_folders() -> None:
    async with room(crowd(2), size=WIDE) as here:
        hosts = ["", *sorted(name for name, each in here.app.context.fleet.hosts.items() if each.link is LinkState.UP)]
        await here.press(
            "*", "r", "backspace", "backspace", "2", "enter", str(hosts.index("vm2") + 1), "enter", "enter"
        )
        here.screen(ListSheet)
        assert "they go on in their sessions, with their folders" in here.text()


@SIZES
async def test_five_agents_are_moved_to_another_host_in_twelve_keys(size: tuple[int, int]) -> None:
    async with room(crowd(6), size=size) as here:
        hosts = ["", *sorted(name for name, each in here.app.context.fleet.hosts.items() if each.link is LinkState.UP)]
        keys = [*["space"] * 5, "r", "backspace", str(hosts.index("vm2") + 1), "enter", "enter", "5", "enter"]
        assert len(keys) == 12
        for number, key in enumerate(keys, 1):
            await here.press(key)
            if number == 8:
                assert "vm2" in here.text()
            if number == 10:
                assert "Move 5 agents to vm2?" in here.text()
                assert here.engine.asked == []
        await here.until(lambda: here.said() == "5 moved")
        assert here.engine.asked == [ReassignAgent(f"vm1/a0{n}", 1, "", host="vm2") for n in range(5)]


async def test_those_that_are_on_the_host_already_are_left_out_of_a_move() -> None:
    todo = plan(scenes.farm(), ["vm1/docs-1", "vm2/api-3"], "reassign").saying("", host="vm2")
    assert [target.subject.id for target in todo.targets] == ["vm1/docs-1"]
    assert [(agent.id, reason) for agent, reason in todo.left_out] == [("vm2/api-3", "api-3 is on vm2 already")]


async def test_many_questions_are_read_to_their_end_before_they_are_allowed() -> None:
    async with room(asking(6), size=PHONE) as here:
        await here.press("*", "y")
        assert "rm -r build-0" in here.text()
        await here.press("6", "enter")
        assert here.engine.asked == []
        assert "read all of it first" in here.text()
        for _ in range(4):
            await here.press("space")
        assert "rm -r build-5" in here.text()
        await here.press("6", "enter") if here.screen(ListSheet).typed == "" else await here.press("enter")
        await here.until(lambda: here.said() == "6 allowed once")
        assert here.engine.asked == [AnswerQuestion(f"vm1/a{n:02}", f"q{n}", Verdict.ALLOW) for n in range(6)]


def asking(count: int) -> Fleet:
    agents: list[Agent] = []
    for n in range(count):
        text = f"rm -r build-{n}\nIt is in the way.\nThe tests need the place."
        question = Question(f"q{n}", QuestionKind.PERMISSION, f"run: rm -r build-{n}", text, scenes.NOW)
        agents.append(scenes.agent(f"a{n:02}", "vm1", State.WAITING, 3, question=question))
    return replace(scenes.farm(), agents={agent.id: agent for agent in agents})


def test_questions_that_want_words_are_left_out_of_an_allow() -> None:
    todo = plan(scenes.farm(), ["vm1/docs-1", "vm2/infra", "vm1/seed-9"], "allow")
    assert [target.intent for target in todo.targets] == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.ALLOW)]
    assert [agent.name for agent, _ in todo.left_out] == ["infra", "seed-9"]


@SIZES
async def test_a_mark_that_the_filter_hides_is_named_and_left_out(size: tuple[int, int]) -> None:
    async with room(crowd(3), size=size) as here:
        await here.press("space", "/")
        await here.write("a02")
        await here.press("enter", "space")
        assert "out of sight: a00" in here.text()
        await here.press("x")
        assert "Kill 1 agent" in here.text()
        assert "vm1/a00  stays marked: the filter" in here.text()
        await here.press("1", "enter")
        await here.until(lambda: here.said() == "1 ended")
        assert here.engine.asked == [KillAgent("vm1/a02", 1)]
        assert marked(here) == {"vm1/a00"}


@SIZES
async def test_where_all_marks_are_out_of_sight_a_key_means_the_agent_under_the_cursor(size: tuple[int, int]) -> None:
    async with room(crowd(3), size=size) as here:
        await here.press("space", "/")
        await here.write("a02")
        await here.press("enter", "r")
        assert "new task for a02" in here.text()
        await here.press("escape", "escape", "escape")
        assert not marked(here)
        assert not here.app._exit


async def test_star_takes_away_marks_out_of_sight_too() -> None:
    async with room(crowd(3), size=WIDE) as here:
        await here.press("space", "/")
        await here.write("a02")
        await here.press("enter", "*")
        assert marked(here) == {"vm1/a00", "vm1/a02"}
        await here.press("*")
        assert not marked(here)


async def test_an_agent_that_is_gone_is_no_longer_marked() -> None:
    async with room(crowd(3), size=WIDE) as here:
        await here.press("*")
        kept = {key: agent for key, agent in here.engine.fleet.agents.items() if key != "vm1/a01"}
        here.engine.fleet = replace(here.engine.fleet, agents=kept)
        here.engine.wake()
        await here.until(lambda: marked(here) == {"vm1/a00", "vm1/a02"})


class Slow(SmallEngine):
    """An engine whose hosts take their time; `gone`: it goes away instead."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet, {}, lambda: scenes.NOW)
        self.under_way = self.most = 0
        self.go_on = asyncio.Event()
        self.gone = False

    async def connect(self, start: bool = True) -> SmallClient:
        client = await super().connect(start)
        client.submit = self.submit  # type: ignore[method-assign]
        return client

    async def submit(self, intent: Intent, *, wait: bool = True, deadline: float = 60) -> Result:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.go_on.wait()
        self.under_way -= 1
        if self.gone:
            raise EngineUnavailable("the engine has ended; agents live on")
        return self.decide(intent)


@asynccontextmanager
async def slow_room(count: int) -> AsyncIterator[tuple[Room, Slow]]:
    engine = Slow(crowd(count))
    async with room(engine.fleet, size=WIDE, engine=engine) as here:
        yield here, engine


async def test_ten_at_a_time() -> None:
    async with slow_room(25) as (here, engine):
        await here.press("*", "x", "2", "5", "enter")
        await here.until(lambda: engine.under_way == AT_ONCE)
        assert marked(here), "nothing is known of them yet"
        engine.go_on.set()
        await here.until(lambda: here.said() == "25 ended")
        assert engine.most == AT_ONCE == 10


async def test_of_what_was_under_way_when_the_engine_went_nothing_is_claimed() -> None:
    async with slow_room(2) as (here, engine):
        await here.press("*", "x", "2", "enter")
        await here.until(lambda: engine.under_way == 2)
        engine.gone = True
        engine.go_on.set()
        await here.until(lambda: "of 2 not known: vm1/a00, vm1/a01" in here.said())
        assert len(marked(here)) == 2


def test_the_sum_names_few_and_counts_the_rest() -> None:
    agents = [scenes.agent(f"a{n}", "vm1", State.WORKING, 1) for n in range(7)]
    todo = Plan("kill", tuple(Target(agent, KillAgent(agent.id, 1)) for agent in agents), ())
    outcomes = [Result(Outcome.DONE), Result(Outcome.UNKNOWN, "the link dropped")]
    outcomes += [Result(Outcome.REFUSED, f"vm1/a{n} was restarted meanwhile") for n in range(2, 7)]
    assert summed(todo, outcomes) == (
        "1 ended, 5 refused: vm1/a2 was restarted meanwhile; vm1/a3 was restarted meanwhile; "
        "vm1/a4 was restarted meanwhile; and 2 more, of 1 not known: vm1/a1; look before you try again"
    )


@pytest.mark.parametrize("text", ["[/red]", "[@click=app.bell]z[/]", "{}", "%s"])
async def test_hostile_text_in_the_list(text: str) -> None:
    fleet = asking(2)
    bad = {
        key: replace(agent, detail=text, question=replace(agent.question, title=text, text=text))
        for key, agent in fleet.agents.items()
        if agent.question
    }
    async with room(replace(fleet, agents=bad), size=PHONE) as here:
        await here.press("*", "y")
        here.screen(ListSheet)
        assert here.text().count(f"    {text}") == 1  # what both of them ask
