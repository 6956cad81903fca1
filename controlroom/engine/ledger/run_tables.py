"""Tables of runs: what was ordered of each, when it began and ended, and ended agents that others started.

A run lasts from a (re)start to its end, whatever its agent does meanwhile; agent-hours count all of it. Both moments
are what its host says, however late it is heard. Of a run whose end nobody has seen, only how long it was seen alive
is known. An agent that others started is told from the next one of its name by its session, as its usage is. Of a task
and a command only a digest (SHA-256) is kept, beside the first characters of the task. Times are UTC milliseconds.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from controlroom.domain.claims import OrderedRun
from controlroom.domain.model import Agent, Evidence, Fleet, State
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import ADOPTED, is_adopted_name
from controlroom.text.sanitize import redact

WRITTEN = 300_000
"""Milliseconds after which it is written down again that a host's agents are alive: what kill -9 may lose of it."""

CLOCKS = 60_000
"""Milliseconds by which what a host says of the same moment may differ from one link to the next."""

RUN_TABLES: Sequence[str] = (
    """create table agent_runs (host text not null, agent text not null, epoch integer not null,
    began integer not null, profile text not null, ended integer not null, seen integer not null,
    primary key (host, agent, epoch, began)) without rowid""",
    "create index open_runs on agent_runs (host) where ended = 0",
)
"""Format 6 of the ledger. `ended`: 0 while it goes on; `seen`: when it was known to be alive."""

LAST_RUNS = "select host, agent, epoch, max(began), ended, seen from agent_runs group by host, agent"
"""The last run of each agent, as `Run`s begin."""

_BEGAN = "insert or ignore into agent_runs values (?, ?, ?, ?, ?, ?, ?)"
_ENDED = """update agent_runs set ended = ?, seen = max(seen, ?)
    where host = ? and agent = ? and epoch = ? and began = ?"""
_ALIVE = "update agent_runs set seen = max(seen, ?) where host = ? and ended = 0"


def session_number(session: str) -> int:
    """Name a session by a number: what tells runs of an agent of others apart."""
    return int(hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()[:7], 16) + 1


def epoch_of(agent: Agent) -> int:
    """Return the number of an agent's run in the ledger; 0: there is none."""
    if agent.adopted:
        return session_number(agent.session) if agent.session else 0
    return agent.epoch


def known_alive(fleet: Fleet, now: int) -> Mapping[tuple[str, str, int], int]:
    """Say of every run that goes on (host, name, epoch) until when: now, or when its host was last heard."""
    going = (agent for agent in fleet.agents.values() if not agent.has_ended)
    return {
        (agent.host, agent.name, epoch_of(agent)): now if fleet.reachable(agent) else fleet.hosts[agent.host].seen
        for agent in going
        if agent.host in fleet.hosts
    }


@dataclass(frozen=True)
class Run:
    """One run of one agent."""

    host: str
    agent: str
    epoch: int
    began: int
    ended: int = 0
    """0: it goes on, as far as is known."""
    seen: int = 0


class RunBook:
    """Which runs go on; it gives the statements that keep the ledger's table."""

    def __init__(self, runs: Iterable[Run]) -> None:
        """`runs`: the last one of each agent, as the ledger has them."""
        self._runs: dict[tuple[str, bool], dict[str, Run]] = {}
        """By host and whether others started it, and name."""
        self._heard: dict[str, int] = {}
        for run in runs:
            self._of(run.host, run.agent)[run.agent] = run
            self._heard[run.host] = max(self._heard.get(run.host, 0), run.seen)
        self._written = dict(self._heard)

    def observed(
        self, host: str, agents: Iterable[Agent], now: int, *, adopted: bool, gone: Iterable[str] | None = None
    ) -> list[Statement]:
        """Take what a host has now: of its own agents, or (`adopted`) of those that others started.

        `gone`: the names of those that it has no more. None: these are all that it has.
        """
        here = {agent.name: agent for agent in agents if agent.adopted is adopted}
        runs = self._runs.get((host, adopted), {})
        lost = runs if gone is None else [name for name in gone if name in runs]
        over = [runs[name] for name in lost if name not in here and not runs[name].ended]
        ends = [self._end(run, self._last_seen(run)) for run in over]
        return [*ends, *(statement for agent in here.values() for statement in self._seen(agent, now))]

    def heard(self, host: str, now: int) -> list[Statement]:
        """A host is there, so its agents are; this is written down now and then."""
        self._heard[host] = max(self._heard.get(host, 0), now)
        return self.left(host) if now - self._written.get(host, 0) >= WRITTEN else []

    def left(self, host: str) -> list[Statement]:
        """Write down until when a host was there."""
        at = self._heard.get(host, 0)
        if at <= self._written.get(host, 0):
            return []
        self._written[host] = at
        return [(_ALIVE, (at, host))]

    def closing(self) -> list[Statement]:
        """Write that down of all hosts."""
        return [statement for host in self._heard for statement in self.left(host)]

    def _of(self, host: str, agent: str) -> dict[str, Run]:
        return self._runs.setdefault((host, is_adopted_name(agent)), {})

    def _last_seen(self, run: Run) -> int:
        return max(run.began, run.seen, self._heard.get(run.host, 0))

    def _seen(self, agent: Agent, now: int) -> list[Statement]:
        epoch, last = epoch_of(agent), self._of(agent.host, agent.name).get(agent.name)
        if not epoch:
            return []
        if last is not None and not self._is_another(last, agent, epoch):
            return self._changed(last, agent)
        before = []
        if last is not None and not last.ended:
            at = self._last_seen(last)
            before.append(self._end(last, min(at, agent.started) if agent.started > last.began else at))
        return before + self._begin(agent, epoch, now)

    def _is_another(self, before: Run, agent: Agent, epoch: int) -> bool:
        """Return whether what is shown of an agent is of a run after the one that is known."""
        if before.epoch != epoch or agent.started > (before.ended or self._last_seen(before)):
            return True
        return before.ended > 0 and agent.lives

    def _changed(self, before: Run, agent: Agent) -> list[Statement]:
        """Take the end of a run, also when it turns out to have been later than it was last seen alive."""
        if not agent.has_ended:
            return []
        if not before.ended:
            return [self._end(before, agent.ended or self._last_seen(before))]
        return [self._end(before, agent.ended)] if agent.ended > before.ended + CLOCKS else []

    def _begin(self, agent: Agent, epoch: int, now: int) -> list[Statement]:
        """Write down a new run, if it is known when it began, and when it ended if it has."""
        over = agent.has_ended
        if not agent.started or not (agent.ended if over else agent.lives):
            return []
        before = self._of(agent.host, agent.name).get(agent.name)
        began = max(agent.started, before.ended if before else 0)
        ended = max(began, agent.ended) if over else 0
        run = Run(agent.host, agent.name, epoch, began, ended, ended or max(began, now))
        self._of(run.host, run.agent)[run.agent] = run
        return [(_BEGAN, (run.host, run.agent, epoch, began, agent.profile, ended, run.seen))]

    def _end(self, run: Run, at: int) -> Statement:
        ended = max(run.began, at)
        self._of(run.host, run.agent)[run.agent] = replace(run, ended=ended, seen=ended)
        return _ENDED, (ended, ended, run.host, run.agent, run.epoch, run.began)


ENDED_TABLES: Sequence[str] = (
    """create table ended_adopted (host text not null, name text not null, shown text not null,
    primary key (host, name)) without rowid""",
)

ENDED_ROWS = "select host, name, shown from ended_adopted"

_TEXTS = ("detail", "model", "cwd", "task", "session", "billing", "billing_doubt", "stray_key", "last_line", "place")
_MARKS = ("mark", "script")
"""Texts that older formats of such a row do not have."""

_TIMES = ("since", "started", "ended", "last_line_at")


def keep_ended(agents: Iterable[Agent]) -> list[Statement]:
    """Write ended agents as they are shown."""
    return [
        ("insert or replace into ended_adopted values (?, ?, ?)", (agent.host, agent.name, _ended_as_json(agent)))
        for agent in agents
    ]


def drop_ended(host: str, names: Iterable[str]) -> list[Statement]:
    """Agents are shown no more."""
    return [("delete from ended_adopted where host = ? and name = ?", (host, name)) for name in names]


def read_ended(rows: Iterable[Sequence[Any]]) -> list[Agent]:
    """Read agents; a row that makes no sense is left out."""
    return [agent for host, name, shown in rows if (agent := _ended_from_json(str(host), str(name), shown)) is not None]


def _ended_as_json(agent: Agent) -> str:
    fields = {name: getattr(agent, name) for name in (*_TEXTS, *_MARKS, *_TIMES, "limited_until", "spent")}
    evidence = [asdict(item) for item in agent.evidence]
    return redact(json.dumps({**fields, "state": agent.state.value, "evidence": evidence}))


def _ended_from_json(host: str, name: str, shown: object) -> Agent | None:
    try:
        fields = json.loads(str(shown))
        texts = {field: str(fields[field]) for field in _TEXTS}
        texts |= {field: str(fields.get(field, "")) for field in _MARKS}
        times = {field: int(fields[field]) for field in _TIMES}
        more = {field: None if fields[field] is None else int(fields[field]) for field in ("limited_until", "spent")}
        evidence = tuple(Evidence(**item) for item in fields["evidence"])
        state = State(fields["state"])
    except (ValueError, TypeError, KeyError):
        return None
    return Agent(host, name, 0, ADOPTED, state, evidence=evidence, **texts, **times, **more)  # type: ignore[arg-type]


_KEPT_RUNS = 5000
"""Orders after which a run that no host shows is forgotten."""

ORDERED_TABLES: Sequence[str] = (
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

CHOSEN: Sequence[str] = (
    "alter table ordered_runs add column chosen text not null default ''",
    "alter table ordered_runs add column credential text not null default ''",
)
"""Format 13 of the ledger."""

WORKTREES: Sequence[str] = ("alter table ordered_runs add column worktree text not null default ''",)
CHOSEN_CREDENTIAL: Sequence[str] = ("alter table ordered_runs add column chosen_credential text not null default ''",)
"""Format 14 of the ledger."""

LED: Sequence[str] = ("alter table ordered_runs add column lead text not null default ''",)
"""Format 15 of the ledger."""

ORDERED_RUNS = """select ordered_runs.*, ifnull(orders.at, 0), ifnull(orders.verb = 'resume', 0)
    from ordered_runs left join orders using (op) order by op"""

ENDED_BY_ORDER = """select host, agent, epoch, verb, outcome
    from orders left join ordered_runs using (host, agent, epoch) where verb in ('kill', 'pause')
    and (outcome is null or outcome <> 'refused') and orders.op > ifnull(ordered_runs.op, 0)
    order by verb = 'pause', orders.op"""
"""Runs that were ordered to end, how, and what came of that; nothing yet of an order that is open. One that is older
than the run was for one of the same number, which has been forgotten.
"""

_WRITE_ORDERED = "insert or replace into ordered_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DROP_ORDERED = "delete from ordered_runs where host = ? and agent = ? and epoch <= ?"
_PRUNE_ORDERED = """delete from ordered_runs where op < (select max(op) from ordered_runs) - ? and not exists
    (select 1 from agents where agents.host = ordered_runs.host and agents.name = ordered_runs.agent)"""


def write_ordered(run: OrderedRun) -> Statement:
    """Write what was ordered of a run."""
    left_out = ("at", "resumed", "ended", "paused", "also", "first")
    kept = [value for name, value in vars(run).items() if name not in left_out]
    return _WRITE_ORDERED, tuple(redact(value) if isinstance(value, str) else value for value in kept)


def drop_ordered(host: str, agent: str, epoch: int) -> Statement:
    """Forget an agent's runs up to one."""
    return _DROP_ORDERED, (host, agent, epoch)


def prune_ordered() -> Statement:
    """Forget runs that were ordered long ago and that no host shows."""
    return _PRUNE_ORDERED, (_KEPT_RUNS,)
