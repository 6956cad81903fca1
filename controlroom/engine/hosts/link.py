"""Keeps one host connected for ever: dials, greets, listens, notices silence, and tries again.

Each link is a task of its own; what one host does or fails to do reaches nothing but its sink. A host has a share of
the engine's time: one that asks for more for too long is sent away.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from controlroom.domain.events import Event, HostClockSeen, LinkChanged
from controlroom.domain.model import LinkState, Question
from controlroom.domain.questions import QuestionKind
from controlroom.engine.clock import HostClock
from controlroom.engine.hosts.channel import (
    AsksTooMuch,
    Channel,
    Dialler,
    HostKeyUnknown,
    HostRefuses,
    LinkLost,
    LoginDenied,
    SecretWanted,
)
from controlroom.engine.hosts.host_keys import host_key_question, question_id
from controlroom.engine.hosts.inquiries import Answer, Inquiries
from controlroom.engine.hosts.log_router import LogRouter
from controlroom.engine.hosts.translate import HostContext, short, to_events, to_met, to_reply
from controlroom.engine.hosts.translate_usage import Counted, read_counted
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import shown_name_problem
from controlroom.wire import messages as wire
from controlroom.wire.lines import MAX_FRAME, LineSplitter, PeerError
from controlroom.wire.usage import LimitsSeen, UsageSeen

log = logging.getLogger("controlroom.link")

SHARE = 0.15
"""Of a core: what one host may take for long."""

AT_ONCE = 1.5
"""Seconds of work that it may ask for at once: all of five thousand agents, and again when its link comes back."""

PATIENCE = 30.0
"""Seconds for which it may go on asking for more than its share. Till then it is only slowed."""

SLICE = 0.005
"""Seconds of work after which others have their turn."""


@dataclass
class _Allowance:
    """Seconds of work that are left; they come back as time passes."""

    left: float = AT_ONCE
    at: float = 0.0
    empty_since: float | None = None

    def take(self, cost: float, now: float) -> None:
        self.left = min(AT_ONCE, self.left + SHARE * max(0.0, now - self.at)) - cost
        self.at = now
        if self.left >= AT_ONCE / 2:
            self.empty_since = None
        elif self.left < 0 and self.empty_since is None:
            self.empty_since = now


class TimeShare:
    """One host's share, from when its link is up. Times are seconds of one clock."""

    def __init__(self, now: float) -> None:
        self._all, self._unasked = _Allowance(at=now), _Allowance(at=now)
        self._slice = 0.0
        self._costs: dict[str, float] = {}

    def used(self, kind: str, cost: float, now: float, *, asked: bool) -> float | None:
        """Count what a message of this kind has cost; give the seconds to wait before the next is read.

        `asked`: it answers us; as much as we asked for is slowed, but never held against the host. None: nothing is
        to be waited for.
        """
        self._all.take(cost, now)
        self._unasked.take(0.0 if asked else cost, now)
        if not asked:
            self._costs[kind] = self._costs.get(kind, 0.0) + cost
        self._slice += cost
        if self._all.left < 0:
            self._slice = 0.0
            return -self._all.left / SHARE
        if self._slice >= SLICE:
            self._slice = 0.0
            return 0.0
        return None

    def is_spent(self, now: float) -> bool:
        """Return whether a host has asked for more than its share for too long."""
        since = self._unasked.empty_since
        return since is not None and now - since >= PATIENCE

    @property
    def dearest(self) -> str:
        """The kind of message that has cost the most."""
        return max(self._costs, key=lambda kind: self._costs[kind], default="")


FIRST, KEEN, MOST = 0.5, 1.0, 30.0
"""Seconds: the first wait, those of the first minute (a network that was away is back soon), the longest, at most."""

_KEEN_TRIES = 60


class Backoff:
    """Waits of a fifth to the whole of a time that grows from `FIRST` to `KEEN`, and after a minute to `MOST`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._tries = 0

    def next(self) -> float:
        """Return the seconds to wait now; the next wait will be longer."""
        most = min(KEEN, FIRST * 2.0 ** min(self._tries, 1))
        if self._tries > _KEEN_TRIES:
            most = min(MOST, KEEN * 2.0 ** min(self._tries - _KEEN_TRIES, 16))
        self._tries += 1
        return self._rng.uniform(0.2, 1.0) * most

    def longest(self) -> float:
        """Return a wait from the longest ones, for who has misbehaved."""
        return self._rng.uniform(0.2, 1.0) * MOST

    def reset(self) -> None:
        """Start over: it worked."""
        self._tries = 0


PING = 5.0
"""Seconds between heartbeats."""

SILENCE = 12.0
"""Seconds without a word after which a link is lost."""

GREETING = 30.0
"""Seconds a node has to answer our greeting."""

REFUSED_FIRST, DENIED_FIRST, REFUSED = 10.0, 60.0, 300.0
"""Seconds until a host that refuses us is tried again, twice as long each time, up to the last: something may be mended
there. A failed login waits longer: five in ten minutes get an address banned (fail2ban's defaults)."""

MAX_AGENTS = 5_000
MAX_OUTBOX = 16 * 1024 * 1024
"""Bytes that may wait to be sent to one host."""

_RATE, _BURST = 5_000, 20_000
"""Messages a second that a node may send for long, and at once; each 4 kB of a long one count as one more."""

_STEP = 1_000
"""Milliseconds: clocks closer than this are not told apart, so that times do not flicker."""


class Sink(Protocol):
    """Takes what a host says."""

    inquiries: Inquiries
    """Answers to questions; their text and bytes are as the host sent them."""
    logs: LogRouter
    """Records of logs; their bytes are as the host sent them."""

    def happened(self, event: Event) -> None:
        """Something changed, in the domain's words."""

    def replied(self, host: str, reply: wire.Reply) -> None:
        """A request was answered; the reason is sanitized."""

    def counted(self, host: str, counted: Counted) -> None:
        """What an agent has used, or how far its plan's windows are."""


class TrustingDialler(Dialler, Protocol):
    """A dialler that can be told which unknown key to accept."""

    def trust(self, fingerprint: str) -> None:
        """Accept the key with this fingerprint from now on."""

    def keep(self, key: str, secret: str) -> None:
        """Remember the answer to a `SecretWanted`, in memory only."""


class Link:
    """One host's connection. All methods are called on the loop that runs it."""

    def __init__(
        self,
        host: str,
        greet: wire.Greet,
        dialler: TrustingDialler,
        sink: Sink,
        clock: Callable[[], int],
        rng: random.Random,
        steady: Callable[[], int],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        worked: Callable[[], float] = time.thread_time,
    ) -> None:
        """`clock`: UTC ms; `steady`: ms of a clock that nobody sets.

        `sleep`, `monotonic`: seconds; `worked`: seconds of processor time of this thread.
        """
        self.up = False
        self._host = host
        self._greet = greet
        self._dialler = dialler
        self._sink = sink
        self._clock, self._steady = clock, steady
        self._theirs = HostClock()
        self._sleep = sleep
        self._monotonic = monotonic
        self._worked = worked
        self._rng = rng
        self._backoff = Backoff(rng)
        self._refusals = 0
        self._wake = asyncio.Event()
        self._told: tuple[LinkState, str] | None = None
        self._asked: HostKeyUnknown | None = None
        self._wanted: tuple[str, SecretWanted] | None = None
        self._talk: _Session | None = None

    # ----------------------------------------------------------------------- what others may ask

    def send(self, message: wire.ToNode) -> bool:
        """Hand over a message. False: the link is not up or too much waits already, and nothing was sent.

        True is no promise that it arrived: when the link is lost, what was on its way is unknown.
        """
        return self._talk is not None and self.up and self._talk.queue(wire.pack(message))

    def retry(self) -> None:
        """Try now instead of waiting; nothing happens to a link that is up."""
        if not self.up:
            self._backoff.reset()
            self._refusals = 0
            self._asked = self._wanted = None
            self._tell(LinkState.CONNECTING)
            self._wake.set()

    def trust(self, question: str, accept: bool) -> None:
        """Take the answer to the question about the host's key; one that is no longer open changes nothing."""
        asked = self._asked
        if asked is None or question != question_id(asked):
            return
        self._asked = None
        if accept:
            self._dialler.trust(asked.fingerprint)
            self.retry()
        else:
            reason = f"its key {asked.fingerprint} was turned down: remove the host, or be asked again"
            self._tell(LinkState.REFUSED, f"{reason}: {self._retry}")

    def tell(self, question: str, secret: str | None) -> None:
        """Take the answer to the question for a secret (None: it is not told); a late one changes nothing."""
        if self._wanted is None or question != self._wanted[0]:
            return
        wanted, self._wanted = self._wanted[1], None
        if secret is None:
            self._tell(
                LinkState.REFUSED, f"it wants {wanted.title}, which was not told: {self._retry}, or remove the host"
            )
        else:
            self._dialler.keep(wanted.key, secret)
            self.retry()

    @property
    def _retry(self) -> str:
        return f"controlroom host retry {self._host}"

    # ----------------------------------------------------------------------- life

    async def run(self) -> None:
        """Keep the link until cancelled. Whatever the host does, this goes on."""
        self._tell(LinkState.CONNECTING)
        while True:
            await self._pause(await self._try())
            self._wake.clear()

    async def _pause(self, seconds: float | None) -> None:
        """Wait so long, or until woken; None: only until woken."""
        if seconds is None:
            await self._wake.wait()
        else:
            await _first(self._wake.wait(), self._sleep(seconds))

    async def _try(self) -> float | None:
        """Connect and talk until that ends; give the seconds until the next try."""
        try:
            await self._connect_and_talk()
        except HostKeyUnknown as unknown:
            self._ask(unknown)
            return None
        except SecretWanted as wanted:
            self._ask_secret(wanted)
            return None
        except HostRefuses as refusal:
            self._tell(LinkState.REFUSED, f"{refusal}; when that is fixed: {self._retry}")
            if isinstance(refusal, AsksTooMuch):
                return REFUSED
            self._refusals += 1
            first = DENIED_FIRST if isinstance(refusal, LoginDenied) else REFUSED_FIRST
            return min(REFUSED, first * 2.0 ** min(self._refusals - 1, 10))
        except PeerError as error:
            self._tell(LinkState.LOST, f"{self._host}'s node broke the protocol: {short(str(error), 200)}")
            return self._backoff.longest()
        except LinkLost as loss:
            self._tell(LinkState.LOST, str(loss))
        except Exception as error:  # a mistake of ours, met by what one host said, must not take the others along
            log.exception("the link to %s", self._host)
            self._tell(LinkState.LOST, f"we failed to understand {self._host} ({type(error).__name__}); see the log")
            return self._backoff.longest()
        return self._backoff.next()

    async def _connect_and_talk(self) -> None:
        channel = await self._dialler.dial()
        self._talk = _Session(self, channel)
        try:
            await self._talk.run()
        finally:
            self.up, self._talk = False, None
            await channel.close()

    # ----------------------------------------------------------------------- what the talk tells

    def _met(self, welcome: wire.Welcome, setting: HostContext) -> None:
        self.up, self._told = True, None
        self._backoff.reset()
        self._refusals = 0
        self._wake.clear()
        self._sink.happened(replace(to_met(welcome, setting), proven=tuple(self._dialler.proven)))

    def _ask(self, unknown: HostKeyUnknown) -> None:
        self._asked = unknown
        question = host_key_question(self._host, unknown, self._clock())
        self._tell(LinkState.ASKING, "a person must confirm its host key", question)

    def _ask_secret(self, wanted: SecretWanted) -> None:
        at = self._clock()
        self._wanted = f"secret:{at}:{self._rng.getrandbits(32):08x}", wanted
        question = Question(self._wanted[0], QuestionKind.SECRET, wanted.title, wanted.text, at)
        self._tell(LinkState.ASKING, f"a person must say {wanted.title}", question)

    def _tell(self, state: LinkState, reason: str = "", question: Question | None = None) -> None:
        """Report the link's state, unless it was reported just so."""
        if (state, reason) != self._told or question is not None:
            self._told = state, reason
            self._sink.happened(LinkChanged(self._host, state, self._clock(), reason, question))


class _Session:
    """The conversation on one channel, from greeting to end."""

    def __init__(self, link: Link, channel: Channel) -> None:
        self._link = link
        self._channel = channel
        self._splitter = LineSplitter()
        self._outbox: deque[bytes] = deque()
        self._waiting = 0
        self._more = asyncio.Event()
        self._greeted = asyncio.Event()
        self._heard = self._counted = link._monotonic()
        self._allowed = float(_BURST)
        self._share = TimeShare(self._heard)
        self._agents: set[str] = set()
        self._ahead = 0
        self._ping: tuple[int, int] = (0, 0)
        """The number of the last heartbeat, and when it was sent by the steady clock."""

    async def run(self) -> None:
        """Talk until the link is lost or the node breaks the protocol: always ends by raising."""
        self.queue(wire.pack(self._link._greet))
        await _first(self._listen(), self._speak(), self._watch())

    def queue(self, data: bytes) -> bool:
        """Take a packed message; False when too much waits already."""
        if len(data) > MAX_FRAME or self._waiting + len(data) > MAX_OUTBOX:
            return False
        self._outbox.append(data)
        self._waiting += len(data)
        self._more.set()
        return True

    async def _speak(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._outbox:
                data = self._outbox.popleft()
                await self._channel.send(data)
                self._waiting -= len(data)

    async def _watch(self) -> None:
        """Send heartbeats; raise `LinkLost` when nothing comes back."""
        await _first(self._greeted.wait(), self._link._sleep(GREETING))
        if not self._greeted.is_set():
            raise LinkLost(f"{self._link._host}'s node was started but said nothing for {GREETING:g} s")
        due = self._link._monotonic()
        while (left := self._heard + SILENCE - self._link._monotonic()) > 0:
            if due <= self._link._monotonic():
                due += PING
                self._send_ping()
            await self._link._sleep(max(0.01, min(left, due - self._link._monotonic())))
        raise LinkLost(f"no word from {self._link._host} for {SILENCE:g} s")

    def _send_ping(self) -> None:
        self._ping = self._ping[0] + 1, self._link._steady()
        self.queue(wire.pack(wire.Ping(self._ping[0])))

    async def _listen(self) -> None:
        while True:
            data = await self._channel.receive()
            now = self._link._monotonic()
            self._allowed = min(_BURST, self._allowed + _RATE * (now - self._counted))
            self._heard = self._counted = now
            for line in self._splitter.feed(data):
                self._count(line)
                pause = self._read(line)
                if pause is not None:
                    await self._give_way(pause)
            await asyncio.sleep(0)  # a channel that always has more would not let the others run

    def _read(self, line: bytes) -> float | None:
        """Take a message; give the seconds for which this host is to wait now. None: it need not."""
        began = self._link._worked()
        message = wire.read_from_node(line)
        asked = self._take(message)
        cost = self._link._worked() - began
        return self._share.used(type(message).__name__, cost, self._link._monotonic(), asked=asked)

    async def _give_way(self, seconds: float) -> None:
        """Let others run, and read nothing meanwhile: the channel fills up, and the host has to wait."""
        self._heard = self._link._monotonic() + seconds  # till then it is we who do not listen
        await (self._link._sleep(seconds) if seconds else asyncio.sleep(0))
        if self._share.is_spent(self._link._monotonic()):
            raise AsksTooMuch(
                f"cut off: for {PATIENCE:g} s it asked for more of the engine's time than one host may have"
                f" ({SHARE:.0%} of a core), most of it for {self._share.dearest}: see what its agents do there, or do"
                f" without it (controlroom host remove {self._link._host})"
            )

    def _count(self, line: bytes) -> None:
        self._allowed -= 1 + len(line) // 4096
        if self._allowed < 0:
            raise PeerError(f"it sent far more than {_RATE} messages a second")

    def _take(self, message: wire.FromNode) -> bool:
        """Pass a message on; say whether it was asked for."""
        link = self._link
        if not self._greeted.is_set():
            self._welcome(message)
            return True
        match message:
            case wire.LogChunk():
                return shown_name_problem(message.name) is None and link._sink.logs.chunk(link._host, message)
            case _ if isinstance(message, Answer):
                return link._sink.inquiries.answered(link._host, message)
            case wire.Pong():
                self._pong(message)
            case wire.Reply():
                link._sink.replied(link._host, to_reply(message))
            case UsageSeen() | LimitsSeen():
                if counted := read_counted(message, self._setting()):
                    link._sink.counted(link._host, counted)
            case wire.Welcome():
                raise PeerError("it said hello twice")
            case _:
                self._seen(message)
        return False

    def _welcome(self, message: wire.FromNode) -> None:
        if not isinstance(message, wire.Welcome):
            raise PeerError(f"it began with {type(message).__name__}")
        if message.version != self._link._greet.version:
            raise PeerError(f"it is of version {message.version[:20]}, we are of {self._link._greet.version}")
        self._greeted.set()
        self._link._theirs.measured(message.clock, self._link._steady())
        self._ahead = 0
        self._compare_clocks()
        self._link._met(message, self._setting())

    def _pong(self, pong: wire.Pong) -> None:
        number, sent = self._ping
        if pong.number == number:
            self._link._theirs.measured(pong.clock, (sent + self._link._steady()) // 2)
            self._follow_clocks(measure=False)

    def _compare_clocks(self) -> bool:
        """Take how far the host's clock is ahead of ours; say whether that is new."""
        link = self._link
        ahead = link._theirs.ahead(link._clock(), link._steady())
        if abs(ahead - self._ahead) <= _STEP:
            return False
        self._ahead = ahead
        return True

    def _follow_clocks(self, *, measure: bool) -> None:
        """Tell when one of the two clocks was set; `measure`: the host's may have been set with ours, so ask."""
        if self._compare_clocks():
            if measure:
                self._send_ping()
            self._link._sink.happened(HostClockSeen(self._link._host, self._ahead))

    def _seen(self, message: Any) -> None:
        self._follow_clocks(measure=True)
        if isinstance(message, wire.AgentsSeen):
            self._count_agents(message)
        for event in to_events(message, self._setting()):
            self._link._sink.happened(event)

    def _count_agents(self, seen: wire.AgentsSeen) -> None:
        names = {agent.name for agent in seen.agents}
        self._agents = names if seen.complete else (self._agents | names) - set(seen.gone)
        if len(self._agents) > MAX_AGENTS:
            raise PeerError(f"it reports more than {MAX_AGENTS:,} agents")

    def _setting(self) -> HostContext:
        link = self._link
        steady = link._steady()
        return HostContext(
            link._host, link._greet.room, link._clock(), self._ahead, lambda at: link._theirs.as_now(at, steady)
        )


async def _first(*works: "Coroutine[Any, Any, Any] | Awaitable[Any]") -> None:
    """Run all until one has ended, end the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
