"""The table of agents of others that this room has taken over: one row for each, by the process that it stands for."""

from collections.abc import Sequence
from typing import Any

from controlroom.domain.adoption import Adoption
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.sanitize import redact

ADOPTION_TABLES: Sequence[str] = (
    """create table adoptions (host text not null, name text not null, mark text not null, script text not null,
    at integer not null, who text not null, profile text not null, session text not null,
    when_ended integer not null, task text not null, primary key (host, mark)) without rowid""",
)

ADOPTIONS = "select * from adoptions order by at"

_WRITE = "insert or replace into adoptions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def keep_adoption(host: str, adoption: Adoption) -> Statement:
    """Write one."""
    texts = (redact(value) if isinstance(value, str) else int(value) for value in vars(adoption).values())
    return _WRITE, (host, *texts)


def drop_adoption(host: str, mark: str) -> Statement:
    """Forget one."""
    return "delete from adoptions where host = ? and mark = ?", (host, mark)


def drop_adoptions(host: str) -> Statement:
    """Forget all of a host that has left the room."""
    return "delete from adoptions where host = ?", (host,)


def read_adoption(row: Sequence[Any]) -> tuple[str, Adoption]:
    """Read one, and its host."""
    host, name, mark, script, at, who, profile, session, when_ended, task = row
    order = str(profile), str(session), bool(when_ended), str(task)
    return str(host), Adoption(str(name), str(mark), str(script), int(at), str(who), *order)
