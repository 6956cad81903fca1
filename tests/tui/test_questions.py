"""Questions with choices, one after the other, on every size of screen; and one that is replaced under the finger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import AnswerQuestion
from controlroom.domain.model import Fleet, LinkState, Question
from controlroom.domain.questions import QuestionKind
from controlroom.text.states import Item, ItemAnswer, Option, Verdict
from controlroom.tui.context import ChooseAnswer, RunAction
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.forms import MessageForm
from controlroom.tui.widgets.question import REPLACED
from tests.tui import scenes
from tests.tui.room import Room, room
from tests.tui.storms import tap

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))

PARTS = Item("Which parts are to be done?", "Parts", (Option("Auth"), Option("Cache"), Option("Docs")), True, True)
LOOK = Item(
    "How shall it look?",
    "Look",
    (Option("plain", "as it is", "| a |"), Option("framed", "with a frame")),
    own_words=True,
)


def asking(*items: Item, digest: str = "d1") -> Fleet:
    """Its agent infra asks this, as q-2."""
    fleet = scenes.farm()
    text = "\n".join(item.question for item in items)
    asked = Question(
        "q-2", QuestionKind.CHOICES, items[0].question, text, scenes.NOW - 4 * scenes.MINUTE, items, digest
    )
    agent = replace(fleet.agents["vm2/infra"], question=asked)
    return replace(fleet, agents={**fleet.agents, agent.id: agent})


def answer(*answers: ItemAnswer) -> AnswerQuestion:
    return AnswerQuestion("vm2/infra", "q-2", Verdict.ALLOW, digest="d1", answers=answers)


async def at_the_question(here: Room) -> None:
    await here.press("n")
    assert here.screen(AgentScreen).agent_id == "vm2/infra"


@SIZES
async def test_several_questions_are_answered_one_after_the_other(size: tuple[int, int]) -> None:
    async with room(asking(PARTS, LOOK), size=size) as here:
        await at_the_question(here)
        assert "question 1 of 2 · Parts" in here.text()
        assert "How shall it look?" not in here.text()
        await here.press("y")
        assert "it wants an answer" in here.said()
        await here.press("1", "3")
        assert "[x] 1. Auth" in here.text()
        assert "[ ] 2. Cache" in here.text()
        await here.press("y")
        assert "question 2 of 2 · Look" in here.text()
        assert "│ | a |" in here.text()
        assert not here.engine.asked
        await here.press("2")
        assert "1. Parts: Auth, Docs" in here.text()
        assert "2. Look: framed" in here.text()
        assert not here.engine.asked
        await here.press("2", "1")
        assert "2. Look: plain" in here.text()
        await here.press("y")
        assert here.engine.asked == [answer(ItemAnswer((1, 3)), ItemAnswer((1,)))]


@SIZES
async def test_the_same_by_taps(size: tuple[int, int]) -> None:
    async with room(asking(PARTS, LOOK), size=size) as here:
        await at_the_question(here)
        await tap(here, "2. Cache")
        await tap(here, "y next")
        await tap(here, "1. plain")
        await tap(here, "y send")
        assert here.engine.asked == [answer(ItemAnswer((2,)), ItemAnswer((1,)))]


@SIZES
async def test_words_of_ones_own_answer_the_question_on_show(size: tuple[int, int]) -> None:
    async with room(asking(LOOK, PARTS), size=size) as here:
        await at_the_question(here)
        await here.press("m")
        here.screen(MessageForm)
        await here.write("like the old one")
        await here.press("enter")
        assert "question 2 of 2 · Parts" in here.text()
        await here.press("m")
        await here.write("9")
        await here.press("enter")
        assert "there is no 9" in here.text()
        here.screen(MessageForm)
        await here.press("backspace")
        await here.write("1, 2")
        await here.press("enter")
        await here.press("y")
        assert here.engine.asked == [answer(ItemAnswer((), "like the old one"), ItemAnswer((1, 2)))]


async def test_a_question_replaced_under_the_same_id_is_read_anew_and_its_old_answer_is_gone() -> None:
    async with room(asking(PARTS, LOOK), size=WIDE) as here:
        await at_the_question(here)
        await here.press("1", "y")
        assert "question 2 of 2" in here.text()
        evil = Item("Delete everything?", "Sure", (Option("yes"), Option("no")))
        here.clock.pass_(5)
        here.engine.put(asking(evil, digest="d2").agents["vm2/infra"])
        await here.until(lambda: "Delete everything?" in here.text())
        await here.until(lambda: here.said() == REPLACED)
        await here.pilot.press("1")
        assert not here.engine.asked
        assert "just appeared" in here.said()


async def test_the_answer_carries_what_was_shown_and_is_refused_when_it_has_been_replaced() -> None:
    async with room(asking(LOOK), size=WIDE) as here:
        await at_the_question(here)
        other = asking(LOOK, digest="d2").agents["vm2/infra"]
        here.engine.before_deciding = lambda: here.engine.put(other)
        await here.press("2")
        assert here.engine.asked == [answer(ItemAnswer((2,)))]
        await here.until(lambda: "asks something else now" in here.said())


async def test_a_tap_answers_the_question_that_was_tapped_and_no_other() -> None:
    """Its action is carried out after the messages that came before it, and another question may stand there then."""
    async with room(asking(LOOK)) as here:
        await at_the_question(here)
        for asked in (("vm2/infra", "q-1"), ("vm1/infra", "q-2")):
            here.app.post_message(ChooseAnswer(1, asked))
            here.app.post_message(RunAction("deny", asked))
        await here.press("0")
        assert here.engine.asked == []
        here.app.post_message(RunAction("deny", ("vm2/infra", "q-2")))
        await here.until(lambda: here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.DENY, digest="d1")])


@SIZES
async def test_a_plan_is_called_a_plan(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    edits = ("edits of files in its folders",)
    plan = Question("q-2", QuestionKind.PLAN, "plan: # Do it", "# Do it\n1. first", 1, digest="d1", always=edits)
    agent = replace(fleet.agents["vm2/infra"], question=plan)
    async with room(replace(fleet, agents={**fleet.agents, agent.id: agent}), size=size) as here:
        await at_the_question(here)
        assert "shows its plan" in here.text()
        assert "y approve" in here.text()
        assert "always, for this session, also allows:" in here.text()
        assert "- edits of files in its folders" in here.text()
        await here.press("a")
        assert here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.ALWAYS, digest="d1")]


@SIZES
async def test_always_is_not_offered_where_it_would_allow_nothing(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    asks = replace(scenes.permission("run: ls"), always=())
    agent = replace(fleet.agents["vm1/docs-1"], question=asks)
    async with room(replace(fleet, agents={**fleet.agents, agent.id: agent}), size=size) as here:
        await here.press("n")
        assert "a always" not in here.text()
        await here.press("a")
        assert here.engine.asked == []
        assert "nothing that `always` could allow" in here.said()


@SIZES
async def test_a_secret_is_entered_and_never_allowed(size: tuple[int, int]) -> None:
    question = Question("secret-1", QuestionKind.SECRET, "The passphrase of ~/.ssh/id", "It has one.", scenes.NOW)
    asks = scenes.host("vm9", 0, 1, link=LinkState.ASKING, sample=None, facts=None, question=question)
    fleet = scenes.farm()
    async with room(replace(fleet, hosts={**fleet.hosts, "vm9": asks}), size=size) as here:
        await here.press("h")
        assert "y enter it" in here.text()
        assert "allow" not in here.text()


@SIZES
async def test_a_question_that_cannot_be_shown_whole_says_so_and_offers_no_yes(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    asked = Question("q-2", QuestionKind.PERMISSION, "run: x", "x " * 40, 1, digest="d1", cut=True)
    agent = replace(fleet.agents["vm2/infra"], question=asked)
    async with room(replace(fleet, agents={**fleet.agents, agent.id: agent}), size=size) as here:
        await at_the_question(here)
        assert "it asks more than can be shown" in here.text()
        assert "allow" not in here.text().split("asks for permission")[1].split("deny")[0].split("\n")[-1]
        await here.press("d")
        assert here.engine.asked == [AnswerQuestion("vm2/infra", "q-2", Verdict.DENY, digest="d1")]
