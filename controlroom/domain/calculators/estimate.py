"""What a fleet of a given size would need: requests and tokens a minute against the API's tiers, dollars, machines.

Pure arithmetic. Low, middle and high are the quartiles of what was measured; where nothing was, figures that are named
as assumed. Money is micro-dollars a month.
"""

from collections.abc import Iterator
from fractions import Fraction

from controlroom.domain.calculators.offers import Housing, Market, Offers, housings
from controlroom.domain.calculators.use import Requests
from controlroom.domain.limits.buckets import Ceilings, Tier
from controlroom.domain.words import percent, size
from controlroom.metering.prices import Price, Sheet, micro
from controlroom.metering.usage import Usage
from controlroom.text.lazy_dataclass import dataclass

CASES = ("low", "mid", "high")


@dataclass(frozen=True)
class Wish:
    """What is to be estimated."""

    agents: int
    hours: float
    """Hours a day that each of them works."""
    per_hour: float
    """Requests an hour of each of them while it works."""
    model: str = ""
    """Empty: the one that was used most, else the usual one."""
    days: int = 30
    """Days of a month on which they work."""
    prompt: int | None = None
    """Tokens of a prompt; None: as measured, else as is usual; so are the next two."""
    output: int | None = None
    hit_rate: float | None = None
    """Which share of the prompts comes out of the cache (0 to 1)."""


@dataclass(frozen=True)
class Memory:
    """What an agent needs of a machine."""

    bytes: int
    source: str
    """Where the figure comes from, in words."""


@dataclass(frozen=True)
class EstimateInputs:
    """What is known of the world for an estimate."""

    sheet: Sheet
    offers: Offers
    market: Market
    memory: Memory
    yours: tuple[Tier, Ceilings | None] | None = None
    """The room's own tier with its ceilings; None: nobody has said which it has."""


@dataclass(frozen=True)
class Case:
    """One size of requests, and what comes of it."""

    name: str
    prompt: int
    output: int
    input_a_minute: float
    """Tokens that are not read from the cache, while all agents work; what the API's limit of input goes by."""
    output_a_minute: float
    month: int


@dataclass(frozen=True)
class TierFit:
    """How a tier stands to it in the high case: shares of its ceilings, 1 is all of it; None: not known."""

    key: str
    name: str
    requests: float | None
    input: float | None
    output: float | None
    spend: float | None
    holds: bool | None
    """Whether nothing is beyond its ceiling; None: one of them is not known, and none of the others is."""


@dataclass(frozen=True)
class Estimate:
    """All of it."""

    model: str
    requests_a_minute: float
    requests_a_month: int
    hit_rate: float
    cases: tuple[Case, ...] = ()
    mean: int | None = None
    """Dollars a month when every request is of the measured mean; None: nothing was measured."""
    tiers: tuple[TierFit, ...] = ()
    memory: int = 0
    """Bytes of one agent."""
    housings: tuple[Housing, ...] = ()
    said: tuple[str, ...] = ()
    """Everything that was taken for granted, a sentence each."""


def estimate(wish: Wish, usual: Requests, known: EstimateInputs, at: int) -> Estimate:
    """Work it all out, at the prices of the moment `at` (UTC milliseconds)."""
    model, sheet = wish.model or usual.model, known.sheet
    price = sheet.find(model, at) or sheet.dearest(at)
    minute = Fraction(wish.agents) * Fraction(wish.per_hour) / 60
    month = 60 * minute * Fraction(wish.hours) * wish.days
    hit_rate = usual.hit_rate if wish.hit_rate is None else wish.hit_rate
    usages = [_usage(prompt, output, wish, usual) for prompt, output in zip(usual.prompts, usual.outputs, strict=True)]
    months = [_month(sheet, price, usage, month) for usage in usages]
    cases = tuple(_case(name, usage, minute, each) for name, usage, each in zip(CASES, usages, months, strict=True))
    mean = None
    if usual.mean_prompt is not None and usual.mean_output is not None:
        whole = _usage(round(usual.mean_prompt), round(usual.mean_output), wish, usual)
        mean = _month(sheet, price, whole, month)
    memory = known.memory.bytes
    return Estimate(
        model,
        float(minute),
        round(month),
        hit_rate,
        cases,
        mean,
        tuple(_fits(known, model, float(minute), cases[-1])),
        memory,
        housings(known.market, wish.agents, memory),
        tuple(_said(wish, usual, known, at)),
    )


def _usage(prompt: int, output: int, wish: Wish, usual: Requests) -> Usage:
    """Split a prompt as those that were seen, or are wished for."""
    prompt = wish.prompt or prompt
    read = int(prompt * (usual.hit_rate if wish.hit_rate is None else wish.hit_rate))
    unread = prompt - read
    written_5m, written_1h = int(unread * usual.written_5m), int(unread * usual.written_1h)
    answer = output if wish.output is None else wish.output
    return Usage(unread - written_5m - written_1h, answer, written_5m, written_1h, read)


def _case(name: str, usage: Usage, minute: Fraction, month: int) -> Case:
    unread = usage.prompt - usage.cache_read
    return Case(name, usage.prompt, usage.output, float(unread * minute), float(usage.output * minute), month)


def _month(sheet: Sheet, price: Price, usage: Usage, requests: Fraction) -> int:
    pico = sheet.total(price, usage, long=usage.prompt > price.long_over, fast=False, us=False, batch=False)
    return micro(round(pico * requests))


def _fits(known: EstimateInputs, model: str, requests: float, case: Case) -> Iterator[TierFit]:
    """Hold it against the room's own tier, where that is known, then against all there are."""
    if known.yours:
        yield _fit(*known.yours, requests, case)
    for tier in known.offers.tiers.tiers:
        yield _fit(tier, known.offers.tiers.ceilings(tier.key, model), requests, case)


def _fit(tier: Tier, ceilings: Ceilings | None, requests: float, case: Case) -> TierFit:
    of_requests = of_input = of_output = None
    if ceilings is not None:
        of_requests = requests / ceilings.requests
        of_input, of_output = case.input_a_minute / ceilings.input, case.output_a_minute / ceilings.output
    spend = case.month / tier.spend_cap if tier.spend_cap else None
    shares = [of_requests, of_input, of_output, *([spend] if tier.spend_cap else [])]
    holds = None if None in shares else True
    if any(share is not None and share > 1 for share in shares):
        holds = False
    return TierFit(tier.key, tier.name, of_requests, of_input, of_output, spend, holds)


def _said(wish: Wish, usual: Requests, known: EstimateInputs, at: int) -> Iterator[str]:
    model = wish.model or usual.model
    if not wish.model:
        yield f"model: {model}, {'the one used most' if usual.messages else 'the usual one'}; say another with --model"
    if known.sheet.find(model, at) is None:
        yield f"no price for {model}: counted as the dearest (see prices.toml)"
    yield from _sizes(wish, usual, model)
    source = known.sheet.source or "of the sheet"
    yield f"a month is {wish.days} days of {wish.hours:g} hours; prices: {source}, nothing as a batch"
    yield "the pace is taken as even: bursts are higher, and a tier may be enforced over shorter spans than a minute"
    yield from _ceilings(known.offers, model)
    memory, kept = known.memory, size(known.market.reserve)
    yield f"memory: {size(memory.bytes)} an agent, {memory.source}; {kept} of each machine kept free"
    yield "machines: so many agents each by memory alone, their processors are not counted; prices change often"
    yield from known.market.notes


def _ceilings(offers: Offers, model: str) -> Iterator[str]:
    model_class = offers.tiers.class_of(model)
    if model_class is None or not model_class.ceilings:
        yield f"no reading of the tiers' ceilings for {model}: nobody has published them (see plans.toml)"
    else:
        unsure = f"; unsure: {model_class.unsure}" if model_class.unsure else ""
        yield f"tiers as of {offers.as_of}, for the high case: cache reads do not count{unsure}"


def _sizes(wish: Wish, usual: Requests, model: str) -> Iterator[str]:
    hits = None if wish.hit_rate is None else percent(100 * wish.hit_rate)
    wishes = (("prompts of", wish.prompt), ("answers of", wish.output), ("cache hits of", hits))
    stated = [f"{words} {value}" for words, value in wishes if value is not None]
    if stated:
        yield f"you said: {', '.join(stated)}"
    if len(stated) < 3:
        other = f" (of {usual.model})" if usual.model != model else ""
        yield f"requests: {usual.source}{other}"
        if usual.messages:
            yield "low, mid and high: a quarter, half and three quarters of them are no larger"
