"""A client of the engine. Front ends import this and `domain`, nothing else of ours; it loads fast.

A client holds the newest fleet it was sent. When the engine ends it is of no further use: connect again.
"""

import asyncio
import base64
import binascii
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from controlroom.client.attach import Attachment, NoAttachment, attachment
from controlroom.client.remote import Away, parsed
from controlroom.client.transport import (
    PATIENCE,
    EngineUnavailable,
    Here,
    NoAnswer,
    NoEngine,
    NotAllowed,
    Stream,
    Transport,
    terminal,
    user,
)
from controlroom.domain.calculators.comparison import Terms
from controlroom.domain.calculators.estimate import Wish
from controlroom.domain.display.diff import DiffLine, diff_lines
from controlroom.domain.display.loglines import LogHit, Matches, hit_line, screen_lines
from controlroom.domain.intents import Intent
from controlroom.domain.model import Fleet, LogPlace
from controlroom.domain.orders import Result
from controlroom.domain.patch import apply
from controlroom.protocol.branches import AskWork, AskWorktrees, WorkTold, WorktreesTold
from controlroom.protocol.fleet_messages import FleetQuestion
from controlroom.protocol.home import Home, HomeProblem, engine_place, find_home
from controlroom.protocol.lines import Lines, PageQueue
from controlroom.protocol.messages import (
    CHECKING,
    LOOK,
    MAX_NEWS,
    STOPPED,
    VERSION,
    AgentChanges,
    Answer,
    Answered,
    AskAttached,
    AskAudit,
    AskChanges,
    AskComparison,
    AskCosts,
    AskDiff,
    AskDoubted,
    AskEstimate,
    AskFigures,
    AskHistory,
    AskRunways,
    AskTask,
    Attached,
    Audit,
    BackUpLedger,
    CheckHost,
    CheckLedger,
    Compared,
    Costs,
    DiffPage,
    Estimated,
    FetchLog,
    FleetNews,
    Flowing,
    FollowedAgent,
    FollowLogs,
    Hello,
    History,
    Hits,
    HostChecked,
    LedgerResult,
    LinesOnShow,
    LookAtScreen,
    Page,
    Question,
    Request,
    Runways,
    Screen,
    SearchLog,
    SetAside,
    StopEngine,
    Submit,
    TaskText,
    Told,
    Unwelcome,
    Watch,
    Welcome,
    pack,
    read_told,
)
from controlroom.protocol.rule_messages import AskRules, Judged, Rules, TryCall
from controlroom.text.changes import ChangedFile, ChangeKind
from controlroom.text.event_text import LogRecord
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import Span, sanitize
from controlroom.wire.inquiries import Hit
from controlroom.wire.lines import PeerError
from controlroom.wire.records import unpack


@dataclass(frozen=True)
class LogPage(Page):
    """A page whose records were read."""

    records: tuple[LogRecord, ...] = ()
    offsets: tuple[int, ...] = ()
    """Where in the segment of `start` each record begins."""

    @property
    def absent(self) -> bool:
        """Whether its host has no log of this run: one that is starting has written none yet."""
        return bool(self.reason and self.first) and not (self.unanswered or self.withheld)


@dataclass(frozen=True)
class AgentScreen:
    """What an agent's terminal shows, line by line, sanitized; its size in characters."""

    lines: tuple[tuple[Span, ...], ...] = ()
    columns: int = 0
    rows: int = 0
    reason: str = ""
    """Why there is nothing."""


def log_page(page: Page) -> LogPage:
    """Read a page's records."""
    known = {**vars(page), "data": ""}
    try:
        lines = base64.b64decode(page.data).split(b"\n")[:-1]
    except binascii.Error:
        return LogPage(**{**known, "reason": "its host sent a damaged page"})
    offsets = itertools.accumulate((len(line) + 1 for line in lines), initial=page.start.offset)
    return LogPage(**known, records=tuple(map(unpack, lines)), offsets=tuple(offsets)[:-1])


@dataclass(frozen=True)
class DiffLines:
    """Lines of a diff, sanitized."""

    lines: tuple[DiffLine, ...] = ()
    start: int = 0
    """The number of the first of them, counted from 0."""
    total: int = 0
    """How many there are."""
    endless: bool = False
    """There are more, which cannot be read."""
    binary: bool = False
    version: str = ""
    """Another one: what is read has changed."""
    reason: str = ""
    """Why there is nothing."""


def diff_page(page: DiffPage) -> DiffLines:
    """Read the lines of a diff."""
    read = page.read
    if read is None:
        return DiffLines(reason=page.reason)
    try:
        raw = base64.b64decode(read.data).split(b"\n")[:-1]
    except binascii.Error:
        return DiffLines(reason="its host sent damaged lines")
    lines = diff_lines(read.place, raw, {cut.index: cut.left_out for cut in read.cut})
    about = (read.start, max(read.total, read.start + len(raw)), read.endless, read.binary, read.version)
    return DiffLines(tuple(lines), *about, page.reason)


def agent_screen(screen: Screen) -> AgentScreen:
    """Read a screen's lines."""
    try:
        data = base64.b64decode(screen.data)
    except binascii.Error:
        return AgentScreen(reason="its host sent a damaged screen")
    return AgentScreen(screen_lines(data) if data else (), screen.columns, screen.rows, screen.reason)


def matches(hits: Hits) -> Matches:
    """Make what was found safe to show."""
    return Matches(
        tuple(_hit(hits.place.epoch, hit) for hit in hits.hits),
        hits.place,
        hits.done,
        max(0, hits.searched),
        max(0, hits.at),
        hits.reason,
        hits.unanswered,
    )


def _hit(epoch: int, hit: Hit) -> LogHit:
    place = LogPlace(epoch, hit.segment, hit.offset)
    lines = tuple(hit_line(hit.at, line.kind, line.text) for line in hit.lines)
    return LogHit(place, hit.at, lines, tuple(text for mark in hit.marks[:8] if (text := sanitize(mark, 200))))


T = TypeVar("T", bound=Answer)


__all__ = [
    "AgentScreen", "Attachment", "Client", "EngineUnavailable", "Estimated", "LogPage", "NoAttachment", "NoEngine",
    "NotAllowed",
]  # fmt: skip

GRACE = 10.0
"""Seconds that the engine itself has to answer, beyond the time a host has."""


def way_to(
    home: Home, environ: Mapping[str, str], *, ask: bool = False, told: Callable[[str], None] | None = None
) -> Transport:
    """Return the way to the engine of a room. Raises `EngineUnavailable`.

    `ask`: ssh may ask on this terminal. `told` is told that an engine of this machine is just starting.
    """
    try:
        place = engine_place(home, environ)
    except HomeProblem as problem:
        raise EngineUnavailable(str(problem)) from None
    return Away(parsed(place), ask=ask) if place else Here(home, environ, told)


class Client:
    """A connection to the engine of this room. All methods raise `EngineUnavailable` when it is gone.

    What asks something raises `NotAllowed`, one of them, where a watcher is not answered.
    """

    def __init__(self, home: Home, way: Transport, stream: Stream) -> None:
        self.fleet = Fleet()
        """The newest fleet."""
        self.revision = 0
        self.connected = True
        self.stopped = False
        """Whether the engine ended in order (`controlroom stop`, SIGTERM): nobody should start it again unasked."""
        self.read_only = False
        """Whether the engine does nothing for us but show what there is."""
        self.ahead = 0
        """Milliseconds that the engine's clock is ahead of this machine's, as of its last word."""
        self._home, self._role = home, ""
        self._way = way
        self._lines, self._outgoing = Lines(stream[0], MAX_NEWS), stream[1]
        self._last_id = 0
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._pages = PageQueue()
        self._followed: dict[str, int] = {}
        self._news = asyncio.Event()
        self._returned = -1
        self._problem = ""
        """Why the engine is gone, where that is not that it has ended."""
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls,
        *,
        start: bool = True,
        role: str = "tui",
        pace: float = 0.0,
        ask: bool = False,
        way: Transport | None = None,
        told: Callable[[str], None] | None = None,
        token: str = "",
    ) -> "Client":
        """Reach the engine of the room that the environment names, starting it when none runs (and `start`).

        `role`: tui, cli, watch (at the watchers' socket, where nobody can change anything, and no engine is started),
        or stop (may only stop an engine, of whatever version).
        `pace`: seconds between two pieces of news at least. `ask`: ssh, if that is the way, may ask on this terminal.
        `token`: of a lead (role lead), whose `way` is to the socket for leads.
        `way`: instead of the one that the environment names. `told` is told that an engine is waited for which is
        just starting, where none is to be started from here.
        Raises `EngineUnavailable` with the engine's own sentence when it cannot start.
        """
        home = find_home(os.environ)
        way = way or way_to(home, os.environ, ask=ask, told=told)
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            client = cls(home, way, await way.open(end, start=start, watching=role == "watch"))
            try:
                if await client._greet(role, pace, token):
                    return client
                if problem := await way.broken():
                    raise problem
                if asyncio.get_running_loop().time() > end:
                    raise NoAnswer(way.stubborn())
            except BaseException:
                await client.close()
                raise
            await client.close()

    def now(self) -> int:
        """Return what time it is by the engine's clock, UTC ms: ages of what it tells are counted by that."""
        return _own_clock() + self.ahead

    @property
    def where(self) -> str:
        """The machine that the engine is on, as one gives it to ssh; "" is this one."""
        return self._way.where

    async def changed(self) -> Fleet:
        """Wait for a fleet newer than the last one that was returned here; what lies between is skipped."""
        returned = self._returned
        while self.revision == returned:
            if not self.connected:
                raise NoAnswer(self._problem or STOPPED)
            await self._news.wait()
        self._returned = self.revision
        return self.fleet

    async def submit(self, intent: Intent, *, wait: bool = True, deadline: float = 60) -> Result:
        """Ask for something. With `wait`, up to `deadline` seconds for its host's answer."""
        return (await self._ask(Submit(self._new_id(), intent, wait, deadline), Answered, deadline)).result

    async def follow(self, places: Mapping[str, LogPlace | None]) -> None:
        """Set all agents whose new records are wanted: from a place on, or (None) from the end.

        An agent that was followed already goes on where it was.
        """
        request = FollowLogs(self._new_id(), tuple(FollowedAgent(agent, place) for agent, place in places.items()))
        self._followed = {agent: self._followed.get(agent, request.id) for agent in places}
        for agent in self._pages.agents() - set(places):
            self._pages.drop(agent)
        await self._send(request)

    async def show_lines(self, agents: Collection[str] | None) -> None:
        """Name the agents whose newest lines are looked at: those of others may come seldom. None: all."""
        await self._send(LinesOnShow(None if agents is None else tuple(sorted(agents))))

    async def pages(self) -> AsyncIterator[LogPage]:
        """Yield new records of followed agents as they come. What is taken too slowly is skipped, and told."""
        while True:
            while self._pages:
                yield log_page(self._pages.pop())
            if not self.connected:
                raise NoAnswer(self._problem or STOPPED)
            await self._news.wait()

    async def attachment(self, agent: str, *, read_only: bool = False) -> Attachment:
        """Prepare to attach this terminal to an agent's session. Raises `NoAttachment` with the reason."""
        if self.read_only:
            raise NoAttachment("a watcher gets no terminal; controlroom logs shows what an agent writes")
        if isinstance(self._way, Away):
            return await asyncio.to_thread(self._way.attachment, agent, read_only=read_only)
        return await asyncio.to_thread(attachment, self._home, self.fleet, agent, role=self._role, read_only=read_only)

    async def stop_engine(self) -> None:
        """End the engine, and wait until it is gone; agents live on."""
        await self._send(StopEngine())
        try:
            async with asyncio.timeout(PATIENCE):
                while self.connected:
                    await self._news.wait()
                if self._problem:
                    raise EngineUnavailable(self._problem)
                await self._way.gone()
        except TimeoutError:
            raise NoAnswer(self._way.stubborn()) from None

    async def close(self) -> None:
        """Leave; the engine goes on."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        self._lose()
        self._outgoing.close()
        with contextlib.suppress(OSError):
            await self._outgoing.wait_closed()
        await self._way.left()

    # ----------------------------------------------------------------------- questions

    async def fetch(
        self, agent: str, epoch: int, before: LogPlace | None = None, count: int = 200, after: LogPlace | None = None
    ) -> LogPage:
        """Read older records: the last `count` before a place (None: the end), or those after `after`."""
        return log_page(await self._ask(FetchLog(self._new_id(), agent, epoch, count, before, after), Page))

    async def search(
        self,
        agent: str,
        epoch: int,
        text: str,
        *,
        regex: bool = False,
        exact: bool = False,
        before: LogPlace | None = None,
        after: LogPlace | None = None,
        count: int = 100,
        lines: bool = False,
    ) -> Matches:
        """Search a piece of one run's log on its host: back from a place (None: the end), or on from `after`.

        Unless it is `exact`, ignore case. With `lines`, hits bring the lines that fit.
        """
        terms = (text, regex, exact, before, after, count, lines)
        return matches(await self._ask(SearchLog(self._new_id(), agent, epoch, *terms), Hits))

    async def screen(self, agent: str) -> AgentScreen:
        """Read what an agent's terminal shows now."""
        return agent_screen(await self._ask(LookAtScreen(self._new_id(), agent), Screen))

    async def changes(self, agent: str, epoch: int) -> AgentChanges:
        """Ask which files a run of an agent has changed. A large repository takes a while."""
        return await self._ask(AskChanges(self._new_id(), agent, epoch), AgentChanges)

    async def diff(self, agent: str, epoch: int, file: ChangedFile, start: int = 0) -> DiffLines:
        """Read what a run of an agent has changed in a file: some lines from number `start` on."""
        about = (file.path, file.was, file.kind is ChangeKind.UNTRACKED, start)
        return diff_page(await self._ask(AskDiff(self._new_id(), agent, epoch, *about), DiffPage))

    async def check(self, host: str) -> HostChecked:
        """See whether a host has all that agents need. It may take half a minute."""
        return await self._ask(CheckHost(self._new_id(), host), HostChecked, CHECKING)

    async def costs(self, by: str, since: int, until: int) -> Costs:
        """Ask what was spent from one moment up to another (UTC milliseconds), by one of `domain.money.costs.BY`."""
        return await self._ask(AskCosts(self._new_id(), by, since, until), Costs)

    async def history(self, subject: str, since: int, until: int, points: int) -> History:
        """Ask what a host did, or how full a window was, between two moments (UTC milliseconds)."""
        return await self._ask(AskHistory(self._new_id(), subject, since, until, points), History)

    async def figures(self) -> Flowing:
        """Ask how well work flows."""
        return await self._ask(AskFigures(self._new_id()), Flowing)

    async def compare(self, days: int, terms: Terms) -> Compared:
        """Ask what the use of the last days would cost in other ways."""
        return await self._ask(AskComparison(self._new_id(), days, terms), Compared, 60.0)

    async def estimate(self, wish: Wish) -> Estimated:
        """Ask what such a fleet would need."""
        return await self._ask(AskEstimate(self._new_id(), wish), Estimated, 60.0)

    async def attached(self) -> Attached:
        """Ask who is attached to the engine."""
        return await self._ask(AskAttached(self._new_id()), Attached)

    async def runways(self) -> Runways:
        """Ask how far agents can go alone."""
        return await self._ask(AskRunways(self._new_id()), Runways, 10.0)

    async def rules(self) -> Rules:
        """Ask how the rules stand."""
        return await self._ask(AskRules(self._new_id()), Rules)

    async def try_call(self, tool: str, given: str, agent: str, host: str, profile: str, folder: str) -> Judged:
        """Ask what the rules would say of a call; `given`: the tool's input as JSON."""
        return await self._ask(TryCall(self._new_id(), tool, given, agent, host, profile, folder), Judged)

    async def fleets(self, asked: FleetQuestion, answer: type[T]) -> T:
        """Ask about fleet files, which takes a minute where hosts have to be asked, too."""
        return await self._ask(replace(asked, id=self._new_id()), answer, 120.0)

    async def audit(self, count: int = 100, text: str = "") -> Audit:
        """Read the newest lines of the audit, those that contain `text`."""
        return await self._ask(AskAudit(self._new_id(), count, text), Audit)

    async def doubted(self) -> SetAside:
        """Ask which bookings were set aside as impossible."""
        return await self._ask(AskDoubted(self._new_id()), SetAside)

    async def task_text(self, task: str) -> TaskText:
        """Read the whole text of a task."""
        return await self._ask(AskTask(self._new_id(), task), TaskText)

    async def work(self, agent: str, epoch: int) -> WorkTold:
        """Ask what an agent has done, and committed. It may take a minute in a large repository."""
        return await self._ask(AskWork(self._new_id(), agent, epoch), WorkTold, 60.0)

    async def worktrees(self, host: str) -> WorktreesTold:
        """Ask which worktrees lie on a host. It may take a minute: all of them are measured."""
        return await self._ask(AskWorktrees(self._new_id(), host), WorktreesTold, 60.0)

    async def check_ledger(self) -> LedgerResult:
        """Check the whole ledger, which may take a minute."""
        return await self._ask(CheckLedger(self._new_id()), LedgerResult, 300.0)

    async def back_up_ledger(self, path: str) -> LedgerResult:
        """Copy the ledger into a new file on the engine's machine; the path must be absolute."""
        return await self._ask(BackUpLedger(self._new_id(), path), LedgerResult, 300.0)

    # ----------------------------------------------------------------------- talking

    async def _greet(self, role: str, pace: float, token: str) -> bool:
        """Say hello; False when it was the socket of an engine that is about to end."""
        self._role = role
        wishes: list[Request] = [Hello(VERSION, role, user(), terminal(), token)]
        wishes += [Watch(pace)] * (role != "stop")
        try:
            async with asyncio.timeout(GRACE):
                self._outgoing.writelines(map(pack, wishes))
                answers = [await self._told() for _ in wishes]
        except TimeoutError:
            raise NoAnswer(self._way.stubborn()) from None
        if isinstance(answers[0], Unwelcome):
            raise EngineUnavailable(answers[0].reason)
        if None in answers:
            return False
        self.read_only = isinstance(answers[0], Welcome) and answers[0].rights == LOOK
        for answer in answers[:1] + answers[-1:]:
            self._take(answer)
        self._reading = asyncio.create_task(self._read())
        return True

    async def _told(self) -> Told | None:
        try:
            line = await self._lines.next()
            return None if line is None else read_told(line)
        except (OSError, PeerError):
            return None

    async def _read(self) -> None:
        try:
            while (message := await self._told()) is not None:
                self._take(message)
            if not self._problem and not self.stopped and (problem := await self._way.broken()):
                self._problem = str(problem)
        finally:
            self._lose()

    def _take(self, message: Told | None) -> None:
        if isinstance(message, Welcome | FleetNews) and message.clock:
            self.ahead = message.clock - _own_clock()
        match message:
            case FleetNews():
                self.fleet, self.revision = apply(self.fleet, message.patch), message.revision
                self._wake()
            case Page() if message.id not in self._answers:
                if self._followed.get(message.agent) == message.id:
                    self._pages.put(message)
                    self._wake()
            case answered if isinstance(answered, Answer):
                answer = self._answers.get(answered.id)
                if answer is not None and not answer.done():
                    answer.set_result(answered)
            case Unwelcome():
                self.stopped = message.ends or message.reason == STOPPED  # as an older engine says it
                self._problem = "" if self.stopped else message.reason

    def _wake(self) -> None:
        """Wake all who wait for something new."""
        self._news.set()
        self._news = asyncio.Event()

    def _lose(self) -> None:
        self.connected = False
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(NoAnswer(self._problem or STOPPED))
        self._wake()

    async def _send(self, request: Request) -> None:
        if not self.connected:
            raise NoAnswer(self._problem or STOPPED)
        self._outgoing.write(pack(request))
        try:
            await self._outgoing.drain()
        except OSError:
            raise NoAnswer(self._problem or STOPPED) from None

    async def _ask(self, request: Question | Submit, kind: type[T], deadline: float = 30.0) -> T:
        """Send a request, and wait for its answer so many seconds."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[request.id] = answer
        try:
            await self._send(request)
            async with asyncio.timeout(deadline + GRACE):
                answered = await answer
        except TimeoutError:
            raise NoAnswer(self._way.stubborn()) from None
        finally:
            del self._answers[request.id]
            answer.cancel()
        if isinstance(answered, kind):
            return answered
        assert isinstance(answered, Answered)
        raise NotAllowed(answered.result.reason)

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id


def _own_clock() -> int:
    return time.time_ns() // 1_000_000
