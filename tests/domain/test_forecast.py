"""What may come on top of a stop line: a message in flight for each agent and each of its subagents, or not known."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain.money.allotment import Run
from controlroom.domain.money.forecast import overshoot

CALM = Run("vm1", "a1", 1, dearest=300_000, dearest_of_any=500_000, subagents=0)
BUSY = Run("vm1", "a2", 1, dearest=200_000, dearest_of_any=500_000, subagents=2)


def test_it_is_a_message_for_each_agent_and_each_of_its_subagents() -> None:
    assert overshoot([]) == 0
    assert overshoot([CALM]) == 300_000
    assert overshoot([CALM, BUSY]) == 300_000 + 200_000 + 2 * 500_000


def test_it_is_not_known_where_one_thing_is_not() -> None:
    for unknown in (
        replace(BUSY, subagents=None),
        replace(BUSY, dearest=None),
        replace(BUSY, dearest_of_any=None),
    ):
        assert overshoot([CALM, unknown]) is None
