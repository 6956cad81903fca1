"""What the verbs of rules print with `--json`."""

from collections.abc import Mapping

from controlroom.cli.record_fields import Field, Kind, field_of

_RULE = (
    *(field_of(Kind.TEXT, name, f"rule.{name}") for name in ("name", "verdict", "tool", "pattern")),
    *(field_of(Kind.TEXT, name, f"rule.{name}", "a pattern; null: all") for name in ("folder", "profile", "host")),
    field_of(Kind.TEXT, "agent", "rule.agent", "a pattern; null: all"),
    field_of(Kind.TIME, "expires_at", "rule.expires"),
    Field("uses", Kind.COUNT, lambda kept: kept.rule.uses or None, "how many calls it answers; null: any number"),
    field_of(Kind.COUNT, "used"),
    field_of(Kind.TIME, "last_used_at", "last"),
    field_of(Kind.FLAG, "over", says="it says nothing any more"),
)

_FLOOR = (
    field_of(Kind.TEXTS, "branches", says="protected: a push to one is denied"),
    field_of(Kind.FLAG, "deletes", says="whether deletes outside the agent's folder are denied"),
    *(field_of(Kind.TEXTS, name) for name in ("scratch", "credentials", "secrets", "own", "asks")),
)

_PART = (
    field_of(Kind.TEXT, "what"),
    field_of(Kind.TEXT, "rule", says="that allows it; null: none does"),
    field_of(Kind.TEXT, "why"),
)

RULE_ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "rules list": (
        field_of(Kind.RECORDS, "rules", fields=_RULE),
        field_of(Kind.RECORD, "floor", fields=_FLOOR),
        field_of(Kind.TEXT, "trouble", says="what is wrong with rules.toml; then these are the rules read before"),
    ),
    "rules test": (
        field_of(Kind.TEXT, "verdict", says="allow, deny or ask; null: no rule answers it, a person does"),
        field_of(Kind.TEXTS, "rules", says="those that say so, by name"),
        field_of(Kind.TEXT, "why"),
        field_of(Kind.RECORDS, "parts", fields=_PART),
    ),
}
