"""What keeps the queue in bounds: drained hosts, accounts that let nobody in, ceilings of tasks, and set times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.events import SpendingSeen
from controlroom.domain.model import LinkState, State
from controlroom.domain.queue import attempts
from controlroom.domain.tasks import Attempt, AttemptEnd, Task, TaskChange, TaskState
from controlroom.domain.waits import WaitReason
from controlroom.text.states import Cause, Outcome
from controlroom.wire import messages as wire
from tests.engine.queued import MINUTE, QUICK, Roomy, add, became, last, queue_room, runs, task
from tests.engine.scripted import GIB, orders

pytestmark = pytest.mark.usefixtures("home")


async def test_a_drained_host_takes_nothing_until_it_is_undrained_whatever_is_restarted() -> None:
    host, other = Roomy(), Roomy("vm2")
    other.free = 2 * GIB
    async with queue_room(host, other) as here:
        await here.order(intents.DrainHost("vm1", "kernel"))
        await add(here, "a")
        await runs(here, other, "a-t1")
        refused = await here.order(intents.SpawnAgent("x", "x", host="vm1"))
        assert "vm1 takes nothing new: it is drained by" in refused.reason
        assert "(kernel)" in refused.reason
    async with queue_room(host, other) as here:
        assert here.engine.store.fleet.hosts["vm1"].drain is not None
        await add(here, "b")
        await runs(here, other, "a-t1", "b-t2")
        await here.order(intents.UndrainHost("vm1"))
        assert (await here.order(intents.UndrainHost("vm1"))).reason == "vm1 is not drained: it takes work"
        await add(here, "c")
        await runs(here, host, "c-t3")
    async with queue_room(host, other) as here:
        assert here.engine.store.fleet.hosts["vm1"].drain is None


async def test_a_host_that_leaves_the_room_takes_its_drain_with_it() -> None:
    async with queue_room(Roomy()) as here:
        await here.order(intents.AddHost("vm9", "ann@vm9"))
        await here.order(intents.DrainHost("vm9"))
        await here.order(intents.RemoveHost("vm9"))
        await here.order(intents.AddHost("vm9", "ann@vm9"))
        assert here.engine.store.fleet.hosts["vm9"].drain is None
    async with queue_room(Roomy()) as here:
        assert here.engine.store.fleet.hosts["vm9"].drain is None


async def test_what_is_at_work_on_a_drained_host_goes_on_elsewhere_and_is_done_once() -> None:
    host, other = Roomy(), Roomy("vm2")
    async with queue_room(host, other) as here:
        await here.order(intents.DrainHost("vm2"))
        await add(here, "a")
        await runs(here, host, "a-t1")
        await here.order(intents.UndrainHost("vm2"))
        await here.order(intents.DrainHost("vm1", move=True))
        await runs(here, other, "a-t1")
        assert other.spawned[0].task == "a"
        moved = await became(here, "t1", TaskState.RUNNING)
        await here.until(lambda: last(here, "t1").host == "vm2", str(moved))
        other.end("a-t1")
        assert len((await became(here, "t1", TaskState.DONE)).attempts) == 1
        assert len(host.spawned) == 1


async def test_an_account_without_credit_holds_its_tasks_with_one_alarm_until_a_try_gets_through() -> None:
    host = Roomy()
    settings = "[queue]\nstagger_seconds = 0\nmax_agents = 2\n"
    async with queue_room(host, settings=settings) as here:
        await add(here, "a", "b", "c")
        await runs(here, host, "a-t1", "b-t2")
        for name in ("a-t1", "b-t2"):
            host.end(name, State.FAILED, cause=Cause.ACCOUNT.value, detail="Credit balance is too low")
        await became(here, "t1", TaskState.WAITING)
        await became(here, "t2", TaskState.WAITING)
        await here.engine.wait_idle()
        assert [about for about in here.engine.store.fleet.alarms if about.startswith("account ")] == ["account "]
        assert len(host.spawned) == 2
        wait = task(here, "t3").wait
        assert wait is not None
        assert wait.reason is WaitReason.ACCOUNT


async def test_a_tasks_ceilings_bind_its_runs_below_those_of_the_profile() -> None:
    host = Roomy()
    settings = f'{QUICK}[profiles.p]\nmax_hours = 8\nmax_budget_usd = "2"\nfallback = ["sonnet", "haiku"]\n'
    async with queue_room(host, settings=settings) as here:
        await add(here, "a", profile="p", max_hours=1.5, max_cost=1_500_000)
        await add(here, "b", profile="p", max_hours=9.0, max_cost=9_000_000)
        await runs(here, host, "a-t1", "b-t2")
        specs = [order.spec for order in host.spawned]
        assert [(spec.max_hours, spec.max_budget_usd) for spec in specs] == [(1.5, "1.50"), (8.0, "2")]
        assert specs[0].fallback == ("sonnet", "haiku")


async def test_a_tasks_ceilings_bind_also_the_run_that_a_person_begins() -> None:
    host, other = Roomy(), Roomy("vm2")
    other.free = 2 * GIB
    async with queue_room(host, other) as here:
        await add(here, "a", max_hours=1.5, max_cost=1_500_000)
        await runs(here, host, "a-t1")
        host.end("a-t1", State.FAILED, session="s", cause=Cause.RUNNER_KILLED.value)
        await became(here, "t1", TaskState.WAITING)
        await here.order(intents.ResumeAgent("vm1/a-t1", 1, "go on"))
        await became(here, "t1", TaskState.RUNNING)
        host.end("a-t1", State.FAILED)
        await became(here, "t1", TaskState.WAITING)
        await here.order(intents.RetryAgent("vm1/a-t1", 2))
        await runs(here, host, *["a-t1"] * 3)
        await became(here, "t1", TaskState.RUNNING)
        await here.order(intents.ReassignAgent("vm1/a-t1", 3, "", host="vm2"))
        await runs(here, other, "a-t1")
        specs = [order.spec for order in (*host.spawned, *other.spawned)]
        assert [(spec.max_hours, spec.max_budget_usd) for spec in specs] == [(1.5, "1.50")] * 4


async def test_a_task_that_has_cost_what_it_may_has_failed_and_an_agent_that_does_not_count_is_ended() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a", "b", max_cost=1_000_000)
        await runs(here, host, "a-t1", "b-t2")
        host.end("a-t1", State.FAILED, cause=Cause.COST.value)
        failed = await became(here, "t1", TaskState.FAILED)
        assert failed.reason.startswith("it has cost at most $1.00: task retry t1, then task edit t1 --cost")
        here.engine.host_events.happened(SpendingSeen("vm1", {"vm1/b-t2": 1_000_000}))
        await here.until(lambda: any(isinstance(order, wire.Kill) for order in orders(host)))
        host.end("b-t2", State.FAILED)
        dear = await became(here, "t2", TaskState.FAILED)
        assert (dear.attempts[-1].end, dear.spent) == (AttemptEnd.COST, 1_000_000)


class Undying(Roomy):
    """It ends no agent."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, wire.Kill):
            return wire.Reply(message.id, Outcome.REFUSED, "not that one")
        return super().act(message)


def kills(host: Roomy) -> int:
    return sum(isinstance(order, wire.Kill) for order in orders(host))


async def test_an_agent_that_costs_too_much_is_ordered_to_end_once_a_minute_not_all_the_time() -> None:
    host = Undying()
    async with queue_room(host) as here:
        await add(here, "a", max_cost=1_000_000)
        await runs(here, host, "a-t1")
        for number in range(5):
            here.engine.host_events.happened(SpendingSeen("vm1", {"vm1/a-t1": 1_000_000 + number}))
            await here.engine.wait_idle()
        assert kills(host) == 1
        here.now += MINUTE
        here.engine.host_events.happened(SpendingSeen("vm1", {"vm1/a-t1": 2_000_000}))
        await here.until(lambda: kills(host) == 2)


async def test_an_agent_that_costs_too_much_on_a_host_that_is_away_fills_no_audit() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a", max_cost=1_000_000)
        await runs(here, host, "a-t1")
        host.reachable = False
        host.cut()
        await here.until(lambda: here.link("vm1") is not LinkState.UP)
        for number in range(5):
            here.engine.host_events.happened(SpendingSeen("vm1", {"vm1/a-t1": 1_000_000 + number}))
            await here.engine.dispatcher.wait_idle()
        await here.engine.ledger_writer.outbox.wait_tried()
        assert here.ledger.read("select * from audit where verb = 'kill'") == []
        host.reachable = True
        await here.until(lambda: kills(host))


async def test_a_host_that_lets_no_agent_leave_is_asked_seldom() -> None:
    one, two = Undying("vm1"), Roomy("vm2")
    async with queue_room(one, two) as here:
        await here.order(intents.SpawnAgent("docs", "write", host="vm1"))
        await here.order(intents.DrainHost("vm1", move=True))
        await here.until(lambda: kills(one))
        await here.engine.wait_idle()
        assert kills(one) == 1


def test_what_one_agent_cost_in_all_its_runs_counts_once() -> None:
    runs_of_one = (Attempt("vm1", "a", 1, 0, 0, AttemptEnd.CRASHED, spent=5), Attempt("vm1", "a", 2, 0, spent=7))
    made = Task(1, "a", TaskState.RUNNING, 0, 0, attempts=(*runs_of_one, Attempt("vm2", "a", 1, 0, spent=2)))
    assert made.spent == 9
    dear = replace(made, max_cost=7, attempts=(*made.attempts, Attempt("vm1", "a", 3, 0)))
    assert attempts.is_too_dear(dear), "a run of which there is no reading yet takes none away"


async def test_a_task_is_done_every_so_often() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a", every="6h")
        await runs(here, host, "a-t1")
        host.end("a-t1")
        waiting = await became(here, "t1", TaskState.WAITING)
        assert (waiting.not_before, waiting.attempts[0].end) == (here.now + 6 * 60 * MINUTE, AttemptEnd.DONE)
        here.now += 6 * 60 * MINUTE
        await here.order(intents.MoveTask("t1", first=True))
        await runs(here, host, "a-t1", "a-t1")
        assert (await add(here, "b", every="sometimes")).reason.startswith("how often? expected 30m")


async def test_a_task_by_cron_words_begins_at_its_time_and_not_before() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a", every="*/30 * * * * UTC")
        first = task(here, "t1").not_before
        assert here.now < first <= here.now + 30 * MINUTE
        assert first % (30 * MINUTE) == 0
        here.now = first
        await here.order(intents.MoveTask("t1", first=True))
        await runs(here, host, "a-t1")
        host.end("a-t1")
        assert (await became(here, "t1", TaskState.WAITING)).not_before == first + 30 * MINUTE
        await here.order(intents.EditTask("t1", TaskChange(every="0 * * * * UTC")))
        assert task(here, "t1").not_before % (60 * MINUTE) == 0
        await here.order(intents.HoldTask("t1"))
        here.now += 90 * MINUTE
        await here.order(intents.ReleaseTask("t1"))
        assert here.now < task(here, "t1").not_before <= here.now + 60 * MINUTE, "not at once"
