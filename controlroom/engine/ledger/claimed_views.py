"""Reads out of the ledger what counts already of what a host claims: of each bound, of messages, and of runs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from controlroom.domain.money.plausible import DAY, HOUR, Amount, Bound
from controlroom.engine.ledger.ledger import Ledger, Query
from controlroom.engine.ledger.unattributed import number_of
from controlroom.engine.ledger.usage_tables import QUARTER
from controlroom.metering.usage_file import Report

Key = tuple[str, str]
"""What names a message (`metering.usage.Message.key`)."""

_TOKENS = "input + output + cache_write_5m + cache_write_1h + cache_read"
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
    messages: Mapping[Key, Amount]
    runs: Mapping[int, tuple[int, int]]
    """By number of a run: what its messages cost, and what is booked beyond them, in pico-dollars."""


def read_booked(ledger: Ledger, bounds: Sequence[Bound], keys: Collection[Key], reports: Iterable[Report]) -> Booked:
    """Read what counts already of some bounds, messages and runs. Raises `LedgerProblem`."""
    runs = sorted({number_of(report.run) for report in reports})
    read = [bound for bound in bounds if bound.kind != "late"]
    ids, requests = sorted({key[0] for key in keys if key[0]}), sorted({key[1] for key in keys if not key[0]})
    of_messages = [*_named("message", ids), *_named("message = '' and request", requests)]
    of_runs: list[Query] = [(_METERED.format(_marks(runs)), runs)] if runs else []
    found = ledger.read_all([*map(_query, read), *of_messages, *of_runs])
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


def _query(bound: Bound) -> Query:
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
