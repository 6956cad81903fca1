"""What one run has spent so far, by its own count: out of its sessions' transcripts, each message once.

What stood in a resumed session's files before the run is not its own. A message that comes again counts once, at the
dearest numbers that were ever given for it; a line that speaks of usage and cannot be read counts as much as the
dearest message so far.
"""

import contextlib
import os
from array import array
from collections.abc import Callable
from typing import Any

from controlroom.metering.prices import Sheet, micro
from controlroom.metering.usage import Damaged, Message, message_in
from controlroom.runner.claude.transcripts import Piece, RecentPieces, Tail, session_files

A_LOOK = 16 * 1024 * 1024
"""Bytes that are read at once, a piece more or less; the rest is read when the runner has looked after its agent."""

MOST_MESSAGES = 1_000_000
"""Messages that are known again; beyond them every one counts anew."""

MOST_OWED = 3
"""How many messages of the stream a transcript may lack at its end: one that was cut off might not get there."""

MOST_SESSIONS = 50
"""Sessions of one run that are read on: any number may begin, one after the other, on a terminal or below it."""

_OWED, _TOLD = 1000, 256
_LEAST, _MASK = 1024, 2**64 - 1
_NOT_OURS = 2**63
"""Pico-dollars and tokens of a message that stood there before: nothing is dearer."""


Key = tuple[str, str]


class CountedMessages:
    """What has been counted of each message: 24 bytes a slot, in place of the 300 that a dictionary would take.

    Messages are known by a 64-bit hash with a random key of this process: nobody can choose two that meet.
    """

    def __init__(self) -> None:
        self._size = 0
        self._make(_LEAST)

    def more(self, key: Key, pico: int, tokens: int) -> tuple[int, int]:
        """Take the numbers of a message; give by how much they are more than what is counted of it already."""
        if self._size >= MOST_MESSAGES:
            return pico, tokens
        name = hash(key) & _MASK or 1
        slot = self._slot(name)
        if not self._names[slot]:
            self._names[slot] = name
            self._size += 1
        before = self._picos[slot], self._tokens[slot]
        self._picos[slot], self._tokens[slot] = max(before[0], pico), max(before[1], tokens)
        if 3 * self._size > 2 * len(self._names):
            self._grow()
        return max(0, pico - before[0]), max(0, tokens - before[1])

    @property
    def size_in_bytes(self) -> int:
        """The memory that it takes."""
        return 3 * 8 * len(self._names)

    def _slot(self, name: int) -> int:
        mask = len(self._names) - 1
        slot = name & mask
        while self._names[slot] not in (0, name):
            slot = (slot + 1) & mask
        return slot

    def _make(self, slots: int) -> None:
        self._names, self._picos, self._tokens = (array("Q", bytes(8 * slots)) for _ in range(3))

    def _grow(self) -> None:
        old = zip(self._names, self._picos, self._tokens, strict=True)
        self._make(2 * len(self._names))
        for name, pico, tokens in old:
            if name:
                slot = self._slot(name)
                self._names[slot], self._picos[slot], self._tokens[slot] = name, pico, tokens


class _Session:
    """One session of the run. `older`: all that was there before is, whatever times it gives."""

    def __init__(self, place: tuple[str, str], older: bool) -> None:
        self.place, self.older = place, older
        self.files: dict[str, Tail] = {}
        self.pico = 0
        """Pico-dollars that are counted in it."""


def _nothing(_session: str) -> int:
    return 0


class RunSpend:
    """Counts one run. Made before its agent is started: what stands in its session's files then is not its own."""

    def __init__(
        self,
        config: str,
        cwd: str,
        session: str,
        began: Callable[[], int],
        reported: Callable[[str], int] = _nothing,
        recent: RecentPieces | None = None,
    ) -> None:
        """`session`: the one that the run begins or goes on with, "" for none; `began` gives when, UTC milliseconds.

        It is asked anew each time, for the clock may be put back. `reported` gives what Claude itself says that the
        run has cost in a session, in pico-dollars; `recent`: what the run's meter has read.
        """
        self._place, self._began, self._reported = (config, cwd), began, reported
        self._recent = recent
        self._newest = session
        """The one that the agent's own Claude is in."""
        self._before: dict[str, int] = {}
        """Bytes of each file that were there before."""
        self._joined: dict[str, _Session] = {}
        """The sessions that are read on."""
        self._left: dict[str, _Session] = {}
        """Those that are read to their ends."""
        self._known = CountedMessages()
        self._sheet: Sheet | None = None
        self._dearest, self._past, self.tokens = 0, 0, 0
        self._owed: dict[Key, float] = {}
        """Messages that were heard and do not stand in a transcript yet, and when they were heard."""
        self._told: dict[Key, None] = {}
        """Messages that a transcript has told of last."""
        self._at_work: set[str] = set()
        """Transcripts of subagents that are at work."""
        self.behind = True
        """Whether there is something yet to be read."""
        if session:
            self._join(session, self._place, older=True)

    @property
    def spent(self) -> int:
        """Micro-dollars at list prices: of each session what is counted, or what Claude reports when that is more."""
        sessions = (*self._joined.items(), *self._left.items())
        return micro(self._past + sum(max(counted.pico, self._reported(session)) for session, counted in sessions))

    def join(self, config: str, cwd: str, session: str, *, fresh: bool) -> None:
        """Count another session of the run, too; `fresh`: a new one, in which everything is its own."""
        if session in self._left:
            self._joined[session] = self._left.pop(session)
        elif session not in self._joined:
            self._join(session, (config, cwd), older=False, fresh=fresh)
        self.behind = True

    def leave(self, session: str) -> None:
        """A session is read to its end: nothing more will come."""
        if session in self._joined:
            self._left[session] = left = self._joined.pop(session)
            self._at_work -= left.files.keys()
        while len(self._left) > MOST_SESSIONS:
            oldest = next(iter(self._left))
            self._past += max(self._left.pop(oldest).pico, self._reported(oldest))

    @property
    def subagents(self) -> int | None:
        """How many subagents of the run are at work; None while there is something yet to be read."""
        return None if self.behind else len(self._at_work)

    def price(self, sheet: Sheet) -> None:
        """Price by this sheet from now on; what could not be priced until now is counted anew."""
        if self._sheet is None:
            self._joined |= self._left
            self._left.clear()
            for joined in self._joined.values():
                joined.pico = 0
                for tail in joined.files.values():
                    tail.rewind()
            self._known = CountedMessages()
            self._dearest, self._past, self.tokens = 0, 0, 0
            self.behind = True
        self._sheet = sheet

    def count(self, session: str) -> str:
        """Count what has been added to the files of the run's sessions, of which `session` is the newest.

        Return the path of a file that has told of the run before and cannot be read any more, "" when there is none.
        """
        if session and session not in self._joined:
            self.join(*self._place, session, fresh=False)
        self._newest = session
        left, hidden = A_LOOK, ""
        for name, joined in self._joined.items():
            for path in session_files(*joined.place, name):
                joined.files.setdefault(path, Tail(path, self._recent))
            for path, tail in joined.files.items():
                left -= self._read(path, tail, left, joined)
                has_counted = tail.offset > self._before.get(path, 0)
                hidden = hidden or (path if has_counted and not tail.readable else "")
        self.behind = left <= 0
        return hidden

    @property
    def found(self) -> bool:
        """Whether there is a transcript to count from."""
        return any(tail.readable for joined in self._joined.values() for tail in joined.files.values())

    def heard(self, event: dict[str, Any], now: float) -> None:
        """Take an `assistant` event of the stream: its prompt is known before the transcript tells what it cost.

        `now`: seconds on a clock that never jumps. Claude Code 2.1.330, observed: subagents' messages come, too,
        `request_id` is the transcript's `requestId`, and the numbers are those of the message's beginning.
        """
        session = self._joined.get(self._newest)
        with contextlib.suppress(Damaged):
            if not session or not event.get("request_id"):
                return
            if message := message_in({**event, "requestId": event["request_id"]}):
                self._count_in(message, session)
                if message.key not in self._told and len(self._owed) < _OWED:
                    self._owed.setdefault(message.key, now)

    def missing(self, since: float) -> int:
        """Return how many messages were heard before `since`, and nothing later, that stands in a transcript.

        0 while that may be chance: a few that were cut off.
        """
        missing = sum(1 for at in self._owed.values() if at < since)
        return missing if missing >= MOST_OWED else 0

    def _read(self, path: str, tail: Tail, most: int, session: "_Session") -> int:
        """Count what has been added to one file, `most` bytes of it or a piece more; return how many there were."""
        count = 0
        while count < most and (piece := self._next(path, tail)):
            count += piece.size
            before = self._before.get(path, 0)
            if (works := piece.at_work(before)) is not None:
                (self._at_work.add if works else self._at_work.discard)(path)
            for line in piece.told:
                if line.total is None:
                    self._take(line.message, session, there=line.offset < before)
            tail.taken(piece)
        return count

    def _join(self, session: str, place: tuple[str, str], *, older: bool, fresh: bool = False) -> None:
        self._joined[session] = _Session(place, older)
        for path in () if fresh else session_files(*place, session):
            with contextlib.suppress(OSError):
                self._before[path] = os.path.getsize(path)
        while len(self._joined) > MOST_SESSIONS:
            self.leave(next(name for name in self._joined if name not in (self._newest, session)))

    def _next(self, path: str, tail: Tail) -> Piece | None:
        offset = tail.offset
        piece = tail.next()
        if tail.offset < offset:  # it has been cut short: nothing in it stood there before
            self._before[path] = 0
        return piece

    def _take(self, message: Message | None, session: "_Session", *, there: bool) -> None:
        """Count one message. `there`: it stood there when the session was joined."""
        if message is None:
            session.pico += 0 if there else self._dearest
            return
        if there and (session.older or message.at < self._began()):
            self._known.more(message.key, _NOT_OURS, _NOT_OURS)
            return
        if (heard := self._owed.get(message.key)) is not None:  # and what was heard before it will not come any more
            self._owed = {key: at for key, at in self._owed.items() if at > heard}
        self._told[message.key] = None
        if len(self._told) > _TOLD:
            del self._told[next(iter(self._told))]
        self._count_in(message, session)

    def _count_in(self, message: Message, session: "_Session") -> None:
        pico = min(self._sheet.cost(message).pico, _NOT_OURS) if self._sheet else 0
        pico, tokens = self._known.more(message.key, pico, message.usage.prompt + message.usage.output)
        session.pico += pico
        self.tokens += tokens
        self._dearest = max(self._dearest, pico)
