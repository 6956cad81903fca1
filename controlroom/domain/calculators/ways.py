"""Ways to pay for what is used, and to use it otherwise: what a comparison asks and gives. Money is micro-dollars."""

from dataclasses import dataclass
from typing import Any

from controlroom.domain.money.costs import decimal


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
class Way:
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
class Part:
    """The use that one kind of account pays for, and its ways."""

    billing: str
    messages: int
    spent: int
    """What was booked in the measured time."""
    month: int
    """What a month costs by use: today's list prices, at the measured rate."""
    mean: float = 0.0
    """Tokens a minute, without those read from the cache, round the clock."""
    peak: int = 0
    """Those of the busiest minute."""
    ways: tuple[Way, ...] = ()
    """The cheapest first, those of kind `pay` before those of kind `change`."""

    def cheapest(self, *, sure: bool = False) -> Way:
        """Give the cheapest way to pay; `sure`: among those that certainly hold."""
        ways = [way for way in self.ways if way.kind == "pay" and way.holds is not False and (way.holds or not sure)]
        return min(ways, key=lambda way: way.month)


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    asked_days: int
    days: float
    """Measured days that it is worked out from."""
    parts: tuple[Part, ...] = ()
    said: tuple[str, ...] = ()
    """Everything that was taken for granted, a sentence each."""


def as_table(found: Comparison) -> dict[str, Any]:
    """Give it for scripts: dollars as decimal texts."""
    return {
        "asked_days": found.asked_days,
        "measured_days": round(found.days, 3),
        "parts": [_part_table(part) for part in found.parts],
        "assumptions": list(found.said),
    }


def _part_table(part: Part) -> dict[str, Any]:
    return {
        "billing": part.billing or None,
        "messages": part.messages,
        "booked_usd": decimal(part.spent),
        "month_usd": decimal(part.month),
        "tokens_per_minute": {"mean": round(part.mean, 3), "peak": part.peak},
        "cheapest": part.cheapest().key,
        "cheapest_that_holds": part.cheapest(sure=True).key,
        "ways": [
            {
                "way": way.key,
                "name": way.name,
                "kind": way.kind,
                "month_usd": decimal(way.month),
                "break_even_usd": decimal(way.month) if way.fixed else None,
                "holds": way.holds,
                "note": way.note,
            }
            for way in part.ways
        ],
    }
