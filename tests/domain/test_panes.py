"""Who is shown live: nobody jumps about, nobody leaves without a reason."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.display.layout import MOST, WHILE, Panes, Pick, pin, seats
from controlroom.domain.model import Agent, Fleet, State
from tests.domain.worlds import NOON, agent, agents, fleet, host

ACTIVE = Panes(Pick.ACTIVE, 2)


def world(**spoke: int) -> Fleet:
    """Agents that last said something so many seconds before noon."""
    return fleet(*(agent(name, last_line_at=NOON - ago * 1000, since=0) for name, ago in spoke.items()))


def seated(fleet: Fleet, panes: Panes, before: tuple[str, ...] = (), chosen: str | None = None) -> list[str]:
    return [one.split("/")[1] for one in seats(fleet, sorted(fleet.agents), panes, chosen, before)]


def ids(*names: str) -> tuple[str, ...]:
    return tuple(f"vm1/{name}" for name in names)


def test_the_chosen_one_alone_follows_the_cursor() -> None:
    here = world(a=0, b=0)
    assert seated(here, Panes(), (), "vm1/b") == ["b"]
    assert seated(here, Panes(), ids("b"), "vm1/a") == ["a"]
    assert seated(here, Panes(), ids("b"), None) == []


def test_whoever_is_active_begins_with_the_newest() -> None:
    assert seated(world(a=500, b=3, c=9, d=100), ACTIVE) == ["b", "c"]


def test_a_short_silence_costs_no_seat() -> None:
    assert seated(world(a=50, b=3, c=9), ACTIVE, ids("a", "b")) == ["a", "b"]


def test_who_was_silent_while_others_worked_gives_its_seat_to_the_most_active() -> None:
    quiet = WHILE // 1000 + 10
    assert seated(world(a=quiet, b=3, c=9, d=4), ACTIVE, ids("a", "b")) == ["d", "b"]


def test_when_all_are_silent_nobody_moves() -> None:
    assert seated(world(a=900, b=890, c=880), ACTIVE, ids("b", "a")) == ["b", "a"]


def test_who_has_ended_gives_way_at_once() -> None:
    here = world(a=1, b=2, c=50)
    over = replace(here.agents["vm1/a"], state=State.DONE)
    here = replace(here, agents={**here.agents, over.id: over})
    assert seated(here, ACTIVE, ids("a", "b")) == ["c", "b"]


def test_one_who_is_gone_is_replaced_in_its_seat() -> None:
    assert seated(world(b=2, c=50), ACTIVE, ids("a", "b")) == ["c", "b"]
    assert seated(world(b=2), ACTIVE, ids("a", "b")) == ["b"]


def test_by_state_a_seat_is_kept_while_the_state_lasts() -> None:
    working = Panes(Pick.STATE, 2, "working")
    here = fleet(agent("a"), agent("b", state=State.IDLE), agent("c"), agent("d"))
    assert seated(here, working, ids("d", "b")) == ["d", "a"]


def test_by_host_only_its_agents() -> None:
    here = fleet(agent("a"), agent("b", on="vm2"), agent("c"), hosts=(host(), host("vm2")))
    assert seats(here, sorted(here.agents), Panes(Pick.HOST, 4, "vm1"), None, ()) == ids("a", "c")


def test_the_pinned_stay_where_they_are_whoever_else_comes() -> None:
    here = world(a=900, b=3, c=9, d=1)
    panes = pin(ACTIVE, ids("a"))
    assert panes.pick is Pick.ACTIVE
    assert seated(here, panes, ids("c", "a")) == ["c", "a"]
    assert seated(here, replace(panes, count=3), ids("c", "a")) == ["c", "a", "d"]


def test_pinning_makes_a_choice_by_hand_and_unpinning_takes_it_back() -> None:
    by_hand = pin(Panes(), ids("a", "c"))
    assert by_hand.pick is Pick.HAND
    assert seated(world(a=1, b=1, c=1), by_hand) == ["a", "c"]
    assert pin(by_hand, ids("a", "b")).pinned == ids("a", "c", "b")
    assert pin(by_hand, ids("a")).pinned == ids("c")
    assert pin(pin(by_hand, ids("a")), ids("c")).pick is Pick.CHOSEN


def test_a_filter_narrows_the_panes_too() -> None:
    here = world(a=1, b=1)
    assert seats(here, ["vm1/b"], pin(Panes(), ids("a", "b")), None, ()) == ids("b")


wishes = st.builds(
    Panes,
    st.sampled_from([Pick.ACTIVE, Pick.HOST, Pick.STATE, Pick.HAND]),
    st.integers(1, MOST),
    st.sampled_from(["vm1", "working"]),
    st.lists(st.sampled_from(["vm1/a", "vm2/b", "vm1/docs-1"]), max_size=3, unique=True).map(tuple),
)


@given(st.lists(st.lists(agents, max_size=6), min_size=1, max_size=5), wishes)
def test_nobody_jumps_about(moments: list[list[Agent]], wish: Panes) -> None:
    before: tuple[str, ...] = ()
    for moment in moments:
        here = fleet(*moment, hosts=(host(), host("vm2")))
        after = seats(here, sorted(here.agents), wish, None, before)
        assert len(set(after)) == len(after) <= MOST
        assert set(after) <= set(here.agents)
        assert len(after) <= max(wish.count, len(wish.pinned))
        stayed = [one for one in before if one in after]
        assert [one for one in after if one in stayed] == stayed, "those who stay keep their order"
        if len(after) >= len(before):
            assert all(after[place] == one for place, one in enumerate(before) if one in after)
        assert seats(here, sorted(here.agents), wish, None, after) == after
        before = after
