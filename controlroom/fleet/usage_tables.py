"""The ledger's tables of usage: every API message once for ever, and sums that every view is made from.

A message is named by (message id, request id), wherever it is met again: in a transcript that was resumed, forked or
copied, in a file that is read anew. Who brought it first keeps it. When a line about it comes again, the dearer one
counts: Claude Code writes a message several times and never less than before, so this is the last one in an honest
transcript, in whatever order the lines come, and an agent cannot talk its bill down. Only an estimate gives way to
what is known for certain, be it less.

Triggers keep the sums in the same transaction: quarters of an hour, because no time zone begins a day in between.
"""

from collections.abc import Sequence
from typing import NamedTuple

from controlroom.fleet import unattributed
from controlroom.fleet.unattributed import HIDDEN
from controlroom.fleet.unattributed import Statement as Statement
from controlroom.meter.prices import Cost
from controlroom.meter.reports import Report
from controlroom.meter.usage import Message

QUARTER = 900_000
"""Milliseconds of one row of the finest sums."""

DAY = 86_400_000
"""Milliseconds of one row of the sums by day (of UTC)."""

UNPRICED, FAST, US, BATCH, ESTIMATED = 1, 2, 4, 8, 16
"""Flags of a message, beside `HIDDEN`."""

ODD = UNPRICED | ESTIMATED | HIDDEN
"""Flags that sums are kept by."""

_SUMS = ("messages", "input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches", "pico")
_COUNTS = _SUMS[1:]
_NUMBERS = ("model", "unpriced", "flags", *_COUNTS)


class Source(NamedTuple):
    """Who spent: what sums are grouped by. `billing`: plan, api, or "" when it is not known."""

    host: str
    agent: str
    """Its name on its host."""
    profile: str
    folder: str
    billing: str
    epoch: int = 0
    """Which run of the agent; 0: not known."""


class Booking(NamedTuple):
    """One message to be booked. `at`: UTC milliseconds of our clock."""

    message: Message
    cost: Cost
    at: int


def _each(form: str, columns: Sequence[str] = _COUNTS) -> str:
    return ", ".join(form.format(column) for column in columns)


# ruff: noqa: S608 - only our own words go into these
def _add(table: str, key: str) -> str:
    return f"""insert into {table} values ({key}, new.flags & {HIDDEN} = 0, {_each("new.{0}")})
        on conflict do update set {_each("{0} = {0} + excluded.{0}", _SUMS)}"""


def _take(table: str, where: str) -> str:
    less = _each("{0} = {0} - old.{0}")
    return f"update {table} set messages = messages - (old.flags & {HIDDEN} = 0), {less} where {where}"


def _sums(table: str, keys: str) -> str:
    columns = ", ".join(f"{column} integer not null" for column in (*keys.split(", "), *_SUMS))
    return f"create table {table} ({columns}, primary key ({keys})) without rowid"


_OF = f"source = old.source and model = old.model and odd = old.flags & {ODD}"
_PAYER = "(select billing from sources where id = {}.source)"
_ADDED = "; ".join(
    (
        _add("spend", f"new.at / {QUARTER}, new.source, new.model, new.flags & {ODD}"),
        _add("spend_days", f"new.at / {DAY}, new.source, new.model, new.flags & {ODD}"),
        _add("spend_times", f"new.at / {QUARTER}, {_PAYER.format('new')}, new.flags & {ODD}"),
    )
)
_TAKEN = "; ".join(
    (
        _take("spend", f"quarter = old.at / {QUARTER} and {_OF}"),
        _take("spend_days", f"day = old.at / {DAY} and {_OF}"),
        _take(
            "spend_times",
            f"quarter = old.at / {QUARTER} and billing = {_PAYER.format('old')} and odd = old.flags & {ODD}",
        ),
    )
)

_TRIGGERS = (
    f"create trigger usage_added after insert on usage begin {_ADDED}; end",
    f"create trigger usage_changed after update on usage begin {_TAKEN}; {_ADDED}; end",
)

_SUM_TABLES = (
    _sums("spend", "quarter, source, model, odd"),
    _sums("spend_days", "day, source, model, odd"),
    "create index spend_days_source on spend_days (source)",
    _sums("spend_times", "quarter, billing, odd"),
)

TABLES: Sequence[str] = (
    """create table sources (id integer primary key, host text not null, agent text not null, profile text not null,
    folder text not null, billing text not null, unique (host, agent, profile, folder, billing))""",
    "create table models (id integer primary key, name text not null unique)",
    """create table usage (message text not null, request text not null, at integer not null, source integer not null,
    model integer not null, unpriced integer not null, flags integer not null, input integer not null,
    output integer not null, cache_write_5m integer not null, cache_write_1h integer not null,
    cache_read integer not null, web_searches integer not null, pico integer not null,
    primary key (message, request)) without rowid""",
    """create table usage_read (host text not null, agent text not null, epoch integer not null,
    offset integer not null, mark text not null, primary key (host, agent, epoch)) without rowid""",
)
"""Format 2 of the ledger; its sums are made anew in format 4."""

RUNS: Sequence[str] = (
    "drop trigger if exists usage_added",
    "drop trigger if exists usage_changed",
    """create table sources_of_runs (id integer primary key, host text not null, agent text not null,
    profile text not null, folder text not null, billing text not null, epoch integer not null,
    unique (host, agent, profile, folder, billing, epoch))""",
    "insert into sources_of_runs select id, host, agent, profile, folder, billing, 0 from sources",
    "drop table sources",
    "alter table sources_of_runs rename to sources",
    """create table dearest (day integer not null, model text not null, pico integer not null,
    primary key (day, model)) without rowid""",
    f"""insert into dearest select at / {DAY}, name, max(pico) from usage join models on model = models.id
    group by 1, 2""",
)
"""Format 3: what tells runs of an agent apart, and the dearest message of a model on each day (of UTC)."""


def _summed(table: str, keys: str) -> str:
    """Fill a table of sums with what is in `usage`."""
    sums = _each("sum({0})")
    count = len(keys.split(", "))
    by = ", ".join(map(str, range(1, count + 1)))
    return f"insert into {table} select {keys}, sum(flags & {HIDDEN} = 0), {sums} from usage group by {by}"


REPORTS: Sequence[str] = (
    "drop trigger if exists usage_added",
    "drop trigger if exists usage_changed",
    *(f"drop table if exists {table}" for table in ("spend", "spend_days", "spend_times")),
    "alter table usage add column run integer not null default 0",
    *_SUM_TABLES,
    _summed("spend", f"at / {QUARTER}, source, model, flags & {ODD}"),
    _summed("spend_days", f"at / {DAY}, source, model, flags & {ODD}"),
    _summed("spend_times", f"at / {QUARTER}, {_PAYER.format('usage')}, flags & {ODD}"),
    *_TRIGGERS,
    *unattributed.TABLES,
)
"""Format 4: which run each message belongs to, and what runs report.

Sums count pico-dollars (10^-12), so that they are exact; they are rounded where they are shown. `spend` is the finest;
`spend_days` (days of UTC) and `spend_times` are the same summed up, so that a view of a month reads thousands of rows
and not hundreds of thousands.
"""

_BETTER = "(usage.flags & {0} > excluded.flags & {0} or (usage.flags & {0} = excluded.flags & {0} and {1}))".format(
    ESTIMATED, "excluded.pico > usage.pico"
)
_RUN = f"""case when excluded.run in (0, usage.run) then usage.run when usage.run = 0 then excluded.run
    else {unattributed.DISPUTED} end"""
_CHANGES = _each(f"{{0}} = iif({_BETTER}, excluded.{{0}}, usage.{{0}})", _NUMBERS)
_BOOK = f"""insert into usage select ?, ?, ?, sources.id, models.id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? from sources, models
    where sources.host = ? and sources.agent = ? and sources.profile = ? and sources.folder = ? and sources.billing = ?
    and sources.epoch = ? and models.name = ?
    on conflict do update set {_CHANGES}, run = {_RUN} where {_BETTER} or usage.run <> {_RUN}"""


def book(source: Source, bookings: Sequence[Booking], reports: Sequence[Report] = ()) -> list[Statement]:
    """Give the statements that book messages of one source, and what its runs report."""
    statements: list[Statement] = [
        (
            "insert or ignore into sources (host, agent, profile, folder, billing, epoch) values (?, ?, ?, ?, ?, ?)",
            tuple(source),
        )
    ]
    models = dict.fromkeys(booking.message.model for booking in bookings)
    statements += [("insert or ignore into models (name) values (?)", (model,)) for model in models]
    statements += [(_DEAREST, values) for values in _dearest(bookings)]
    statements += [(_BOOK, _values(source, booking)) for booking in bookings]
    statements += [unattributed.reported(tuple(source), report) for report in reports]
    return [*statements, *unattributed.SETTLED]


def _dearest(bookings: Sequence[Booking]) -> list[tuple[int, str, int]]:
    found: dict[tuple[int, str], int] = {}
    for message, cost, at in bookings:
        key = at // DAY, message.model
        found[key] = max(found.get(key, 0), cost.pico)
    return [(*key, pico) for key, pico in found.items()]


_DEAREST = """insert into dearest values (?, ?, ?)
    on conflict do update set pico = excluded.pico where excluded.pico > dearest.pico"""

TOTALS = "select agent, epoch, sum(pico) from sources join spend_days on source = id where host = ? group by 1, 2"
"""What each run of each agent of a host has cost in all, at list prices, in pico-dollars."""


def read_places(host: str) -> tuple[str, tuple[str]]:
    """Give the query for how much of each usage file of a host has been booked: agent, epoch, offset, mark."""
    return "select agent, epoch, offset, mark from usage_read where host = ?", (host,)


def forgotten(host: str, agent: str) -> Statement:
    """Forget how much of an agent's files has been booked."""
    return "delete from usage_read where host = ? and agent = ?", (host, agent)


def read_up_to(host: str, agent: str, epoch: int, offset: int, mark: str) -> Statement:
    """Note how much of an agent's usage file has been booked, and what file that was."""
    return "insert or replace into usage_read values (?, ?, ?, ?, ?)", (host, agent, epoch, offset, mark)


def _values(source: Source, booking: Booking) -> tuple[int | str, ...]:
    message, cost, at = booking
    flags = FAST * message.fast | US * message.us | BATCH * message.batch | UNPRICED * (not cost.priced)
    flags |= ESTIMATED * message.estimated
    counts = (*message.usage, cost.pico, unattributed.number_of(message.run))
    return (message.id, message.request, at, int(not cost.priced), flags, *counts, *source, message.model)
