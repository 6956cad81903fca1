"""Several credentials in a profile: one is taken at each start, written down with the order, and shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.model import State
from controlroom.domain.tasks import TaskState
from controlroom.wire.inquiries import Check, Checked
from controlroom.wire.spec import Credential
from tests.engine.queued import QUICK, Roomy, add, became, queue_room, runs, task
from tests.engine.scripted import NOON

pytestmark = pytest.mark.usefixtures("home")

SEVERAL = (
    QUICK + '[credentials.team]\nfile = "~/.team"\n[credentials.mine]\nfile = "~/.mine"\n'
    '[profiles.p]\ncredentials = ["team", "mine"]\n'
)
BROKE = {"state": "failed", "cause": "account", "detail": "Credit balance is too low", "session": "s"}


async def test_a_task_goes_on_in_its_session_with_another_key_once_the_first_has_no_credit() -> None:
    host = Roomy()
    async with queue_room(host, settings=SEVERAL) as here:
        await add(here, "a", profile="p")
        await became(here, "t1", TaskState.RUNNING)
        await runs(here, host, "a-t1")
        host.end("a-t1", State.FAILED, **{name: value for name, value in BROKE.items() if name != "state"})
        await runs(here, host, "a-t1", "a-t1")
        first, second = host.spawned
        assert [spawn.spec.credential for spawn in (first, second)] == [
            Credential(file="~/.team"),
            Credential(file="~/.mine"),
        ]
        assert second.spec.resume == "s"
        assert [attempt.credential for attempt in task(here, "t1").attempts] == ["team", "mine"]
        row = here.agent("vm1/a-t1")
        assert row.ordered is not None
        assert row.ordered.credential == "mine"
        audited = [line.reason for line in here.ledger.audit() if line.verb in ("spawn", "reassign")]
        assert "credential team (team not known; mine not known)" in audited
        assert "credential mine (team not known, held; mine not known)" in audited
        assert ".team" not in "".join(audited)


async def test_a_spawn_by_hand_takes_one_too_and_a_resumed_session_keeps_it() -> None:
    host = Roomy()
    async with queue_room(host, settings=SEVERAL) as here:
        await here.order(intents.SpawnAgent("x", "work", "vm1", "p", credential="mine"))
        await here.until(lambda: here.agent("vm1/x").state is State.WORKING)
        host.end("x", session="s", ended=NOON + 1)
        await here.until(lambda: here.agent("vm1/x").has_ended)
        await here.order(intents.ResumeAgent("vm1/x", 1))
        assert [spawn.spec.credential.file for spawn in host.spawned] == ["~/.mine", "~/.mine"]


async def test_the_one_that_a_person_chose_is_taken_again_after_the_engine_began_anew() -> None:
    host = Roomy()
    async with queue_room(host, settings=SEVERAL) as here:
        await here.order(intents.SpawnAgent("x", "work", "vm1", "p", credential="mine"))
        await here.until(lambda: here.agent("vm1/x").state is State.WORKING)
    async with queue_room(host, settings=SEVERAL) as here:
        await here.until(lambda: here.agent("vm1/x").state is State.WORKING)
        host.end("x", ended=NOON + 1)
        await here.until(lambda: here.agent("vm1/x").has_ended)
        await here.order(intents.ReassignAgent("vm1/x", 1, "more"))
        assert [spawn.spec.credential.file for spawn in host.spawned] == ["~/.mine", "~/.mine"]


class LoggedOut(Roomy):
    """Nobody is logged in to Claude there."""

    def checked(self, asked: Check) -> Checked:
        seen = super().checked(asked)
        return replace(seen, host=replace(seen.host, logged_in=False))


@pytest.mark.parametrize(("names", "alarms"), [('"team", "mine"', []), ('"team", "plan"', []), ('"plan"', ["vm1"])])
async def test_who_is_logged_in_on_a_host_matters_to_those_alone_who_have_no_key(names: str, alarms: list[str]) -> None:
    host = LoggedOut()
    async with queue_room(host, settings=SEVERAL.replace('"team", "mine"', names)) as here:
        await add(here, "a", "b", "c", "d", profile="p")  # three run at once
        await here.until(lambda: bool(host.spawned) is not bool(alarms))
        await here.until(lambda: not here.engine.store.fleet.queue.preflights["vm1"].looking)
        await here.engine.wait_idle()
        assert [about.removeprefix("preflight of ") for about in here.engine.store.fleet.alarms] == alarms
