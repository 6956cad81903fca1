"""Views of usage: costs and agent-hours to show, what budgets and doubts go by, and what advice is worked out from.

All but the doubts read the sums, never single messages. Sums by time are of whole quarters of an hour, those of sizes
of whole days of UTC: a span begins with the one that its first moment lies in.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from controlroom.domain.calculators.use import MINUTE, Alike, Requests, Use
from controlroom.domain.model import Money
from controlroom.domain.money.budget import Spend
from controlroom.domain.money.costs import BY, HOURLY, CostRow
from controlroom.domain.money.plausible import HOUR, Amount, Bound
from controlroom.engine.ledger.advice_tables import middle
from controlroom.engine.ledger.ledger import Ledger, Query
from controlroom.engine.ledger.usage_tables import (
    BATCH,
    DAY,
    DOUBTED,
    ESTIMATED,
    FAST,
    HIDDEN,
    HISTORY,
    LONG_PROMPTS,
    QUARTER,
    UNPRICED,
    US,
    RunKey,
    Statement,
    limits_of,
    priced_beyond,
    run_number,
)
from controlroom.metering.prices import micro
from controlroom.metering.usage import Usage
from controlroom.metering.usage_file import Report
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

_KEYS = {
    "agent": "sources.host || '/' || sources.agent",
    "profile": "sources.profile",
    "host": "sources.host",
    "model": "models.name",
    "folder": "sources.host || ':' || sources.folder",
}

_SUMS = ("messages", "input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches", "pico")
_SUMMED = ", ".join(f"sum({name}) as {name}" for name in _SUMS)
_KINDS = {"unpriced": UNPRICED, "estimated": ESTIMATED, "unattributed": HIDDEN, "doubted": DOUBTED}
_ODDS = ", ".join(f"sum(pico * (flags & {flag} > 0)) as {kind}" for kind, flag in _KINDS.items())
_ODDS_SUMMED = ", ".join(f"sum({kind})" for kind in _KINDS)
_SPENT = "having sum(messages) > 0 or sum(pico) > 0"

# ruff: noqa: S608 - only our own words go into these


def costs(ledger: Ledger, by: str, since: int, until: int) -> tuple[CostRow, ...]:
    """Return the sums of messages from `since` up to `until` (UTC milliseconds), dearest first.

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
    """Return what each agent has used of plans from `since` up to `until`: agent, model, pico-dollars at list prices.

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


_MONEY = f"""select coalesce(sum(pico * (billing = '{Payer.API}') * (quarter >= ?)), 0),
    coalesce(sum(pico * (billing <> '{Payer.API}') * (quarter >= ?)), 0),
    coalesce(sum(pico * (billing = '{Payer.API}')), 0), coalesce(sum(pico * (billing <> '{Payer.API}')), 0)
    from spend_times where quarter >= ? and flags & {HISTORY} = 0"""


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
    return CostRow(str(name), Payer(billing), micro=micro(whole.pop("pico")), **whole, **money)


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
    """Return how long agents that used something ran in a span, in milliseconds by key; keys are those of `costs`.

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
    ran = {key(_Of(*of)): 0 for *of, _ in sources}
    for host, agent, epoch, profile, start, ended, seen in runs:
        of = key(_Of(host, agent, profile))
        if (host, agent) in users and of in ran:
            end = ended or max(seen, alive.get((host, agent, epoch), 0))
            ran[of] += max(0, min(end, until) - max(start, began))
    unknown = {key(_Of(*of)) for *of, complete in sources if not complete}
    return {of: spent for of, spent in ran.items() if of not in unknown}


_SOURCES = """select host, agent, profile, min(exists (select 1 from agent_runs
    where agent_runs.host = sources.host and agent_runs.agent = sources.agent and agent_runs.epoch = sources.epoch))
    from sources where id in ({}) group by host, agent, profile"""
_RUNS = """select host, agent, epoch, profile, began, ended, seen from agent_runs
    where began < ? and (ended = 0 or ended > ?)"""


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
        f"select source, pico, {_TOKENS} as tokens from {part.table} where {part.column} >= ? and {part.column} < ? "
        f"and flags & {HISTORY} = 0"
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
        span = f"{part.column} >= {part.rows.start} and {part.column} < {part.rows.stop} and flags & {HISTORY} = 0"
        if part.column == "day":
            each.append(f"select id, pico, {_TOKENS} as tokens from theirs join spend_days on source = id where {span}")
        elif part.rows:
            rows = ", ".join(f"({row})" for row in part.rows)
            each.append(
                f"select id, pico, {_TOKENS} as tokens from theirs cross join (values {rows}) as rows "
                f"cross join spend on quarter = rows.column1 and source = id and flags & {HISTORY} = 0"
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
_OF_HISTORY = f"{_SUM} and flags & {HISTORY} > 0"
_OF_NOBODY = f"""{_SUM} and flags & {HISTORY} = 0 and not exists (select 1 from ordered_runs
    where ordered_runs.host = sources.host
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
    runs = sorted({run_number(report.run) for report in reports})
    read = [bound for bound in bounds if bound.kind != "late"]
    ids, requests = sorted({key[0] for key in keys if key[0]}), sorted({key[1] for key in keys if not key[0]})
    of_messages = [*_named("message", ids), *_named("message = '' and request", requests)]
    of_runs: list[Query] = [(_METERED.format(_marks(runs)), runs)] if runs else []
    results = ledger.read_all([*map(_bound_query, read), *of_messages, *of_runs])
    sums, rest = results[: len(read)], results[len(read) :]
    messages = [row for rows in rest[: len(of_messages)] for row in rows]
    return Booked(
        {bound: Amount(*map(int, rows[0])) for bound, rows in zip(read, sums, strict=True)},
        {
            (str(message), "" if message else str(request)): Amount(pico, tokens)
            for message, request, pico, tokens in messages
        },
        {int(run): (int(metered), int(booked)) for rows in rest[len(of_messages) :] for run, metered, booked in rows},
    )


def _bound_query(bound: Bound) -> Query:
    if bound.kind == "granted":  # what was used in the quarter in which it was granted may have been before
        first = bound.span // QUARTER + (bound.span % QUARTER > 0)
        return _OF_RUN, (bound.host, first, _ALL, bound.agent, bound.epoch)
    length = (HOUR if bound.kind in ("host", "run") else DAY) // QUARTER
    when = bound.host, bound.span * length, (bound.span + 1) * length
    if bound.kind == "history":
        return _OF_HISTORY, when
    return (_OF_RUN, (*when, bound.agent, bound.epoch)) if bound.kind == "run" else (_OF_NOBODY, when)


def _named(what: str, names: Sequence[str]) -> list[Query]:
    parts = [names[at : at + _MOST] for at in range(0, len(names), _MOST)]
    query = f"select message, request, pico, {_TOKENS} from usage where {what} in ({{}})"
    return [(query.format(_marks(part)), part) for part in parts]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


ENOUGH = 50
"""Messages that a profile needs before its cache hit rate says anything."""

_COUNTS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches")
_COLUMNS = ("messages", *_COUNTS, "pico")
_USE_SUMS = ", ".join(f"sum({summed})" for summed in _COLUMNS)
_USE_SUMMED = ", ".join(f"sum({summed}) as {summed}" for summed in _COLUMNS)

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
    sums, peaks, ((first,),) = ledger.read_all((_alike_in(quarters), (_PEAKS, minutes), (_FIRST, ())))
    rows = [_Row._make((*row[:5], row[5:])) for row in sums]
    begun = asked if first is None else min(max(asked, first * MINUTE), until)
    return Use(begun, until, asked_days, tuple(_groups(rows)), dict(peaks), dict(_hit_rates(rows)))


def summed_anew(ledger: Ledger, limits: Iterable[int]) -> list[Statement]:
    """Return the statements that have sums kept by these limits of long prompts; none: they are.

    Raises `LedgerProblem`.
    """
    bounds = limits_of(limits)
    before = [bound for (bound,) in ledger.read(LONG_PROMPTS)]
    return [] if before == bounds else priced_beyond(bounds)


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
    """Return the sums of all profiles, dearest first."""
    grouped: dict[tuple[str, str, int, int], list[tuple[int, ...]]] = {}
    for row in rows:
        grouped.setdefault(row[1:5], []).append(row.sums)
    groups = [_alike(*key, *map(sum, zip(*sums, strict=True))) for key, sums in grouped.items()]
    return sorted(groups, key=lambda group: (-group.pico, group.model))


def _alike(model: str, billing: str, flags: int, beyond: int, messages: int, *sums: int) -> Alike:
    *counts, pico = sums
    how = {"fast": FAST, "us": US, "batch": BATCH, "unpriced": UNPRICED}
    switches = {name: bool(flags & flag) for name, flag in how.items()}
    return Alike(model, Payer(billing), messages, Usage(*counts), pico, beyond, **switches)


def _hit_rates(rows: Sequence[_Row]) -> Iterator[tuple[str, float]]:
    """Yield the hit rate of each profile, whoever pays for it."""
    for name in sorted({row.profile for row in rows}):
        messages, *counts, _ = map(sum, zip(*(row.sums for row in rows if row.profile == name), strict=True))
        used = Usage(*counts)
        if used.prompt and messages >= ENOUGH:
            yield name, used.cache_read / used.prompt


def requests(ledger: Ledger, model: str, until: int, days: int = 30) -> Requests | None:
    """Return how large the requests of a model were in the last days before `until`; "": of the model that had most.

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


_BY_MODEL = f"""select name, {", ".join(f"sum({summed})" for summed in _COUNTS)} from spend_days
    join models on model = models.id where day >= ? and day < ? group by name"""
_BY_SIZE = """select name, least, sum(prompts), sum(outputs) from sizes join models on model = models.id
    where day >= ? and day < ? group by name, least order by name, least"""


def _counted(steps: Sequence[tuple[str | int, ...]], column: int) -> Mapping[str, Mapping[int, int]]:
    """Return by model how many requests there were of each step, the smallest first."""
    counts: dict[str, dict[int, int]] = {}
    for row in steps:
        if row[column]:
            counts.setdefault(str(row[0]), {})[int(row[1])] = int(row[column])
    return counts


def _quartiles(counts: Mapping[int, int]) -> tuple[int, ...]:
    """The sizes that a quarter, a half and three quarters of all do not exceed, as the middles of their steps."""
    return tuple(_reached(counts, -(-sum(counts.values()) * share // 4)) for share in (1, 2, 3))


def _reached(counts: Mapping[int, int], number: int) -> int:
    """Return the size of the one with this number, counted from the smallest."""
    for least, count in counts.items():
        number -= count
        if number <= 0:
            return middle(least)
    raise ValueError("there are fewer")
