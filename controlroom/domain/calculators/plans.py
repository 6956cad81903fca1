"""What a subscription costs. How many tokens one holds is published by nobody: it has windows and percentages."""

from dataclasses import dataclass, field

from controlroom.domain.calculators.use import Requests
from controlroom.domain.limits.tiers import Tiers


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
