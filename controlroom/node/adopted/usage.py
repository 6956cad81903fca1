"""What the Claudes of others use: their transcripts are read by the node itself, for as long as they are at work.

A session that is at work is read from its beginning on, and so are its subagents; what nobody is at work on is never
opened. Which run a message belongs to follows from when its process began, so that every node says the same. Goes home
as the usage of our own agents does (`wire.usage`), by places in the transcripts.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping

from controlroom.metering.usage_file import to_line
from controlroom.node.adopted.claudes import RunningClaude
from controlroom.node.agent_folders import signature
from controlroom.node.observation.usage_feed import mark_of
from controlroom.runner.claude.session_usage import TURNED, SessionUsage
from controlroom.runner.claude.transcripts import files_of, in_flight
from controlroom.runner.files import open_regular
from controlroom.wire.usage import USAGE_OPEN, SendUsage, UsageOrder, UsagePlace, UsageSeen

Key = tuple[str, int]
"""An agent and one of its files."""


class AdoptedUsage:
    """What home has booked, and what is under way. `take` and `look` may be called from different threads."""

    def __init__(self) -> None:
        self._booked: Mapping[Key, UsagePlace] | None = None
        """None: home has not asked yet."""
        self._open: set[Key] = set()
        self._sessions: dict[tuple[str, str], _Session] = {}
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
        pieces: list[UsageSeen] = []
        for key, session in list(sessions.items()):
            if key in live:
                pieces += self._pieces(session, now)
            elif any(claude.session == session.latest.session for claude in running):
                del sessions[key]  # another goes on with it, and what is added is not its own
            else:
                session.end()
                pieces += self._pieces(session, now)
                if session.over:
                    del sessions[key]
        return pieces

    def _see_clock(self, offset: float) -> None:
        """When the clock has been put back, what is at work began at an earlier time by it."""
        back = 0 if self._offset is None else round(self._offset - offset)
        self._offset = offset
        for session in self._sessions.values() if back > TURNED else ():
            session.put_back(back)

    def _pieces(self, session: "_Session", now: int) -> Iterator[UsageSeen]:
        for path, number in session.changed():
            key = session.latest.name, number
            if key in self._open or len(self._open) >= USAGE_OPEN:
                session.again(path)
            elif piece := session.piece(path, (self._booked or {}).get(key), now):
                self._open.add(key)
                session.again(path)
                yield piece


class _Session:
    """One run of a Claude of others, and its files."""

    def __init__(self, running: RunningClaude) -> None:
        self.latest = running
        self._usage = SessionUsage(running.run, running.began, fresh=running.fresh)
        self._read: dict[str, tuple[int, ...]] = {}
        """Files as they stood when they were read to their ends."""
        self._ending: set[str] | None = None
        """Of one that has ended: files whose last request is yet to be estimated."""

    @property
    def over(self) -> bool:
        """Whether it has ended and all of it is sent."""
        return self._ending is not None and not self._ending and not list(self.changed())

    def put_back(self, by: int) -> None:
        """The clock has been put back by so many milliseconds."""
        self._usage.put_back(by)

    def end(self) -> None:
        """Nobody is at work on it any more."""
        if self._ending is None:
            self._ending = set(files_of(self.latest.transcript))

    def changed(self) -> Iterator[tuple[str, int]]:
        """Yield the files that there is something to read of; of an idle session only its own is looked at."""
        main = self.latest.transcript
        quiet = not self.latest.busy and self._ending is None and self._read.get(main) == signature(main)
        for path in () if quiet else files_of(main):
            current = signature(path)
            if current and (self._read.get(path) != current or path in (self._ending or ())):
                yield path, _number(self.latest.session, path)

    def again(self, path: str) -> None:
        """There may be more of it."""
        self._read.pop(path, None)

    def piece(self, path: str, booked: UsagePlace | None, now: int) -> UsageSeen | None:
        """Return what comes next of a file; None when there is nothing that counts."""
        self._read[path] = signature(path)
        try:
            descriptor, size = open_regular(path)
        except OSError:
            self._settled(path)
            return None
        mark = mark_of(descriptor)
        os.close(descriptor)
        same = booked is not None and booked.mark == mark and booked.offset <= size
        start = booked.offset if booked and same else 0
        part = self._usage.part(path, start, now, main=path == self.latest.transcript)
        records, end = part.records, part.end
        if part.more:
            self.again(path)
        elif not records and self._settled(path) and (last := in_flight(path)):
            records, start, end = [last], size - 1, size
        if not records:
            return None
        place = UsagePlace(self.latest.name, _number(self.latest.session, path), start, mark)
        data = b"".join(map(to_line, records)).decode()
        return UsageSeen(place, end, data, self.latest.part_of or self.latest.session, self.latest.billing)

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
