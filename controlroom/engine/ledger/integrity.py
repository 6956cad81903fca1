"""Looking after the ledger: is it whole, do its sums add up, and a copy of it while it is in use."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from controlroom.engine.ledger import advice_tables
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem, connect
from controlroom.engine.ledger.usage_tables import DUE, HIDDEN, RESERVED, SUM_TABLES, true_sums

# ruff: noqa: S608 - only our own words go into these
_RUNS_ASTRAY = f"""select count(*) from runs
    left join (select run, sum(pico) as pico from usage where run > 0 group by run) as own on own.run = runs.run
    left join (select message, sum(pico) as pico from usage where flags & {HIDDEN} group by message) as other
    on other.message = '{RESERVED}' || runs.run
    where metered <> coalesce(own.pico, 0) or booked <> coalesce(other.pico, 0) or booked <> {DUE}"""

_SUMS = {
    **{
        table: (true_sums(table), f"select * from {table} where messages > 0 or flags & {HIDDEN}")
        for table in SUM_TABLES
    },
    **{table: (query, advice_tables.KEPT[table]) for table, query in advice_tables.TRUE.items()},
}
"""By table of sums: the query for what it ought to hold, and for what it holds."""


def check(ledger: Ledger) -> list[str]:
    """Read the whole ledger; give what is wrong with it, nothing when it is well. Raises `LedgerProblem`."""
    return list(_wrong(ledger))


def _wrong(ledger: Ledger) -> Iterator[str]:
    for (line,) in ledger.read("pragma integrity_check(20)"):
        if line != "ok":
            yield f"the file is damaged: {line}"
    for table, (true, kept) in _SUMS.items():
        yield from _astray(ledger, table, true, kept)
    ((astray,),) = ledger.read(_RUNS_ASTRAY)
    if astray:
        yield f"what {astray} runs report is not what is booked of them"


def _astray(ledger: Ledger, table: str, true: str, kept: str) -> Iterator[str]:
    """Compare a table of sums with what it sums up, row by row."""
    for one, other, says in ((true, kept, "lacks"), (kept, true, "has too much in")):
        rows = ledger.read(f"select count(*) from (select * from ({one}) except select * from ({other}))")
        if rows[0][0]:
            yield f"{table} {says} {rows[0][0]} of its sums"


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
