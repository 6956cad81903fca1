"""Tables of usage: every API message once, and the sums that every view is made from.

A message is named by its id, or else by that of its request, wherever it is met again: in a transcript that was
resumed, forked or copied, in a file that is read anew, under another request. Who brought it first keeps it, unless
that was a copy and a run of the same host says that it asked for it. When it comes again the dearer one counts: Claude
Code writes a message several times and never less than before, so this is the last one in an honest transcript, in
whatever order the lines come, and an agent cannot talk its bill down. Only an estimate gives way to what is known for
certain, be it less.

What Claude itself reports of a run beyond its messages (titles, classifiers, whatever stands in no transcript) is
booked as rows of their own, so that every sum counts the larger of the two. They follow the difference: it grows with
each report, shrinks when a late line accounts for it, and is never negative. A message counts for the one run that says
it asked for it; if two say so, for none.

Triggers keep the sums in the same transaction: quarters of an hour, because no time zone begins a day in between. Sums
are kept apart by all that prices go by. How long a prompt is counts by the limits of the price sheet (`long_prompts`):
when these change, the sums are made anew (`priced_beyond`). Triggers also note whose sums are stale (`Touched`).
"""

import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controlroom.engine.ledger.advice_tables import ADVICE_TABLES
from controlroom.metering.prices import Cost
from controlroom.metering.usage import MOST_TOKENS, Message
from controlroom.metering.usage_file import Report

AgentKey = tuple[str, str]
"""Host and name of an agent."""

RunKey = tuple[str, str, int]
"""Host, name and epoch of a run."""

UNATTRIBUTED = "unattributed"
"""The model of such rows."""

RESERVED = f"{UNATTRIBUTED} "
"""How their message ids begin; no message may be called so."""

DOUBTED = 64
"""The flag of a message that cannot be true, beside those of `usage_tables`."""

HIDDEN = 32
"""The flag of such rows."""

IMPORTED = "(imported)"
"""The agent of what was used before Control Room; no agent can be called so."""

HISTORY = 128
"""The flag of such messages: they take nothing from budgets."""

DISPUTED = -1
"""The run of a message that two runs claim; 0: none is known."""

NOISE = 10_000
"""Pico-dollars that Claude's floating sums may be off by: a hundredth of a micro-dollar."""

PERIOD = 900_000
"""Milliseconds in which what is added to a run stands in one row."""

Statement = tuple[str, tuple[int | str | None, ...]]

DUE = f"case when reported - metered > {NOISE} then reported - metered else 0 end"
"""What is to be booked of a run."""

# ruff: noqa: S608 - only our own words go into these
_CLAIMED = """insert into runs (run, source, at, metered) select new.run, new.source, new.at, new.pico where new.run > 0
    on conflict (run) do update set metered = metered + excluded.metered"""
_RELEASED = "update runs set metered = metered - old.pico where run = old.run"

UNATTRIBUTED_TABLES: Sequence[str] = (
    """create table runs (run integer primary key, source integer not null, at integer not null,
    reported integer not null default 0, metered integer not null default 0, booked integer not null default 0)""",
    f"create index runs_owing on runs (run) where booked <> {DUE}",
    f"insert or ignore into models (name) values ('{UNATTRIBUTED}')",
    f"create trigger usage_claimed after insert on usage when new.run > 0 begin {_CLAIMED}; end",
    f"""create trigger usage_moved after update on usage when new.run > 0 or old.run > 0
    begin {_RELEASED}; {_CLAIMED}; end""",
)

_OWING = f"from runs indexed by runs_owing {{}} where booked <> {DUE}"

_GROW = f"""insert into usage select '{RESERVED}' || run, printf('%012d', at / {PERIOD}), at, source,
    (select id from models where name = '{UNATTRIBUTED}'), 0, {HIDDEN}, 0, 0, 0, 0, 0, 0, {DUE} - booked, 0
    {_OWING.format("")} and booked < {DUE} on conflict (message, request) do update set pico = pico + excluded.pico"""

_NEWER = "sum(pico) over (partition by message order by request desc rows between unbounded preceding and 1 preceding)"
_SHRINK = f"""insert into usage select message, request, at, source, model, unpriced, flags, input, output,
    cache_write_5m, cache_write_1h, cache_read, web_searches, max(0, pico - max(0, excess - newer)), run
    from (select usage.*, booked - ({DUE}) as excess, coalesce({_NEWER}, 0) as newer
    {_OWING.format(f"join usage on message = '{RESERVED}' || runs.run")} and booked > {DUE})
    where true on conflict (message, request) do update set pico = excluded.pico"""

SETTLED: Sequence[Statement] = (
    (_GROW, ()),
    (_SHRINK, ()),
    (f"update runs set booked = {DUE} where run in (select run {_OWING.format('')})", ()),
)
"""Book the differences as they are now: the newest part of one that shrinks goes first."""

_REPORTED = """insert into runs (run, source, at, reported) select ?, id, ?, ? from sources
    where host = ? and agent = ? and profile = ? and folder = ? and billing = ? and epoch = ?
    on conflict (run) do update set source = excluded.source, at = excluded.at, reported = excluded.reported
    where excluded.reported > runs.reported"""


def reported(source: tuple[str | int, ...], report: Report) -> Statement:
    """Return the statement that takes a report of a run; `source` is written already."""
    return _REPORTED, (run_number(report.run), report.at, report.pico, *source)


def run_number(run: str) -> int:
    """Return the ledger's number of a run."""
    return int(run, 16) + 1 if run else 0


QUARTER = 900_000
"""Milliseconds of one row of the finest sums."""

DAY = 86_400_000
"""Milliseconds of one row of the sums by day (of UTC)."""

UNPRICED, FAST, US, BATCH, ESTIMATED = 1, 2, 4, 8, 16
"""Flags of a message, beside `HIDDEN`."""

MOST_PROMPT = 4 * MOST_TOKENS
"""Tokens that no prompt is beyond."""

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
    doubted: bool = False
    """More was claimed than can be true: this is what counts of it."""


def _each(form: str, columns: Sequence[str] = _COUNTS) -> str:
    return ", ".join(form.format(column) for column in columns)


_PART = 1_000_000
_SUMMED = f"sum({{0}} / {_PART}) * {_PART} + sum({{0}} % {_PART})"
"""A sum that is exact as long as an integer holds it; beyond, `sum` would be an error, and this comes near."""


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


_PROMPT = "{0}.input + {0}.cache_write_5m + {0}.cache_write_1h + {0}.cache_read"
_BEYOND = f"coalesce((select max(tokens) from long_prompts where tokens < {_PROMPT}), 0)"
_PAYER = "(select billing from sources where id = {0}.source)"

_KEYS = {
    "spend": ("quarter, source, model, flags, beyond", f"{{0}}.at / {QUARTER}, {{0}}.source, {{0}}.model, {{0}}.flags"),
    "spend_days": ("day, source, model, flags, beyond", f"{{0}}.at / {DAY}, {{0}}.source, {{0}}.model, {{0}}.flags"),
    "spend_times": ("quarter, billing, flags", f"{{0}}.at / {QUARTER}, {_PAYER}, {{0}}.flags"),
}
"""By table: the columns that sums are kept by, and what they are of a message."""


def _key(table: str, row: str) -> str:
    columns, key = _KEYS[table]
    return f"{key}, {_BEYOND}".format(row) if columns.endswith("beyond") else key.format(row)


def _is(table: str) -> str:
    return f"({_KEYS[table][0]}) = ({_key(table, 'old')})"


_ADDED = "; ".join(_add(table, _key(table, "new")) for table in _KEYS)
_TAKEN = "; ".join(_take(table, _is(table)) for table in _KEYS)

_TRIGGERS = (
    f"create trigger usage_added after insert on usage begin {_ADDED}; end",
    f"create trigger usage_changed after update on usage begin {_TAKEN}; {_ADDED}; end",
)

USAGE_TABLES: Sequence[str] = (
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
"""Format 2 of the ledger; its sums are made anew in format 5."""

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


REPORTS: Sequence[str] = (
    "drop trigger if exists usage_added",
    "drop trigger if exists usage_changed",
    "alter table usage add column run integer not null default 0",
    *UNATTRIBUTED_TABLES,
)
"""Format 4: which run each message belongs to, and what runs report; its sums are made anew in format 5."""


def true_sums(table: str) -> str:
    """Return the query for what a table of sums ought to hold: its key, then its sums."""
    key = _key(table, "usage")
    by = ", ".join(str(number + 1) for number in range(len(_KEYS[table][0].split(", "))))
    return f"select {key}, sum(flags & {HIDDEN} = 0), {_each(_SUMMED)} from usage group by {by}"


SUM_TABLES = tuple(_KEYS)


def _coarser(table: str, key: str) -> str:
    """Fill a table with the finest sums, summed up."""
    by = ", ".join(str(number + 1) for number in range(len(_KEYS[table][0].split(", "))))
    return f"insert into {table} select {key}, {_each(_SUMMED, _SUMS)} from spend group by {by}"


_FINEST = f"insert into spend {true_sums('spend')}"
_BY_DAY = _coarser("spend_days", f"quarter / {DAY // QUARTER}, source, model, flags, beyond")
_BY_TIME = _coarser("spend_times", f"quarter, {_PAYER.format('spend')}, flags")

SUMS: Sequence[str] = (
    "drop trigger if exists usage_added",
    "drop trigger if exists usage_changed",
    *(f"drop table if exists {table}" for table in _KEYS),
    "create table long_prompts (tokens integer primary key)",
    *(_sums(table, columns) for table, (columns, _) in _KEYS.items()),
    "create index spend_days_source on spend_days (source)",
    _FINEST,
    _BY_DAY,
    _BY_TIME,
    *_TRIGGERS,
    *ADVICE_TABLES,
)
"""Format 5: sums by all that prices go by, the limits of long prompts among them, and those that advice needs.

Sums count pico-dollars (10^-12), so that they are exact; they are rounded where they are shown. `spend` is the finest;
`spend_days` (days of UTC) and `spend_times` are the same summed up, so that a view of a month reads thousands of rows
and not hundreds of thousands.
"""

LONG_PROMPTS = "select tokens from long_prompts order by 1"
"""The limits of long prompts that sums are kept by."""


def limits_of(limits: Iterable[int]) -> list[int]:
    """Return limits of long prompts as sums are kept by them: each once, in order, without what no prompt is beyond."""
    return sorted({limit for limit in limits if 0 < limit < MOST_PROMPT})


def priced_beyond(limits: Sequence[int]) -> list[Statement]:
    """Return the statements that make the sums anew, kept by these limits of long prompts."""
    return [
        ("delete from long_prompts", ()),
        *(("insert into long_prompts values (?)", (limit,)) for limit in limits),
        *((statement, ()) for statement in ("delete from spend", _FINEST, "delete from spend_days", _BY_DAY)),
    ]


_BETTER = "(usage.flags & {0} > excluded.flags & {0} or (usage.flags & {0} = excluded.flags & {0} and {1}))".format(
    ESTIMATED, "excluded.pico > usage.pico"
)
_RUN = f"""case when excluded.run in (0, usage.run) then usage.run when usage.run = 0 then excluded.run
    else {DISPUTED} end"""
_HOST = "(select host from sources where id = {0}.source)"
_CLAIMS = f"""(usage.run = 0 and excluded.run <> 0 and excluded.flags & {HISTORY} = 0
    and (usage.flags & {HISTORY} > 0 or {_HOST.format("usage")} = {_HOST.format("excluded")}))"""
"""A run says that it asked for what was taken for history, or brought as a copy: then it is that run's, at its time.

What another host has brought stays where it is: none may take use out of the sums of others.
"""
_FLAGS = f"""(iif({_BETTER}, excluded.flags, usage.flags) & ~{HISTORY})
    | iif({_CLAIMS}, 0, usage.flags & {HISTORY})"""
_CHANGES = ", ".join(
    (
        _each(f"{{0}} = iif({_BETTER}, excluded.{{0}}, usage.{{0}})", [name for name in _NUMBERS if name != "flags"]),
        f"flags = {_FLAGS}",
        *(f"{name} = iif({_CLAIMS}, excluded.{name}, usage.{name})" for name in ("source", "at")),
    )
)
_REQUEST = "coalesce((select min(request) from usage where message = ?1 and message <> ''), ?2)"
"""The request that a message stands under already, if it does."""

_BOOK = f"""insert into usage
    select ?1, {_REQUEST}, ?, sources.id, models.id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? from sources, models
    where sources.host = ? and sources.agent = ? and sources.profile = ? and sources.folder = ? and sources.billing = ?
    and sources.epoch = ? and models.name = ?
    on conflict do update set {_CHANGES}, run = {_RUN} where {_BETTER} or usage.run <> {_RUN} or {_CLAIMS}"""


def book(source: Source, bookings: Sequence[Booking], reports: Sequence[Report] = ()) -> list[Statement]:
    """Return the statements that book messages of one source, and what its runs report."""
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
    statements += [reported(tuple(source), report) for report in reports]
    return [*statements, *SETTLED]


def _dearest(bookings: Sequence[Booking]) -> list[tuple[int, str, int]]:
    dearest: dict[tuple[int, str], int] = {}
    for message, cost, at, doubted in bookings:
        if doubted:
            continue
        key = at // DAY, message.model
        dearest[key] = max(dearest.get(key, 0), cost.pico)
    return [(*key, pico) for key, pico in dearest.items()]


_DEAREST = """insert into dearest values (?, ?, ?)
    on conflict do update set pico = excluded.pico where excluded.pico > dearest.pico"""

TOTALS = "select agent, epoch, sum(pico) from sources join spend_days on source = id where host = ? group by 1, 2"
"""What each run of each agent of a host has cost in all, at list prices, in pico-dollars."""

TOTALS_OF = TOTALS.replace("where host = ?", "where host = ? and agent in ({})")
"""The same of some of its agents."""


def read_places(host: str) -> tuple[str, tuple[str]]:
    """Return the query for how much of each usage file of a host has been booked: agent, epoch, offset, mark."""
    return "select agent, epoch, offset, mark from usage_read where host = ?", (host,)


def forgotten(host: str, agent: str) -> Statement:
    """Forget how much of an agent's files has been booked."""
    return "delete from usage_read where host = ? and agent = ?", (host, agent)


def read_up_to(host: str, agent: str, epoch: int, offset: int, mark: str) -> Statement:
    """Note how much of an agent's usage file has been booked, and what file that was."""
    return "insert or replace into usage_read values (?, ?, ?, ?, ?)", (host, agent, epoch, offset, mark)


def _values(source: Source, booking: Booking) -> tuple[int | str, ...]:
    message, cost, at, doubted = booking
    flags = FAST * message.fast | US * message.us | BATCH * message.batch | UNPRICED * (not cost.priced)
    flags |= ESTIMATED * message.estimated | DOUBTED * doubted | HISTORY * (source.agent == IMPORTED)
    counts = (*message.usage, cost.pico, run_number(message.run))
    return (message.id, message.request, at, int(not cost.priced), flags, *counts, *source, message.model)


_NOTE = "insert into touched select {0}.source where {0}.source not in (select source from touched)"

TOUCH_TRIGGERS: Sequence[str] = (
    "pragma temp_store = memory",
    "create temp table touched (source integer primary key)",
    f"create temp trigger touched_added after insert on usage begin {_NOTE.format('new')}; end",
    f"""create temp trigger touched_changed after update on usage
    begin {_NOTE.format("old")}; {_NOTE.format("new")}; end""",
    f"create temp trigger touched_taken after delete on usage begin {_NOTE.format('old')}; end",
)
"""What notes it; gone with the connection."""

TOUCHED = "select distinct host, agent from touched join sources on source = id"
FORGET_TOUCHED = "delete from touched"


class Touched:
    """Agents whose sums are others, for one who reads them. For any thread."""

    def __init__(self) -> None:
        self._agents: set[AgentKey] = set()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._agents)

    def add(self, agents: Iterable[AgentKey]) -> None:
        """Note agents whose sums have changed."""
        with self._lock:
            self._agents.update(agents)

    def take(self) -> set[AgentKey]:
        """Return them, each once."""
        with self._lock:
            taken, self._agents = self._agents, set()
        return taken
