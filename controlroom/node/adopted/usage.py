"""What the Claudes of others use: their transcripts are read by the node itself, for as long as they are at work.

A session that is at work is read from its beginning on, and so are its subagents; what nobody is at work on is never
opened. Which run a message belongs to follows from when its process began, so that every node says the same. Where a
runner of ours goes on with a session, what follows is its agent's. Goes home as the usage of our own agents does
(`wire.usage`), by places in the transcripts.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from controlroom.metering.usage_file import to_line
from controlroom.node.adopted.claudes import RunningClaude
from controlroom.node.adopted.metered import MeteredBySession, goes_on
from controlroom.node.agent_folders import signature
from controlroom.node.observation.usage_feed import mark_of
from controlroom.runner.claude.session_usage import TURNED, SessionUsage, Stop
from controlroom.runner.claude.transcripts import files_of, in_flight
from controlroom.runner.files import open_regular
from controlroom.runner.money.usage_meter import Metered
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.usage import USAGE_OPEN, SendUsage, UsageOrder, UsagePlace, UsageSeen

Key = tuple[str, int]
"""An agent and one of its files."""


_BESIDE = 60_000
"""Milliseconds after which one that still lives is taken to be at work beside a runner that went on with its session:
until then its end may not have been seen yet."""

_HANDED_OVER = (-1,)
"""In the place of a file's signature: all of it is read that was there before a runner went on with the session."""


class _Change(NamedTuple):
    """A file of a session of which there is something to read, as it stood when that was seen."""

    path: str
    number: int
    signature: tuple[int, ...]


class AdoptedUsage:
    """What home has booked, and what is under way. `take` and `look` may be called from different threads."""

    def __init__(self, metered: Callable[[], MeteredBySession] = dict) -> None:
        """`metered` reads which sessions agents are metered from."""
        self._metered = metered
        self._booked: Mapping[Key, UsagePlace] | None = None
        """None: home has not asked yet."""
        self._open: set[Key] = set()
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._gone: list[RunningClaude] = []
        self._offset: float | None = None
        """How far the clock was before one that never jumps at the last look, milliseconds."""

    def take(self, order: UsageOrder) -> None:
        """Take what home has to say."""
        if isinstance(order, SendUsage):
            self._booked = {(place.name, place.epoch): place for place in order.places}
            self._sessions = {key: _Session(session.latest) for key, session in self._sessions.items()}
            self._open = set()
        elif self._booked is not None:
            key = order.place.name, order.place.epoch
            self._booked = {**self._booked, key: order.place}
            self._open.discard(key)

    @property
    def asked(self) -> bool:
        """Whether home has asked: until then nothing is looked at."""
        return self._booked is not None

    def add(self, ended: Iterable[RunningClaude]) -> None:
        """Read runs to their ends that have ended before they were looked at."""
        for claude in ended:
            self._sessions.setdefault((claude.name, claude.run), _Session(claude))

    @property
    def unread(self) -> list[RunningClaude]:
        """The runs that are not read to their ends."""
        return [session.latest for session in self._sessions.values()]

    def gone(self) -> list[RunningClaude]:
        """Return, once, the runs that have ended and whose transcripts went before they were read to their ends."""
        gone, self._gone = self._gone, []
        return gone

    def look(self, running: list[RunningClaude], now: int, at: float = 0.0) -> list[UsageSeen]:
        """Return what is to be sent now: a piece of a file at most, and of each only when the last one is booked.

        `running`: who is at work; `now`: UTC ms, `at` seconds on a clock that never jumps. Reads files, so it may take
        its time.
        """
        if self._booked is None:
            return []
        self._see_clock(now - 1000 * at)
        sessions, live = self._sessions, {(claude.name, claude.run): claude for claude in running}
        for key, claude in live.items():
            sessions.setdefault(key, _Session(claude)).latest = claude
        for key, session in list(sessions.items()):
            if key not in live and any(claude.session == session.latest.session for claude in running):
                del sessions[key]  # another goes on with it, and what is added is not its own
            elif key not in live:
                session.end()
        pieces = list(self._pieces(list(sessions.values()), now))
        self._gone += [session.latest for session in sessions.values() if session.is_gone]
        for key in [key for key, session in sessions.items() if session.over or session.is_gone]:
            del sessions[key]
        return pieces

    def _see_clock(self, offset: float) -> None:
        """When the clock has been put back, what is at work began at an earlier time by it."""
        back = 0 if self._offset is None else round(self._offset - offset)
        self._offset = offset
        for session in self._sessions.values() if back > TURNED else ():
            session.put_back(back)

    def _pieces(self, sessions: Iterable["_Session"], now: int) -> Iterator[UsageSeen]:
        """Yield what comes next of those files that have changed.

        First it is seen how far they go, then whether a runner has gone on: it may at any moment between the two.
        """
        changes = [(session, change) for session in sessions for change in session.changed()]
        metered = self._metered() if changes else {}
        for session, change in changes:
            key = session.latest.name, change.number
            if key in self._open or len(self._open) >= USAGE_OPEN:
                continue
            noted = metered.get(session.latest.session, ())
            if piece := session.piece(change, (self._booked or {}).get(key), noted, now):
                self._open.add(key)
                yield piece


class _Session:
    """One run of a Claude of others, and its files."""

    def __init__(self, running: RunningClaude) -> None:
        self.latest = running
        self._usage = SessionUsage(running.run, running.began, fresh=running.fresh)
        self._began = self._alone = running.began
        """When it began, and since when no runner has gone on with its session; UTC ms."""
        self._read: dict[str, tuple[int, ...]] = {}
        """Files as they stood when they were read to their ends."""
        self._marks: dict[str, str] = {}
        """What they began with."""
        self._ending: set[str] | None = None
        """Of one that has ended: files whose last request is yet to be estimated."""

    @property
    def over(self) -> bool:
        """Whether it has ended and all of it is sent."""
        return self._ending is not None and not self._ending and not list(self.changed())

    @property
    def is_gone(self) -> bool:
        """Whether it has ended and its transcript is not there any more."""
        return self._ending is not None and not signature(self.latest.transcript)

    def put_back(self, by: int) -> None:
        """The clock has been put back by so many milliseconds."""
        self._usage.put_back(by)
        self._began, self._alone = self._began - by, self._alone - by

    def end(self) -> None:
        """Nobody is at work on it any more."""
        if self._ending is None:
            self._ending = set(files_of(self.latest.transcript))

    def changed(self) -> Iterator[_Change]:
        """Yield the files that there is something to read of; of an idle session only its own is looked at."""
        main = self.latest.transcript
        seen = self._read.get(main)
        quiet = not self.latest.busy and self._ending is None and seen in (signature(main), _HANDED_OVER)
        for path in () if quiet else files_of(main):
            current = signature(path)
            if current and (self._read.get(path) not in (current, _HANDED_OVER) or path in (self._ending or ())):
                yield _Change(path, _number(self.latest.session, path), current)

    def piece(self, change: _Change, booked: UsagePlace | None, noted: Iterable[Metered], now: int) -> UsageSeen | None:
        """Return what comes next of a file; None when there is nothing that counts.

        `noted`: the runs that are metered from the session, as they were noted when the file was seen to have changed.
        """
        path, number, current = change
        after = goes_on(noted, self._alone)
        if after and self._ending is None and now - after.at > _BESIDE:
            self._alone, after = after.at + 1, None
        try:
            descriptor, size = open_regular(path)
        except OSError:
            self._read[path] = current
            self._settled(path)
            return None
        mark = mark_of(descriptor)
        os.close(descriptor)
        if self._marks.setdefault(path, mark) != mark:
            self._marks[path] = mark
            self._usage.read_anew(path)
        main, size = path == self.latest.transcript, min(size, current[-1])
        stop = Stop(size) if after is None else Stop(min(size, after.begins)) if main else Stop(size, after.at)
        same = booked is not None and booked.mark == mark and booked.offset <= size
        start = booked.offset if booked and same else 0
        part = self._usage.part(path, start, stop, now, main=main)
        records, end = part.records, part.end
        if not records and not part.more and self._settled(path) and (last := in_flight(path, stop.offset)):
            own = last._replace(run=self._usage.run if last.at >= self._began else "")
            records, start, end = [] if 0 < stop.until <= last.at else [own], stop.offset - 1, stop.offset
        if not part.more and not records and (after is None or self._ending is not None):
            self._read[path] = _HANDED_OVER if after else current
        if not records:
            return None
        data = b"".join(map(to_line, records)).decode()
        billing, session = self.latest.billing, self.latest.part_of or self.latest.session
        return UsageSeen(UsagePlace(self.latest.name, number, start, mark), end, data, session, billing)

    def _settled(self, path: str) -> bool:
        """Tell, once, whether a file that is read to its end is one of a session that has ended."""
        ended = self._ending is not None and path in self._ending
        if self._ending and ended:
            self._ending.discard(path)
        return ended


def _number(session: str, path: str) -> int:
    """Name a file of a session by a number, in the place of an epoch."""
    inside = os.path.basename(path) if path.endswith(f"{session}.jsonl") else path.partition(f"{session}/")[2]
    return int(hashlib.sha256(f"{session} {inside}".encode("utf-8", "replace")).hexdigest()[:7], 16) + 1
