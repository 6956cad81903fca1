"""Whatever a reader skipped: after a patch it holds what the engine holds."""

from dataclasses import replace
from functools import reduce as fold

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.model import Fleet, State
from controlroom.domain.patch import Patch, apply, diff, is_empty, snapshot
from controlroom.domain.reduce import reduce
from controlroom.wire.codec import decode, encode
from controlroom.wire.lines import to_line
from tests.domain.worlds import GIB, NOON, agent, fleet, happenings


@given(st.lists(happenings, max_size=20), st.lists(happenings, max_size=20))
def test_a_patch_closes_any_gap_over_the_wire_too(before: list[events.Event], after: list[events.Event]) -> None:
    held = fold(reduce, before, fleet(agent()))
    now = fold(reduce, after, held)
    assert apply(held, diff(held, now)) == now
    assert apply(held, decode(Patch, encode(diff(held, now)))) == now
    assert apply(held, decode(Patch, encode(snapshot(now)))) == now


def test_nothing_new_is_an_empty_patch() -> None:
    world = fleet(agent())
    assert is_empty(diff(world, world))
    assert not is_empty(diff(world, fleet()))
    assert not is_empty(snapshot(Fleet()))


def test_a_line_or_a_load_costs_little_however_much_is_known_of_its_agent() -> None:
    long = agent(task="x" * 200, detail="y" * 300, cwd="/srv/" + "z" * 100)
    world = fleet(long)
    line = events.LinesSeen("vm1", (events.LineSeen(long.id, 1, "42 passed in 3.1 s", NOON),), NOON)
    load = events.LoadsSeen("vm1", (events.LoadSeen(long.id, 1, GIB, 12.5, 7),), NOON)
    for happened in (line, load):
        patch = diff(world, reduce(world, happened))
        assert not patch.agents
        assert len(to_line(encode(patch))) < 250
    state = replace(long, state=State.IDLE)
    assert diff(reduce(world, line), fleet(replace(state, last_line="new"))).agents.keys() == {long.id}
