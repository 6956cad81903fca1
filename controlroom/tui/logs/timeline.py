"""The newest lines of many logs in the order of time, made from the books that are held of them."""

from bisect import insort
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from controlroom.domain.display.loglines import log_lines
from controlroom.domain.display.timeline import Moment, Sieve, TimelineWish
from controlroom.domain.model import Agent, Fleet, State
from controlroom.tui.logs.log_buffer import Entry, LogBuffer

MOST = 5_000
"""Moments held; the oldest go first."""

AGENTS = 40
"""Agents whose logs are read at once, at most."""


def read_of(fleet: Fleet, wanted: Sequence[str]) -> dict[str, int]:
    """Choose whose logs to read, as id -> epoch: those that are wanted, else those that failed or spoke last.

    The failed ones, which are looked for and speak no more, have up to half of the places.
    """
    agents = [fleet.agents[key] for key in wanted if key in fleet.agents] or list(fleet.agents.values())
    newest = sorted(agents, key=_spoke, reverse=True)
    first = {agent.id: agent.epoch for agent in (*newest_failed(agents), *newest)}
    return dict(islice(first.items(), AGENTS))


def newest_failed(agents: Iterable[Agent]) -> list[Agent]:
    """Return the failed agents that are read first, the newest one first."""
    failed = (agent for agent in agents if agent.state is State.FAILED)
    return sorted(failed, key=_spoke, reverse=True)[: AGENTS // 2]


def _spoke(agent: Agent) -> tuple[int, str]:
    return max(agent.last_line_at, agent.since), agent.id


class _Taken(NamedTuple):
    """How far a book was taken in. Its last entry may grow: a line that is continued is another one then."""

    book: LogBuffer
    generation: int
    after_last: int
    last: Entry


class Timeline:
    """Moments in order. A book is taken in as far as it has grown."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.kept: list[tuple[str, object, int]] = []
        """Bookmarked moments, by key."""
        self._taken: dict[str, _Taken] = {}

    @property
    def agents(self) -> list[str]:
        """Whose lines it holds."""
        return list(self._taken)

    def take(self, book: LogBuffer, ahead: int) -> bool:
        """Take in what is new of a book, and say if there was any; `ahead`: milliseconds of its host's clock."""
        taken = self._taken.get(book.agent)
        if taken is None or taken.book is not book or taken.generation != book.generation:
            self.drop(book.agent)
            begin = book.first
        elif taken.after_last > book.first and book.entry(taken.after_last - 1) is not taken.last:
            begin = taken.after_last - 1
            self.moments = [one for one in self.moments if (one.agent, one.number) != (book.agent, begin)]
        else:
            begin = max(taken.after_last, book.first)
        for number in range(max(begin, book.after_last - MOST), book.after_last):
            self._put(book, number, ahead)
        last = book.entry(book.after_last - 1) if len(book) else ()
        self._taken[book.agent] = _Taken(book, book.generation, book.after_last, last)
        del self.moments[:-MOST]
        return begin < book.after_last

    def _put(self, book: LogBuffer, number: int, ahead: int) -> None:
        place = book.place(number)
        for part, line in enumerate(log_lines(book.entry(number))):
            moment = Moment(line.at - ahead, book.agent, number, part, line, place)
            if self.moments and moment < self.moments[-1]:
                insort(self.moments, moment)
            else:
                self.moments.append(moment)

    def drop(self, agent: str) -> None:
        """Let an agent's moments go."""
        if self._taken.pop(agent, None) is not None:
            self.moments = [moment for moment in self.moments if moment.agent != agent]

    def only(self, agents: Iterable[str]) -> None:
        """Let go of all but these agents."""
        for agent in set(self._taken) - set(agents):
            self.drop(agent)

    def shown(self, wish: TimelineWish) -> list[Moment]:
        """The moments that a wish is about, oldest first."""
        if wish == TimelineWish():
            return self.moments
        sieve = Sieve(wish)
        return [moment for moment in self.moments if sieve.keeps(moment)]

    def keep(self, moment: Moment) -> bool:
        """Keep a moment to come back to, or let it go again; says whether it is kept now."""
        if moment.key in self.kept:
            self.kept.remove(moment.key)
            return False
        self.kept.append(moment.key)
        return True
