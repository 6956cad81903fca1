"""The newest line of every agent, from what was added to its log since the last look."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controlroom.node.logs.segments import MAX_RECORD, Place, tail
from controlroom.text.event_text import telling_words
from controlroom.text.redact import redact
from controlroom.wire.messages import LastLine
from controlroom.wire.records import Record, unpack

QUIET = 0.04
"""Seconds between two looks, at least."""

PAUSE = 0.25
"""Seconds between two lines of one agent."""

_LOOKED_AT = 5 * MAX_RECORD
"""Bytes read at once at most: the longest event that a runner keeps, and some more."""

_RECORDS = 200
"""Records looked through for one that says something."""


@dataclass
class _Tail:
    epoch: int
    folder: str
    place: Place
    text: str = ""
    told: float = float("-inf")


class LastLines:
    """Reads the logs that `touch` names and gives their newest lines to `tell`. `clock` counts seconds."""

    def __init__(self, tell: Callable[[list[LastLine]], None], clock: Callable[[], float]) -> None:
        self._tell, self._clock = tell, clock
        self._tails: dict[str, _Tail] = {}
        self._touched: set[str] = set()
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None

    def add(self, name: str, epoch: int, folder: str) -> None:
        """Read this epoch's log from now on, instead of an earlier one's."""
        known = self._tails.get(name)
        if known is None or known.epoch != epoch:
            self._tails[name] = _Tail(epoch, folder, Place(0, 0))
            self.touch(name)

    def remove(self, name: str) -> None:
        """Forget an agent."""
        self._tails.pop(name, None)

    def touch(self, name: str) -> None:
        """Say that an agent's log may have grown. It is read once all that is known now has been said."""
        self._touched.add(name)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._look)

    def close(self) -> None:
        """Read nothing more."""
        for handle in (self._soon, self._later):
            if handle:
                handle.cancel()

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
        found = newest_words(piece.data)
        if found is None or found[1] == log.text:
            return None
        log.told, log.text = now, found[1]
        return LastLine(name, log.epoch, found[1], found[0])


def newest_words(data: bytes) -> tuple[int, str] | None:
    """Give time and text of the newest record that says something to people, None when none does."""
    lines = data.split(b"\n")[-_RECORDS - 1 : -1]
    for record in reversed(list(_joined([unpack(line) for line in lines]))):
        if record.stream == "a" and not record.body.startswith(b"{"):
            continue  # the end of an event that began before what we read
        words = redact(telling_words(record.stream, record.body))
        if words:
            return record.at, words
    return None


def _joined(records: list[Record]) -> Iterator[Record]:
    """Put records together that were one line of the agent; another stream may have written meanwhile."""
    begun: dict[str, bytes] = {}
    for record in records:
        body = begun.pop(record.stream, b"") + record.body
        if record.continued:
            begun[record.stream] = body
        else:
            yield record._replace(body=body)
