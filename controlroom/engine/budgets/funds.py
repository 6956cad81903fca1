"""The room's budgets at one moment: their periods, what is spent of each, and whom they bind.

Sums are kept as usage is booked, by each scope that a budget can have and by payer: when an agent has spent more, its
sums alone are read anew. Times are UTC milliseconds.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import NamedTuple

from controlroom.domain.budgets import Budget, BudgetUnit, Scope, ScopeKind, read_scope
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.limits.headroom import window_name
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money import budget
from controlroom.domain.money.allotment import MONEY, Fund, Run, least_worth
from controlroom.domain.money.budget import BudgetRule, Ceiling, Spend, amount, counts, covers, period
from controlroom.domain.money.forecast import began, burn_moments, runs_out
from controlroom.domain.money.ladder import cut, pauses, used_up
from controlroom.domain.money.sharing import Balance, Balances
from controlroom.engine.ledger.usage_tables import AgentKey, RunKey
from controlroom.engine.ledger.usage_views import Sums
from controlroom.text.states import Payer

Started = Callable[[str, str], int]
"""Says when an agent was started for the first time; 0: long ago, or nobody knows."""

LeadOf = Callable[[str, str], str]
"""Names the lead that began an agent; empty: none did."""

_Part = tuple[Scope, Payer]
"""A scope, and who pays."""


class SpentSums:
    """What the ledger's sums came to when they were read last."""

    def __init__(self, started: Started = lambda host, name: 0, lead_of: LeadOf = lambda host, name: "") -> None:
        self._started, self.lead_of = started, lead_of
        self._since: dict[int, _Since] = {}
        self.runs: dict[RunKey, tuple[int, int]] = {}
        """Micro-dollars and tokens that are booked of each run that was asked for."""
        self.dearest: Mapping[str, int] = {}
        """The dearest message of each model lately."""

    @property
    def moments(self) -> set[int]:
        """The moments since which it is known what was spent."""
        return set(self._since)

    def keep(self, moments: Collection[int]) -> None:
        """Drop all moments but these."""
        self._since = {moment: since for moment, since in self._since.items() if moment in moments}

    def take(self, sums: Sums, agents: Iterable[AgentKey] | None = None) -> set[RunKey]:
        """Take sums that were read, of these agents or of all; give the runs of which something else is booked."""
        for moment, spends in sums.since.items():
            since = self._since.get(moment) if agents is not None else None
            if since is None:
                since = self._since[moment] = _Since(moment, self.lead_of)
            since.put(spends, agents or (), self._started)
        self.dearest = sums.dearest
        changed = {key for key, booked in sums.runs.items() if self.runs.get(key) != booked}
        self.runs.update(sums.runs)
        return changed

    def began_anew(self, host: str, name: str) -> None:
        """An agent may have been started at another time than was known."""
        for since in self._since.values():
            since.began_anew(host, name, self._started)

    def gone(self, rule: BudgetRule, moment: int) -> int | None:
        """Return what counts for a budget of what was spent since a moment; None: it was not read."""
        since = self._since.get(moment)
        return None if since is None else since.amount(rule)

    def lately(self, rule: BudgetRule, moment: int) -> tuple[int, int]:
        """Return what counts for a budget since a moment, and since when it can have been spent."""
        since = self._since.get(moment)
        return (0, moment) if since is None else (since.amount(rule), since.began(rule))

    def of(self, moment: int) -> list[Spend]:
        """Return what each agent has spent since a moment."""
        since = self._since.get(moment)
        return [] if since is None else since.spends


class _Since:
    """What was spent since one moment."""

    def __init__(self, moment: int, lead_of: LeadOf) -> None:
        self._moment, self._lead_of = moment, lead_of
        self._of: dict[AgentKey, _Spent] = {}
        self._micro: Counter[_Part] = Counter()
        self._tokens: Counter[_Part] = Counter()
        self._starts: dict[_Part, _Starts] = {}
        self._payers: set[Payer] = set()

    @property
    def spends(self) -> list[Spend]:
        """What all agents spent."""
        return [spend for spent in self._of.values() for spend in spent.parts]

    def put(self, spends: Iterable[Spend], agents: Iterable[AgentKey], started: Started) -> None:
        """Take what some agents have spent in place of what they had; those of `agents` that have no part: nothing."""
        theirs: dict[AgentKey, list[Spend]] = {agent: [] for agent in agents}
        for spend in spends:
            theirs.setdefault((spend.host, spend.agent), []).append(spend)
        for agent, parts in theirs.items():
            self._replace(agent, parts, started(*agent))

    def began_anew(self, host: str, name: str, started: Started) -> None:
        """See when an agent was started."""
        if (host, name) in self._of:
            self._replace((host, name), self._of[host, name].parts, started(host, name))

    def amount(self, rule: BudgetRule) -> int:
        """Sum up what counts for a budget."""
        amounts = self._tokens if rule.unit is BudgetUnit.TOKENS else self._micro
        return sum(amounts[part] for part in self._counted(rule))

    def began(self, rule: BudgetRule) -> int:
        """Return since when that can have been spent."""
        starts = [self._starts[part] for part in self._counted(rule)]
        return began(self._moment, [first.earliest for first in starts])

    def _counted(self, rule: BudgetRule) -> list[_Part]:
        """Name what counts for a budget, by who pays."""
        parts = [(read_scope(rule.scope), payer) for payer in self._payers if counts(rule.unit, payer)]
        return [part for part in parts if part in self._starts]

    def _replace(self, agent: AgentKey, parts: Sequence[Spend], start: int) -> None:
        before, now = self._of.pop(agent, _Spent()), _Spent(start, self._lead_of(*agent), parts)
        for spend in before.parts:
            self._count(spend, -1, before)
        for spend in parts:
            self._count(spend, 1, now)
        if parts:
            self._of[agent] = now

    def _count(self, spend: Spend, sign: int, of: "_Spent") -> None:
        start = of.start
        self._payers.add(spend.billing)
        for scope in _scopes(spend, of.lead):
            part = scope, spend.billing
            self._micro[part] += sign * spend.micro
            self._tokens[part] += sign * spend.tokens
            starts = self._starts.get(part) or self._starts.setdefault(part, _Starts(self._moment))
            starts.count(start, sign)
            if not starts:
                del self._starts[part], self._micro[part], self._tokens[part]


class _Spent(NamedTuple):
    """What one agent has spent: when it was started, and which lead began it."""

    start: int = 0
    lead: str = ""
    parts: Sequence[Spend] = ()


class _Starts:
    """When those who spent were started: how many of them before a moment, and the others by when."""

    def __init__(self, moment: int) -> None:
        self._moment = moment
        self._times: Counter[int] = Counter()
        """By time; those before the moment are all one."""

    def __bool__(self) -> bool:
        return bool(self._times)

    def count(self, start: int, sign: int) -> None:
        """Count one, or count it no more."""
        time = max(self._moment, start)
        self._times[time] += sign
        if not self._times[time]:
            del self._times[time]

    @property
    def earliest(self) -> int:
        """The first; as soon as one was started before the moment, that is the moment."""
        return self._moment if self._moment in self._times else min(self._times)


def _scopes(spend: Spend, lead: str) -> Iterator[Scope]:
    """Yield the scopes of budgets that what was spent counts for; `lead`: that has begun its agent."""
    if lead:
        yield Scope(ScopeKind.LEAD, lead)
    yield Scope(ScopeKind.FLEET)
    yield Scope(ScopeKind.HOST, spend.host)
    if spend.profile:
        yield Scope(ScopeKind.PROFILE, spend.profile)
    yield Scope(ScopeKind.AGENT, f"{spend.host}/{spend.agent}")


HOUR = 3_600_000

ENDLESS = 3660 * 24 * HOUR
"""Milliseconds after which the grants of a lead's agents end whose rights have no end."""

LEAD = 180_000
"""Milliseconds before a period ends from which on grants reach to the end of the next one, so that nobody stops."""

FAR = 366 * 24 * HOUR


class Funds:
    """All budgets. Times are UTC milliseconds."""

    def __init__(self, rules: Mapping[str, BudgetRule], zone: tzinfo, alone: float | None = None) -> None:
        """`alone`: hours that agents may run on without the engine; None: to the end of the shortest period."""
        self.rules = dict(rules)
        self.zone = zone
        self._alone = alone
        self.cut: Mapping[str, frozenset[str]] = {}
        """By budget: agents that may spend no more of it."""

    def moments(self, now: int) -> set[int]:
        """Return all moments since which it must be known what was spent."""
        if not self.rules:
            return set()
        began = {self.span(rule, now)[0] for rule in self.rules.values() if rule.unit in MONEY}
        return began | set(burn_moments(now))

    def next_end(self, now: int) -> int:
        """Say in how many milliseconds something ends by itself: a period, or a quarter of an hour."""
        ends = [self.span(rule, now)[1] for rule in self.rules.values() if rule.unit in MONEY]
        return min([*(end for end in ends if end > now), now + HOUR // 4], default=FAR) - now

    def span(self, rule: BudgetRule, now: int) -> tuple[int, int]:
        """Return when the period of a budget began, and when it ends; the ceiling of a lead has one period."""
        if isinstance(rule, Ceiling):
            return rule.since, rule.until or rule.since + ENDLESS
        return period(rule.period, now, self.zone)

    def all(self, spent: SpentSums, fleet: Fleet, now: int) -> list[Fund]:
        """Return all budgets, whether they bind or only tell, as they are by what was spent."""
        return [self._fund(rule, spent, fleet, now) for rule in self.rules.values()]

    def _fund(self, rule: BudgetRule, spent: SpentSums, fleet: Fleet, now: int) -> Fund:
        cut = self.cut.get(rule.name, frozenset())
        began, ends = self.span(rule, now) if rule.unit in MONEY else (0, 0)
        gone = self.gone(rule, spent, fleet, now)
        unread = rule.stop if rule.unit in MONEY else 0
        if isinstance(rule, Ceiling) and now >= ends:
            gone = max(gone or 0, unread)  # its time is over: there is nothing left to spend
        return Fund(rule, began, ends, unread if gone is None else gone, cut)

    def gone(self, rule: BudgetRule, spent: SpentSums, fleet: Fleet, now: int) -> int | None:
        """Return how much of a budget is gone; None: there is no reading."""
        if rule.unit not in MONEY:
            used = [gauge.used for gauge in self._gauges(rule, fleet) if gauge.used is not None]
            return max(used, default=None)
        return spent.gone(rule, self.span(rule, now)[0])

    def _gauges(self, rule: BudgetRule, fleet: Fleet) -> list[Headroom]:
        """Return the gauges of a plan's window that a budget is about; of all accounts, if it says no other."""
        kind, account = read_scope(rule.scope)
        name = window_name(rule.window)
        theirs = [gauge for gauge in fleet.headroom.values() if gauge.kind is LimitKind.WINDOW and gauge.name == name]
        return [gauge for gauge in theirs if kind is not ScopeKind.ACCOUNT or gauge.account == account]

    def ends(self, run: Run, funds: Iterable[Fund], now: int) -> int:
        """Return when a grant of a run that these budgets bind is to end by itself; 0: never."""
        bound = [fund for fund in funds if fund.rule.unit in MONEY]
        if not bound:
            return 0
        if self._alone is not None:
            span, newest = round(self._alone * HOUR), run.newest
            current = newest.ends if newest else 0
            return current if span // 2 < current - now <= span else now + span
        first = min(bound, key=lambda fund: fund.ends)
        return self._far_end(first, now)

    def _far_end(self, fund: Fund, now: int) -> int:
        """Return when grants end that go by a budget's period: with the next one when this one is nearly over."""
        if isinstance(fund.rule, Ceiling):
            return fund.ends
        return fund.ends if fund.ends - now > LEAD else self.span(fund.rule, fund.ends)[1]

    def renewed(self, run: Run) -> int:
        """Return when a run's grant is to be renewed, though nothing else has changed; 0: with its period."""
        if self._alone is None or run.newest is None or not run.newest.ends:
            return 0
        return run.newest.ends - round(self._alone * HOUR) // 2

    def periods(self, funds: Iterable[Fund], now: int) -> Hashable:
        """Return what shares go by beside what is spent: while this is the same, they need not be looked at anew."""
        spans = [(fund.began, fund.ends, self._far_end(fund, now) if fund.ends else 0) for fund in funds]
        return tuple(self.rules.values()), tuple(spans)

    def earliest(self, now: int) -> int:
        """Return when the first of the periods that are on began; now, if there are none."""
        began = [self.span(rule, now)[0] for rule in self.rules.values() if rule.unit in MONEY]
        return min(began, default=now)

    def cut_down(self, shown: Mapping[str, Budget], balances: Balances, paused: Iterable[Run]) -> None:
        """See who may spend no more of each budget, as they stand; `paused`: who would go on if it were allowed."""
        waiting = list(paused)
        self.cut = {
            name: cut(shown[name], balance.fund, [*balance.runs.values(), *filter(balance.fund.holds, waiting)])
            for name, balance in balances.of.items()
            if balance.binds and pauses(shown[name])
        }

    # ----------------------------------------------------------------------- for people

    def shown(
        self, balances: Balances, spent: SpentSums, fleet: Fleet, paused: Iterable[Agent], now: int
    ) -> dict[str, Budget]:
        """Return all budgets as they are to be seen; `paused`: agents that were paused for want of money."""
        waiting = tuple(paused)
        return {name: self._standing(balances.of[name], spent, fleet, waiting, now) for name in self.rules}

    def _standing(self, balance: Balance, spent: SpentSums, fleet: Fleet, paused: Iterable[Agent], now: int) -> Budget:
        fund, rule = balance.fund, balance.fund.rule
        gone = self.gone(rule, spent, fleet, now)
        shown = Budget(rule.name, rule.scope, rule.period, rule.unit, rule.limit, rule.stop, spent=gone)
        shown = replace(shown, rungs=rule.rungs, reached=budget.reached(rule, gone or 0), dry_run=rule.dry_run)
        shown = replace(shown, window=rule.window, order=rule.order, command=rule.command)
        if rule.unit not in MONEY:
            resets = [gauge.resets for gauge in self._gauges(rule, fleet) if gauge.resets > now]
            return replace(shown, ends=min(resets, default=0))
        shown = replace(shown, began=fund.began, ends=fund.ends)
        if rule.binds:
            overshoot = balance.overshoot if rule.unit is not BudgetUnit.TOKENS else None
            shown = replace(shown, granted=balance.given, overshoot=overshoot)
        if gone is None:
            return shown
        if rule.binds and _is_dry(balance, paused):
            shown = replace(shown, reached=budget.reached(rule, max(gone, rule.stop)))
        lately = [spent.lately(rule, since) for since in burn_moments(now)]
        return replace(shown, runs_out=runs_out(rule, gone, fund.ends, lately, now))

    def refusal(self, bound: Iterable[Balance], new: Run) -> str:
        """Return why a run that these budgets bind gets no money."""
        money = [balance for balance in bound if balance.fund.rule.unit in MONEY]
        tightest = min(money, key=lambda balance: balance.free / balance.fund.rule.limit)
        fund, rule, away, free = tightest.fund, tightest.fund.rule, tightest.given, tightest.free
        if isinstance(rule, Ceiling):
            return used_up(new.lead, rule, amount(max(0, rule.stop - fund.spent), rule.unit), away)
        left = amount(max(0, rule.stop - fund.spent), rule.unit)
        needs = least_worth(fund, new.dear(rule.unit))
        less = f", less than a start may need ({amount(needs, rule.unit)})" if 0 < free < needs else ""
        others = f", and {amount(away, rule.unit)} of it is granted to agents that run" if away else ""
        return (
            f"budget {rule.name} ({rule.scope}) has {left} left before its stop line at {amount(rule.stop, rule.unit)}"
            f"{less}{others}; it begins anew {self.moment(fund.ends)}. "
            f"To raise it: controlroom budget set {rule.name} --limit …"
        )

    def moment(self, at: int) -> str:
        """Write a time as the operator's clock shows it."""
        return f"{datetime.fromtimestamp(at / 1000, self.zone):%Y-%m-%d %H:%M}"


def is_settled(run: Run, earliest: int) -> bool:
    """Whether nothing that a run was granted matters any more; `earliest`: when the first of the periods began."""
    if not run.grants:
        return False
    owes = run.said > run.booked or run.said_tokens > run.booked_tokens
    return (run.ended and not owes) or run.until <= earliest


def _is_dry(balance: Balance, paused: Iterable[Agent]) -> bool:
    """Return whether a budget has stopped all whom it binds, though crumbs of it are left."""
    if balance.free >= balance.fund.rule.enough or balance.live:
        return False
    scope = balance.fund.rule.scope
    return any(covers(scope, agent.host, agent.name, agent.profile, agent.lead) for agent in paused)
