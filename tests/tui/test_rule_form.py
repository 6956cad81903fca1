"""A rule made of a question: proposed narrowly, shown with what it would answer, added with one more key."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.orders import Work
from controlroom.domain.permissions.intents import AddRule, KeptRule
from controlroom.domain.permissions.rules import Rule, RuleVerdict
from controlroom.domain.questions import Question, QuestionKind
from controlroom.tui.screens.questions import QuestionsScreen
from controlroom.tui.screens.rules import RuleForm
from controlroom.tui.widgets.sentences import Sentences
from tests.tui import scenes
from tests.tui.engine import for_watchers
from tests.tui.room import Room, at_sizes, room

EVERY_SIZE = at_sizes((45, 20), (80, 24), (200, 50))
DAY = 24 * 3_600_000


def asks(name: str, command: str, **changes: object) -> Agent:
    """An agent of this room that wants to run this."""
    told = json.dumps({"command": command, "description": name})
    question = Question(
        f"q-{name}",
        QuestionKind.PERMISSION,
        f"run: {command}",
        command,
        scenes.NOW,
        digest=name,
        tool="Bash",
        input=told,
    )
    agent = scenes.agent(name, "vm1", State.WAITING, 9, question=question)
    agent = replace(agent, cwd=f"/home/ann/{name}", **changes)  # type: ignore[arg-type]
    return replace(agent, ordered=Work(agent.kind, agent.profile, agent.model, agent.cwd))


def asking(*agents: Agent) -> Fleet:
    return replace(scenes.farm(), agents={agent.id: agent for agent in agents})


async def opened(here: Room) -> RuleForm:
    """Open the form, and wait until it says what the rule would do."""
    await here.press("!", "&")
    await here.until(lambda: isinstance(here.app.screen, RuleForm))
    return await told(here)


async def told(here: Room) -> RuleForm:
    await here.until(lambda: here.app.screen.query_one(Sentences).painted_at < float("inf"))
    await here.settle()
    return here.screen(RuleForm)


def shown(here: Room) -> str:
    return " ".join(here.text().split())


@EVERY_SIZE
async def test_the_narrowest_rule_for_all_who_ask_is_proposed_and_one_key_adds_it(size: tuple[int, int]) -> None:
    fleet = asking(asks("a", "make test"), asks("b", "make test"), asks("c", "rm -r build"))
    async with room(fleet, size=size) as here:
        await opened(here)
        assert "answers 2 of 3 open questions" in shown(here)
        assert "answered: vm1/a, vm1/b" in shown(here)
        await here.press("enter")
        here.screen(QuestionsScreen)
        await here.until(lambda: bool(here.engine.asked))
        profile = fleet.agents["vm1/a"].profile
        rule = Rule("make-test", RuleVerdict.ALLOW, "Bash", "make test", profile=profile, expires=scenes.NOW + DAY)
        (added,) = here.engine.asked
        assert isinstance(added, AddRule)
        assert replace(added.rule, expires=rule.expires) == rule
        assert 0 <= added.rule.expires - rule.expires < 60_000
        await here.until(lambda: here.said() == "rule make-test: allow Bash: make test")


async def test_one_who_asks_alone_gets_a_rule_of_its_own() -> None:
    async with room(asking(asks("a", "make test"))) as here:
        await opened(here)
        assert "allow Bash: make test, a on vm1, ends in a day" in shown(here)
        await here.press("enter")
        await here.until(lambda: bool(here.engine.rules))
        assert (here.engine.rules[0].rule.agent, here.engine.rules[0].rule.host) == ("a", "vm1")


async def test_scope_end_uses_and_a_pattern_of_ones_own_are_taken() -> None:
    async with room(asking(asks("a", "make test"), asks("b", "make all"))) as here:
        await opened(here)
        await here.press("2", "up", "up")
        await here.write("Bash: make *")
        await here.press("up", "k", "up", "4", "up", "3")
        form = await told(here)
        await here.until(lambda: "deny Bash: make *, everywhere, 3 calls" in shown(here))
        assert "answers 2 of 2 open questions" in shown(here)
        assert form.rules() == (Rule("deny-make-test", RuleVerdict.DENY, "Bash", "make *", uses=3),)


async def test_a_key_before_it_was_shown_what_the_rule_would_do_adds_nothing() -> None:
    async with room(asking(asks("a", "make test"))) as here:
        await opened(here)
        here.screen(RuleForm).query_one(Sentences).painted_at = here.clock.monotonic() + 0.9
        await here.press("enter")
        assert "look at what it would answer, then press again" in shown(here)
        assert here.engine.asked == []
        await here.press("enter")
        await here.until(lambda: bool(here.engine.rules))


@EVERY_SIZE
async def test_where_no_rule_can_allow_it_the_form_says_why_and_a_denial_is_still_offered(
    size: tuple[int, int],
) -> None:
    async with room(asking(asks("a", "echo $(cat notes)")), size=size) as here:
        await opened(here)
        assert "no rule can allow it: " in shown(here)
        assert "the output of a command becomes a part of it" in shown(here)
        await here.press("enter")
        assert here.engine.asked == []
        await here.press("2")
        await here.until(lambda: "deny Bash: cat notes" in shown(here))
        await here.until(lambda: "answers 1 of 1 open question" in shown(here))


async def test_what_no_rule_answers_is_said_of_each_reason() -> None:
    cut = asks("a", "make test")
    assert cut.question is not None
    unknown = replace(cut, question=replace(cut.question, input=""))
    strange = asks("b", "make test")
    for agent, words in (
        (unknown, "its runner does not tell the whole input"),
        (replace(strange, ordered=None), "is not what this room ordered"),
        (asks("c", "git push origin main"), "a protected branch"),
    ):
        async with room(asking(agent)) as here:
            await opened(here)
            assert words in shown(here)
            await here.press("enter")
            assert here.engine.asked == []


async def test_a_command_in_parts_takes_a_rule_for_each_of_them() -> None:
    async with room(asking(asks("a", "make test && git commit -m done"))) as here:
        await opened(here)
        assert "allow Bash: make test; Bash: git commit -m done" in shown(here)
        assert "answers 1 of 1 open question" in shown(here)
        await here.press("enter")
        await here.until(lambda: len(here.engine.rules) == 2)
        assert [each.rule.pattern for each in here.engine.rules] == ["make test", "git commit -m done"]
        assert len({each.rule.name for each in here.engine.rules}) == 2


async def test_what_a_pattern_leaves_open_is_named() -> None:
    async with room(asking(asks("a", "make test && git commit -m done"))) as here:
        await opened(here)
        await here.press("up", "up")
        await here.write("Bash: make test *")
        await here.until(lambda: "answers none of 1 open question" in shown(here))
        await here.until(lambda: "vm1/a: no rule allows: git commit -m done" in shown(here))


async def test_a_question_that_comes_meanwhile_is_told_of() -> None:
    async with room(asking(asks("a", "make test"))) as here:
        await opened(here)
        here.engine.put(asks("b", "make lint"))
        await here.until(lambda: "answers 1 of 2 open questions" in shown(here))
        await here.until(lambda: "vm1/b: the rule is for host vm1, agent a alone" in shown(here))


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [("name", "taken", "there is a rule taken already"), ("name", "No!", "is no name for a rule"),
     ("uses", "many", "uses are a whole number"), ("or about", "Bash: * x", "names the program")],
)  # fmt: skip
async def test_what_is_wrong_with_it_is_said_and_nothing_is_added(field: str, text: str, says: str) -> None:
    async with room(asking(asks("a", "make test"))) as here:
        here.engine.rules.append(KeptRule(Rule("taken", RuleVerdict.ALLOW, "WebSearch")))
        form = await opened(here)
        next(each for each in form._fields if each.name_of == field).fill(text)
        await here.until(lambda: says in shown(here))
        await here.press("enter")
        assert here.engine.asked == []


async def test_what_a_host_asks_has_no_rule_and_a_watcher_makes_none() -> None:
    async with room(replace(scenes.with_new_host(), agents={})) as here:
        await here.press("!", "&")
        await here.until(lambda: "rules answer what agents ask" in here.said())
    fleet = asking(asks("a", "make test"))
    async with room(fleet, engine=for_watchers(fleet), read_only=True) as here:
        await here.press("!", "&")
        assert "read-only" in here.said()
        here.screen(QuestionsScreen)
