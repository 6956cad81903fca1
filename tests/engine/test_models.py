"""Which model an agent goes on with: told at once or for its next run, audited, and kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.model import State
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from tests.engine import scripted
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedHost, seen

pytestmark = pytest.mark.usefixtures("home")

HAIKU = intents.SetModel("vm1/a1", 1, "haiku")


class Older(ScriptedHost):
    """Its runners know no such request."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, wire.Tell):
            return wire.Reply(message.id, Outcome.REFUSED, "the runner does not know 'model'")
        return super().act(message)


def models(host: ScriptedHost) -> list[str]:
    """The models that runs were begun with."""
    return [order.spec.model for order in scripted.orders(host) if isinstance(order, wire.Spawn)]


async def test_a_headless_agent_is_told_at_once_and_begins_its_next_runs_so_also_after_a_restart() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        await here.order(intents.SpawnAgent("a1", "write", "vm1", model="opus"))
        await here.until(lambda: here.agent("vm1/a1").state is State.WORKING)
        assert (await here.order(HAIKU)).outcome == "done"
        told = [order for order in scripted.orders(host) if isinstance(order, wire.Tell)]
        assert [(tell.what, tell.text) for tell in told] == [("model", "haiku")]
        for model in ("claude-opus-5-5", "claude-haiku-5-5"):  # till its next request, its host may say either
            host.agents["a1"] = replace(host.agents["a1"], model=model)
            host.show()
            await here.until(lambda model=model: here.agent("vm1/a1").model == model)  # type: ignore[misc]
        await here.engine.wait_idle()
        audited = [(line.verb, line.reason) for line in here.ledger.audit()]
        assert ("model", "haiku instead of opus") in audited
        assert "claim" not in {verb for verb, _ in audited}
    kept, host.agents = host.agents, {}  # else the room takes what it shows for what was ordered
    async with room(host) as here:
        host.agents = kept
        host.show()
        await here.until(lambda: here.agent("vm1/a1").state is State.WORKING)
        await here.order(intents.ReassignAgent("vm1/a1", 1, "go on"))
        assert models(host) == ["opus", "haiku"]


async def test_one_on_a_terminal_begins_its_next_run_so_and_that_is_said() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        await here.order(intents.SpawnAgent("a1", "write", "vm1", kind="interactive", model="opus"))
        await here.until(lambda: here.agent("vm1/a1").state is State.WORKING)
        result = await here.order(HAIKU)
        words = "its next run begins with haiku; this one is told on its terminal: attach, and type /model"
        assert (result.outcome, result.reason) == ("done", words)
        assert here.agent("vm1/a1").model == "opus"
        await here.order(intents.ReassignAgent("vm1/a1", 1, "go on"))
        assert models(host) == ["opus", "haiku"]
        await here.engine.wait_idle()
        assert ("model", words) in [(line.verb, line.reason) for line in here.ledger.audit()]


async def test_a_host_that_refuses_leaves_everything_as_it_was() -> None:
    host = Older()
    host.agents["a1"] = seen("a1", model="opus")
    async with room(host) as here:
        assert (await here.order(HAIKU)).outcome == "refused"
        work = here.agent("vm1/a1").ordered
        assert work is not None
        assert (here.agent("vm1/a1").model, work.model, work.chosen) == ("opus", "opus", "")


@pytest.mark.parametrize(
    ("kind", "model", "why"),
    [
        ("command", "haiku", "runs a command"),
        ("headless", "--help", "cannot be a model"),
        ("headless", "", "cannot"),
    ],
)
async def test_what_cannot_be_is_refused_in_a_sentence(kind: str, model: str, why: str) -> None:
    host = ScriptedHost()
    host.agents["a1"] = seen("a1", kind=kind)
    async with room(host) as here:
        assert why in (await here.order(intents.SetModel("vm1/a1", 1, model))).reason


async def test_a_model_that_a_budget_says_does_not_last_though_the_run_ends_meanwhile() -> None:
    host = ScriptedHost()
    async with room(host) as here:
        await here.order(intents.SpawnAgent("a1", "write", "vm1", model="opus"))
        host.agents["a1"] = replace(host.agents["a1"], state="done", ended=scripted.NOON)
        host.show()
        await here.until(lambda: here.agent("vm1/a1").has_ended)
        assert (await here.order(replace(HAIKU, lasting=False))).outcome == "refused"
        await here.order(intents.ReassignAgent("vm1/a1", 1, "go on"))
        assert models(host) == ["opus", "opus"]
