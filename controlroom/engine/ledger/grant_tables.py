"""Tables of budgets: what every run may still be spending by its grants, and which rungs were reached.

A grant stands here before it is sent, and every one that may be in force stays: until a run's runner has said that it
goes by a newer one, nobody knows which of them it goes by.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from controlroom.domain.money.allotment import RunGrant
from controlroom.domain.money.plausible import Ceilings
from controlroom.engine.ledger.usage_tables import Statement

GRANT_TABLES: Sequence[str] = (
    """create table grants (number integer primary key, host text not null, agent text not null,
    epoch integer not null, profile text not null, billed integer, covered integer, tokens integer,
    windows text not null, at integer not null, lasts integer not null)""",
    "create index grants_of_run on grants (host, agent, epoch)",
    """create table rungs (budget text not null, began integer not null, percent integer not null,
    action text not null, at integer not null, primary key (budget, began, percent, action)) without rowid""",
)


CEILINGS: Sequence[str] = (
    """create table granted_most (host text not null, agent text not null, epoch integer not null,
    since integer not null, base integer not null, base_tokens integer not null, billed integer, covered integer,
    tokens integer, primary key (host, agent, epoch)) without rowid""",
    """insert into granted_most select host, agent, epoch, min(at), 0, 0,
    iif(count(billed) < count(*), null, max(billed)), iif(count(covered) < count(*), null, max(covered)),
    iif(count(tokens) < count(*), null, max(tokens))
    from grants group by host, agent, epoch""",
    """create table granted_last (host text not null, agent text not null, epoch integer not null,
    number integer not null, billed integer, covered integer, tokens integer, windows text not null,
    ends integer not null, primary key (host, agent, epoch)) without rowid""",
    """insert or replace into granted_last select host, agent, epoch, number, billed, covered, tokens, windows,
    iif(lasts > 0, at + lasts, 0) from grants order by number""",
)
"""Format 10 of the ledger: the highest ceilings that a run ever had (null: in that unit nothing bound it), and what it
was granted last, which stay when the grants are settled."""


def read_grant(row: Sequence[Any]) -> RunGrant:
    """Read a row of `GRANTS`."""
    number, host, agent, epoch, profile, billed, covered, tokens, windows, at, lasts = row
    ends = at + lasts if lasts else 0
    return RunGrant(number, billed, covered, tokens, json.loads(windows), ends, (host, agent, epoch), profile, at)


def read_last(row: Sequence[Any]) -> RunGrant:
    """Read a row of `LAST`: what a run was granted last, as far as it has taken it."""
    host, agent, epoch, number, billed, covered, tokens, windows, ends = row
    return RunGrant(number, billed, covered, tokens, json.loads(windows), ends, (host, agent, epoch))


GRANTS = "select * from grants order by number"
PROBE: Statement = ("insert or replace into meta values ('probed', '')", ())
"""A write that changes nothing: can it be done?"""

NUMBER = "select cast(value as integer) from meta where key = 'grant'"
RUNGS = "select budget, began, percent, action from rungs"


def granted(grants: Iterable[RunGrant]) -> list[Statement]:
    """Write grants that are to be sent."""
    statements: list[Statement] = []
    for grant in grants:
        times = grant.at, grant.ends - grant.at if grant.ends else 0
        statements.append((_GRANT, (grant.number, *grant.run, grant.profile, *_ceilings(grant), *times)))
        statements.append((_FIRST, _last(grant)))
        statements.append(("insert or replace into meta values ('grant', ?)", (grant.number,)))
    return statements


def taken(grant: RunGrant) -> Statement:
    """Write that a run goes by a grant."""
    return _LAST, _last(grant)


def _last(grant: RunGrant) -> tuple[int | str | None, ...]:
    return *grant.run, grant.number, *_ceilings(grant), grant.ends


def _ceilings(grant: RunGrant) -> tuple[int | None, int | None, int | None, str]:
    return grant.billed, grant.covered, grant.tokens, json.dumps(dict(sorted(grant.windows.items())))


MOST = "select * from granted_most"
MOST_PRUNED: Statement = (
    """delete from granted_most where not exists (select 1 from ordered_runs where ordered_runs.host = granted_most.host
    and ordered_runs.agent = granted_most.agent and ordered_runs.epoch = granted_most.epoch)""",
    (),
)
LAST_PRUNED: Statement = (MOST_PRUNED[0].replace("granted_most", "granted_last"), ())
"""Forget the ceilings of runs that are forgotten."""

LAST = "select host, agent, epoch, number, billed, covered, tokens, windows, ends from granted_last"
_GRANT = "insert or replace into grants values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LAST = "insert or replace into granted_last values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_FIRST = _LAST.replace("or replace", "or ignore")


def raised(run: tuple[str, str, int], most: Ceilings) -> Statement:
    """Write the highest ceilings that a run ever had."""
    return "insert or replace into granted_most values (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*run, *vars(most).values())


def superseded(run: tuple[str, str, int], number: int) -> Statement:
    """Forget what a run was granted before the grant that its runner goes by."""
    return "delete from grants where host = ? and agent = ? and epoch = ? and number < ?", (*run, number)


def settled(run: tuple[str, str, int]) -> Statement:
    """Forget what a run was granted: all that it spent is booked."""
    return "delete from grants where host = ? and agent = ? and epoch = ?", run


def reached(budget: str, began: int, percent: int, action: str, at: int) -> list[Statement]:
    """Write that a rung was reached in the period that began then; what is older than forty days is forgotten."""
    return [
        ("delete from rungs where budget = ? and at < ?", (budget, at - 40 * 86_400_000)),
        ("insert or ignore into rungs values (?, ?, ?, ?, ?)", (budget, began, percent, action, at)),
    ]


_PAUSED = """insert into audit (at, who, verb, target, epoch, outcome, reason)
    select ?, 'budget', 'pause', ?, ?, 'done', ?
    where not exists (select 1 from audit where verb = 'pause' and target = ? and epoch = ? and at = ?)"""


def paused(agent: str, epoch: int, reason: str, at: int) -> Statement:
    """Audit that a run was paused for want of money, by its runner and alone perhaps; once, whoever sees it again."""
    return _PAUSED, (at, agent, epoch, reason, agent, epoch, at)


def unreached(budget: str) -> Statement:
    """Forget which rungs of a budget were reached."""
    return "delete from rungs where budget = ?", (budget,)
