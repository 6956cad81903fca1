"""How far a reader is behind: whole keyed records that replace what it holds.

The newest wins: a patch is made between what a reader was last given and what is true now, however much lies between.
`apply(old, diff(old, new))` equals `new`, always.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from controlroom.domain.model import Agent, Fleet, Host, Limits, Profile

V = TypeVar("V")


@dataclass(frozen=True)
class Patch:
    """Records to put and keys to drop. `whole`: forget everything first (a snapshot)."""

    whole: bool = False
    room: str = ""
    hosts: Mapping[str, Host] = field(default_factory=dict)
    agents: Mapping[str, Agent] = field(default_factory=dict)
    profiles: Mapping[str, Profile] | None = None
    """All of them, or None when they are as they were."""
    limits: Limits | None = None
    dropped_hosts: tuple[str, ...] = ()
    dropped_agents: tuple[str, ...] = ()


def snapshot(fleet: Fleet) -> Patch:
    """Give a patch that brings any reader to `fleet`."""
    return Patch(True, fleet.room, fleet.hosts, fleet.agents, fleet.profiles, fleet.limits)


def diff(old: Fleet, new: Fleet) -> Patch:
    """Give what a reader that holds `old` lacks. Compares records by identity first, so it is cheap."""
    return Patch(
        room=new.room,
        hosts=_put(old.hosts, new.hosts),
        agents=_put(old.agents, new.agents),
        profiles=None if old.profiles == new.profiles else new.profiles,
        limits=None if old.limits == new.limits else new.limits,
        dropped_hosts=tuple(key for key in old.hosts if key not in new.hosts),
        dropped_agents=tuple(key for key in old.agents if key not in new.agents),
    )


def apply(fleet: Fleet, patch: Patch) -> Fleet:
    """Give the fleet that a reader holds after `patch`."""
    if patch.whole:
        fleet = Fleet()
    return replace(
        fleet,
        room=patch.room,
        hosts=_merged(fleet.hosts, patch.hosts, patch.dropped_hosts),
        agents=_merged(fleet.agents, patch.agents, patch.dropped_agents),
        profiles=fleet.profiles if patch.profiles is None else patch.profiles,
        limits=patch.limits or fleet.limits,
    )


def is_empty(patch: Patch) -> bool:
    """Say whether a patch changes nothing."""
    return patch == Patch(room=patch.room)


def _put(old: Mapping[str, V], new: Mapping[str, V]) -> dict[str, V]:
    if old is new:
        return {}
    return {key: value for key, value in new.items() if old.get(key) is not value and old.get(key) != value}


def _merged(held: Mapping[str, V], put: Mapping[str, V], dropped: tuple[str, ...]) -> Mapping[str, V]:
    if not put and not dropped:
        return held
    return {key: value for key, value in {**held, **put}.items() if key not in dropped}
