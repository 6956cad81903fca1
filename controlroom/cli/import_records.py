"""How far old transcripts are counted, as `--json` prints it."""

from functools import partial

from controlroom.cli.record_fields import Field, Kind, field_of

_count = partial(field_of, Kind.COUNT)
_bytes = partial(field_of, Kind.BYTES)


def _fields(before: str) -> tuple[Field, ...]:
    return (
        field_of(Kind.TEXT, "state", f"{before}state", "offered, running, done, stopped or declined"),
        field_of(Kind.TIME, "state_since", f"{before}at"),
        _count("transcripts", f"{before}files"),
        _bytes("transcript_bytes", f"{before}size"),
        _bytes("read_bytes", f"{before}read"),
        _count("messages", f"{before}messages", "that nothing had counted before"),
        field_of(Kind.USD, "cost_usd", f"{before}micro", "of these, at list prices"),
        field_of(Kind.TIME, "since", f"{before}since", "older messages are left out; null: none are"),
        field_of(Kind.TEXT, "reason", f"{before}reason", "why it stands still"),
    )


IMPORTED, IMPORTED_OF_HOST = _fields(""), _fields("imported.")
