"""The newest lines of many logs in the order of time, made from the books that are held of them."""

from bisect import insort
from collections.abc import Iterable, Sequence

from controlroom.domain.loglines import log_lines
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.timeline import Moment, Sieve, TimelineWish
from controlroom.tui.logbook import LogBook

MOST = 5_000
"""Moments held; the oldest go first."""

AGENTS = 40
"""Agents whose logs are read at once, at most."""

_TAIL = 400
"""Moments from the end among which the last one of a book is looked for."""


def read_of(fleet: Fleet, wanted: Sequence[str]) -> dict[str, int]:
    """Choose whose logs to read, as id -> epoch: those that are wanted, else those that spoke last."""
    agents = [fleet.agents[key] for key in wanted if key in fleet.agents] or list(fleet.agents.values())
    newest = sorted(agents, key=_spoke, reverse=True)[:AGENTS]
    return {agent.id: agent.epoch for agent in newest}


def _spoke(agent: Agent) -> tuple[int, str]:
    return max(agent.last_line_at, agent.since), agent.id


class Timeline:
    """Moments in order. A book is taken in as far as it has grown."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.kept: list[tuple[str, object, int]] = []
        """Moments that somebody wants to come back to, by key."""
        self._taken: dict[str, tuple[LogBook, int, int]] = {}
        """Agent -> its book, the book's generation, and up to which entry it was taken in."""

    def take(self, book: LogBook, ahead: int) -> bool:
        """Take in what is new of a book, and say if there was any; `ahead`: milliseconds of its host's clock."""
        known = self._taken.get(book.agent)
        fresh = known is None or known[0] is not book or known[1] != book.generation
        if fresh:
            self.drop(book.agent)
        begin = book.first if fresh or known is None else max(known[2] - 1, book.first)
        if not fresh:
            self._forget_last(book, begin)
        for number in range(max(begin, book.after_last - MOST), book.after_last):
            self._put(book, number, ahead)
        self._taken[book.agent] = book, book.generation, book.after_last
        del self.moments[:-MOST]
        return fresh or begin + 1 < book.after_last or known is None

    def _forget_last(self, book: LogBook, number: int) -> None:
        """The newest line of a book may have grown since: it is taken in anew."""
        for index in range(len(self.moments) - 1, max(-1, len(self.moments) - _TAIL), -1):
            moment = self.moments[index]
            if moment.agent == book.agent and moment.number >= number:
                del self.moments[index]

    def _put(self, book: LogBook, number: int, ahead: int) -> None:
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
        """Give the moments that a wish is about, oldest first."""
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
