"""A price sheet as a JSON value: how it is kept at home and sent to hosts. Every number is checked on the way in."""

from typing import Any

from controlroom.metering.prices import DOLLAR, Factors, Price, Rates, Sheet

FORMAT = 1

MOST = DOLLAR // 1000
"""Pico-dollars a token at most: a thousand dollars for a million tokens is nobody's price."""

_MOST_MODELS = 10_000
_NAME = 200


def to_value(sheet: Sheet) -> dict[str, Any]:
    """Write a sheet as what `json.dumps` takes."""
    return {
        "format": FORMAT,
        "source": sheet.source,
        "factors": list(sheet.factors),
        "web_search": sheet.web_search,
        "aliases": sheet.aliases,
        "prices": [
            [price.model, price.since, price.long_over, list(price.rates), _long(price)] for price in sheet.prices
        ],
    }


def from_value(value: Any) -> Sheet:
    """Read a sheet. Raises `ValueError` saying what does not fit."""
    try:
        if value["format"] != FORMAT:
            raise ValueError(f"it has format {ascii(value['format'])[:20]}, this one reads {FORMAT}")
        rows, aliases = value["prices"], value["aliases"]
        if len(rows) > _MOST_MODELS or len(aliases) > _MOST_MODELS:
            raise ValueError("it names more models than there can be")
        return Sheet(
            [_price(*row) for row in rows],
            factors=Factors._make(_whole(factor, 10_000) for factor in value["factors"]),
            web_search=_whole(value["web_search"], 10 * DOLLAR),
            aliases={_text(alias): _text(name) for alias, name in aliases.items()},
            source=_text(value["source"]),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it is no price sheet: {type(error).__name__} {error}"[:200]) from None


def _long(price: Price) -> list[int]:
    return list(price.long) if price.long else []


def _price(model: Any, since: Any, long_over: Any, rates: Any, long: Any) -> Price:
    return Price(
        _text(model), _rates(rates), _whole(since, 2**53), _whole(long_over, 10**9), _rates(long) if long else None
    )


def _rates(values: Any) -> Rates:
    return Rates._make(_whole(value, MOST) for value in values)


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{ascii(value)[:40]} is no price")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _NAME:
        raise ValueError(f"{ascii(value)[:40]} is no name")
    return value
