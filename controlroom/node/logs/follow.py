"""Logs as they grow: the records that home follows, and the newest line of every agent. Also older text on request.

A followed log goes home in whole records, in order, each byte once. What is under way is bounded by a window that home
opens again with `Credit`. A log may use only as much of the window as is still free, so one flood fills half of it at
most and a quiet log always finds room. What stays behind for long on a slow link is skipped, and its size is told.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from controlroom.node.logs import segments
from controlroom.node.logs.segments import MAX_RECORD, Records, tail
from controlroom.runner.folder import agent_folder
from controlroom.text.event_text import LogRecord, telling_words
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import agent_name_problem
from controlroom.text.sanitize import redact
from controlroom.wire.messages import LOG_WINDOW, Fetch, Fetched, Follow, LastLine, LogChunk
from controlroom.wire.records import Position, unpack

CHUNK = 32 * 1024
"""Bytes of one `LogChunk`, unless a single record is longer."""

FETCHED = 512 * 1024
"""Bytes of one `Fetched` at most."""

BEHIND = 2.0
"""Seconds that a log may stay behind by more than the window before it skips to its tail."""

_SMALLEST = 1024
_TAIL = LOG_WINDOW // 4
_MAX_FOLLOWED = 256


@dataclass(eq=False)
class _Feed:
    name: str
    epoch: int
    folder: str
    place: Position
    under_way: int = 0
    skipped: int = 0
    behind_since: float | None = None


class Follower:
    """The followed logs of one connection. `send` takes what goes home, `clock` counts seconds."""

    def __init__(self, state: str, send: Callable[[LogChunk], None], clock: Callable[[], float]) -> None:
        self._state, self._send, self._clock = state, send, clock
        self._feeds: dict[tuple[str, int], _Feed] = {}
        self._touched: set[str] = set()
        self._blocked: set[_Feed] = set()
        self._under_way: deque[tuple[_Feed, int]] = deque()
        self._used = 0
        self._soon: asyncio.Handle | None = None

    def follow(self, wanted: Follow) -> None:
        """Send these logs from now on and no others."""
        feeds = {}
        for log in wanted.logs[:_MAX_FOLLOWED]:
            if agent_name_problem(log.name) is None:
                key = log.name, log.epoch
                folder = agent_folder(self._state, log.name, log.epoch)
                place = segments.resolved(folder, Position(log.segment, log.offset))
                feeds[key] = self._feeds.get(key) or _Feed(log.name, log.epoch, folder, place)
                self.touch(log.name)
        self._feeds = feeds
        self._blocked &= set(feeds.values())

    def touch(self, name: str) -> None:
        """Say that an agent's log may have grown. It is read once all that is known now has been said."""
        self._touched.add(name)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._pump)

    def touch_all(self) -> None:
        """Say that any log may have grown."""
        for name, _ in self._feeds:
            self.touch(name)

    def credit(self, size: int) -> None:
        """Take note that home has taken `size` bytes of records."""
        size = min(max(0, size), self._used)
        self._used -= size
        while size:
            feed, sent = self._under_way.popleft()
            taken = min(size, sent)
            feed.under_way -= taken
            size -= taken
            if taken < sent:
                self._under_way.appendleft((feed, sent - taken))
        self._advance_all(self._blocked)

    def fetch(self, wanted: Fetch) -> Fetched:
        """Read older text. Before an answer that reaches a followed log's end, what lies before is sent to it."""
        folder = agent_folder(self._state, wanted.name, wanted.epoch)
        if agent_name_problem(wanted.name) or not segments.numbers(folder):
            reason = f"no log of run {wanted.epoch} of {ascii(wanted.name)[:60]} is on this host"
            return Fetched(wanted.id, 0, 0, "", 0, 0, first=True, reason=reason)
        place = segments.resolved(folder, Position(wanted.segment, wanted.offset))
        if wanted.forward:
            piece = segments.after(folder, place, FETCHED) or Records(place, place, b"")
            piece = _first_records(piece, max(1, wanted.count))
        else:
            place = self._caught_up((wanted.name, wanted.epoch), place)
            piece = segments.before(folder, place, max(1, wanted.count), FETCHED)
        first = piece.start <= segments.begin(folder)
        total = segments.pending(folder, Position(0, 0))
        before = max(0, total - segments.pending(folder, piece.start))
        data = base64.b64encode(piece.data).decode()
        return Fetched(wanted.id, *piece.start, data, *piece.end, first=first, before=before, total=total)

    def close(self) -> None:
        """Send nothing more."""
        if self._soon:
            self._soon.cancel()

    def _pump(self) -> None:
        self._soon = None
        touched, self._touched = self._touched, set()
        self._advance_all({feed for feed in self._feeds.values() if feed.name in touched})

    def _advance_all(self, feeds: set[_Feed]) -> None:
        """Send what there is, a piece of each log in turn."""
        waiting = sorted(feeds, key=lambda feed: (feed.under_way, feed.name))
        while waiting:
            waiting = [feed for feed in waiting if self._advance(feed)]

    def _advance(self, feed: _Feed) -> bool:
        """Send one piece of a log; False when it has no more or may not now."""
        self._blocked.discard(feed)
        fair = (LOG_WINDOW - self._used - feed.under_way) // 2
        if fair < _SMALLEST:
            self._held_up(feed)
            return False
        piece = segments.after(feed.folder, feed.place, min(CHUNK, fair))
        if piece is None:
            feed.behind_since = None
            return False
        self._give(feed, piece)
        return True

    def _give(self, feed: _Feed, piece: Records) -> None:
        data, skipped = base64.b64encode(piece.data).decode(), feed.skipped + piece.skipped
        self._send(LogChunk(feed.name, feed.epoch, *piece.start, data, *piece.end, skipped=skipped))
        feed.place, feed.skipped = piece.end, 0
        if piece.data:
            feed.under_way += len(piece.data)
            self._used += len(piece.data)
            self._under_way.append((feed, len(piece.data)))

    def _held_up(self, feed: _Feed) -> None:
        """Remember a log that may not send now; skip to its tail when that has lasted."""
        self._blocked.add(feed)
        now = self._clock()
        if feed.behind_since is None:
            feed.behind_since = now
        if now - feed.behind_since > BEHIND:
            backlog = segments.pending(feed.folder, feed.place)
            if backlog > LOG_WINDOW:
                newest = segments.end(feed.folder)
                start = segments.before(feed.folder, newest, _TAIL, _TAIL).start
                if start > feed.place:
                    feed.skipped += backlog - segments.pending(feed.folder, start)
                    feed.place = start
                feed.behind_since = now

    def _caught_up(self, key: tuple[str, int], place: Position) -> Position:
        """Send a followed log up to `place` or a little beyond; return the place up to which it has been sent."""
        feed = self._feeds.get(key)
        if feed is None or feed.place >= place:
            return place
        backlog = segments.pending(feed.folder, feed.place) - segments.pending(feed.folder, place)
        if backlog > LOG_WINDOW:
            feed.skipped += backlog
            self._give(feed, Records(place, place, b""))
        while feed.place < place and (piece := segments.after(feed.folder, feed.place, CHUNK)):
            self._give(feed, piece)
        return max(place, feed.place)


def _first_records(piece: Records, count: int) -> Records:
    """Keep the first `count` records of a piece."""
    cut = 0
    for _ in range(count):
        newline = piece.data.find(b"\n", cut) + 1
        if not newline:
            return piece
        cut = newline
    return piece._replace(data=piece.data[:cut], end=Position(piece.start.segment, piece.start.offset + cut))


QUIET = 0.04
"""Seconds between two looks, at least."""

PAUSE = 0.25
"""Seconds between two lines of one agent."""

UNSEEN = 2.0
"""Seconds between two looks at the logs of agents that nobody looks at: all their lines leave in one message."""

_LOOKED_AT = 5 * MAX_RECORD
"""Bytes read at once at most: the longest event that a runner keeps, and some more."""

_RECORDS = 200
"""Records looked through for one that says something."""


@dataclass
class _Tail:
    epoch: int
    folder: str
    place: Position
    text: str = ""
    told: float = float("-inf")


class LastLines:
    """Reads the logs that `touch` names and gives their newest lines to `tell`. `clock` counts seconds."""

    def __init__(self, tell: Callable[[list[LastLine]], None], clock: Callable[[], float]) -> None:
        self._tell, self._clock = tell, clock
        self._tails: dict[str, _Tail] = {}
        self._on_show: frozenset[str] | None = None
        """The agents that somebody looks at; None: all."""
        self._touched: set[str] = set()
        self._unseen: set[str] = set()
        """Agents that nobody looks at whose logs may have grown."""
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._seldom: asyncio.TimerHandle | None = None

    def add(self, name: str, epoch: int, folder: str) -> None:
        """Read this epoch's log from now on, instead of an earlier one's."""
        tail = self._tails.get(name)
        if tail is None or tail.epoch != epoch:
            self._tails[name] = _Tail(epoch, folder, Position(0, 0))
            self.touch(name)

    def remove(self, name: str) -> None:
        """Forget an agent."""
        self._tails.pop(name, None)

    def touch(self, name: str) -> None:
        """Say that an agent's log may have grown. It is read once all that is known now has been said."""
        if self._on_show is None or name in self._on_show:
            self._look_soon({name})
        else:
            self._unseen.add(name)
            if self._seldom is None:
                self._seldom = asyncio.get_running_loop().call_later(UNSEEN, self._look_at_unseen)

    def show(self, names: Iterable[str] | None) -> None:
        """Look at the logs of these agents as they grow, and at those of others seldom; None: at all as they grow."""
        self._on_show = None if names is None else frozenset(names)
        seen = self._unseen if self._on_show is None else self._unseen & self._on_show
        self._unseen = self._unseen - seen
        if seen:
            self._look_soon(seen)

    def close(self) -> None:
        """Read nothing more."""
        for handle in (self._soon, self._later, self._seldom):
            if handle:
                handle.cancel()

    def _look_soon(self, names: set[str]) -> None:
        self._touched |= names
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._look)

    def _look_at_unseen(self) -> None:
        self._seldom = None
        self._touched |= self._unseen
        self._unseen.clear()
        self._look()

    def _look(self) -> None:
        if self._later:
            self._later.cancel()
        self._soon, self._later, now = None, None, self._clock()
        touched, self._touched = self._touched, set()
        early = {name for name in touched if name in self._tails and now < self._tails[name].told + PAUSE}
        lines = [line for name in sorted(touched - early) if (line := self._newest(name, now))]
        if lines:
            self._tell(lines)
        if early:
            self._touched |= early
            first = min(self._tails[name].told for name in early) + PAUSE
            self._later = asyncio.get_running_loop().call_later(max(QUIET, first - now), self._look)

    def _newest(self, name: str, now: float) -> LastLine | None:
        log = self._tails.get(name)
        piece = tail(log.folder, log.place, _LOOKED_AT) if log else None
        if not log or not piece:
            return None
        log.place = piece.end
        newest = newest_words(piece.data)
        if newest is None or newest[1] == log.text:
            return None
        log.told, log.text = now, newest[1]
        return LastLine(name, log.epoch, newest[1], newest[0])


def newest_words(data: bytes) -> tuple[int, str] | None:
    """Return time and text of the newest record that says something to people, None when none does."""
    lines = data.split(b"\n")[-_RECORDS - 1 : -1]
    for record in reversed(list(_joined([unpack(line) for line in lines]))):
        if record.stream == "a" and not record.body.startswith(b"{"):
            continue  # the end of an event that began before what we read
        words = redact(telling_words(record.stream, record.body))
        if words:
            return record.at, words
    return None


def _joined(records: list[LogRecord]) -> Iterator[LogRecord]:
    """Put records together that were one line of the agent; another stream may have written meanwhile."""
    begun: dict[str, bytes] = {}
    for record in records:
        body = begun.pop(record.stream, b"") + record.body
        if record.continued:
            begun[record.stream] = body
        else:
            yield record._replace(body=body)
