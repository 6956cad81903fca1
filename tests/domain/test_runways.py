"""How far agents go alone: as far as their money at the rate of late, and no further than their grants."""

from __future__ import annotations

from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.money.allotment import Run, RunGrant
from controlroom.domain.money.budget import Spend
from controlroom.domain.money.forecast import HOUR, Runway, runways, told
from controlroom.text.states import Payer

NOW = 100 * HOUR


def test_money_time_and_what_nobody_knows() -> None:
    busy = Run(
        "vm1", "a1", 1, billing=Payer.API, booked=300, grants=(RunGrant(1, 900, 400, 5_000, ends=NOW + 3 * HOUR),)
    )
    calm = Run("vm1", "a2", 1, grants=(RunGrant(2, 900, ends=NOW + HOUR),))
    free = Run("vm1", "a3", 1, grants=(RunGrant(3),))
    over = Run("vm1", "a4", 1, grants=(RunGrant(4, 900),), ended=True)
    unpaced = Run("vm1", "a5", 1, grants=(RunGrant(5, 2_000_000),))
    lately = [Spend("vm1", "a1", "", Payer.API, 150, 10), Spend("vm1", "a1", "docs", Payer.API, 50, 10)]
    ways = runways([busy, calm, free, over, unpaced], lately, NOW - HOUR // 2, NOW)
    assert ways == [
        Runway("vm1/a1", BudgetUnit.BILLED, 600, 400, NOW + 3 * HOUR),
        Runway("vm1/a2", BudgetUnit.BILLED, 900, None, NOW + HOUR),
        Runway("vm1/a5", BudgetUnit.BILLED, 2_000_000, None, 0),
    ]
    assert [way.lasts(NOW) for way in ways] == [HOUR * 3 // 2, HOUR, None]
    assert told(ways[0], NOW) == "vm1/a1: $0.0006, about 1h30"
    assert told(ways[2], NOW) == "vm1/a5: $2.00, nobody knows how long that lasts"
