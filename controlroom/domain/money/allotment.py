"""Sharing out what budgets have left among agents that run, so that all of it together never passes a stop line.

An allowance is a ceiling over one run, by its runner's own count. Until the runner has said that it goes by a newer
one, the highest of those that may be in force counts. So what a budget has given away is, for each run, what lies
between the highest of them and what is booked of that run; `spent + given away <= stop line` holds at every moment,
because money is given only out of what is left after that.

A share is a part of what is left (half of it, divided by all who run), and is topped up when half of it is used: so
nobody holds most of it, and nobody waits while there is some. As what is left shrinks, shares are taken back in part.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.domain.money.budget import BudgetRule, counts, covers

MONEY = ("billed", "covered", "tokens")
"""The units that are given away."""

FEW = {"billed": 500_000, "covered": 500_000, "tokens": 200_000}
"""What a few messages may come to while nobody knows better, so that a small budget is not shared out into crumbs."""

CROWD = 16
"""How many a budget is shared among at least: those who start next are to find some."""

CLAIMED = 4
"""How many runs of one host, at most, a budget counts as sharers that this room did not order: they have one another's
shares, so that a host which claims thousands takes nothing from the others."""

FOREVER = 2**62


@dataclass(frozen=True)
class Given:
    """One grant of a run. Ceilings: None is none."""

    number: int
    billed: int | None = None
    covered: int | None = None
    tokens: int | None = None
    windows: Mapping[str, int] = field(default_factory=dict)
    ends: int = 0
    """When it ends by itself; 0: never."""

    def ceiling(self, unit: str) -> int | None:
        """Give the ceiling in a unit of `MONEY`."""
        if unit == "billed":
            return self.billed
        return self.covered if unit == "covered" else self.tokens

    @property
    def free(self) -> bool:
        """Whether it bounds nothing."""
        return self.billed is None and self.covered is None and self.tokens is None and not self.windows


@dataclass(frozen=True)
class Run:
    """One run of an agent, as far as money goes."""

    host: str
    name: str
    epoch: int
    profile: str = ""
    billing: str = ""
    priority: int = 0
    booked: int = 0
    """Micro-dollars at list prices of its messages that are booked."""
    booked_tokens: int = 0
    grants: tuple[Given, ...] = ()
    """Those that may be in force, oldest first: the one it is known to go by, and what was sent since."""
    ended: bool = False
    said: int = 0
    """Micro-dollars that it has cost by its runner's last word; of one that has ended."""
    said_tokens: int = 0
    until: int = FOREVER
    """When it could spend for the last time: when it ended, or its last grant did."""
    asked: bool = True
    """Whether it can be given something now: it runs, and its host can be reached."""
    again: bool = False
    """Whether its newest grant may have been lost on the way."""
    dearest: int | None = None
    """Micro-dollars of the dearest message of its model lately."""
    dearest_of_any: int | None = None
    """Those of any model: what a message of a subagent may cost, which may have a model of its own."""
    subagents: int | None = None
    """How many subagents of it are at work; None: not known."""
    dearest_tokens: int | None = None
    ordered: bool = True
    """Whether this room ordered it; else its host claims that it is there."""
    accounts: frozenset[str] = frozenset()
    """Accounts of plans that it is known to use."""

    @property
    def id(self) -> str:
        """Its agent's id."""
        return f"{self.host}/{self.name}"

    @property
    def key(self) -> tuple[str, str, int]:
        """What names it."""
        return self.host, self.name, self.epoch

    @property
    def newest(self) -> Given | None:
        """The grant that it was sent last."""
        return self.grants[-1] if self.grants else None

    def gone(self, unit: str) -> int:
        """Say what is booked of it."""
        return self.booked_tokens if unit == "tokens" else self.booked

    def outstanding(self, unit: str, began: int) -> int:
        """Say what it may still have spent, or spend, in a unit, since a period began, beyond what is booked."""
        if self.until <= began or not counts(unit, self.billing):
            return 0
        if self.ended:
            return max(0, (self.said_tokens if unit == "tokens" else self.said) - self.gone(unit))
        top = 0
        for given in self.grants:
            top = max(top, given.ceiling(unit) or 0)
        return max(0, top - self.gone(unit))


@dataclass(frozen=True)
class Purse:
    """A budget that binds, at one moment."""

    rule: BudgetRule
    began: int
    ends: int
    spent: int
    cut: frozenset[str] = frozenset()
    """Agents, by id, that may spend no more of it: a rung has stopped them."""

    def holds(self, run: Run) -> bool:
        """Say whether it binds a run."""
        if not counts(self.rule.unit, run.billing):
            return False
        kind, _, name = self.rule.scope.partition(" ")
        return name in run.accounts if kind == "account" else covers(self.rule.scope, run.host, run.name, run.profile)


@dataclass(frozen=True)
class Share:
    """What a run is to be granted now."""

    run: Run
    billed: int | None
    covered: int | None
    tokens: int | None
    windows: Mapping[str, int]
    ends: int
    """When the grant is to end; 0: never."""

    @property
    def dry(self) -> bool:
        """Whether it leaves nothing to spend in some unit."""
        tops = {"billed": self.billed, "covered": self.covered, "tokens": self.tokens}
        return any(top is not None and top <= self.run.gone(unit) for unit, top in tops.items())


def given_away(purse: Purse, runs: Iterable[Run]) -> int:
    """Sum up what runs may still spend of a budget."""
    unit = purse.rule.unit
    return sum(run.outstanding(unit, purse.began) for run in runs if unit in MONEY and purse.holds(run))


def share_out(purses: Sequence[Purse], runs: Sequence[Run], ends: Mapping[tuple[str, str, int], int]) -> list[Share]:
    """Say what is to be granted now, to whom: only what changes. `ends`: when a run's grant is to end (0: never).

    A run whose grant is to end much later than it does is given it anew; one that no budget binds any more is let free.
    """
    desk = _Desk(purses, runs)
    shares = []
    for run in desk.in_order():
        wanted = desk.serve(run, ends.get(run.key, 0))
        if wanted is not None:
            shares.append(wanted)
    return shares


class _Desk:
    """What is left of each budget while it is shared out."""

    def __init__(self, purses: Sequence[Purse], runs: Sequence[Run]) -> None:
        self._of = {run.key: [purse for purse in purses if purse.holds(run)] for run in runs}
        self._free = {purse.rule.name: purse.rule.stop - purse.spent - given_away(purse, runs) for purse in purses}
        self._queue = sorted((run for run in runs if not run.ended), key=self._rank)
        self._sharers: dict[str, int] = dict.fromkeys(self._free, 0)
        self._place: dict[tuple[str, tuple[str, str, int]], int] = {}
        self._claimed: Counter[tuple[str, str]] = Counter()
        """By budget and host: runs that were not ordered."""
        for run in self._queue:
            for purse in self._of[run.key]:
                self._place[purse.rule.name, run.key] = self._sharers[purse.rule.name]
                self._sharers[purse.rule.name] += self._is_sharer(purse, run)

    def _is_sharer(self, purse: Purse, run: Run) -> bool:
        if run.ordered:
            return True
        self._claimed[purse.rule.name, run.host] += 1
        return self._claimed[purse.rule.name, run.host] <= CLAIMED

    def _rank(self, run: Run) -> tuple[bool, int, bool, str]:
        """Who goes first: who was ordered, a higher priority where an order is kept, then who runs already."""
        kept = any(purse.rule.order == "priority" for purse in self._of[run.key])
        return not run.ordered, -run.priority if kept else 0, run.newest is None, run.id

    def in_order(self) -> list[Run]:
        """Give the runs that can be given something, who goes first first."""
        return [run for run in self._queue if run.asked]

    def serve(self, run: Run, ends: int) -> Share | None:
        """Settle what one run is granted, and take it out of what is left; None: it stays with what it has."""
        newest, purses = run.newest, self._of[run.key]
        if not purses and (newest is None or newest.free):
            return None
        tops = {unit: self._top(run, unit, [p for p in purses if p.rule.unit == unit]) for unit in MONEY}
        windows = _windows(purses)
        ends = ends if purses else 0
        if newest is not None and not run.again and not _differs(newest, tops, windows, ends):
            return None
        self._take(run, tops)
        return Share(run, tops["billed"], tops["covered"], tops["tokens"], windows, ends)

    def _top(self, run: Run, unit: str, purses: list[Purse]) -> int | None:
        """Give the ceiling that a run is to have in a unit: as it is while that will do."""
        if not purses:
            return None
        gone, newest = run.gone(unit), run.newest
        has = newest.ceiling(unit) if newest else None
        left = 0 if has is None else max(0, has - gone)
        part = min(self._part(purse, run, unit) for purse in purses)
        if has is not None and _low(run, unit, part) <= left <= part + part // 2:
            return has
        if left > part:
            return gone + part
        most = min(part, *(self._most(purse, run, unit) for purse in purses))
        worth = min(least_worth(purse, run, unit) for purse in purses)
        if has is None:
            return gone + (most if most >= worth else 0)
        return gone + most if most - left >= max(1, worth // 2) else has

    def _most(self, purse: Purse, run: Run, unit: str) -> int:
        """Say how much a run can hold of a budget: what it may hold already, and what is free."""
        return run.outstanding(unit, purse.began) + max(0, self._free[purse.rule.name])

    def _part(self, purse: Purse, run: Run, unit: str) -> int:
        """Say how much a run should hold of a budget.

        When what is left is no more than crumbs, and an order is kept, those who come last get none of it.
        """
        room = purse.rule.stop - purse.spent
        if room <= 0 or run.id in purse.cut:
            return 0
        sharers, least = max(1, self._sharers[purse.rule.name]), least_worth(purse, run, unit)
        if purse.rule.order == "priority":
            served = max(1, room // (2 * least))
            if self._place[purse.rule.name, run.key] >= served:
                return 0
            sharers = min(sharers, served)
        dearest = run.dearest_tokens if unit == "tokens" else run.dearest
        few = FEW[unit] if dearest is None else 4 * dearest
        part = max(room // (2 * max(sharers, CROWD)), min(few, room // (2 * sharers)), min(least, room))
        return part if run.ordered else part * CLAIMED // max(CLAIMED, self._claimed[purse.rule.name, run.host])

    def _take(self, run: Run, tops: Mapping[str, int | None]) -> None:
        for purse in self._of[run.key]:
            unit = purse.rule.unit
            if unit in MONEY and (top := tops[unit]) is not None:
                more = top - run.gone(unit) - run.outstanding(unit, purse.began)
                self._free[purse.rule.name] -= max(0, more)


def _low(run: Run, unit: str, part: int) -> int:
    """Say below what a share is topped up: not even a dear message is to end a run while there is money."""
    dearest = (run.dearest_tokens if unit == "tokens" else run.dearest) or 0
    return max(-(-part // 2), min(part * 7 // 8, dearest * 3 // 2))


def least_worth(purse: Purse, run: Run, unit: str) -> int:
    """Say what is not worth giving: with less than half a message nothing is done but overshooting."""
    dearest = (run.dearest_tokens if unit == "tokens" else run.dearest) or 0
    return max(purse.rule.least, min(dearest // 2, purse.rule.limit // 20))


def _windows(purses: Iterable[Purse]) -> dict[str, int]:
    """Give the per cent up to which each window of a plan may be used."""
    tops: dict[str, int] = {}
    for purse in purses:
        if purse.rule.unit == "window":
            tops[purse.rule.window] = min(purse.rule.stop, tops.get(purse.rule.window, 100))
    return tops


def _differs(newest: Given, tops: Mapping[str, int | None], windows: Mapping[str, int], ends: int) -> bool:
    later = ends > newest.ends + MINUTE if newest.ends and ends else newest.ends != ends
    return later or any(newest.ceiling(unit) != top for unit, top in tops.items()) or newest.windows != windows


MINUTE = 60_000
