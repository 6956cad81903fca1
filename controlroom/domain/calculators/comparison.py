"""What real use would cost in other ways: how it is paid, and how it is done. Pure arithmetic on a price sheet.

All ways are priced at today's prices for a month of 30 days at the measured rate, so that they can be compared. What
keys pay and what plans cover are compared apart, never together. Money is micro-dollars.
"""

from collections.abc import Iterator
from math import ceil

from controlroom.domain.calculators.offers import Offers, Plan
from controlroom.domain.calculators.use import DAY, MINUTE, Alike, Use, Week, booked, fresh
from controlroom.domain.words import days, dollars, percent
from controlroom.metering.prices import Price, Sheet, bare_name, micro
from controlroom.metering.usage import Usage
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer


@dataclass(frozen=True)
class Terms:
    """What is to be compared, as its user says it."""

    can_wait: float = 1.0
    """Which share of the use could wait for a batch (0 to 1)."""
    hit_rate: float | None = None
    """The cache hit rate that better caching would reach (0 to 1); None: the best profile's, or `GOOD_HIT_RATE`."""
    committed: int = 0
    """Micro-dollars an hour of one unit of committed throughput that somebody offers; 0: there is no offer."""
    tokens_per_minute: int = 0
    """Tokens a minute that one unit of it holds."""


@dataclass(frozen=True)
class PaymentOption:
    """One way to pay for the use, or to do it."""

    key: str
    """`list`, `plan:max`, `committed:peak`; `batch`, `cache`, `cheaper`, `most:claude-sonnet-5-5`."""
    name: str
    kind: str
    """`pay` (the same use, paid otherwise) or `change` (paid by use, done otherwise)."""
    month: int
    """Micro-dollars a month."""
    holds: bool | None = None
    """Whether it carries this use; None: nobody has told us."""
    note: str = ""
    """Where it breaks even, and what it takes for granted."""
    fixed: bool = False
    """Whether it costs the same however much is used: it then pays when use at list prices comes to more."""


@dataclass(frozen=True)
class AccountUse:
    """The use that one kind of account pays for, and its ways."""

    billing: Payer
    messages: int
    spent: int
    """What was booked in the measured time."""
    month: int
    """What a month costs by use: today's list prices, at the measured rate."""
    mean: float = 0.0
    """Tokens a minute, without those read from the cache, round the clock."""
    peak: int = 0
    """Those of the busiest minute."""
    ways: tuple[PaymentOption, ...] = ()
    """The cheapest first, those of kind `pay` before those of kind `change`."""

    def cheapest(self, *, sure: bool = False) -> PaymentOption:
        """The cheapest way to pay; `sure`: among those that certainly hold."""
        ways = [way for way in self.ways if way.kind == "pay" and way.holds is not False and (way.holds or not sure)]
        return min(ways, key=lambda way: way.month)


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    asked_days: int
    days: float
    """Measured days that it is worked out from."""
    parts: tuple[AccountUse, ...] = ()
    said: tuple[str, ...] = ()
    """Everything that was taken for granted, a sentence each."""


MONTH = 30 * DAY
"""A month is 30 days here; milliseconds."""

ENOUGH_USED = 5
"""Per cent of a plan's week that must be used before they say what all of it holds: they come as whole numbers."""

GOOD_HIT_RATE = 0.9
"""What better caching is taken to reach where no profile of one's own does better than the whole."""


def compare(use: Use, sheet: Sheet, offers: Offers, terms: Terms) -> Comparison:
    """Work it all out, at the prices of the moment at which the use ends."""
    bench = _Bench(use, sheet, offers, terms)
    billings = sorted({group.billing for group in use.groups}, key=lambda name: (name != Payer.API, not name, name))
    parts = tuple(bench.part(billing) for billing in billings)
    return Comparison(use.asked_days, use.days, parts, tuple(bench.said()))


def cached(usage: Usage, hit_rate: float) -> Usage:
    """What the same prompts would have used with more of them read from the cache; never with less."""
    unread = usage.prompt - usage.cache_read
    moved = max(0, int(hit_rate * usage.prompt) - usage.cache_read)
    if not moved:
        return usage
    written_5m, written_1h = (
        part * (unread - moved) // unread for part in (usage.cache_write_5m, usage.cache_write_1h)
    )
    return usage._replace(
        input=unread - moved - written_5m - written_1h,
        cache_write_5m=written_5m,
        cache_write_1h=written_1h,
        cache_read=usage.cache_read + moved,
    )


class _Bench:
    """One comparison under way."""

    def __init__(self, use: Use, sheet: Sheet, offers: Offers, terms: Terms) -> None:
        self._use, self._sheet, self._offers, self._terms = use, sheet, offers, terms
        self._at = use.until
        priced = ((name, sheet.find(name, use.until)) for name in offers.ladder)
        ladder = [(name, price) for name, price in priced if price]
        self._ladder = sorted(ladder, key=lambda rung: _dear(rung[1]), reverse=True)
        self._hit_rate = self._better_hit_rate()

    def part(self, billing: Payer) -> AccountUse:
        groups = tuple(group for group in self._use.groups if group.billing == billing)
        pico = sum(self._pico(group) for group in groups)
        tokens = sum(fresh(group.usage) for group in groups)
        peak = max(self._use.peaks.get(billing, 0), ceil(tokens * MINUTE / self._use.span))
        month = self._month(pico)
        paid = [
            PaymentOption("list", "pay per use", "pay", month, True),
            *self._plans(month, billing),
            *self._committed(tokens, peak, month),
        ]
        ways = [*sorted(paid, key=_order), *sorted(self._changes(groups, month), key=_order)]
        messages = sum(group.messages for group in groups)
        mean = tokens * MINUTE / self._use.span
        return AccountUse(billing, messages, booked(groups), month, mean, peak, tuple(ways))

    # ----------------------------------------------------------------------- prices

    def _price(self, group: Alike) -> Price:
        return self._sheet.find(group.model, self._at) or self._sheet.dearest(self._at)

    def _pico(
        self, group: Alike, price: Price | None = None, usage: Usage | None = None, batch: bool | None = None
    ) -> int:
        """Price a group at today's prices, or at another model's, with other tokens, or as a batch.

        What has no tokens cannot be priced anew: it stays what was booked.
        """
        if not any(group.usage):
            return group.pico
        wanted = price or self._price(group)
        how = {"fast": group.fast and price is None, "us": group.us, "batch": group.batch if batch is None else batch}
        return self._sheet.total(wanted, usage or group.usage, long=group.over >= wanted.long_over > 0, **how)

    def _month(self, pico: int) -> int:
        return micro(pico * MONTH // self._use.span)

    # ----------------------------------------------------------------------- other ways to pay

    def _plans(self, month: int, billing: Payer) -> Iterator[PaymentOption]:
        for plan in self._offers.plans:
            own = plan.key == self._use.own_plan and billing == Payer.PLAN
            number = max(plan.seats_from, self._use.logins if own else 1)
            seats = plan.month * number
            name = plan.name if number == 1 else f"{plan.name} × {number}"
            if plan.usage_billed:
                yield PaymentOption(
                    f"plan:{plan.key}", f"{name} + use", "pay", seats + month, True, "never below pay per use"
                )
            else:
                holds, note = self._carried() if own else (None, "")
                note += _pays(plan, number, month, billing)
                yield PaymentOption(f"plan:{plan.key}", name, "pay", seats, holds, note, fixed=True)

    def _carried(self) -> tuple[bool | None, str]:
        """Whether the user's own plan carried what it covered."""
        full = [week.account for week in self._use.weeks if week.used >= 100]
        return (None, f"yours, used up by {full[0]}; ") if full else (True, "yours, it carried this; ")

    def _committed(self, tokens: int, peak: int, month: int) -> Iterator[PaymentOption]:
        """Price an offer of throughput: as many units as the mean needs, and as many as the peak does."""
        terms = self._terms
        if not (terms.committed and terms.tokens_per_minute):
            return
        unit = terms.committed * (MONTH // 3_600_000)
        a_month = terms.tokens_per_minute * (MONTH // MINUTE)
        used = tokens * MONTH / self._use.span
        even = unit * used / (month * a_month) if month else None
        pays = "never pays: nothing was used" if even is None else f"a unit pays from {percent(100 * even)} use on"
        mean = tokens * MINUTE / self._use.span
        for key, rate, holds in (("mean", mean, None), ("peak", peak, True)):
            units = max(1, ceil(rate / terms.tokens_per_minute))
            load = 100 * mean / (units * terms.tokens_per_minute)
            name = f"committed, {key}: {units} unit{'s' if units > 1 else ''}"
            yield PaymentOption(
                f"committed:{key}", name, "pay", units * unit, holds, f"{pays}; here {percent(load)}", fixed=True
            )

    # ----------------------------------------------------------------------- other ways to do it

    def _changes(self, groups: tuple[Alike, ...], month: int) -> Iterator[PaymentOption]:
        yield self._batch(groups, month)
        rate = self._hit_rate
        pico = sum(self._pico(group, usage=cached(group.usage, rate)) for group in groups)
        now = _hit_rate(groups)
        more = f"cache hits from {percent(100 * now)} to {percent(100 * rate)}"
        reached = more if rate > now else f"cache hits are at {percent(100 * now)} already"
        yield PaymentOption("cache", "better caching", "change", self._month(pico), None, reached)
        yield from self._cheaper(groups, month)

    def _batch(self, groups: tuple[Alike, ...], month: int) -> PaymentOption:
        share = self._terms.can_wait
        batch = self._month(sum(self._pico(group, batch=True) for group in groups))
        mixed = month - round((month - batch) * share)
        return PaymentOption(
            "batch", "as a batch", "change", mixed, None, f"if {percent(100 * share)} of it can wait for a day"
        )

    def _cheaper(self, groups: tuple[Alike, ...], month: int) -> Iterator[PaymentOption]:
        next_down = self._month(sum(self._pico(group, self._below(self._price(group))) for group in groups))
        if next_down < month:
            yield PaymentOption("cheaper", "next cheaper model", "change", next_down, None, self._steps(groups))
        for name, price in self._ladder:
            pico = sum(self._pico(group, self._at_most(price, group)) for group in groups)
            if self._month(pico) < month:
                yield PaymentOption(
                    f"most:{name}", f"at most {_short(name)}", "change", self._month(pico), None, "the same tokens"
                )

    def _below(self, price: Price) -> Price | None:
        """The next cheaper of today's models; None: there is none."""
        return next((rung for _, rung in self._ladder if _dear(rung) < _dear(price)), None)

    def _at_most(self, price: Price, group: Alike) -> Price | None:
        return price if _dear(price) < _dear(self._price(group)) else None

    def _steps(self, groups: tuple[Alike, ...]) -> str:
        """Which model gives way to which; what came without tokens is of no model."""
        names = {id(price): name for name, price in self._ladder}
        steps = {group.model: self._below(self._price(group)) for group in groups if any(group.usage)}
        return ", ".join(f"{_short(model)} → {_short(names[id(to)])}" for model, to in steps.items() if to)

    # ----------------------------------------------------------------------- what it all takes for granted

    def _better_hit_rate(self) -> float:
        if self._terms.hit_rate is not None:
            return self._terms.hit_rate
        whole = _hit_rate(self._use.groups)
        return max((rate for rate in self._use.hit_rates.values() if rate > whole), default=GOOD_HIT_RATE)

    def said(self) -> Iterator[str]:
        """What was taken for granted."""
        use = self._use
        if not use.groups:
            return
        yield _measured(use)
        yield f"prices: {self._sheet.source or 'of the sheet'}; plans and models as of {self._offers.as_of}"
        yield from self._oddities()
        if any(map(_is_telling, use.weeks)):
            yield "plans: nobody publishes the tokens of their windows; what a login's own week held is worked out:"
        else:
            yield "plans: no reading of what one holds: windows are in per cent, and nobody publishes their tokens"
        for week in use.weeks:
            yield _held(week)
        yield "batch: an answer within a day; Claude Code itself cannot use it, programs of your own can"
        yield f"better caching: the same prompts and answers, {self._whose_hit_rate()}"
        yield "cheaper models: the same tokens; a smaller model may need more turns, or fail"
        terse = sorted({bare_name(group.model) for group in use.groups} & set(self._offers.terse))
        if terse:
            yield f"cheaper models: about 30 % more tokens than said where {', '.join(terse)} gives way to a later one"
        if any(group.fast for group in use.groups):
            yield "cheaper models and batch: at normal speed, where fast mode was used"
        if self._terms.committed:
            yield (
                "committed throughput: tokens read from the cache do not count, as they do not in the API's limits; "
                "for the mean means that peaks wait or are refused"
            )

    def _oddities(self) -> Iterator[str]:
        use = self._use
        for billing in sorted({group.billing for group in use.groups}):
            groups = tuple(group for group in use.groups if group.billing == billing)
            sign = _sign(billing)
            hidden = booked(tuple(group for group in groups if not any(group.usage)))
            if hidden:
                yield f"{sign}{dollars(hidden)} came without tokens (what Claude says beyond messages): kept as booked"
            then, now = booked(groups), micro(sum(self._pico(group) for group in groups))
            if abs(then - now) > max(then, now) // 200:
                yield f"prices have changed: booked as {sign}{dollars(then)} is {sign}{dollars(now)} at today's"
        odd = sorted({group.model for group in use.groups if group.unpriced})
        if odd:
            yield f"no price for {', '.join(odd)}: counted as the dearest (see prices.toml)"

    def _whose_hit_rate(self) -> str:
        if self._terms.hit_rate is not None:
            return "at the hit rate that you said"
        best = [name for name, rate in self._use.hit_rates.items() if rate == self._hit_rate]
        rate = percent(100 * self._hit_rate)
        return f"at {rate}, as your profile {best[0] or '(none)'} has it" if best else f"at {rate}, which is common"


def _measured(use: Use) -> str:
    if use.until - use.since < DAY:
        return "less than a day measured, taken as a whole day; a month is 30 such days"
    if use.days < use.asked_days:
        return f"{days(use.days)} measured of the {use.asked_days} asked for; a month is 30 days at this rate"
    return f"{days(use.days)} measured; a month is 30 days at this rate"


def _is_telling(week: Week) -> bool:
    """Whether enough of a week is used, and metered here, to say what all of it holds."""
    return week.used >= ENOUGH_USED and week.spent > 0


def _held(week: Week) -> str:
    """What a plan of the user's own holds, by what was metered while it was used."""
    if not _is_telling(week):
        return f"{week.account}: {week.used} % of its week is used: too little of it metered here to say what it holds"
    whole = week.spent * 100 // week.used
    return (
        f"{week.account}: {week.used} % of its week is used, with ≈{dollars(week.spent)} of it metered here: a week "
        f"of it holds about ≈{dollars(whole)}, a month ≈{dollars(whole * 30 // 7)}; more if others use it, too"
    )


def _pays(plan: Plan, number: int, month: int, billing: Payer) -> str:
    """Where so many of a plan break even, by the list price of what is used."""
    text = f"pays from {dollars(plan.month * number)} of use on; yours is {_sign(billing)}{dollars(month)}"
    if plan.month_paid_yearly is not None:
        text += f"; {dollars(plan.month_paid_yearly * number)} paid yearly"
    if plan.api_credit:
        text += f"; {dollars(plan.api_credit * number)} of the API with it, not for Claude Code"
    return text + (f"; unsure: {plan.unsure}" if plan.unsure else "")


def _sign(billing: Payer) -> str:
    """Mark what is worth so much, and not billed."""
    return "" if billing == Payer.API else "≈"


def _hit_rate(groups: tuple[Alike, ...]) -> float:
    prompt = sum(group.usage.prompt for group in groups)
    return sum(group.usage.cache_read for group in groups) / prompt if prompt else 0.0


def _dear(price: Price) -> tuple[int, int]:
    return price.rates.output, price.rates.input


def _order(way: PaymentOption) -> tuple[int, str]:
    return way.month, way.key


def _short(model: str) -> str:
    return model.removeprefix("claude-")
