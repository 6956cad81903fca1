"""Leads in the ledger: what each may do, what tells its token, and which agents it has begun.

Of a token only its SHA-256 is kept. The agents of a lead stay its own here when they are forgotten on their hosts: what
they have spent counts.
"""

import json
from collections.abc import Sequence
from typing import Any

from controlroom.domain.leads import Lead
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.sanitize import redact
from controlroom.wire.codec import decode, encode

LEAD_TABLES: Sequence[str] = (
    """create table leads (name text primary key, digest text not null, record text not null) without rowid""",
    """create table lead_agents (host text not null, agent text not null, lead text not null,
    primary key (host, agent)) without rowid""",
)
"""Format 15."""

LEADS = "select digest, record from leads"
LEAD_AGENTS = "select host, agent, lead from lead_agents"


def read_lead(row: Sequence[Any]) -> tuple[str, Lead]:
    """Read a row of `LEADS`: what tells the token, and the lead."""
    return str(row[0]), decode(Lead, json.loads(row[1]))


def keep_lead(lead: Lead, digest: str) -> Statement:
    """Write a lead as it has become."""
    return "insert or replace into leads values (?, ?, ?)", (lead.name, digest, redact(json.dumps(encode(lead))))


def drop_lead(name: str) -> list[Statement]:
    """Forget a lead, and which agents it began."""
    return [("delete from leads where name = ?", (name,)), ("delete from lead_agents where lead = ?", (name,))]


def keep_lead_agent(host: str, agent: str, lead: str) -> Statement:
    """Write that a lead begins an agent."""
    return "insert or replace into lead_agents values (?, ?, ?)", (host, agent, lead)
