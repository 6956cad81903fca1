"""Inquiries: questions to hosts, each answered once by the host it was put to, or not at all; and a host's check-up.

Operators and watchers have places of their own, so that a watcher keeps no operator from an answer. A question whose
asker has left or given up is withdrawn from its host, too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import field
from enum import Enum
from typing import TypeVar

from controlroom.domain.display.checkup import Check, checks, link_check
from controlroom.domain.model import LinkState
from controlroom.engine.hosts.translate import to_check
from controlroom.engine.store import FleetStore
from controlroom.protocol.messages import CHECKING
from controlroom.text.lazy_dataclass import dataclass
from controlroom.wire import inquiries as wire
from controlroom.wire.carrying import CarryAnswer, CarryStep
from controlroom.wire.inquiries import Finding, Inquiry
from controlroom.wire.messages import Fetch, Fetched, GiveUp

PATIENCE = 20.0
"""Seconds for a host to answer."""

MAX_OPEN = 64
"""Questions of operators that may be under way to one host; more are turned down."""

WATCHERS = 2
"""Questions of all watchers together that may be under way to one host; more wait for their turn. A node works at four
things at a time, so that operators always find it at leisure."""

BREATH = 0.05
"""Seconds that a place of watchers stays empty after each question: each may start a program on the host, which has
agents to serve."""

Asked = Inquiry | Fetch | CarryStep
Answer = Finding | Fetched | CarryAnswer
A = TypeVar("A", bound=Answer)


class Rank(Enum):
    """Whose question it is."""

    OPERATOR = "operator"
    WATCHER = "watcher"


class Unanswered(Exception):
    """A host could not be asked, or did not answer; the text is a sentence for people."""


@dataclass
class _Open:
    """A question under way."""

    host: str
    rank: Rank
    answer: "asyncio.Future[Answer]"


@dataclass
class _Line:
    """Watchers' questions to one host, most of which wait."""

    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WATCHERS))
    length: int = 0


class Inquiries:
    """All questions under way. `send` hands a message to a host's link, or says that it is not up."""

    def __init__(self, send: Callable[[str, Asked | GiveUp], bool]) -> None:
        self._send = send
        self._open: dict[int, _Open] = {}
        self._lines: dict[str, _Line] = {}

    async def ask(
        self, host: str, asked: Asked, kind: type[A], patience: float | None = None, rank: Rank = Rank.OPERATOR
    ) -> A:
        """Put a question to a host, and wait up to `patience` seconds. Raises `Unanswered`.

        What the host itself has to say against it is in its answer.
        """
        seconds = PATIENCE if patience is None else patience
        try:
            async with asyncio.timeout(seconds):  # wait_for of Python 3.11 can lose a cancellation here
                async with self._place(host, rank):
                    answer = await self._answer(host, asked, rank)
        except TimeoutError:
            raise Unanswered(f"{host} did not answer within {seconds:g} s") from None
        if not isinstance(answer, kind):
            raise Unanswered(f"{host} answered something else")
        return answer

    async def _answer(self, host: str, asked: Asked, rank: Rank) -> Answer:
        if not self._send(host, asked):
            raise Unanswered(f"{host} cannot be asked now")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[asked.id] = _Open(host, rank, answer)
        try:
            return await answer
        finally:
            del self._open[asked.id]
            if answer.cancelled():
                self._send(host, GiveUp(asked.id))

    @asynccontextmanager
    async def _place(self, host: str, rank: Rank) -> AsyncIterator[None]:
        """Hold a place among those who ask a host; an operator who finds none is told so, a watcher waits."""
        if rank is Rank.OPERATOR:
            if sum(1 for inquiry in self._open.values() if inquiry.host == host and inquiry.rank is rank) >= MAX_OPEN:
                raise Unanswered(f"{host} cannot be asked now: {MAX_OPEN} requests to it are under way; try again soon")
            yield
            return
        line = self._lines.setdefault(host, _Line())
        line.length += 1
        try:
            await line.places.acquire()
        except BaseException:
            self._leave(host, line)
            raise
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(BREATH, self._free, host, line)

    def _free(self, host: str, line: _Line) -> None:
        line.places.release()
        self._leave(host, line)

    def _leave(self, host: str, line: _Line) -> None:
        line.length -= 1
        if not line.length:
            del self._lines[host]

    def answered(self, host: str, answer: Answer) -> bool:
        """A host answers; an answer that nobody waits for is dropped. Says whether somebody did."""
        inquiry = self._open.get(answer.id)
        if inquiry is None or inquiry.host != host or inquiry.answer.done():
            return False
        inquiry.answer.set_result(answer)
        return True

    def host_down(self, host: str) -> None:
        """Fail all inquiries to a host whose link is lost."""
        for inquiry in self._open.values():
            if inquiry.host == host and not inquiry.answer.done():
                inquiry.answer.set_exception(Unanswered(f"the link to {host} was lost"))


async def check_up(store: FleetStore, inquiries: Inquiries, name: str) -> tuple[tuple[Check, ...], str]:
    """Check a host. Returns what was judged, and why its own part is missing, in a sentence."""
    host = store.fleet.hosts.get(name)
    if host is None:
        return (), f"there is no host {ascii(name)[:60]}; see controlroom host list"
    if host.link is not LinkState.UP:
        return (link_check(host, store.clock()),), f"{name} cannot be asked for the rest: it is {host.link}"
    try:
        checked = await inquiries.ask(name, wire.Check(store.new_id()), wire.Checked, CHECKING)
    except Unanswered as problem:
        return (link_check(store.fleet.hosts.get(name, host), store.clock()),), str(problem)
    now = store.clock()
    return checks(store.fleet, store.fleet.hosts.get(name, host), to_check(checked, now), now), ""
