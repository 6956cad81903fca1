"""The request that was under way when a Claude was killed: what it used stands nowhere, so it is estimated.

Claude Code 2.1.330 (observed) writes an `api-request` line when it asks, and the answer as it comes to an end; after an
interrupt, what had come of it (`metering.usage`). After SIGTERM and SIGKILL there is no answer, and no total that
counts it. Its prompt is taken to be that of the request before and its answer, out of the cache, and what was said
since at four bytes a token, written to the cache for five minutes; for the first request, all that stands before it.
What it had answered by then is not known and counts nothing. Read by the runner, which must stay small.
"""

import json
import os

from controlroom.metering.usage import MOST_TOKENS, Damaged, Message, Usage, message_of, moment
from controlroom.runner.files import open_regular
from controlroom.text.json_fields import table, text

_BACK = 4 * 1024 * 1024
_TOKEN = 4
"""Bytes to a token."""

_ASKED = b'{"type":"api-request",'
_SETTLED = (b'"type":"assistant"', b'"type":"user"', b'"subtype":"api_error"')
"""What follows a request that was answered, interrupted or refused."""
_BARE = (b'{"type":"api-request-shape"', b'{"type":"api-request-blob"')
_FRAMES = ((b'"type":"user"', b'"uuid":'), (b'"type":"attachment"', b'"type":"attachment"'))
"""Lines that are a part of the prompt, and what follows that part in them."""
_COPY = b'"attachment":{"type":"prompt_snapshot"'
"""What stands in the others already."""


def in_flight(path: str) -> Message | None:
    """Give the estimate of the request that a transcript ends with; None when that was settled."""
    lines = _last_lines(path)
    asked = next((number for number in range(len(lines) - 1, -1, -1) if lines[number].startswith(_ASKED)), None)
    if asked is None or any(sign in line for line in lines[asked + 1 :] for sign in _SETTLED):
        return None
    try:
        request = json.loads(lines[asked])
    except (ValueError, RecursionError):
        return None
    name, model = text(request.get("id"), 200), text(table(request.get("params")).get("model"), 200)
    if not name or not model:
        return None
    return Message(name, "", moment(request.get("timestamp")), model, _prompt(lines[:asked]), estimated=True)


def _prompt(lines: list[bytes]) -> Usage:
    """Estimate the prompt of a request from what stands before it."""
    said = cached = 0
    for line in reversed(lines):
        said += _said(line)
        if before := _answer(line):
            cached = before.usage.prompt + before.usage.output
            break
    return Usage(cache_write_5m=min(said // _TOKEN, MOST_TOKENS), cache_read=min(cached, MOST_TOKENS))


def _said(line: bytes) -> int:
    """Give the bytes of a line that are a part of the prompt."""
    if line.startswith(_BARE):
        return len(line)
    if _COPY in line[:400]:
        return 0
    return next((line.find(end) for sign, end in _FRAMES if sign in line), 0)


def _answer(line: bytes) -> Message | None:
    try:
        return message_of(line)
    except Damaged:
        return None


def _last_lines(path: str) -> list[bytes]:
    """Read the last whole lines of a file; none of one that cannot be read."""
    try:
        descriptor, size = open_regular(path)
    except OSError:
        return []
    try:
        data = os.pread(descriptor, _BACK, max(0, size - _BACK))
    except OSError:
        return []
    finally:
        os.close(descriptor)
    lines = data.split(b"\n")[:-1]
    return lines[1:] if size > _BACK else lines
