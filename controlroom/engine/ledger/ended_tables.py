"""The ledger's table of agents that others started and that have ended: their host tells of an end once.

What is kept of one is what is shown of it, as JSON; it goes when it is no longer shown.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from controlroom.domain.model import Agent, Evidence, State
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.names import ADOPTED
from controlroom.text.redact import redact

TABLES: Sequence[str] = (
    """create table ended_adopted (host text not null, name text not null, shown text not null,
    primary key (host, name)) without rowid""",
)

SHOWN = "select host, name, shown from ended_adopted"

_TEXTS = ("detail", "model", "cwd", "task", "session", "billing", "billing_doubt", "stray_key", "last_line", "place")
_TIMES = ("since", "started", "ended", "last_line_at")


def kept(agents: Iterable[Agent]) -> list[Statement]:
    """Write ended agents as they are shown."""
    return [
        ("insert or replace into ended_adopted values (?, ?, ?)", (agent.host, agent.name, _written(agent)))
        for agent in agents
    ]


def dropped(host: str, names: Iterable[str]) -> list[Statement]:
    """Agents are shown no more."""
    return [("delete from ended_adopted where host = ? and name = ?", (host, name)) for name in names]


def read(rows: Iterable[Sequence[Any]]) -> list[Agent]:
    """Read agents; a row that makes no sense is left out."""
    return [agent for host, name, shown in rows if (agent := _read(str(host), str(name), shown)) is not None]


def _written(agent: Agent) -> str:
    fields = {name: getattr(agent, name) for name in (*_TEXTS, *_TIMES, "limited_until", "spent")}
    evidence = [asdict(one) for one in agent.evidence]
    return redact(json.dumps({**fields, "state": agent.state.value, "evidence": evidence}))


def _read(host: str, name: str, shown: object) -> Agent | None:
    try:
        found = json.loads(str(shown))
        texts = {field: str(found[field]) for field in _TEXTS}
        times = {field: int(found[field]) for field in _TIMES}
        more = {field: None if found[field] is None else int(found[field]) for field in ("limited_until", "spent")}
        evidence = tuple(Evidence(**one) for one in found["evidence"])
        state = State(found["state"])
    except (ValueError, TypeError, KeyError):
        return None
    return Agent(host, name, 0, ADOPTED, state, evidence=evidence, **texts, **times, **more)  # type: ignore[arg-type]
