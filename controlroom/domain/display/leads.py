"""Leads as they are shown: what each may do, and how much of it is used."""

from controlroom.domain.leads import Lead, ceiling_names
from controlroom.domain.model import Fleet
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class LeadRow:
    """One lead, with what its agents do now. Money is micro-dollars; None: no reading."""

    lead: Lead
    at_work: int
    billed: int | None
    covered: int | None
    """At list prices, of what plans cover."""
    over: str
    """Why it may do nothing any more; empty: it may."""


def lead_rows(fleet: Fleet, now: int) -> list[LeadRow]:
    """All leads, those that may still act first, then by name."""
    rows = [_row(fleet, lead, now) for lead in fleet.leads.values()]
    return sorted(rows, key=lambda row: (bool(row.over), row.lead.name))


def _row(fleet: Fleet, lead: Lead, now: int) -> LeadRow:
    at_work = sum(agent.lead == lead.name and not agent.has_ended for agent in fleet.agents.values())
    billed, covered = (fleet.budgets.get(name) for name in ceiling_names(lead.name))
    over = "removed" if lead.removed else "over" if lead.over(now) else ""
    return LeadRow(lead, at_work, billed.spent if billed else None, covered.spent if covered else None, over)
