"""What hosts said, as a client gives it: records, screens, what a search found. Damage becomes a reason."""

import base64
import binascii
import itertools
from dataclasses import dataclass

from controlroom.domain.display.loglines import LogHit, Matches, hit_line, screen_lines
from controlroom.domain.model import LogPlace, LogRecord
from controlroom.protocol.messages import Hits, Page, Screen
from controlroom.text.sanitize import Span, sanitize
from controlroom.wire.inquiries import Hit
from controlroom.wire.records import unpack


@dataclass(frozen=True)
class LogPage:
    """Records of one log, in order, from `start` up to `end`."""

    agent: str
    records: tuple[LogRecord, ...]
    start: LogPlace
    end: LogPlace
    skipped: int = 0
    """Bytes before `start` that were left out."""
    first: bool = False
    """Nothing older exists in this epoch."""
    reason: str = ""
    """Why there is nothing, when the log cannot be read."""
    offsets: tuple[int, ...] = ()
    """Where in the segment of `start` each record begins."""
    before: int = 0
    """Bytes of this run's log before the records, where that is known."""
    total: int = 0
    """Bytes of all of it; 0: not known."""
    unanswered: bool = False
    """Its host could not be asked, or did not answer: what it has is not known."""
    withheld: bool = False
    """It is not shown to us."""


@dataclass(frozen=True)
class AgentScreen:
    """What an agent's terminal shows, line by line, inert; its size in characters."""

    lines: tuple[tuple[Span, ...], ...] = ()
    columns: int = 0
    rows: int = 0
    reason: str = ""
    """Why there is nothing."""


def log_page(page: Page) -> LogPage:
    """Read a page's records."""
    try:
        data = base64.b64decode(page.data)
    except binascii.Error:
        return LogPage(page.agent, (), page.start, page.end, page.skipped, page.first, "its host sent a damaged page")
    lines = data.split(b"\n")[:-1]
    records = tuple(LogRecord(*unpack(line)) for line in lines)
    offsets = tuple(itertools.accumulate((len(line) + 1 for line in lines), initial=page.start.offset))[:-1]
    known = (page.skipped, page.first, page.reason, offsets, page.before, page.total, page.unanswered, page.withheld)
    return LogPage(page.agent, records, page.start, page.end, *known)


def agent_screen(screen: Screen) -> AgentScreen:
    """Read a screen's lines."""
    try:
        data = base64.b64decode(screen.data)
    except binascii.Error:
        return AgentScreen(reason="its host sent a damaged screen")
    return AgentScreen(screen_lines(data) if data else (), screen.columns, screen.rows, screen.reason)


def matches(found: Hits) -> Matches:
    """Make what was found safe to show."""
    return Matches(
        tuple(_hit(found.place.epoch, hit) for hit in found.hits),
        found.place,
        found.done,
        max(0, found.searched),
        max(0, found.at),
        found.reason,
        found.unanswered,
    )


def _hit(epoch: int, hit: Hit) -> LogHit:
    place = LogPlace(epoch, hit.segment, hit.offset)
    lines = tuple(hit_line(hit.at, line.kind, line.text) for line in hit.lines)
    return LogHit(place, hit.at, lines, tuple(text for mark in hit.marks[:8] if (text := sanitize(mark, 200))))
