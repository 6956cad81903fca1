"""The ledger's table of the moments before which each host has told all that its agents had used (UTC milliseconds)."""

from collections.abc import Sequence

from controlroom.engine.ledger.unattributed import Statement

TABLES: Sequence[str] = ("create table told (host text primary key, till integer not null) without rowid",)
"""A part of format 10 of the ledger."""

ROWS = "select host, till from told"


def written(host: str, till: int) -> Statement:
    """Write until when a host has told everything."""
    return "insert or replace into told values (?, ?)", (host, till)
