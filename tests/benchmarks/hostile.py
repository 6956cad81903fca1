"""One host that says as much as it may, and what the others, the verbs and the screen notice of it.

    python -m tests.benchmarks.hostile [--rate 300] [--agents 4900] [--seconds 30] [--budget] [--usage]

The hostile host is a process of its own that has so many agents and says of one after the other that it is in another
state, or that it has used something. Two honest hosts have an agent each. Engine and screen are processes, too; verbs
are front ends that connect, look, order something of an honest host and leave.
"""

import argparse
import asyncio
import itertools
import os
import random
import sys
import threading
import time

from controlroom import __version__
from controlroom.client.client import Client
from controlroom.domain.intents import InterruptAgent
from controlroom.engine.clock import steady
from controlroom.engine.config import config
from controlroom.engine.engine import Engine
from controlroom.engine.frontends.server import Server
from controlroom.engine.hosts.channel import Channel, LinkLost
from controlroom.engine.hosts.link import Link, Sink
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.main import now
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import to_line
from controlroom.protocol.home import find_home, hold
from controlroom.wire import messages as wire
from controlroom.wire.lines import LineSplitter
from controlroom.wire.usage import UsagePlace, UsageSeen
from tests.benchmarks.drawn import Drawn
from tests.benchmarks.figures import Stretch, load, part
from tests.benchmarks.scripted_room import BUDGET, LIMITS, prepared, world
from tests.benchmarks.table import print_table
from tests.benchmarks.thousand import press
from tests.benchmarks.yard import screen
from tests.engine.rooms import PRICES
from tests.engine.scripted import ScriptedHost, seen

HOSTS = ("evil", "vm1", "vm2")


def main() -> None:
    """Run the benchmark and print its table; or be one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--agents", type=int, default=4900)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--budget", action="store_true", help="have a budget that binds all agents, and API limits")
    parser.add_argument("--usage", action="store_true", help="it says that its agents have used something")
    parser.add_argument("--be", choices=("engine", "host"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be == "host":
        be_hostile(options.rate, options.agents, options.usage)
    elif options.be == "engine":
        asyncio.run(run_engine(options))
    else:
        with world():
            asyncio.run(measure(options))


async def measure(options: argparse.Namespace) -> None:
    """Use the room while the host talks, and print."""
    prepared(HOSTS, (BUDGET + LIMITS) * options.budget)
    words = ["-m", "tests.benchmarks.hostile", "--be", "engine", *sys.argv[1:]]
    engine = await asyncio.create_subprocess_exec(sys.executable, *words)
    try:
        client = await connected()
        while len(client.fleet.agents) < options.agents + 2:
            await client.changed()
        await client.close()
        await asyncio.sleep(3)
        with screen(dict(os.environ), 200, 60) as shown:
            drawn = Drawn()
            drawn.feed(await asyncio.to_thread(shown.settle, 8.0))
            stretch = Stretch({"engine": [engine.pid], "screen": [shown.pid]})
            painted = await asyncio.to_thread(press, shown, drawn, options.keys)
            took = await verbs(options.seconds)
            used = stretch.per_cent()
        client = await connected()
        evil = client.fleet.hosts["evil"]
        began = time.monotonic()
        await client.stop_engine()
        stopped = time.monotonic() - began
        await client.close()
        await engine.wait()
    finally:
        if engine.returncode is None:
            engine.kill()
    print_table(
        f"a host with {options.agents:,} agents and {options.rate:,} messages a second, {load()}",
        [
            ("verbs on other hosts, p50", f"{1000 * part(took, 0.5):.0f} ms", ""),
            ("verbs on other hosts, p95", f"{1000 * part(took, 0.95):.0f} ms", "500 ms"),
            ("verbs on other hosts, worst", f"{1000 * max(took):.0f} ms", ""),
            ("stop", f"{1000 * stopped:.0f} ms", "2000 ms"),
            ("key -> paint, p50", f"{part(painted, 0.5):.0f} ms", ""),
            ("key -> paint, p95", f"{part(painted, 0.95):.0f} ms", "150 ms"),
            ("key -> paint, worst", f"{max(painted):.0f} ms", ""),
            ("engine, CPU", f"{used['engine']:.0f} %", "60 %"),
            ("screen, CPU", f"{used['screen']:.0f} %", ""),
        ],
    )
    print(f"  evil is {evil.link}: {evil.reason or 'it was let be'}")


async def connected() -> Client:
    """Connect as soon as the engine listens."""
    while True:
        try:
            return await Client.connect(start=False, role="cli")
        except Exception:
            await asyncio.sleep(0.1)


async def verbs(seconds: float) -> list[float]:
    """Connect, look, have an honest host do something, and leave; again and again."""
    took: list[float] = []
    end = time.monotonic() + seconds
    for host in itertools.cycle(HOSTS[1:]):
        if time.monotonic() > end:
            return took
        began = time.monotonic()
        client = await Client.connect(start=False, role="cli")
        done = await client.submit(InterruptAgent(f"{host}/a1", client.fleet.agents[f"{host}/a1"].epoch))
        took.append(time.monotonic() - began)
        if not done.ok:
            raise RuntimeError(done.reason)
        await client.close()
        await asyncio.sleep(0.2)
    return took


# ------------------------------------------------------------------------------- the engine


async def run_engine(options: argparse.Namespace) -> None:
    """Be an engine whose honest hosts are scripted, and whose hostile one is a process."""
    home, stopping = find_home(os.environ), asyncio.Event()
    descriptor = hold(home.lock, home.socket)
    settings = config.load(home)
    honest = {name: ScriptedHost(name) for name in HOSTS[1:]}
    for host in honest.values():
        host.agents["a1"] = seen("a1")

    def opened(sink: Sink, host: str, address: str, fingerprint: str) -> Link:
        dialler = honest.get(host) or Hostile(options)
        return Link(host, wire.Greet(__version__, "room-1"), dialler, sink, now, random.Random(), steady)

    engine = Engine(home, settings, Ledger(home.ledger, "room-1"), opened, now, lambda: PRICES, steady)
    server = Server(engine, stopping.set, settings.withheld)
    engine.start()
    await server.listen(home.socket, home.watch_socket)
    await stopping.wait()
    for path in (home.socket, home.watch_socket):
        path.unlink(missing_ok=True)
    await server.close()
    await engine.close()
    os.close(descriptor)


class Hostile:
    """Dials the hostile host."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._words = ("--be", "host", "--rate", str(options.rate), "--agents", str(options.agents))
        self._words += ("--usage",) * options.usage

    def trust(self, fingerprint: str) -> None:
        """It shows no key."""

    def keep(self, key: str, secret: str) -> None:
        """It asks for none."""

    proven: tuple[str, ...] = ()

    async def dial(self) -> Channel:
        """Start it."""
        pipe = asyncio.subprocess.PIPE
        words = (sys.executable, "-m", "tests.benchmarks.hostile", *self._words)
        return Pipes(await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe))


class Pipes:
    """Pipes to a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def send(self, data: bytes) -> None:
        """Write."""
        assert self._process.stdin
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def receive(self) -> bytes:
        """Read what there is."""
        assert self._process.stdout
        if data := await self._process.stdout.read(65536):
            return data
        raise LinkLost("it has ended")

    async def close(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()  # else it waits until all is read


# ------------------------------------------------------------------------------- the hostile host


def be_hostile(rate: int, agents: int, usage: bool) -> None:
    """Talk on stdout as long as anybody reads it; at most so many messages a second, fewer when nobody does."""
    splitter, lock = LineSplitter(), threading.Lock()

    def say(*messages: wire.FromNode) -> None:
        with lock:
            sys.stdout.buffer.write(b"".join(map(wire.pack, messages)))
            sys.stdout.buffer.flush()

    def listen() -> None:
        while data := os.read(0, 65536):
            for line in splitter.feed(data):
                message = wire.read_to_node(line)
                if isinstance(message, wire.Ping):
                    say(wire.Pong(message.number, now()))
        os._exit(0)

    os.read(0, 65536)
    say(wire.Welcome(__version__, "evil", "me", "/", "linux", "3.11", "m", "b", 2, 10**9, now(), "3.3a"))
    threading.Thread(target=listen, daemon=True).start()
    known = [seen(f"e{number}", since=now()) for number in range(agents)]
    say(wire.AgentsSeen(tuple(known), complete=True))
    began, news = time.monotonic(), Using() if usage else changed
    for number in itertools.count():
        say(news(f"e{number % agents}", number))
        late = began + number / rate - time.monotonic()
        if late > 0:
            time.sleep(late)


def changed(name: str, number: int) -> wire.FromNode:
    """An agent is in another state."""
    state = ("idle", "waiting", "working")[number % 3]
    return wire.AgentsSeen((seen(name, 1, state, detail=f"turn {number}", since=now()),))


class Using:
    """Agents say that they have used something."""

    def __init__(self) -> None:
        self._ends: dict[str, int] = {}

    def __call__(self, name: str, number: int) -> wire.FromNode:
        """One message of one agent."""
        line = to_line(Message(f"msg_{number}", f"req_{number}", now(), "claude-opus-5-5", Usage(5, 100))).decode()
        start = self._ends.get(name, 0)
        end = self._ends[name] = start + len(line)
        return UsageSeen(UsagePlace(name, 1, start, "a1b2"), end, line)


if __name__ == "__main__":
    main()
