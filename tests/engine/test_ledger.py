"""The ledger keeps what it has acknowledged, and what goes wrong with it is a sentence."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.domain.audit import AuditLine
from controlroom.domain.calculators.use import DAY, MINUTE
from controlroom.domain.orders import Order
from controlroom.engine.ledger import ledger as module
from controlroom.engine.ledger.ledger import (
    FORMAT,
    KnownAgent,
    Ledger,
    LedgerProblem,
    agents_statements,
    audit_statement,
    check,
    conclusion_statement,
    connect,
    ordered_statements,
)
from controlroom.engine.ledger.usage_tables import Booking, Source, book, priced_beyond
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage
from controlroom.text.states import AgentKind

ORDER = Order(1, "spawn", "vm1", "a1", 1, 1000, "ann")
AGENT = KnownAgent("vm1", "a1", 1, AgentKind.HEADLESS, "docs", "", "", "write the docs", 1000)
LINE = AuditLine(1000, "ann", "spawn", "vm1/a1", 1, "done", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def done(*futures: Future[None]) -> None:
    for future in futures:
        future.result(60)


def test_a_new_ledger_has_the_room_id_it_was_given_and_keeps_it(path: Path) -> None:
    Ledger(path, "one").close()
    ledger = Ledger(path, "two")
    assert ledger.room == "one"
    assert path.stat().st_mode & 0o777 == 0o600
    ledger.close()


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    ledger = Ledger(path, "room")
    done(
        ledger.booked(ordered_statements(ORDER, AGENT)),
        ledger.booked([*ordered_statements(replace(ORDER, op=2, verb="kill"))]),
        ledger.booked([conclusion_statement(1, "done", "", 2000)]),
        ledger.booked([audit_statement(LINE)]),
    )
    ledger.close()
    again = Ledger(path, "room")
    assert again.open_orders == [replace(ORDER, op=2, verb="kill")]
    assert again.agents == [AGENT]
    assert again.last_op == 2
    assert again.audit() == [LINE]
    done(again.booked(agents_statements([replace(AGENT, name="a2")], gone=[("vm1", "a1")])))
    again.close()
    last = Ledger(path, "room")
    assert [agent.name for agent in last.agents] == ["a2"]
    last.close()


def test_close_writes_what_is_queued(path: Path) -> None:
    ledger = Ledger(path, "room")
    for number in range(200):
        ledger.booked([audit_statement(replace(LINE, epoch=number))])
    ledger.close()
    again = Ledger(path, "room")
    assert [line.epoch for line in again.audit(300)] == list(range(200))
    again.close()


def test_writes_that_queue_up_share_a_commit(path: Path) -> None:
    commits, queued = [], threading.Event()
    queued.set()

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if sql == "commit":
                commits.append(sql)
                queued.wait(60)
            return super().execute(sql, *values)  # type: ignore[arg-type]

    ledger = Ledger(path, "room", lambda path: opened(path, Counting))
    commits.clear()
    queued.clear()
    writes = [ledger.booked([audit_statement(LINE)]) for _ in range(500)]
    queued.set()
    done(*writes)
    assert len(commits) < 10
    ledger.close()


def opened(path: Path, kind: type[sqlite3.Connection]) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0.05, isolation_level=None, check_same_thread=False, factory=kind)


def test_secrets_and_what_is_no_text_do_not_get_in(path: Path) -> None:
    ledger = Ledger(path, "room")
    done(
        ledger.booked(
            ordered_statements(
                replace(ORDER, who="sk-ant-api03-verysecret \udcff"), replace(AGENT, task="sk-ant-verysecret")
            )
        ),
        ledger.booked([conclusion_statement(1, "refused", "sk-ant-api03-verysecret", 1)]),
        ledger.booked([audit_statement(replace(LINE, reason="sk-ant-api03-verysecret", target="\ud800"))]),
    )
    ledger.close()
    assert b"verysecret" not in path.read_bytes()


def test_a_newer_ledger_is_refused_in_words(path: Path) -> None:
    Ledger(path, "room").close()
    database = connect(path)
    database.execute("update meta set value = ? where key = 'format'", (str(FORMAT + 1),))
    database.close()
    with pytest.raises(LedgerProblem, match=rf"written by a newer Control Room \(format {FORMAT + 1}; this one knows"):
        Ledger(path, "room")


def test_an_older_ledger_is_brought_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger(path, "room").close()
    monkeypatch.setattr(module, "FORMAT", FORMAT + 1)
    monkeypatch.setattr(module, "STEPS", (*module.STEPS, ("alter table orders add column note text",)))
    Ledger(path, "room").close()
    database = connect(path)
    assert database.execute("select value from meta where key = 'format'").fetchone() == (str(FORMAT + 1),)
    assert "note" in [row[1] for row in database.execute("pragma table_info(orders)")]
    database.close()


@pytest.mark.parametrize("damage", [b"this is not a database at all, not even remotely" * 100, b"\0" * 4096])
def test_a_file_that_is_no_ledger_is_refused_with_what_to_do(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    with pytest.raises(LedgerProblem, match=r"is damaged .*: move it away"):
        Ledger(path, "room")


def test_a_damaged_page_is_found_when_it_is_opened(path: Path) -> None:
    ledger = Ledger(path, "room")
    done(*[ledger.booked([audit_statement(replace(LINE, reason="x" * 3000))]) for _ in range(50)])
    ledger.close()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with pytest.raises(LedgerProblem, match="is damaged"):
        Ledger(path, "room")


def test_a_folder_in_its_place_is_a_sentence(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LedgerProblem, match="cannot be opened: Is a directory"):
        Ledger(path, "room")
    with pytest.raises(LedgerProblem, match="cannot be opened: No such file"):
        Ledger(path.parent / "none" / "ledger.db", "room")


def test_a_ledger_has_one_keeper(path: Path) -> None:
    ledger = Ledger(path, "room")
    with pytest.raises(LedgerProblem, match=f"another engine keeps the ledger {path}"):
        Ledger(path, "room")
    ledger.close()
    Ledger(path, "room").close()


def test_a_ledger_held_by_another_process_is_a_sentence_and_then_well_again(path: Path) -> None:
    ledger = Ledger(path, "room", lambda path: opened(path, sqlite3.Connection))
    other = connect(path)
    other.execute("begin immediate")
    with pytest.raises(LedgerProblem, match="held by another process"):
        done(ledger.booked([audit_statement(LINE)]))
    other.execute("rollback")
    other.close()
    done(ledger.booked([audit_statement(LINE)]))
    ledger.close()


def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ledger = Ledger(path, "room")
            for number in range(1, 10_000):
                ledger.booked([*ordered_statements(replace(ORDER, op=number))]).result()
                os.write(writing, b".")
        finally:
            os._exit(1)
    os.close(writing)
    acknowledged = 0
    while acknowledged < 50:
        acknowledged += len(os.read(reading, 50))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 4096):
        acknowledged += len(more)
    os.close(reading)
    ledger = Ledger(path, "room")
    assert ledger.last_op >= acknowledged
    assert len(ledger.open_orders) == ledger.last_op
    ledger.close()


def test_old_concluded_orders_are_dropped_and_open_ones_never(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_ORDERS", 10)
    ledger = Ledger(path, "room")
    for number in range(1, 31):
        ledger.booked([*ordered_statements(replace(ORDER, op=number))])
        if number > 1:
            ledger.booked([conclusion_statement(number, "done", "", 1)])
    ledger.close()
    Ledger(path, "room").close()
    database = connect(path)
    kept = [row[0] for row in database.execute("select op from orders order by op")]
    database.close()
    assert kept == [1, *range(21, 31)]


def test_the_audit_is_searched_as_people_write(path: Path) -> None:
    ledger = Ledger(path, "room")
    other = replace(LINE, verb="kill", target="vm2/a2", reason="Refused: 100 %")
    done(ledger.booked([audit_statement(LINE), audit_statement(other)]))
    assert [line.target for line in ledger.audit(10, "VM2/")] == ["vm2/a2"]
    assert [line.verb for line in ledger.audit(10, "100 %")] == ["kill"]
    assert len(ledger.audit(10)) == 2
    assert [line.verb for line in ledger.audit(1)] == ["kill"]
    ledger.close()


SUMS_OF_FORMAT_2 = (
    """create table spend (quarter integer not null, source integer not null, model integer not null,
    unpriced integer not null, messages integer not null, input integer not null, output integer not null,
    cache_write_5m integer not null, cache_write_1h integer not null, cache_read integer not null,
    web_searches integer not null, pico integer not null,
    primary key (quarter, source, model, unpriced)) without rowid""",
    """create table spend_days (day integer not null, source integer not null, model integer not null,
    unpriced integer not null, messages integer not null, pico integer not null,
    primary key (day, source, model, unpriced)) without rowid""",
    "create index spend_days_source on spend_days (source)",
    """create table spend_times (quarter integer not null, billing integer not null, unpriced integer not null,
    messages integer not null, pico integer not null, primary key (quarter, billing, unpriced)) without rowid""",
    """create trigger usage_added after insert on usage begin
    insert into spend values (new.at / 900000, new.source, new.model, new.unpriced, 1, new.input, new.output,
    0, 0, 0, 0, new.pico) on conflict do update set messages = messages + 1, pico = pico + excluded.pico; end""",
    """create trigger usage_changed after update on usage begin
    update spend set pico = pico - old.pico + new.pico; end""",
)
"""What stood in ledgers of formats 2 and 3, as far as it matters, and stands otherwise in later ones."""


COUNTED = """messages integer not null, input integer not null, output integer not null,
    cache_write_5m integer not null, cache_write_1h integer not null, cache_read integer not null,
    web_searches integer not null, pico integer not null"""

SUMS_OF_FORMAT_4 = (
    f"""create table spend (quarter integer not null, source integer not null, model integer not null,
    odd integer not null, {COUNTED}, primary key (quarter, source, model, odd)) without rowid""",
    f"""create table spend_days (day integer not null, source integer not null, model integer not null,
    odd integer not null, {COUNTED}, primary key (day, source, model, odd)) without rowid""",
    "create index spend_days_source on spend_days (source)",
    f"""create table spend_times (quarter integer not null, billing integer not null, odd integer not null, {COUNTED},
    primary key (quarter, billing, odd)) without rowid""",
    """create trigger usage_added after insert on usage begin
    insert into spend values (new.at / 900000, new.source, new.model, new.flags & 49, 1, new.input, new.output,
    0, 0, 0, 0, new.pico) on conflict do update set messages = messages + 1, pico = pico + excluded.pico; end""",
    """create trigger usage_changed after update on usage begin
    update spend set pico = pico - old.pico + new.pico; end""",
)
"""The same of format 4."""

SUMS_OF = {2: SUMS_OF_FORMAT_2, 3: SUMS_OF_FORMAT_2, 4: SUMS_OF_FORMAT_4, 5: ()}


@pytest.mark.parametrize("format_", SUMS_OF)
def test_an_older_ledger_keeps_its_usage_and_goes_on_booking(path: Path, format_: int) -> None:
    database = connect(path)
    for statement in (*module.TABLES, *(one for step in module.STEPS[: format_ - 1] for one in step)):
        database.execute(statement)
    database.execute("insert into meta values ('format', ?), ('room', 'old')", (str(format_),))
    for statement in SUMS_OF[format_]:
        database.execute(statement)
    epoch, run = ([] if format_ == 2 else [0]), ([0] if format_ >= 4 else [])
    for row in (["sources", 7, "vm1", "a1", "docs", "/project", "api", *epoch], ["models", 3, "claude-opus-5-5"]):
        database.execute(f"insert into {row[0]} values ({', '.join('?' * (len(row) - 1))})", row[1:])
    for number in range(3):
        row = [f"msg_{number}", "req_1", DAY + number, 7, 3, 0, 0, 5, 10 * number, 0, 0, 90_000 * number, 0, 1000, *run]
        database.execute(f"insert into usage values ({', '.join('?' * len(row))})", row)
    if format_ > 2:
        database.execute("insert into dearest values (1, 'claude-opus-5-5', 1000)")
    database.close()
    ledger = Ledger(path, "room")
    assert (ledger.room, ledger.runs) == ("old", [])
    message = Message("msg_9", "req_2", 1, "claude-opus-5-5", Usage(5, 10))
    done(ledger.booked(book(Source("vm1", "a1", "docs", "/project", "api", 4), [Booking(message, Cost(20, True), 1)])))
    assert ledger.read("select host, agent, profile, folder, billing, epoch from sources order by id") == [
        ("vm1", "a1", "docs", "/project", "api", 0),
        ("vm1", "a1", "docs", "/project", "api", 4),
    ]
    for table in ("spend", "spend_days", "spend_times"):
        assert ledger.read(f"select sum(messages), sum(input), sum(pico) from {table}") == [(4, 20, 3020)]
    assert ledger.read("select minute, tokens from minutes") == [(0, 15), (DAY // MINUTE, 45)]
    assert ledger.read("select sum(prompts), sum(outputs) from sizes") == [(4, 4)]
    assert ledger.read("select * from dearest") == [(0, "claude-opus-5-5", 20), (1, "claude-opus-5-5", 1000)]
    assert check(ledger) == []
    done(ledger.booked(priced_beyond([100_000])))
    assert ledger.read("select beyond, sum(messages) from spend group by 1") == [(0, 3), (100_000, 1)]
    assert check(ledger) == []
    ledger.close()


def test_a_room_keeps_the_secret_that_it_signs_by_and_older_ledgers_are_given_one(tmp_path: Path) -> None:
    made = iter(["11" * 32, "22" * 32])
    path = tmp_path / "ledger.db"
    for _ in range(2):
        ledger = Ledger(path, "room-1", seed=lambda: next(made))
        assert ledger.seed == "11" * 32
        ledger.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("delete from meta where key = 'seed'")
        database.commit()
    ledger = Ledger(path, "room-1", seed=lambda: next(made))
    assert ledger.seed == "22" * 32
    ledger.close()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", [b"key text primary", b"open_orders on orders", b"usage"])
def test_names_that_are_no_text_are_damage(path: Path, name: bytes) -> None:
    Ledger(path, "room").close()
    data = bytearray(path.read_bytes())
    data[data.find(name) + 2] = 0xFF
    path.write_bytes(data)
    with pytest.raises(LedgerProblem, match="is damaged"):
        Ledger(path, "room")


def test_what_no_ledger_can_hold_is_refused_and_ends_nothing(path: Path) -> None:
    ledger = Ledger(path, "room")
    asked = (lambda: ledger.audit(10, "\udcff"), lambda: ledger.read("select ?", (2**70,)), lambda: ledger.audit(2**70))
    for ask in asked:
        with pytest.raises(LedgerProblem, match="can stand in no ledger"):
            ask()
    with pytest.raises(LedgerProblem, match="can stand in no ledger"):
        ledger.booked([("insert into meta values (?, ?)", ("x", 2**70))]).result(60)
    done(ledger.booked([audit_statement(LINE)]))
    assert ledger.audit() == [LINE]
    ledger.close()


def test_grants_of_an_older_ledger_bind_what_their_runs_can_have_used(path: Path) -> None:
    database = connect(path)
    for statement in (*module.TABLES, *(one for step in module.STEPS[:8] for one in step)):
        database.execute(statement)
    database.execute("insert into meta values ('format', '9'), ('room', 'old')")
    for number, tokens in ((1, None), (2, 5)):
        row = (number, "vm1", "a1", 1, "", 100 * number, None, tokens, '{"five_hour":80}', 50 + number, 1_000)
        database.execute(f"insert into grants values ({', '.join('?' * len(row))})", row)
    database.close()
    ledger = Ledger(path, "room")
    assert ledger.read("select * from granted_most") == [("vm1", "a1", 1, 51, 0, 0, 200, None, None)]
    assert ledger.read("select * from granted_last") == [("vm1", "a1", 1, 2, 200, None, 5, '{"five_hour":80}', 1_052)]
    assert ledger.read("select * from told") == []
    ledger.close()
