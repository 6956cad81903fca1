"""Reads out of the ledger's sums what advice is worked out from: nothing here looks at a message.

Sums by time are of whole quarters of an hour, those of sizes of whole days of UTC: a span begins with the one that its
first moment lies in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from controlroom.domain.calculators.use import MINUTE, Alike, Requests, Use
from controlroom.engine.ledger.advice_tables import middle
from controlroom.engine.ledger.cost_views import spans
from controlroom.engine.ledger.ledger import Ledger, Query
from controlroom.engine.ledger.usage_tables import (
    BATCH,
    DAY,
    FAST,
    LONG_PROMPTS,
    QUARTER,
    UNPRICED,
    US,
    Statement,
    limits_of,
    priced_beyond,
)
from controlroom.metering.usage import Usage

ENOUGH = 50
"""Messages that a profile needs before its cache hit rate says anything."""

_COUNTS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches")
_COLUMNS = ("messages", *_COUNTS, "pico")
_USE_SUMS = ", ".join(f"sum({column})" for column in _COLUMNS)
_USE_SUMMED = ", ".join(f"sum({column}) as {column}" for column in _COLUMNS)

# ruff: noqa: S608 - only our own words go into these


def use(ledger: Ledger, asked_days: int, until: int, limits: Iterable[int]) -> Use:
    """Sum up the last days before `until` (UTC milliseconds), from the quarter of an hour on in which they begin.

    `limits`: the numbers of tokens beyond which prompts have prices of their own; if they are others than the last
    time, all is summed up anew first, which takes seconds for a million messages. Raises `LedgerProblem`.
    """
    if anew := summed_anew(ledger, limits):
        ledger.booked(anew).result()
    quarters = range((until - asked_days * DAY) // QUARTER, -(-until // QUARTER))
    asked = quarters.start * QUARTER
    minutes = quarters.start * QUARTER // MINUTE, quarters.stop * QUARTER // MINUTE
    found, peaks, ((first,),) = ledger.read_all((_alike_in(quarters), (_PEAKS, minutes), (_FIRST, ())))
    rows = [_Row._make((*row[:5], row[5:])) for row in found]
    begun = asked if first is None else min(max(asked, first * MINUTE), until)
    return Use(begun, until, asked_days, tuple(_groups(rows)), dict(peaks), dict(_hit_rates(rows)))


def summed_anew(ledger: Ledger, limits: Iterable[int]) -> list[Statement]:
    """Give the statements that have sums kept by these limits of long prompts; none: they are.

    Raises `LedgerProblem`.
    """
    bounds = limits_of(limits)
    known = [bound for (bound,) in ledger.read(LONG_PROMPTS)]
    return [] if known == bounds else priced_beyond(bounds)


class _Row(NamedTuple):
    """Sums of messages that agree in all of this: their number, their tokens and searches, and pico-dollars."""

    profile: str
    model: str
    billing: str
    flags: int
    beyond: int
    sums: tuple[int, ...]


_FIRST = "select min(minute) from minutes"
_PEAKS = "select billing, max(tokens) from minutes where minute >= ? and minute < ? group by billing"


def _alike_in(quarters: range) -> Query:
    parts = list(spans(quarters))
    each = " union all ".join(
        f"select source, model, flags, beyond, {_USE_SUMMED} from {part.table} "
        f"where {part.column} >= ? and {part.column} < ? group by source, model, flags, beyond"
        for part in parts
    )
    query = f"""select profile, name, billing, flags, beyond, {_USE_SUMS} from ({each})
        join models on model = models.id join sources on source = sources.id
        group by profile, name, billing, flags, beyond having sum(messages) > 0 or sum(pico) > 0"""
    return query, [bound for part in parts for bound in (part.rows.start, part.rows.stop)]


def _groups(rows: Sequence[_Row]) -> list[Alike]:
    """Give the sums of all profiles, dearest first."""
    found: dict[tuple[str, str, int, int], list[tuple[int, ...]]] = {}
    for row in rows:
        found.setdefault(row[1:5], []).append(row.sums)
    groups = [_alike(*key, *map(sum, zip(*sums, strict=True))) for key, sums in found.items()]
    return sorted(groups, key=lambda group: (-group.pico, group.model))


def _alike(model: str, billing: str, flags: int, beyond: int, messages: int, *sums: int) -> Alike:
    *counts, pico = sums
    how = {"fast": FAST, "us": US, "batch": BATCH, "unpriced": UNPRICED}
    said = {name: bool(flags & flag) for name, flag in how.items()}
    return Alike(model, billing, messages, Usage(*counts), pico, beyond, **said)


def _hit_rates(rows: Sequence[_Row]) -> Iterator[tuple[str, float]]:
    """Give the hit rate of each profile, whoever pays for it."""
    for name in sorted({row.profile for row in rows}):
        messages, *counts, _ = map(sum, zip(*(row.sums for row in rows if row.profile == name), strict=True))
        used = Usage(*counts)
        if used.prompt and messages >= ENOUGH:
            yield name, used.cache_read / used.prompt


def requests(ledger: Ledger, model: str, until: int, days: int = 30) -> Requests | None:
    """Say how large the requests of a model were in the last days before `until`; "": of the model that had most.

    Whole days of UTC count, and sizes are to about 3 % (`advice_tables`). None: there were none. Raises
    `LedgerProblem`.
    """
    when = (until - days * DAY) // DAY, -(-until // DAY)
    by_model, steps = ledger.read_all(((_BY_MODEL, when), (_BY_SIZE, when)))
    prompts = _counted(steps, 2)
    if not model:
        model = min(prompts, key=lambda name: (-sum(prompts[name].values()), name), default="")
    if model not in prompts:
        return None
    used = next(Usage(*sums) for name, *sums in by_model if name == model)
    count, unread = sum(prompts[model].values()), used.prompt - used.cache_read
    return Requests(
        model,
        _quartiles(prompts[model]),
        _quartiles(_counted(steps, 3)[model]),
        used.cache_read / used.prompt,
        used.cache_write_5m / unread if unread else 0.0,
        used.cache_write_1h / unread if unread else 0.0,
        used.prompt / count,
        used.output / count,
        count,
        f"measured: {count:,} requests of the last {days} days, sizes to about 3 %",
    )


_BY_MODEL = f"""select name, {", ".join(f"sum({column})" for column in _COUNTS)} from spend_days
    join models on model = models.id where day >= ? and day < ? group by name"""
_BY_SIZE = """select name, least, sum(prompts), sum(outputs) from sizes join models on model = models.id
    where day >= ? and day < ? group by name, least order by name, least"""


def _counted(steps: Sequence[tuple[str | int, ...]], column: int) -> Mapping[str, Mapping[int, int]]:
    """Give by model how many requests there were of each step, the smallest first."""
    found: dict[str, dict[int, int]] = {}
    for row in steps:
        if row[column]:
            found.setdefault(str(row[0]), {})[int(row[1])] = int(row[column])
    return found


def _quartiles(counts: Mapping[int, int]) -> tuple[int, ...]:
    """Give the sizes that a quarter, a half and three quarters of all do not exceed, as the middles of their steps."""
    return tuple(_reached(counts, -(-sum(counts.values()) * share // 4)) for share in (1, 2, 3))


def _reached(counts: Mapping[int, int], number: int) -> int:
    """Give the size of the one with this number, counted from the smallest."""
    for least, count in counts.items():
        number -= count
        if number <= 0:
            return middle(least)
    raise ValueError("there are fewer")
