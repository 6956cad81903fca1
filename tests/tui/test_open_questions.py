"""Answering as a flow: from one question to the next, all that ask alike at once, and what can be taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import AnswerQuestion, ForgetAgent, SendMessage
from controlroom.domain.keys.many import answer_to_all
from controlroom.domain.model import Fleet, State
from controlroom.domain.open_questions import Asker, Asking, alike
from controlroom.domain.questions import Question, QuestionKind
from controlroom.text.states import Item, ItemAnswer, Option, Verdict
from controlroom.tui.actions.orders import MISTAKE
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.many import Listed, ListSheet
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.questions import QuestionsScreen
from controlroom.tui.terminal.keyboard import STARTLE
from tests.tui import scenes
from tests.tui.room import Room, at_sizes, room

EVERY_SIZE = at_sizes((45, 20), (80, 24), (120, 40), (200, 50))


def many_asking(count: int = 8) -> Fleet:
    """So many agents want to run the same; one of them says why, and another agent wants something else."""
    fleet = scenes.farm()
    agents = {}
    for number in range(1, count + 1):
        why = "make deploy\nIt is ready." if number == 3 else "make deploy"
        asked = scenes.permission("run: make deploy", why, 9, f"q-{number}")
        agents[f"vm1/web-{number}"] = scenes.agent(f"web-{number}", "vm1", State.WAITING, 9, question=asked)
    other = scenes.agent("api", "vm2", State.WAITING, 2, question=scenes.permission("run: rm -r build", "rm -r build"))
    return replace(fleet, agents={**agents, other.id: other})


def verdicts(here: Room) -> list[tuple[str, Verdict]]:
    return [(each.subject, each.verdict) for each in here.engine.asked if isinstance(each, AnswerQuestion)]


@EVERY_SIZE
async def test_eight_that_ask_alike_are_answered_at_once(size: tuple[int, int]) -> None:
    async with room(many_asking(), size=size) as here:
        await here.press("!")
        assert "8 agents" in here.text()
        assert "run: make deploy" in here.text()
        assert all(key in here.text().splitlines()[-1] for key in ("y allow", "a always", "d deny", "q back"))
        await here.press("y")
        here.screen(ListSheet)
        await here.press(*["space"] * (size[1] < 24), "8", "enter")
        await here.until(lambda: len(here.engine.asked) == 8)
        assert sorted(verdicts(here)) == [(f"vm1/web-{number}", Verdict.ALLOW) for number in range(1, 9)]
        here.screen(QuestionsScreen)
        await here.until(lambda: "rm -r build" in here.text())
        assert "make deploy" not in here.text()


REGION = Item("Which region?", "Region", (Option("eu-1", "near"), Option("us-2", "cheap")), own_words=True)


def choosing(count: int, *items: Item) -> Fleet:
    """So many agents want the same to be chosen."""
    agents = {}
    for number in range(1, count + 1):
        asked = Question(f"q-{number}", QuestionKind.CHOICES, "Which region?", "Which region?", scenes.NOW, items)
        agent = scenes.agent(f"web-{number}", "vm1", State.WAITING, 9, question=replace(asked, digest=f"d{number}"))
        agents[agent.id] = agent
    return replace(scenes.farm(), agents=agents)


@EVERY_SIZE
async def test_a_choice_is_made_once_for_all_who_ask_alike(size: tuple[int, int]) -> None:
    async with room(choosing(3, REGION), size=size) as here:
        await here.press("!")
        assert "3 agents" in here.text()
        assert "2. us-2" in here.text()
        await here.press("2")
        await here.until(lambda: here.screen(ListSheet).painted)
        assert "Answer 3 agents with Region: us-2?" in here.text().replace("\n", " ")
        assert here.engine.asked == []
        await here.press("3", "enter")
        await here.until(lambda: len(here.engine.asked) == 3)
        chosen = (ItemAnswer((2,)),)
        assert here.engine.asked == [
            AnswerQuestion(f"vm1/web-{n}", f"q-{n}", Verdict.ALLOW, digest=f"d{n}", answers=chosen) for n in (1, 2, 3)
        ]


async def test_several_choices_are_looked_at_again_before_they_are_sent_and_a_no_is_for_all() -> None:
    tests = Item("Which tests?", "Tests", (Option("unit"), Option("slow")), several=True)
    async with room(choosing(2, REGION, tests)) as here:
        await here.press("!", "1", "1", "2", "y")
        assert "Is this your answer?" in here.text()
        await here.press("y")
        assert here.screen(ListSheet).plan.answer == "Region: eu-1; Tests: unit, slow"
        await here.press("q", "d", "2", "enter")
        await here.until(lambda: here.said() == "2 denied")
        assert verdicts(here) == [("vm1/web-1", Verdict.DENY), ("vm1/web-2", Verdict.DENY)]


async def test_words_to_those_who_ask_alike_are_for_all_of_them_after_a_list() -> None:
    async with room(choosing(3, REGION)) as here:
        await here.press("!", "m")
        assert "answer 3 agents" in here.text()
        await here.write("the nearest")
        await here.press("enter")
        assert here.engine.asked == []
        assert "the nearest" in here.screen(ListSheet).plan.answer
        await here.press("3", "enter")
        await here.until(lambda: here.said() == "3 answered")
        words = (ItemAnswer(words="the nearest"),)
        assert here.engine.asked == [
            AnswerQuestion(f"vm1/web-{n}", f"q-{n}", Verdict.ALLOW, digest=f"d{n}", answers=words) for n in (1, 2, 3)
        ]


async def test_a_no_with_words_to_those_who_ask_alike_is_for_all_of_them() -> None:
    async with room(choosing(2, REGION)) as here:
        await here.press("!", "m", "up", "2", "down")
        await here.write("ask later")
        await here.press("enter", "2", "enter")
        await here.until(lambda: here.said() == "2 answered")
        assert here.engine.asked == [
            AnswerQuestion(f"vm1/web-{n}", f"q-{n}", Verdict.DENY, "ask later", f"d{n}") for n in (1, 2)
        ]


async def test_one_who_asks_alone_is_answered_at_once() -> None:
    async with room(choosing(1, REGION)) as here:
        await here.press("!", "1")
        await here.until(lambda: verdicts(here) == [("vm1/web-1", Verdict.ALLOW)])


@EVERY_SIZE
async def test_a_permission_that_one_asks_for_takes_one_key(size: tuple[int, int]) -> None:
    async with room(many_asking(2), size=size) as here:
        await here.press("!", "j")
        assert "rm -r build" in here.text()
        await here.press("y")
        await here.until(lambda: verdicts(here) == [("vm2/api", Verdict.ALLOW)])
        here.screen(QuestionsScreen)
        await here.until(lambda: "rm -r build" not in here.text())
        await here.press("y")
        assert "Allow what 2 agents ask, this once?" in here.text()


async def test_an_answer_on_the_hosts_screen_leads_to_what_agents_ask() -> None:
    fleet = scenes.with_new_host()
    async with room(fleet) as here:
        await here.press("h")
        here.screen(HostsScreen).turn_to("vm9")
        await here.press("d")
        await here.until(lambda: isinstance(here.app.screen, AgentScreen))
        assert here.screen(AgentScreen).agent_id in {subject for subject, _ in fleet.questions()}


@EVERY_SIZE
async def test_what_only_one_of_them_says_stands_under_its_name(size: tuple[int, int]) -> None:
    async with room(many_asking(3), size=size) as here:
        await here.press("!")
        whole = here.text()
        assert whole.index("vm1/web-3") < whole.index("It is ready.") < whole.index("always, for this session")
        assert whole.count("   make deploy") == 1


def test_commands_that_differ_behind_a_cut_title_are_not_alike() -> None:
    title = "run: make deploy TARGET=staging …"
    agents = [
        scenes.agent(
            name, "vm1", State.WAITING, 2, question=scenes.permission(title, f"make deploy TARGET=staging {name}")
        )
        for name in ("one", "two")
    ]
    assert [asking.whom for asking in alike(Fleet(agents={agent.id: agent for agent in agents}))] == [
        ("vm1/one",),
        ("vm1/two",),
    ]


async def test_the_screen_of_questions_leads_to_agents_and_hosts_and_back() -> None:
    fleet = scenes.farm()
    async with room(fleet) as here:
        await here.press("!")
        screen = here.screen(QuestionsScreen)
        subjects = [row.whom[0] for row in screen.table.rows]
        assert set(subjects) == {subject for subject, _ in fleet.questions()}
        for subject in subjects:
            screen.table.choose(next(row.id for row in screen.table.rows if row.whom[0] == subject))
            await here.press("enter")
            if subject in fleet.hosts:
                assert here.screen(HostsScreen).host_here() == subject
                await here.press("q")
            else:
                assert here.screen(AgentScreen).agent_id == subject
                await here.press("!")
            assert here.app.screen is screen


async def test_without_a_question_it_says_so() -> None:
    async with room(replace(scenes.farm(), agents={})) as here:
        await here.press("!")
        assert "nothing is asked now" in here.text()
        await here.press("y")
        assert "nothing is asked now" in here.said()


@pytest.mark.parametrize("key", ["y", "a", "d"])
@pytest.mark.parametrize("size", [(45, 20), (120, 40), (200, 50)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_an_answer_leads_to_the_next_question(size: tuple[int, int], key: str) -> None:
    async with room(many_asking(3), size=size) as here:
        await here.press("n")
        first = here.screen(AgentScreen).agent_id
        await here.press(key)
        await here.until(lambda: here.screen(AgentScreen).agent_id != first)
        here.clock.pass_(0.9 * STARTLE)
        await here.pilot.press(key)
        await here.until(lambda: "now: look, then press again" in here.said())
        await here.press(key)
        await here.until(lambda: len(here.engine.asked) == 2)
        assert len({subject for subject, _ in verdicts(here)}) == 2


async def test_an_answer_beside_the_table_leads_the_cursor_to_the_next_question() -> None:
    async with room(many_asking(3), size=(120, 40)) as here:
        overview = here.screen(Overview)
        first = overview.agent_here()
        await here.press("y")
        await here.until(lambda: overview.agent_here() != first)
        assert here.engine.fleet.agents[overview.agent_here() or ""].question is not None


async def test_a_no_is_taken_back_by_a_message() -> None:
    async with room(many_asking(2)) as here:
        await here.press("n", "d")
        await here.until(lambda: bool(here.engine.asked))
        denied = verdicts(here)[0][0]
        await here.press("z")
        await here.until(lambda: len(here.engine.asked) == 2)
        assert here.engine.asked[1] == SendMessage(denied, 1, MISTAKE)
        await here.press("z")
        assert "nothing to undo" in here.said()


async def test_a_no_to_many_is_taken_back_from_all_of_them() -> None:
    async with room(many_asking(3)) as here:
        await here.press("!", "d", "3", "enter")
        await here.until(lambda: len(here.engine.asked) == 3)
        await here.press("z")
        await here.until(lambda: len(here.engine.asked) == 6)
        told = [each.agent for each in here.engine.asked if isinstance(each, SendMessage)]
        assert sorted(told) == ["vm1/web-1", "vm1/web-2", "vm1/web-3"]


async def test_a_forgotten_agent_can_be_kept_for_a_while() -> None:
    async with room(scenes.farm()) as here:
        here.screen(Overview).table.choose("vm2/old-7")
        await here.press("f", "y")
        assert "forgotten in 10 s: z undoes it" in here.said()
        await here.press("z")
        assert "old-7 is kept" in here.said()
        here.app.context.forget_after = 0.05
        await here.press("f", "y")
        await here.until(lambda: bool(here.engine.asked))
        assert here.engine.asked == [ForgetAgent("vm2/old-7", 1)]


def asking_now(*asked: tuple[str, Question | None]) -> Fleet:
    agents = [scenes.agent(name, "vm1", State.WAITING, 9, question=question) for name, question in asked]
    return replace(scenes.farm(), agents={agent.id: agent for agent in agents})


def test_an_answer_for_all_goes_to_nobody_who_asks_something_else_by_now() -> None:
    was, other = (scenes.permission(f"run: {command}", command, 9, "q-1") for command in ("make", "rm -r build"))
    was, other = replace(was, digest="d1"), replace(other, digest="d2")
    asked = Asking("make", tuple(Asker(f"vm1/{name}", was) for name in "abcd"))
    plan = answer_to_all(asking_now(("a", was), ("b", other), ("c", None)), asked, Verdict.ALLOW)
    assert [target.intent for target in plan.targets] == [AnswerQuestion("vm1/a", "q-1", Verdict.ALLOW, digest="d1")]
    assert [(agent.name, reason) for agent, reason in plan.left_out] == [
        ("b", "b asks something else by now"),
        ("c", "c asks nothing any more"),
    ]


@EVERY_SIZE
async def test_one_key_answers_what_all_ask_once_the_list_was_on_show(size: tuple[int, int]) -> None:
    async with room(many_asking(3), size=size) as here:
        await here.press("!", "d")
        assert "Enter deny 3" in here.text()
        here.app.screen.query_one(Listed).fit()
        await here.press("enter")
        await here.until(lambda: len(here.engine.asked) == 3)
        assert {subject for subject, _ in verdicts(here)} == {"vm1/web-1", "vm1/web-2", "vm1/web-3"}


async def test_a_key_that_was_on_its_way_to_the_list_answers_nothing() -> None:
    async with room(many_asking(3)) as here:
        await here.press("!", "d")
        await here.until(lambda: here.screen(ListSheet).painted)
        here.clock.now -= 1000
        await here.pilot.press("enter")
        await here.settle()
        assert "look, then press again" in here.text()
        assert here.engine.asked == []


async def test_the_key_of_a_yes_takes_a_list_that_was_read_to_its_end() -> None:
    async with room(many_asking(40), size=(45, 20)) as here:
        await here.press("!", "y", "enter")
        assert "read all of it first" in here.text()
        assert here.engine.asked == []
        await here.press_until(lambda: here.screen(ListSheet).query_one(Listed).read, "space")
        await here.press("enter")
        await here.until(lambda: len(here.engine.asked) == 40)


async def test_who_asks_anew_or_something_else_while_the_list_is_on_show_is_not_answered() -> None:
    async with room(many_asking(3)) as here:
        await here.press("!", "y")
        other = scenes.permission("run: make deploy", "make deploy", 1, "q-9")
        late = scenes.agent("web-4", "vm1", State.WAITING, 1, question=other)
        changed = replace(here.engine.fleet.agents["vm1/web-2"], question=replace(other, digest="another"))
        here.engine.put(late, changed)
        await here.press("enter")
        await here.until(lambda: "2 allowed once" in here.said())
        assert "1 refused" in here.said()
        open_ones = {subject for subject, _ in here.engine.fleet.questions()}
        assert {"vm1/web-2", "vm1/web-4"} <= open_ones
        assert not {"vm1/web-1", "vm1/web-3"} & open_ones


async def test_a_tap_on_the_answer_to_what_all_ask_gives_it() -> None:
    async with room(many_asking(3), size=(45, 20)) as here:
        await here.press("!", "d")
        here.clock.pass_(1)
        row = next(number for number, line in enumerate(here.text().splitlines()) if "Enter deny 3" in line)
        await here.pilot.click(offset=(6, row))
        await here.until(lambda: len(here.engine.asked) == 3)
