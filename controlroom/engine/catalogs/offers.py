"""Anthropic's plans and limits, and machines for rent: data files, with plans.toml and machines.toml on top.

What the user's file names takes the place of ours: a plan, a tier, a size; inside a class of models, single tiers.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal, TypeVar

import tomllib
from pydantic import Field, field_validator

from controlroom.domain.calculators.offers import Machine, Market, Offers, Plan
from controlroom.domain.calculators.use import Requests
from controlroom.domain.limits.buckets import Ceilings, ModelClass, Tier, Tiers
from controlroom.domain.words import nearest
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.config.toml_tables import Table, read
from controlroom.metering.usage import MOST_TOKENS
from controlroom.protocol.home import Home

_SHIPPED_PLANS = Path(__file__).parent / "data" / "plans.toml"

F = TypeVar("F", bound=Table)

_MOST = 10**12


class PlanTable(Table):
    """A subscription, or a seat of one; US dollars."""

    name: str = Field(min_length=1, max_length=40, description="what it is called")
    month: float = Field(ge=0, le=1_000_000, allow_inf_nan=False, description="US dollars a month")
    month_paid_yearly: float | None = Field(
        None, ge=0, le=1_000_000, allow_inf_nan=False, description="US dollars a month when paid for a year"
    )
    windows: list[str] = Field([], description="what it is limited by, in words")
    api_credit: float = Field(
        0.0, ge=0, le=1_000_000, allow_inf_nan=False, description="US dollars of the API that come with it each month"
    )
    usage_billed: bool = Field(False, description="whether all use is billed on top, at API prices")
    seats_from: int = Field(1, ge=1, le=100_000, description="seats that one has to buy at least")
    unsure: str = Field("", description="what of it is not certain")


class TierTable(Table):
    """A tier of the API."""

    name: str = Field(min_length=1, max_length=40, description="what it is called")
    spend_cap: float | None = Field(
        None, ge=0, le=_MOST, allow_inf_nan=False, description="US dollars in a calendar month; unset: none"
    )


class CeilingsTable(Table):
    """What a model class may use in a minute."""

    requests: int = Field(ge=1, le=_MOST, description="requests a minute")
    input: int = Field(ge=1, le=_MOST, description="tokens a minute that are not read from the cache")
    output: int = Field(ge=1, le=_MOST, description="tokens a minute that are produced")


class ClassTable(Table):
    """Models that share one bucket."""

    models: list[str] = Field([], description="the models that share it; unset: those of our own list")
    ceilings: dict[str, CeilingsTable] = Field({}, description="by tier")
    unsure: str = Field("", description="what of it is not certain")


class TypicalTable(Table):
    """What a request is like where none has been measured."""

    model: str = Field(min_length=1, max_length=200, description="the model that is taken where none is said")
    prompt: list[int] = Field(min_length=3, max_length=3, description="tokens of a prompt: low, middle, high")
    output: list[int] = Field(min_length=3, max_length=3, description="tokens of an answer: low, middle, high")
    cache_hit: float = Field(ge=0, le=1, description="which share of the prompts comes out of the cache")
    source: str = Field("assumed", description="where these figures come from")

    @field_validator("prompt", "output")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if not 0 <= value[0] <= value[1] <= value[2] <= MOST_TOKENS:
            raise ValueError(f"expected three numbers of tokens, the smallest first, up to {MOST_TOKENS}")
        return value


class PlansFile(Table):
    """All of plans.toml."""

    as_of: date | None = Field(None, description="the day of which these figures are")
    ladder: list[str] = Field([], description="today's models, that work could be given to instead")
    terse: list[str] = Field([], description="models that count fewer tokens for the same text than today's")
    typical: TypicalTable | None = Field(None, description="what a request is like where none has been measured")
    plans: dict[str, PlanTable] = Field(default_factory=dict)
    tiers: dict[str, TierTable] = Field(default_factory=dict)
    classes: dict[str, ClassTable] = Field(default_factory=dict)


def load_offers(home: Home) -> Offers:
    """Return what is for sale. Raises `ConfigProblem` for a wrong plans.toml."""
    ours, own = shipped(_SHIPPED_PLANS, PlansFile), read(home.plans, PlansFile)
    tiers = {**ours.tiers, **own.tiers}
    theirs = {key: _over(ours.classes.get(key), table) for key, table in own.classes.items()}
    for key, table in theirs.items():
        for tier in table.ceilings.keys() - tiers.keys():
            raise ConfigProblem(
                f"{home.plans}: classes.{key}.ceilings.{tier}: there is no such tier{nearest(tier, tiers)}; "
                f"there are {', '.join(tiers)}, and any [tiers.NAME] of your own"
            )
    as_of = str(ours.as_of)
    if own.model_fields_set:
        as_of += f", and {home.plans.name}" + (f" of {own.as_of}" if own.as_of else "")
    return Offers(
        as_of,
        tuple(_plan(key, table) for key, table in {**ours.plans, **own.plans}.items()),
        Tiers(
            tuple(Tier(key, table.name, _micro(table.spend_cap)) for key, table in tiers.items()),
            tuple(_class(key, table) for key, table in {**theirs, **_without(ours.classes, theirs)}.items()),
        ),
        tuple(own.ladder or ours.ladder),
        tuple(own.terse or ours.terse),
        _typical(own.typical or ours.typical),
    )


def shipped(path: Path, kind: type[F]) -> F:
    """Read a data file that came with Control Room; it is right, or the installation is broken."""
    return kind.model_validate(tomllib.loads(path.read_text("utf-8")))


def _without(ours: Mapping[str, ClassTable], theirs: Mapping[str, ClassTable]) -> dict[str, ClassTable]:
    """Leave out what the user has said anew; theirs also come first, so that a model of theirs is found there."""
    return {key: table for key, table in ours.items() if key not in theirs}


def _over(ours: ClassTable | None, own: ClassTable) -> ClassTable:
    """Put the user's class over ours: its models where it names some, its tiers where it has them."""
    if ours is None:
        return own
    ceilings = {**ours.ceilings, **own.ceilings}
    return ClassTable(models=own.models or ours.models, ceilings=ceilings, unsure=own.unsure)


def _plan(key: str, table: PlanTable) -> Plan:
    return Plan(
        key,
        table.name,
        _micro(table.month) or 0,
        _micro(table.month_paid_yearly),
        tuple(table.windows),
        _micro(table.api_credit) or 0,
        table.usage_billed,
        table.seats_from,
        table.unsure,
    )


def _typical(table: TypicalTable | None) -> Requests | None:
    if table is None:
        return None
    return Requests(table.model, tuple(table.prompt), tuple(table.output), table.cache_hit, source=table.source)


def _class(key: str, table: ClassTable) -> ModelClass:
    ceilings = {
        tier: Ceilings(ceiling.requests, ceiling.input, ceiling.output) for tier, ceiling in table.ceilings.items()
    }
    return ModelClass(key, tuple(table.models), ceilings, table.unsure)


def _micro(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * 1_000_000)


_SHIPPED_MACHINES = Path(__file__).parent / "data" / "machines.toml"

_GIBIBYTE = 1024**3
_MEBIBYTE = 1024**2


class SizeTable(Table):
    """One size."""

    name: str = Field(min_length=1, max_length=40, description="what the provider calls it")
    vcpus: int = Field(ge=1, le=4096, description="virtual processors")
    memory_gib: float = Field(gt=0, le=65_536, allow_inf_nan=False, description="GiB of memory")
    month: float = Field(ge=0, le=10_000_000, allow_inf_nan=False, description="what a month costs")


class ProviderTable(Table):
    """A provider of machines."""

    name: str = Field(min_length=1, max_length=40, description="what it is called")
    currency: Literal["USD", "EUR", "GBP", "CHF"] = Field("USD", description="of the prices")
    as_of: date | None = Field(None, description="the day of which they are")
    note: str = Field("", max_length=200, description="what else is to be known of them")
    sizes: list[SizeTable] = Field([], max_length=1000, description="what it sells")


class MachinesFile(Table):
    """All of machines.toml."""

    reserve_mib: int | None = Field(None, ge=0, le=1024 * 1024, description="MiB that a machine keeps for itself")
    providers: dict[str, ProviderTable] = Field(default_factory=dict)


def load_machines(home: Home) -> Market:
    """Return the machines. Raises `ConfigProblem` for a wrong machines.toml."""
    ours, own = shipped(_SHIPPED_MACHINES, MachinesFile), read(home.machines, MachinesFile)
    providers = {**ours.providers, **own.providers}
    reserve = ours.reserve_mib if own.reserve_mib is None else own.reserve_mib
    return Market(
        tuple(_machine(table, size) for table in providers.values() for size in table.sizes),
        (reserve or 0) * _MEBIBYTE,
        tuple(_note(table) for table in providers.values() if table.sizes),
    )


def _machine(table: ProviderTable, size: SizeTable) -> Machine:
    memory, month = round(size.memory_gib * _GIBIBYTE), round(size.month * 1_000_000)
    return Machine(table.name, size.name, size.vcpus, memory, month, table.currency, _day(table))


def _note(table: ProviderTable) -> str:
    return f"{table.name}: prices of {_day(table) or 'a day that is not said'}" + (
        f"; {table.note}" if table.note else ""
    )


def _day(table: ProviderTable) -> str:
    return str(table.as_of) if table.as_of else ""
