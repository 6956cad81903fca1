"""What is shared out among agents that run: budgets, runs, and what each was granted."""

from collections.abc import Mapping
from dataclasses import field

from controlroom.domain.budgets import BudgetUnit, ScopeKind, read_scope
from controlroom.domain.money.budget import BudgetRule, counts, covers
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

MONEY = (BudgetUnit.BILLED, BudgetUnit.COVERED, BudgetUnit.TOKENS)
"""The units that are given away."""

FEW = {BudgetUnit.BILLED: 500_000, BudgetUnit.COVERED: 500_000, BudgetUnit.TOKENS: 200_000}
"""What a few messages may come to while nobody knows better, so that a small budget is not shared out into crumbs."""

CROWD = 16
"""How many a budget is shared among at least: those who start next are to find some."""

CLAIMED = 4
"""How many runs of one host, at most, a budget counts as sharers that this room did not order: they have one another's
shares, so that a host which claims thousands takes nothing from the others."""

FOREVER = 2**62


@dataclass(frozen=True)
class RunGrant:
    """One grant of a run. Ceilings over the whole run, micro-dollars or tokens: None is none."""

    number: int
    billed: int | None = None
    covered: int | None = None
    tokens: int | None = None
    windows: Mapping[str, int] = field(default_factory=dict)
    """The ceilings of plans' windows, per cent."""
    ends: int = 0
    """When it ends by itself; 0: never."""
    run: tuple[str, str, int] = ("", "", 0)
    """Whose it is: host, name, epoch."""
    profile: str = ""
    at: int = 0
    """When it was written down."""

    def ceiling(self, unit: BudgetUnit) -> int | None:
        """The ceiling in a unit of `MONEY`."""
        if unit is BudgetUnit.BILLED:
            return self.billed
        return self.covered if unit is BudgetUnit.COVERED else self.tokens

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
    billing: Payer = Payer.UNKNOWN
    priority: int = 0
    booked: int = 0
    """Micro-dollars at list prices of its messages that are booked."""
    booked_tokens: int = 0
    grants: tuple[RunGrant, ...] = ()
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
    lead: str = ""
    """The lead that began its agent; empty: none did."""

    @property
    def id(self) -> str:
        """Its agent's id."""
        return f"{self.host}/{self.name}"

    @property
    def key(self) -> tuple[str, str, int]:
        """What names it."""
        return self.host, self.name, self.epoch

    @property
    def newest(self) -> RunGrant | None:
        """The grant that it was sent last."""
        return self.grants[-1] if self.grants else None

    def dear(self, unit: BudgetUnit) -> int | None:
        """What the dearest message of its model came to lately; None: not known."""
        return self.dearest_tokens if unit is BudgetUnit.TOKENS else self.dearest

    def gone(self, unit: BudgetUnit) -> int:
        """What is booked of it."""
        return self.booked_tokens if unit is BudgetUnit.TOKENS else self.booked

    def outstanding(self, unit: BudgetUnit, began: int) -> int:
        """What it may still have spent, or spend, in a unit, since a period began, beyond what is booked."""
        if self.until <= began or not counts(unit, self.billing):
            return 0
        if self.ended:
            return max(0, (self.said_tokens if unit is BudgetUnit.TOKENS else self.said) - self.gone(unit))
        top = 0
        for given in self.grants:
            top = max(top, given.ceiling(unit) or 0)
        return max(0, top - self.gone(unit))


@dataclass(frozen=True)
class Fund:
    """A budget that binds, at one moment."""

    rule: BudgetRule
    began: int
    ends: int
    spent: int
    cut: frozenset[str] = frozenset()
    """Agents, by id, that may spend no more of it: a rung has stopped them."""

    def holds(self, run: Run) -> bool:
        """Whether it binds a run."""
        if not counts(self.rule.unit, run.billing):
            return False
        kind, name = read_scope(self.rule.scope)
        return (
            name in run.accounts
            if kind is ScopeKind.ACCOUNT
            else covers(self.rule.scope, run.host, run.name, run.profile, run.lead)
        )


@dataclass(frozen=True)
class NextGrant:
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
        tops = {BudgetUnit.BILLED: self.billed, BudgetUnit.COVERED: self.covered, BudgetUnit.TOKENS: self.tokens}
        return any(top is not None and top <= self.run.gone(unit) for unit, top in tops.items())


IN_FLIGHT = 2
"""Messages of an agent, and of each of its subagents, that are paid when nothing more may be spent: the one that has
crossed its ceiling, and the one that was asked for meanwhile."""


def kept_back(run: Run) -> int:
    """What is kept back of a lead's ceiling for messages of a run that are in flight, in micro-dollars.

    While nobody knows what a message of it costs, that of several.
    """
    if run.ended:
        return 0
    beside = 1 if run.subagents is None else run.subagents
    few = FEW[BudgetUnit.BILLED]
    each = few if run.dearest is None else IN_FLIGHT * run.dearest
    return each + beside * (few if run.dearest_of_any is None else IN_FLIGHT * run.dearest_of_any)


def least_worth(fund: Fund, dearest: int | None) -> int:
    """What is not worth giving: with less than half a message nothing is done but overshooting."""
    return max(fund.rule.least, min((dearest or 0) // 2, fund.rule.limit // 20))
