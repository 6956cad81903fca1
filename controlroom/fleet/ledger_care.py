"""Looking after the ledger: is it whole, do its sums add up, and a copy of it while it is in use."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from controlroom.fleet.ledger import Ledger, LedgerProblem, connect
from controlroom.fleet.unattributed import DUE, HIDDEN, RESERVED
from controlroom.fleet.usage_tables import DAY, ODD, QUARTER

_COLUMNS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches", "pico")
_SUMS = ", ".join((f"sum(flags & {HIDDEN} = 0)", *(f"sum({column})" for column in _COLUMNS)))

# ruff: noqa: S608 - only our own words go into these
_TRUE = f"select %s, {_SUMS} from usage group by 1, 2, 3, 4"
_KEPT = f"select %s, messages, {', '.join(_COLUMNS)} from %s where messages > 0 or odd >= {HIDDEN}"
_RUNS_ASTRAY = f"""select count(*) from runs
    left join (select run, sum(pico) as pico from usage where run > 0 group by run) as own on own.run = runs.run
    left join (select message, sum(pico) as pico from usage where flags & {HIDDEN} group by message) as other
    on other.message = '{RESERVED}' || runs.run
    where metered <> coalesce(own.pico, 0) or booked <> coalesce(other.pico, 0) or booked <> {DUE}"""
_TABLES = {"spend": ("quarter", QUARTER), "spend_days": ("day", DAY)}


def check(ledger: Ledger) -> list[str]:
    """Read the whole ledger; give what is wrong with it, nothing when it is well. Raises `LedgerProblem`."""
    return list(_wrong(ledger))


def _wrong(ledger: Ledger) -> Iterator[str]:
    for (line,) in ledger.read("pragma integrity_check(20)"):
        if line != "ok":
            yield f"the file is damaged: {line}"
    for table, (column, span) in _TABLES.items():
        yield from _astray(ledger, table, column, span)
    (times,) = ledger.read("select coalesce(sum(messages), 0), coalesce(sum(pico), 0) from spend_times")
    (all_of_it,) = ledger.read(f"select coalesce(sum(flags & {HIDDEN} = 0), 0), coalesce(sum(pico), 0) from usage")
    if times != all_of_it:
        yield f"the sums over time say {times[0]} messages, there are {all_of_it[0]}"
    ((astray,),) = ledger.read(_RUNS_ASTRAY)
    if astray:
        yield f"what {astray} runs report is not what is booked of them"


def _astray(ledger: Ledger, table: str, column: str, span: int) -> Iterator[str]:
    """Compare a table of sums with what it sums up, row by row."""
    true = _TRUE % f"at / {span}, source, model, flags & {ODD}"
    kept = _KEPT % (f"{column}, source, model, odd", table)
    for one, other, says in ((true, kept, "lacks"), (kept, true, "has too much for")):
        rows = ledger.read(f"select count(*) from ({one} except {other})")
        if rows[0][0]:
            yield f"{table} {says} {rows[0][0]} of its {column}s"


def back_up(ledger: Ledger, path: str) -> str:
    """Copy the ledger, as it is at one moment, into a new file 0600; give its path. Raises `LedgerProblem`."""
    target = Path(os.path.expanduser(path))
    if not target.is_absolute():
        raise LedgerProblem(f"{path} is not a whole path: begin it with /")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        raise LedgerProblem(f"{target} is there already: choose another name") from None
    except OSError as error:
        raise LedgerProblem(f"{target} cannot be written: {error.strerror}") from None
    try:
        with contextlib.closing(connect(ledger.path)) as source, contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            copy.execute("pragma journal_mode = delete")
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise LedgerProblem(f"the ledger could not be copied to {target}: {error}") from None
    return str(target)
