"""What every budget comes to, kept as its runs change: what it has given away, and who shares what is left of it.

A run that changes changes the budgets that hold it, and nothing is summed up anew. Runs whose shares are as large as
one another's should be lie in one band, in the order of what they have left: whose share has become too small or too
large, as budgets are used up and more runs share them, is found without looking at the others.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from controlroom.domain.money.allotment import CLAIMED, MONEY, Fund, Run
from controlroom.domain.money.budget import counts
from controlroom.domain.money.forecast import dearest_under_way

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
        self._ranked: dict[Key, int] | None = None

    @property
    def free(self) -> int:
        """What is left of it beyond what is given away."""
        return self.fund.rule.stop - self.fund.spent - self.given

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
        """Say how many sharers go before a run. All of its runs are looked at, once after each change."""
        if self._ranked is None:
            self._ranked, place, seen = {}, 0, Counter[str]()
            for each in sorted((run for run in self.runs.values() if not run.ended), key=rank):
                self._ranked[each.key] = place
                seen[each.host] += not each.ordered
                place += each.ordered or seen[each.host] <= CLAIMED
        return self._ranked[run.key]


class Kind(NamedTuple):
    """What the size of a share goes by, beside the budgets as they stand."""

    unit: str
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
        self._by_scope: dict[str, list[Balance]] = {}
        for place, fund in enumerate(funds):
            balance = self.of[fund.rule.name] = Balance(fund, place, binds(fund))
            self._by_scope.setdefault(fund.rule.scope, []).append(balance)
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
        known = self.entries.get(run.key)
        self.fresh.add(run.key)
        if known is None or known.run != run:
            self._drop(run.key)
            self._put(run)

    def drop(self, key: Key) -> None:
        """Have a run no more."""
        self._drop(key)
        self.fresh.discard(key)

    def holding(self, run: Run) -> tuple[Balance, ...]:
        """Give the budgets that hold a run, in their order."""
        scopes = ["fleet", f"host {run.host}", f"profile {run.profile}", f"agent {run.id}"]
        scopes += [f"account {account}" for account in run.accounts]
        theirs = [balance for scope in scopes for balance in self._by_scope.get(scope, ())]
        held = [balance for balance in theirs if counts(balance.fund.rule.unit, run.billing)]
        return tuple(sorted(held, key=lambda balance: balance.place))

    def rank(self, run: Run) -> Rank:
        """Say who goes first: who was ordered, a higher priority where an order is kept, then who runs already."""
        kept = any(balance.fund.rule.order == "priority" for balance in self.entries[run.key].bound)
        return not run.ordered, -run.priority if kept else 0, run.newest is None, run.id, run.epoch

    def touched_bands(self) -> list[Band]:
        """Give the bands of runs whose shares may have become too large or too small."""
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
        """Say where a run lies in bands, by each unit that it has a ceiling in."""
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
