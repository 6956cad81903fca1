"""Figures as words that line up: ages, sizes, shares, bars. One home, so that screen and command line agree."""

import difflib
import re
from collections.abc import Iterable, Sequence

_SIZES = ((1024**4, "T"), (1024**3, "G"), (1024**2, "M"), (1024, "K"))
_COUNTS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_LEVELS = "▁▂▃▄▅▆▆▇"
"""Never a full cell: the rows of a table would run together."""


def age(milliseconds: int) -> str:
    """An age in at most four characters: now, 41m, 2h10, 3d."""
    minutes = max(0, milliseconds) // 60_000
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{rest:02d}" if hours < 10 else f"{hours}h"
    return f"{min(hours // 24, 999)}d"


def ago(milliseconds: int) -> str:
    """How long ago something was: `just now`, `5m ago`."""
    return f"{age(milliseconds)} ago" if milliseconds >= 60_000 else "just now"


def since(milliseconds: int) -> str:
    """Since when something is so: `just now`, `for 5m`."""
    return f"for {age(milliseconds)}" if milliseconds >= 60_000 else "just now"


def seconds(milliseconds: float) -> str:
    """How long something took: `0.4 s`, `12 s`, `3m`."""
    if milliseconds >= 120_000:
        return age(round(milliseconds))
    return f"{milliseconds / 1000:.{0 if milliseconds >= 9_950 else 1}f} s"


def amount(number: float) -> str:
    """A number that need not be whole, in at most four characters: 0.3, 12, 3.4k."""
    return f"{number:.1f}".removesuffix(".0") if number < 9.95 else count(round(number))


def size(count: int | None) -> str:
    """Bytes in at most four characters: 310M, 1.2G; a dash for no reading."""
    if count is None:
        return "–"
    for unit, letter in _SIZES:
        if count >= unit:
            value = count / unit
            return f"{value:.1f}{letter}" if value < 9.95 else f"{value:.0f}{letter}"
    return f"{count}B"


def days(number: float) -> str:
    """Write a number of days: `1 day`, `2.5 days`."""
    written = f"{number:.1f}".removesuffix(".0")
    return f"{written} day{'' if written == '1' else 's'}"


def count(number: int) -> str:
    """A count in at most four characters: 950, 12k, 3.4M."""
    for unit, letter in _COUNTS:
        if number >= unit:
            value = number / unit
            return f"{value:.1f}{letter}" if value < 9.95 else f"{value:.0f}{letter}"
    return str(number)


def dollars(micro: int) -> str:
    """Micro-dollars as people read them: $1.92, $0.0041 below a cent, $1,204."""
    if 0 < micro < 100:
        return "<$0.0001"
    if 0 < micro < 10_000:
        return f"${micro / 1_000_000:.4f}"
    return f"${micro / 1_000_000:,.2f}" if micro < 1_000_000_000 else f"${micro / 1_000_000:,.0f}"


def percent(value: float | None) -> str:
    """A share in at most four characters: 9 %, 130%; a dash for no reading."""
    if value is None:
        return "–"
    return f"{value:.0f} %" if value < 99.5 else f"{value:.0f}%"


def bar(share: float | None, width: int) -> str:
    """Draw a share (0 to 1) in `width` cells: a thick line, the rest dots that stay readable without colour."""
    if share is None:
        return "·" * width
    full, half = divmod(round(max(0.0, min(1.0, share)) * width * 2), 2)
    return ("━" * full + "╸" * half).ljust(width, "·")


def history(values: Iterable[float], width: int, top: float = 100.0) -> str:
    """Draw the newest `width` values (0 to `top`) as block characters, oldest left; no value is a blank."""
    newest = list(values)[-width:] if width else []
    drawn = "".join(_LEVELS[min(7, int(max(0.0, value) / top * 8))] for value in newest)
    return drawn.rjust(width)


_NAMED = 3


def named_some(names: Sequence[str]) -> str:
    """Name some, and count the rest: `a, b, c and 4 more`."""
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


_WAY = 20


def way_round(names: Sequence[str]) -> str:
    """Name those that would wait for each other, the first of many: `b after a after b`."""
    more = f" and {len(names) - _WAY} more" if names[_WAY:] else ""
    return " after ".join(names[:_WAY]) + more


_NUMBER = re.compile(r"\d+")


def _differs_in_number(name: str, other: str) -> bool:
    one, two = name.rpartition("/")[2], other.rpartition("/")[2]
    numbers = _NUMBER.findall(one), _NUMBER.findall(two)
    return all(numbers) and numbers[0] != numbers[1] and _NUMBER.sub("", one) == _NUMBER.sub("", two)


def nearest(name: str, known: Iterable[str]) -> str:
    """`: did you mean X?` for a name that looks like a known one, else nothing. Another number is another name."""
    others = [other for other in known if not _differs_in_number(name, other)]
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.6)
    return f": did you mean {close[0]}?" if close else ""
