"""A field of a record that `--json` prints: its name, what it holds, and how its value is found and written."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from operator import attrgetter
from typing import Any, NamedTuple

from controlroom.domain.money.costs import decimal
from controlroom.text.states import StrEnum


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    TEXTS = "list of texts"
    FLAG = "true or false"
    COUNT = "whole number"
    NUMBER = "number"
    TIME = "time"
    USD = "dollars as text"
    BYTES = "bytes"
    SECONDS = "seconds"
    PERCENT = "per cent"
    RECORD = "record"
    RECORDS = "list of records"


class Field(NamedTuple):
    """One field of a record."""

    name: str
    kind: Kind
    get: Callable[[Any], Any]
    """Its value, from what the record is about: USD as micro-dollars, times and seconds as milliseconds."""
    says: str = ""
    fields: tuple["Field", ...] = ()
    """Of a record, or of each record of a list."""

    def write(self, thing: Any) -> Any:
        """Its value as JSON has it."""
        value = self.get(thing)
        return None if value is None else _WRITE[self.kind](value, self.fields)


_WRITE: Mapping[Kind, Callable[[Any, tuple[Field, ...]], Any]] = {
    Kind.TEXT: lambda value, _: str(getattr(value, "value", value)) or None,
    Kind.TEXTS: lambda value, _: [str(text) for text in value],
    Kind.FLAG: lambda value, _: bool(value),
    Kind.COUNT: lambda value, _: int(value),
    Kind.NUMBER: lambda value, _: round(value, 3),
    Kind.TIME: lambda value, _: iso(value),
    Kind.USD: lambda value, _: decimal(value),
    Kind.BYTES: lambda value, _: int(value),
    Kind.SECONDS: lambda value, _: value / 1000,
    Kind.PERCENT: lambda value, _: round(value, 2),
    Kind.RECORD: lambda value, fields: record(fields, value),
    Kind.RECORDS: lambda value, fields: [record(fields, each) for each in value],
}


def iso(at: int) -> str | None:
    """Write UTC milliseconds as ISO 8601, to the second; 0 is not known."""
    return datetime.fromtimestamp(at // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def record(fields: Iterable[Field], thing: Any) -> dict[str, Any]:
    """Write a thing as a record of these fields."""
    return {field.name: field.write(thing) for field in fields}


Get = Callable[[Any], Any] | str | None
"""How a value is found: by a function, by the name of an attribute, or under the field's own name."""


def field_of(kind: Kind, name: str, get: Get = None, says: str = "", fields: tuple[Field, ...] = ()) -> Field:
    """A field of this kind and name."""
    return Field(name, kind, get if callable(get) else attrgetter(get or name), says, fields)
