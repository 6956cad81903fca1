"""Reads out of the ledger what advice is worked out from: each message is looked at, so it is asked for rarely."""

from collections.abc import Iterator, Sequence

from controlroom.domain.costs import CostRow
from controlroom.domain.use import DAY, MINUTE, Alike, Requests, Use
from controlroom.fleet.cost_views import costs
from controlroom.fleet.ledger import Ledger
from controlroom.fleet.unattributed import HIDDEN
from controlroom.fleet.usage_tables import BATCH, FAST, UNPRICED, US
from controlroom.meter.usage import Usage

ENOUGH = 50
"""Messages that a profile needs before its cache hit rate says anything."""

SAMPLE = 200_000
"""Messages that a distribution is read from at most; they lie in the order of their ids, which are random."""

_COUNTS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches")
_SUMS = ", ".join(f"sum({column})" for column in _COUNTS)
_PROMPT = "(input + cache_write_5m + cache_write_1h + cache_read)"
_FROM = "from usage join models on model = models.id join sources on source = sources.id where at >= ? and at < ?"

# ruff: noqa: S608 - only our own words go into these


def use(ledger: Ledger, asked_days: int, until: int, limits: Sequence[int]) -> Use:
    """Sum up the last days before `until` (UTC milliseconds).

    `limits`: the numbers of tokens beyond which prompts have prices of their own. Raises `LedgerProblem`.
    """
    asked = until - asked_days * DAY
    ((first,),) = ledger.read("select min(day) from spend_days")
    known_before = first is not None and first * DAY < asked
    bounds = sorted(set(limits))
    over = " + ".join(f"({_PROMPT} > {bound:d})" for bound in bounds) or "0"
    sums = f"sum(flags & {HIDDEN} = 0), {_SUMS}, sum(pico), min(at)"
    grouped = f"select name, billing, flags, {over} as beyond, {sums} {_FROM} "
    rows = ledger.read(f"{grouped} group by name, billing, flags, beyond order by sum(pico) desc, name", (asked, until))
    tokens = f"select billing, sum({_PROMPT} - cache_read + output) as tokens {_FROM} group by billing, at / {MINUTE}"
    peaks = ledger.read(f"select billing, max(tokens) from ({tokens}) group by billing", (asked, until))
    begun = asked if known_before else min((row[-1] for row in rows), default=asked)
    return Use(
        begun,
        until,
        asked_days,
        tuple(_alike(row, [0, *bounds]) for row in rows),
        dict(peaks),
        dict(_hit_rates(costs(ledger, "profile", asked, until))),
    )


def requests(ledger: Ledger, model: str, until: int, days: int = 30) -> Requests | None:
    """Say how large the requests of a model were in the last days before `until`; "": of the model that had most.

    None: there were none. Raises `LedgerProblem`.
    """
    when = until - days * DAY, until
    if not model:
        rows = sorted(costs(ledger, "model", *when), key=lambda row: (-row.messages, row.key))
        model = rows[0].key if rows else ""
    columns = f"{_PROMPT}, cache_read, cache_write_5m, cache_write_1h, output"
    found = ledger.read(f"select {columns} {_FROM} and name = ? and {_PROMPT} > 0 limit {SAMPLE}", (*when, model))
    if not found:
        return None
    prompts, reads, written_5m, written_1h, outputs = zip(*found, strict=True)
    unread = sum(prompts) - sum(reads)
    return Requests(
        model,
        _quartiles(prompts),
        _quartiles(outputs),
        sum(reads) / sum(prompts),
        sum(written_5m) / unread if unread else 0.0,
        sum(written_1h) / unread if unread else 0.0,
        sum(prompts) / len(found),
        sum(outputs) / len(found),
        len(found),
        f"measured: {len(found):,} requests of the last {days} days",
    )


def _quartiles(values: Sequence[int]) -> tuple[int, ...]:
    """Give the values that a quarter, a half and three quarters of all do not exceed."""
    ordered = sorted(values)
    return tuple(ordered[-(-len(ordered) * share // 4) - 1] for share in (1, 2, 3))


def _hit_rates(rows: Sequence[CostRow]) -> Iterator[tuple[str, float]]:
    """Give the hit rate of each profile, whoever pays for it."""
    for name in dict.fromkeys(row.key for row in rows):
        same = [row for row in rows if row.key == name]
        prompt = sum(row.input + row.cache_write_5m + row.cache_write_1h + row.cache_read for row in same)
        if prompt and sum(row.messages for row in same) >= ENOUGH:
            yield name, sum(row.cache_read for row in same) / prompt


def _alike(row: tuple[int | str, ...], bounds: Sequence[int]) -> Alike:
    name, billing, flags, beyond, messages, *sums, pico, _ = row
    how = int(flags)
    return Alike(
        str(name),
        str(billing),
        int(messages),
        Usage(*map(int, sums)),
        int(pico),
        bounds[int(beyond)],
        bool(how & FAST),
        bool(how & US),
        bool(how & BATCH),
        bool(how & UNPRICED),
    )
