"""The limits as rows and records, so that screen, command line and scripts say the same. Times are UTC milliseconds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controlroom.domain.display.views import iso
from controlroom.domain.gauges import Headroom
from controlroom.domain.money.costs import decimal
from controlroom.domain.words import age, count, dollars, percent

Clock = Callable[[int], str]

_KINDS = ("window", "bucket", "credit")
_WINDOWS = ("5 h", "week")
_MOST_NAMED = 3


@dataclass(frozen=True)
class LimitRow:
    """One limit in words; an empty one is not known."""

    name: str
    used: str
    limit: str
    left: str
    resets: str
    age: str
    source: str
    who: str


def in_order(headroom: Iterable[Headroom]) -> list[Headroom]:
    """Sort limits: by account, windows first and the shortest of them, then the rest by name."""
    return sorted(headroom, key=_place)


def _place(one: Headroom) -> tuple[object, ...]:
    kind = _KINDS.index(one.kind) if one.kind in _KINDS else len(_KINDS)
    window = _WINDOWS.index(one.name) if one.name in _WINDOWS else len(_WINDOWS)
    return one.account, kind, window, one.name.partition(" ")[2], one.name


def left(one: Headroom) -> int | None:
    """Say how much may still be used before the operator's buffer begins; None: not known."""
    ends = one.limit if one.buffer is None else one.buffer
    return None if one.used is None or ends is None else max(0, ends - one.used)


def row(one: Headroom, now: int, clock: Clock) -> LimitRow:
    """Write a limit for a table."""
    if one.used is None:
        return LimitRow(one.name, "no reading", "", "", "", "", one.source, "")
    limit = _amount(one.limit, one.kind)
    return LimitRow(
        one.name,
        f"{'' if one.measured else '~'}{_amount(one.used, one.kind)}",
        limit if one.buffer is None else f"{_amount(one.buffer, one.kind)} of {limit}",
        _amount(left(one), one.kind),
        clock(one.resets) if one.resets else "",
        age(now - one.at) if one.at else "",
        f"{one.source}, disputed" if one.disputed else one.source,
        _who(one.shares),
    )


def _amount(value: int | None, kind: str) -> str:
    if value is None:
        return "–"
    if kind == "window":
        return percent(float(value))
    return dollars(value) if kind == "credit" else count(value)


def _who(shares: Mapping[str, int]) -> str:
    most = sorted(shares.items(), key=lambda pair: -pair[1])
    named = [f"{agent} {percent(share / 10)}" for agent, share in most[:_MOST_NAMED]]
    return ", ".join(named) + (f", {len(most) - _MOST_NAMED} more" if len(most) > _MOST_NAMED else "")


_UNITS = {"window": "percent", "bucket": "per_minute", "credit": "usd"}


def record(one: Headroom) -> dict[str, Any]:
    """Give a limit for scripts; null is not known. Shares are of what was used, 0 to 1."""

    def amount(value: int | None) -> int | str | None:
        return decimal(value) if value is not None and one.kind == "credit" else value

    return {
        "account": one.account,
        "limit": one.name,
        "kind": one.kind,
        "unit": _UNITS.get(one.kind),
        "used": amount(one.used),
        "of": amount(one.limit),
        "buffer": amount(one.buffer),
        "left": amount(left(one)),
        "resets_at": iso(one.resets),
        "read_at": iso(one.at),
        "source": one.source,
        "measured": one.measured,
        "disputed_by": list(one.disputed),
        "shares": {agent: share / 1000 for agent, share in one.shares.items()},
    }
