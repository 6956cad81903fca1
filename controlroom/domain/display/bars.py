"""Gauges of money and limits as views: what to write beside each bar, how the bar is made, which come first.

One home, so that the overview, the Costs screen and the command line say the same. Times are UTC milliseconds; `Clock`
writes one as it stands on the wall.
"""

from collections.abc import Callable, Iterable, Sequence

from controlroom.domain.budgets import STOPPING, Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.display.views import short_model
from controlroom.domain.gauges import AlarmLevel, Headroom, LimitKind
from controlroom.domain.model import Fleet
from controlroom.domain.words import age, count, dollars, percent
from controlroom.text.lazy_dataclass import dataclass

Clock = Callable[[int], str]

_DOES = {
    RungAction.NOTIFY: "",
    RungAction.HOLD: "new work held",
    RungAction.CHEAPER: "cheaper models",
    RungAction.PAUSE: "paused",
    RungAction.INTERRUPT: "interrupted",
    RungAction.STOP: "stopped",
}
_WOULD = {
    **_DOES,
    RungAction.HOLD: "would hold",
    RungAction.CHEAPER: "would go cheaper",
    RungAction.PAUSE: "would pause",
    RungAction.INTERRUPT: "would interrupt",
    RungAction.STOP: "would stop",
}
_KINDS = {"requests": "req", "input": "in", "output": "out"}
_WARN, _DANGER = 0.8, 0.95
"""Shares of what may be used up from which a person should look, and from which it is as good as gone."""
_OLD = {LimitKind.WINDOW: 15 * 60_000, LimitKind.BUCKET: 3 * 60_000, LimitKind.CREDIT: 60 * 60_000}
"""Milliseconds after which a reading wears its age."""


@dataclass(frozen=True)
class Gauge:
    """One bar with its words. An empty word is not written."""

    name: str
    """Names it for good."""
    group: str
    """`budget`, `window`, or `bucket` (and a plan's credit)."""
    label: str
    used: str = ""
    limit: str = ""
    short: str = ""
    """Both in few cells: `$98/160`."""
    share: float | None = None
    """0 to 1 and beyond; None: no reading."""
    granted: float = 0.0
    """The share that running agents may still spend on their own."""
    mark: float | None = None
    """Where the stop line or the buffer is, 0 to 1; None: there is none."""
    percent: str = ""
    when: str = ""
    """When it runs out at this rate, or when it resets: is whole again."""
    note: str = ""
    """What its ladder does now, or how old the reading is."""
    level: AlarmLevel = AlarmLevel.CALM
    bounded: bool = True
    """Whether it has an end: of a limit whose ceiling nobody knows only its use is."""
    runs_out: bool = False
    """Whether `when` says when it runs out."""

    @property
    def tightness(self) -> tuple[int, float]:
        """Order gauges by what is nearest to its end; those without a reading come last."""
        return list(AlarmLevel).index(self.level), -1.0 if self.share is None else self.share


def gauges(fleet: Fleet, now: int, clock: Clock) -> list[Gauge]:
    """All gauges in their order: budgets of the whole fleet, other budgets, windows of plans, buckets."""
    budgets = sorted(fleet.budgets.values(), key=_place)
    readings = sorted(
        fleet.headroom.values(), key=lambda one: (one.kind is not LimitKind.WINDOW, one.account, _span(one.name))
    )
    return [*(budget_gauge(one, now, clock) for one in budgets), *_limits(readings, now, clock)]


def fitting(found: Sequence[Gauge], places: int) -> list[Gauge]:
    """Choose the tightest for so many places; they stay in their order."""
    chosen = sorted(found, key=lambda gauge: gauge.tightness, reverse=True)[: max(0, places)]
    return [gauge for gauge in found if gauge in chosen]


# --------------------------------------------------------------------------- budgets


_FIRST = (Period.DAY, Period.HOUR, Period.WEEK, Period.MONTH, Period.EVER)


def _place(budget: Budget) -> tuple[bool, str, int, str]:
    period = len(_FIRST) if budget.unit is BudgetUnit.WINDOW else _FIRST.index(budget.period)
    return budget.scope != "fleet", budget.scope, period, budget.name


def budget_gauge(budget: Budget, now: int, clock: Clock) -> Gauge:
    """The gauge of a budget. One of a window is drawn on the whole window, with its stop line as the mark."""
    whole = 100 if budget.unit is BudgetUnit.WINDOW else budget.limit
    spent, limit = amount(budget.spent, budget.unit), amount(budget.limit, budget.unit).lstrip("≈$")
    share = None if budget.spent is None or not whole else budget.spent / whole
    stops = any(rung.action in STOPPING for rung in budget.rungs)
    return Gauge(
        f"budget {budget.name}",
        "budget",
        budget.name,
        "" if budget.unit is BudgetUnit.WINDOW else spent,
        "" if budget.unit is BudgetUnit.WINDOW else limit,
        "" if budget.unit is BudgetUnit.WINDOW else f"{_brief(budget.spent, budget.unit)}/{_brief_limit(budget)}",
        share,
        budget.granted / whole if whole else 0.0,
        min(1.0, budget.stop / whole) if stops and whole else None,
        "no reading" if share is None else percent(100 * share),
        f"runs out {clock(calm_moment(budget.runs_out, now))}" if budget.runs_out is not None else "",
        doing(budget),
        budget_level(budget),
        runs_out=budget.runs_out is not None,
    )


def calm_moment(at: int, now: int) -> int:
    """Round a forecast to what it is good for: ten minutes while it is more than an hour away, then five, then one."""
    minutes = 10 if at - now > 3_600_000 else 5 if at - now > 900_000 else 1
    return at - at % (minutes * 60_000)


def reached(budget: Budget) -> Rung | None:
    """The highest rung that was reached."""
    return budget.rungs[min(budget.reached, len(budget.rungs)) - 1] if budget.reached and budget.rungs else None


def doing(budget: Budget) -> str:
    """What the ladder of a budget does now, or nothing."""
    rung = reached(budget)
    if rung is None:
        return ""
    return (_WOULD if budget.dry_run else _DOES).get(rung.action, rung.action)


def budget_level(budget: Budget) -> AlarmLevel:
    """How alarming a budget is: by the rungs that were reached, else by how much of it is gone."""
    gone = (budget.percent or 0.0) / 100
    if any(rung.action in STOPPING for rung in budget.rungs[: budget.reached]) or gone >= 1:
        return AlarmLevel.DANGER
    held = any(rung.action in (RungAction.HOLD, RungAction.CHEAPER) for rung in budget.rungs[: budget.reached])
    if held or gone >= _WARN:
        return AlarmLevel.WARNING
    return AlarmLevel.NOTICE if budget.reached else AlarmLevel.CALM


def amount(value: int | None, unit: BudgetUnit) -> str:
    """Write an amount of a budget in its unit: `$98.20`, `≈$98.20`, `1.2M`, `63 %`; a dash for no reading."""
    if value is None:
        return "–"
    if unit is BudgetUnit.TOKENS:
        return count(value)
    if unit is BudgetUnit.WINDOW:
        return percent(float(value))
    return f"{'≈' * (unit is BudgetUnit.COVERED)}{_round_dollars(value)}"


def _round_dollars(micro: int) -> str:
    return f"${micro // 1_000_000:,}" if micro % 1_000_000 == 0 else dollars(micro)


def _brief(value: int | None, unit: BudgetUnit) -> str:
    """Write an amount in few cells: whole dollars from ten on."""
    if value is None or not unit.is_dollars or value < 10_000_000:
        return amount(value, unit)
    return f"{'≈' * (unit is BudgetUnit.COVERED)}${value / 1_000_000:,.0f}"


def _brief_limit(budget: Budget) -> str:
    return _brief(budget.limit, budget.unit).lstrip("≈$")


# --------------------------------------------------------------------------- headroom


def _limits(readings: Sequence[Headroom], now: int, clock: Clock) -> list[Gauge]:
    classes = {one.model for one in readings if one.kind is LimitKind.BUCKET}
    labels = [_label(one, len(classes) > 1) for one in readings]
    accounts = _short_accounts({one.account for one in readings})
    for place, one in enumerate(readings):
        alike = {other.account for other in readings if (other.kind, other.name) == (one.kind, one.name)}
        labels[place] += f" {accounts[one.account]}" * (len(alike) > 1)
    return [headroom_gauge(one, now, clock, label) for one, label in zip(readings, labels, strict=True)]


def _short_accounts(accounts: set[str]) -> dict[str, str]:
    """Name accounts in few cells: of an address what stands before the @, where that tells them apart."""
    users = {account: account.partition("@")[0][:10] for account in accounts}
    return {account: user if [*users.values()].count(user) == 1 else account[:16] for account, user in users.items()}


def _label(one: Headroom, classes: bool) -> str:
    """Name a limit in few cells; a bucket's model class only where there are several."""
    if one.kind is not LimitKind.BUCKET:
        return one.name
    name = one.name.partition(" ")[0]
    return f"{_KINDS.get(name, name)} {short_model(one.model) if classes else ''}".strip()


def _span(name: str) -> tuple[int, str]:
    """Order limits: the shorter window first, requests before tokens."""
    names = ("5 h", "week", "requests", "input", "output")
    return next((place for place, word in enumerate(names) if name.startswith(word)), len(names)), name


def headroom_gauge(one: Headroom, now: int, clock: Clock, label: str) -> Gauge:
    """The gauge of a limit. A reading from before its reset says nothing about now."""
    group = "window" if one.kind is LimitKind.WINDOW else "bucket"
    over = bool(one.resets) and one.resets <= now and one.at < one.resets
    if one.used is None or over:
        since = f"new since {clock(one.resets)}" if over and one.used is not None else ""
        return Gauge(f"limit {one.key}", group, label, percent="no reading", when=since)
    about = "" if one.measured else "~"
    share = one.used / one.limit if one.limit else None
    plain = one.kind is LimitKind.WINDOW
    used = "" if plain else f"{about}{_reading(one.used, one.kind)}"
    limit = "" if plain or one.limit is None else _reading(one.limit, one.kind).lstrip("$")
    return Gauge(
        f"limit {one.key}",
        group,
        label,
        used,
        limit,
        f"{used}/{limit}" if limit else used,
        share,
        0.0,
        one.buffer / one.limit if one.buffer is not None and one.limit else None,
        f"{about}{percent(100 * share)}" if share is not None else "no ceiling",
        f"resets {clock(one.resets)}" if one.resets else "",
        _age(one, now) or _over(one),
        _headroom_level(one),
        bool(one.limit),
    )


def _reading(value: int, kind: LimitKind) -> str:
    return _brief(value, BudgetUnit.BILLED) if kind is LimitKind.CREDIT else count(value)


def _age(one: Headroom, now: int) -> str:
    old = now - one.at
    return f"{age(old)} old" if one.at and old >= _OLD.get(one.kind, _OLD[LimitKind.WINDOW]) else ""


def _over(one: Headroom) -> str:
    """Say that nothing is left, or nothing of what the operator allows."""
    if one.used is None or not one.limit:
        return ""
    if one.used >= one.limit:
        return "used up"
    return "past your mark" if one.buffer is not None and one.used >= one.buffer else ""


def _headroom_level(one: Headroom) -> AlarmLevel:
    ends = one.buffer or one.limit
    if not ends or one.used is None:
        return AlarmLevel.CALM
    if one.used >= _DANGER * ends:
        return AlarmLevel.DANGER
    return AlarmLevel.WARNING if one.used >= _WARN * ends else AlarmLevel.CALM


# --------------------------------------------------------------------------- bars


def cells(share: float | None, granted: float, mark: float | None, width: int) -> list[tuple[str, str]]:
    """Make a bar of `width` cells: (`used`, `granted`, `rest` or `mark`, its signs), from the left.

    A thick line is used, a broken one is granted, dots are the rest: they differ without colour, and bars below each
    other do not run together.
    """
    if width <= 0:
        return []
    used = _filled(share or 0.0, width)
    held = min(width, round(width * ((share or 0.0) + granted))) if granted > 0 else 0
    drawn = used + "╍" * (held - len(used))
    drawn += "·" * (width - len(drawn))
    kinds = ["used"] * len(used) + ["granted"] * (held - len(used))
    kinds += ["rest"] * (width - len(kinds))
    signs = list(drawn)
    if mark is not None:
        at = min(width - 1, int(mark * width))
        signs[at], kinds[at] = "│", "mark"
    return _runs(zip(kinds, signs, strict=True))


def _filled(share: float, width: int) -> str:
    """Fill in halves of a cell; whatever was used at all shows."""
    halves = max(1 if share > 0 else 0, min(width * 2, round(share * width * 2)))
    return "━" * (halves // 2) + "╸" * (halves % 2)


def _runs(signs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    runs: list[tuple[str, str]] = []
    for kind, sign in signs:
        if runs and runs[-1][0] == kind:
            runs[-1] = kind, runs[-1][1] + sign
        else:
            runs.append((kind, sign))
    return runs
