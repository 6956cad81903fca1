"""The ledger's table of what was ordered of every run: what later orders go by, whatever a host says of it.

A task and a command may hold anything, so only what tells them from others is kept of them (SHA-256), beside the first
characters of a task that are shown. A row stays when its host no longer shows the agent: it may do so again.
"""

from collections.abc import Sequence

from controlroom.domain.claims import OrderedRun
from controlroom.engine.ledger.unattributed import Statement
from controlroom.text.redact import redact

KEPT = 5000
"""Orders after which a run that no host shows is forgotten."""

TABLES: Sequence[str] = (
    """create table ordered_runs (host text not null, agent text not null, epoch integer not null,
    kind text not null, profile text not null, model text not null, cwd text not null, payer text not null,
    task text not null, task_digest text not null, command_digest text not null, op integer not null,
    primary key (host, agent, epoch)) without rowid""",
    """insert or replace into ordered_runs select agents.host, agents.name, agents.epoch, agents.kind, agents.profile,
    agents.model, agents.cwd, '', agents.task, '', '', orders.op from agents join orders on orders.host = agents.host
    and orders.agent = agents.name and orders.epoch = agents.epoch
    where orders.verb in ('spawn', 'reassign', 'resume') and ifnull(orders.outcome, '') <> 'refused'""",
)
"""A format of the ledger; older ones kept no more of an order than its agent."""

ROWS = "select ordered_runs.*, ifnull(orders.at, 0) from ordered_runs left join orders using (op) order by op"

ENDED = "select distinct host, agent, epoch from orders where verb = 'kill' and outcome = 'done'"
"""Runs that orders have ended."""

_WRITE = "insert or replace into ordered_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DROP = "delete from ordered_runs where host = ? and agent = ? and epoch <= ?"
_PRUNE = """delete from ordered_runs where op < (select max(op) from ordered_runs) - ? and not exists
    (select 1 from agents where agents.host = ordered_runs.host and agents.name = ordered_runs.agent)"""


def written(run: OrderedRun) -> Statement:
    """Write what was ordered of a run."""
    kept = [value for name, value in vars(run).items() if name not in ("at", "ended")]
    return _WRITE, tuple(redact(value) if isinstance(value, str) else value for value in kept)


def dropped(host: str, agent: str, epoch: int) -> Statement:
    """Forget an agent's runs up to one."""
    return _DROP, (host, agent, epoch)


def pruned() -> Statement:
    """Forget runs that were ordered long ago and that no host shows."""
    return _PRUNE, (KEPT,)
