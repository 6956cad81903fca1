from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom import __version__
from controlroom.domain import events
from controlroom.domain.model import LinkState
from controlroom.fleet.backoff import Backoff
from controlroom.fleet.channel import Channel, HostKeyUnknown, HostRefuses, LinkLost
from controlroom.fleet.dialler import HostDialler
from controlroom.fleet.link import DIALS, GREETING, MAX_AGENTS, MAX_OUTBOX, PING, REFUSED, SILENCE, Link
from controlroom.wire import messages as wire
from tests.lab.loopback import LoopbackHost
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

START = 1_795_307_000_000
GREET = wire.Greet(__version__, "room")
WELCOME = wire.Welcome(__version__, "box", "me", "/home/me", "linux", "3.11", "m", "b", 2, 10**9, START, "3.3a")
FINGERPRINT = f"SHA256:{'A' * 43}"


class Time:
    """Time that passes only when everybody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def clock(self) -> int:
        return START + round(self.now * 1000)

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
        self.tries = 0

    def trust(self, fingerprint: str) -> None:
        self.trusted.append(fingerprint)

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
        self.pages: list[wire.Fetched] = []
        self.fault: Exception | None = None

    def happened(self, event: events.Event) -> None:
        fault, self.fault = self.fault, None
        if fault:
            raise fault
        self.events.append(event)

    def replied(self, host: str, reply: wire.Reply) -> None:
        self.replies.append(reply)

    def chunk(self, host: str, chunk: wire.LogChunk) -> None:
        self.chunks.append(chunk)

    def fetched(self, host: str, fetched: wire.Fetched) -> None:
        self.pages.append(fetched)

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
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
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


# -- up


async def test_a_greeting_comes_first_and_a_welcome_makes_it_up() -> None:
    async with Bench().running(welcome=False) as bench:
        assert bench.dialler.wire.sent == [GREET]
        assert not bench.up()
        assert not bench.link.send(wire.Kill(1, "a", 1))
        await bench.say(WELCOME)
        assert bench.up()
        assert bench.heard.links() == ["connecting", "up"]
        assert bench.link.send(wire.Kill(1, "a", 1))
        await bench.time.settle()
        assert bench.sent(wire.Kill) == [wire.Kill(1, "a", 1)]


async def test_what_the_node_says_reaches_the_sink() -> None:
    agent = wire.AgentSeen("a", 1, "command", "working", START)
    chunk = wire.LogChunk("a", 1, 1, 0, "", 1, 10)
    page = wire.Fetched(4, 1, 0, "", 1, 0)
    async with Bench().running() as bench:
        await bench.say(
            wire.AgentsSeen((agent,), True), wire.Reply(3, "strange", "\x1b[2Jx"), chunk, page, wire.Notice("no tmux")
        )
        assert bench.heard.replies == [wire.Reply(3, "unknown", "␛x")]
        assert (bench.heard.chunks, bench.heard.pages) == ([chunk], [page])
        kinds = [type(event).__name__ for event in bench.heard.events]
        assert kinds == ["LinkChanged", "HostMet", "AgentsObserved", "HostNoticed"]


async def test_chunks_of_agents_that_cannot_be_are_dropped() -> None:
    async with Bench().running() as bench:
        await bench.say(wire.LogChunk("../x", 1, 1, 0, "", 1, 10))
        assert bench.heard.chunks == []
        assert bench.up()


@given(st.lists(st.integers(1, 400), max_size=30))
def test_messages_may_arrive_cut_anywhere(sizes: list[int]) -> None:
    agents = wire.AgentsSeen(tuple(wire.AgentSeen(f"a{n}", 1, "command", "working", START) for n in range(3)), True)
    data = wire.pack(WELCOME) + wire.pack(agents) + wire.pack(wire.Pong(1, START))

    async def run() -> list[str]:
        async with Bench().running(welcome=False) as bench:
            rest = data
            for size in sizes:
                if rest[:size]:
                    await bench.say(rest[:size])
                rest = rest[size:]
            if rest:
                await bench.say(rest)
            return [type(event).__name__ for event in bench.heard.events]

    assert asyncio.run(run()) == ["LinkChanged", "HostMet", "AgentsObserved"]


# -- heartbeats and clocks


async def test_heartbeats_keep_a_link_and_silence_loses_it() -> None:
    async with Bench().running() as bench:
        for _ in range(20):
            await bench.time.pass_by(PING)
            (*_, ping) = bench.sent(wire.Ping)
            assert isinstance(ping, wire.Ping)
            await bench.say(wire.Pong(ping.number, bench.time.clock()))
        assert bench.up()
        assert 20 <= len(bench.sent(wire.Ping)) <= 22
        await bench.time.pass_by(SILENCE - 1)
        assert bench.up()
        await bench.time.pass_by(1)
        assert not bench.up()
        assert bench.heard.last().reason == "no word from vm1 for 12 s"
        assert bench.dialler.wires[0].closed


async def test_a_node_that_never_answers_the_greeting_is_lost() -> None:
    async with Bench().running(welcome=False) as bench:
        await bench.time.pass_by(GREETING)
        assert bench.heard.last().link is LinkState.LOST
        assert "said nothing for 30 s" in bench.heard.last().reason


async def test_the_hosts_clock_is_measured_and_its_times_become_ours() -> None:
    ahead = 3_600_000
    agent = wire.AgentSeen("a", 1, "command", "working", START + ahead - 1000)
    async with Bench().running(welcome=False) as bench:
        await bench.say(wire.Welcome(**{**vars(WELCOME), "clock": START + ahead}), wire.AgentsSeen((agent,)))
        met, seen = bench.heard.events[1:]
        assert isinstance(met, events.HostMet)
        assert isinstance(seen, events.AgentsObserved)
        assert met.facts.clock_offset == ahead
        assert seen.agents[0].since == START - 1000
        await bench.time.pass_by(PING)
        (*_, ping) = bench.sent(wire.Ping)
        assert isinstance(ping, wire.Ping)
        await bench.say(wire.Pong(ping.number, bench.time.clock() - 7_200_000))  # its clock was set back
        await bench.say(wire.AgentsSeen((wire.AgentSeen("a", 1, "command", "working", START - 7_200_000),)))
        later = bench.heard.events[-1]
        assert isinstance(later, events.AgentsObserved)
        assert later.agents[0].since == START


async def test_clocks_that_nearly_agree_are_taken_as_one() -> None:
    async with Bench().running(welcome=False) as bench:
        await bench.say(wire.Welcome(**{**vars(WELCOME), "clock": START - 400}))
        met = bench.heard.events[-1]
        assert isinstance(met, events.HostMet)
        assert met.facts.clock_offset == 0


# -- lost, and again


async def test_a_lost_link_is_dialled_again_and_forgets_its_waits_once_up() -> None:
    async with Bench(*(LinkLost(f"try {n}") for n in range(3))).running(welcome=False) as bench:
        assert bench.heard.last().reason == "try 0"
        await bench.time.pass_by(0.5 + 1 + 2)
        assert bench.dialler.tries == 4
        await bench.say(WELCOME)
        assert bench.heard.links() == ["connecting", "lost", "lost", "lost", "up"]
        bench.dialler.wire.breaks(LinkLost("cut"))
        await bench.time.settle()
        assert not bench.up()
        await bench.time.pass_by(0.5)
        assert len(bench.dialler.wires) == 2
        await bench.say(WELCOME)
        assert bench.up()


async def test_messages_of_a_lost_link_are_not_sent_on_the_next() -> None:
    async with Bench().running() as bench:
        bench.dialler.wire.stuck = asyncio.Event()
        assert bench.link.send(wire.Kill(1, "a", 1))
        assert bench.link.send(wire.Kill(2, "a", 1))
        bench.dialler.wire.breaks(LinkLost("cut"))
        await bench.time.pass_by(0.5)
        await bench.say(WELCOME)
        await bench.time.pass_by(PING)
        assert bench.sent(wire.Kill) == []


async def test_the_same_news_is_not_told_twice() -> None:
    async with Bench(*(LinkLost("refused") for _ in range(5))).running(welcome=False) as bench:
        await bench.time.pass_by(7.5)
        assert bench.dialler.tries > 3
        assert bench.heard.links() == ["connecting", "lost"]


def test_waits_grow_are_capped_and_never_equal() -> None:
    for seed in range(50):
        backoff = Backoff(random.Random(seed))
        waits = [backoff.next() for _ in range(40)]
        assert all(0.2 * min(30, 0.5 * 2**n) <= wait <= min(30, 0.5 * 2**n) for n, wait in enumerate(waits))
        backoff.reset()
        assert backoff.next() <= 0.5
        assert len(set(waits)) == 40


async def test_a_person_can_have_it_tried_at_once() -> None:
    async with Bench(*(LinkLost("no") for _ in range(8))).running(welcome=False) as bench:
        await bench.time.pass_by(20)
        tries = bench.dialler.tries
        bench.link.retry()
        await bench.time.settle()
        assert bench.dialler.tries == tries + 1


# -- a person is needed


async def test_a_refusal_waits_for_a_person_or_a_long_time() -> None:
    async with Bench(HostRefuses("vm1 has Python 3.8"), HostRefuses("vm1 has Python 3.8")).running(False) as bench:
        assert (bench.heard.last().link, bench.heard.last().reason) == (LinkState.REFUSED, "vm1 has Python 3.8")
        await bench.time.pass_by(REFUSED - 1)
        assert bench.dialler.tries == 1
        await bench.time.pass_by(1)
        assert bench.dialler.tries == 2
        assert bench.heard.links() == ["connecting", "refused"]
        bench.link.retry()
        await bench.time.settle()
        await bench.say(WELCOME)
        assert bench.heard.links() == ["connecting", "refused", "connecting", "up"]


async def test_an_unknown_key_is_a_question_and_nothing_is_tried_until_it_is_answered() -> None:
    unknown = HostKeyUnknown(FINGERPRINT, "ssh-ed25519", "[10.0.0.7]:2222")
    async with Bench(unknown).running(welcome=False) as bench:
        asked = bench.heard.last()
        assert asked.link is LinkState.ASKING
        assert asked.question is not None
        assert (asked.question.id, asked.question.kind) == (f"host_key:{FINGERPRINT}", "host_key")
        assert FINGERPRINT in asked.question.title
        assert FINGERPRINT in asked.question.text
        assert "[10.0.0.7]:2222" in asked.question.text
        await bench.time.pass_by(86_400)
        bench.link.trust("host_key:SHA256:other", True)
        await bench.time.settle()
        assert bench.dialler.tries == 1
        bench.link.trust(asked.question.id, True)
        await bench.time.settle()
        assert bench.dialler.trusted == [FINGERPRINT]
        await bench.say(WELCOME)
        assert bench.heard.links() == ["connecting", "asking", "connecting", "up"]


async def test_a_key_that_is_turned_down_is_never_trusted() -> None:
    unknown = HostKeyUnknown(FINGERPRINT, "ssh-ed25519")
    async with Bench(unknown).running(welcome=False) as bench:
        question = f"host_key:{FINGERPRINT}"
        bench.link.trust(question, False)
        bench.link.trust(question, True)  # too late
        await bench.time.pass_by(86_400)
        assert bench.heard.last().link is LinkState.REFUSED
        assert "was turned down" in bench.heard.last().reason
        assert (bench.dialler.trusted, bench.dialler.tries) == ([], 1)


# -- nodes that break the protocol


BROKEN: dict[str, bytes] = {
    "not json": b"hello\n",
    "nan": b'{"is":"HostSeen","at":NaN}\n',
    "unknown kind": b'{"is":"Shutdown"}\n',
    "wrong type": b'{"is":"Pong","number":"1","clock":1}\n',
    "deep": b"[" * 100_000 + b"\n",
    "huge number": b'{"is":"Pong","number":1,"clock":' + b"9" * 6000 + b"}\n",
    "a list": b"[1]\n",
    "no newline for ever": b"x" * (4 * 1024 * 1024 + 1),
    "hello twice": wire.pack(WELCOME),
    "a command": wire.pack(wire.Kill(1, "a", 1)),
    "binary": bytes(range(256)) + b"\n",
    "escapes": b'{"is":"\x1b[2J"}\n',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
async def test_a_node_that_breaks_the_protocol_is_dropped_with_words(data: bytes) -> None:
    async with Bench().running() as bench:
        await bench.say(data)
        told = bench.heard.last()
        assert told.link is LinkState.LOST
        assert told.reason.startswith("vm1's node broke the protocol: ")
        assert told.reason.isprintable()
        assert bench.dialler.wires[0].closed
        await bench.time.pass_by(5)
        assert bench.dialler.tries == 1  # it is not hurried back
        await bench.time.pass_by(30)
        assert bench.dialler.tries == 2


@given(st.binary(max_size=400))
def test_no_bytes_bring_a_link_down_for_good(data: bytes) -> None:
    async def run() -> int:
        async with Bench().running() as bench:
            await bench.say(data + b"\n")
            await bench.time.pass_by(60)
            return bench.dialler.tries

    assert asyncio.run(run()) >= 2


@pytest.mark.parametrize(
    "first", [wire.Pong(1, 1), wire.AgentsSeen(()), wire.Welcome(**{**vars(WELCOME), "version": "9"})]
)
async def test_a_node_must_begin_with_a_welcome_of_our_version(first: wire.FromNode) -> None:
    async with Bench().running(welcome=False) as bench:
        await bench.say(first)
        assert "broke the protocol: it " in bench.heard.last().reason
        assert not [event for event in bench.heard.events if isinstance(event, events.HostMet)]


def crowd(start: int, count: int) -> tuple[wire.AgentSeen, ...]:
    return tuple(wire.AgentSeen(f"a{n}", 1, "command", "working", START) for n in range(start, start + count))


async def test_a_host_with_a_million_agents_is_cut_off() -> None:
    async with Bench().running() as bench:
        await bench.say(wire.AgentsSeen(crowd(0, MAX_AGENTS), True))
        assert bench.up()
        await bench.say(wire.AgentsSeen(crowd(0, 10), gone=("a20",)), wire.AgentsSeen(crowd(MAX_AGENTS, 1)))
        assert bench.up()
        await bench.say(wire.AgentsSeen(crowd(MAX_AGENTS + 1, 1)))
        assert "more than 5,000 agents" in bench.heard.last().reason


async def test_a_host_that_floods_is_cut_off() -> None:
    async with Bench().running() as bench:
        for _ in range(30):
            await bench.say(wire.pack(wire.Pong(0, START)) * 500)
            await bench.time.pass_by(0.5)
        assert bench.up()
        await bench.say(wire.pack(wire.Pong(0, START)) * 21_000)
        assert "far more than 5000 messages a second" in bench.heard.last().reason


async def test_a_host_that_takes_nothing_fills_its_own_queue_only() -> None:
    async with Bench().running() as bench:
        bench.dialler.wire.stuck = asyncio.Event()
        big = wire.Spawn(1, "a", 1, wire.AgentSpec(), "x" * 1_000_000)
        taken = sum(bench.link.send(big) for _ in range(40))
        assert taken == MAX_OUTBOX // 1_000_000 - 1 or taken == MAX_OUTBOX // 1_000_000
        await bench.time.pass_by(SILENCE)
        assert not bench.up()


async def test_a_mistake_of_ours_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with Bench().running(welcome=False) as bench:
        bench.heard.fault = KeyError("reduce")
        await bench.say(WELCOME)
        assert bench.heard.last().reason == "we failed to understand vm1 (KeyError); see the log"
        assert "KeyError" in caplog.text
        await bench.time.pass_by(30)
        await bench.say(WELCOME)
        assert bench.up()


# -- many


async def test_few_dial_at_once_and_a_slow_one_delays_only_its_turn() -> None:
    time, dials = Time(), asyncio.Semaphore(DIALS)
    dialling: list[int] = []
    most = 0

    class Slow(Scripted):
        async def dial(self) -> Channel:
            nonlocal most
            dialling.append(1)
            most = max(most, len(dialling))
            await time.sleep(10)
            dialling.pop()
            return await super().dial()

    slow = [Slow() for _ in range(12)]
    heard: Callable[[], Heard] = Heard
    links = [
        Link("vm", GREET, one, heard(), time.clock, random.Random(n), dials=dials, sleep=time.sleep)
        for n, one in enumerate(slow)
    ]
    tasks = [asyncio.create_task(link.run()) for link in links]
    await time.pass_by(30)
    assert most == DIALS
    assert sum(len(one.wires) for one in slow) == 12
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# -- the real thing


async def met(heard: Heard) -> events.HostMet:
    def newest() -> list[events.HostMet]:
        return [event for event in heard.events if isinstance(event, events.HostMet)]

    await wait_for_async(newest, 20)
    return newest()[-1]


def real(home: World, address: str, heard: Heard) -> Link:
    dialler = HostDialler("h", address, home.room / "known_hosts")
    time = Time()
    greet = wire.Greet(__version__, "room", "test")
    return Link("h", greet, dialler, heard, time.clock, random.Random(1))


@pytest.mark.parametrize("address", ["local", "vm1"])
async def test_a_real_node_is_met_and_says_what_it_has(
    home: World, ssh_host: LoopbackHost, no_leftovers: None, address: str
) -> None:
    heard = Heard()
    link = real(home, address, heard)
    task = asyncio.create_task(link.run())
    facts = (await met(heard)).facts
    assert facts.cores >= 1
    await wait_for_async(
        lambda: [e for e in heard.events if isinstance(e, events.AgentsObserved) and e.complete and not e.agents]
    )
    await wait_for_async(lambda: [event for event in heard.events if isinstance(event, events.HostSampled)])
    assert link.send(wire.Kill(77, "nobody", 1))
    await wait_for_async(lambda: [reply for reply in heard.replies if reply.id == 77])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_real_link_that_breaks_comes_back(home: World, ssh_host: LoopbackHost) -> None:
    heard = Heard()
    task = asyncio.create_task(real(home, "vm1", heard).run())
    await met(heard)
    ssh_host.kill_connections()
    await wait_for_async(lambda: heard.links()[-2:] == ["lost", "up"], 20)
    ssh_host.stop()
    await wait_for_async(lambda: "nothing listens there" in heard.last().reason, 20)
    ssh_host.start()
    await wait_for_async(lambda: heard.links()[-1] == "up", 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
