"""The lines of usage.jsonl: what each message used, and what Claude reports, as runners write and engines book them."""

import json
import re
from typing import Any

from controlroom.metering.reports import MOST_REPORTED, Report
from controlroom.metering.usage import Damaged, Message, Usage, count_in, name_in, refused

_FORMAT = 2
_READ = (1, 2)
"""Format 1 knew no runs, reports or estimates."""
_MOST_CLAIMED = 10**15
"""Tokens of one kind that a line can claim: what cannot be true is judged at home, where a person is told of it."""
_FIELDS = ("format", "id", "request", "at", "model", "counts", "flags")
_FLAGS = ("fast", "us", "batch", "estimated")
_RUN = re.compile("[0-9a-f]{15}")

Record = Message | Report


def to_line(record: Record) -> bytes:
    """Write one line of a runner's usage.jsonl, newline included."""
    if isinstance(record, Report):
        value: dict[str, Any] = {"format": _FORMAT, "run": record.run, "reported": record.pico, "at": record.at}
    else:
        flags = [name for name in _FLAGS if getattr(record, name)]
        fields = (_FORMAT, record.id, record.request, record.at, record.model, list(record.usage), flags)
        value = dict(zip(_FIELDS, fields, strict=True))
        if record.run:
            value["run"] = record.run
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Record:
    """Read one line of usage.jsonl, without its newline. Raises `Damaged`."""
    try:
        entry = json.loads(line, parse_constant=refused)
        if (version := entry["format"]) not in _READ:
            raise Damaged(f"it has format {ascii(version)[:20]}, this one reads {_FORMAT}")
        if "reported" in entry:
            return Report(_run(entry), count_in(entry, "reported", MOST_REPORTED), count_in(entry, "at", 2**53))
        flags = entry["flags"]
        if not entry["id"] and not entry["request"]:
            raise Damaged("it names neither a message nor a request")
        return Message(
            name_in(entry, "id"),
            name_in(entry, "request"),
            count_in(entry, "at", 2**53),
            name_in(entry, "model"),
            Usage._make(count_in({"count": count}, "count", _MOST_CLAIMED) for count in entry["counts"]),
            **{name: name in flags for name in _FLAGS},
            run=_run(entry) if "run" in entry else "",
        )
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise Damaged(f"it is no usage: {error}"[:200]) from None


def _run(table: dict[str, Any]) -> str:
    value = table.get("run")
    if isinstance(value, str) and _RUN.fullmatch(value):
        return value
    raise Damaged(f"run is {ascii(value)[:60]}")
