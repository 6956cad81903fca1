"""Tables of imports: how we stand with each host's transcripts from before, and how much of each of them is booked.

What is booked of a transcript is noted in the same transaction as its messages, so that an import that breaks off goes
on behind them. A transcript is named by a hash of its path: nothing else of it is kept.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controlroom.domain.imports import ImportState, UsageImport
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.metering.prices import micro
from controlroom.text.lazy_dataclass import dataclass

IMPORT_TABLES: Sequence[str] = (
    """create table imports (host text primary key, state text not null, at integer not null, met integer not null,
    since integer not null, messages integer not null, pico integer not null) without rowid""",
    """create table imported_files (host text not null, file text not null, mark text not null, end integer not null,
    since integer not null, primary key (host, file)) without rowid""",
)
"""Format 16 of the ledger."""

IMPORTS = "select host, state, at, met, since, messages, pico from imports"
FILES = "select file, mark, end, since from imported_files where host = ?"


@dataclass(frozen=True)
class ImportRow:
    """One host's import, as it is kept. `met`: when the room first met the host, UTC ms."""

    host: str
    state: ImportState
    at: int
    met: int
    since: int = 0
    messages: int = 0
    pico: int = 0

    def entered(self, state: ImportState, at: int) -> "ImportRow":
        """Return it in another state."""
        return replace(self, state=state, at=at)

    def shown(self, **more: Any) -> UsageImport:
        """Return it as it is shown."""
        known = UsageImport(self.state, self.at, since=self.since, messages=self.messages, micro=micro(self.pico))
        return replace(known, **more)


def read_row(row: tuple[Any, ...]) -> ImportRow:
    """Read a row of `IMPORTS`."""
    host, state, *numbers = row
    return ImportRow(str(host), ImportState(state), *map(int, numbers))


def keep_import(row: ImportRow) -> Statement:
    """Write how we stand with a host."""
    return "insert or replace into imports values (?, ?, ?, ?, ?, ?, ?)", tuple(vars(row).values())


def keep_file(host: str, path: str, mark: str, end: int, since: int) -> Statement:
    """Note how much of a transcript is booked, of messages not older than `since`."""
    return "insert or replace into imported_files values (?, ?, ?, ?, ?)", (host, file_key(path), mark, end, since)


def file_key(path: str) -> str:
    """Name a transcript of a host."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:16]
