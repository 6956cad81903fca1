"""What is for sale: plans, with what they are limited by, and machines that agents can live on.

How many tokens a plan holds is published by nobody: it has windows and percentages. Money is millionths, a month.
"""

from collections.abc import Iterable, Iterator
from dataclasses import field

from controlroom.domain.calculators.use import Requests
from controlroom.domain.limits.buckets import Tiers
from controlroom.domain.words import dollars
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Plan:
    """One plan, or one seat of it. Money is micro-dollars a month."""

    key: str
    name: str
    month: int
    month_paid_yearly: int | None = None
    windows: tuple[str, ...] = ()
    """What it is limited by, in words: `5 h`, `week`."""
    api_credit: int = 0
    """Dollars for the API that come with it, which Claude Code cannot use."""
    usage_billed: bool = False
    """Whether all use is billed on top, at API prices."""
    seats_from: int = 1
    """Seats that one has to buy at least."""
    unsure: str = ""


@dataclass(frozen=True)
class Offers:
    """What is for sale, as of a day."""

    as_of: str
    plans: tuple[Plan, ...] = ()
    tiers: Tiers = field(default_factory=Tiers)
    ladder: tuple[str, ...] = ()
    """Today's models, for `what if a cheaper one did it`; in no order."""
    terse: tuple[str, ...] = ()
    """Models that count fewer tokens for the same text than today's."""
    typical: Requests | None = None
    """What requests are like where none has been measured."""


@dataclass(frozen=True)
class Machine:
    """One size that a provider sells."""

    provider: str
    name: str
    vcpus: int
    memory: int
    """Bytes."""
    month: int
    """Millionths of the currency, a month."""
    currency: str = "USD"
    as_of: str = ""
    """The day of which the price is."""


_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CHF": "CHF "}


def price_words(month: int, currency: str) -> str:
    """What a month costs, in its currency, without cents where there are none: `$30`, `€8.99`."""
    return dollars(month).removesuffix(".00").replace("$", _SIGNS[currency])


@dataclass(frozen=True)
class Market:
    """All machines that are known."""

    machines: tuple[Machine, ...] = ()
    reserve: int = 0
    """Bytes that a machine keeps for itself."""
    notes: tuple[str, ...] = ()
    """What is to be known of each provider's prices, in words."""


@dataclass(frozen=True)
class Housing:
    """So many machines of one size, and what they cost together."""

    machine: Machine
    each: int
    """Agents that one of them holds."""
    machines: int
    month: int
    """Millionths of the machine's currency."""


def housings(market: Market, agents: int, memory: int) -> tuple[Housing, ...]:
    """Say for each size how many it takes for agents of `memory` bytes each; by provider, the cheapest first."""
    choices = list(_housings(market, agents, memory))
    return tuple(sorted(choices, key=lambda one: (one.machine.provider, one.month, one.machines)))


def cheapest(found: Iterable[Housing], each: int = 2) -> tuple[Housing, ...]:
    """Keep the cheapest few of every provider, in their order."""
    kept: dict[str, list[Housing]] = {}
    for one in found:
        same = kept.setdefault(one.machine.provider, [])
        if len(same) < each:
            same.append(one)
    return tuple(one for same in kept.values() for one in same)


def _housings(market: Market, agents: int, memory: int) -> Iterator[Housing]:
    for machine in market.machines:
        each = (machine.memory - market.reserve) // max(1, memory)
        if each > 0:
            needed = -(-agents // each)
            yield Housing(machine, each, needed, needed * machine.month)
