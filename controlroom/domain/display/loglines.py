"""Log records -> lines to look at: sanitized, in spans of one style, each line with the kind of thing that was said.

Only here and in `engine.hosts.translate` does what an agent wrote become text; colours are those of
`text.sanitize.Style`.
"""

import re
from collections.abc import Iterable, Iterator

from controlroom.domain.model import LogPlace
from controlroom.text.event_text import COLOURED, LONGEST, LogRecord, shown_lines
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import PLAIN, Span, redact, sanitize, spans

KINDS = ("out", "err", "say", "tool", "result", "error", "ask", "note", "think", "done", "input")
"""What a line can be: program output and error output, then what an agent says and does, what the operator sent."""

ScreenLine = tuple[Span, ...]
"""One line of a terminal, sanitized."""


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
    """Render records in order. A record that is continued is joined with the next one of its stream, if there is one.

    Program output keeps its colours; what an agent says has the colour of its kind, which the screen gives it.
    """
    for line in shown_lines(records):
        drawn = tuple(spans(line.text)) if line.kind in COLOURED else (Span(sanitize(line.text), PLAIN),)
        yield LogLine(line.at, line.kind, drawn)


class WholeLines:
    """Puts the records of one line next to each other, where two streams were written at the same time.

    A line stands where it ends. One without its end is held back, up to `LONGEST` bytes of it.
    """

    def __init__(self) -> None:
        self._begun: dict[str, list[LogRecord]] = {}
        """By stream."""

    def feed(self, records: Iterable[LogRecord]) -> Iterator[LogRecord]:
        """Take records in order; give those of the lines that have ended."""
        for record in records:
            line = self._begun.setdefault(record.stream, [])
            line.append(record)
            if not record.continued or sum(len(part.body) for part in line) >= LONGEST:
                yield from self._begun.pop(record.stream)

    def rest(self) -> list[LogRecord]:
        """What is held back: there will be no more of it."""
        begun, self._begun = self._begun, {}
        return [record for line in begun.values() for record in line]


def screen_lines(data: bytes) -> tuple[ScreenLine, ...]:
    """Render what a terminal shows, as tmux gives it: a line each, colours kept, which go on from line to line."""
    lines, colours = list[ScreenLine](), ""
    for line in data.decode("utf-8", "replace").split("\n"):
        lines.append(tuple(spans(colours + redact(line))))
        colours = _going_on(colours, line)
    return tuple(lines)


_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_MOST_COLOURS = 400


def _going_on(colours: str, line: str) -> str:
    """The colours that stand at the end of a line: those set since the last that took all back."""
    for found in _SGR.finditer(line):
        fresh = found[1].split(";")[0] in ("", "0")
        colours = found[0] if fresh or len(colours) > _MOST_COLOURS else colours + found[0]
    return colours


@dataclass(frozen=True)
class LogHit:
    """What a search found: where the record begins, when it was written (UTC ms), the lines of it that fit."""

    place: LogPlace
    at: int
    lines: tuple[LogLine, ...] = ()
    marks: tuple[str, ...] = ()
    """What an expression stood for there."""


@dataclass(frozen=True)
class Matches:
    """What a piece of a search found, in the order it was met; the next piece goes on from `place`."""

    hits: tuple[LogHit, ...]
    place: LogPlace
    done: bool = False
    """There is nothing further that way in this run."""
    searched: int = 0
    """Bytes of the log that were searched."""
    at: int = 0
    """When the record at `place` was written (UTC ms); 0: not known."""
    reason: str = ""
    """Why the search cannot go on."""
    unanswered: bool = False
    """Because its host could not be asked, or did not answer."""


def hit_line(at: int, kind: str, text: str) -> LogLine:
    """Make a line of what a host says it found."""
    return LogLine(at, kind if kind in KINDS else "out", (Span(sanitize(redact(text)), PLAIN),))
