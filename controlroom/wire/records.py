r"""The log of an agent: numbered segments of records, one record a line.

    1795307427677 o the text of one line, as the agent wrote it\n

Thirteen digits of UTC milliseconds, a space, one letter for the stream, a space, the bytes. A record never holds a
newline: output is cut at newlines, agent events are JSON lines. What is longer than `MAX_BODY` bytes is written as
several records, all but the last with the capital letter of its stream. So a segment can be read from any newline,
forwards and backwards, and searched as text. A position is (epoch, segment, offset); it always stands before a record.
"""

import re

from controlroom.text.event_text import LogRecord
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern

FORMAT = 1
"""Version of the files in an agent's folder: spec, status, segments. A reader refuses a newer one."""

MAX_BODY = 64 * 1024
SEGMENT_BYTES = 4 * 1024 * 1024
"""A segment is closed when it has grown past this."""

OUT, ERR, EVENT, INPUT, NOTE = b"o", b"e", b"a", b"i", b"n"
"""Streams: output, error output, agent event (JSON), what the operator sent, what the runner says."""

_RECORD = pattern(rb"(\d{13}) ([oeainOEAIN]) (.*)", re.DOTALL)
_SEGMENT = pattern(r"log\.(\d{6})")


class Position(NamedTuple):
    """Where a record begins: the number of its segment, and bytes in it."""

    segment: int
    offset: int


def pack(at: int, stream: bytes, body: bytes) -> bytes:
    """Write one line of an agent (without its newline) as one or more records."""
    if len(body) <= MAX_BODY:
        return b"%013d %s %s\n" % (at, stream, body.replace(b"\n", b" "))
    pieces = [body[start : start + MAX_BODY] for start in range(0, len(body), MAX_BODY)]
    letters = [stream.upper()] * (len(pieces) - 1) + [stream]
    return b"".join(
        b"%013d %s %s\n" % (at, letter, piece.replace(b"\n", b" "))
        for letter, piece in zip(letters, pieces, strict=True)
    )


def unpack(line: bytes) -> LogRecord:
    """Read one line of a segment. A damaged line is an output record of time 0, so that nothing is hidden."""
    match = _RECORD.fullmatch(line)
    if match is None:
        return LogRecord(0, "o", line)
    letter = match[2].decode()
    return LogRecord(int(match[1]), letter.lower(), match[3], letter.isupper())


def unpack_all(data: bytes) -> list[LogRecord]:
    """Read whole records; a part without its newline at the end is left out."""
    return [unpack(line) for line in data.split(b"\n")[:-1]]


def segment_name(number: int) -> str:
    """Name the file of segment `number`, counted from 1."""
    return f"log.{number:06d}"


def segment_number(name: str) -> int | None:
    """Return the number in a segment's file name, or None for any other file."""
    match = _SEGMENT.fullmatch(name)
    return int(match[1]) if match else None
