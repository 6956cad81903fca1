"""What an event says it changed is all that it changed: whoever looks at that alone holds what the engine holds."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.changes import Changes
from controlroom.domain.model import Fleet, State
from controlroom.domain.patch import apply, diff
from controlroom.domain.reduce import changed, reduce
from tests.domain.worlds import NOON, agent, fleet, happenings, host

KINDS = ("hosts", "agents", "budgets", "headroom", "alarms")
stray = st.builds(
    lambda name, key: events.AgentsObserved("vm1", (agent(name, stray_key=key),), NOON),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "ANTHROPIC_API_KEY"]),
)
dead = st.builds(
    lambda name, at: events.AgentsObserved(
        "vm1", (agent(name, state=State.FAILED, detail="not logged in: run claude", since=at),), NOON
    ),
    st.sampled_from(["a", "b"]),
    st.integers(NOON, NOON + 9),
)
told = st.lists(happenings | stray | dead, max_size=20)


def gathered(start: Fleet, happened: list[events.Event]) -> tuple[Fleet, Changes]:
    now, all_of_it = start, Changes()
    for event in happened:
        now, changes = changed(now, event)
        all_of_it.add(changes)
    return now, all_of_it


@given(told, told)
def test_what_is_not_named_is_the_same_object(before: list[events.Event], after: list[events.Event]) -> None:
    held, _ = gathered(fleet(agent()), before)
    now, changes = gathered(held, after)
    for kind in KINDS:
        old, new, named = getattr(held, kind), getattr(now, kind), getattr(changes, kind)
        assert all(old.get(key) is new.get(key) for key in {*old, *new} - named)
    assert changes.room or (held.profiles, held.limits, held.money) == (now.profiles, now.limits, now.money)
    assert changes or held is now


@given(told, told)
def test_a_patch_of_what_is_named_closes_the_gap(before: list[events.Event], after: list[events.Event]) -> None:
    held, _ = gathered(fleet(agent()), before)
    now, changes = gathered(held, after)
    assert apply(held, diff(held, now, changes)) == now
    assert diff(held, now, changes) == diff(held, now)


def test_one_agents_event_names_that_agent_and_nothing_else() -> None:
    many = fleet(*(agent(f"a{number}") for number in range(50)), hosts=(replace(host(), seen=NOON),))
    other = replace(agent("a7"), state=State.IDLE)
    for event in (
        events.AgentsObserved("vm1", (other,), NOON),
        events.LinesSeen("vm1", (events.LineSeen("vm1/a7", 1, "a line", NOON),), NOON),
        events.SpendingSeen("vm1", {"vm1/a7": 5}),
    ):
        assert changed(many, event)[1] == Changes(agents={"vm1/a7"})
    assert not changed(many, events.AgentsObserved("vm1", (agent("a7"),), NOON))[1]


def test_the_alarm_of_a_stray_key_goes_with_its_agent() -> None:
    for gone in (
        events.HostRemoved("vm1"),
        events.AgentsObserved("vm1", (), NOON, gone=("a7",)),
        events.AgentsObserved("vm1", (), NOON, complete=True),
    ):
        alarmed = reduce(fleet(), events.AgentsObserved("vm1", (agent("a7", stray_key="ANTHROPIC_API_KEY"),), NOON))
        assert "key vm1/a7" in alarmed.alarms
        assert not reduce(alarmed, gone).alarms
