"""Prices and offers to reckon with by hand: figures of November 2026."""

from __future__ import annotations

from controlroom.domain.calculators.offers import Offers, Plan
from controlroom.domain.limits.buckets import Ceilings, ModelClass, Tier, Tiers
from controlroom.metering.prices import DOLLAR, Price, Rates, Sheet

MTOK = 10**6
NOON = 1_795_348_800_000


def rates(*dollars: float) -> Rates:
    """Prices per million tokens: input, output, cache write 5 m and 1 h, cache read."""
    return Rates._make(round(price * DOLLAR / MTOK) for price in dollars)


HAIKU = rates(0.1, 0.5, 0.125, 0.2, 0.01)
SHEET = Sheet(
    [
        Price("claude-fable-5-2", rates(8, 40, 10, 16, 0.2)),
        Price("claude-opus-5-5", rates(4, 20, 5, 8, 0.2)),
        Price("claude-sonnet-5-5", rates(2, 10, 2.5, 4, 0.1)),
        Price("claude-haiku-5-5", HAIKU, 0, 100_000, Rates._make(5 * rate for rate in HAIKU)),
    ],
    source="a list",
)

MICRO = 10**6
OFFERS = Offers(
    "2026-11-22",
    (
        Plan("pro", "Pro", 20 * MICRO, 17 * MICRO),
        Plan("max", "Max", 100 * MICRO),
        Plan("team", "Team seat", 25 * MICRO, seats_from=5),
        Plan("enterprise", "Enterprise seat", 20 * MICRO, usage_billed=True),
    ),
    Tiers(
        (Tier("start", "Start", 500 * MICRO), Tier("scale", "Scale", 200_000 * MICRO)),
        (
            ModelClass(
                "sonnet-5-5",
                ("claude-sonnet-5-5",),
                {"start": Ceilings(1000, 2 * MTOK, 400_000), "scale": Ceilings(10_000, 10 * MTOK, 2 * MTOK)},
            ),
            ModelClass("haiku-5-5", ("claude-haiku-5-5",)),
        ),
    ),
    ("claude-haiku-5-5", "claude-fable-5-2", "claude-sonnet-5-5", "claude-opus-5-5"),
)
