"""What budgets go by, read out of the ledger at one moment: what was spent, what is booked of runs, dear messages."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controlroom.domain.money.budget import Spend
from controlroom.engine.ledger.cost_views import spans as spans_of
from controlroom.engine.ledger.ledger import Ledger, Query
from controlroom.engine.ledger.unattributed import HIDDEN
from controlroom.engine.ledger.usage_tables import DAY, ESTIMATED, QUARTER
from controlroom.metering.prices import micro

RunKey = tuple[str, str, int]
"""Host, name and epoch of a run."""

LATELY = 7
"""Days over which a model's dearest message is looked for."""

AHEAD = 3660 * DAY
"""Milliseconds ahead of us in which what was spent counts, too."""

_TOKENS = "input + output + cache_write_5m + cache_write_1h + cache_read"

# ruff: noqa: S608 - only our own words go into these


@dataclass(frozen=True)
class Sums:
    """The ledger's sums at one moment. Money: micro-dollars at list prices."""

    since: Mapping[int, Sequence[Spend]] = field(default_factory=dict)
    """What was spent since each of some moments (whole quarters of an hour count)."""
    runs: Mapping[RunKey, tuple[int, int]] = field(default_factory=dict)
    """Money and tokens of each run that was asked for."""
    dearest: Mapping[str, int] = field(default_factory=dict)
    """The dearest message of each model lately."""


def read_sums(
    ledger: Ledger,
    moments: Collection[int],
    runs: Collection[RunKey],
    now: int,
    agents: Collection[tuple[str, str]] | None = None,
) -> Sums:
    """Read the sums since some moments, of some runs, as they are at one time. Raises `LedgerProblem`.

    `agents`: those whose sums are read, by host and name; None: all.
    """
    queries = [_since(moment, now) if agents is None else _since_of(moment, now, agents) for moment in moments]
    queries.append(("select model, max(pico) from dearest where day > ? group by model", (now // DAY - LATELY,)))
    wanted = sorted(runs)
    queries.append(_runs(wanted))
    *spends, dear, booked = ledger.read_all(queries)
    return Sums(
        {moment: tuple(map(_spend, rows)) for moment, rows in zip(moments, spends, strict=True)},
        dict.fromkeys(wanted, (0, 0)) | {(host, name, epoch): (micro(p), t) for host, name, epoch, p, t in booked},
        {model: micro(pico) for model, pico in dear},
    )


def _spend(row: tuple[Any, ...]) -> Spend:
    host, agent, profile, billing, pico, tokens = row
    return Spend(host, agent, profile, billing, micro(pico), tokens)


def _since(moment: int, now: int) -> Query:
    """What every agent has used since a moment; also what lies ahead, as when our clock has been put back."""
    spans = list(spans_of(range(moment // QUARTER, (max(moment, now) + AHEAD) // QUARTER)))
    each = " union all ".join(
        f"select source, pico, {_TOKENS} as tokens from {part.table} where {part.column} >= ? and {part.column} < ?"
        for part in spans
    )
    query = (
        f"select host, agent, profile, billing, sum(pico), sum(tokens) from ({each}) join sources on source = id "
        "group by host, agent, profile, billing"
    )
    return query, [bound for part in spans for bound in (part.rows.start, part.rows.stop)]


def _since_of(moment: int, now: int, agents: Collection[tuple[str, str]]) -> Query:
    """What these agents have used since a moment: found by them, not by looking at all that was used since."""
    each = []
    for part in spans_of(range(moment // QUARTER, (max(moment, now) + AHEAD) // QUARTER)):
        span = f"{part.column} >= {part.rows.start} and {part.column} < {part.rows.stop}"
        if part.column == "day":
            each.append(f"select id, pico, {_TOKENS} as tokens from theirs join spend_days on source = id where {span}")
        elif part.rows:
            rows = ", ".join(f"({row})" for row in part.rows)
            each.append(
                f"select id, pico, {_TOKENS} as tokens from theirs cross join (values {rows}) as rows "
                "cross join spend on quarter = rows.column1 and source = id"
            )
    places = ", ".join(["(?, ?)"] * len(agents)) or "(null, null)"
    query = (
        f"with wanted(host, agent) as (values {places}), theirs as (select sources.* from wanted join sources using "
        f"(host, agent)) select host, agent, profile, billing, sum(pico), sum(tokens) "
        f"from ({' union all '.join(each)}) join sources using (id) group by host, agent, profile, billing"
    )
    return query, [value for agent in sorted(agents) for value in agent]


def _runs(wanted: Sequence[RunKey]) -> Query:
    """What is booked of runs as their runners count it, who know neither estimates nor what Claude does unseen."""
    places = ", ".join(["(?, ?, ?)"] * len(wanted)) or "(null, null, null)"
    query = f"""with wanted(host, agent, epoch) as (values {places})
        select host, agent, epoch, sum(pico), sum({_TOKENS}) from wanted join sources using (host, agent, epoch)
        join spend_days on source = id where flags & {HIDDEN | ESTIMATED} = 0 group by host, agent, epoch"""
    return query, [value for key in wanted for value in key]
