"""Limits and budgets as rows, records and sentences, for screen, verbs and scripts. Times are UTC milliseconds."""

from collections.abc import Iterable, Mapping

from controlroom.domain.budgets import Budget, BudgetUnit, Rung, RungAction, ScopeKind, read_scope
from controlroom.domain.display.bars import Clock, amount, calm_moment, reached
from controlroom.domain.display.views import short_model
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.money.budget import window
from controlroom.domain.words import age, count, dollars, percent
from controlroom.text.lazy_dataclass import dataclass

_WINDOWS = ("5 h", "week")
_MOST_NAMED = 3


@dataclass(frozen=True)
class LimitRow:
    """One limit in words; an empty one is not known."""

    name: str
    used: str
    limit: str
    left: str
    resets: str
    age: str
    source: str
    who: str


def in_order(headroom: Iterable[Headroom]) -> list[Headroom]:
    """Sort limits: by account, windows first and the shortest of them, then the rest by name."""
    return sorted(headroom, key=_place)


def _place(one: Headroom) -> tuple[object, ...]:
    window = _WINDOWS.index(one.name) if one.name in _WINDOWS else len(_WINDOWS)
    return one.account, list(LimitKind).index(one.kind), window, one.model, one.name


def left(one: Headroom) -> int | None:
    """How much may still be used before the operator's buffer begins; None: not known."""
    ends = one.limit if one.buffer is None else one.buffer
    return None if one.used is None or ends is None else max(0, ends - one.used)


def row(one: Headroom, now: int, clock: Clock) -> LimitRow:
    """Write a limit for a table."""
    if one.used is None:
        return LimitRow(one.name, "no reading", "", "", "", "", one.source, "")
    limit = _amount(one.limit, one.kind)
    return LimitRow(
        one.name,
        f"{'' if one.measured else '~'}{_amount(one.used, one.kind)}",
        limit if one.buffer is None else f"{_amount(one.buffer, one.kind)} of {limit}",
        _amount(left(one), one.kind),
        clock(one.resets) if one.resets else "",
        age(now - one.at) if one.at else "",
        f"{one.source}, disputed" if one.disputed else one.source,
        _who(one.shares),
    )


def _amount(value: int | None, kind: LimitKind) -> str:
    if value is None:
        return "–"
    if kind is LimitKind.WINDOW:
        return percent(float(value))
    return dollars(value) if kind is LimitKind.CREDIT else count(value)


def _who(shares: Mapping[str, int]) -> str:
    most = sorted(shares.items(), key=lambda pair: -pair[1])
    named = [f"{agent} {percent(share / 10)}" for agent, share in most[:_MOST_NAMED]]
    return ", ".join(named) + (f", {len(most) - _MOST_NAMED} more" if len(most) > _MOST_NAMED else "")


_STEPS = {
    RungAction.NOTIFY: "tell",
    RungAction.HOLD: "hold new work",
    RungAction.CHEAPER: "cheaper models",
    RungAction.PAUSE: "pause",
    RungAction.INTERRUPT: "interrupt",
    RungAction.STOP: "stop",
}
NO_BUDGET = "no budget: nothing is stopped for its cost; key s sets one, or `controlroom budget set day --limit 20`"
NO_LIMIT = (
    "no reading: a plan's windows come with its agents' answers, what the API lets through in a minute from "
    "[api] tier in config.toml"
)


def budget_facts(budget: Budget, now: int, clock: Clock) -> list[str]:
    """Say all that is known of a budget: whose, when it runs out and resets, its ladder, what may come on top."""
    facts = ["the whole fleet" if read_scope(budget.scope).kind is ScopeKind.FLEET else budget.scope]
    facts += [f"{budget.limit} % of {window(budget.window)}"] * (budget.unit is BudgetUnit.WINDOW)
    facts += [forecast(budget, now, clock)]
    facts += [f"resets {clock(budget.ends)}"] * bool(budget.ends)
    facts += ["disarmed: its ladder only says what it would do"] * budget.dry_run
    facts += [ladder(budget)]
    facts += [f"{amount(budget.granted, budget.unit)} granted to running agents"] * bool(budget.granted)
    if budget.rungs and budget.overshoot is not None:
        facts.append(f"at most {amount(budget.overshoot, budget.unit)} over the stop line")
    elif budget.overshoot_unknown:
        facts.append("how far over the stop line is not known")
    return [fact for fact in facts if fact]


def forecast(budget: Budget, now: int, clock: Clock) -> str:
    """When a budget runs out at this rate."""
    if budget.spent is None:
        return "no reading yet"
    if budget.spent >= budget.limit:
        return "all of it is gone"
    if budget.runs_out is None:
        return ""
    return f"runs out {clock(calm_moment(budget.runs_out, now))} at this rate"


def ladder(budget: Budget) -> str:
    """Write a ladder: what is done at which share, what was reached marked: `✓ 50 % tell, 80 % hold new work`."""
    if not budget.rungs:
        return "no ladder: nothing is done when it is gone"
    last = reached(budget)
    done = budget.rungs.index(last) if last in budget.rungs else -1
    return ", ".join(_step(rung, place <= done) for place, rung in enumerate(budget.rungs))


def _step(rung: Rung, done: bool) -> str:
    return f"{'✓ ' * done}{rung.percent} % {_STEPS.get(rung.action, rung.action)}"


def limit_facts(one: Headroom, now: int, clock: Clock) -> list[str]:
    """Say all that is known of a limit: what is left, where the reading is from and how old it is, who used it."""
    limit = row(one, now, clock)
    facts = [one.account]
    facts += [f"{short_model(one.model)}, a minute"] * (one.kind is LimitKind.BUCKET)
    if one.used is not None:
        facts += [f"{limit.left} left{'' if one.buffer is None else ' of what you allow'}"] * (limit.left != "–")
        read = age(now - one.at)
        facts += [f"read {'just now' if read == 'now' else f'{read} ago'}"] * bool(one.at)
    facts += [f"{'' if one.measured else 'worked out from '}{one.source}"] * bool(one.source)
    facts += [limit.who] * bool(limit.who)
    return facts
