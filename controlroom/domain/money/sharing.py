"""Sharing out what budgets have left among agents that run, so that all of it together never passes a stop line.

An allowance is a ceiling over one run, by its runner's own count. Until the runner has said that it goes by a newer
one, the highest of those that may be in force counts. So what a budget has given away is, for each run, what lies
between the highest of them and what is booked of that run; `spent + given away <= stop line` holds at every moment,
because money is given only out of what is left after that.

A share is a part of what is left (half of it, divided by all who run), and is topped up when half of it is used: so
nobody holds most of it, and nobody waits while there is some. As what is left shrinks, shares are taken back in part.

Only runs that have changed are looked at, and those whose share others have made too small or too large (`balances`).
Where an order is kept and little is left for so many, all who share that budget are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from controlroom.domain.money.allotment import CLAIMED, CROWD, FEW, MONEY, Fund, Given, Run, Share, least_worth
from controlroom.domain.money.balances import Balance, Balances, Band, Entry, Key, Kind

MINUTE = 60_000

Ends = Callable[[Run, Sequence[Fund]], int]
"""Says when a grant of a run is to end by itself, by the budgets that bind it; 0: never."""


def share_out(funds: Sequence[Fund], runs: Iterable[Run], ends: Mapping[Key, int]) -> list[Share]:
    """Say what is to be granted now, to whom: only what changes. `ends`: when a run's grant is to end (0: never).

    A run whose grant is to end much later than it does is given it anew; one that no budget binds any more is let free.
    """
    sharing = Sharing(Balances(funds))
    for run in runs:
        sharing.balances.put(run)
    return sharing.shares(lambda run, _: ends.get(run.key, 0))


class Sharing:
    """Shares out what budgets have left, again and again."""

    def __init__(self, balances: Balances) -> None:
        self.balances = balances
        self._taken: Counter[str] = Counter()
        """By budget: what has been given while this is shared out."""

    def shares(self, ends: Ends, most: int | None = None) -> list[Share]:
        """Say what is to be granted now, to whom: only what changes, and to `most` at once, who goes first first.

        Whoever does not grant it puts the run again.
        """
        looked_at = {*self.balances.fresh, *self._outgrown()}
        self.balances.fresh.clear()
        self.balances.touched.clear()
        entries = [self.balances.entries[key] for key in looked_at]
        queue = [entry for entry in entries if entry.run.asked and not entry.run.ended]
        queue.sort(key=lambda entry: self.balances.rank(entry.run))
        self._taken.clear()
        waiting = iter(queue)
        served = (share for entry in waiting if (share := self._serve(entry, ends)) is not None)
        shares = list(islice(served, most))
        self.balances.fresh.update(entry.run.key for entry in waiting)
        return shares

    def first(self, run: Run, ends: Ends) -> Share | None:
        """Say what a run is to be granted that would begin now; nobody else's share is looked at."""
        before = self.balances.entries.get(run.key)
        fresh = run.key in self.balances.fresh
        self.balances.put(run)
        self._taken.clear()
        share = self._serve(self.balances.entries[run.key], ends)
        self.balances.drop(run.key)
        if before is not None:
            self.balances.put(before.run)
            if not fresh:
                self.balances.fresh.discard(run.key)
        return share

    def _outgrown(self) -> Iterator[Key]:
        """Name the runs whose share may be too small or too large by now."""
        for band in self.balances.touched_bands():
            if any(self._is_short(balance, band.kind) for balance in band.balances):
                yield from (key for _, key in band.lefts)
            else:
                yield from self._outside(band)

    def _outside(self, band: Band) -> Iterator[Key]:
        part = min(self._shared(balance, band.kind, 0) for balance in band.balances)
        return band.outside(_low(band.kind.dearest, part), part + part // 2)

    def _serve(self, entry: Entry, ends: Ends) -> Share | None:
        """Settle what one run is granted, and take it out of what is left; None: it stays with what it has."""
        run, newest, bound = entry.run, entry.run.newest, entry.bound
        if not bound and (newest is None or newest.free):
            return None
        funds = [balance.fund for balance in bound]
        tops = {unit: self._top(run, unit, [one for one in bound if one.fund.rule.unit == unit]) for unit in MONEY}
        windows = _windows(funds)
        until = ends(run, funds) if funds else 0
        if newest is not None and not run.again and not _differs(newest, tops, windows, until):
            return None
        self._take(run, bound, tops)
        return Share(run, tops["billed"], tops["covered"], tops["tokens"], windows, until)

    def _top(self, run: Run, unit: str, bound: list[Balance]) -> int | None:
        """Give the ceiling that a run is to have in a unit: as it is while that will do."""
        if not bound:
            return None
        gone, newest, dearest = run.gone(unit), run.newest, run.dear(unit)
        has = newest.ceiling(unit) if newest else None
        left = 0 if has is None else max(0, has - gone)
        part = min(self._part(balance, run, unit) for balance in bound)
        if has is not None and _low(dearest, part) <= left <= part + part // 2:
            return has
        if left > part:
            return gone + part
        most = min(part, *(self._most(balance, run, unit) for balance in bound))
        worth = min(least_worth(balance.fund, dearest) for balance in bound)
        if has is None:
            return gone + (most if most >= worth else 0)
        return gone + most if most - left >= max(1, worth // 2) else has

    def _most(self, balance: Balance, run: Run, unit: str) -> int:
        """Say how much a run can hold of a budget: what it may hold already, and what is free."""
        free = balance.free - self._taken[balance.fund.rule.name]
        return run.outstanding(unit, balance.fund.began) + max(0, free)

    def _part(self, balance: Balance, run: Run, unit: str) -> int:
        """Say how much a run should hold of a budget."""
        cut = run.id in balance.fund.cut
        kind = Kind(unit, (), run.dear(unit), "" if run.ordered else run.host, cut)
        place = balance.place_of(run, self.balances.rank) if self._is_short(balance, kind) else 0
        return self._shared(balance, kind, place)

    def _is_short(self, balance: Balance, kind: Kind) -> bool:
        """Say whether what is left is no more than crumbs for so many, where an order is kept."""
        return balance.fund.rule.order == "priority" and balance.sharers >= _served(balance, kind)

    def _shared(self, balance: Balance, kind: Kind, place: int) -> int:
        """Say how much a run of a kind should hold of a budget, before which so many come.

        When what is left is no more than crumbs, and an order is kept, those who come last get none of it.
        """
        room = _room(balance)
        if room <= 0 or kind.cut:
            return 0
        sharers, least = max(1, balance.sharers), least_worth(balance.fund, kind.dearest)
        if balance.fund.rule.order == "priority":
            served = _served(balance, kind)
            if place >= served:
                return 0
            sharers = min(sharers, served)
        few = FEW[kind.unit] if kind.dearest is None else 4 * kind.dearest
        part = max(room // (2 * max(sharers, CROWD)), min(few, room // (2 * sharers)), min(least, room))
        return part * CLAIMED // max(CLAIMED, balance.claimed[kind.claimed_by]) if kind.claimed_by else part

    def _take(self, run: Run, bound: Iterable[Balance], tops: Mapping[str, int | None]) -> None:
        for balance in bound:
            unit = balance.fund.rule.unit
            if unit in MONEY and (top := tops[unit]) is not None:
                more = top - run.gone(unit) - run.outstanding(unit, balance.fund.began)
                self._taken[balance.fund.rule.name] += max(0, more)


def _room(balance: Balance) -> int:
    return balance.fund.rule.stop - balance.fund.spent


def _served(balance: Balance, kind: Kind) -> int:
    """Say how many can be given something worth having."""
    return max(1, _room(balance) // (2 * least_worth(balance.fund, kind.dearest)))


def _low(dearest: int | None, part: int) -> int:
    """Say below what a share is topped up: not even a dear message is to end a run while there is money."""
    return max(-(-part // 2), min(part * 7 // 8, (dearest or 0) * 3 // 2))


def _windows(funds: Iterable[Fund]) -> dict[str, int]:
    """Give the per cent up to which each window of a plan may be used."""
    tops: dict[str, int] = {}
    for fund in funds:
        if fund.rule.unit == "window":
            tops[fund.rule.window] = min(fund.rule.stop, tops.get(fund.rule.window, 100))
    return tops


def _differs(newest: Given, tops: Mapping[str, int | None], windows: Mapping[str, int], ends: int) -> bool:
    later = ends > newest.ends + MINUTE if newest.ends and ends else newest.ends != ends
    return later or any(newest.ceiling(unit) != top for unit, top in tops.items()) or newest.windows != windows
