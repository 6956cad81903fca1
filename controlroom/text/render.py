"""Log records -> what a person is to read of them. The screen draws it, and a search on a host looks for words in it.

The text holds no key any more, but it is raw: callers make it inert before it is shown.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from controlroom.text.event_text import record_lines
from controlroom.text.redact import redact

LONGEST = 4 * 1024 * 1024
"""Bytes of one line that are joined at most; a longer one is shown in parts."""

COLOURED = ("out", "err")
"""Kinds of lines that may hold colours of their own."""

_BY_STREAM = {"o": "out", "e": "err", "i": "input"}


class Written(Protocol):
    """A record: `stream` is a letter of `wire.records`; the next record of a stream may go on with its line."""

    @property
    def at(self) -> int:
        """UTC milliseconds of the host."""

    @property
    def stream(self) -> str:
        """The letter of its stream."""

    @property
    def body(self) -> bytes:
        """What was written."""

    @property
    def continued(self) -> bool:
        """Whether the line goes on."""


class Shown(NamedTuple):
    """One line for people: when, what kind of thing, its text."""

    at: int
    kind: str
    text: str


def shown_lines(records: Iterable[Written]) -> Iterator[Shown]:
    """Render records in order. A record that is continued is joined with the next one of its stream, if any."""
    held: dict[str, tuple[int, bytes]] = {}
    for record in records:
        body = held.pop(record.stream, (0, b""))[1] + record.body
        if record.continued and len(body) < LONGEST:
            held[record.stream] = record.at, body
            continue
        yield from _lines(record.at, record.stream, body)
    for stream, (at, body) in held.items():
        yield from _lines(at, stream, body)


def _lines(at: int, stream: str, body: bytes) -> Iterator[Shown]:
    for line in record_lines(stream, body):
        yield Shown(at, _BY_STREAM.get(stream, line.kind), redact(line.text))
