"""Who is attached to a room: people at front ends, from where, with what rights, since when."""

from collections.abc import Callable, Iterable, Sequence

from controlroom.domain.display.views import Line
from controlroom.domain.words import age
from controlroom.text.lazy_dataclass import dataclass

_MAY = {"all": "may do everything", "look": "may only look"}


@dataclass(frozen=True)
class FrontEnd:
    """One front end at the engine. `who` and `terminal` are what it says of itself; `rights` the engine's own word."""

    who: str
    """As the audit names them: `ann`, `ann from 192.0.2.7`."""
    role: str
    """`tui`, `cli` or `watch`."""
    rights: str
    """`all` or `look`."""
    since: int
    """UTC milliseconds."""
    terminal: str = ""
    """`pts/3`, where it says so."""
    bridged: bool = False
    """It comes over an SSH link, through a bridge."""
    asks: bool = False
    """It is the one that asks who is there."""


HEAD = ("WHO", "SCREEN", "ON", "MAY", "FOR")


def cells(front_end: FrontEnd, now: int) -> tuple[str, ...]:
    """Write one as a row under `HEAD`. `now`: UTC milliseconds."""
    parts = [front_end.terminal, "ssh" if front_end.bridged else ""]
    on = " over ".join(part for part in parts if part) or "-"
    who = f"{front_end.who} (this one)" if front_end.asks else front_end.who
    return who, front_end.role, on, front_end.rights, age(now - front_end.since)


def lines(front_ends: Sequence[FrontEnd], now: int, clock: Callable[[int], str]) -> list[Line]:
    """Write all of them for people: a line each, and one of what it is and since when."""
    drawn = []
    for number, one in enumerate(front_ends, 1):
        where = f" on {one.terminal}" if one.terminal else ""
        over = ", over ssh" if one.bridged else ""
        drawn.append(Line(str(number), f"{one.who}{' (this one)' if one.asks else ''}", "strong"))
        since = f"since {clock(one.since)}, {age(now - one.since)}"
        drawn.append(Line("", f"{one.role}{where}{over} · {_MAY.get(one.rights, one.rights)} · {since}"))
    return drawn


def in_order(front_ends: Iterable[FrontEnd]) -> tuple[FrontEnd, ...]:
    """Put those that may do everything first, then who came first."""
    return tuple(sorted(front_ends, key=lambda one: (one.rights != "all", one.since, one.who)))
