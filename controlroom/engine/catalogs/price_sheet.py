"""The room's price sheet: list prices out of a pinned package, what it lacks, and the user's own on top.

The package is asked in a short process of its own, once for each of its versions. `prices.toml` beside config.toml
names what it lacks (another model, a price of its own day) and what is negotiated; it is checked like the config.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import Field

from controlroom.engine.atomic_file import replace_file
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.config.toml_tables import Table, read
from controlroom.metering.prices import DOLLAR, Factors, Price, Rates, Sheet, sheet_from_json
from controlroom.protocol.home import Home

PACKAGE = "genai-prices"
LISTER = "controlroom.engine.catalogs.list_prices"
CORRECTIONS = Path(__file__).parent / "data" / "prices.toml"
DEADLINE = 60.0
"""Seconds that reading the package may take."""


class Rules(Table):
    """What multiplies the price of every token."""

    batch_x: float = Field(0.5, gt=0, le=10, description="of a message in a batch")
    fast_x: float = Field(2.0, gt=0, le=10, description="of a message in fast mode")
    us_inference_x: float = Field(1.1, gt=0, le=10, description="of a message that is to run in the US only")
    discount_x: float = Field(1.0, gt=0, le=10, description="of everything: what was negotiated; 0.85 is 15 % off")


class ServerTools(Table):
    """What is paid by the piece."""

    web_search_per_1000: float = Field(10.0, ge=0, le=10_000, description="US dollars for a thousand web searches")


class ModelTable(Table):
    """US dollars per million tokens of one model."""

    input: float = Field(ge=0, le=1000)
    output: float = Field(ge=0, le=1000)
    cache_write_5m: float | None = Field(None, ge=0, le=1000, description="unset: 1.25 times input")
    cache_write_1h: float | None = Field(None, ge=0, le=1000, description="unset: twice input")
    cache_read: float | None = Field(None, ge=0, le=1000, description="unset: a tenth of input")
    long_prompt_over: int = Field(0, ge=0, description="a prompt of more tokens pays the long_ prices for every token")
    long_input: float | None = Field(None, ge=0, le=1000)
    long_output: float | None = Field(None, ge=0, le=1000)
    long_cache_write_5m: float | None = Field(None, ge=0, le=1000)
    long_cache_write_1h: float | None = Field(None, ge=0, le=1000)
    long_cache_read: float | None = Field(None, ge=0, le=1000)
    since: date | None = Field(None, description="the day (UTC) from which it holds; unset: always")
    aliases: list[str] = Field([], description="other names of the model")


class PricesFile(Table):
    """All of prices.toml."""

    rules: Rules = Field(default_factory=lambda: Rules.model_validate({}))
    server_tools: ServerTools = Field(default_factory=lambda: ServerTools.model_validate({}))
    models: dict[str, ModelTable] = Field(default_factory=dict)


class CorrectionsFile(Table):
    """All of what is shipped where the package is wrong: each model with its prices from day to day."""

    models: dict[str, list[ModelTable]] = Field(default_factory=dict)


def load(home: Home) -> Sheet:
    """Return the room's sheet. Raises `ConfigProblem` for a wrong prices.toml, or when there are no list prices."""
    return _with_own(corrected(_listed(home)), read(home.prices, PricesFile), home.prices)


def check(home: Home) -> None:
    """See that prices.toml can be used. Raises `ConfigProblem`."""
    read(home.prices, PricesFile)


def _listed(home: Home) -> Sheet:
    """Return the list prices, as they were kept or freshly asked."""
    kept = home.state_folder / f"list-prices-{version(PACKAGE)}.json"
    try:
        return sheet_from_json(json.loads(kept.read_bytes()))
    except (OSError, ValueError):
        listed = _asked()
    try:
        sheet = sheet_from_json(json.loads(listed))
    except ValueError as error:
        raise ConfigProblem(f"the list prices of {PACKAGE} cannot be read: {error}") from None
    _keep(kept, listed)
    return sheet


def corrected(listed: Sheet) -> Sheet:
    """Put right what the package lacks."""
    ours = read(CORRECTIONS, CorrectionsFile).models
    prices = [price for price in listed.prices if price.model not in ours]
    prices += [_price(name, table) for name, tables in ours.items() for table in tables]
    return Sheet(prices, aliases=listed.aliases, source=listed.source)


def _asked() -> bytes:
    argv = [sys.executable, "-m", LISTER]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigProblem(f"the list prices cannot be read: {error}") from None
    if done.returncode:
        complaint = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ConfigProblem(
            f"the list prices cannot be read: {complaint[-1] if complaint else done.returncode}; "
            f"is {PACKAGE} installed?"
        )
    return done.stdout


def _keep(path: Path, listed: bytes) -> None:
    """Keep it for the next start; without room for it, it is asked again then."""
    with contextlib.suppress(OSError):
        replace_file(path, listed)


def _with_own(listed: Sheet, own: PricesFile, path: Path) -> Sheet:
    if own == PricesFile.model_validate({}):
        return listed
    rules = own.rules
    factors = Factors(*(round(x * 1000) for x in (rules.batch_x, rules.fast_x, rules.us_inference_x, rules.discount_x)))
    theirs = [price for price in listed.prices if price.model not in own.models or own.models[price.model].since]
    ours = [_price(name, table) for name, table in own.models.items()]
    aliases = listed.aliases | {alias: name for name, table in own.models.items() for alias in table.aliases}
    return Sheet(
        [*theirs, *ours],
        factors=factors,
        web_search=_pico(own.server_tools.web_search_per_1000) * 1000,
        aliases=aliases,
        source=f"{listed.source}, {path.name}",
    )


def _price(name: str, table: ModelTable) -> Price:
    long = Rates(*_rates(table, "long_")) if table.long_prompt_over and table.long_input is not None else None
    since = table.since
    day = datetime(since.year, since.month, since.day, tzinfo=timezone.utc) if since else None
    return Price(
        name, Rates(*_rates(table, "")), round(day.timestamp() * 1000) if day else 0, table.long_prompt_over, long
    )


def _rates(table: ModelTable, prefix: str) -> Iterator[int]:
    """Yield the prices of each kind; what is not said follows from the price of input, as Anthropic's do."""
    base: float = getattr(table, f"{prefix}input")
    for kind, of_input in (
        ("input", 1.0),
        ("output", 5.0),
        ("cache_write_5m", 1.25),
        ("cache_write_1h", 2.0),
        ("cache_read", 0.1),
    ):
        value: Any = getattr(table, f"{prefix}{kind}")
        yield _pico(base * of_input if value is None else value)


def _pico(dollars_per_million: float) -> int:
    """Turn dollars per million into pico-dollars each, by the decimal figure that was written."""
    return round(Decimal(repr(dollars_per_million)) * (DOLLAR // 1_000_000))
