"""Log records -> lines to look at: inert, in spans of one style, each line with the kind of thing that was said.

Only here and in `fleet.translate` does what an agent wrote become text; colours are those of `meter.inert.Style`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controlroom.domain.model import LogRecord
from controlroom.meter.inert import PLAIN, Span, inert, spans
from controlroom.meter.redact import redact
from controlroom.meter.speech import record_lines

KINDS = ("out", "err", "say", "tool", "result", "error", "ask", "note", "think", "done", "input")
"""What a line can be: program output and error output, then what an agent says and does, what the operator sent."""


_LONGEST = 4 * 1024 * 1024
"""Bytes of one line that are joined at most; a longer one is shown in parts."""


@dataclass(frozen=True)
class LogLine:
    """One line of a log, ready to be drawn. `at`: UTC milliseconds of the host."""

    at: int
    kind: str
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """The line without colours: what search and filter look at."""
        return "".join(span.text for span in self.spans)


def log_lines(records: Iterable[LogRecord]) -> Iterator[LogLine]:
    """Render records in order. A record that is continued is joined with the next one of its stream."""
    held: dict[str, bytes] = {}
    for record in records:
        body = held.pop(record.stream, b"") + record.body
        if record.continued and len(body) < _LONGEST:
            held[record.stream] = body
            continue
        yield from _rendered(LogRecord(record.at, record.stream, body))


def screen_lines(data: bytes) -> tuple[tuple[Span, ...], ...]:
    """Render what a terminal shows, as tmux gives it: a line each, colours kept."""
    return tuple(tuple(spans(redact(line.decode("utf-8", "replace")))) for line in data.split(b"\n"))


_BY_STREAM = {"o": "out", "e": "err", "i": "input"}


def _rendered(record: LogRecord) -> Iterator[LogLine]:
    for line in record_lines(record.stream, record.body):
        kind = _BY_STREAM.get(record.stream, line.kind)
        yield LogLine(record.at, kind, _styled(kind, redact(line.text)))


def _styled(kind: str, text: str) -> tuple[Span, ...]:
    """Keep colours in program output; what an agent says has the colour of its kind, which the screen gives it."""
    return tuple(spans(text)) if kind in ("out", "err") else (Span(inert(text), PLAIN),)
