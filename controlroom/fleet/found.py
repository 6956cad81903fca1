"""What hosts said, as a client gives it: records, screens, what a search found. Damage becomes a reason."""

import base64
import binascii
from dataclasses import dataclass

from controlroom.domain.loglines import LogHit, Matches, hit_line, screen_lines
from controlroom.domain.model import LogPlace, LogRecord
from controlroom.fleet.protocol import Hits, Page, Screen
from controlroom.meter.inert import Span, inert
from controlroom.wire.inquiries import Hit
from controlroom.wire.records import unpack_all


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
    records = tuple(LogRecord(*record) for record in unpack_all(data))
    return LogPage(page.agent, records, page.start, page.end, page.skipped, page.first, page.reason)


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
        found.reason,
    )


def _hit(epoch: int, hit: Hit) -> LogHit:
    place = LogPlace(epoch, hit.segment, hit.offset)
    lines = tuple(hit_line(hit.at, line.kind, line.text) for line in hit.lines)
    return LogHit(place, hit.at, lines, tuple(inert(mark, 200) for mark in hit.marks[:8]))
