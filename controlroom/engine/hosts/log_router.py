"""Routes logs from hosts to readers: a host is asked once for all readers, from where it is needed.

A source is one agent's log as its host sends it; a tail is one reader's place in it. A tail that stands where the
source stands gets new records as they come, undecoded; one that stands behind (it joined later, or its agent was begun
anew) catches up by fetching, at its reader's own speed. Places are compared, never counted, so that nothing is doubled
or lost when a second reader joins or a link comes back.
"""

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from controlroom.domain.model import Agent, LogPlace
from controlroom.engine.hosts.inquiries import Inquiries, Rank, Unanswered
from controlroom.engine.hosts.translate import short
from controlroom.protocol.messages import Page
from controlroom.text.names import is_adopted_name, shown_name_problem
from controlroom.wire.codec import base64_size
from controlroom.wire.messages import Credit, Fetch, Fetched, Follow, LinesOnShow, LogChunk, LogStart

CATCH_UP = 1000
"""Records asked for at once by a tail that is behind."""

MAX_COUNT = 5000
"""Records of one fetch at most."""


class Reader(Protocol):
    """Takes pages of the agents it follows."""

    rank: Rank

    def deliver(self, page: Page) -> None:
        """Take new records; never waits."""

    async def room(self) -> None:
        """Wait until more would not be skipped at once."""


def _order(place: LogPlace) -> tuple[int, int, int]:
    return place.epoch, place.segment, place.offset


class _Tail:
    """One reader's place in one log."""

    def __init__(self, reader: Reader, place: LogPlace | None) -> None:
        self.reader = reader
        self.place = place
        self.catching: asyncio.Task[None] | None = None

    def stop(self) -> None:
        if self.catching is not None:
            self.catching.cancel()


class _Source:
    """One agent's log as its host sends it: `place` is where the next chunk begins; None while the end is looked up."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.host, _, self.name = agent.partition("/")
        self.place: LogPlace | None = None
        self.tails: list[_Tail] = []
        self.looking: asyncio.Task[None] | None = None
        self.rank = Rank.WATCHER
        """For whom its end is being looked up."""

    def stop(self) -> None:
        if self.looking is not None:
            self.looking.cancel()
        for tail in self.tails:
            tail.stop()


class ShownLines:
    """Tells hosts whose newest lines anybody looks at. `send` gives False when a host cannot be reached."""

    def __init__(self, send: Callable[[str, LinesOnShow], bool]) -> None:
        self._send = send
        self._shown: dict[object, frozenset[str] | None] = {}
        """The agents that each reader has on show; None: all."""
        self._told: dict[str, LinesOnShow] = {}
        """What each host that is there was told."""

    def show(self, reader: object, agents: Iterable[str] | None) -> None:
        """Set which agents a reader has on show; None: all of them."""
        self._shown[reader] = None if agents is None else frozenset(agents)
        self._tell(self._told)

    def leave(self, reader: object) -> None:
        """Forget a reader that is gone."""
        if reader in self._shown:
            del self._shown[reader]
            self._tell(self._told)

    def host_up(self, host: str) -> None:
        """A link is there (again), and its node was told nothing yet."""
        self._told[host] = LinesOnShow()
        self._tell([host])

    def _tell(self, hosts: Iterable[str]) -> None:
        names = None if None in self._shown.values() else self._names()
        for host in list(hosts):
            message = LinesOnShow(None if names is None else tuple(sorted(names.get(host, ()))))
            if message != self._told[host] and self._send(host, message):
                self._told[host] = message

    def _names(self) -> dict[str, set[str]]:
        """The names of all agents on show, by host."""
        names: dict[str, set[str]] = {}
        for agent in frozenset().union(*(agents for agents in self._shown.values() if agents is not None)):
            host, _, name = agent.partition("/")
            names.setdefault(host, set()).add(name)
        return names


class LogRouter:
    """Everything that is followed or fetched by anybody."""

    def __init__(
        self,
        inquiries: Inquiries,
        send: Callable[[str, Follow | LinesOnShow | Credit], bool],
        new_id: Callable[[], int],
    ) -> None:
        """`send` tells a host what to send, or that it has arrived; it gives False when the host cannot be reached."""
        self.lines = ShownLines(send)
        self._inquiries, self._send, self._new_id = inquiries, send, new_id
        self._sources: dict[str, _Source] = {}
        self._observed: dict[str, dict[str, int]] = {}
        """Agents that their hosts have shown us, with the epoch; by host (`HOST/~`: what others started there)."""

    # ----------------------------------------------------------------------- what readers want

    def follow(self, reader: Reader, wanted: Mapping[str, LogPlace | None]) -> None:
        """Set all that `reader` wants. What it wanted before goes on where it was."""
        touched = {source.host for source in self._leave_all(reader, keep=wanted)}
        for agent, place in wanted.items():
            host, _, name = agent.partition("/")
            if shown_name_problem(name) is None and not self._tail(reader, agent):
                touched.add(host)
                self._join(reader, agent, place)
        for host in touched:
            self._tell(host)

    def leave(self, reader: Reader) -> None:
        """Forget a reader that is gone."""
        self.lines.leave(reader)
        for host in {source.host for source in self._leave_all(reader, keep={})}:
            self._tell(host)

    async def fetch(self, agent: str, fetch: Fetch, rank: Rank = Rank.OPERATOR) -> Fetched:
        """Ask the agent's host for older records. Raises `Unanswered`; a host's own refusal is in the answer."""
        return await self._inquiries.ask(agent.partition("/")[0], fetch, Fetched, rank=rank)

    async def page(
        self,
        agent: str,
        epoch: int,
        count: int,
        before: LogPlace | None = None,
        after: LogPlace | None = None,
        rank: Rank = Rank.OPERATOR,
    ) -> Page:
        """Read up to `count` records of one epoch: before or after a place, or the last ones. A failure is a reason."""
        name = agent.partition("/")[2]
        place = after or before or LogPlace(epoch, -1, 0)
        if shown_name_problem(name):
            return Page(agent, place, place, reason=f"there is no agent {ascii(agent)[:90]}")
        number = max(1, min(count, MAX_COUNT))
        fetch = Fetch(self._new_id(), name, epoch, place.segment, place.offset, number, forward=after is not None)
        try:
            return _page(agent, epoch, await self.fetch(agent, fetch, rank))
        except Unanswered as problem:
            return Page(agent, place, place, reason=str(problem), unanswered=True)

    # ----------------------------------------------------------------------- what hosts say

    def observed(self, host: str, agents: Iterable[Agent], gone: Iterable[str], complete: bool) -> None:
        """Take what a host has: a followed log may have appeared, begun a new epoch, or be gone."""
        epochs = self._observed.setdefault(host, {})
        changed, present = self._shown(epochs, agents)
        lost = {f"{host}/{name}" for name in gone}
        if complete:
            lost |= epochs.keys() - present
        for agent_id in lost:
            epochs.pop(agent_id, None)
        if changed:
            self._tell(host)

    def _shown(self, epochs: dict[str, int], agents: Iterable[Agent]) -> tuple[bool, set[str]]:
        """Note what a host shows; say whether a log that is followed has begun there, and what was shown."""
        changed, present = False, set()
        for agent in agents:
            present.add(agent.id)
            if epochs.get(agent.id) != agent.epoch:
                epochs[agent.id] = agent.epoch
                changed |= self._began(agent)
        return changed, present

    def adopted(self, host: str, agents: Sequence[Agent]) -> None:
        """Take which agents of others a host has, all of them: their transcripts can be followed as logs are."""
        epochs = self._observed.setdefault(f"{host}/~", {})
        changed, present = self._shown(epochs, agents)
        for agent_id in epochs.keys() - present:
            del epochs[agent_id]
        if changed:
            self._tell(host)

    def _epoch_shown(self, agent: str) -> int | None:
        """Return the epoch in which its host has shown an agent; None: it has not."""
        host, _, name = agent.partition("/")
        return self._observed.get(f"{host}/~" if is_adopted_name(name) else host, {}).get(agent)

    def host_up(self, host: str) -> None:
        """A link is there (again): go on where each log was."""
        self.lines.host_up(host)
        self._tell(host)
        for source in self._sources.values():
            if source.host == host and source.place is not None:
                self._settle(source)

    def chunk(self, host: str, chunk: LogChunk) -> bool:
        """New records of a log; says whether anybody follows it."""
        self._send(host, Credit(base64_size(chunk.data)))
        source = self._sources.get(f"{host}/{chunk.name}")
        if source is None or source.place is None or chunk.epoch != source.place.epoch:
            return False
        start = LogPlace(chunk.epoch, chunk.segment, chunk.offset)
        end = LogPlace(chunk.epoch, chunk.next_segment, chunk.next_offset)
        expected = source.place
        if _order(end) <= _order(expected):
            return False
        source.place = end
        page = Page(source.agent, start, end, chunk.data, skipped=chunk.skipped)
        for tail in source.tails:
            self._advance(source, tail, page, expected)
        return True

    @property
    def busy(self) -> bool:
        """Whether a tail is catching up or an end is looked up."""
        return bool(self._tasks())

    async def wait_idle(self) -> None:
        """Wait until no tail is catching up and no end is looked up."""
        while tasks := self._tasks():
            await asyncio.wait(tasks)

    def close(self) -> None:
        """Stop everything."""
        for source in self._sources.values():
            source.stop()
        self._sources.clear()

    # ----------------------------------------------------------------------- sources and tails

    def _tasks(self) -> list["asyncio.Task[None]"]:
        tasks = [source.looking for source in self._sources.values()]
        tasks += [tail.catching for source in self._sources.values() for tail in source.tails]
        return [task for task in tasks if task is not None and not task.done()]

    def _tail(self, reader: Reader, agent: str) -> _Tail | None:
        source = self._sources.get(agent)
        return next((tail for tail in source.tails if tail.reader is reader), None) if source else None

    def _leave_all(self, reader: Reader, keep: Mapping[str, LogPlace | None]) -> list[_Source]:
        """Take the reader's tails away, but those to keep; give the sources that nobody follows any more."""
        for source in self._sources.values():
            for tail in source.tails:
                if tail.reader is reader and source.agent not in keep:
                    tail.stop()
            source.tails = [tail for tail in source.tails if tail.reader is not reader or source.agent in keep]
        unwanted = [source for source in self._sources.values() if not source.tails]
        for source in unwanted:
            source.stop()
            del self._sources[source.agent]
        return unwanted

    def _join(self, reader: Reader, agent: str, place: LogPlace | None) -> None:
        source = self._sources.setdefault(agent, _Source(agent))
        tail = _Tail(reader, place)
        source.tails.append(tail)
        if source.looking is not None and reader.rank is Rank.OPERATOR and source.rank is Rank.WATCHER:
            source.looking.cancel()  # an operator waits for no watcher's turn
            source.looking = None
        if source.place is not None:
            self._settle(source)
        elif source.looking is None and (epoch := self._epoch_shown(agent)) is not None:
            self._locate(source, epoch)

    def _locate(self, source: _Source, epoch: int) -> None:
        """Find out from where the host should send: the first operator's place, else the end as it is now.

        A place that no log has would keep everybody from what comes: a watcher's is no place to begin at.
        """
        trusted = (tail.place for tail in source.tails if tail.reader.rank is Rank.OPERATOR)
        places = [place for place in trusted if place is not None and place.epoch == epoch]
        if places:
            source.place = min(places, key=_order)
            self._settle(source)
        else:
            operators = any(tail.reader.rank is Rank.OPERATOR for tail in source.tails)
            source.rank = Rank.OPERATOR if operators else Rank.WATCHER
            source.looking = asyncio.get_running_loop().create_task(self._look_up_end(source, epoch))

    async def _look_up_end(self, source: _Source, epoch: int) -> None:
        try:
            fetched = await self.fetch(source.agent, Fetch(self._new_id(), source.name, epoch, count=1), source.rank)
        except Unanswered:
            return
        finally:
            if source.looking is asyncio.current_task():
                source.looking = None
        if source.place is None and not fetched.reason:
            source.place = LogPlace(epoch, fetched.next_segment, fetched.next_offset)
            self._settle(source)
            self._tell(source.host)

    def _began(self, agent: Agent) -> bool:
        """An agent is seen for the first time, or in a new epoch: everything of this epoch is new."""
        source = self._sources.get(agent.id)
        if source is None or (source.place is not None and source.place.epoch >= agent.epoch):
            return False
        if source.looking is not None:
            source.looking.cancel()
            source.looking = None
        source.place = LogPlace(agent.epoch, 0, 0)
        self._settle(source)
        return True

    def _settle(self, source: _Source) -> None:
        """Start every tail: at the source's place if it asked for the end, else where it wants to."""
        assert source.place is not None
        for tail in source.tails:
            if tail.place is None:
                tail.place = source.place
            self._catch_up(source, tail)

    def _tell(self, host: str) -> None:
        """Tell a host what to send; sources whose end is not known yet are looked up first."""
        here = [source for source in self._sources.values() if source.host == host]
        for source in here:
            epoch = self._epoch_shown(source.agent)
            if source.place is None and source.looking is None and epoch is not None:
                self._locate(source, epoch)
        places = [LogStart(source.name, *_order(source.place)) for source in here if source.place is not None]
        self._send(host, Follow(tuple(places)))

    def _advance(self, source: _Source, tail: _Tail, page: Page, expected: LogPlace) -> None:
        """Deliver a new page to one tail, if it stands where the page begins."""
        if tail.place is None or tail.catching is not None:
            return
        if tail.place == page.start or (tail.place == expected and _follows(expected, page)):
            tail.place = page.end
            tail.reader.deliver(page)
        elif _order(page.start) < _order(tail.place) < _order(page.end):
            self._deliver_rest(source, tail, page)
        else:
            self._catch_up(source, tail)

    def _deliver_rest(self, source: _Source, tail: _Tail, page: Page) -> None:
        """Deliver what lies behind the tail's place; in a later segment than the page's first that is fetched."""
        place = tail.place
        others = is_adopted_name(source.name)  # whose places do not count the bytes of records
        if place is None or others or place.segment != page.start.segment:
            self._catch_up(source, tail)
            return
        data, offset = base64.b64decode(page.data), place.offset - page.start.offset
        if data[offset - 1 : offset] != b"\n":  # within a record: the next one is the first that is whole
            offset = data.find(b"\n", offset) + 1 or len(data)
        start = LogPlace(place.epoch, place.segment, page.start.offset + offset)
        tail.place = page.end
        tail.reader.deliver(Page(page.agent, start, page.end, base64.b64encode(data[offset:]).decode()))

    def _catch_up(self, source: _Source, tail: _Tail) -> None:
        if tail.catching is not None or tail.place is None or source.place is None:
            return
        if _order(tail.place) < _order(source.place):
            tail.catching = asyncio.get_running_loop().create_task(self._fetch_missing(source, tail))

    async def _fetch_missing(self, source: _Source, tail: _Tail) -> None:
        """Fetch from the tail's place on until it stands where the source does."""
        try:
            while (place := tail.place) and (goal := source.place) and _order(place) < _order(goal):
                await tail.reader.room()
                fetch = Fetch(self._new_id(), source.name, *_order(place), count=CATCH_UP, forward=True)
                fetched = await self.fetch(source.agent, fetch, tail.reader.rank)
                self._take(tail, goal, _page(source.agent, place.epoch, fetched))
        except Unanswered:
            return
        finally:
            tail.catching = None

    def _take(self, tail: _Tail, goal: LogPlace, page: Page) -> None:
        """Deliver what was fetched; where there is nothing, go on in the next epoch, or where the source stood then."""
        assert tail.place is not None
        if page.data and _order(page.end) > _order(tail.place):
            tail.place = page.end
            tail.reader.deliver(page)
        elif tail.place.epoch < goal.epoch:
            tail.place = LogPlace(tail.place.epoch + 1, 0, 0)
        else:
            tail.place = goal


def _page(agent: str, epoch: int, fetched: Fetched) -> Page:
    start = LogPlace(epoch, fetched.segment, fetched.offset)
    end = LogPlace(epoch, fetched.next_segment, fetched.next_offset)
    reason, total = short(fetched.reason, 300), max(0, fetched.total)
    before = max(0, min(fetched.before, total))
    return Page(agent, start, end, fetched.data, first=fetched.first, reason=reason, before=before, total=total)


def _follows(expected: LogPlace, page: Page) -> bool:
    """Return whether a page that does not begin where it was expected leaves out just what it says it skipped."""
    if expected.segment == 0:
        return page.start.offset == 0 or bool(page.skipped)
    if expected.segment == page.start.segment:
        return page.start.offset - expected.offset == page.skipped
    return bool(page.skipped)
