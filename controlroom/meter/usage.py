"""What one API message used: the record that everything about money is made of, and how to read it out of a transcript.

Shapes: transcripts of Claude Code 2.1.330, observed. It writes one `assistant` line per content block, all with the
same `message.id`, `requestId` and final numbers; resumed, forked and copied transcripts repeat lines of others. So a
message is named by (message id, request id), whatever file it stands in, and the last line that names it counts.
"""

import json
from datetime import datetime, timezone
from typing import Any, NamedTuple

MOST_TOKENS = 10**8
"""Tokens of one kind in one message at most: what is beyond any context window is damage or a lie."""

MOST_SEARCHES = 10**6

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one transcript line at most that is looked into."""

_MARK = b'"usage"'
_ID_LIMIT = 200


class Usage(NamedTuple):
    """Tokens by price class. `input`: uncached input only; `output` includes thinking."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    web_searches: int = 0

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt, cached or not: what a price for long prompts goes by."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


class Message(NamedTuple):
    """One answered API request. `at`: UTC milliseconds, 0 when the transcript does not say."""

    id: str
    request: str
    at: int
    model: str
    usage: Usage
    fast: bool = False
    us: bool = False
    """Run in the United States only (`inference_geo`), which costs more."""
    batch: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What names it wherever it is met again."""
        return self.id, self.request


_FORMAT = 1
_FIELDS = ("format", "id", "request", "at", "model", "counts", "flags")
_FLAGS = ("fast", "us", "batch")


class Damaged(ValueError):
    """A line that speaks of usage and cannot be counted; the words say what is wrong with it."""


def message_of(line: bytes) -> Message | None:
    """Read one transcript line (without its newline); None: it is no answered request. Raises `Damaged`."""
    if _MARK not in line:
        return None
    if len(line) > LINE_LIMIT:
        raise Damaged(f"a line of {len(line)} bytes")
    try:
        entry = json.loads(line, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise Damaged(str(error)[:100]) from None
    message = entry.get("message") if isinstance(entry, dict) and entry.get("type") == "assistant" else None
    if not isinstance(message, dict) or not isinstance(message.get("usage"), dict):
        return None
    if message.get("model") == "<synthetic>":
        return None
    return _message(entry, message)


def to_line(message: Message) -> bytes:
    """Write one line of a runner's usage.jsonl, newline included."""
    flags = [name for name in _FLAGS if getattr(message, name)]
    fields = (_FORMAT, message.id, message.request, message.at, message.model, list(message.usage), flags)
    return json.dumps(dict(zip(_FIELDS, fields, strict=True)), separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Message:
    """Read one line of usage.jsonl, without its newline. Raises `Damaged`."""
    try:
        version, message, request, at, model, counts, flags = (
            json.loads(line, parse_constant=_refused)[name] for name in _FIELDS
        )
        if version != _FORMAT:
            raise Damaged(f"it has format {ascii(version)[:20]}, this one reads {_FORMAT}")
        names = {"id": message, "request": request, "model": model}
        return Message(
            _name(names, "id"),
            _name(names, "request"),
            _count({"at": at}, "at", 2**53),
            _name(names, "model"),
            Usage._make(_count({"count": count}, "count") for count in counts),
            **{name: name in flags for name in _FLAGS},
        )
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise Damaged(f"it is no usage: {error}"[:200]) from None


def usage_of(value: dict[str, Any]) -> Usage:
    """Read the `usage` object of an API response. Raises `Damaged` naming the field that cannot be."""
    split = value.get("cache_creation")
    if isinstance(split, dict):
        written_5m = _count(split, "ephemeral_5m_input_tokens")
        written_1h = _count(split, "ephemeral_1h_input_tokens")
    else:  # an older writer gives the sum alone, and knew only the short cache
        written_5m, written_1h = _count(value, "cache_creation_input_tokens"), 0
    tools = value.get("server_tool_use")
    return Usage(
        _count(value, "input_tokens"),
        _count(value, "output_tokens"),
        written_5m,
        written_1h,
        _count(value, "cache_read_input_tokens"),
        _count(tools, "web_search_requests", MOST_SEARCHES) if isinstance(tools, dict) else 0,
    )


def _message(entry: dict[str, Any], message: dict[str, Any]) -> Message:
    usage = message["usage"]
    return Message(
        _name(message, "id"),
        _name(entry, "requestId"),
        _time(entry.get("timestamp")),
        _name(message, "model"),
        usage_of(usage),
        fast=usage.get("speed") == "fast",
        us=usage.get("inference_geo") == "us",
        batch=usage.get("service_tier") == "batch",
    )


def _name(table: dict[str, Any], field: str) -> str:
    """Give a name; a request id may be missing behind a gateway, and then the message id alone must do."""
    value = table.get(field)
    if isinstance(value, str) and len(value) <= _ID_LIMIT and (value or field == "request"):
        return value
    if value is None and field == "requestId":
        return ""
    raise Damaged(f"{field} is {ascii(value)[:60]}")


def _count(table: dict[str, Any], field: str, most: int = MOST_TOKENS) -> int:
    value = table.get(field, 0)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= most:
        raise Damaged(f"{field} is {ascii(value)[:60]}")
    return value


def _time(value: object) -> int:
    """Read an ISO 8601 time as UTC milliseconds."""
    if not isinstance(value, str):
        return 0
    try:
        moment = datetime.fromisoformat(value[:40].replace("Z", "+00:00"))
    except ValueError:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    at = round(aware.timestamp() * 1000)
    return max(0, at)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number here")
