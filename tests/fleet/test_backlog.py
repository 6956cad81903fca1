"""Who did what is not lost when the ledger's disk is full: it is kept, said, and written when there is room."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.domain.audit import AuditLine
from controlroom.fleet import bookkeeper
from controlroom.fleet.books.backlog import Backlog
from controlroom.fleet.books.ledger import Ledger, audit_statement, connect
from tests.fleet.rooms import Room, room
from tests.fleet.scripted import NOON, ScriptedHost, seen

MANY = 200
"""Kills that need more than the room that is left in the pages of a new ledger."""

pytestmark = pytest.mark.usefixtures("home")


class SmallDisk:
    """A ledger's connection whose file may not grow: SQLite itself says that the disk is full."""

    def __init__(self) -> None:
        self.database: sqlite3.Connection | None = None

    def __call__(self, path: Path) -> sqlite3.Connection:
        self.database = connect(path)
        return self.database

    def fill(self, full: bool) -> None:
        """Let the file have no page more than it has, or as many as it likes."""
        assert self.database is not None
        (pages,) = self.database.execute("pragma page_count").fetchone()
        self.database.execute(f"pragma max_page_count = {pages if full else 2**30}")


def verbs(here: Room) -> list[str]:
    return [line.verb for line in here.ledger.audit(10_000)]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookkeeper, "RETRY", 0.01)


async def test_a_kill_on_a_full_disk_gets_into_the_audit_when_there_is_room(at_once: None) -> None:
    host, disk = ScriptedHost(), SmallDisk()
    host.agents |= {f"a{number}": seen(f"a{number}") for number in range(MANY)}
    async with room(host, opener=disk) as here:
        await here.engine.wait_idle()
        disk.fill(True)
        for number in range(MANY):
            told = await here.order(intents.KillAgent(f"vm1/a{number}", 1))
            assert told.outcome == "done"
        await here.until(lambda: "audit" in here.engine.fleet.alarms)
        alarm = here.engine.fleet.alarms["audit"]
        assert alarm.level == "danger"
        assert "is the disk full? make room" in alarm.text
        assert verbs(here).count("kill") < MANY
        disk.fill(False)
        await here.until(lambda: "audit" not in here.engine.fleet.alarms)
        await here.engine.wait_idle()
        assert verbs(here).count("kill") == MANY
        caught_up = [line for line in here.ledger.audit(10_000) if line.verb == "catch up"]
        assert {(line.outcome, "that the disk did not take" in line.reason) for line in caught_up} == {("done", True)}
        open_orders = "select count(*) from orders where outcome is null"
        await here.until(lambda: here.ledger.read(open_orders) == [(0,)], "every order is concluded in the ledger")
        targets = [line.target for line in here.ledger.audit(10_000) if line.verb == "kill"]
        assert sorted(targets) == sorted(f"vm1/a{number}" for number in range(MANY))


async def test_what_is_kept_is_written_when_the_engine_ends(home: object) -> None:
    host, disk = ScriptedHost(), SmallDisk()
    host.agents |= {f"a{number}": seen(f"a{number}") for number in range(MANY)}
    async with room(host, opener=disk) as here:
        await here.engine.wait_idle()
        disk.fill(True)
        for number in range(MANY):
            await here.order(intents.KillAgent(f"vm1/a{number}", 1))
        await here.until(lambda: "audit" in here.engine.fleet.alarms)
        disk.fill(False)
        path = here.home.ledger
    ledger = Ledger(path, "room")
    assert [line.verb for line in ledger.audit(10_000)].count("kill") == MANY
    ledger.close()


def test_more_than_fits_is_counted_and_said(tmp_path: Path) -> None:
    kept = Backlog(most=2)
    lines = [AuditLine(NOON + number, "ann", "kill", f"vm1/a{number}", 1, "done", "") for number in range(5)]
    for line in lines:
        kept.add([audit_statement(line)], line.at)
    assert "(2 entries, and 3 are lost" in kept.words("the disk is full")
    ledger = Ledger(tmp_path / "ledger.db", "room")
    ledger.booked(kept.to_write(NOON + 9)).result(10)
    kept.written()
    assert not kept
    first, second, gap = ledger.audit()
    assert (first, second, gap.outcome) == (*lines[:2], "unknown")
    assert "3 of 2026-11-22T12:00:00+00:00 to 2026-11-22T12:00:00+00:00 are lost" in gap.reason
    ledger.close()
