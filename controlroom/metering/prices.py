"""A price sheet, as a JSON value too, and exact arithmetic on it: what usage costs.

Prices are whole pico-dollars (10^-12 US dollars) per token, so that the smallest published price (a cache read at
$0.01 per million tokens), times any factor in force, is a whole number and a sum over millions of messages is exact.
Money that is shown or compared is micro-dollars, rounded once, at the end (`micro`).

The rules of the Claude API (its pricing page, 2026): a message pays for input, output, cache writes by how long they
live, and cache reads, each at its own price; a prompt beyond a model's limit pays the higher price for every token;
batch, fast mode and US-only inference multiply; web searches are paid by the piece.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from controlroom.metering.usage import Message, Usage
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern

DOLLAR = 10**12
"""Pico-dollars."""

_FORMAT = 1

_MOST = DOLLAR // 1000
"""Pico-dollars a token at most: a thousand dollars for a million tokens is nobody's price."""

_MOST_MODELS = 10_000
_NAME = 200
_PER_MILLE = 1000
_DATE = pattern(r"[-@]\d{8}$|[-@]\d{4}-\d{2}-\d{2}$|-latest$")
_VERSION = pattern(r"-v\d+(:\d+)?$")


class Rates(NamedTuple):
    """Pico-dollars per token."""

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int

    def of(self, usage: Usage) -> int:
        """Return the pico-dollars of a message's tokens."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_write_5m * self.cache_write_5m
            + usage.cache_write_1h * self.cache_write_1h
            + usage.cache_read * self.cache_read
        )


class Price(NamedTuple):
    """What a model costs from `since` on (UTC milliseconds; 0: always)."""

    model: str
    rates: Rates
    since: int = 0
    long_over: int = 0
    """A prompt of more tokens pays `long` for every token; 0: there is no such limit."""
    long: Rates | None = None


class Factors(NamedTuple):
    """What multiplies a message's tokens, per mille."""

    batch: int = 500
    fast: int = 2000
    us: int = 1100
    discount: int = 1000
    """A negotiated price: 850 is 15 % off."""


class Cost(NamedTuple):
    """What a message costs, in pico-dollars, and whether its model has a price on the sheet."""

    pico: int
    priced: bool


class Sheet:
    """Prices of models. A model that is not on it costs what the dearest one does, and is flagged."""

    def __init__(
        self,
        prices: Iterable[Price],
        *,
        factors: Factors = Factors(),  # noqa: B008 - a constant
        web_search: int = DOLLAR // 100,
        aliases: Mapping[str, str] | None = None,
        source: str = "",
    ) -> None:
        """`web_search`: pico-dollars a piece; `source`: where the prices come from and of which day, for people."""
        self.factors, self.web_search, self.source = factors, web_search, source
        self.aliases = dict(aliases or {})
        self._by_model: dict[str, list[Price]] = {}
        for price in sorted(prices, key=lambda price: price.since):
            self._by_model.setdefault(price.model, []).append(price)
        if not self._by_model:
            raise ValueError("a price sheet without prices")

    @property
    def prices(self) -> list[Price]:
        """Every price, by model and day."""
        return [price for model in sorted(self._by_model) for price in self._by_model[model]]

    @property
    def limits(self) -> set[int]:
        """The numbers of tokens beyond which prompts of some model have prices of their own."""
        return {price.long_over for price in self.prices if price.long_over}

    def find(self, model: str, at: int) -> Price | None:
        """Return the price of a model at a moment, None when it is not on the sheet.

        A model's first price also holds before its day: what it cost then is not known better.
        """
        prices = self._by_model.get(self._known_name(model))
        if prices is None:
            return None
        return next((price for price in reversed(prices) if price.since <= at), prices[0])

    def dearest(self, at: int) -> Price:
        """Return the price with the dearest output in force at a moment."""
        in_force = [self.find(model, at) for model in self._by_model]
        return max((price for price in in_force if price), key=lambda price: (price.rates.output, price.rates.input))

    def cost(self, message: Message) -> Cost:
        """Price one message at its own time."""
        price = self.find(message.model, message.at)
        applied = price or self.dearest(message.at)
        long = message.usage.prompt > applied.long_over
        how = {"fast": message.fast, "us": message.us, "batch": message.batch}
        return Cost(self.total(applied, message.usage, long=long, **how), price is not None)

    def total(self, price: Price, usage: Usage, *, long: bool, fast: bool, us: bool, batch: bool) -> int:
        """Return the pico-dollars of one message at a price, or of the sums of many that are alike in all of this.

        `long`: each prompt is beyond the limit of that price, where it has one.
        """
        rates = price.long if price.long is not None and long else price.rates
        whole = rates.of(usage) * self._factor(fast, us, batch) // (_PER_MILLE**4)
        return whole + usage.web_searches * self.web_search * self.factors.discount // _PER_MILLE

    def _factor(self, fast: bool, us: bool, batch: bool) -> int:
        factors = self.factors
        return (
            (factors.batch if batch else _PER_MILLE)
            * (factors.fast if fast and not batch else _PER_MILLE)
            * (factors.us if us else _PER_MILLE)
            * factors.discount
        )

    def _known_name(self, model: str) -> str:
        """Find a model's name on the sheet: as it stands, by an alias, or without what vendors and dates add to it."""
        name = model.split("[")[0].lower()
        for candidate in (name, bare_name(name)):
            canonical = self.aliases.get(candidate, candidate)
            if canonical in self._by_model:
                return canonical
        return ""


def micro(pico: int) -> int:
    """Round pico-dollars to micro-dollars, half up."""
    return (pico + DOLLAR // 2_000_000) // (DOLLAR // 1_000_000)


def bare_name(name: str) -> str:
    """Take off a model's name what vendors and dates add: `us.anthropic.claude-opus-5-5-20260901-v1:0` is
    `claude-opus-5-5`."""
    tail = name.rpartition("/")[2]
    tail = tail[tail.find("claude") :] if "claude" in tail else tail
    return _DATE.sub("", _VERSION.sub("", tail))


def sheet_to_json(sheet: Sheet) -> dict[str, Any]:
    """Write a sheet as what `json.dumps` takes."""
    return {
        "format": _FORMAT,
        "source": sheet.source,
        "factors": list(sheet.factors),
        "web_search": sheet.web_search,
        "aliases": sheet.aliases,
        "prices": [
            [price.model, price.since, price.long_over, list(price.rates), _long(price)] for price in sheet.prices
        ],
    }


def sheet_from_json(value: Any) -> Sheet:
    """Read a sheet. Raises `ValueError` saying what does not fit."""
    try:
        if value["format"] != _FORMAT:
            raise ValueError(f"it has format {ascii(value['format'])[:20]}, this one reads {_FORMAT}")
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
    return Rates._make(_whole(value, _MOST) for value in values)


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{ascii(value)[:40]} is no price")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _NAME:
        raise ValueError(f"{ascii(value)[:40]} is no name")
    return value
