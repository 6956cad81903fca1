"""What the verbs of leads print with `--json`."""

from collections.abc import Mapping

from controlroom.cli.record_fields import Field, Kind, field_of

_LEAD = (
    field_of(Kind.TEXT, "name", "lead.name"),
    field_of(Kind.TEXTS, "verbs", "lead.verbs"),
    field_of(Kind.TEXTS, "hosts", "lead.hosts"),
    field_of(Kind.TEXTS, "profiles", "lead.profiles"),
    field_of(Kind.COUNT, "agents", "lead.agents", "how many may be at work at once"),
    field_of(Kind.COUNT, "at_work"),
    field_of(Kind.USD, "limit_usd", "lead.limit", "what its agents may spend in all"),
    field_of(Kind.USD, "spent_usd", "billed", "what keys paid for its agents; null: no reading"),
    field_of(Kind.USD, "covered_usd", "covered", "what plans covered, at list prices; null: no reading"),
    field_of(Kind.TIME, "until_at", "lead.until"),
    field_of(Kind.TIME, "added_at", "lead.added"),
    field_of(Kind.TEXT, "added_by", "lead.who"),
    field_of(Kind.TEXT, "over", says="removed, or over: its time has passed; null: it may act"),
)

LEAD_ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "lead list": (field_of(Kind.RECORDS, "leads", lambda rows: rows, fields=_LEAD),),
}
