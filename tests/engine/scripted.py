"""Hosts that speak the wire in this process: a well-behaved one, and a named class for each way to misbehave.

Their truth (agents, logs) outlives their channels, as a real host's does.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from controlroom import __version__
from controlroom.engine.hosts.channel import Channel, HostKeyUnknown, LinkLost
from controlroom.text.host_sample import HostCheck
from controlroom.text.states import Outcome, TellKind
from controlroom.wire import messages as wire
from controlroom.wire.inquiries import Check, Checked, ReadSpec, SpecRead
from controlroom.wire.lines import LineSplitter
from controlroom.wire.records import pack as pack_record
from controlroom.wire.spec import AgentSpec
from controlroom.wire.usage import SendUsage, UsageBooked, UsageOrder

NOON = 1_795_348_800_000
GIB = 1024**3


class ScriptedChannel:
    """One connection to a scripted host."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self._splitter = LineSplitter()
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.follow: dict[str, wire.LogStart] = {}
        self.open = True

    async def send(self, data: bytes) -> None:
        if not self.open:
            raise LinkLost(f"the link to {self._host.name} was cut")
        for line in self._splitter.feed(data):
            self._host.take(self, wire.read_to_node(line))

    async def receive(self) -> bytes:
        data = await self.inbox.get()
        if data is None:
            raise LinkLost(f"the link to {self._host.name} was cut")
        return data

    async def close(self) -> None:
        self.cut()

    def say(self, message: wire.FromNode) -> None:
        """Send home."""
        if self.open:
            self.inbox.put_nowait(wire.pack(message))

    def cut(self) -> None:
        """End it, as a network does."""
        if self.open:
            self.open = False
            self.inbox.put_nowait(None)
            self._host.channels.discard(self)


class ScriptedHost:
    """Does what it is told, at once."""

    def __init__(self, name: str = "vm1") -> None:
        self.name = name
        self.agents: dict[str, wire.AgentSeen] = {}
        self.logs: dict[tuple[str, int], bytes] = {}
        self.specs: dict[tuple[str, int], tuple[AgentSpec, str]] = {}
        self.channels: set[ScriptedChannel] = set()
        self.heard: list[wire.ToNode] = []
        self.owner = ""
        self.reachable = True
        self.dice = random.Random
        """Draws how long its link waits."""
        self.dialled = 0
        self.trusted: set[str] = set()
        self.clock: Callable[[], int] = lambda: NOON
        self.place = ""
        """Where it says that it is."""
        self.proven: Sequence[str] = ()

    # -- the engine's side

    def trust(self, fingerprint: str) -> None:
        self.trusted.add(fingerprint)

    def keep(self, key: str, secret: str) -> None:
        raise AssertionError(f"{key} was not asked for")

    async def dial(self) -> Channel:
        self.dialled += 1
        if not self.reachable:
            raise LinkLost(f"{self.name} is down")
        channel = ScriptedChannel(self)
        self.channels.add(channel)
        return channel

    # -- the host's side

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        """One message from home."""
        self.heard.append(message)
        match message:
            case wire.Greet():
                self.greet(channel, message)
            case wire.Ping():
                channel.say(wire.Pong(message.number, self.clock()))
            case wire.Follow():
                self.follow(channel, message)
            case wire.Fetch():
                channel.say(self.fetch(message))
            case wire.Credit() | wire.GiveUp() | wire.LinesOnShow():
                pass
            case SendUsage() | UsageBooked():
                self.spend(channel, message)
            case Check():
                channel.say(self.checked(message))
            case ReadSpec():
                channel.say(self.read_spec(message))
            case _:
                self.order(channel, message)

    def spend(self, channel: ScriptedChannel, message: UsageOrder) -> None:
        """It has used nothing."""

    def greet(self, channel: ScriptedChannel, greet: wire.Greet) -> None:
        channel.say(
            wire.Welcome(
                version=__version__,
                hostname=self.name,
                user="ann",
                home="/home/ann",
                platform="linux-x86_64",
                python="3.11.2",
                machine_id=self.name,
                boot_id="b1",
                cores=2,
                memory_total=4 * GIB,
                clock=self.clock(),
                tmux="3.3a",
                owner=self.owner,
                place=self.place,
            )
        )
        self.tell_all(channel)

    def tell_all(self, channel: ScriptedChannel) -> None:
        channel.say(wire.AgentsSeen(tuple(self.agents.values()), complete=True))

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        """Act, show what came of it, answer."""
        reply = self.act(message)
        self.show()
        channel.say(reply)

    def act(self, message: wire.ToNode) -> wire.Reply:
        match message:
            case wire.Spawn():
                self.agents[message.name] = seen(message.name, message.epoch, task=message.task[:200])
                self.specs[message.name, message.epoch] = message.spec, message.task
                self.logs.setdefault((message.name, message.epoch), b"")
            case wire.Kill():
                known = self.agents[message.name]
                self.agents[message.name] = replace(known, state="done", detail="killed", cause="killed", ended=NOON)
            case wire.Forget():
                self.agents.pop(message.name, None)
            case wire.Tell(what=TellKind.ANSWER):
                self.agents[message.name] = replace(self.agents[message.name], question=None, state="working")
            case wire.Take():
                self.owner = ""
            case _:
                pass
        return wire.Reply(message.id, Outcome.DONE) if hasattr(message, "id") else wire.Reply(0, Outcome.REFUSED)

    def checked(self, asked: Check) -> Checked:
        """It has all that agents need."""
        host = HostCheck(tmux="3.3a", claude="2.1.330", claude_at="/usr/bin/claude", logged_in=True)
        return Checked(asked.id, host=host)

    def read_spec(self, asked: ReadSpec) -> SpecRead:
        spec, task = self.specs.get((asked.name, asked.epoch), (None, ""))
        return SpecRead(asked.id, spec, task, "" if spec else f"{asked.name} is not on this host")

    def show(self, *gone: str) -> None:
        """Tell every channel which agents there are."""
        for channel in tuple(self.channels):
            channel.say(wire.AgentsSeen(tuple(self.agents.values()), gone=gone))

    def cut(self) -> None:
        """Cut every channel."""
        for channel in tuple(self.channels):
            channel.cut()

    # -- logs: one segment an epoch

    def write(self, name: str, epoch: int, *lines: bytes) -> None:
        """An agent writes lines; who follows it is sent them."""
        self.logs[name, epoch] = self.logs.get((name, epoch), b"") + b"".join(
            pack_record(NOON, b"o", line) for line in lines
        )
        for channel in tuple(self.channels):
            self.pump(channel)

    def follow(self, channel: ScriptedChannel, message: wire.Follow) -> None:
        wanted = {log.name: log for log in message.logs}
        channel.follow = {name: channel.follow.get(name, log) for name, log in wanted.items()}
        for name, log in wanted.items():
            if channel.follow[name].epoch != log.epoch:
                channel.follow[name] = log
        self.pump(channel)

    def pump(self, channel: ScriptedChannel) -> None:
        for name, place in channel.follow.items():
            data = self.logs.get((name, place.epoch), b"")[place.offset :]
            if data:
                channel.say(self.chunk_of(place, data))
                channel.follow[name] = replace(place, segment=1, offset=place.offset + len(data))

    def chunk_of(self, place: wire.LogStart, data: bytes) -> wire.LogChunk:
        end = place.offset + len(data)
        text = base64.b64encode(data).decode()
        return wire.LogChunk(place.name, place.epoch, 1, place.offset, text, 1, end)

    def fetch(self, wanted: wire.Fetch) -> wire.Fetched:
        data = self.logs.get((wanted.name, wanted.epoch))
        if data is None:
            return wire.Fetched(wanted.id, 0, 0, "", 0, 0, first=True, reason="no such log")
        place = len(data) if wanted.segment < 0 else wanted.offset
        records = data[place:].splitlines(True)[: wanted.count] if wanted.forward else []
        start = place
        if not wanted.forward:
            records = data[:place].splitlines(True)[-wanted.count :]
            start = place - sum(map(len, records))
        body = b"".join(records)
        text = base64.b64encode(body).decode()
        return wire.Fetched(wanted.id, 1, start, text, 1, start + len(body), first=start == 0)


class NeverArrives(ScriptedHost):
    """The link is lost before an order arrives."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        channel.cut()


class NeverAnswers(ScriptedHost):
    """It acts, and the link is lost before the answer."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        self.act(message)
        channel.cut()


class Mute(ScriptedHost):
    """It takes orders and never answers."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        pass


class Unwilling(ScriptedHost):
    """It refuses every order."""

    def act(self, message: wire.ToNode) -> wire.Reply:
        return wire.Reply(getattr(message, "id", 0), Outcome.REFUSED, "the disk of vm1 is full")


class Secretive(ScriptedHost):
    """It never says which agents it has."""

    def tell_all(self, channel: ScriptedChannel) -> None:
        pass


class Liar(ScriptedHost):
    """It answers for others: orders that are not its own, with outcomes nobody knows."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        for number in range(1, 200):
            channel.say(wire.Reply(number, cast(Outcome, "splendid"), "\x1b[2Jsk-ant-api03-secret"))


class Skipping(ScriptedHost):
    """Its link is slow: it leaves out all but the last record of what it sends."""

    def chunk_of(self, place: wire.LogStart, data: bytes) -> wire.LogChunk:
        last = data.splitlines(True)[-1]
        skipped = len(data) - len(last)
        chunk = super().chunk_of(replace(place, offset=place.offset + skipped), last)
        return replace(chunk, skipped=skipped)


class Stranger(ScriptedHost):
    """It shows a key that nobody has accepted yet."""

    KEY = "SHA256:" + "k" * 43

    async def dial(self) -> Channel:
        if self.KEY not in self.trusted:
            raise HostKeyUnknown(self.KEY, "ssh-ed25519")
        return await super().dial()


def seen(name: str, epoch: int = 1, state: str = "working", **more: object) -> wire.AgentSeen:
    """An agent as a node reports it."""
    made = wire.AgentSeen(name, epoch, "headless", state, NOON)
    return replace(made, **more)  # type: ignore[arg-type]


def orders(host: ScriptedHost) -> Sequence[wire.ToNode]:
    """What it was asked to do."""
    kinds = (wire.Spawn, wire.Kill, wire.Tell, wire.Forget, wire.Take)
    return [message for message in host.heard if isinstance(message, kinds)]
