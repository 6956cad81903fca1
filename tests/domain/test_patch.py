"""Whatever a reader skipped: after a patch it holds what the engine holds."""

from functools import reduce as fold

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.model import Fleet
from controlroom.domain.patch import Patch, apply, diff, is_empty, snapshot
from controlroom.domain.reduce import reduce
from controlroom.wire.codec import decode, encode
from tests.domain.worlds import agent, fleet, happenings


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
