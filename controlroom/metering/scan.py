"""Messages out of large amounts of transcripts: only lines that tell of use are looked into, and not at what was said.

A transcript is mostly prompts, results of tools and text. Lines are found by their mark, and the content of a message
is cut out before the rest is parsed: Claude writes it before `stop_reason` (2.1.332, observed). A cut in the wrong
place leaves brackets without their other halves, which is no JSON, so that such a line is parsed whole.
"""

import json
from collections.abc import Iterator

from controlroom.metering.usage import Damaged, Message, messages_in, refused

_MARK = b'"usage"'
_ANSWER = b'"assistant"'
_BEGINS, _ENDS = b'"content":[', b'],"stop_reason":'
_MESSAGE, _UUID = b'"message":{', b'"uuid":'
"""Between them, but for the content, stand the message's id, its use and its request: an answer has a line for each of
its blocks, and these lines agree in that."""
_CUT_OFF = b'"isAbortedMidStream":true'
"""Of such a message what it said counts, too."""

WHOLE_LIMIT = 4 * 1024 * 1024
"""Bytes of a line at most that is parsed whole: several times as much memory is needed for it."""

_DECODER = json.JSONDecoder(parse_constant=refused)
"""Made once: `json.loads` with an option makes one a call, which takes as long as reading a short line."""


def scan(data: bytes, size: int) -> Iterator[Message | None]:
    """Yield the messages in the first `size` bytes, whole lines; None for each line that cannot be counted."""
    before, place = b"", data.find(_MARK, 0, size)
    while place >= 0:
        begin, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place, size)
        end = size if end < 0 else end
        if data.find(_ANSWER, begin, end) >= 0:
            line = data[begin:end]
            short, same = _without_content(line)
            if not same or same != before:
                found = _read(short, line)
                yield from found
                before = b"" if found == _DAMAGED else same
        place = data.find(_MARK, end, size)


_DAMAGED: list[Message | None] = [None]


def _read(short: bytes, line: bytes) -> list[Message | None]:
    for text in (short, line) if short is not line else (line,):
        try:
            if (found := _parsed(text)) or text is line:
                return [*found]
        except Damaged:
            continue
    return _DAMAGED


def _without_content(line: bytes) -> tuple[bytes, bytes]:
    """Return a line without what was said, and what all lines of one answer have in common; b"": not known."""
    begin, end = line.find(_BEGINS), line.rfind(_ENDS)
    if not 0 <= begin < end or line.find(_CUT_OFF, 0, begin) >= 0 or line.find(_CUT_OFF, end) >= 0:
        return line, b""
    head, named = line.find(_MESSAGE, 0, begin), line.find(_UUID, end)
    same = line[head:begin] + line[end:named] if head >= 0 and named >= 0 else b""
    return line[: begin + len(_BEGINS)] + line[end:], same


def _parsed(line: bytes) -> list[Message]:
    """Read a line. Raises `Damaged`."""
    if len(line) > WHOLE_LIMIT:
        raise Damaged(f"a line of {len(line)} bytes")
    try:
        entry = _DECODER.decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise Damaged(str(error)[:100]) from None
    return list(messages_in(entry)) if isinstance(entry, dict) else []
