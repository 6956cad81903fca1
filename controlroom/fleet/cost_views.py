"""Reads what was spent out of the ledger's sums."""

from controlroom.domain.costs import BY, QUARTER, CostRow
from controlroom.fleet.ledger import Ledger
from controlroom.meter.prices import micro

_KEYS = {
    "agent": "sources.host || '/' || sources.agent",
    "profile": "sources.profile",
    "host": "sources.host",
    "model": "models.name",
    "folder": "sources.host || ':' || sources.folder",
    "time": f"cast(spend.quarter * {QUARTER} as text)",
}

_SUMS = ("messages", "input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches", "pico")


def costs(ledger: Ledger, by: str, since: int, until: int) -> tuple[CostRow, ...]:
    """Give the sums of messages from `since` up to `until` (UTC milliseconds), dearest first.

    Whole quarters of an hour count; grouped by time they are in order. Raises `LedgerProblem`, and `ValueError` for
    a key that sums have not.
    """
    if by not in BY:
        raise ValueError(f"costs are grouped by {', '.join(BY)}, not by {ascii(by)[:40]}")
    quarters = since // QUARTER, -(-until // QUARTER)
    rows = [_row(values) for values in ledger.read(_query(by), quarters)]
    return tuple(sorted(rows, key=lambda row: (int(row.key), row.billing) if by == "time" else (-row.micro, row.key)))


def _query(by: str) -> str:
    sums = ", ".join(f"sum(spend.{column})" for column in _SUMS)
    return (
        f"select {_KEYS[by]} as grouped_by, sources.billing, {sums}, sum(spend.pico * spend.unpriced) "  # noqa: S608 - ours
        "from spend join sources on spend.source = sources.id join models on spend.model = models.id "
        "where spend.quarter >= ? and spend.quarter < ? "
        "group by grouped_by, sources.billing having sum(spend.messages) > 0"
    )


def _row(values: tuple[str | int, ...]) -> CostRow:
    name, billing, *counts, pico, unpriced = values
    whole = dict(zip(_SUMS, map(int, counts), strict=False))
    return CostRow(str(name), str(billing), **whole, micro=micro(int(pico)), unpriced=micro(int(unpriced)))
