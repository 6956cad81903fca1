"""The ledger's table of runs: what each reports to have cost, what its messages account for, and what is between.

What Claude itself reports of a run beyond our metering of it (titles, classifiers, whatever stands in no transcript) is
booked as rows of their own in `usage`, so that every sum counts the larger of the two. They follow the difference: it
grows with each report and shrinks when a late line accounts for it, and is never negative, in whatever order reports
and messages come, and however often.

A message counts for the one run that says it asked for it. If two say so, it counts for none: an agent that passes off
others' messages as its own hides nothing with them. Estimates count as well, for Claude reports them, too.
"""

from collections.abc import Sequence

from controlroom.metering.usage_file import Report

UNATTRIBUTED = "unattributed"
"""The model of such rows."""

RESERVED = f"{UNATTRIBUTED} "
"""How their message ids begin; no message may be called so."""

HIDDEN = 32
"""The flag of such rows."""

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

TABLES: Sequence[str] = (
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
    """Give the statement that takes a report of a run; `source` is written already."""
    return _REPORTED, (number_of(report.run), report.at, report.pico, *source)


def number_of(run: str) -> int:
    """Give the ledger's number of a run."""
    return int(run, 16) + 1 if run else 0
