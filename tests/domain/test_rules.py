"""Rules that no fleet and no intent may break."""

from functools import reduce as fold

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events, intents
from controlroom.domain.branch_intents import Accept, BranchEffect, DropWork, PullRequest, PushBranch
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.model import Fleet, Limits, LinkState, State
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import no_room_for
from controlroom.domain.reduce import reduce
from controlroom.text.host_sample import HostSample
from controlroom.text.states import AgentKind, Outcome, Verdict
from controlroom.wire.codec import decode, encode
from tests.domain.worlds import GIB, NOON, agent, epochs, facts, fleet, happenings, host, hosts, ids, names, order

texts = st.text(max_size=20)
wishes = st.one_of(
    st.builds(
        intents.SpawnAgent,
        names | texts,
        texts,
        hosts | texts,
        st.sampled_from(["", "docs"]) | texts,
        st.sampled_from(["", "headless", "command"]) | texts,
    ),
    st.builds(intents.KillAgent, ids | texts, epochs | st.just(0)),
    st.builds(intents.ReassignAgent, ids | texts, epochs | st.just(0), texts, st.booleans()),
    st.builds(intents.ResumeAgent, ids | texts, epochs | st.just(0), texts),
    st.builds(intents.SendMessage, ids | texts, epochs | st.just(0), texts),
    st.builds(intents.InterruptAgent, ids | texts, epochs | st.just(0)),
    st.builds(intents.ForgetAgent, ids | texts, epochs | st.just(0)),
    st.builds(intents.AnswerQuestion, ids | hosts | texts, texts, st.sampled_from(Verdict)),
    st.builds(intents.AddHost, hosts | texts, texts),
    st.builds(intents.RemoveHost, hosts | texts),
    st.builds(intents.TakeHost, hosts | texts),
    st.builds(Accept, ids | texts, epochs | st.just(0), st.just("next") | texts, st.booleans(), st.booleans()),
    st.builds(PushBranch, ids | texts, epochs | st.just(0), st.just("next") | texts),
    st.builds(PullRequest, ids | texts, epochs | st.just(0), st.just("main") | texts, texts, texts),
    st.builds(DropWork, ids | texts, epochs | st.just(0), names | texts),
)
stories = st.lists(happenings, max_size=15)


@given(stories, wishes)
def test_nothing_is_ever_done_to_what_others_started(story: list[events.Event], wish: intents.Intent) -> None:
    world = fold(reduce, story, fleet(agent(name="~work", epoch=0, kind="adopted")))
    target = getattr(wish, "agent", getattr(wish, "subject", ""))
    if target in world.agents and world.agents[target].adopted:
        decided = decide(world, wish, 1, NOON)
        assert isinstance(decided, Refused)
        assert "not started here" in decided.reason
        assert "does not touch it" in decided.reason


@given(stories, wishes)
def test_every_wish_gets_a_decision_or_a_reason(story: list[events.Event], wish: intents.Intent) -> None:
    world = fold(reduce, story, fleet(agent()))
    decision = decide(world, wish, 9, NOON)
    if isinstance(decision, Refused):
        assert decision.reason.strip()
        assert decision.reason.isprintable(), decision.reason
        return
    effect = decision.effect
    assert effect is not None
    if isinstance(effect, intents.SpawnOn | intents.KillOn | intents.TellOn | intents.ForgetOn | BranchEffect):
        there = world.hosts[effect.host]
        assert there.link is LinkState.UP
        assert there.facts is None or there.facts.owned


@given(stories, wishes)
def test_what_is_on_its_way_cannot_be_ordered_twice(story: list[events.Event], wish: intents.Intent) -> None:
    world = fold(reduce, story, fleet(agent()))
    decision = decide(world, wish, 9, NOON)
    if isinstance(decision, Decision) and any(isinstance(event, events.Ordered) for event in decision.events):
        after = fold(reduce, decision.events, world)
        assert isinstance(decide(after, wish, 10, NOON), Refused)


@given(stories, wishes)
def test_an_order_that_is_concluded_leaves_nothing_pending(story: list[events.Event], wish: intents.Intent) -> None:
    world = fold(reduce, story, fleet(agent()))
    decision = decide(world, wish, 9, NOON)
    if isinstance(decision, Decision):
        for outcome in Outcome:
            after = fold(reduce, decision.events, world)
            for ordered in decision.events:
                if isinstance(ordered, events.Ordered):
                    after = reduce(after, events.Concluded(9, ordered.order.subject, Result(outcome, "so"), NOON))
            assert not [one for one in after.agents.values() if one.pending and one.pending.op == 9]


@given(wishes)
def test_intents_pass_the_wire_unchanged(wish: intents.Intent) -> None:
    assert decode(type(wish), encode(wish)) == wish


@given(stories)
def test_every_agent_stands_under_its_own_id_on_a_host_of_the_room(story: list[events.Event]) -> None:
    world = fold(reduce, story, Fleet())
    for key, one in world.agents.items():
        assert key == one.id


# --------------------------------------------------------------------------- room for one more

NEED = 400 * 1024 * 1024


@pytest.mark.parametrize(
    ("free", "starting", "fits"), [(NEED, 0, True), (NEED - 1, 0, False), (2 * NEED, 1, True), (2 * NEED - 1, 1, False)]
)
def test_what_is_starting_counts_as_if_it_were_there(free: int, starting: int, fits: bool) -> None:
    vm = host(free=free)
    rows = [agent(f"a{n}", state=State.STARTING, pending=order("spawn", f"a{n}", n)) for n in range(starting)]
    world = fleet(*rows, hosts=(vm,), limits=Limits(NEED))
    assert (no_room_for(world, vm, AgentKind.HEADLESS) is None) == fits
    assert no_room_for(world, vm, AgentKind.COMMAND) is None, "a command takes what it takes"


def test_no_reading_and_no_limit_refuse_nothing() -> None:
    blind = host(sample=HostSample(NOON))
    assert no_room_for(fleet(hosts=(blind,)), blind, AgentKind.HEADLESS) is None
    full = host(free=1)
    assert no_room_for(fleet(hosts=(full,), limits=Limits(0)), full, AgentKind.HEADLESS) is None
    assert f"{full.name} has 1B left, an agent needs 400M" in str(
        no_room_for(fleet(hosts=(full,)), full, AgentKind.HEADLESS)
    )


def test_whether_tmux_is_there_is_left_to_the_host_when_it_is_to_start_something() -> None:
    bare = host(facts=facts(tmux=""), sample=HostSample(NOON, memory_used=0, memory_total=GIB))
    for kind in ("headless", "command"):
        assert no_room_for(fleet(hosts=(bare,)), bare, AgentKind(kind)) is None
