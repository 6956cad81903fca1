"""A move: what is known against it is said before anything is ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.display.views import agent_row
from controlroom.domain.events import Ordered
from controlroom.domain.model import Agent, Fleet, LinkState, State
from controlroom.domain.orders import Work
from controlroom.domain.reduce import reduce
from controlroom.text.states import AgentKind
from tests.domain.worlds import MINUTE, NOON, agent, facts, fleet, host, order

MOVE = intents.ReassignAgent("vm1/docs-1", 1, "", host="vm2")
TWO = (host("vm1"), host("vm2"))


def refused(world: Fleet, intent: intents.Intent = MOVE) -> str:
    decision = decide(world, intent, 7, NOON)
    assert isinstance(decision, Refused), decision
    return decision.reason


def accepted(world: Fleet, intent: intents.Intent = MOVE) -> Decision:
    decision = decide(world, intent, 7, NOON)
    assert isinstance(decision, Decision), decision
    return decision


def test_a_move_ends_here_and_starts_there_and_both_rows_say_so() -> None:
    world = fleet(agent(), hosts=TWO)
    decision = accepted(world)
    effect = decision.effect
    assert effect == intents.MoveOn(
        intents.KillOn("vm1", "docs-1", 1, "moved to vm2"),
        intents.SpawnOn("vm2", "docs-1", 1, "", AgentKind.HEADLESS, model="claude-opus-5-5"),
    )
    for event in decision.events:
        assert isinstance(event, Ordered)
        world = reduce(world, event)
    old, new = world.agents["vm1/docs-1"], world.agents["vm2/docs-1"]
    assert agent_row(world, old, NOON).pending == "moving"
    assert (new.state, new.task) == (State.STARTING, "write the docs")
    assert "is being moved already" in refused(world, intents.KillAgent("vm1/docs-1", 1))
    assert "move is on its way" in refused(world)
    assert "is there already" in refused(world, intents.SpawnAgent("docs-1", "x", "vm2"))


def test_a_name_that_has_ended_there_goes_on_with_its_next_epoch() -> None:
    world = fleet(agent(), agent(on="vm2", state=State.DONE, epoch=4), hosts=TWO)
    effect = accepted(world).effect
    assert isinstance(effect, intents.MoveOn)
    assert effect.start.epoch == 5


def test_to_the_host_it_is_on_is_no_move() -> None:
    same = intents.ReassignAgent("vm1/docs-1", 1, "x", host="vm1")
    effect = accepted(fleet(agent(), hosts=TWO), same).effect
    assert isinstance(effect, intents.SpawnOn)


def test_from_a_lost_host_nothing_is_moved_and_it_says_what_would_help() -> None:
    away = host("vm1", link=LinkState.LOST, since=NOON - 7 * MINUTE, reason="connection reset")
    said = refused(fleet(agent(), hosts=(away, host("vm2"))))
    assert "vm1 cannot be asked: lost for 7m (connection reset). Nobody could prove that docs-1 has ended" in said
    assert "switch it off, controlroom host remove vm1, and spawn the task elsewhere" in said


@pytest.mark.parametrize(
    ("one", "target", "intent", "words"),
    [
        (agent(), host("vm2"), replace(MOVE, host="vm3"), "there is no host 'vm3'"),
        (agent(), host("vm2", free=1024), MOVE, "an agent needs 400M (limits.memory_per_agent_mb); vm1/docs-1 goes on"),
        (agent(), host("vm2", facts=facts(tmux="")), MOVE, "vm2 has no tmux"),
        (agent(), host("vm2", facts=facts(owned=False)), MOVE, "vm2 belongs to another control room"),
        (agent(), host("vm2", link=LinkState.LOST), MOVE, "vm2 cannot be asked: lost"),
        (agent(profile="gone"), host("vm2"), MOVE, "there is no profile 'gone'"),
        (agent(epoch=2), host("vm2"), MOVE, "was restarted meanwhile"),
        (agent(pending=order("reassign")), host("vm2"), MOVE, "reassign is on its way"),
    ],
)
def test_what_is_against_a_move_is_said_first(one: Agent, target: object, intent: intents.Intent, words: str) -> None:
    world = fleet(one, hosts=(host("vm1"), target))  # type: ignore[arg-type]
    assert words in refused(world, intent)


def test_a_name_that_runs_there_is_in_the_way() -> None:
    world = fleet(agent(), agent(on="vm2"), hosts=TWO)
    assert "vm2/docs-1 is there already, working for 5m" in refused(world)


SESSION = "11111111-2222-4333-8444-555555555555"
ALONG = replace(MOVE, keep_session=True)


def test_it_goes_on_in_its_session_and_its_folder_where_that_is_wanted() -> None:
    world = fleet(agent(session=SESSION), hosts=TWO)
    effect = accepted(world, ALONG).effect
    assert isinstance(effect, intents.MoveOn)
    assert (effect.session, effect.folder) == (SESSION, True)
    assert (effect.start.resume, effect.start.worktree, effect.start.task) == (SESSION, "HEAD", intents.GO_ON)
    said = accepted(world, replace(ALONG, task="and the FAQ")).effect
    assert isinstance(said, intents.MoveOn)
    assert said.start.task == "and the FAQ"
    alone = accepted(world, replace(ALONG, leave_folder=True)).effect
    assert isinstance(alone, intents.MoveOn)
    assert (alone.session, alone.folder, alone.start.worktree) == (SESSION, False, "")


def test_without_a_session_its_folder_goes_along_and_its_task_begins_again() -> None:
    effect = accepted(fleet(agent(session=""), hosts=TWO), ALONG).effect
    assert isinstance(effect, intents.MoveOn)
    assert (effect.session, effect.folder, effect.start.resume, effect.start.task) == ("", True, "", "")


def test_one_in_a_worktree_moves_only_with_its_folder() -> None:
    work = replace(agent().ordered or Work(AgentKind.HEADLESS), worktree="main")
    world = fleet(replace(agent(session=SESSION), ordered=work), hosts=TWO)
    assert "--continue" in refused(world)
    assert "--continue" in refused(world, replace(ALONG, leave_folder=True))
    effect = accepted(world, ALONG).effect
    assert isinstance(effect, intents.MoveOn)
    assert effect.start.worktree == "main"


def test_a_session_that_two_are_said_to_be_in_is_not_carried() -> None:
    twice = agent("api-1", session=SESSION)
    assert "one of the two cannot be" in refused(fleet(agent(session=SESSION), twice, hosts=TWO), ALONG)
