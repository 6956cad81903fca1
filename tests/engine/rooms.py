"""A room for one test: a real engine in this process, with real links to scripted hosts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager

from controlroom import __version__
from controlroom.domain.claims import OrderedRun, digest, shown
from controlroom.domain.intents import Intent
from controlroom.domain.model import Agent, LinkState
from controlroom.domain.orders import Result
from controlroom.engine.config import config
from controlroom.engine.engine import Engine
from controlroom.engine.frontends.server import Server
from controlroom.engine.hosts.link import Link, Sink
from controlroom.engine.ledger.ledger import Connect, Ledger, connect
from controlroom.engine.ledger.run_tables import ORDERED_RUNS, write_ordered
from controlroom.metering.prices import Price, Rates, Sheet
from controlroom.protocol.home import Home, find_home
from controlroom.text.states import AgentKind
from controlroom.wire.messages import Greet
from tests.engine.scripted import NOON, ScriptedHost
from tests.lab.waiting import wait_for_async

PRICES = Sheet([Price("claude-opus-5-5", Rates(4_000_000, 20_000_000, 5_000_000, 8_000_000, 200_000))])


def ordered_on(host: ScriptedHost) -> list[OrderedRun]:
    """What this room ordered of the agents that a host has: just what it shows."""
    return [
        OrderedRun(
            host.name,
            agent.name,
            agent.epoch,
            AgentKind(agent.kind),
            agent.profile,
            agent.model,
            agent.cwd,
            "",
            shown(agent.task),
            digest(agent.task),
            "",
            0,
        )
        for agent in host.agents.values()
    ]


class Room:
    """An engine and its hosts, whose agents it ordered."""

    def __init__(
        self,
        home: Home,
        hosts: Iterable[ScriptedHost],
        opener: Connect = connect,
        prices: Callable[[], Sheet] = lambda: PRICES,
    ) -> None:
        """`prices` reads the price sheet, in a thread."""
        self.home = home
        self.hosts = {host.name: host for host in hosts}
        self.now = NOON
        self.clock_set = 0
        home.prepare()
        if not home.config.exists():
            tables = "".join(f'[hosts.{name}]\naddress = "ann@{name}"\n' for name in self.hosts)
            home.config.write_text(f"local = false\n{tables}")
            home.config.chmod(0o600)
        settings = config.load(home)
        self.ledger = Ledger(home.ledger, "room-1", opener)
        with ExitStack() as unless_made:
            unless_made.callback(self.ledger.close)
            for host in self.hosts.values():
                known = {OrderedRun(*row).key for row in self.ledger.read_all([(ORDERED_RUNS, ())])[0]}
                ordered = [write_ordered(run) for run in ordered_on(host) if run.key not in known]
                self.ledger.booked(ordered).result(60)
            self.engine = Engine(home, settings, self.ledger, self.open_link, lambda: self.now, prices, self.steady)
            unless_made.pop_all()
        self.stopped = asyncio.Event()
        self.server = Server(self.engine, self.stopped.set, settings.withheld)

    def open_link(self, sink: Sink, host: str, address: str, fingerprint: str) -> Link:
        scripted = self.hosts.setdefault(host, ScriptedHost(host))
        if fingerprint:
            scripted.trust(fingerprint)
        return Link(
            host,
            Greet(__version__, self.ledger.room),
            scripted,
            sink,
            lambda: self.now,
            scripted.dice(1),
            self.steady,
            sleep=lambda seconds: asyncio.sleep(min(seconds, 0.01)),
        )

    def steady(self) -> int:
        """Time passes as `now` does, and is never set."""
        return self.now - self.clock_set

    def set_clock(self, by: int) -> None:
        """Set the clock of the engine's machine, while no time passes."""
        self.now += by
        self.clock_set += by

    async def up(self, *names: str) -> None:
        """Wait for hosts."""
        wanted = names or tuple(self.hosts)
        links = self.engine.store.fleet.hosts
        await self.until(lambda: all(self.link(name) is LinkState.UP for name in wanted), f"all are up of {links}")

    def link(self, name: str) -> LinkState:
        return self.engine.store.fleet.hosts[name].link

    async def until(self, true: Callable[[], object], what: str = "") -> None:
        """Wait for something to be true of the engine."""
        await wait_for_async(true, 5, what, poll=0.002)

    async def order(self, intent: Intent) -> Result:
        """Submit, and wait for what becomes of it, and for that to be written down."""
        result = await self.concluded(await self.engine.submit(intent, "ann (test)"))
        await self.engine.ledger_writer.outbox.wait_tried()
        return result

    async def concluded(self, asked: Result) -> Result:
        """What becomes of an order that was asked for."""
        awaited = self.engine.orders.result_of(asked.op)
        return asked if awaited is None else await asyncio.wait_for(awaited, 60)

    def agent(self, id_: str) -> Agent:
        return self.engine.store.fleet.agents[id_]


@asynccontextmanager
async def room(
    *hosts: ScriptedHost, up: bool = True, opener: Connect = connect, prices: Callable[[], Sheet] = lambda: PRICES
) -> AsyncIterator[Room]:
    """A running room in the world of the fixture `home`, listening for clients."""
    made = Room(find_home(os.environ), hosts or [ScriptedHost()], opener, prices)
    made.engine.start()
    await made.server.listen(made.home.socket, made.home.watch_socket)
    try:
        if up:
            await made.up()
        yield made
    finally:
        await made.server.close()
        await made.engine.close()
