"""What budgets go by, read out of the ledger at one moment: what was spent, what is booked of runs, dear messages."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from controlroom.domain.money.budget import Spend
from controlroom.domain.money.plausible import HOUR, Amount, Bound
from controlroom.engine.ledger.cost_views import spans
from controlroom.engine.ledger.ledger import Ledger, Query
from controlroom.engine.ledger.usage_tables import DAY, ESTIMATED, HIDDEN, QUARTER, RunKey, number_of
from controlroom.metering.prices import micro
from controlroom.metering.usage_file import Report

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
    parts = list(spans(range(moment // QUARTER, (max(moment, now) + AHEAD) // QUARTER)))
    each = " union all ".join(
        f"select source, pico, {_TOKENS} as tokens from {part.table} where {part.column} >= ? and {part.column} < ?"
        for part in parts
    )
    query = (
        f"select host, agent, profile, billing, sum(pico), sum(tokens) from ({each}) join sources on source = id "
        "group by host, agent, profile, billing"
    )
    return query, [bound for part in parts for bound in (part.rows.start, part.rows.stop)]


def _since_of(moment: int, now: int, agents: Collection[tuple[str, str]]) -> Query:
    """What these agents have used since a moment: found by them, not by looking at all that was used since."""
    each = []
    for part in spans(range(moment // QUARTER, (max(moment, now) + AHEAD) // QUARTER)):
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


MessageKey = tuple[str, str]
"""What names a message (`metering.usage.Message.key`)."""

_MOST = 500
"""Names in one query."""

# ruff: noqa: S608 - only our own words go into these
_SUM = f"""select coalesce(sum(pico), 0), coalesce(sum({_TOKENS}), 0) from spend join sources on source = sources.id
    where host = ? and quarter >= ? and quarter < ?"""
_OF_RUN = f"{_SUM} and agent = ? and epoch = ?"
_OF_NOBODY = f"""{_SUM} and not exists (select 1 from ordered_runs where ordered_runs.host = sources.host
    and ordered_runs.agent = sources.agent and ordered_runs.epoch = sources.epoch)"""
_ALL = 2**40
_METERED = "select run, metered, booked from runs where run in ({})"


class Booked(NamedTuple):
    """What counts already."""

    bounds: Mapping[Bound, Amount]
    messages: Mapping[MessageKey, Amount]
    runs: Mapping[int, tuple[int, int]]
    """By number of a run: what its messages cost, and what is booked beyond them, in pico-dollars."""


def read_booked(
    ledger: Ledger, bounds: Sequence[Bound], keys: Collection[MessageKey], reports: Iterable[Report]
) -> Booked:
    """Read what counts already of some bounds, messages and runs. Raises `LedgerProblem`."""
    runs = sorted({number_of(report.run) for report in reports})
    read = [bound for bound in bounds if bound.kind != "late"]
    ids, requests = sorted({key[0] for key in keys if key[0]}), sorted({key[1] for key in keys if not key[0]})
    of_messages = [*_named("message", ids), *_named("message = '' and request", requests)]
    of_runs: list[Query] = [(_METERED.format(_marks(runs)), runs)] if runs else []
    found = ledger.read_all([*map(_bound_query, read), *of_messages, *of_runs])
    sums, rest = found[: len(read)], found[len(read) :]
    known = [row for rows in rest[: len(of_messages)] for row in rows]
    return Booked(
        {bound: Amount(*map(int, rows[0])) for bound, rows in zip(read, sums, strict=True)},
        {
            (str(message), "" if message else str(request)): Amount(pico, tokens)
            for message, request, pico, tokens in known
        },
        {int(run): (int(metered), int(booked)) for rows in rest[len(of_messages) :] for run, metered, booked in rows},
    )


def _bound_query(bound: Bound) -> Query:
    if bound.kind == "granted":  # what was used in the quarter in which it was granted may have been before
        first = bound.span // QUARTER + (bound.span % QUARTER > 0)
        return _OF_RUN, (bound.host, first, _ALL, bound.agent, bound.epoch)
    length = (DAY if bound.kind == "day" else HOUR) // QUARTER
    when = bound.host, bound.span * length, (bound.span + 1) * length
    return (_OF_RUN, (*when, bound.agent, bound.epoch)) if bound.kind == "run" else (_OF_NOBODY, when)


def _named(what: str, names: Sequence[str]) -> list[Query]:
    parts = [names[at : at + _MOST] for at in range(0, len(names), _MOST)]
    query = f"select message, request, pico, {_TOKENS} from usage where {what} in ({{}})"
    return [(query.format(_marks(part)), part) for part in parts]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
