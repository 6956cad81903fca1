"""A link on a clock of its own, between a far end that says what a test wants and a sink that remembers."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from controlroom import __version__
from controlroom.domain import events
from controlroom.engine.hosts.channel import Channel
from controlroom.engine.hosts.inquiries import Answer, Inquiries
from controlroom.engine.hosts.link import Link
from controlroom.engine.hosts.log_router import LogRouter
from controlroom.engine.hosts.translate_usage import Counted
from controlroom.wire import messages as wire

START = 1_795_307_000_000
GREET = wire.Greet(__version__, "room")
WELCOME = wire.Welcome(__version__, "box", "me", "/srv/me", "linux", "3.11", "m", "b", 2, 10**9, START, "3.3a")
FINGERPRINT = f"SHA256:{'A' * 43}"


class Time:
    """Time that passes only when everybody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.clock_set = 0
        """Milliseconds by which our clock was set."""
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def clock(self) -> int:
        return START + self.clock_set + self.steady()

    def steady(self) -> int:
        return round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, woken))
        await woken.wait()

    async def settle(self) -> None:
        """Let everybody do what can be done without time passing."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, woken = heapq.heappop(self._sleepers)
            woken.set()
            await self.settle()
        self.now = end


class Wire:
    """The far end of one channel: says what the test tells it to."""

    def __init__(self) -> None:
        self._arriving: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.sent: list[wire.ToNode] = []
        self.closed = False
        self.stuck: asyncio.Event | None = None

    def says(self, *messages: wire.FromNode | bytes) -> None:
        data = b"".join(item if isinstance(item, bytes) else wire.pack(item) for item in messages)
        self._arriving.put_nowait(data)

    def breaks(self, why: Exception) -> None:
        self._arriving.put_nowait(why)

    async def send(self, data: bytes) -> None:
        if self.stuck:
            await self.stuck.wait()
        self.sent += [wire.read_to_node(line) for line in data.splitlines()]

    async def receive(self) -> bytes:
        item = await self._arriving.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def close(self) -> None:
        self.closed = True


class Scripted:
    """A dialler whose tries end as the test wants: the next of `outcomes`, or a wire."""

    def __init__(self, *outcomes: Exception) -> None:
        self.outcomes = list(outcomes)
        self.wires: list[Wire] = []
        self.trusted: list[str] = []
        self.kept: dict[str, str] = {}
        self.tries = 0

    def trust(self, fingerprint: str) -> None:
        self.trusted.append(fingerprint)

    def keep(self, key: str, secret: str) -> None:
        self.kept[key] = secret

    proven: tuple[str, ...] = ()

    async def dial(self) -> Channel:
        self.tries += 1
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.wires.append(Wire())
        return self.wires[-1]

    @property
    def wire(self) -> Wire:
        return self.wires[-1]


class Heard:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self.replies: list[wire.Reply] = []
        self.chunks: list[wire.LogChunk] = []
        self.pages: list[Answer] = []
        self.counts: list[Counted] = []
        self.inquiries, self.logs = cast(Inquiries, self), cast(LogRouter, self)
        self.fault: Exception | None = None
        self.asked = True
        self.cost = 0.0
        """Seconds of processor time that each message takes from now on."""
        self.worked = 0.0

    def work(self) -> float:
        """Tell how long has been worked: each message is worked at between two looks."""
        self.worked += self.cost
        return self.worked

    def happened(self, event: events.Event) -> None:
        fault, self.fault = self.fault, None
        if fault:
            raise fault
        self.events.append(event)

    def replied(self, host: str, reply: wire.Reply) -> None:
        self.replies.append(reply)

    def chunk(self, host: str, chunk: wire.LogChunk) -> bool:
        self.chunks.append(chunk)
        return self.asked

    def counted(self, host: str, counted: Counted) -> None:
        self.counts.append(counted)

    def answered(self, host: str, found: Answer) -> bool:
        self.pages.append(found)
        return self.asked

    def links(self) -> list[str]:
        """The link's states in order; `up` where the host was met."""
        states = [(e.link.value if isinstance(e, events.LinkChanged) else "up", e) for e in self.events]
        return [word for word, e in states if isinstance(e, (events.LinkChanged, events.HostMet))]

    def last(self) -> events.LinkChanged:
        return next(event for event in reversed(self.events) if isinstance(event, events.LinkChanged))


class Bench:
    """A link that runs, with all that is around it."""

    def __init__(self, *outcomes: Exception) -> None:
        self.time = Time()
        self.dialler = Scripted(*outcomes)
        self.heard = Heard()
        self.link = Link(
            "vm1",
            GREET,
            self.dialler,
            self.heard,
            self.time.clock,
            random.Random(1),
            self.time.steady,
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
            worked=self.heard.work,
        )

    @asynccontextmanager
    async def running(self, welcome: bool = True) -> AsyncIterator[Bench]:
        task = asyncio.create_task(self.link.run())
        try:
            await self.time.settle()
            if welcome:
                await self.say(WELCOME)
            yield self
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def say(self, *messages: wire.FromNode | bytes) -> None:
        self.dialler.wire.says(*messages)
        await self.time.settle()

    def up(self) -> bool:
        return self.link.up

    def sent(self, kind: type) -> list[wire.ToNode]:
        return [message for message in self.dialler.wire.sent if isinstance(message, kind)]
