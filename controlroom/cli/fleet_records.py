"""What the verbs of fleet files print with `--json`."""

from collections.abc import Mapping

from controlroom.cli.record_fields import Field, Kind, field_of

_CHANGE = (
    field_of(Kind.TEXT, "name", says="the agent's name, or the task's key"),
    Field("kind", Kind.TEXT, lambda told: "task" if told.change.is_task else "agent"),
    field_of(Kind.TEXT, "action", "change.act", "start, new run, model, update, end, add, edit, retry, drop; null"),
    field_of(Kind.TEXT, "drift", "change.drift", "how it is not as it was applied; null: it is"),
    field_of(Kind.TEXT, "why", "change.why"),
    field_of(Kind.TEXT, "subject", "change.subject", "id of the agent or task that is there; null: none is"),
    field_of(Kind.TEXT, "host", "change.host", "where it would start, or is"),
    field_of(Kind.BYTES, "memory_bytes", "change.memory", "that it is expected to take; null: no start, or not known"),
    field_of(Kind.USD, "cost_per_hour_usd", "change.hourly", "at list prices; null: no start, or not known"),
    field_of(Kind.TEXT, "waits", says="why it would not start for now; null: nothing keeps it"),
)
_HOST = (
    *(field_of(Kind.COUNT, name) for name in ("starts", "ends")),
    field_of(Kind.BYTES, "memory_bytes", "memory", "that what starts is expected to take"),
    field_of(Kind.BYTES, "memory_free_bytes", "free", "that the queue would still fill afterwards; null: no reading"),
    field_of(Kind.USD, "cost_per_hour_usd", "hourly", "of those whose cost is known"),
    field_of(Kind.COUNT, "cost_unknown", "unknown", "starts of whose cost nothing is known"),
)
_PLAN = (
    field_of(Kind.TEXT, "fleet"),
    field_of(Kind.RECORDS, "changes", fields=_CHANGE),
    field_of(Kind.COUNT, "same", says="agents and tasks that are as they should be"),
    field_of(Kind.RECORDS, "hosts", fields=(field_of(Kind.TEXT, "name"), *_HOST)),
    field_of(Kind.TEXTS, "notes", says="what holds for all starts"),
)
_LEFT = (field_of(Kind.TEXT, "agent"), field_of(Kind.TEXT, "why"))

FLEET_ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "fleet plan": _PLAN,
    "fleet apply": (*_PLAN, field_of(Kind.TEXT, "result", says="what was begun")),
    "fleet drift": (field_of(Kind.RECORDS, "fleets", lambda told: told, fields=_PLAN),),
    "fleet export": (
        field_of(Kind.TEXT, "fleet"),
        field_of(Kind.COUNT, "agents"),
        field_of(Kind.COUNT, "tasks"),
        field_of(Kind.TEXT, "toml", says="the fleet file"),
        field_of(Kind.RECORDS, "left_out", fields=_LEFT),
    ),
}
