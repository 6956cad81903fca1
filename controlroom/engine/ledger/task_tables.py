"""Tasks and the queue in the ledger: every task with its attempts as one record, its whole text beside it.

The text stands there as it was given, for its agent is to get just that; the file is readable by its owner alone.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from controlroom.domain.model import Host
from controlroom.domain.queue.rules import ruled
from controlroom.domain.tasks import Drain, Halt, Hold, Queue, QueueRules, Restarts, Task
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.sanitize import redact
from controlroom.wire.codec import decode, encode

SHOWN = 300
"""Tasks that have ended of which the fleet holds a record: the newest."""

TASK_TABLES = (
    """create table tasks (
    number integer primary key, key text not null, open integer not null, since integer not null,
    record text not null, text text not null)""",
    "create index tasks_open on tasks (open, since)",
    "create unique index tasks_key on tasks (key) where key <> ''",
    "create table queue (name text primary key, value text not null) without rowid",
)

OPEN_TASKS = "select record from tasks where open = 1 order by number"
ENDED_TASKS = f"select record from tasks where open = 0 order by since desc, number desc limit {SHOWN}"  # noqa: S608
LAST_TASK = "select max(number) from tasks"
BY_NUMBER = "select record from tasks where number = ?"
BY_KEY = "select record from tasks where key = ?"
TEXT = "select text from tasks where number = ?"
QUEUE = "select name, value from queue"


def keep_new(task: Task, text: str) -> Statement:
    """Write a task that is new, with its whole text."""
    return (
        "insert into tasks (number, key, open, since, record, text) values (?, ?, ?, ?, ?, ?)",
        (task.number, task.key, int(task.state.is_open), task.since, _written(task), _utf8(text)),
    )


def keep_tasks(tasks: Iterable[Task]) -> list[Statement]:
    """Write tasks as they have become."""
    query = "update tasks set open = ?, since = ?, record = ? where number = ?"
    return [(query, (int(task.state.is_open), task.since, _written(task), task.number)) for task in tasks]


def keep_text(number: int, text: str) -> Statement:
    """Write another text of a task."""
    return "update tasks set text = ? where number = ?", (_utf8(text), number)


def keep_queue(queue: Queue) -> list[Statement]:
    """Write what operators have made of the queue, and which agents were started without being asked."""
    restarts = {key: replace(kept, starting=False, wait=None) for key, kept in queue.restarts.items()}
    parts = {"rules": dict(queue.changed), "hold": queue.hold, "halt": queue.halt, "restarts": restarts}
    return [
        ("insert or replace into queue values (?, ?)", (name, redact(json.dumps(encode(part)))))
        for name, part in parts.items()
    ]


def keep_drains(hosts: Iterable[Host]) -> list[Statement]:
    """Write which hosts take nothing new."""
    drains = {host.name: replace(host.drain, waits=()) for host in hosts if host.drain is not None}
    return [("insert or replace into queue values ('drains', ?)", (redact(json.dumps(encode(drains))),))]


def read_drains(rows: Iterable[tuple[str, str]]) -> dict[str, Drain]:
    """Read which hosts take nothing new, by name."""
    drains = [json.loads(value) for name, value in rows if name == "drains"]
    return {host: decode(Drain, drain) for part in drains for host, drain in part.items()}


def read_tasks(rows: Iterable[tuple[str]]) -> list[Task]:
    """Read records of tasks."""
    return [decode(Task, json.loads(record)) for (record,) in rows]


def read_queue(rows: Iterable[tuple[str, str]], rules: QueueRules) -> Queue:
    """Read the queue. `rules`: those of the config, for what no operator has changed."""
    parts: dict[str, Any] = {name: json.loads(value) for name, value in rows}
    hold, halt = parts.get("hold"), parts.get("halt")
    restarts = {key: decode(Restarts, kept) for key, kept in (parts.get("restarts") or {}).items()}
    return ruled(
        Queue(hold=decode(Hold, hold) if hold else None, halt=decode(Halt, halt) if halt else None, restarts=restarts),
        rules,
        {name: value for name, value in (parts.get("rules") or {}).items() if hasattr(rules, name)},
    )


def _written(task: Task) -> str:
    """A task's record, without why it waits: that is worked out anew."""
    return redact(json.dumps(encode(replace(task, wait=None)), ensure_ascii=True))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
