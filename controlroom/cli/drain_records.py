"""What `--json` prints of drained hosts."""

from controlroom.cli.record_fields import Kind, field_of

_LEAVING = field_of(Kind.TEXT, "name"), field_of(Kind.TEXT, "to"), field_of(Kind.TIME, "since", "at")
_FAILED = (
    field_of(Kind.TEXT, "name", lambda pair: pair[0]),
    field_of(Kind.TEXT, "reason", lambda pair: pair[1]),
)

DRAIN = (
    field_of(Kind.TEXT, "who"),
    field_of(Kind.TEXT, "reason"),
    field_of(Kind.TIME, "since", "at"),
    field_of(Kind.FLAG, "move", says="whether what is at work there goes on elsewhere"),
    field_of(Kind.COUNT, "batch_size", "batch", "how many leave at once"),
    field_of(Kind.TEXT, "to", says="the host that takes its place; null: whichever has room"),
    field_of(Kind.COUNT, "batch", "number", "which one is on its way, or was the last; 0: none has begun"),
    field_of(Kind.COUNT, "moved", says="agents that are at work elsewhere"),
    field_of(Kind.RECORDS, "leaving", None, "agents on their way", _LEAVING),
    field_of(
        Kind.RECORDS, "failed", lambda drain: drain.failed.items(), "agents that did not arrive, and why", _FAILED
    ),
    field_of(Kind.TIME, "stopped_since", "stopped", "null: it goes on"),
    field_of(Kind.TIME, "empty_since", "emptied", "null: something of this room is at work there"),
)
