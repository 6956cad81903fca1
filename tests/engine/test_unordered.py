"""What nobody here ordered: a question that goes away, a grant that was not given, orders that came to a runner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.engine.hosts.signer import Signer
from controlroom.runner.signed import is_signed
from controlroom.text.states import Verdict
from controlroom.wire import messages as wire
from controlroom.wire.grants import Allowance, Grant
from controlroom.wire.signing import grant_bytes, order_bytes
from controlroom.wire.spec import AgentSpec
from tests.engine import scripted
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen

pytestmark = pytest.mark.usefixtures("home")

ASKED = wire.QuestionSeen("q1", "Bash", "git push", NOON)
GONE = "its question is gone, and nobody here answered it"


def alarms(here: Room) -> list[str]:
    return [alarm.text for alarm in here.engine.store.fleet.alarms.values()]


def audited(here: Room) -> list[tuple[str, str, str]]:
    lines = here.engine.ledger.audit(text="not ordered")
    return [(line.who, line.verb, line.target) for line in lines]


def now(host: ScriptedHost, **changes: object) -> None:
    """Its agent a1 is so by now, whoever did that."""
    host.agents["a1"] = replace(host.agents["a1"], **changes)  # type: ignore[arg-type]
    host.show()


async def test_a_question_that_goes_away_without_an_answer_from_here_is_an_alarm_and_audited() -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1", state="waiting", question=ASKED, kind="headless")
    async with room(host) as here:
        now(host, question=None, state="working")
        await here.until(lambda: GONE in "".join(alarms(here)))
        await here.engine.wait_idle()
        assert audited(here) == [("vm1 (not ordered)", "question", "vm1/a1")]
        assert "git push" not in "".join(alarms(here))
        await here.order(intents.SendMessage("vm1/a1", 1, "what was that?"))
        assert not alarms(here), "somebody has looked"


@pytest.mark.parametrize("kind", ["headless", "interactive"])
async def test_a_question_that_was_answered_here_or_on_its_own_terminal_is_none(kind: str) -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1", state="waiting", question=ASKED, kind=kind)
    async with room(host) as here:
        answer = intents.AnswerQuestion("vm1/a1", "q1", Verdict.ALLOW, digest=ASKED.digest)
        assert (await here.order(answer)).outcome == "done"
        again = replace(ASKED, id="q2")
        now(host, question=again, state="waiting")
        await here.until(lambda: here.agent("vm1/a1").question is not None)
        if kind == "headless":
            await here.order(intents.InterruptAgent("vm1/a1", 1))
        now(host, question=None, state="working")
        await here.until(lambda: here.agent("vm1/a1").question is None)
        now(host, question=again, state="waiting")
        await here.until(lambda: here.agent("vm1/a1").question is not None)
        now(host, question=None, state="done", ended=NOON)
        await here.until(lambda: here.agent("vm1/a1").question is None)
        await here.engine.wait_idle()
        assert (alarms(here), audited(here)) == ([], [])


async def test_a_question_that_is_replaced_under_its_id_was_not_answered_either() -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1", state="waiting", question=ASKED, kind="headless")
    async with room(host) as here:
        now(host, question=replace(ASKED, text="rm -rf /"))
        await here.until(lambda: GONE in "".join(alarms(here)))


async def test_orders_that_this_room_did_not_sign_and_a_grant_that_it_did_not_give_are_alarms() -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1", kind="headless")
    async with room(host) as here:
        now(host, forged=2)
        await here.until(lambda: "2 orders came to its runner that this room did not sign" in "".join(alarms(here)))
        now(host, grant=10**15)
        await here.until(lambda: f"a grant ({10**15}) that this room did not give" in "".join(alarms(here)))
        await here.engine.wait_idle()
        assert [verb for _, verb, _ in audited(here)] == ["forged", "grant"]
        now(host, state="done", ended=NOON)
        await here.until(lambda: not alarms(here))


async def test_every_order_to_a_runner_is_signed_by_the_key_that_its_start_named() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        await here.order(intents.SpawnAgent("a1", "task", "vm1"))
        await here.order(intents.SendMessage("vm1/a1", 1, "hello \ud800 é"))
        await here.order(intents.InterruptAgent("vm1/a1", 1))
        spawn, *tells = [one for one in scripted.orders(host) if isinstance(one, (wire.Spawn, wire.Tell))]
        assert isinstance(spawn, wire.Spawn)
        assert spawn.key
        for tell in tells:
            assert isinstance(tell, wire.Tell)
            assert is_signed(spawn.key, order_bytes("a1", 1, tell.signed_fields), tell.signature)
            assert is_signed(spawn.key, order_bytes("a1", 1, tell.signed_fields, spawn.owner), tell.bound)
        assert spawn.owner == "room-1 vm1"
        assert len({tell.nonce for tell in tells if isinstance(tell, wire.Tell)}) == 2


def test_a_room_keeps_its_key_and_signs_grants_with_their_ceilings() -> None:
    signer = Signer("11" * 32, "room-1")
    assert Signer("11" * 32, "room-1").public == signer.public != Signer("12" * 32, "room-1").public
    grant = Grant(1, "a", 2, 3, Allowance(5, None, 7, {"five_hour": 50, "a": 1}), 60_000, "mark")
    spawn = signer.signed("vm1", wire.Spawn(1, "a", 2, AgentSpec(), "task", 0, grant))
    assert isinstance(spawn, wire.Spawn)
    assert spawn.grant
    data = grant_bytes("a", 2, 3, (5, None, 7, {"a": 1, "five_hour": 50}), 60_000, "mark")
    assert is_signed(signer.public, data, spawn.grant.signature)
    bound = grant_bytes("a", 2, 3, (5, None, 7, {"a": 1, "five_hour": 50}), 60_000, "mark", "room-1 vm1")
    assert is_signed(signer.public, bound, spawn.grant.bound)
    assert signer.signed("vm1", wire.Kill(1, "a", 2)) == wire.Kill(1, "a", 2)
