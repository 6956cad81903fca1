"""A session: one front end at the engine's socket.

It is sent what it lacks when it can take more: one patch, from the fleet it holds to the fleet as it is, and the new
records of the logs it follows. What waits for it is bounded: answers by the requests it may have open, records by its
page queue, patches by being made only when they can leave. So a slow front end gets fewer and larger patches, and a
stopped one costs nothing but what it has asked for.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from typing import Any

from controlroom.domain.attached import FrontEnd
from controlroom.domain.changes import Changes
from controlroom.domain.model import Fleet
from controlroom.domain.orders import Result
from controlroom.domain.patch import diff, is_empty, snapshot
from controlroom.engine.frontends.answers import Answering, answer
from controlroom.engine.frontends.rights import LOOK_ONLY, Acting, NotAdmitted, Operator, Rights
from controlroom.engine.hosts.inquiries import Rank
from controlroom.engine.people import other_version, terminal, who
from controlroom.protocol.lines import LIMIT, Lines, PageQueue
from controlroom.protocol.messages import (
    STOPPED,
    VERSION,
    Answered,
    Bridged,
    FleetNews,
    FollowedAgent,
    FollowLogs,
    Hello,
    LinesOnShow,
    Page,
    Question,
    Request,
    StopEngine,
    Submit,
    Told,
    Unwelcome,
    Watch,
    Welcome,
    pack,
    read_request,
)
from controlroom.text.states import Outcome
from controlroom.wire.lines import PeerError

log = logging.getLogger("controlroom.server")

PACE = 0.025
"""Seconds between two pieces of news for one reader at least, and for one that has no wish of its own."""

GATHER = 0.006
"""Seconds that news wait for more: hosts speak at the same beats, and a log grows with its last line."""

SLOWEST = 1.0
"""Seconds between two pieces of news that a reader may wish for at most."""

MANY = 200
"""Agents in one piece of news that take so long to write that others are let run meanwhile."""

MAX_FOLLOWED = 256
"""Logs that one reader may follow."""

MAX_SHOWN = 1_000
"""Agents on show with one reader; whoever shows more is taken to show all."""

GREETING = 10.0
"""Seconds for a front end to say hello."""

LONGEST = 600.0
"""Seconds that a request may wait for a host at most."""


_MISTAKE = "the engine could not answer that by a mistake of ours, and goes on: its log says more; connect again"


class Session:
    """One front end, which may do what `rights` let it."""

    def __init__(
        self,
        parts: Answering,
        rights: Rights,
        incoming: asyncio.StreamReader,
        outgoing: asyncio.StreamWriter,
    ) -> None:
        self._parts = parts
        self._rights = rights
        self.rank = rights.rank
        self._lines = Lines(incoming, rights.longest_request)
        self._outgoing = outgoing
        self._task = asyncio.current_task()
        self._mistaken = False
        self._role = ""
        self._bridge: Bridged | None = None
        self._who = ""
        self._watching = False
        self._held: Fleet | None = None
        self.lacks = Changes()
        """What has changed since it was given what it holds."""
        self._pace = PACE
        self._next_news = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ripe = False
        """Whether what it lacks has waited long enough."""
        self._answers: deque[Told] = deque()
        self._pages = PageQueue()
        self._followed: dict[str, int] = {}
        """Agents it follows, with the request since which it does."""
        self._wake = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._slots = asyncio.Semaphore(rights.open_requests)
        self._work: set[asyncio.Task[None]] = set()
        outgoing.transport.set_write_buffer_limits(high=0)

    async def serve(self) -> None:
        """Talk until the front end leaves."""
        try:
            if await self._greet():
                self._keep(self._write())
                while (line := await self._lines.next()) is not None:
                    await self._rights.turns.turn()
                    await self._take(read_request(line))
        except PeerError as problem:
            log.warning("a front end was sent away: %s", problem)
            self._outgoing.write(pack(Unwelcome(f"the engine sent this front end away: {problem}")))
        except asyncio.CancelledError:
            self._outgoing.write(pack(Unwelcome(_MISTAKE) if self._mistaken else Unwelcome(STOPPED, ends=True)))
            raise
        except (OSError, TimeoutError):
            pass  # it has left, or never spoke
        finally:
            await self._leave()

    def cancel(self) -> None:
        """End the conversation."""
        if self._task is not None:
            self._task.cancel()

    async def gone(self) -> None:
        """Wait until the conversation has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    # ----------------------------------------------------------------------- for the log desk

    def deliver(self, page: Page) -> None:
        """Queue new records."""
        self._pages.put(page)
        if self._pages.size > LIMIT // 2:
            self._roomy.clear()
        self._wake.set()

    async def room(self) -> None:
        """Wait until more records would not push others out."""
        await self._roomy.wait()

    # ----------------------------------------------------------------------- what it says

    async def _greet(self) -> bool:
        hello = await self._first()
        if isinstance(hello, Bridged):
            self._bridge = hello
            hello = await self._first()
        if hello is None:
            return False
        if not isinstance(hello, Hello):
            raise PeerError("it did not say hello first")
        if hello.version != VERSION and hello.role != "stop":
            await self._send(Unwelcome(other_version(hello.version, self._bridge)))
            return False
        if hello.role not in self._rights.roles:
            raise PeerError("it did not say hello first")
        try:
            self._rights = self._rights.admitted(hello)
        except NotAdmitted as no:
            log.warning("a front end was not let in: %s", no)
            await self._send(Unwelcome(str(no)))
            return False
        self._role = hello.role
        self._who = self._rights.who or f"{who(hello.user, self._bridge)} ({hello.role})"
        self._parts.connections.came(self, self._introduced(hello))
        await self._send(Welcome(VERSION, self._parts.store.fleet.room, self._rights.name, self._parts.store.clock()))
        return True

    def _introduced(self, hello: Hello) -> FrontEnd:
        fields = who(hello.user, self._bridge), hello.role, self._rights.name, self._parts.store.clock()
        return FrontEnd(*fields, terminal=terminal(hello.terminal), bridged=self._bridge is not None)

    async def _first(self) -> Request | None:
        """Read one of the first lines, which are to come soon."""
        async with asyncio.timeout(GREETING):
            line = await self._lines.next()
        return None if line is None else read_request(line)

    async def _take(self, request: Request) -> None:
        match request:
            case StopEngine() if isinstance(self._rights, Operator):
                log.info("%s stops the engine", self._who)
                self._rights.stop()
            case Watch() if self._role != "stop":
                self._watching, self._pace = True, min(SLOWEST, max(PACE, request.pace))
                self._parts.store.subscribe(self._changed)
                self._parts.logs.lines.show(self, None)
                self._wake.set()
            case Submit() if isinstance(self._rights, Acting) and self._role != "stop":
                await self._begin(self._submit(request, self._rights))
            case Submit():
                await self._begin(self._refuse(request.id, LOOK_ONLY))
            case question if isinstance(question, Question) and self._role != "stop":
                await self._begin(self._answer(question))
            case FollowLogs() if self._role != "stop":
                self._follow(request)
            case LinesOnShow() if self._watching:
                self._parts.logs.lines.show(self, self._on_show(request))
            case _:
                raise PeerError(f"as {self._role} it may not say {type(request).__name__}")

    async def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Answer beside reading on; with too many open, reading waits."""
        try:
            await self._slots.acquire()
        except BaseException:  # it leaves: what it asked last is not begun any more
            work.close()
            raise
        self._keep(work)

    async def _answer(self, asked: Question) -> None:
        answered = self._rights.instead(asked) or await answer(
            self._parts, self._rights.asked(asked), self, self.rank, self._rights.turns
        )
        self._tell(self._rights.told(answered, asked))

    async def _submit(self, request: Submit, acting: Acting) -> None:
        result = await acting.submit(request.intent, self._who)
        if request.wait and (awaited := acting.result_of(result.op)) is not None:
            result = await _waited(awaited, result, min(max(0.0, request.deadline), LONGEST))
        self._tell(Answered(request.id, result))

    async def _refuse(self, number: int, reason: str) -> None:
        self._tell(Answered(number, Result(Outcome.REFUSED, reason)))

    def _follow(self, request: FollowLogs) -> None:
        wanted = {
            log.agent: log.place for log in self._rights.followed(request.logs[:MAX_FOLLOWED]) if self._may_follow(log)
        }
        for agent in self._pages.agents() - set(wanted):
            self._pages.drop(agent)
        self._followed = {agent: self._followed.get(agent, request.id) for agent in wanted}
        self._parts.logs.follow(self, wanted)

    def _on_show(self, request: LinesOnShow) -> Iterable[str] | None:
        """The agents whose lines a reader looks at; None: all. Names that are made up are left out."""
        agents = request.agents
        if agents is None or len(agents) > MAX_SHOWN:
            return None
        return [agent for agent in agents if agent in self._parts.store.fleet.agents]

    def _may_follow(self, log: FollowedAgent) -> bool:
        """Return whether a log may be followed: a watcher may make up no names that are then looked for."""
        return self.rank is Rank.OPERATOR or log.agent in self._parts.store.fleet.agents

    # ----------------------------------------------------------------------- what it is told

    def _tell(self, message: Told) -> None:
        self._answers.append(message)
        self._wake.set()

    async def _write(self) -> None:
        """Send what waits, each time as much as the socket takes: answers, the fleet, a page of records.

        Whoever is told what became of an order holds a fleet in which it has become so.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._answers:
                message = self._answers.popleft()
                if isinstance(message, Answered):
                    await self._send_news()
                await self._send(message)
                self._slots.release()
            await self._send_in_time()
            if self._pages.size <= LIMIT // 4:
                self._roomy.set()

    async def _send_in_time(self) -> None:
        """Send what it lacks and the records that wait, a little later than the first of it came."""
        lacks = self._watching and (self._held is None or bool(self.lacks))
        if not lacks and not self._pages:
            return
        loop = asyncio.get_running_loop()
        if not self._ripe and self._pages.size < LIMIT // 4 and (self._held or not self._watching):
            early = max(GATHER, self._next_news - loop.time())
            self._timer = self._timer or loop.call_later(early, self._due)
            return
        self._ripe = False
        await self._rights.turns.turn()
        await self._send_news()
        while self._pages and not self._answers:
            page = self._pages.pop()
            await self._send(replace(self._rights.page(page), id=self._followed[page.agent]))
        self._next_news = loop.time() + self._pace
        if self._pages:
            self._wake.set()

    async def _send_news(self) -> None:
        held, lacks, revision = self._held, self.lacks, self._parts.store.revision
        if not self._watching or (held is not None and not lacks):
            return
        self.lacks = Changes()
        self._held = fleet = self._rights.fleet(self._parts.store.fleet, None if held is None else lacks)
        patch = snapshot(fleet) if held is None else diff(held, fleet, self._rights.changes(lacks, held, fleet))
        if not is_empty(patch):
            await self._send(FleetNews(revision, patch, self._parts.store.clock()))

    def _changed(self, changes: Changes) -> None:
        self.lacks.add(changes)
        self._wake.set()

    def _due(self) -> None:
        self._timer, self._ripe = None, True
        self._wake.set()

    async def _send(self, message: Told) -> None:
        long = isinstance(message, FleetNews) and len(message.patch.agents) > MANY
        self._outgoing.write(await self._rights.turns.apart(pack, message) if long else pack(message))
        await self._outgoing.drain()

    # ----------------------------------------------------------------------- ends

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._rights.turns.counted(work))
        self._work.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._work.discard(task)
        if task.cancelled():
            return
        problem = task.exception()
        if problem is not None and not isinstance(problem, OSError):
            log.error("a front end was dropped by a mistake of ours", exc_info=problem)
        if problem is not None:
            self._mistaken = not isinstance(problem, OSError)
            self.cancel()

    async def _leave(self) -> None:
        self._parts.connections.left(self)
        self._parts.store.unsubscribe(self._changed)
        self._parts.logs.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        work = tuple(self._work)
        for task in work:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*work, return_exceptions=True)


async def _waited(awaited: "asyncio.Future[Result]", asked: Result, seconds: float) -> Result:
    """What became of an order within so many seconds."""
    await asyncio.wait([awaited], timeout=seconds)
    if awaited.done():
        return awaited.result()
    return replace(
        asked, outcome=Outcome.UNKNOWN, reason=f"no answer within {seconds:g} s: look again with controlroom status"
    )
