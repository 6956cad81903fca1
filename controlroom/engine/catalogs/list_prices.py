"""The list prices of Anthropic's models, out of the package `genai-prices`, printed as one JSON line.

    python -m controlroom.engine.catalogs.list_prices

A process of its own, because the package brings 40 MB with it; the engine keeps what it prints until the package's
version changes. The data lies in the package: nothing is fetched.
"""

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from controlroom.metering.prices import DOLLAR, Price, Rates, Sheet, sheet_to_json

PACKAGE = "genai-prices"

_KINDS = ("input_mtok", "output_mtok", "cache_write_mtok", "cache_write_1h_mtok", "cache_read_mtok")
_OF_INPUT = {"cache_write_mtok": Decimal("1.25"), "cache_write_1h_mtok": Decimal(2), "cache_read_mtok": Decimal("0.1")}
"""What a kind costs that the package has no price for, as a multiple of input (Anthropic's pricing page, 2026)."""


def list_prices() -> Sheet:
    """Build the sheet."""
    from genai_prices import data

    anthropic = next(provider for provider in data.providers if provider.id == "anthropic")
    prices = [price for model in anthropic.models for price in _prices(model.id, model.prices)]
    aliases = {name: model.id for model in anthropic.models for name in _other_names(model)}
    return Sheet(prices, aliases=aliases, source=f"{PACKAGE} {version(PACKAGE)}")


def _prices(model: str, listed: Any) -> Iterator[Price]:
    """Yield a model's price, or one for each day from which another holds."""
    for condition in listed if isinstance(listed, list) else [None]:
        prices = listed if condition is None else condition.prices
        start = getattr(condition.constraint, "start_date", None) if condition is not None else None
        yield _price(model, prices, _midnight(start) if start else 0)


def _price(model: str, prices: Any, since: int) -> Price:
    base = Rates(*(_pico(prices, kind, 0) for kind in _KINDS))
    tiers = [tier for kind in _KINDS for tier in getattr(getattr(prices, kind, None), "tiers", ())]
    if not tiers:
        return Price(model, base, since)
    return Price(model, base, since, int(tiers[0].start), Rates(*(_pico(prices, kind, 1) for kind in _KINDS)))


def _pico(prices: Any, kind: str, tier: int) -> int:
    """Return the price of a kind of token in pico-dollars; `tier` 1: for long prompts."""
    price = getattr(prices, kind, None)
    if price is None:
        return round(_pico(prices, "input_mtok", tier) * _OF_INPUT[kind])
    if hasattr(price, "base"):
        price = price.tiers[0].price if tier and price.tiers else price.base
    return int(Decimal(price) * (DOLLAR // 1_000_000))


def _other_names(model: Any) -> Iterator[str]:
    """Yield the plain names among what matches a model."""
    for clause in getattr(model.match, "or_", [model.match]):
        name = getattr(clause, "equals", None) or getattr(clause, "starts_with", None)
        if name and name != model.id:
            yield name.rstrip("-@.")


def _midnight(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp() * 1000)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(sheet_to_json(list_prices())) + "\n")
