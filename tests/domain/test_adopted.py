"""Agents that others started: what is kept of them when they have ended, and for how long."""

from dataclasses import replace
from typing import Any

from controlroom.domain import events, intents
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.display import explain, views
from controlroom.domain.keys import actions
from controlroom.domain.keys.availability import unavailable
from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.reduce import ADOPTED_SHOWN, END_UNSEEN, MOST_ADOPTED, reduce
from tests.domain.worlds import MINUTE, NOON, agent, fleet, host


def theirs(name: str = "~work", **changes: Any) -> Agent:
    return agent(name, **{"epoch": 0, "kind": "adopted", "pid": 7, "place": "tmux work", "pane": "%3", **changes})


def ended(name: str = "~work", at: int = NOON, **changes: Any) -> Agent:
    over = {"state": State.DONE, "ended": at, "pid": None, "pane": "", "detail": "its last turn was over"}
    return theirs(name, **{**over, **changes})


def told(world: Fleet, *agents: Agent, at: int = NOON, complete: bool = True) -> Fleet:
    return reduce(world, events.AdoptedObserved("vm1", agents, at, complete))


def test_one_that_has_ended_is_shown_for_a_day_with_what_it_has_cost() -> None:
    world = told(fleet(hosts=(host(),)), theirs())
    world = reduce(world, events.SpendingSeen("vm1", {"vm1/~work": 5}))
    world = told(told(world, ended(), complete=False))
    assert (world.agents["vm1/~work"].state, world.agents["vm1/~work"].spent) == (State.DONE, 5)
    assert "vm1/~work" in told(world, at=NOON + ADOPTED_SHOWN).agents
    assert "vm1/~work" not in told(world, at=NOON + ADOPTED_SHOWN + 1).agents


def test_what_ended_while_nobody_looked_is_said_to_be_unknown() -> None:
    over = told(told(fleet(hosts=(host(),)), theirs(rss=5)), at=NOON + MINUTE).agents["vm1/~work"]
    assert (over.state, over.ended, over.detail) == (State.UNKNOWN, NOON + MINUTE, END_UNSEEN)
    assert (over.pid, over.rss) == (None, None)
    assert over.has_ended


def test_a_session_without_a_claude_leaves_nothing() -> None:
    assert not told(told(fleet(hosts=(host(),)), theirs(session=""))).agents


def test_a_claude_under_another_name_is_the_same_with_its_cost() -> None:
    """A node that is new names it after its session as that is called by then."""
    world = told(fleet(hosts=(host(),)), theirs())
    world = reduce(world, events.SpendingSeen("vm1", {"vm1/~work": 5}))
    world = told(world, theirs("~deploy", place="tmux deploy"))
    assert {key: one.spent for key, one in world.agents.items()} == {"vm1/~deploy": 5}


def test_a_part_of_them_leaves_the_others_as_they_are_and_brings_in_nobody() -> None:
    world = told(fleet(hosts=(host(),)), theirs(), theirs("~b", session="s-2"))
    world = told(world, theirs(state=State.IDLE), theirs("~new", session="s-3"), complete=False)
    assert {key: one.state for key, one in world.agents.items()} == {
        "vm1/~work": State.IDLE,
        "vm1/~b": State.WORKING,
    }


def test_no_host_fills_the_room_with_what_has_ended() -> None:
    many = [ended(f"~a{number}", NOON + number, session=f"s{number}") for number in range(MOST_ADOPTED + 50)]
    world = told(fleet(hosts=(host(),)), *many, complete=False)
    assert set(world.agents) == {f"vm1/~a{number}" for number in range(50, MOST_ADOPTED + 50)}


def test_only_what_has_ended_can_be_forgotten_and_its_host_is_not_asked() -> None:
    world = told(fleet(hosts=(host(),)), theirs())
    forget = intents.ForgetAgent("vm1/~work", 0)
    assert isinstance(decide(world, forget, 1, NOON), Refused)
    world = told(world, ended(), complete=False)
    action = actions.BY_NAME["forget"]
    assert unavailable(action, world, "vm1/~work") is None
    assert unavailable(actions.BY_NAME["kill"], world, "vm1/~work")
    decision = decide(world, forget, 1, NOON)
    assert isinstance(decision, Decision)
    assert decision.effect is None
    assert not reduce(world, decision.events[0]).agents


def test_it_is_explained_by_what_is_known_of_its_end() -> None:
    world = told(fleet(hosts=(host(),)), theirs())
    world = told(world, ended(state=State.FAILED, detail="Invalid API key; its exit code is not known"), complete=False)
    found = explain.explain(world, world.agents["vm1/~work"], NOON + MINUTE)
    text = "\n".join(f"{line.label}: {line.words}" for line in explain.lines(found, NOON + MINUTE, str))
    assert "state: failed: Invalid API key; its exit code is not known" in text
    assert "by: vm1, which saw it end; it was not started here" in text
    assert "ended: its exit code is known only to what started it, 1m ago" in text
    assert "forget vm1/~work" in text
    assert "attach" not in text


def test_a_session_is_found_by_what_its_user_calls_it() -> None:
    one = theirs("~session-3f2a91", place="tmux 前端")
    other = theirs("~session-77ab10", place="tmux 后端", session="s-2")
    world = told(fleet(hosts=(host(),)), one, other)
    assert [agent.name for agent in world.find("前端")] == ["~session-3f2a91"]
    assert [agent.name for agent in world.find("~session-77ab10")] == ["~session-77ab10"]
    assert not world.find("前")


def test_a_stopped_process_is_paused_and_lives() -> None:
    words = "process 7 (claude) is stopped by a signal; who sent it is not recorded"
    one = theirs(state=State.PAUSED, detail=words)
    own = replace(agent("docs-1", state=State.PAUSED, detail=words), pid=7)
    world = fleet(one, own)
    assert not one.has_ended
    assert views.agent_row(world, own, NOON).line == words
    for found in (one, own):
        steps = " ".join(step.words for step in explain.explain(world, found, NOON).steps)
        assert "kill -CONT" in steps
    assert isinstance(decide(world, intents.KillAgent(own.id, 1), 1, NOON), Decision)
