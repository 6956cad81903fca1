"""An agent that a budget has paused goes on at once, and not again and again."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.money.resumption import LONGEST, NOTHING, SOON, WELL, Resumptions

NOON = 1_795_348_800_000


class Order(NamedTuple):
    """One order to go on, and what comes of it."""

    takes: bool
    lasts: int
    """Milliseconds that its run lasts until it is paused again."""
    later: int
    """Milliseconds for which nobody looks, after it may be told."""


ORDERS = st.lists(
    st.builds(Order, st.booleans(), st.integers(0, 2 * WELL), st.integers(0, 5_000) | st.integers(0, 2 * LONGEST)),
    min_size=1,
    max_size=25,
)


@given(ORDERS)
def test_whoever_goes_on_is_not_resumed_again_and_again_and_what_came_to_nothing_hardly_waits(
    orders: list[Order],
) -> None:
    known, now, epoch, ended = Resumptions(), NOON, 1, NOON
    went_on: list[int] = []
    """When it went on, one soon after the other."""
    nothing = 0
    for order in orders:
        known = known.seen(epoch, ended, NOON)
        assert known == known.seen(epoch, ended, NOON), "to look twice changes nothing"
        if went_on and ended - went_on[-1] > WELL:
            went_on.clear()
        paced = went_on[-1] + min(LONGEST, SOON * 2 ** (len(went_on) - 1)) if went_on else 0
        hurried = known.told + min(LONGEST, NOTHING * 2 ** (nothing - 1)) if nothing else 0
        assert now + known.wait(now) == max(now, paced, hurried)
        now += known.wait(now) + order.later
        assert known.wait(now) == 0
        known = known.telling(epoch, now)
        nothing = 0 if order.takes else nothing + 1
        if order.takes:
            went_on.append(now)
            epoch, ended = epoch + 1, now + order.lasts
            now = ended


def test_an_engine_that_begins_lets_all_go_on_at_once() -> None:
    assert Resumptions().seen(7, NOON, NOON - 1).wait(NOON) == 0


def test_an_order_that_came_to_nothing_is_given_again_in_a_second() -> None:
    told = Resumptions().seen(1, NOON, NOON).telling(1, NOON)
    refused = told.seen(1, NOON, NOON)
    assert (refused.wait(NOON), refused.wait(NOON + NOTHING)) == (NOTHING, 0)
    went_on = refused.telling(1, NOON + NOTHING).seen(2, NOON + 2 * NOTHING, NOON)
    assert went_on.wait(NOON + 2 * NOTHING) == SOON - NOTHING, "that one has gone on, and was paused again soon"


def test_a_new_period_lets_it_go_on_at_once_and_a_clock_set_back_holds_nobody_up() -> None:
    paused = Resumptions().seen(1, NOON, NOON).telling(1, NOON).seen(2, NOON + 1, NOON)
    assert paused.wait(NOON + 2) > 0
    assert paused.seen(2, NOON + 1, NOON + 2).wait(NOON + 2) == 0
    assert paused.wait(NOON - 1) == 0
