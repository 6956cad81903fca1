"""The ledger: a database of what was ordered and what became of it, which agents should exist, and who did what when.

SQLite in WAL mode with `synchronous=FULL`; every write is one `BEGIN IMMEDIATE` transaction. One thread writes and
takes along whatever has queued up meanwhile (group commit). Only orders that start something wait for the disk; the
rest is written behind. A write that fails is a sentence, never the end of the engine. The only secret in it is the
room's own, which it signs its orders by. It can be checked against itself, and backed up.
"""

import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from secrets import token_hex
from typing import Any

from controlroom.domain.audit import AuditLine
from controlroom.domain.orders import Order
from controlroom.engine.ledger.adoption_tables import ADOPTION_TABLES
from controlroom.engine.ledger.advice_tables import KEPT, TRUE
from controlroom.engine.ledger.doubted_tables import DOUBTED_TABLES, TOLD_TABLES
from controlroom.engine.ledger.fleet_tables import FLEET_TABLES
from controlroom.engine.ledger.grant_tables import CEILINGS, GRANT_TABLES
from controlroom.engine.ledger.history_tables import HISTORY_TABLES
from controlroom.engine.ledger.import_tables import IMPORT_TABLES
from controlroom.engine.ledger.lead_tables import LEAD_TABLES
from controlroom.engine.ledger.rule_tables import RULE_TABLES
from controlroom.engine.ledger.run_tables import (
    CHOSEN,
    CHOSEN_CREDENTIAL,
    ENDED_ROWS,
    ENDED_TABLES,
    LAST_RUNS,
    LED,
    ORDERED_TABLES,
    RUN_TABLES,
    WORKTREES,
    Run,
    read_ended,
)
from controlroom.engine.ledger.task_tables import TASK_TABLES
from controlroom.engine.ledger.usage_tables import (
    DUE,
    FORGET_TOUCHED,
    HIDDEN,
    REPORTS,
    RESERVED,
    RUNS,
    SUM_TABLES,
    SUMS,
    TOUCH_TRIGGERS,
    TOUCHED,
    USAGE_TABLES,
    Statement,
    Touched,
    true_sums,
)
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import redact
from controlroom.text.states import AgentKind

FORMAT = 18
"""Version of the tables. A newer one is refused; an older one is brought up by `STEPS`."""

BUSY = 5.0
"""Seconds to wait for another process that holds the file."""

KEPT_ORDERS = 5000
"""Concluded orders that are kept; the audit keeps all."""

TABLES = (
    "create table meta (key text primary key, value text not null)",
    """create table orders (
    op integer primary key, verb text not null, host text not null, agent text not null, epoch integer not null,
    task text not null, who text not null, at integer not null,
    outcome text, reason text not null default '', concluded integer)""",
    "create index open_orders on orders (op) where outcome is null",
    """create table agents (
    host text not null, name text not null, epoch integer not null, kind text not null, profile text not null,
    model text not null, cwd text not null, task text not null, at integer not null,
    primary key (host, name))""",
    """create table audit (
    id integer primary key, at integer not null, who text not null, verb text not null, target text not null,
    epoch integer not null, outcome text not null, reason text not null)""",
)
"""Format 1."""

STEPS: tuple[Sequence[str], ...] = (
    USAGE_TABLES,
    (*RUNS, *GRANT_TABLES),
    REPORTS,
    SUMS,
    RUN_TABLES,
    ORDERED_TABLES,
    DOUBTED_TABLES,
    ENDED_TABLES,
    (*CEILINGS, *TOLD_TABLES),
    HISTORY_TABLES,
    TASK_TABLES,
    CHOSEN,
    (*RULE_TABLES, *WORKTREES, *CHOSEN_CREDENTIAL),
    (*LED, *LEAD_TABLES),
    IMPORT_TABLES,
    FLEET_TABLES,
    ADOPTION_TABLES,
)
"""What brings format n to n + 1, from 1 on."""


class LedgerProblem(Exception):
    """The ledger cannot be opened or written; the text says why and what to do."""


class Unwritable(LedgerProblem):
    """Something can stand in no ledger: it is not the disk, and to try it again is of no use."""


@dataclass(frozen=True)
class KnownAgent:
    """An agent that should exist, as it was ordered."""

    host: str
    name: str
    epoch: int
    kind: AgentKind
    profile: str
    model: str
    cwd: str
    task: str
    at: int


_BROKEN = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises, and the standard library where the names in a damaged file are no text."""

_UNASKABLE = (UnicodeEncodeError, OverflowError)
"""What it raises for texts and numbers that no ledger can hold."""

_UNWRITABLE = (*_UNASKABLE, sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""What it raises for a statement that fails on any disk."""

Query = tuple[str, Sequence[int | str]]

Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for any thread, each transaction begun by hand."""
    return sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)


class Ledger:
    """One open ledger. Reading is done once, when it is opened; all else is written by its own thread."""

    def __init__(
        self, path: Path, room: str, opener: Connect = connect, seed: Callable[[], str] = lambda: token_hex(32)
    ) -> None:
        """Open or make the ledger; `room` becomes the room id of a new one, and `seed` makes the secret of a room that
        has none yet. Raises `LedgerProblem`."""
        self.path = path
        self._following: list[Touched] = []
        self._queue: queue.SimpleQueue[tuple[Sequence[Statement], Future[None]] | None] = queue.SimpleQueue()
        self._lock = _locked(path)
        try:
            self._database = opener(path)
        except (sqlite3.Error, OSError) as error:
            os.close(self._lock)
            raise LedgerProblem(_sentence(path, error)) from None
        try:
            self.room, self.seed = self._open(room, seed)
            for statement in TOUCH_TRIGGERS:
                self._database.execute(statement)
            self.last_op = self._number("select max(op) from orders")
            self.open_orders = [Order(*row) for row in self._database.execute(_OPEN_ORDERS)]
            self.runs = [Run(*row) for row in self._database.execute(LAST_RUNS)]
            self.agents = [KnownAgent(*row) for row in self._database.execute("select * from agents")]
            self.ended = read_ended(self._database.execute(ENDED_ROWS))
        except (*_BROKEN, LedgerProblem) as error:
            self._database.close()
            os.close(self._lock)
            raise LedgerProblem(_sentence(path, error)) from None
        self._thread = threading.Thread(target=self._write_all, name="ledger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is queued and close the file."""
        self._queue.put(None)
        self._thread.join(2 * BUSY)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def booked(self, statements: Sequence[Statement]) -> "Future[None]":
        """Write all of these, or none. The future raises `LedgerProblem`."""
        future: Future[None] = Future()
        if self._lock < 0:
            future.set_exception(LedgerProblem(f"the ledger {self.path} is closed"))
        else:
            self._queue.put((statements, future))
        return future

    def follow(self) -> Touched:
        """Return what is told from now on whose sums of usage are others, before whoever had that written is."""
        following = Touched()
        self._following.append(following)
        return following

    def read(self, query: str, values: Sequence[int | str] = ()) -> list[tuple[Any, ...]]:
        """Read rows of what is on disk, on a connection of its own: from any thread. Raises `LedgerProblem`."""
        try:
            with contextlib.closing(connect(self.path)) as database:
                return _found(database, query, values)
        except (*_BROKEN, *_UNASKABLE) as error:
            raise LedgerProblem(_sentence(self.path, error)) from None

    def read_all(self, queries: Iterable[Query]) -> list[list[tuple[Any, ...]]]:
        """Read what several queries find at one and the same moment; else as `read`."""
        try:
            with contextlib.closing(connect(self.path)) as database:
                database.execute("begin")
                return [_found(database, query, values) for query, values in queries]
        except (*_BROKEN, *_UNASKABLE) as error:
            raise LedgerProblem(_sentence(self.path, error)) from None

    def audit(self, count: int = 100, text: str = "") -> list[AuditLine]:
        """Read the newest lines of the audit that contain `text`, oldest first. Raises `LedgerProblem`."""
        newest = (
            "select at, who, verb, target, epoch, outcome, reason from audit "
            "where instr(lower(who || ' ' || verb || ' ' || target || ' ' || outcome || ' ' || reason), ?) > 0 "
            "order by id desc limit ?"
        )
        return [AuditLine(*row) for row in reversed(self.read(newest, (text.lower(), count)))]

    # ----------------------------------------------------------------------- opening

    def _open(self, room: str, seed: Callable[[], str]) -> tuple[str, str]:
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = full")
        (verdict,) = self._database.execute("pragma quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        self._database.execute("begin immediate")
        try:
            self._prepare(room)
            if not self._meta("seed"):
                self._database.execute("insert into meta values ('seed', ?)", (seed(),))
            self._database.execute("commit")
        except BaseException:
            self._database.execute("rollback")
            raise
        return self._meta("room"), self._meta("seed")

    def _meta(self, key: str) -> str:
        row = self._database.execute("select value from meta where key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def _prepare(self, room: str) -> None:
        """Make the tables, or bring them to this format; drop the oldest concluded orders."""
        if not self._number("select count(*) from sqlite_master"):
            for statement in TABLES:
                self._database.execute(statement)
            self._database.execute("insert into meta values ('format', '1'), ('room', ?)", (room,))
        version = self._number("select value from meta where key = 'format'")
        if version > FORMAT:
            raise LedgerProblem(
                f"{self.path} was written by a newer Control Room (format {version}; this one knows {FORMAT}): "
                "install that version again, or set CONTROLROOM_HOME to begin another room"
            )
        for statement in (sql for step in STEPS[version - 1 :] for sql in step):
            self._database.execute(statement)
        self._database.execute("update meta set value = ? where key = 'format'", (str(FORMAT),))
        newest = self._number("select max(op) from orders")
        self._database.execute(
            "delete from orders where outcome is not null and op <= ?", (max(0, newest - KEPT_ORDERS),)
        )

    def _number(self, query: str) -> int:
        row = self._database.execute(query).fetchone()
        return int(row[0] or 0) if row else 0

    # ----------------------------------------------------------------------- the writing thread

    def _write_all(self) -> None:
        running = True
        while running:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < 1000:
                batch.append(self._queue.get())
            writes = [entry for entry in batch if entry is not None]
            running = len(writes) == len(batch)
            self._write(writes)
        self._database.close()

    def _write(self, writes: list[tuple[Sequence[Statement], "Future[None]"]]) -> None:
        problem: LedgerProblem | None = None
        try:
            self._transact([statement for statements, _ in writes for statement in statements])
        except _UNWRITABLE as error:
            problem = Unwritable(_sentence(self.path, error))
        except _BROKEN as error:
            problem = LedgerProblem(_sentence(self.path, error))
        for _, future in writes:
            if problem is None:
                future.set_result(None)
            else:
                future.set_exception(problem)

    def _transact(self, statements: list[Statement]) -> None:
        if not statements:
            return
        self._database.execute("begin immediate")
        try:
            for sql, values in statements:
                self._database.execute(sql, values)
            others = self._database.execute(TOUCHED).fetchall()
            if others:
                self._database.execute(FORGET_TOUCHED)
            self._database.execute("commit")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise
        for following in self._following:
            following.add(others)


def _locked(path: Path) -> int:
    """Lock the file for this engine, whatever became of the engine's own lock; give what holds it while it is open.

    A lock of another kind than those that SQLite takes. Raises `LedgerProblem`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerProblem(_sentence(path, error)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise LedgerProblem(
            f"another engine keeps the ledger {path}, though the room's lock is free (was engine.lock removed?): "
            f"find it with fuser {path}, and end it before another is started"
        ) from None
    return descriptor


def ordered_statements(order: Order, agent: KnownAgent | None = None) -> list[Statement]:
    """Write an order, and the agent that should exist from now on."""
    written = _insert("orders (op, verb, host, agent, epoch, at, who, task)", order, "")
    return [written, *agents_statements([agent] if agent else [])]


def agents_statements(agents: Iterable[KnownAgent], gone: Iterable[tuple[str, str]] = ()) -> list[Statement]:
    """Write agents that are there, and (host, name) of those that are not."""
    statements = [_insert("agents", agent) for agent in agents]
    for pair in gone:
        statements.append(("delete from agents where host = ? and name = ?", pair))
        statements.append(("delete from usage_read where host = ? and agent = ?", pair))
    return statements


def conclusion_statement(op: int, outcome: str, reason: str, at: int) -> Statement:
    """Write what became of an order."""
    query = "update orders set outcome = ?, reason = ?, concluded = ? where op = ?"
    return query, (outcome, _written(reason), at, op)


def audit_statement(line: AuditLine) -> Statement:
    """Add a line to the audit."""
    return _insert("audit (at, who, verb, target, epoch, outcome, reason)", line)


def _found(database: sqlite3.Connection, query: str, values: Sequence[int | str]) -> list[tuple[Any, ...]]:
    """Read rows. A sum that no integer of SQLite's holds is given as near as a float comes.

    An agent may write down any use; that must make it dear, and not unreadable what the others have spent.
    """
    try:
        rows = database.execute(query, tuple(values)).fetchall()
    except sqlite3.Error as error:
        if "integer overflow" not in str(error):
            raise
        rows = database.execute(query.replace("sum(", "total("), tuple(values)).fetchall()
    return [tuple(int(value) if isinstance(value, float) else value for value in row) for row in rows]


_OPEN_ORDERS = "select op, verb, host, agent, epoch, at, who from orders where outcome is null order by op"


def _insert(into: str, record: object, *more: str) -> Statement:
    """Write a record's fields in order, then `more`; texts without what looks like a key, and what is not UTF-8."""
    fields = (*vars(record).values(), *more)
    values = tuple(_written(value) if isinstance(value, str) else value for value in fields)
    return f"insert or replace into {into} values ({', '.join('?' * len(values))})", values


def _written(text: str) -> str:
    return redact(text).encode("utf-8", "replace").decode()


def _sentence(path: Path, error: Exception) -> str:
    if isinstance(error, LedgerProblem):
        return str(error)
    if isinstance(error, OSError):
        return f"the ledger {path} cannot be opened: {error.strerror}"
    if isinstance(error, _UNWRITABLE):
        return f"that can stand in no ledger: {error}"
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"the ledger {path} is held by another process for more than {BUSY:g} s: end that one (fuser {path})"
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return f"the ledger {path} cannot be written ({error}): is the disk full? make room, then try again"
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")):
        return f"the ledger {path} cannot be written ({error}): see that the file and its folder are yours"
    return (
        f"the ledger {path} is damaged ({error}): move it away (mv {path} {path}.damaged) and start again. Agents "
        "run on and are found on their hosts; each host is then to be taken once: controlroom host take NAME"
    )


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
    **{table: (query, KEPT[table]) for table, query in TRUE.items()},
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
    for left, other, says in ((true, kept, "lacks"), (kept, true, "has too much in")):
        rows = ledger.read(f"select count(*) from (select * from ({left}) except select * from ({other}))")
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
