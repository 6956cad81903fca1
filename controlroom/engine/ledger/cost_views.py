"""Reads what was spent out of the ledger's sums."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from controlroom.domain.model import Money
from controlroom.domain.money.costs import BILLED, BY, HOURLY, CostRow
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import DAY, DOUBTED, ESTIMATED, HIDDEN, QUARTER, UNPRICED, RunKey
from controlroom.metering.prices import micro

_KEYS = {
    "agent": "sources.host || '/' || sources.agent",
    "profile": "sources.profile",
    "host": "sources.host",
    "model": "models.name",
    "folder": "sources.host || ':' || sources.folder",
}

_SUMS = ("messages", "input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches", "pico")
_SUMMED = ", ".join(f"sum({column}) as {column}" for column in _SUMS)
_KINDS = {"unpriced": UNPRICED, "estimated": ESTIMATED, "unattributed": HIDDEN, "doubted": DOUBTED}
_ODDS = ", ".join(f"sum(pico * (flags & {flag} > 0)) as {kind}" for kind, flag in _KINDS.items())
_ODDS_SUMMED = ", ".join(f"sum({kind})" for kind in _KINDS)
_SPENT = "having sum(messages) > 0 or sum(pico) > 0"

# ruff: noqa: S608 - only our own words go into these


def costs(ledger: Ledger, by: str, since: int, until: int) -> tuple[CostRow, ...]:
    """Give the sums of messages from `since` up to `until` (UTC milliseconds), dearest first.

    Whole quarters of an hour count; grouped by time they are in order. Raises `LedgerProblem`, and `ValueError` for
    a key that sums have not.
    """
    if by not in BY:
        raise ValueError(f"costs are grouped by {', '.join(BY)}, not by {ascii(by)[:40]}")
    quarters = range(since // QUARTER, -(-until // QUARTER))
    if by == "time":
        return tuple(_row(values) for values in ledger.read(_OVER_TIME, (quarters.start, quarters.stop)))
    parts = list(spans(quarters))
    bounds = [bound for part in parts for bound in (part.rows.start, part.rows.stop)]
    rows = [_row(values) for values in ledger.read(_query(by, parts), bounds)]
    return tuple(sorted(rows, key=lambda row: (-row.micro, row.key)))


def plan_spend(ledger: Ledger, since: int, until: int) -> list[tuple[str, str, int]]:
    """Say what each agent has used of plans from `since` up to `until`: agent, model, pico-dollars at list prices.

    Whole quarters of an hour count; times are UTC milliseconds. Raises `LedgerProblem`.
    """
    parts = list(spans(range(since // QUARTER, -(-until // QUARTER))))
    bounds = [bound for part in parts for bound in (part.rows.start, part.rows.stop)]
    rows = ledger.read(_PLAN.format(_each(parts)), bounds)
    return [(str(agent), str(model), int(pico)) for agent, model, pico in rows]


def money(ledger: Ledger, hour: int, day: int) -> Money:
    """Sum up what the room has spent since an hour and a day began (UTC milliseconds). Raises `LedgerProblem`."""
    ((hour_billed, hour_covered, day_billed, day_covered),) = ledger.read(
        _MONEY, (hour // QUARTER,) * 2 + (day // QUARTER,)
    )
    return Money(*(micro(int(pico)) for pico in (hour_billed, hour_covered, day_billed, day_covered)))


_MONEY = f"""select coalesce(sum(pico * (billing = '{BILLED}') * (quarter >= ?)), 0),
    coalesce(sum(pico * (billing <> '{BILLED}') * (quarter >= ?)), 0),
    coalesce(sum(pico * (billing = '{BILLED}')), 0), coalesce(sum(pico * (billing <> '{BILLED}')), 0)
    from spend_times where quarter >= ?"""


class Span(NamedTuple):
    """Rows of one table that lie in a span of time."""

    table: str
    column: str
    rows: range


def spans(quarters: range) -> Iterator[Span]:
    """Cut a span into whole days and the quarters before and after them."""
    a_day = DAY // QUARTER
    days = range(-(-quarters.start // a_day), quarters.stop // a_day)
    if not days:
        yield Span("spend", "quarter", quarters)
        return
    yield Span("spend", "quarter", range(quarters.start, days.start * a_day))
    yield Span("spend_days", "day", days)
    yield Span("spend", "quarter", range(days.stop * a_day, quarters.stop))


_OVER_TIME = f"""select cast(quarter * {QUARTER} as text), billing, {_SUMMED}, {_ODDS} from spend_times
    where quarter >= ? and quarter < ? group by quarter, billing {_SPENT}
    order by quarter, billing"""


_PLAN = """select sources.host || '/' || sources.agent as grouped_by, models.name, sum(pico) from ({})
    join sources on source = sources.id join models on model = models.id where sources.billing = 'plan'
    group by grouped_by, models.name"""


def _each(parts: list[Span]) -> str:
    """Sum up each part by what is summed by numbers."""
    return " union all ".join(
        f"select source, model, {_SUMMED}, {_ODDS} from {part.table} "
        f"where {part.column} >= ? and {part.column} < ? group by source, model"
        for part in parts
    )


def _query(by: str, parts: list[Span]) -> str:
    """Sum up all parts by what their numbers stand for."""
    return (
        f"select {_KEYS[by]} as grouped_by, sources.billing, {_SUMMED}, {_ODDS_SUMMED} from ({_each(parts)}) "
        "join sources on source = sources.id join models on model = models.id "
        f"group by grouped_by, sources.billing {_SPENT}"
    )


def _row(values: tuple[str | int, ...]) -> CostRow:
    name, billing, *counts = values
    whole = dict(zip((*_SUMS, *_KINDS), map(int, counts), strict=True))
    money = {kind: micro(whole.pop(kind)) for kind in _KINDS}
    return CostRow(str(name), str(billing), micro=micro(whole.pop("pico")), **whole, **money)


# ruff: noqa: S608 - only our own words go into these


class _Of(NamedTuple):
    """Whose something is."""

    host: str
    agent: str
    profile: str


_HOUR_KEYS: Mapping[str, Callable[[_Of], str]] = {
    "agent": lambda of: f"{of.host}/{of.agent}",
    "profile": lambda of: of.profile,
    "host": lambda of: of.host,
}


def hours(ledger: Ledger, by: str, since: int, until: int, alive: Mapping[RunKey, int]) -> dict[str, int]:
    """Give the milliseconds that the agents which have used something ran in a span, by key, as `costs` has keys.

    Whole quarters of an hour count from `since` on, as in `costs`. All their runs in the span count, whether they used
    something or not, and whatever they did: waiting, too. `alive` says of runs that go on until when that is known; of
    the others the ledger does. A key is left out when a run that has used something was never seen by this ledger, and
    none has hours by anything but agent, profile and host. Times are UTC milliseconds. Raises `LedgerProblem`.
    """
    if by not in HOURLY:
        return {}
    quarters, key = range(since // QUARTER, -(-until // QUARTER)), _HOUR_KEYS[by]
    parts = list(spans(quarters))
    spent = " union ".join(
        f"select source from {part.table} where {part.column} >= ? and {part.column} < ? and (messages > 0 or pico > 0)"
        for part in parts
    )
    bounds = [bound for part in parts for bound in (part.rows.start, part.rows.stop)]
    began = quarters.start * QUARTER
    sources, runs = ledger.read_all(((_SOURCES.format(spent), bounds), (_RUNS, (until, began))))
    users = {(host, agent) for host, agent, *_ in sources}
    found = {key(_Of(*of)): 0 for *of, _ in sources}
    for host, agent, epoch, profile, start, ended, seen in runs:
        of = key(_Of(host, agent, profile))
        if (host, agent) in users and of in found:
            end = ended or max(seen, alive.get((host, agent, epoch), 0))
            found[of] += max(0, min(end, until) - max(start, began))
    unknown = {key(_Of(*of)) for *of, known in sources if not known}
    return {of: spent for of, spent in found.items() if of not in unknown}


_SOURCES = """select host, agent, profile, min(exists (select 1 from agent_runs
    where agent_runs.host = sources.host and agent_runs.agent = sources.agent and agent_runs.epoch = sources.epoch))
    from sources where id in ({}) group by host, agent, profile"""
_RUNS = """select host, agent, epoch, profile, began, ended, seen from agent_runs
    where began < ? and (ended = 0 or ended > ?)"""
