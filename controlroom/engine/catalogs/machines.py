"""Machines and their prices, out of a data file, with the user's own machines.toml on top."""

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from controlroom.domain.calculators.machines import Machine, Market
from controlroom.engine.catalogs.offers import shipped
from controlroom.engine.config.settings import Table
from controlroom.engine.config.toml_tables import read
from controlroom.protocol.home import Home

SHIPPED = Path(__file__).parent / "data" / "machines.toml"

_GIBIBYTE = 1024**3
_MEBIBYTE = 1024**2


class SizeTable(Table):
    """One size."""

    name: str = Field(min_length=1, max_length=40, description="what the provider calls it")
    vcpus: int = Field(ge=1, le=4096, description="virtual processors")
    memory_gib: float = Field(gt=0, le=65_536, allow_inf_nan=False, description="GiB of memory")
    month: float = Field(ge=0, le=10_000_000, allow_inf_nan=False, description="what a month costs")


class ProviderTable(Table):
    """Somebody who sells machines."""

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
    """Give the machines. Raises `ConfigProblem` for a wrong machines.toml."""
    ours, own = shipped(SHIPPED, MachinesFile), read(home.machines, MachinesFile)
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
