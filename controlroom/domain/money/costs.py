"""What was spent: rows for tables and scripts. Money is micro-dollars at list prices.

What a key pays is dollars; what a plan's login covers is not billed, and its list price only says what it is worth. The
two stand side by side and are never summed.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields, replace

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

BY = ("agent", "profile", "host", "model", "folder", "time")
"""What sums can be grouped by; `time`: the quarter of an hour in which a message was answered, as UTC milliseconds."""

HOURLY = ("agent", "profile", "host")
"""What agent-hours are known by; a run may use several models, and its folder and time are not kept."""


@dataclass(frozen=True)
class CostRow:
    """What one key has used, as one kind of account pays for it."""

    key: str
    """What it is grouped by; empty: not known."""
    billing: Payer
    """`api`, `plan`, or nothing when it is not known."""
    messages: int = 0
    input: int = 0
    """Tokens, here and below; input that was not cached."""
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    web_searches: int = 0
    micro: int = 0
    """Micro-dollars at list prices."""
    unpriced: int = 0
    """Micro-dollars among them of models without a price, counted as the dearest."""
    estimated: int = 0
    """Micro-dollars among them of requests that were cut off: what they used is not known for certain."""
    unattributed: int = 0
    """Micro-dollars among them that Claude reports and no message accounts for."""
    doubted: int = 0
    """Micro-dollars among them of use that cannot be true as it was claimed; a person is to settle it."""

    @property
    def hit_rate(self) -> float | None:
        """Which share of all prompts came out of the cache (0 to 1); None without a prompt."""
        prompt = self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read
        return self.cache_read / prompt if prompt else None


HOUR = 3_600_000
_SHORTEST = 6 * 60_000
"""Milliseconds below which a cost per hour says nothing."""


def per_hour(micro: int, ran: int | None) -> int | None:
    """What an agent-hour has cost (micro-dollars) when agents ran for `ran` milliseconds; None: not known."""
    return None if ran is None or ran < _SHORTEST else round(micro * HOUR / ran)


_SUMMED = tuple(part.name for part in fields(CostRow) if part.name not in ("key", "billing"))

_MONEY = ("micro", "unpriced", "estimated", "unattributed", "doubted")


def grouped(rows: Iterable[CostRow], key: Callable[[CostRow], str]) -> list[CostRow]:
    """Sum rows that have the same key and billing; in the order of their first."""
    groups: dict[tuple[str, str], CostRow] = {}
    for row in rows:
        name = key(row), row.billing
        groups[name] = added(groups[name], row) if name in groups else replace(row, key=name[0])
    return list(groups.values())


def added(one: CostRow, other: CostRow) -> CostRow:
    """Sum two rows; the first one's key and billing stay."""
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in _SUMMED})


def totals(rows: Iterable[CostRow]) -> list[CostRow]:
    """Sum all rows of each billing."""
    return grouped(rows, lambda _: "")


def shares(rows: Iterable[CostRow], all_rows: Iterable[CostRow]) -> list[float | None]:
    """Which part of what its kind of account pays for all rows each row is, in per cent; None: that is nothing."""
    whole = {row.billing: row.micro for row in totals(all_rows)}
    return [100 * row.micro / total if (total := whole[row.billing]) else None for row in rows]


def decimal(micro: int) -> str:
    """Write micro-dollars as dollars, exactly: `1.920000`."""
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}"
