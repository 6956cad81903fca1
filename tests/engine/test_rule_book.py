"""Rules at work: what agents ask is answered by them, once, as it was judged, and by no rule that was taken away."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.audit import AuditLine
from controlroom.domain.orders import Result
from controlroom.domain.permissions.intents import AddRule, RemoveRule
from controlroom.domain.permissions.rules import Rule, RuleVerdict, read_what
from controlroom.protocol.home import find_home
from controlroom.text.states import Outcome, Verdict
from controlroom.wire import messages as wire
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, orders, seen

pytestmark = pytest.mark.usefixtures("home")

RULES = """
[rules.tests]
allow = "Bash: make test *"
[rules.no-publish]
deny = "Bash: npm publish"
[rules.once]
allow = "Bash: make once"
uses = 1
"""


def bash(command: str, ident: str = "q1", **more: object) -> wire.QuestionSeen:
    given = json.dumps({"command": command, **more})
    return wire.QuestionSeen(ident, "Bash", command, NOON, kind="permission", input=given)


def asking(host: ScriptedHost, question: wire.QuestionSeen | None, name: str = "a1", detail: str = "") -> None:
    host.agents[name] = seen(name, cwd="/srv/app", question=question, detail=detail)


def rules(text: str) -> None:
    path = find_home(os.environ).rules
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def told(host: ScriptedHost) -> list[wire.Tell]:
    return [order for order in orders(host) if isinstance(order, wire.Tell)]


def audit(here: Room) -> list[AuditLine]:
    return [line for line in here.ledger.audit(100, "") if line.who.startswith("rule")]


MARKS = itertools.count()


async def say(here: Room, host: ScriptedHost, question: wire.QuestionSeen, name: str = "a1") -> list[wire.Tell]:
    """Have an agent ask, and return what it has been told by the time that nothing is under way any more."""
    mark = f"mark {next(MARKS)}"
    await here.up("vm1")
    asking(host, question, name, detail=mark)
    host.show()
    await here.until(lambda: here.agent(f"vm1/{name}").detail == mark)
    await here.engine.wait_idle()
    return told(host)


async def test_a_rule_answers_what_it_is_about_and_says_so_in_the_audit_and_to_the_runner() -> None:
    host = ScriptedHost()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        question = bash("make test -x")
        [order] = await say(here, host, question)
        assert (order.verdict, order.by, order.question) == (Verdict.ALLOW, "tests", "q1")
        assert order.digest == question.digest
        assert order.text == ""
        lines = [(line.who, line.verb, line.target, line.outcome) for line in audit(here)]
        assert lines[-1] == ("rule tests", "answer", "vm1/a1", "done")
        denied = (await say(here, host, bash("npm publish", "q2")))[-1]
        assert (denied.verdict, denied.by) == (Verdict.DENY, "no-publish")
        assert "rule no-publish" in denied.text
        kept = {each.rule.name: each.used for each in here.engine.rules.kept()}
        assert kept == {"tests": 1, "no-publish": 1, "once": 0}


async def test_without_a_rule_a_person_answers_and_the_floor_denies_all_the_same() -> None:
    host = ScriptedHost()
    asking(host, None)
    async with room(host) as here:
        assert await say(here, host, bash("make test")) == []
        [order] = await say(here, host, bash("git push origin main", "q2"))
        assert (order.verdict, order.by) == (Verdict.DENY, "floor pushes")
        assert "protected branch" in order.text


@pytest.mark.parametrize(
    "question",
    [
        replace(bash("make test"), input=""),
        replace(bash("make test"), cut=True),
        replace(bash("make test"), input="[1]"),
        replace(bash("make test"), input='{"command": "make test"'),
        replace(bash("make test"), input='{"command": "make t\u00e9st"}'),
        replace(bash("make test"), kind="plan"),
        replace(bash("make test"), kind="choices"),
        bash("make test", unheard_of=True),
    ],
    ids=["no input", "cut", "no object", "broken", "not ascii", "a plan", "choices", "an unknown field"],
)
async def test_what_is_not_known_whole_waits_for_a_person(question: wire.QuestionSeen) -> None:
    host = ScriptedHost()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        assert await say(here, host, question) == []


async def test_no_rule_goes_by_an_agent_of_which_its_host_says_what_was_not_ordered() -> None:
    host = ScriptedHost()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        await here.up("vm1")
        host.agents["a1"] = seen("a1", cwd="/etc", question=bash("make test"))
        host.show()
        await here.until(lambda: here.agent("vm1/a1").claims)
        await here.engine.wait_idle()
        assert told(host) == []
        asking(host, bash("make test"), "stranger")
        host.show()
        await here.until(lambda: "vm1/stranger" in here.engine.store.fleet.agents)
        await here.engine.wait_idle()
        assert told(host) == []


class Slow(ScriptedHost):
    """Takes every answer, and shows for a while what it asked."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        return wire.Reply(message.id, Outcome.DONE) if isinstance(message, wire.Tell) else super().act(message)


async def test_one_question_is_answered_once_and_another_one_under_its_id_anew() -> None:
    host = Slow()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        await say(here, host, bash("make test"))
        await say(here, host, bash("make test"))
        assert len(told(host)) == 1
        other = bash("make test --other")
        assert (await say(here, host, other))[-1].digest == other.digest
        assert len(told(host)) == 2


async def test_a_question_whose_answer_is_under_way_is_not_answered_again_when_the_rules_change() -> None:
    host = Slow()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        await say(here, host, bash("make test"))
        rules(RULES + '[rules.more]\nallow = "Bash: ls *"\n')
        here.engine.rules.look()
        await here.engine.wait_idle()
        assert len(told(host)) == 1
        assert {each.rule.name: each.used for each in here.engine.rules.kept()}["tests"] == 1


@pytest.mark.parametrize("meanwhile", ["halted", "removed"])
async def test_an_answer_that_waits_for_the_disk_is_not_given_once_the_room_is_halted_or_the_rule_gone(
    meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ScriptedHost()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        await here.up("vm1")
        disk: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        outbox = here.engine.ledger_writer.outbox
        put = outbox.put
        monkeypatch.setattr(outbox, "put", lambda rows, *keep: disk if "rule_uses" in str(rows) else put(rows, *keep))
        asking(host, bash("make once"), detail="asks")
        host.show()
        await here.until(lambda: here.engine.rules.busy)
        if meanwhile == "halted":
            await here.engine.submit(intents.HaltRoom(), "ann")
        else:
            rules(RULES.replace("make once", "make other"))
            here.engine.rules.look()
        disk.set_result("")
        await here.engine.wait_idle()
        assert [order for order in told(host) if order.verdict] == []


class Refusing(ScriptedHost):
    """Refuses every answer, as a runner does whose question has become another one."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, wire.Tell):
            return wire.Reply(message.id, Outcome.REFUSED, "it asks something else than what was shown")
        return super().act(message)


async def test_an_answer_that_is_refused_is_tried_again_a_few_times_and_then_a_person_is_asked() -> None:
    host = Refusing()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        for number in range(6):
            asking(host, bash("make test"), detail=f"still asks {number}")
            host.show()
            await here.until(lambda number=number: here.agent("vm1/a1").detail == f"still asks {number}")  # type: ignore[misc]
            await here.engine.wait_idle()
        assert len(told(host)) <= 3
        assert here.agent("vm1/a1").question is not None


async def test_a_rule_with_a_number_of_uses_answers_no_more_calls_than_that_also_at_once_and_after_a_restart() -> None:
    host = ScriptedHost()
    for name in ("a1", "a2", "a3"):
        asking(host, None, name)
    rules(RULES)
    async with room(host) as here:
        await here.up("vm1")
        for name in ("a1", "a2", "a3"):
            asking(host, bash("make once"), name)
        host.show()
        await here.until(lambda: all(here.agent(f"vm1/{name}").question for name in ("a2", "a3")) or told(host))
        await here.engine.wait_idle()
        assert [order.by for order in told(host)] == ["once"]
    async with room(host) as here:
        await here.up("vm1")
        await here.engine.wait_idle()
        assert [order.by for order in told(host)] == ["once"]
        [once] = [each for each in here.engine.rules.kept() if each.rule.name == "once"]
        assert (once.used, once.over) == (1, True)
        rules(RULES.replace("make once", "make twice"))
        here.engine.rules.look()
        [other] = [each for each in here.engine.rules.kept() if each.rule.name == "once"]
        assert (other.used, other.over) == (0, False)


async def test_rules_are_read_again_when_their_file_changes_and_answer_what_is_open() -> None:
    host = ScriptedHost()
    asking(host, None)
    async with room(host) as here:
        assert await say(here, host, bash("make test")) == []
        rules(RULES)
        here.engine.rules.look()
        await here.engine.wait_idle()
        assert [order.by for order in told(host)] == ["tests"]


async def test_a_file_with_a_mistake_keeps_the_last_good_rules_and_raises_an_alarm_until_it_is_mended() -> None:
    host = ScriptedHost()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        rules(RULES + '\n[rules.bad]\nallow = "Bash: sudo *"\n')
        here.engine.rules.look()
        assert "rules.bad" in here.engine.store.fleet.alarms["rules"].text
        assert [order.by for order in await say(here, host, bash("make test"))] == ["tests"]
        rules("")
        here.engine.rules.look()
        assert "rules" not in here.engine.store.fleet.alarms
        assert len(await say(here, host, bash("make test", "q2"))) == 1


async def test_nothing_is_answered_while_the_room_is_halted_and_what_is_open_afterwards() -> None:
    host = ScriptedHost()
    asking(host, None)
    rules(RULES)
    async with room(host) as here:
        await here.up("vm1")
        await here.engine.submit(intents.HaltRoom(), "ann")
        await here.engine.wait_idle()
        before = len(told(host))
        assert len(await say(here, host, bash("make test"))) == before
        await here.engine.submit(intents.ResumeRoom(), "ann")
        await here.until(lambda: any(order.by == "tests" for order in told(host)))


def rule(what: str, name: str = "new") -> Rule:
    return Rule(name, RuleVerdict.ALLOW, *read_what(what))


async def test_rules_are_added_and_removed_while_what_a_person_wrote_stays() -> None:
    host = ScriptedHost()
    asking(host, bash("make new"))
    rules(f"# mine\n{RULES}\n# the floor\n[floor]\nbranches = ['next']\n")
    async with room(host) as here:
        await here.up("vm1")
        await submit(here, AddRule(rule("Bash: make new")))
        await here.engine.wait_idle()
        assert [order.by for order in told(host)] == ["new"]
        again = await here.engine.submit(AddRule(rule("Bash: make other")), "ann")
        assert again.outcome is Outcome.REFUSED
        await submit(here, AddRule(rule("Bash: make other"), replaces=True))
        await submit(here, RemoveRule("tests"))
        gone = await here.engine.submit(RemoveRule("tests"), "ann")
        assert gone.outcome is Outcome.REFUSED
        bad = await here.engine.submit(AddRule(rule("Bash: env *", "bad")), "ann")
        assert bad.outcome is Outcome.REFUSED
        text = find_home(os.environ).rules.read_text()
        assert "# mine" in text
        assert "# the floor" in text
        assert [each.rule.name for each in here.engine.rules.kept()] == ["no-publish", "once", "new"]
        assert here.engine.rules.rules.floor.branches == ("next",)
        verbs = [(line.who, line.verb, line.target) for line in here.ledger.audit(100, "") if line.who == "ann"]
        assert ("ann", "rules add", "new") in verbs


async def submit(here: Room, intent: AddRule | RemoveRule) -> None:
    assert await here.engine.submit(intent, "ann") == Result(Outcome.DONE)
