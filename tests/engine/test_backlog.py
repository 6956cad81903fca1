"""What was done is not lost when the ledger's disk is full: it is kept, said, and written in its order."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.audit import AuditLine
from controlroom.domain.changes import Changes
from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.orders import Order, Result
from controlroom.engine.ledger import writer
from controlroom.engine.ledger.ledger import (
    Ledger,
    audit_statement,
    conclusion_statement,
    connect,
    ordered_statements,
)
from controlroom.engine.ledger.writer import Keep, LedgerWriter, Outbox
from controlroom.engine.store import FleetStore
from controlroom.text.states import AgentKind, Outcome
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.lab.waiting import wait_for_async

MANY = 40
"""Kills that need more than the room that is left in the pages of a new ledger."""

LONG = "x" * 700
"""More than a page of a small disk: whoever writes it needs a new one."""

WRITES = ("insert", "update", "delete")

pytestmark = pytest.mark.usefixtures("home")


class SmallDisk:
    """A ledger of small pages whose file may not grow: SQLite itself says that the disk is full."""

    def __init__(self) -> None:
        self.database: sqlite3.Connection | None = None

    def __call__(self, path: Path) -> sqlite3.Connection:
        self.database = connect(path)
        self.database.execute("pragma page_size = 512")
        return self.database

    def fill(self, full: bool) -> None:
        """Let the file have no page more than it has, or as many as it likes."""
        assert self.database is not None
        (pages,) = self.database.execute("pragma page_count").fetchone()
        self.database.execute(f"pragma max_page_count = {pages if full else 2**30}")


class Filling(sqlite3.Connection):
    """A connection to a disk that is full from one statement on, until some transactions have failed."""

    left = 2**30
    """Statements until it is full."""
    failures = 1

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql.startswith(WRITES):
            self.left -= 1
            if self.left == 0:
                (pages,) = super().execute("pragma page_count").fetchone()
                super().execute(f"pragma max_page_count = {pages}")
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError:
            self.failures -= 1
            if self.failures == 0:
                super().execute(f"pragma max_page_count = {2**30}")
            raise


class FillingDisk:
    """Opens a ledger of small pages, so that hardly a row finds room in one that is there."""

    def __init__(self, after: int, failures: int) -> None:
        self.after, self.failures = after, failures
        self.database: Filling | None = None

    def __call__(self, path: Path) -> sqlite3.Connection:
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Filling)
        self.database.execute("pragma page_size = 512")
        self.database.failures = self.failures
        return self.database

    def begin(self) -> None:
        """Count from now on."""
        assert self.database is not None
        self.database.left = self.after

    @property
    def was_full(self) -> bool:
        assert self.database is not None
        return self.database.failures < self.failures


def verbs(here: Room) -> list[str]:
    return [line.verb for line in here.ledger.audit(10_000)]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY", 0.01)


# -- an engine whose disk fills


async def test_a_kill_on_a_full_disk_gets_into_the_audit_when_there_is_room() -> None:
    host, disk = ScriptedHost(), SmallDisk()
    host.agents |= {f"a{number}": seen(f"a{number}") for number in range(MANY)}
    async with room(host, opener=disk) as here:
        await here.engine.wait_idle()
        disk.fill(True)
        for number in range(MANY):
            told = await here.order(intents.KillAgent(f"vm1/a{number}", 1))
            assert told.outcome == "done"
        await here.until(lambda: "audit" in here.engine.store.fleet.alarms)
        alarm = here.engine.store.fleet.alarms["audit"]
        assert alarm.level == "danger"
        assert "is the disk full? make room" in alarm.text
        assert verbs(here).count("kill") < MANY
        disk.fill(False)
        await here.until(lambda: "audit" not in here.engine.store.fleet.alarms)
        await here.engine.wait_idle()
        assert verbs(here).count("kill") == MANY
        caught_up = [line for line in here.ledger.audit(10_000) if line.verb == "catch up"]
        assert {(line.outcome, "that the disk did not take" in line.reason) for line in caught_up} == {("done", True)}
        assert here.ledger.read("select count(*) from orders where outcome is null") == [(0,)]
        targets = [line.target for line in here.ledger.audit(10_000) if line.verb == "kill"]
        assert sorted(targets) == sorted(f"vm1/a{number}" for number in range(MANY))


@pytest.mark.parametrize("failures", [1, 3])
@pytest.mark.parametrize("after", range(1, 40, 6))
async def test_every_order_of_an_engine_is_concluded_wherever_its_disk_fills(after: int, failures: int) -> None:
    host, disk = ScriptedHost(), FillingDisk(after, failures)
    host.agents |= {f"a{number}": seen(f"a{number}") for number in range(8)}
    async with room(host, opener=disk) as here:
        await here.engine.wait_idle()
        disk.begin()
        for number in range(8):
            await here.order(intents.KillAgent(f"vm1/a{number}", 1))
            await here.order(intents.ForgetAgent(f"vm1/a{number}", 1))
        host.show()  # what is gone is written down when its host is heard next
        await here.until(lambda: here.ledger.read("select name from agents") == [], "none is listed")
        await here.until(lambda: "audit" not in here.engine.store.fleet.alarms)
        await here.engine.wait_idle()
        path = here.home.ledger
    with closing(connect(path)) as database:
        assert database.execute("select op from orders where outcome is null").fetchall() == []
        orders = database.execute("select agent, verb, outcome from orders order by op").fetchall()
        audit = database.execute("select target, verb, outcome from audit where verb <> 'catch up' order by id")
        assert orders == [(f"a{number}", verb, "done") for number in range(8) for verb in ("kill", "forget")]
        assert audit.fetchall() == [(f"vm1/{agent}", verb, outcome) for agent, verb, outcome in orders]
        assert database.execute("select agent from ordered_runs").fetchall() == []


async def test_what_came_of_an_order_stands_in_the_audit_for_whoever_was_told() -> None:
    class Slow(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            time.sleep(0.05 * (sql == "commit"))
            return super().execute(sql, parameters)

    def opener(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Slow)

    host = ScriptedHost()
    host.agents |= {f"a{number}": seen(f"a{number}") for number in range(5)}
    async with room(host, opener=opener) as here:
        client = await Client.connect(start=False)
        for number in range(5):
            told = await client.submit(intents.KillAgent(f"vm1/a{number}", 1))
            assert told.ok
            newest = (await client.audit(1)).lines[-1]
            assert (newest.verb, newest.target) == ("kill", f"vm1/a{number}")
        await client.close()
        assert here.engine.store.fleet.alarms.get("audit") is None


async def test_what_is_kept_is_written_when_the_engine_ends() -> None:
    host, disk = ScriptedHost(), SmallDisk()
    host.agents |= {f"a{number}": seen(f"a{number}") for number in range(MANY)}
    async with room(host, opener=disk) as here:
        await here.engine.wait_idle()
        disk.fill(True)
        for number in range(MANY):
            await here.order(intents.KillAgent(f"vm1/a{number}", 1))
        await here.until(lambda: "audit" in here.engine.store.fleet.alarms)
        disk.fill(False)
        path = here.home.ledger
    ledger = Ledger(path, "room")
    assert [line.verb for line in ledger.audit(10_000)].count("kill") == MANY
    assert ledger.open_orders == []
    ledger.close()


# -- all that the books keep, with a disk that is full from any statement on


def fleet_of(*agents: Agent) -> Fleet:
    return Fleet(agents={agent.id: agent for agent in agents})


def agent(number: int, **changes: Any) -> Agent:
    made = Agent("vm1", f"a{number}", 1, AgentKind.HEADLESS, State.WORKING, NOON, task=LONG, started=NOON + number)
    return replace(made, **changes)


def changed(books: LedgerWriter, *agents: Agent) -> None:
    books.changed(Changes(agents={one.id for one in agents}))


async def write_all_kinds(books: LedgerWriter, breathe: bool) -> None:
    """Write what an engine does in a day, each thing of which later ones depend on; `breathe`: as time goes by."""
    agents = [agent(number) for number in range(6)]
    for number, shown in enumerate(agents):
        order = Order(number + 1, "interrupt", "vm1", shown.name, 1, NOON, LONG)
        books.ordered(order, None)
        changed(books, shown)
        books.observed("vm1", fleet_of(*agents[: number + 1]), complete=False)
        if breathe:
            await asyncio.sleep(0)
        books.concluded(order, Result(Outcome.DONE, LONG))
        books.keep([("insert or ignore into rungs values (?, ?, ?, ?, ?)", (LONG + str(number), 1, 80, "warn", NOON))])
    over = [replace(shown, state=State.DONE, ended=NOON + 9) for shown in agents]
    changed(books, *over)
    books.observed("vm1", fleet_of(*over), complete=False)
    books.keep([("delete from rungs where budget = ?", (LONG + "3",))])
    books.observed("vm1", fleet_of(*over[:2]), complete=True)
    books.unordered("question", agents[0], LONG)
    books.left("vm1")


def tables(path: Path) -> dict[str, list[Any]]:
    with closing(connect(path)) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        rows = {name: database.execute(f"select * from {name}").fetchall() for name in names if name != "meta"}
    rows["audit"] = [row[1:] for row in rows["audit"] if row[3] != "catch up"]
    return rows


async def kept_by(path: Path, disk: FillingDisk, breathe: bool) -> dict[str, list[Any]]:
    ledger = Ledger(path, "room", disk)
    books = LedgerWriter(ledger, FleetStore(Fleet(), lambda: NOON, lambda: 0))
    disk.begin()
    await write_all_kinds(books, breathe)
    await books.outbox.wait_idle()
    await wait_for_async(lambda: not books.outbox.trouble, 5, "all is written", poll=0.002)
    await books.close()
    return tables(path)


@pytest.mark.parametrize(("breathe", "failures"), [(True, 1), (False, 2)])
async def test_a_ledger_whose_disk_filled_is_as_one_whose_disk_never_did(
    tmp_path: Path, breathe: bool, failures: int
) -> None:
    whole = await kept_by(tmp_path / "whole.db", FillingDisk(0, 1), breathe)
    assert len(whole["orders"]) == 6
    assert len(whole["agents"]) == 2
    assert len(whole["rungs"]) == 5
    assert len(whole["agent_runs"]) == 6
    was_full = 0
    for after in range(1, 70):
        disk = FillingDisk(after, failures)
        assert await kept_by(tmp_path / f"{after}.db", disk, breathe) == whole, f"full from statement {after} on"
        was_full += disk.was_full
    assert was_full > 20  # else this test could not fail


# -- the outbox alone


class Told:
    """An outbox, and what it says."""

    def __init__(self, path: Path, disk: SmallDisk | None = None, most: int = writer.MOST) -> None:
        self.ledger = Ledger(path, "room", disk or connect)
        self.said: list[str] = []
        self.outbox = Outbox(self.ledger, lambda: NOON, self.said.append, most)

    def audited(self, number: int, keep: Keep = Keep.RECORD) -> writer.Written:
        line = AuditLine(NOON, "ann", f"kill {number}", "vm1/a1", number, "done", LONG * 9)
        return self.outbox.put([audit_statement(line)], keep)

    async def close(self) -> list[AuditLine]:
        await self.outbox.close()
        lines = self.ledger.audit(10_000)
        self.ledger.close()
        return lines


async def test_more_than_fits_is_counted_and_said(tmp_path: Path) -> None:
    disk = SmallDisk()
    made = Told(tmp_path / "ledger.db", disk, most=2)
    disk.fill(True)
    assert "is the disk full?" in await made.audited(0)
    written = [made.audited(number) for number in range(1, 5)]
    assert "(2 entries, and 3 are lost" in await written[-1]
    await made.outbox.wait_idle()
    disk.fill(False)
    lines = await made.close()
    assert [line.verb for line in lines] == ["kill 0", "kill 1", "catch up"]
    assert lines[-1].outcome == "unknown"
    assert "3 of 2026-11-22T12:00:00+00:00 to 2026-11-22T12:00:00+00:00 are lost" in lines[-1].reason
    assert made.said[-1] == ""


async def test_what_is_asked_for_again_is_dropped_and_told_while_the_rest_is_kept(tmp_path: Path) -> None:
    disk = SmallDisk()
    made = Told(tmp_path / "ledger.db", disk)
    disk.fill(True)
    told = [made.audited(1), made.audited(2, Keep.ONCE), made.audited(3, Keep.STATE), made.audited(4, Keep.ONCE)]
    assert all("is the disk full?" in problem for problem in await asyncio.gather(*told))
    disk.fill(False)
    assert await made.audited(5, Keep.ONCE) == ""
    assert [line.verb for line in await made.close()] == ["kill 1", "kill 3", "kill 5", "catch up"]


async def test_an_entry_that_no_ledger_can_hold_does_not_stand_in_the_way(tmp_path: Path) -> None:
    made = Told(tmp_path / "ledger.db")
    beyond = Order(2**70, "kill", "vm1", "a1", 1, NOON, "ann")
    written = [made.audited(1), made.outbox.put(ordered_statements(beyond), Keep.RECORD), made.audited(2)]
    first, second, third = await asyncio.gather(*written)
    assert (first, third) == ("", "")
    assert "that can stand in no ledger" in second
    assert [line.verb for line in await made.close()] == ["kill 1", "kill 2", "write"]
    assert made.said == []


async def test_a_conclusion_stands_behind_its_order_however_many_are_on_their_way(tmp_path: Path) -> None:
    disk = SmallDisk()
    made = Told(tmp_path / "ledger.db", disk)
    disk.fill(True)
    for op in range(1, 3 * writer.AT_ONCE):
        made.outbox.put(ordered_statements(Order(op, "kill", "vm1", "a1", 1, NOON, LONG)), Keep.RECORD)
        made.outbox.put([conclusion_statement(op, "done", "", NOON)], Keep.RECORD)
    await made.outbox.wait_idle()
    assert made.outbox.trouble
    disk.fill(False)
    (late,) = await made.close()
    assert f"{2 * (3 * writer.AT_ONCE - 1)} entries" in late.reason
    ledger = Ledger(tmp_path / "ledger.db", "room")
    assert (ledger.open_orders, ledger.last_op) == ([], 3 * writer.AT_ONCE - 1)
    ledger.close()


async def test_what_is_put_into_a_closed_ledger_is_refused_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    made = Told(tmp_path / "ledger.db")
    await made.close()
    assert "is closed" in await made.audited(1, Keep.ONCE)
