"""Where news go out: who wants to hear of what, when it is quiet, and never a flood."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from controlroom.domain.news import News

GATHER = 2_000
"""Milliseconds in which what happens together becomes one message."""

MOST = 500
"""News that wait for an outlet at most; the oldest go."""

_DAY = 24 * 60

NEVER = 2**62


@dataclass(frozen=True)
class Wish:
    """What one outlet is for."""

    about: frozenset[str]
    """Kinds of news."""
    pause: int = 30_000
    """Milliseconds between two messages at least."""
    quiet: tuple[int, int] | None = None
    """Minutes of the day between which nothing goes out; it waits, and goes out as one message when they end."""
    despite: frozenset[str] = frozenset()
    """Kinds that go out all the same."""


class NotificationQueue:
    """Gathers news and says when, and which, are to be told. Times are UTC milliseconds."""

    def __init__(self, wish: Wish, minute: Callable[[int], int]) -> None:
        """`minute` gives the minute of the operator's day at a time."""
        self._wish, self._minute = wish, minute
        self._waiting: list[News] = []
        self._told = -(2**62)

    def offer(self, news: Iterable[News]) -> None:
        """Take what it is for; what is newer about the same replaces what waits."""
        for item in news:
            if item.kind in self._wish.about:
                same = (item.kind, item.about)
                self._waiting = [known for known in self._waiting if (known.kind, known.about) != same]
                self._waiting.append(item)
        del self._waiting[:-MOST]

    def clock_set(self, by: int) -> None:
        """Our clock was set: what waits has waited as long as it had."""
        self._waiting = [replace(item, at=item.at + by) for item in self._waiting]
        self._told += by

    def due_at(self, now: int) -> int:
        """Say when the next message is due; `NEVER`: nothing waits."""
        times = [self._time_of(item, now) for item in self._waiting]
        return max(min(times), self._told + self._wish.pause) if times else NEVER

    def take(self, now: int, still: Callable[[News], bool]) -> list[News]:
        """Give what is to be told now, oldest first; what is no longer so is dropped."""
        if self.due_at(now) > now:
            return []
        ripe = [item for item in self._waiting if item.at <= now and self._time_of(item, now) - GATHER <= now]
        self._waiting = [item for item in self._waiting if item not in ripe]
        said = [item for item in ripe if still(item)]
        if said:
            self._told = now
        return said

    def _time_of(self, item: News, now: int) -> int:
        ripe = item.at + GATHER
        if item.kind in self._wish.despite:
            return ripe
        return max(ripe, self._quiet_until(max(ripe, now)))

    def _quiet_until(self, at: int) -> int:
        """Say when the quiet hours that `at` lies in end; 0: it lies in none."""
        if self._wish.quiet is None:
            return 0
        begin, end = self._wish.quiet
        minute = self._minute(at)
        inside = begin <= minute < end if begin <= end else minute >= begin or minute < end
        return at + ((end - minute) % _DAY) * 60_000 - at % 60_000 if inside else 0
