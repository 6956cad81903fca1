"""The room's budgets at one moment: their periods, what is gone of each, what binds whom. No state but the rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo

from controlroom.domain.gauges import Budget, Headroom
from controlroom.domain.limits.headroom import window_name
from controlroom.domain.model import Fleet
from controlroom.domain.money import budget
from controlroom.domain.money.allotment import MONEY, Purse, Run, given_away, least_worth
from controlroom.domain.money.budget import BudgetRule, covers
from controlroom.domain.money.budget_words import amount
from controlroom.domain.money.forecast import began, burn_moments, overshoot, runs_out
from controlroom.domain.money.holding import is_paused
from controlroom.domain.money.periods import period
from controlroom.domain.money.rungs import cut
from controlroom.fleet.books.spend_views import Sums

HOUR = 3_600_000

LEAD = 180_000
"""Milliseconds before a period ends from which on grants reach to the end of the next one, so that nobody stops."""

FAR = 366 * 24 * HOUR


class Purses:
    """All budgets. Times are UTC milliseconds."""

    def __init__(self, rules: Mapping[str, BudgetRule], zone: tzinfo, alone: float | None = None) -> None:
        """`alone`: hours that agents may run on without the engine; None: to the end of the shortest period."""
        self.rules = dict(rules)
        self.zone = zone
        self._alone = alone
        self.cut: Mapping[str, frozenset[str]] = {}
        """By budget: agents that may spend no more of it."""

    def moments(self, now: int) -> set[int]:
        """Give all moments since which it must be known what was spent."""
        if not self.rules:
            return set()
        began = {self.span(rule, now)[0] for rule in self.rules.values() if rule.unit in MONEY}
        return began | set(burn_moments(now))

    def next_end(self, now: int) -> int:
        """Say in how many milliseconds something ends by itself: a period, or a quarter of an hour."""
        ends = [self.span(rule, now)[1] for rule in self.rules.values() if rule.unit in MONEY]
        return min([*ends, now + HOUR // 4], default=FAR) - now

    def span(self, rule: BudgetRule, now: int) -> tuple[int, int]:
        """Say when the period of a budget began, and when it ends."""
        return period(rule.period, now, self.zone)

    def binding(self, sums: Sums, fleet: Fleet, now: int) -> list[Purse]:
        """Give the budgets that bind, as they are by these sums."""
        return [self._purse(rule, sums, fleet, now) for rule in self.rules.values() if rule.binds]

    def _purse(self, rule: BudgetRule, sums: Sums, fleet: Fleet, now: int) -> Purse:
        cut = self.cut.get(rule.name, frozenset())
        if rule.unit not in MONEY:
            return Purse(rule, 0, 0, self.gone(rule, sums, fleet, now) or 0, cut)
        began, ends = self.span(rule, now)
        gone = self.gone(rule, sums, fleet, now)
        return Purse(rule, began, ends, rule.stop if gone is None else gone, cut)

    def gone(self, rule: BudgetRule, sums: Sums, fleet: Fleet, now: int) -> int | None:
        """Say how much of a budget is gone; None: there is no reading."""
        if rule.unit not in MONEY:
            used = [gauge.used for gauge in self._gauges(rule, fleet) if gauge.used is not None]
            return max(used, default=None)
        spends = sums.since.get(self.span(rule, now)[0])
        return None if spends is None else budget.spent(rule, spends)

    def _gauges(self, rule: BudgetRule, fleet: Fleet) -> list[Headroom]:
        """Give the gauges of a plan's window that a budget is about; of all accounts, if it says no other."""
        kind, _, account = rule.scope.partition(" ")
        name = window_name(rule.window)
        theirs = [gauge for gauge in fleet.headroom.values() if gauge.kind == "window" and gauge.name == name]
        return [gauge for gauge in theirs if kind != "account" or gauge.account == account]

    def ends(self, run: Run, purses: Iterable[Purse], now: int) -> int:
        """Say when a grant of a run is to end by itself; 0: never."""
        bound = [purse for purse in purses if purse.holds(run) and purse.rule.unit in MONEY]
        if not bound:
            return 0
        if self._alone is not None:
            span, newest = round(self._alone * HOUR), run.newest
            known = newest.ends if newest else 0
            return known if span // 2 < known - now <= span else now + span
        first = min(bound, key=lambda purse: purse.ends)
        return first.ends if first.ends - now > LEAD else self.span(first.rule, first.ends)[1]

    def is_settled(self, run: Run, now: int) -> bool:
        """Say whether nothing that a run was granted matters any more."""
        if not run.grants:
            return False
        owes = run.said > run.booked or run.said_tokens > run.booked_tokens
        began = [self.span(rule, now)[0] for rule in self.rules.values() if rule.unit in MONEY]
        return (run.ended and not owes) or run.until <= min(began, default=now)

    def by_rule(self, runs: Sequence[Run]) -> dict[str, list[Run]]:
        """Give the runs that each budget is about, whether it binds them or only tells."""
        purses = [Purse(rule, 0, 0, 0) for rule in self.rules.values()]
        return {purse.rule.name: [run for run in runs if purse.holds(run)] for purse in purses}

    def cut_down(self, shown: Mapping[str, Budget], sums: Sums, runs: Sequence[Run], fleet: Fleet, now: int) -> None:
        """See who may spend no more of each budget, as they stand."""
        purses = self.binding(sums, fleet, now)
        self.cut = {purse.rule.name: cut(shown[purse.rule.name], purse, runs) for purse in purses}

    # ----------------------------------------------------------------------- for people

    def shown(self, sums: Sums, runs: Sequence[Run], fleet: Fleet, now: int) -> dict[str, Budget]:
        """Give all budgets as they are to be seen."""
        return {name: self._standing(rule, sums, runs, fleet, now) for name, rule in self.rules.items()}

    def _standing(self, rule: BudgetRule, sums: Sums, runs: Sequence[Run], fleet: Fleet, now: int) -> Budget:
        gone = self.gone(rule, sums, fleet, now)
        known = Budget(rule.name, rule.scope, rule.window or rule.period, rule.unit, rule.limit, rule.stop, spent=gone)
        known = replace(known, rungs=rule.rungs, reached=budget.reached(rule, gone or 0), dry_run=rule.dry_run)
        known = replace(known, order=rule.order, command=rule.command)
        if rule.unit not in MONEY:
            resets = [gauge.resets for gauge in self._gauges(rule, fleet) if gauge.resets > now]
            return replace(known, ends=min(resets, default=0))
        purse = self._purse(rule, sums, fleet, now)
        theirs = [run for run in runs if purse.holds(run)]
        known = replace(known, began=purse.began, ends=purse.ends)
        if rule.binds:
            money = rule.unit != "tokens"
            live = [run for run in theirs if not run.ended]
            known = replace(known, granted=given_away(purse, theirs), overshoot=overshoot(live) if money else None)
        if gone is None:
            return known
        if rule.binds and _is_dry(purse, fleet, theirs, rule.stop - gone - known.granted):
            known = replace(known, reached=budget.reached(rule, max(gone, rule.stop)))
        return replace(known, runs_out=runs_out(rule, gone, purse.ends, _lately(rule, sums, fleet, now), now))

    def refusal(self, bound: Iterable[Purse], runs: Sequence[Run], new: Run, now: int) -> str:
        """Say why a run that these budgets bind gets no money."""
        money = [purse for purse in bound if purse.rule.unit in MONEY]
        free = {purse.rule.name: purse.rule.stop - purse.spent - given_away(purse, runs) for purse in money}
        tightest = min(money, key=lambda purse: free[purse.rule.name] / purse.rule.limit)
        rule = tightest.rule
        left = amount(max(0, rule.stop - tightest.spent), rule.unit)
        away = given_away(tightest, runs)
        needs = least_worth(tightest, new, rule.unit)
        less = f", less than a start may need ({amount(needs, rule.unit)})" if 0 < free[rule.name] < needs else ""
        others = f", and {amount(away, rule.unit)} of it is granted to agents that run" if away else ""
        return (
            f"budget {rule.name} ({rule.scope}) has {left} left before its stop line at {amount(rule.stop, rule.unit)}"
            f"{less}{others}; it begins anew {self.moment(tightest.ends)}. "
            f"To raise it: controlroom budget set {rule.name} --limit …"
        )

    def moment(self, at: int) -> str:
        """Write a time as the operator's clock shows it."""
        return f"{datetime.fromtimestamp(at / 1000, self.zone):%Y-%m-%d %H:%M}"


def _is_dry(purse: Purse, fleet: Fleet, theirs: Sequence[Run], free: int) -> bool:
    """Say whether a budget has stopped all whom it binds, though crumbs of it are left."""
    if free >= purse.rule.enough or any(not run.ended for run in theirs):
        return False
    paused = (agent for agent in fleet.agents.values() if is_paused(agent))
    return any(covers(purse.rule.scope, agent.host, agent.name, agent.profile) for agent in paused)


def _lately(rule: BudgetRule, sums: Sums, fleet: Fleet, now: int) -> list[tuple[int, int]]:
    """Give what was spent of late, and since when: of spenders that have just been started, since they were."""
    found = []
    for since in burn_moments(now):
        spends = budget.counted(rule, sums.since.get(since, ()))
        agents = [fleet.agents.get(f"{spend.host}/{spend.agent}") for spend in spends]
        started = [agent.started if agent and agent.epoch == 1 else 0 for agent in agents]
        found.append((budget.spent(rule, spends), began(since, started)))
    return found
