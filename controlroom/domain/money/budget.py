"""Budgets: what one is, what counts for it, its periods, its ladder, and how all of it is written and read. Pure.

Money is micro-dollars. What a key pays and what a plan's login covers are two units that are never summed; use whose
payer is not known counts in both, to be safe. Periods begin in the operator's time zone.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import NamedTuple

from controlroom.domain.budgets import (
    ORDERS,
    PERIODS,
    STOPPING,
    BudgetUnit,
    Period,
    Rung,
    RungAction,
    ScopeKind,
    StopOrder,
    read_scope,
)
from controlroom.domain.leads import Lead, ceiling_names
from controlroom.domain.limits.headroom import window_name
from controlroom.domain.words import count, dollars
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

ACTIONS = tuple(action for action in RungAction if action != RungAction.UNKNOWN)
LADDER = (Rung(50, RungAction.NOTIFY), Rung(80, RungAction.HOLD), Rung(95, RungAction.PAUSE))

MOST = 2**53
"""Micro-dollars or tokens of a budget at most."""

CRUMB = {BudgetUnit.BILLED: 50_000, BudgetUnit.COVERED: 50_000, BudgetUnit.TOKENS: 20_000}
"""What is no more than a message or two, however large a budget is."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")


@dataclass(frozen=True)
class BudgetRule:
    """A budget as the operator wants it. `limit`: micro-dollars, tokens, or per cent of a plan's window."""

    name: str
    limit: int
    period: Period = Period.DAY
    scope: str = "fleet"
    unit: BudgetUnit = BudgetUnit.BILLED
    window: str = ""
    """Of unit `window`: which one, as `five_hour`."""
    rungs: tuple[Rung, ...] = LADDER
    order: StopOrder = StopOrder.PRIORITY
    command: tuple[str, ...] = ()
    """What to run when a rung is reached, word by word."""
    dry_run: bool = False
    """Disarmed: its ladder only says what it would do."""

    @cached_property
    def stop(self) -> int:
        """The stop line: what the last stopping rung comes to; the limit when none stops."""
        percent = max((rung.percent for rung in self.rungs if rung.action in STOPPING), default=100)
        return self.limit * percent // 100

    @cached_property
    def binds(self) -> bool:
        """Whether agents may spend no more than it has: something on its ladder stops them, and in earnest."""
        return not self.dry_run and any(rung.action in STOPPING for rung in self.rungs)

    @cached_property
    def least(self) -> int:
        """An amount so small that it is not worth granting."""
        return max(1, min(self.limit // 200, CRUMB.get(self.unit, 1)))

    @cached_property
    def enough(self) -> int:
        """An amount for which it is worth while to begin again: not a rest that is gone with the next message."""
        return max(1, min(self.stop // 10, 20 * self.least))


@dataclass(frozen=True)
class Ceiling(BudgetRule):
    """What the agents of a lead may spend in all: a stop line that is passed by nothing that is known to be coming.

    What messages in flight may cost is kept back for each of them (`allotment.kept_back`).
    """

    since: int = 0
    """From when on it counts: UTC milliseconds."""
    until: int = 0
    """When all of it ends; 0: never."""


CEILING_RUNGS = (Rung(100, RungAction.PAUSE),)
"""What follows once a lead has used up what it has: its agents are paused, and it starts no others."""


def ceilings(lead: Lead) -> tuple[Ceiling, Ceiling]:
    """What a lead may spend, as budgets: of what keys pay, and of what plans cover at list prices."""
    names, units = ceiling_names(lead.name), (BudgetUnit.BILLED, BudgetUnit.COVERED)
    billed, covered = (
        Ceiling(
            name,
            lead.limit,
            Period.EVER,
            f"{ScopeKind.LEAD} {lead.name}",
            unit,
            rungs=CEILING_RUNGS,
            order=StopOrder.ALL,
            since=lead.added,
            until=lead.until,
        )
        for name, unit in zip(names, units, strict=True)
    )
    return billed, covered


class Spend(NamedTuple):
    """What one agent has used in some span of time."""

    host: str
    agent: str
    profile: str
    billing: Payer
    micro: int
    tokens: int


def covers(scope: str, host: str, agent: str, profile: str, lead: str = "") -> bool:
    """Whether a scope holds an agent; `account` scopes are the business of whoever knows accounts."""
    names = {
        ScopeKind.FLEET: "",
        ScopeKind.HOST: host,
        ScopeKind.PROFILE: profile,
        ScopeKind.AGENT: f"{host}/{agent}",
        ScopeKind.LEAD: lead or None,
    }
    whose = read_scope(scope)
    return names.get(whose.kind) == whose.name


_OF_OTHERS = {BudgetUnit.BILLED: Payer.PLAN, BudgetUnit.COVERED: Payer.API, BudgetUnit.WINDOW: Payer.API}


def counts(unit: BudgetUnit, billing: Payer) -> bool:
    """Whether what such an agent spends counts in a unit; what nobody knows the payer of counts in all of them."""
    return billing != _OF_OTHERS.get(unit)


def counted(rule: BudgetRule, spends: Iterable[Spend]) -> list[Spend]:
    """What counts for a budget among what was spent."""
    return [
        spend
        for spend in spends
        if counts(rule.unit, spend.billing) and covers(rule.scope, spend.host, spend.agent, spend.profile)
    ]


def spent(rule: BudgetRule, spends: Iterable[Spend]) -> int:
    """Sum up what counts for a budget among what was spent in its period."""
    return sum(spend.tokens if rule.unit is BudgetUnit.TOKENS else spend.micro for spend in counted(rule, spends))


def reached(rule: BudgetRule, gone: int) -> int:
    """Count the rungs that have been reached when so much is gone."""
    return sum(1 for rung in rule.rungs if gone * 100 >= rung.percent * rule.limit)


def begins_anew(old: BudgetRule, new: BudgetRule | None) -> bool:
    """Whether a budget has become another one (None: it is gone), whose ladder is climbed from its foot again.

    Another rung is done when it is reached; who is ended first, and what is run then, changes nothing that was done.
    """
    return new is None or replace(new, rungs=old.rungs, order=old.order, command=old.command) != old


def problem(rule: BudgetRule) -> str | None:
    """What is wrong with a budget, or None."""
    if not NAME.fullmatch(rule.name):
        return f"{ascii(rule.name)[:60]} cannot name a budget: use 1 to 41 of a-z 0-9 _ -"
    return _unit_problem(rule) or scope_problem(rule.scope) or ladder_problem(rule.rungs) or _word_problem(rule)


def _unit_problem(rule: BudgetRule) -> str | None:
    if rule.unit is BudgetUnit.WINDOW:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,60}", rule.window):
            return "a budget of a plan's window says which: five_hour, seven_day, …"
        return None if 0 < rule.limit <= 100 else "a budget of a plan's window has a limit from 1 to 100 per cent"
    return None if 0 < rule.limit <= MOST else "a limit is more than nothing, and less than nine billion dollars"


def scope_problem(scope: str) -> str | None:
    """What is wrong with a scope, or None."""
    kind, name = read_scope(scope)
    if kind is ScopeKind.FLEET:
        fits = scope == str(kind)
    else:
        fits = (
            kind not in (ScopeKind.UNKNOWN, ScopeKind.LEAD)
            and name != ""
            and (kind is not ScopeKind.AGENT or name.count("/") == 1)
        )
    if fits:
        return None
    return f"{ascii(scope)[:60]} is no scope: say fleet, host NAME, profile NAME or agent HOST/NAME"


def ladder_problem(rungs: Sequence[Rung]) -> str | None:
    """What is wrong with a ladder, or None."""
    for rung in rungs:
        if rung.action is RungAction.UNKNOWN:
            return f"a rung does {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}"
        if not 1 <= rung.percent <= 100:
            return f"a rung is at 1 to 100 per cent, not at {rung.percent}"
    return None if len(rungs) <= 20 else "twenty rungs are the most"


def _word_problem(rule: BudgetRule) -> str | None:
    if rule.period is Period.UNKNOWN:
        return f"a period is {', '.join(PERIODS[:-1])} or {PERIODS[-1]}"
    return None if rule.order in ORDERS else f"an order is {' or '.join(ORDERS)}"


def sorted_rungs(rungs: Iterable[Rung]) -> tuple[Rung, ...]:
    """Put rungs in the order in which they are reached."""
    return tuple(sorted(set(rungs), key=lambda rung: (rung.percent, [*RungAction].index(rung.action))))


_DOLLARS = re.compile(r"\$?([0-9]{1,9})(?:\.([0-9]{1,6}))?")
_TOKENS = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?([kMGT]?)")
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def read_limit(text: str, unit: BudgetUnit) -> int:
    """Read a limit: dollars like `8` or `2.50`, tokens like `5M`, per cent like `85`.

    Gives micro-dollars, tokens or per cent. Raises `ValueError` with what was expected.
    """
    if unit.is_dollars:
        if found := _DOLLARS.fullmatch(text.strip()):
            return int(found[1]) * 1_000_000 + int((found[2] or "").ljust(6, "0"))
        raise ValueError(f'expected dollars like "2.50", not {ascii(text)[:40]}{_other_unit(text.strip())}')
    if unit is BudgetUnit.TOKENS:
        if found := _TOKENS.fullmatch(text.strip()):
            factor = _FACTORS[found[3]]
            return int(found[1]) * factor + int((found[2] or "0").ljust(6, "0")) * factor // 1_000_000
        raise ValueError(f'expected tokens like "500000" or "5M", not {ascii(text)[:40]}')
    share = text.strip().removesuffix("%").strip()
    if share.isascii() and share.isdecimal() and len(share) <= 3:
        return int(share)
    raise ValueError(f'expected per cent like "85", not {ascii(text)[:40]}')


def _other_unit(text: str) -> str:
    """Which unit an amount that is no dollars may have been meant in."""
    if text.endswith("%"):
        return "; per cent are of a plan's window: unit window, and which window"
    return "; tokens are another unit: unit tokens" if _TOKENS.fullmatch(text) else ""


def read_ladder(text: str) -> tuple[Rung, ...]:
    """Read a ladder like `50:notify,80:hold,95:pause`. Raises `ValueError` with what was expected."""
    rungs = []
    for part in text.split(","):
        percent, _, action = part.strip().partition(":")
        if not (percent.isascii() and percent.isdecimal() and len(percent) <= 3):
            raise ValueError(f"expected a ladder like 50:notify,80:hold,95:pause, not {ascii(text)[:60]}")
        if action not in ACTIONS:
            raise ValueError(f"a rung does {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}, not {ascii(action)[:40]}")
        rungs.append(Rung(int(percent), RungAction(action)))
    if wrong := ladder_problem(rungs):
        raise ValueError(wrong)
    return sorted_rungs(rungs)


def ladder(rungs: Iterable[Rung]) -> str:
    """Write a ladder as it is read."""
    return ",".join(f"{rung.percent}:{rung.action}" for rung in rungs)


def described(rule: BudgetRule) -> str:
    """What a budget is, in a line."""
    dry = "; disarmed: it only says what it would do" if rule.dry_run else ""
    return f"{amount(rule.limit, rule.unit)} {period_words(rule)} for {rule.scope}, {ladder(rule.rungs)}{dry}"


def period_words(rule: BudgetRule) -> str:
    """Of what the limit is: `per day`, `of the week window`."""
    if rule.period is Period.EVER:
        return "in all"
    return f"of {window(rule.window)}" if rule.unit is BudgetUnit.WINDOW else f"per {rule.period}"


def window(name: str) -> str:
    """Name a plan's window in a sentence: `the 5 h window`."""
    return f"the {window_name(name)} window"


def amount(value: int | None, unit: BudgetUnit) -> str:
    """Write an amount of a unit: $8.00, ≈$8.00 for what a plan covers, 5M tokens, 85 %; a dash for no reading."""
    if value is None:
        return "–"
    if unit is BudgetUnit.TOKENS:
        return f"{count(value)} tokens"
    if unit is BudgetUnit.WINDOW:
        return f"{value} %"
    return f"≈{dollars(value)}" if unit is BudgetUnit.COVERED else dollars(value)


def written_limit(value: int, unit: BudgetUnit) -> str:
    """Write a limit as it is read, exactly."""
    if unit.is_dollars:
        return f"{value // 1_000_000}.{value % 1_000_000:06d}".rstrip("0").rstrip(".")
    return str(value)


HOUR = 3_600_000
"""Milliseconds. An hour is always as long; it begins where the minutes of the zone's clock are 0."""


def period(kind: Period, now: int, zone: tzinfo) -> tuple[int, int]:
    """When the period that holds `now` began, and when the next one begins."""
    if kind is Period.HOUR:
        began = now - (now + _offset(now, zone)) % HOUR
        return began, began + HOUR
    first, after = _dates(kind, _here(now, zone).date())
    return begins(first, zone), begins(after, zone)


def begins(day: date, zone: tzinfo | None) -> int:
    """When a day begins; one that the zone leaves out begins, and ends, with the one after it."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _dates(kind: Period, day: date) -> tuple[date, date]:
    """The first day of a period, and that of the one after it."""
    if kind is Period.WEEK:
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    if kind is Period.MONTH:
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    return day, day + timedelta(days=1)


def _offset(now: int, zone: tzinfo) -> int:
    offset = _here(now, zone).utcoffset()
    return round(offset.total_seconds() * 1000) if offset else 0


def _here(now: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(now // 1000, zone)
