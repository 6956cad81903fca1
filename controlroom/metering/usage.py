"""What one API message used: the record that everything about money is made of, and how to read it out of a transcript.

Shapes: transcripts of Claude Code 2.1.330, observed. It writes one `assistant` line per content block, all with the
same `message.id`, `requestId` and final numbers; resumed, forked and copied transcripts repeat lines of others. So a
message is named by its id, whatever file it stands in, and the last line that names it counts. Gateways may give no id
(null, "" or nothing), and Claude Code writes that down as it is: such a message is named by its request, or at last by
the line it stands in.

A message that was interrupted has the numbers of its beginning and `isAbortedMidStream`; what it was billed nobody
says. It is an estimate: its prompt, and the text that had come at three characters a token, which is what Claude Code
itself adds to its total for it.
"""

import json
from collections.abc import Iterator
from typing import Any

from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern

MOST_TOKENS = 10**8
"""Tokens of one kind in one message at most: what is beyond any context window is damage or a lie."""

MOST_SEARCHES = 10**6

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one transcript line at most that is looked into."""

_MARK = b'"usage"'
_ID_LIMIT = 200
_NEEDED = frozenset({"model"})
_CHARACTERS = 3
"""Of an interrupted message, to a token."""


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
    estimated: bool = False
    """It was cut off: what it used is not known for certain."""
    run: str = ""
    """The run of Claude that asked for it (`metering.usage_file`); empty: one that nothing is known of."""
    took: int = 0
    """Milliseconds from the request to the end of what it says here; 0: not known."""

    @property
    def key(self) -> tuple[str, str]:
        """What names it wherever it is met again: its id alone, or where there is none, its request."""
        return self.id, "" if self.id else self.request


class Damaged(ValueError):
    """A line that speaks of usage and cannot be counted; the words say what is wrong with it."""


def message_of(line: bytes) -> Message | None:
    """Read one transcript line (without its newline); None: it is no answered request. Raises `Damaged`."""
    return next(messages_of(line), None)


def messages_of(line: bytes) -> Iterator[Message]:
    """Read one transcript line: an answered request, then what advisors said in it. Raises `Damaged`."""
    if _MARK not in line:
        return
    if len(line) > LINE_LIMIT:
        raise Damaged(f"a line of {len(line)} bytes")
    try:
        entry = json.loads(line, parse_constant=refused)
    except (ValueError, RecursionError) as error:
        raise Damaged(str(error)[:100]) from None
    if isinstance(entry, dict):
        yield from messages_in(entry)


def messages_in(entry: dict[str, Any]) -> Iterator[Message]:
    """Read what a transcript line says: an answered request, then what advisors said in it. Raises `Damaged`."""
    message = message_in(entry)
    if message is not None:
        yield message
        yield from _advisors(message, entry["message"]["usage"])


_MOST_ADVISORS = 100


def _advisors(asked: Message, usage: dict[str, Any]) -> Iterator[Message]:
    """Read what other models said while a message was made: each has its own price, beside the message's own tokens.

    Advisor tool (Claude API, beta since 2026-04): they stand among the `iterations` of the message's usage, as
    `advisor_message` with their model.
    """
    parts = usage.get("iterations")
    for number, part in enumerate(parts[:_MOST_ADVISORS] if isinstance(parts, list) else ()):
        if isinstance(part, dict) and part.get("type") == "advisor_message":
            mark = f"+advisor{number}"
            name = f"{(asked.id or asked.request)[: _ID_LIMIT - len(mark)]}{mark}"
            advisor = asked._replace(model=name_in(part, "model"), usage=usage_of(part), fast=False)
            yield advisor._replace(id=name) if asked.id else advisor._replace(request=name)


def message_in(entry: dict[str, Any]) -> Message | None:
    """Read what a transcript line says; None: it is no answered request. Raises `Damaged`."""
    message = entry.get("message") if entry.get("type") == "assistant" else None
    if not isinstance(message, dict) or not isinstance(message.get("usage"), dict):
        return None
    if message.get("model") == "<synthetic>" or _goes_on_unnamed(entry, message):
        return None
    return _message(entry, message)


def usage_of(value: dict[str, Any]) -> Usage:
    """Read the `usage` object of an API response. Raises `Damaged` naming the field that cannot be.

    What was written to the cache beyond the parts that are told went to the short one: older writers give the sum
    alone, gateways an empty split beside it, and Claude Code 2.1.332 bills it so (observed).
    """
    split = value.get("cache_creation")
    parts = split if isinstance(split, dict) else {}
    written_1h = count_in(parts, "ephemeral_1h_input_tokens")
    beyond = count_in(value, "cache_creation_input_tokens") - written_1h
    written_5m = max(count_in(parts, "ephemeral_5m_input_tokens"), beyond)
    tools = value.get("server_tool_use")
    return Usage(
        count_in(value, "input_tokens"),
        count_in(value, "output_tokens"),
        written_5m,
        written_1h,
        count_in(value, "cache_read_input_tokens"),
        count_in(tools, "web_search_requests", MOST_SEARCHES) if isinstance(tools, dict) else 0,
    )


def _message(entry: dict[str, Any], message: dict[str, Any]) -> Message:
    usage = message["usage"]
    cut_off = entry.get("isAbortedMidStream") is True
    used = usage_of(usage)
    if cut_off:
        used = used._replace(output=max(used.output, min(_tokens_said(message.get("content")), MOST_TOKENS)))
    return Message(
        name_in(message, "id"),
        _request(entry, message),
        moment(entry.get("timestamp")),
        name_in(message, "model"),
        used,
        fast=usage.get("speed") == "fast",
        us=usage.get("inference_geo") == "us",
        batch=usage.get("service_tier") == "batch",
        estimated=cut_off,
    )


def _tokens_said(content: object) -> int:
    """Estimate the tokens of what an interrupted message has said."""
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    texts = [word for block in blocks for word in (block.get("text"), block.get("thinking")) if isinstance(word, str)]
    return (sum(map(len, texts)) + _CHARACTERS // 2) // _CHARACTERS


def _goes_on_unnamed(entry: dict[str, Any], message: dict[str, Any]) -> bool:
    """Return whether a line is a further block of an answer that only its lines name: the first one is counted."""
    named = message.get("id") or entry.get("requestId") or entry.get("requestRef")
    return not named and type(entry.get("apiBlockIndex")) is int and entry["apiBlockIndex"] > 0


def _request(entry: dict[str, Any], message: dict[str, Any]) -> str:
    """Name the request of a line: only one of a message without an id must have a name. Raises `Damaged`.

    `requestRef` is Claude's own name for it (Claude Code 2.1.330, observed), the same on each line of an answer.
    """
    request = name_in(entry, "requestId")
    if request or name_in(message, "id"):
        return request
    for field in ("requestRef", "uuid"):
        if name := name_in(entry, field):
            return name
    raise Damaged("it names neither a message nor a request")


_HALF = pattern("[\ud800-\udfff]")
"""Half of a character, which JSON can hold and no file or ledger can."""


def name_in(table: dict[str, Any], field: str) -> str:
    """Return a name out of JSON, "" where there is none. Raises `Damaged`."""
    value = table.get(field)
    if value is None and field not in _NEEDED:
        return ""
    fits = isinstance(value, str) and len(value) <= _ID_LIMIT and (value or field not in _NEEDED)
    if isinstance(value, str) and fits and (value.isascii() or not _HALF.search(value)):
        return value
    raise Damaged(f"{field} is {ascii(value)[:60]}")


def count_in(table: dict[str, Any], field: str, most: int = MOST_TOKENS) -> int:
    """Return a number out of JSON that lies between 0 and `most`, 0 where there is none. Raises `Damaged`."""
    value = table.get(field, 0)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= most:
        raise Damaged(f"{field} is {ascii(value)[:60]}")
    return value


def moment(value: object) -> int:
    """Read an ISO 8601 time as UTC milliseconds."""
    if not isinstance(value, str):
        return 0
    from datetime import datetime, timezone  # a runner loads it with the first message, once its agent is up

    try:
        moment = datetime.fromisoformat(value[:40].replace("Z", "+00:00"))
    except ValueError:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    at = round(aware.timestamp() * 1000)
    return max(0, at)


def refused(constant: str) -> Any:
    """Raise `ValueError`: NaN and its kin are no numbers here (for `json.loads`)."""
    raise ValueError(f"{constant} is no number here")
