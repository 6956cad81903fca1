"""The queue at work: tasks are started one after the other, carried out once, tried again, and never lost."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.claims import digest
from controlroom.domain.model import State
from controlroom.domain.tasks import AttemptEnd, TaskChange, TaskState, TaskWish
from controlroom.domain.waits import WaitReason
from controlroom.text.states import Cause, Outcome
from controlroom.wire import messages as wire
from tests.engine.queued import MINUTE, QUICK, Roomy, add, became, queue_room, runs, task
from tests.engine.rooms import room
from tests.engine.scripted import GIB, NOON, NeverAnswers, ScriptedChannel, ScriptedHost, Unwilling, orders, seen

pytestmark = pytest.mark.usefixtures("home")


async def test_a_task_is_carried_out_by_an_agent_that_bears_its_words() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        result = await add(here, "# Fix the login, please\n\nIt says 500.")
        assert (result.outcome, result.agent) == (Outcome.DONE, "t1")
        await runs(here, host, "fix-the-login-please-t1")
        assert host.spawned[0].task == "# Fix the login, please\n\nIt says 500."
        assert task(here, "t1").state is TaskState.RUNNING
        host.end("fix-the-login-please-t1")
        done = await became(here, "t1", TaskState.DONE)
        assert [attempt.end for attempt in done.attempts] == [AttemptEnd.DONE]


async def test_no_word_of_a_task_that_watchers_are_not_to_see_stands_in_its_agents_name() -> None:
    host = Roomy()
    async with queue_room(host, settings=f"{QUICK}[watch]\ntasks = false\n") as here:
        await add(here, "Fix the login, please")
        await runs(here, host, "t1")


async def test_what_looks_like_a_key_stands_in_no_title_summary_or_name() -> None:
    host = Roomy()
    key = "sk-ant-api03-" + "k" * 60
    async with queue_room(host) as here:
        await add(here, f"use {key} for it\n{'x' * 140} {key}", f"use sk-ant-\x1b[1mapi03-{'k' * 60} for it")
        await here.until(lambda: len(host.spawned) == 2)
        for added in (task(here, "t1"), task(here, "t2")):
            assert "kkk" not in f"{added.title} {added.text}"
        assert not [order.name for order in host.spawned if "kkk" in order.name]


async def test_no_more_agents_are_started_than_the_queue_may_have_and_each_end_makes_room() -> None:
    host = Roomy()
    async with queue_room(host, settings="[queue]\nstagger_seconds = 0\nmax_agents = 2\n") as here:
        await add(here, "a", "b", "c", "d")
        await runs(here, host, "a-t1", "b-t2")
        wait = task(here, "t3").wait
        assert wait is not None
        assert (wait.reason, wait.has, wait.most) == (WaitReason.FLEET_FULL, 2, 2)
        assert here.engine.store.fleet.queue.blocked == wait
        host.end("a-t1")
        await runs(here, host, "a-t1", "b-t2", "c-t3")


async def test_agents_that_people_started_count_too() -> None:
    host = Roomy()
    host.agents["docs"] = seen("docs")
    async with queue_room(host, settings="[queue]\nmax_agents = 1\n") as here:
        await add(here, "a")
        await here.engine.wait_idle()
        assert host.spawned == []
        host.end("docs")
        await runs(here, host, "a-t1")


async def test_starts_are_staggered() -> None:
    host = Roomy()
    async with queue_room(host, settings="[queue]\nstagger_seconds = 5\n") as here:
        await add(here, "a", "b")
        await runs(here, host, "a-t1")
        wait = task(here, "t2").wait
        assert wait is not None
        assert (wait.reason, wait.until) == (WaitReason.STAGGER, here.now + 5_000)
        here.now += 5_000
        host.end("a-t1")
        await runs(here, host, "a-t1", "b-t2")


async def test_the_more_urgent_starts_first_and_what_comes_after_others_waits_for_them() -> None:
    host = Roomy()
    async with queue_room(host, settings="[queue]\nstagger_seconds = 0\nmax_agents = 1\n") as here:
        await here.order(
            intents.AddTasks(
                (
                    TaskWish("build", key="build"),
                    TaskWish("publish", after=("build",), priority=50),
                    TaskWish("tidy up", priority=9),
                )
            )
        )
        await runs(here, host, "tidy-up-t3")
        host.end("tidy-up-t3")
        await runs(here, host, "tidy-up-t3", "build-t1")
        wait = task(here, "t2").wait
        assert wait is not None
        assert (wait.reason, wait.about) == (WaitReason.AFTER, ("t1",))
        host.end("build-t1")
        await runs(here, host, "tidy-up-t3", "build-t1", "publish-t2")


async def test_a_key_is_one_task_however_often_it_is_added_even_when_it_has_ended() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        first = await add(here, "a", key="issue 7")
        again = await add(here, "a, said otherwise", key="issue 7")
        assert (first.agent, again.agent, len(here.engine.store.fleet.tasks)) == ("t1", "t1", 1)
        await runs(here, host, "a-t1")
        host.end("a-t1")
        await became(here, "t1", TaskState.DONE)
        assert (await add(here, "a", key="issue 7")).agent == "t1"
        await here.engine.wait_idle()
        assert len(host.spawned) == 1


async def test_all_of_an_addition_is_taken_or_nothing() -> None:
    async with queue_room(Roomy(), settings="[queue]\nmax_tasks = 3\nmax_agents = 0\n") as here:
        await add(here, "a", "b")
        refused = await add(here, "c", "d")
        assert refused.outcome is Outcome.REFUSED
        assert refused.reason == "the queue takes 3 open tasks and has 2: 2 tasks do not fit (queue.max_tasks)"
        assert list(here.engine.store.fleet.tasks) == ["t1", "t2"]
        assert (await add(here, "c")).agent == "t3"


async def test_tasks_that_would_wait_for_each_other_are_refused_with_the_way_round() -> None:
    async with queue_room(Roomy(), settings="[queue]\nmax_agents = 0\n") as here:
        wishes = TaskWish("a", key="a", after=("b",)), TaskWish("b", key="b", after=("a",))
        refused = await here.order(intents.AddTasks(wishes))
        assert refused.outcome is Outcome.REFUSED
        assert refused.reason.startswith("these tasks would wait for each other: ")
        assert " after " in refused.reason
        assert not here.engine.store.fleet.tasks


async def test_a_failed_attempt_is_tried_again_after_a_while_and_the_last_one_ends_the_task() -> None:
    host = Roomy()
    settings = "[queue]\nstagger_seconds = 0\nmax_attempts = 2\nretry_seconds = 30\n"
    async with queue_room(host, settings=settings) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.end("a-t1", State.FAILED, detail="exit 1")
        waiting = await became(here, "t1", TaskState.WAITING)
        assert (waiting.reason, waiting.not_before, waiting.failures) == ("exit 1", here.now + 30_000, 1)
        here.now += 30_000
        await here.order(intents.MoveTask("t1", first=True))  # anything that happens: the clock of a test tells nobody
        await runs(here, host, "a-t1", "a-t1")
        assert host.spawned[1].epoch == 2
        assert "An earlier attempt at this task ended: failed (exit 1)" in host.spawned[1].task
        host.end("a-t1", State.FAILED, detail="exit 2")
        failed = await became(here, "t1", TaskState.FAILED)
        assert failed.reason == "it failed 2 times; the last time: exit 2"
        await here.order(intents.RetryTask("t1"))
        await runs(here, host, "a-t1", "a-t1", "a-t1")


async def test_a_crash_goes_on_in_the_same_session() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.agents["a-t1"] = replace(host.agents["a-t1"], session="s-1")
        host.end("a-t1", State.FAILED, detail="the host was rebooted", cause=Cause.REBOOTED.value)
        await became(here, "t1", TaskState.WAITING)
        here.now += 30_000
        await here.order(intents.MoveTask("t1", first=True))
        await runs(here, host, "a-t1", "a-t1")
        assert host.spawned[1].spec.resume == "s-1"
        assert host.spawned[1].task.startswith("Your last run was ended: crashed (the host was rebooted).")


async def test_a_task_whose_agent_a_person_kills_is_held_and_goes_on_when_released() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        await here.order(intents.KillAgent("vm1/a-t1", 1))
        held = await became(here, "t1", TaskState.HELD)
        assert held.reason == "its agent was killed" or (held.last is not None and held.last.end is AttemptEnd.KILLED)
        await here.order(intents.ReleaseTask("t1"))
        await runs(here, host, "a-t1", "a-t1")


class Late(Roomy):
    """Its agents are done just before an order to end them arrives."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, wire.Kill):
            known = self.agents[message.name]
            self.agents[message.name] = replace(known, state="done", cause=Cause.NONE.value, ended=NOON)
            return wire.Reply(message.id, Outcome.DONE)
        return super().act(message)


async def test_a_task_whose_agent_was_done_just_before_it_was_killed_is_done() -> None:
    host = Late()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        await here.order(intents.KillAgent("vm1/a-t1", 1))
        done = await became(here, "t1", TaskState.DONE)
        assert (done.attempts[0].killed, done.attempts[0].end) == (True, AttemptEnd.DONE)


async def test_a_lost_host_keeps_its_task_and_no_other_takes_it() -> None:
    one, two = Roomy("vm1"), Roomy("vm2")
    two.free = GIB
    async with queue_room(one, two) as here:
        await add(here, "a")
        await runs(here, one, "a-t1")
        one.reachable = False
        one.cut()
        await here.until(lambda: here.link("vm1").value == "lost")
        await here.engine.wait_idle()
        assert task(here, "t1").state is TaskState.RUNNING
        assert two.spawned == []
        one.end("a-t1")
        one.reachable = True
        await became(here, "t1", TaskState.DONE)
        assert two.spawned == []


async def test_an_answer_that_is_lost_starts_nothing_twice() -> None:
    class Once(Roomy, NeverAnswers):
        """The link is lost before its first answer."""

        def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
            answers = NeverAnswers if isinstance(message, wire.Spawn) and not self.agents else ScriptedHost
            answers.order(self, channel, message)

    host = Once()
    async with queue_room(host) as here:
        await add(here, "a")
        await here.until(lambda: len(host.spawned) == 1 and host.dialled > 1)
        await here.up()
        await here.engine.wait_idle()
        assert task(here, "t1").state is TaskState.RUNNING
        assert len(host.spawned) == 1


async def test_a_refusal_of_the_host_is_told_and_tried_again_later() -> None:
    class Full(Roomy, Unwilling):
        """It refuses every order."""

    host = Full()
    async with queue_room(host) as here:
        await add(here, "a")
        waiting = await became(here, "t1", TaskState.WAITING)
        await here.until(lambda: task(here, "t1").reason)
        assert "the disk of vm1 is full" in task(here, "t1").reason
        assert task(here, "t1").not_before == here.now + 30_000
        assert waiting.number == 1


async def test_a_host_without_room_starts_nothing_and_the_reason_names_it() -> None:
    host = Roomy()
    host.free = GIB
    async with queue_room(host) as here:
        await add(here, "a")
        await here.engine.wait_idle()
        wait = task(here, "t1").wait
        assert wait is not None
        assert wait.reason is WaitReason.NO_HOST
        assert [(there.host, there.reason) for there in wait.hosts] == [("vm1", WaitReason.HOST_MEMORY)]
        assert host.spawned == []


async def test_the_agent_goes_where_most_memory_is_free() -> None:
    one, two = Roomy("vm1"), Roomy("vm2")
    one.free = 2 * GIB
    async with queue_room(one, two) as here:
        await add(here, "a")
        await runs(here, two, "a-t1")
        assert one.spawned == []


async def test_one_writer_to_a_folder() -> None:
    host = Roomy()
    settings = f'{QUICK}[profiles.docs]\ncwd = "site"\n[profiles.readers]\ncwd = "site"\nshares_folder = true\n'
    async with queue_room(host, settings=settings) as here:
        await add(here, "a", "b", profile="docs")
        await runs(here, host, "a-t1")
        wait = task(here, "t2").wait
        assert wait is not None
        assert wait.hosts[0].about == "vm1/a-t1"
        await add(here, "c", profile="readers")
        await runs(here, host, "a-t1", "c-t3")


async def test_ten_tasks_do_not_die_of_one_login() -> None:
    host = Roomy()
    async with queue_room(host, settings="[queue]\nstagger_seconds = 0\nmax_agents = 1\n") as here:
        await add(here, *(f"task {letter}" for letter in "abcdefghij"))
        await runs(here, host, "task-a-t1")
        host.end("task-a-t1", State.FAILED, detail="not logged in", cause=Cause.NO_LOGIN.value)
        await became(here, "t1", TaskState.WAITING)
        await here.engine.wait_idle()
        assert len(host.spawned) == 1
        assert task(here, "t1").failures == 0
        wait = task(here, "t2").wait
        assert wait is not None
        assert wait.hosts[0].reason is WaitReason.LOGIN
        here.now += MINUTE
        await here.order(intents.MoveTask("t2", first=True))
        await here.until(lambda: len(host.spawned) == 2)
        await here.engine.wait_idle()
        assert len(host.spawned) == 2


async def test_a_held_queue_starts_nothing_until_it_is_released() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await here.order(intents.HoldQueue("lunch"))
        await add(here, "a")
        await here.engine.wait_idle()
        wait = task(here, "t1").wait
        assert host.spawned == []
        assert wait is not None
        assert wait.reason is WaitReason.QUEUE_HELD
        await here.order(intents.ReleaseQueue())
        await runs(here, host, "a-t1")


async def test_rules_are_changed_while_it_runs_and_are_the_configs_again() -> None:
    host = Roomy()
    async with queue_room(host, settings="[queue]\nstagger_seconds = 0\nmax_agents = 1\n") as here:
        await add(here, "a", "b", "c")
        await runs(here, host, "a-t1")
        assert (await here.order(intents.SetQueue({"max_agents": 2}))).ok
        await runs(here, host, "a-t1", "b-t2")
        await here.order(intents.SetQueue({"max_agents": None}))
        assert here.engine.store.fleet.queue.rules.max_agents == 1
        refused = await here.order(intents.SetQueue({"max_agnts": 3}))
        assert "max_agents" in refused.reason
        refused = await here.order(intents.SetQueue({"stagger": 3_600_001}))
        assert refused.reason == "stagger_seconds is a number from 0 to 3600"


async def test_tasks_are_edited_moved_held_and_dropped() -> None:
    host = Roomy()
    async with queue_room(host, settings="[queue]\nstagger_seconds = 0\nmax_agents = 0\n") as here:
        await add(here, "a", "b", "c")
        await here.order(intents.MoveTask("t3", before="t1"))
        await here.order(intents.EditTask("t2", TaskChange(body="b, but better", priority=5)))
        await here.order(intents.HoldTask("t1"))
        assert (task(here, "t2").text, task(here, "t1").state) == ("b, but better", TaskState.HELD)
        assert (await here.order(intents.DropTask("t1"))).ok
        await here.order(intents.SetQueue({"max_agents": 2}))
        await runs(here, host, "b-but-better-t2", "c-t3")
        assert host.spawned[0].task == "b, but better"
        assert (await here.order(intents.DropTask("t2"))).reason.startswith("t2 is being done by vm1/b-but-better-t2")


async def test_what_somebody_else_has_changed_since_it_was_shown_is_not_overwritten() -> None:
    async with queue_room(Roomy(), settings="[queue]\nmax_agents = 0\n") as here:
        await add(here, "a")
        mine = intents.EditTask("t1", TaskChange(priority=5, body="a, mine"), TaskChange(priority=0), digest("a"))
        await here.order(intents.EditTask("t1", TaskChange(body="a, of somebody else")))
        refused = await here.order(mine)
        assert refused.reason == "text of t1 has become another one since it was shown: look again"
        await here.order(intents.EditTask("t1", TaskChange(cwd="docs", priority=9)))
        refused = await here.order(mine)
        assert refused.reason == "priority, text of t1 has become another one since it was shown: look again"
        assert (task(here, "t1").text, task(here, "t1").priority) == ("a, of somebody else", 9)
        again = intents.EditTask("t1", TaskChange(body="both"), TaskChange(), digest("a, of somebody else"))
        assert (await here.order(again)).ok, "its folder was not shown, and stays"
        assert (task(here, "t1").text, task(here, "t1").cwd) == ("both", "docs")


async def test_a_template_gives_the_text_and_a_missing_variable_is_refused() -> None:
    host = Roomy()
    settings = QUICK + '[templates.issue]\ntext = "Fix {{title}} ({{url}}): {{text}}"\n'
    async with queue_room(host, settings=settings) as here:
        wish = TaskWish("it breaks", variables={"title": "the {{url}} door", "url": "https://x/1"})
        await here.order(intents.AddTasks((wish,), "issue"))
        await here.until(lambda: len(host.spawned) == 1)
        assert host.spawned[0].task == "Fix the {{url}} door (https://x/1): it breaks"
        refused = await here.order(intents.AddTasks((TaskWish("x", variables={"title": "y"}),), "issue"))
        assert refused.reason == "template issue needs url; there are text, title"
        assert "issue" in (await here.order(intents.AddTasks((TaskWish("x"),), "isue"))).reason


# --------------------------------------------------------------------------- restarts


async def test_an_engine_that_is_started_again_knows_its_tasks_and_starts_none_twice() -> None:
    host = Roomy()
    async with queue_room(host, settings="[queue]\nstagger_seconds = 0\nmax_agents = 1\n") as here:
        await add(here, "a", "b")
        await runs(here, host, "a-t1")
        await here.order(intents.HoldTask("t2"))
    async with room(host) as here:
        await here.engine.wait_idle()
        assert task(here, "t1").state is TaskState.RUNNING
        assert task(here, "t2").state is TaskState.HELD
        assert len(host.spawned) == 1
        host.end("a-t1")
        await became(here, "t1", TaskState.DONE)
        assert (await add(here, "c")).agent == "t3"


async def test_an_agent_that_ended_while_no_engine_ran_ends_its_task() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
    host.end("a-t1")
    async with room(host) as here:
        await became(here, "t1", TaskState.DONE)
        assert len(host.spawned) == 1


async def test_a_kill_that_an_engine_before_this_one_ordered_holds_its_task() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        here.engine.dispatcher.close()  # it ends before it could take note
        await here.order(intents.KillAgent("vm1/a-t1", 1))
        assert task(here, "t1").state is TaskState.RUNNING
    async with room(host) as here:
        assert (await became(here, "t1", TaskState.HELD)).reason == "its agent was killed"


# --------------------------------------------------------------------------- the halt


async def test_the_halt_interrupts_every_agent_and_nothing_starts_until_it_ends() -> None:
    host = Roomy()
    host.agents["docs"] = seen("docs")
    async with queue_room(host, settings="[queue]\nstagger_seconds = 0\nmax_agents = 2\n") as here:
        await add(here, "a", "b")
        await runs(here, host, "a-t1")
        result = await here.order(intents.HaltRoom(reason="money"))
        assert (result.outcome, result.reason) == (Outcome.DONE, "2 agents are interrupted")
        told = [(order.name, order.what) for order in orders(host) if isinstance(order, wire.Tell)]
        assert sorted(told) == [("a-t1", "interrupt"), ("docs", "interrupt")]
        host.end("a-t1")
        await became(here, "t1", TaskState.DONE)
        await here.engine.wait_idle()
        assert len(host.spawned) == 1
        refused = await here.order(intents.SpawnAgent("more", "x", "vm1"))
        assert refused.reason.startswith("the room is halted by ann (test)")
        assert (await here.order(intents.ResumeRoom())).ok
        await runs(here, host, "a-t1", "b-t2")


async def test_the_halt_stays_through_a_restart_and_reaches_who_was_away() -> None:
    host = Roomy()
    host.agents["docs"] = seen("docs")
    async with queue_room(host) as here:
        host.reachable = False
        host.cut()
        await here.until(lambda: here.link("vm1").value == "lost")
        result = await here.order(intents.HaltRoom(kill=True))
        assert "not reached yet: vm1/docs; they are stopped when their host is back" in result.reason
    host.reachable = True
    async with room(host) as here:
        await here.until(lambda: any(isinstance(order, wire.Kill) for order in orders(host)))
        assert (await here.order(intents.HaltRoom())).reason.startswith("the room is halted already")


async def test_agents_that_the_halt_interrupted_are_told_to_go_on() -> None:
    host = Roomy()
    host.agents["docs"] = seen("docs")
    async with queue_room(host) as here:
        await here.order(intents.HaltRoom())
        host.agents["docs"] = seen("docs", state="idle")
        host.show()
        await here.until(lambda: here.agent("vm1/docs").state is State.IDLE)
        result = await here.order(intents.ResumeRoom())
        assert result.reason == "told to go on: 1 agent"
        told = [order for order in orders(host) if isinstance(order, wire.Tell) and order.what == "message"]
        assert [order.name for order in told] == ["docs"]


async def test_a_task_of_which_its_host_shows_a_run_that_nobody_ordered_is_held() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.agents["a-t1"] = replace(host.agents["a-t1"], epoch=7)
        host.show()
        held = await became(here, "t1", TaskState.HELD)
        assert held.reason == "vm1 shows run 7 of a-t1, which was not ordered here"
        assert [attempt.end for attempt in held.attempts] == [AttemptEnd.LOST]


async def test_a_task_waits_while_its_agent_is_paused_and_goes_on_with_it() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.agents["a-t1"] = replace(host.agents["a-t1"], session="s-1")
        host.show()
        await here.until(lambda: here.agent("vm1/a-t1").session)
        await here.order(intents.PauseAgent("vm1/a-t1", 1))
        await here.engine.wait_idle()
        assert task(here, "t1").state is TaskState.RUNNING
        await here.order(intents.ResumeAgent("vm1/a-t1", 1, "go on"))
        await runs(here, host, "a-t1", "a-t1")
        host.end("a-t1")
        done = await became(here, "t1", TaskState.DONE)
        assert [attempt.epoch for attempt in done.attempts] == [2]


async def test_the_halt_reaches_two_hundred_agents_on_two_hosts() -> None:
    hosts = [Roomy("vm1"), Roomy("vm2")]
    for host in hosts:
        host.agents = {f"a{number}": seen(f"a{number}") for number in range(100)}
    async with queue_room(*hosts) as here:
        began = time.monotonic()
        result = await here.order(intents.HaltRoom())
        print(f"\nhalted 200 agents in {time.monotonic() - began:.2f} s")
        assert result.reason == "200 agents are interrupted"
        told = [order for host in hosts for order in orders(host) if isinstance(order, wire.Tell)]
        assert len(told) == len({(order.name, order.what) for order in told}) * 2 == 200


async def test_the_audit_tells_what_became_of_a_task() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.end("a-t1")
        await became(here, "t1", TaskState.DONE)
        await here.engine.wait_idle()
        told = [(line.who, line.verb, line.target) for line in here.ledger.audit()]
        assert told == [
            ("ann (test)", "task add", "t1"),
            ("the queue (t1)", "spawn", "vm1/a-t1"),
            ("the queue", "task done", "t1"),
        ]


async def test_an_agent_that_a_person_retries_while_its_task_waits_is_the_tasks_next_attempt() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.end("a-t1", State.FAILED, detail="exit 1")
        await became(here, "t1", TaskState.WAITING)
        assert (await here.order(intents.RetryAgent("vm1/a-t1", 1))).outcome is not Outcome.REFUSED
        await became(here, "t1", TaskState.RUNNING)
        host.end("a-t1")
        done = await became(here, "t1", TaskState.DONE)
        assert [attempt.end for attempt in done.attempts] == [AttemptEnd.FAILED, AttemptEnd.DONE]
        assert len(host.spawned) == 2


async def test_an_agent_whose_attempt_failed_and_that_a_person_resumes_is_the_tasks_next_attempt() -> None:
    host = Roomy()
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.end("a-t1", State.FAILED, detail="exit 1", session="s-1")
        await became(here, "t1", TaskState.WAITING)
        assert (await here.order(intents.ResumeAgent("vm1/a-t1", 1))).outcome is not Outcome.REFUSED
        await became(here, "t1", TaskState.RUNNING)
        host.end("a-t1")
        done = await became(here, "t1", TaskState.DONE)
        assert [attempt.end for attempt in done.attempts] == [AttemptEnd.FAILED, AttemptEnd.DONE]
        assert [order.spec.resume for order in host.spawned] == ["", "s-1"]


async def test_an_addition_may_come_in_parts_and_is_taken_whole_or_not_at_all() -> None:
    async with queue_room(Roomy(), settings="[queue]\nmax_tasks = 3\nmax_agents = 0\n") as here:
        a, b = TaskWish("a", key="a"), TaskWish("b", after=("a",))
        part = await here.order(intents.AddTasks((a,), addition="x", more=True))
        assert (part.outcome, list(here.engine.store.fleet.tasks)) == (Outcome.DONE, [])
        assert (await here.order(intents.AddTasks((b,), addition="x", part=1))).agent == "t1 t2"
        await here.order(intents.AddTasks((TaskWish("c"),), addition="y", more=True))
        refused = await here.order(intents.AddTasks((TaskWish("d"),), addition="y", part=1))
        assert refused.outcome is Outcome.REFUSED
        assert list(here.engine.store.fleet.tasks) == ["t1", "t2"]
        await here.order(intents.AddTasks((TaskWish("e"),), addition="z", more=True))
        here.now += 61_000
        late = await here.order(intents.AddTasks((TaskWish("f"),), addition="z", part=1))
        assert (late.outcome, list(here.engine.store.fleet.tasks)) == (Outcome.REFUSED, ["t1", "t2"])
