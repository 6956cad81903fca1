"""How budgets are shared out among running agents, so that together they never pass a stop line.

A grant is a ceiling over one run, by its runner's own count. Until the runner has confirmed a newer one, the highest of
those that may be in force counts. So what a budget has given away is, for each run, what lies between the highest of
them and what is booked of that run; `spent + given away <= stop line` holds at every moment, because money is given
only out of what is left after that.

A share is a part of what is left (half of it, divided by the number of runs), and is topped up when half of it is used:
no run holds most of the budget, and none waits while something is left. As what is left shrinks, shares are taken back
in part.

A run that changes changes the budgets that hold it; nothing is summed up anew. Runs whose shares should be equal lie in
one band, ordered by what they have left, so that a share that has become too small or too large is found without
looking at the others. Where an order is kept and little is left for many, all runs of that budget are looked at.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from typing import NamedTuple

from controlroom.domain.budgets import BudgetUnit, Scope, ScopeKind, StopOrder, read_scope
from controlroom.domain.money.allotment import (
    CLAIMED,
    CROWD,
    FEW,
    MONEY,
    Fund,
    NextGrant,
    Run,
    RunGrant,
    kept_back,
    least_worth,
)
from controlroom.domain.money.budget import Ceiling, counts
from controlroom.domain.money.forecast import dearest_under_way
from controlroom.text.lazy_dataclass import dataclass

Key = tuple[str, str, int]
"""Host, name and epoch of a run."""

Rank = tuple[bool, int, bool, str, int]
"""Who goes first: the lowest."""


class Balance:
    """One budget, and what the runs that it holds come to."""

    def __init__(self, fund: Fund, place: int, binds: bool) -> None:
        """`place`: its place among the budgets; `binds`: what is left of it is shared out."""
        self.fund, self.place, self.binds = fund, place, binds
        self.runs: dict[Key, Run] = {}
        self.given = 0
        """What its runs may still spend of it."""
        self.live = 0
        """How many of its runs have not ended."""
        self.claimed: Counter[str] = Counter()
        """By host: runs that this room did not order and that have not ended."""
        self._claimed_sharers = 0
        self._under_way, self._unpriced = 0, 0
        self.kept = 0
        """What is given to nobody, of the ceiling of a lead: what messages in flight may cost."""
        self._ranked: dict[Key, int] | None = None

    @property
    def free(self) -> int:
        """What is left of it beyond what is given away."""
        return self.room - self.given

    @property
    def room(self) -> int:
        """What is left of it, given away or not."""
        return self.fund.rule.stop - self.fund.spent - self.kept

    @property
    def sharers(self) -> int:
        """Among how many it is shared; of those that a host only claims, a few count."""
        return self.live - self.claimed.total() + self._claimed_sharers

    @property
    def overshoot(self) -> int | None:
        """What messages that are under way now may cost at the most; None: nobody knows."""
        return None if self._unpriced else self._under_way

    def put(self, run: Run) -> None:
        """Hold a run that it did not hold."""
        self.runs[run.key] = run
        self._count(run, 1)

    def drop(self, run: Run) -> None:
        """Hold a run no more."""
        del self.runs[run.key]
        self._count(run, -1)

    def _count(self, run: Run, sign: int) -> None:
        unit = self.fund.rule.unit
        self._ranked = None
        if unit in MONEY:
            self.given += sign * run.outstanding(unit, self.fund.began)
        if isinstance(self.fund.rule, Ceiling):
            self.kept += sign * kept_back(run)
        if run.ended:
            return
        self.live += sign
        dearest = dearest_under_way(run)
        self._unpriced += sign * (dearest is None)
        self._under_way += sign * (dearest or 0)
        if not run.ordered:
            self._claimed_sharers -= min(CLAIMED, self.claimed[run.host])
            self.claimed[run.host] += sign
            self._claimed_sharers += min(CLAIMED, self.claimed[run.host])

    def place_of(self, run: Run, rank: Callable[[Run], Rank]) -> int:
        """How many sharers go before a run. All of its runs are looked at, once after each change."""
        if self._ranked is None:
            self._ranked, place, seen = {}, 0, Counter[str]()
            for each in sorted((run for run in self.runs.values() if not run.ended), key=rank):
                self._ranked[each.key] = place
                seen[each.host] += not each.ordered
                place += each.ordered or seen[each.host] <= CLAIMED
        return self._ranked[run.key]


class Kind(NamedTuple):
    """What the size of a share goes by, beside the budgets as they stand."""

    unit: BudgetUnit
    budgets: tuple[str, ...]
    dearest: int | None
    claimed_by: str
    """The host that claims the run; "": this room ordered it."""
    cut: bool
    """Whether a rung has stopped it."""


@dataclass
class Band:
    """Runs of one kind, in the order of what they have left."""

    kind: Kind
    balances: tuple[Balance, ...]
    lefts: list[tuple[int, Key]] = field(default_factory=list)

    def outside(self, low: int, high: int) -> Iterator[Key]:
        """Name the runs that have less left, or more."""
        for _, key in self.lefts[: bisect_left(self.lefts, (low,))]:
            yield key
        for _, key in self.lefts[bisect_left(self.lefts, (high + 1,)) :]:
            yield key


class Entry(NamedTuple):
    """A run, with the budgets that hold it and its places in bands."""

    run: Run
    held: tuple[Balance, ...]
    places: tuple[tuple[Kind, int], ...]

    @property
    def bound(self) -> list[Balance]:
        """The budgets that bind it."""
        return [balance for balance in self.held if balance.binds]


class Balances:
    """All budgets and all runs."""

    def __init__(self, funds: Iterable[Fund], binds: Callable[[Fund], bool] = lambda _: True) -> None:
        self.of: dict[str, Balance] = {}
        """By the budget's name."""
        self._by_scope: dict[Scope, list[Balance]] = {}
        for place, fund in enumerate(funds):
            balance = self.of[fund.rule.name] = Balance(fund, place, binds(fund))
            self._by_scope.setdefault(read_scope(fund.rule.scope), []).append(balance)
        self.entries: dict[Key, Entry] = {}
        self.bands: dict[Kind, Band] = {}
        self._bands_of: dict[str, dict[Kind, None]] = {}
        self.fresh: set[Key] = set()
        """Runs that were put since shares were last looked at."""
        self.touched: set[str] = set()
        """Budgets that others share, or of which less is left, since then."""

    def stand(self, name: str, spent: int, cut: frozenset[str]) -> None:
        """Take how a budget stands: what is gone of it, and who may spend no more of it."""
        balance = self.of[name]
        before = balance.fund
        if (before.spent, before.cut) == (spent, cut):
            return
        balance.fund = replace(before, spent=spent, cut=cut)
        self.touched.add(name)
        if cut != before.cut:
            other = cut ^ before.cut
            for run in [run for run in balance.runs.values() if run.id in other]:
                self._drop(run.key)
                self._put(run)

    def put(self, run: Run) -> None:
        """Take a run as it is now."""
        entry = self.entries.get(run.key)
        self.fresh.add(run.key)
        if entry is None or entry.run != run:
            self._drop(run.key)
            self._put(run)

    def drop(self, key: Key) -> None:
        """Have a run no more."""
        self._drop(key)
        self.fresh.discard(key)

    def holding(self, run: Run) -> tuple[Balance, ...]:
        """The budgets that hold a run, in their order."""
        scopes = [Scope(ScopeKind.FLEET), Scope(ScopeKind.HOST, run.host), Scope(ScopeKind.PROFILE, run.profile)]
        scopes += [Scope(ScopeKind.LEAD, run.lead)] if run.lead else []
        scopes += [Scope(ScopeKind.AGENT, run.id), *(Scope(ScopeKind.ACCOUNT, account) for account in run.accounts)]
        theirs = [balance for scope in scopes for balance in self._by_scope.get(scope, ())]
        held = [balance for balance in theirs if counts(balance.fund.rule.unit, run.billing)]
        return tuple(sorted(held, key=lambda balance: balance.place))

    def rank(self, run: Run) -> Rank:
        """Who goes first: who was ordered, a higher priority where an order is kept, then who runs already."""
        kept = any(balance.fund.rule.order is StopOrder.PRIORITY for balance in self.entries[run.key].bound)
        return not run.ordered, -run.priority if kept else 0, run.newest is None, run.id, run.epoch

    def touched_bands(self) -> list[Band]:
        """The bands of runs whose shares may have become too large or too small."""
        kinds = {kind: None for name in self.touched for kind in self._bands_of.get(name, ())}
        return [self.bands[kind] for kind in kinds]

    def _put(self, run: Run) -> None:
        held = self.holding(run)
        for balance in held:
            balance.put(run)
            self.touched.add(balance.fund.rule.name)
        places = tuple(self._places(run, held))
        for kind, left in places:
            band = self.bands.get(kind) or self._new_band(kind)
            insort(band.lefts, (left, run.key))
        self.entries[run.key] = Entry(run, held, places)
        self.fresh.add(run.key)

    def _drop(self, key: Key) -> None:
        entry = self.entries.pop(key, None)
        if entry is None:
            return
        for balance in entry.held:
            balance.drop(entry.run)
            self.touched.add(balance.fund.rule.name)
        for kind, left in entry.places:
            lefts = self.bands[kind].lefts
            del lefts[bisect_left(lefts, (left, key))]
            if not lefts:
                self._end_band(kind)

    def _places(self, run: Run, held: tuple[Balance, ...]) -> Iterator[tuple[Kind, int]]:
        """Where a run lies in bands, by each unit that it has a ceiling in."""
        if run.ended or not run.asked or run.newest is None:
            return
        for unit in MONEY:
            funds = [balance.fund for balance in held if balance.binds and balance.fund.rule.unit == unit]
            ceiling = run.newest.ceiling(unit)
            if funds and ceiling is not None:
                names = tuple(fund.rule.name for fund in funds)
                cut = any(run.id in fund.cut for fund in funds)
                kind = Kind(unit, names, run.dear(unit), "" if run.ordered else run.host, cut)
                yield kind, max(0, ceiling - run.gone(unit))

    def _new_band(self, kind: Kind) -> Band:
        band = self.bands[kind] = Band(kind, tuple(self.of[name] for name in kind.budgets))
        for name in kind.budgets:
            self._bands_of.setdefault(name, {})[kind] = None
        return band

    def _end_band(self, kind: Kind) -> None:
        del self.bands[kind]
        for name in kind.budgets:
            del self._bands_of[name][kind]


MINUTE = 60_000

Ends = Callable[[Run, Sequence[Fund]], int]
"""Says when a grant of a run is to end by itself, by the budgets that bind it; 0: never."""


class Sharing:
    """Shares out what budgets have left, again and again."""

    def __init__(self, balances: Balances) -> None:
        self.balances = balances
        self._taken: Counter[str] = Counter()
        """By budget: what has been given while this is shared out."""

    def shares(self, ends: Ends, most: int | None = None) -> list[NextGrant]:
        """What is to be granted now, to whom: only what changes, and to `most` at once, who goes first first.

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

    def first(self, run: Run, ends: Ends) -> NextGrant | None:
        """What a run is to be granted that would begin now; nobody else's share is looked at."""
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

    def _serve(self, entry: Entry, ends: Ends) -> NextGrant | None:
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
        return NextGrant(
            run, tops[BudgetUnit.BILLED], tops[BudgetUnit.COVERED], tops[BudgetUnit.TOKENS], windows, until
        )

    def _top(self, run: Run, unit: BudgetUnit, bound: list[Balance]) -> int | None:
        """The ceiling that a run is to have in a unit: as it is while that will do."""
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

    def _most(self, balance: Balance, run: Run, unit: BudgetUnit) -> int:
        """How much a run can hold of a budget: what it may hold already, and what is free."""
        free = balance.free - self._taken[balance.fund.rule.name]
        return run.outstanding(unit, balance.fund.began) + max(0, free)

    def _part(self, balance: Balance, run: Run, unit: BudgetUnit) -> int:
        """How much a run should hold of a budget."""
        cut = run.id in balance.fund.cut
        kind = Kind(unit, (), run.dear(unit), "" if run.ordered else run.host, cut)
        place = balance.place_of(run, self.balances.rank) if self._is_short(balance, kind) else 0
        return self._shared(balance, kind, place)

    def _is_short(self, balance: Balance, kind: Kind) -> bool:
        """Whether what is left is no more than crumbs for so many, where an order is kept."""
        return balance.fund.rule.order is StopOrder.PRIORITY and balance.sharers >= _served(balance, kind)

    def _shared(self, balance: Balance, kind: Kind, place: int) -> int:
        """How much a run of a kind should hold of a budget, before which so many come.

        When what is left is no more than crumbs, and an order is kept, those who come last get none of it.
        """
        room = balance.room
        if room <= 0 or kind.cut:
            return 0
        sharers, least = max(1, balance.sharers), least_worth(balance.fund, kind.dearest)
        if balance.fund.rule.order is StopOrder.PRIORITY:
            served = _served(balance, kind)
            if place >= served:
                return 0
            sharers = min(sharers, served)
        few = FEW[kind.unit] if kind.dearest is None else 4 * kind.dearest
        part = max(room // (2 * max(sharers, CROWD)), min(few, room // (2 * sharers)), min(least, room))
        return part * CLAIMED // max(CLAIMED, balance.claimed[kind.claimed_by]) if kind.claimed_by else part

    def _take(self, run: Run, bound: Iterable[Balance], tops: Mapping[BudgetUnit, int | None]) -> None:
        for balance in bound:
            unit = balance.fund.rule.unit
            if unit in MONEY and (top := tops[unit]) is not None:
                more = top - run.gone(unit) - run.outstanding(unit, balance.fund.began)
                self._taken[balance.fund.rule.name] += max(0, more)


def _served(balance: Balance, kind: Kind) -> int:
    """How many can be given something worth having."""
    return max(1, balance.room // (2 * least_worth(balance.fund, kind.dearest)))


def _low(dearest: int | None, part: int) -> int:
    """Say below what a share is topped up: not even a dear message is to end a run while there is money."""
    return max(-(-part // 2), min(part * 7 // 8, (dearest or 0) * 3 // 2))


def _windows(funds: Iterable[Fund]) -> dict[str, int]:
    """The per cent up to which each window of a plan may be used."""
    tops: dict[str, int] = {}
    for fund in funds:
        if fund.rule.unit is BudgetUnit.WINDOW:
            tops[fund.rule.window] = min(fund.rule.stop, tops.get(fund.rule.window, 100))
    return tops


def _differs(newest: RunGrant, tops: Mapping[BudgetUnit, int | None], windows: Mapping[str, int], ends: int) -> bool:
    later = ends > newest.ends + MINUTE if newest.ends and ends else newest.ends != ends
    return later or any(newest.ceiling(unit) != top for unit, top in tops.items()) or newest.windows != windows
