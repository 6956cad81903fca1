"""Applied fleet files in the ledger: each fleet, each of its agents and tasks as a record, the whole text beside it.

A text stands there as it was given, for its agent is to get just that; the file is readable by its owner alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from controlroom.domain.fleet_files import AppliedFleet, Member, TaskMember
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.sanitize import redact
from controlroom.wire.codec import decode, encode

FLEET_TABLES: Sequence[str] = (
    "create table fleets (name text primary key, record text not null) without rowid",
    """create table fleet_agents (
    name text primary key, fleet text not null, record text not null, text text not null) without rowid""",
    """create table fleet_tasks (
    fleet text not null, key text not null, record text not null, text text not null,
    primary key (fleet, key)) without rowid""",
)

FLEETS = "select record from fleets order by name"
AGENTS = "select record from fleet_agents order by name"
TASKS = "select fleet, key, record from fleet_tasks order by fleet, key"
AGENT_TEXT = "select text from fleet_agents where name = ?"
TASK_TEXTS = "select key, text from fleet_tasks where fleet = ?"


def keep_applied(
    fleet: AppliedFleet,
    members: Iterable[Member],
    left: Iterable[str],
    texts: Mapping[str, str],
    tasks: Mapping[str, str],
) -> list[Statement]:
    """Write a fleet as it was applied. `texts`: of agents, by name; `tasks`: of tasks, by key; others stay."""
    statements: list[Statement] = [_kept(fleet), *map(drop_member, left)]
    statements += [_whole(fleet.name, member, texts) for member in members]
    statements.append(("delete from fleet_tasks where fleet = ?", (fleet.name,)))
    for key, task in fleet.tasks.items():
        row = fleet.name, key, _written(task), _utf8(tasks.get(key, ""))
        statements.append(("insert into fleet_tasks values (?, ?, ?, ?)", row))
    return statements


def _whole(fleet: str, member: Member, texts: Mapping[str, str]) -> Statement:
    """Write an agent with its text; without one what stands there stays."""
    name = member.entry.name
    if name not in texts:
        return keep_member(member)
    query = (
        "insert into fleet_agents values (?, ?, ?, ?) on conflict (name) do update set"
        " fleet = excluded.fleet, record = excluded.record, text = excluded.text"
    )
    return query, (name, fleet, _written(member), _utf8(texts[name]))


def keep_member(member: Member) -> Statement:
    """Write how far this room is with an agent."""
    return "update fleet_agents set record = ? where name = ?", (_written(member), member.entry.name)


def drop_member(name: str) -> Statement:
    """Forget an agent: it is of no fleet file any longer."""
    return "delete from fleet_agents where name = ?", (name,)


def drop_fleet(name: str) -> Statement:
    """Forget a fleet."""
    return "delete from fleets where name = ?", (name,)


def keep_task(fleet: str, key: str, task: TaskMember | None) -> Statement:
    """Write how far this room is with a task; None: it is of the fleet no longer."""
    if task is None:
        return "delete from fleet_tasks where fleet = ? and key = ?", (fleet, key)
    return "update fleet_tasks set record = ? where fleet = ? and key = ?", (_written(task), fleet, key)


def read_fleets(rows: Iterable[tuple[str]], tasks: Iterable[tuple[str, str, str]]) -> list[AppliedFleet]:
    """Read fleets as they were applied."""
    fleets = [decode(AppliedFleet, json.loads(record)) for (record,) in rows]
    kept: dict[str, dict[str, TaskMember]] = {}
    for name, key, record in tasks:
        kept.setdefault(name, {})[key] = decode(TaskMember, json.loads(record))
    return [replace(fleet, tasks=kept.get(fleet.name, {})) for fleet in fleets]


def read_members(rows: Iterable[tuple[str]]) -> list[Member]:
    """Read the agents of fleets."""
    return [decode(Member, json.loads(record)) for (record,) in rows]


def _kept(fleet: AppliedFleet) -> Statement:
    return "insert or replace into fleets values (?, ?)", (fleet.name, _written(replace(fleet, tasks={})))


def _written(record: AppliedFleet | Member | TaskMember) -> str:
    return redact(json.dumps(encode(record), ensure_ascii=True))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
