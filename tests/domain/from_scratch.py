"""What sharing out comes to when all budgets and all runs are looked at: what budgets are kept by is held to this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.money.allotment import CLAIMED, CROWD, FEW, MONEY, Fund, NextGrant, Run, RunGrant


def given_away(fund: Fund, runs: Iterable[Run]) -> int:
    """Sum up what runs may still spend of a budget."""
    unit = fund.rule.unit
    return sum(run.outstanding(unit, fund.began) for run in runs if unit in MONEY and fund.holds(run))


def overshoot(runs: Iterable[Run]) -> int | None:
    """Sum up what messages that are under way now may cost at the most; None: nobody knows."""
    total = 0
    for run in runs:
        if run.dearest is None or run.dearest_of_any is None or run.subagents is None:
            return None
        total += run.dearest + run.subagents * run.dearest_of_any
    return total


MINUTE = 60_000


def share_out(funds: Sequence[Fund], runs: Sequence[Run], ends: Mapping[tuple[str, str, int], int]) -> list[NextGrant]:
    """Say what is to be granted now, to whom: only what changes. `ends`: when a run's grant is to end (0: never).

    A run whose grant is to end much later than it does is given it anew; one that no budget binds any more is let free.
    """
    desk = _Desk(funds, runs)
    shares = []
    for run in desk.in_order():
        wanted = desk.serve(run, ends.get(run.key, 0))
        if wanted is not None:
            shares.append(wanted)
    return shares


class _Desk:
    """What is left of each budget while it is shared out."""

    def __init__(self, funds: Sequence[Fund], runs: Sequence[Run]) -> None:
        self._of = {run.key: [fund for fund in funds if fund.holds(run)] for run in runs}
        self._free = {fund.rule.name: fund.rule.stop - fund.spent - given_away(fund, runs) for fund in funds}
        self._queue = sorted((run for run in runs if not run.ended), key=self._rank)
        self._sharers: dict[str, int] = dict.fromkeys(self._free, 0)
        self._place: dict[tuple[str, tuple[str, str, int]], int] = {}
        self._claimed: Counter[tuple[str, str]] = Counter()
        """By budget and host: runs that were not ordered."""
        for run in self._queue:
            for fund in self._of[run.key]:
                self._place[fund.rule.name, run.key] = self._sharers[fund.rule.name]
                self._sharers[fund.rule.name] += self._is_sharer(fund, run)

    def _is_sharer(self, fund: Fund, run: Run) -> bool:
        if run.ordered:
            return True
        self._claimed[fund.rule.name, run.host] += 1
        return self._claimed[fund.rule.name, run.host] <= CLAIMED

    def _rank(self, run: Run) -> tuple[bool, int, bool, str, int]:
        """Who goes first: who was ordered, a higher priority where an order is kept, then who runs already."""
        kept = any(fund.rule.order == "priority" for fund in self._of[run.key])
        return not run.ordered, -run.priority if kept else 0, run.newest is None, run.id, run.epoch

    def in_order(self) -> list[Run]:
        """Return the runs that can be given something, who goes first first."""
        return [run for run in self._queue if run.asked]

    def serve(self, run: Run, ends: int) -> NextGrant | None:
        """Settle what one run is granted, and take it out of what is left; None: it stays with what it has."""
        newest, funds = run.newest, self._of[run.key]
        if not funds and (newest is None or newest.free):
            return None
        tops = {unit: self._top(run, unit, [p for p in funds if p.rule.unit == unit]) for unit in MONEY}
        windows = _windows(funds)
        ends = ends if funds else 0
        if newest is not None and not run.again and not _differs(newest, tops, windows, ends):
            return None
        self._take(run, tops)
        return NextGrant(run, tops[BudgetUnit.BILLED], tops[BudgetUnit.COVERED], tops[BudgetUnit.TOKENS], windows, ends)

    def _top(self, run: Run, unit: BudgetUnit, funds: list[Fund]) -> int | None:
        """Return the ceiling that a run is to have in a unit: as it is while that will do."""
        if not funds:
            return None
        gone, newest = run.gone(unit), run.newest
        has = newest.ceiling(unit) if newest else None
        left = 0 if has is None else max(0, has - gone)
        part = min(self._part(fund, run, unit) for fund in funds)
        if has is not None and _low(run, unit, part) <= left <= part + part // 2:
            return has
        if left > part:
            return gone + part
        most = min(part, *(self._most(fund, run, unit) for fund in funds))
        worth = min(least_worth(fund, run, unit) for fund in funds)
        if has is None:
            return gone + (most if most >= worth else 0)
        return gone + most if most - left >= max(1, worth // 2) else has

    def _most(self, fund: Fund, run: Run, unit: BudgetUnit) -> int:
        """Say how much a run can hold of a budget: what it may hold already, and what is free."""
        return run.outstanding(unit, fund.began) + max(0, self._free[fund.rule.name])

    def _part(self, fund: Fund, run: Run, unit: BudgetUnit) -> int:
        """Say how much a run should hold of a budget.

        When what is left is no more than crumbs, and an order is kept, those who come last get none of it.
        """
        room = fund.rule.stop - fund.spent
        if room <= 0 or run.id in fund.cut:
            return 0
        sharers, least = max(1, self._sharers[fund.rule.name]), least_worth(fund, run, unit)
        if fund.rule.order == "priority":
            served = max(1, room // (2 * least))
            if self._place[fund.rule.name, run.key] >= served:
                return 0
            sharers = min(sharers, served)
        dearest = run.dearest_tokens if unit is BudgetUnit.TOKENS else run.dearest
        few = FEW[unit] if dearest is None else 4 * dearest
        part = max(room // (2 * max(sharers, CROWD)), min(few, room // (2 * sharers)), min(least, room))
        return part if run.ordered else part * CLAIMED // max(CLAIMED, self._claimed[fund.rule.name, run.host])

    def _take(self, run: Run, tops: Mapping[BudgetUnit, int | None]) -> None:
        for fund in self._of[run.key]:
            unit = fund.rule.unit
            if unit in MONEY and (top := tops[unit]) is not None:
                more = top - run.gone(unit) - run.outstanding(unit, fund.began)
                self._free[fund.rule.name] -= max(0, more)


def _low(run: Run, unit: BudgetUnit, part: int) -> int:
    """Say below what a share is topped up: not even a dear message is to end a run while there is money."""
    dearest = (run.dearest_tokens if unit is BudgetUnit.TOKENS else run.dearest) or 0
    return max(-(-part // 2), min(part * 7 // 8, dearest * 3 // 2))


def least_worth(fund: Fund, run: Run, unit: BudgetUnit) -> int:
    """Say what is not worth giving: with less than half a message nothing is done but overshooting."""
    dearest = (run.dearest_tokens if unit is BudgetUnit.TOKENS else run.dearest) or 0
    return max(fund.rule.least, min(dearest // 2, fund.rule.limit // 20))


def _windows(funds: Iterable[Fund]) -> dict[str, int]:
    """Return the per cent up to which each window of a plan may be used."""
    tops: dict[str, int] = {}
    for fund in funds:
        if fund.rule.unit is BudgetUnit.WINDOW:
            tops[fund.rule.window] = min(fund.rule.stop, tops.get(fund.rule.window, 100))
    return tops


def _differs(newest: RunGrant, tops: Mapping[BudgetUnit, int | None], windows: Mapping[str, int], ends: int) -> bool:
    later = ends > newest.ends + MINUTE if newest.ends and ends else newest.ends != ends
    return later or any(newest.ceiling(unit) != top for unit, top in tops.items()) or newest.windows != windows
