"""What limits leave, from readings: pure arithmetic on what was read, when, and until when it holds.

A plan's windows are readings of somebody else's count (`disputes`: which of them counts). One is gone once it has begun
anew: what is used of it then, nobody knows. Times are UTC milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controlroom.domain.gauges import Headroom

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

_LENGTHS = {"five_hour": 5 * HOUR, "seven_day": 7 * DAY}
_NAMES = {"five_hour": "5 h", "seven_day": "week", "overage": "overage"}
_LONGEST = 40 * DAY
"""How far ahead a window of unknown length may begin anew: a month, and a little."""
_KEPT = DAY
"""How long a reading of unknown length counts when nobody says when its window begins anew."""

OVERAGE = "overage"
"""The window of what a plan does not cover: billed, when its owner has allowed that."""

UNREAD = "plan"
"""Stands for the windows of a login of which nothing has been read."""


@dataclass(frozen=True)
class Reading:
    """How much of one window of one login was used at one moment."""

    account: str
    window: str
    """`five_hour`, `seven_day`, `seven_day_opus`, …"""
    at: int
    percent: float | None = None
    """None: not said, but that it is (not) used up."""
    resets: int = 0
    """When the window begins anew; 0: not said."""
    rejected: bool = False
    """Nothing more is let through."""
    source: str = ""
    in_use: bool = False
    """Of overage: what the plan does not cover is billed."""

    @property
    def key(self) -> tuple[str, str]:
        """What names the window."""
        return self.account, self.window

    @property
    def ends(self) -> int:
        """When it no longer counts."""
        return self.resets or self.at + (length(self.window) or _KEPT)

    @property
    def began(self) -> int:
        """When the window began, 0 when that is not known."""
        span = length(self.window)
        return self.resets - span if self.resets and span else 0

    @property
    def used(self) -> int | None:
        """Whole per cent that are used; one that lets nothing through is used up."""
        if self.rejected:
            return max(100, int(self.percent or 0))
        return None if self.percent is None else int(self.percent)


Readings = Mapping[tuple[str, str], Reading]


def length(window: str) -> int | None:
    """Say how long a window is, None when that is not known."""
    return _LENGTHS.get(window) or (_LENGTHS["seven_day"] if window.startswith("seven_day_") else None)


def window_name(window: str) -> str:
    """Name a window as people do: `5 h`, `week`, `week Opus`."""
    if window.startswith("seven_day_"):
        return f"week {_words(window.removeprefix('seven_day_'))}"
    return _NAMES.get(window) or window.replace("_", " ")


def _words(name: str) -> str:
    return name.title() if "_" not in name else name.replace("_", " ")


def model_of(window: str) -> str:
    """Give what the models of a window have in their names, "" when it counts them all."""
    scope = window.removeprefix("seven_day_")
    return scope if scope != window and "_" not in scope else ""


def believable(reading: Reading, now: int) -> Reading:
    """Take away an end that cannot be: nobody knows it then, but what is used counts."""
    furthest = now + (length(reading.window) or _LONGEST) + HOUR
    return reading if 0 <= reading.resets <= furthest else replace(reading, resets=0)


def lasting(readings: Readings, now: int) -> list[Reading]:
    """Give those that still count, by account, the shortest window first."""
    kept = [reading for reading in readings.values() if reading.ends > now]
    return sorted(kept, key=lambda reading: (reading.account, length(reading.window) or _LONGEST, reading.window))


def window_gauge(
    reading: Reading, buffer: int | None, shares: Mapping[str, int], disputed: tuple[str, ...] = ()
) -> Headroom:
    """Make a gauge of a reading. `buffer`: the operator's own end, in per cent; `disputed`: by which hosts."""
    return Headroom(
        account=reading.account,
        name=window_name(reading.window),
        kind="window",
        used=reading.used,
        limit=100,
        resets=reading.resets,
        source=reading.source,
        at=reading.at,
        buffer=buffer,
        shares=shares,
        disputed=disputed,
    )


def credit_gauge(credit: int, billed: int, resets: int, source: str, now: int) -> Headroom:
    """Make the gauge of a plan's monthly API credit, in micro-dollars: worked out from what keys were billed here."""
    limit = ("API", "credit", "credit")
    return Headroom(*limit, billed, credit, resets, source, now - now % MINUTE, measured=False)


def unread(account: str) -> Headroom:
    """Make a gauge for a login of which nothing has been read; its source says where a reading would come from."""
    return Headroom(account, UNREAD, "window", source="comes with its agents' next answer")


def per_mille(parts: Mapping[str, int]) -> dict[str, int]:
    """Say who has which share of a sum; what rounds to nothing is left out."""
    whole = sum(parts.values())
    shares = {name: round(1000 * part / whole) for name, part in parts.items()} if whole else {}
    return {name: share for name, share in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])) if share}
