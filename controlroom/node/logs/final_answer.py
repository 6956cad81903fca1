"""What an agent said last, from the end of its log."""

import json
from collections.abc import Iterator
from typing import Any

from controlroom.node.logs import segments
from controlroom.runner.worktree.record import MAKING
from controlroom.text.checks import CHECKING
from controlroom.text.event_text import LogRecord
from controlroom.text.json_fields import table, tables, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.records import Position, unpack

LIMIT = 16 * 1024
"""Characters of an answer that are kept: its beginning."""

_MOST, _BLOCK = 4 * 1024 * 1024, 256 * 1024
"""Bytes of the log that are looked through, and of one piece of it."""


_CHECKING, _MAKING = CHECKING.encode(), MAKING.encode()


class Answer(NamedTuple):
    """What was said, and when (UTC ms). `cut`: there was more of it."""

    text: str = ""
    at: int = 0
    cut: bool = False


def final_answer(folder: str) -> Answer:
    """Return the last text that the agent itself said; of a program that says no events, its last line.

    Claude's `result` repeats its last text, so that the newest of both counts. Raises nothing.
    """
    line = Answer()
    for at, stream, body in _whole_records(folder):
        if stream == "a" and (said := _said(body).strip()):
            return Answer(said[:LIMIT], at, len(said) > LIMIT)
        if stream == "o" and body.startswith(_MAKING):
            break
        if stream == "n" and body.startswith(_CHECKING):
            line = Answer()  # what was printed since is a check's
        if stream == "o" and not line.text and (words := body.decode("utf-8", "replace").strip()):
            line = Answer(words[:LIMIT], at, len(words) > LIMIT)
    return line


def _said(body: bytes) -> str:
    if b'"result"' not in body and b'"assistant"' not in body:
        return ""
    try:
        event = table(json.loads(body))
    except (ValueError, RecursionError):
        return ""
    if event.get("parent_tool_use_id") or event.get("isSidechain"):
        return ""
    if event.get("type") == "result":
        return "" if event.get("is_error") else text(event.get("result"), LIMIT + 1)
    return _spoken(event) if event.get("type") == "assistant" else ""


def _spoken(event: dict[str, Any]) -> str:
    blocks = tables(table(event.get("message")).get("content"))
    said = [text(block.get("text"), LIMIT + 1) for block in blocks if block.get("type") == "text"]
    return "\n".join(words for words in said if words)


def _whole_records(folder: str) -> Iterator[tuple[int, str, bytes]]:
    """Go through the log backwards; records that were written in parts are put together."""
    parts: list[bytes] = []
    last: LogRecord | None = None
    for record in _records(folder):
        if record.continued and last is not None and record.stream == last.stream:
            parts.append(record.body)
            continue
        if last is not None:
            yield last.at, last.stream, b"".join(reversed(parts))
        last, parts = record, [record.body]
    if last is not None:
        yield last.at, last.stream, b"".join(reversed(parts))


def _records(folder: str) -> Iterator[LogRecord]:
    place, read = segments.end(folder), 0
    while read < _MOST:
        piece = segments.before(folder, place, _BLOCK, _BLOCK)
        if not piece.data:
            return
        for line in reversed(piece.data.split(b"\n")[:-1]):
            yield unpack(line)
        read += len(piece.data)
        place = Position(piece.start.segment, piece.start.offset)
