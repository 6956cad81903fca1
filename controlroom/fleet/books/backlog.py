"""Writes that the disk did not take, kept in memory until it does: in their order, and within a bound."""

from collections.abc import Sequence
from datetime import datetime, timezone

from controlroom.domain.audit import AuditLine
from controlroom.fleet.books.ledger import audit_statement
from controlroom.fleet.books.usage_tables import Statement

MOST = 20_000
"""Statements that are kept; those that come when there are so many are lost, and counted."""


class Backlog:
    """What is to be written when there is room."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: list[Statement] = []
        self._under_way = 0
        self._since = self._lost = self._lost_from = self._lost_to = 0

    def __bool__(self) -> bool:
        return bool(self._kept or self._lost)

    def add(self, statements: Sequence[Statement], at: int) -> None:
        """Keep what could not be written. `at`: now, UTC milliseconds."""
        self._since = self._since or at
        if len(self._kept) + len(statements) > self._most:
            self._lost += len(statements)
            self._lost_from, self._lost_to = self._lost_from or at, at
        else:
            self._kept += statements

    def to_write(self, at: int) -> list[Statement]:
        """Give all that is kept, and a line of the audit that says from when to when it is not whole."""
        self._under_way = len(self._kept)
        words = f"written now: {len(self._kept)} entries that the disk did not take since {_moment(self._since)}"
        if self._lost:
            gap = f"{self._lost} of {_moment(self._lost_from)} to {_moment(self._lost_to)} are lost"
            words = f"{words}; {gap}: there were too many"
        told = AuditLine(at, "the engine", "catch up", "ledger", 0, "unknown" if self._lost else "done", words)
        return [*self._kept, audit_statement(told)]

    def written(self) -> None:
        """What `to_write` gave last is on the disk; what came meanwhile waits on."""
        del self._kept[: self._under_way]
        self._since = self._lost = self._lost_from = self._lost_to = self._under_way = 0

    def words(self, problem: str) -> str:
        """Say what is kept, and why, for an alarm."""
        lost = f", and {self._lost} are lost, as there were too many" if self._lost else ""
        return f"who did what is kept in memory only ({len(self._kept)} entries{lost}): {problem}"


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, timezone.utc).isoformat(timespec="seconds")
