"""Machines that agents can live on: how many of them are needed, and what a month costs. Memory alone decides."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


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
    found = list(_housings(market, agents, memory))
    return tuple(sorted(found, key=lambda one: (one.machine.provider, one.month, one.machines)))


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
