"""A soak: scripted agents on real hosts, random faults, random orders and random keys; then the hosts must agree.

Everything that dies is killed with -9. The dice decide what, the time on the clock when: a seed repeats the choices.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from controlroom.client.client import Client, EngineUnavailable
from controlroom.domain import intents
from controlroom.domain.model import ENDED, Agent
from controlroom.domain.orders import Result
from tests.faults.room import Room
from tests.faults.truth import NODE, RUNNER, Life, sockets_left
from tests.lab.host import Host
from tests.lab.processes import Process
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for_async

TALKING = ("sh", "-c", "n=0; while :; do n=$((n+1)); echo line $n; sleep 4; done")
STUBBORN = ("sh", "-c", "trap '' TERM HUP; setsid sleep 100000 & while :; do sleep 5; done")
SHORT = ("sh", "-c", "echo begun; sleep 3; echo over")
COMMANDS = (TALKING, TALKING, TALKING, STUBBORN, SHORT)

KEYS: tuple[str, ...] = (
    "j",
    "k",
    "j",
    "k",
    "n",
    "Enter",
    "Enter",
    "q",
    "BSpace",
    "x",
    "y",
    "?",
    "o",
    "e",
    "w",
    "<",
    ">",
    "1",
    "5",
    "9",
)
KEYS += ("i", "Escape", "PageUp", "PageDown", "Home", "End", "r", "m", "Tab")

AT_ONCE = 12
"""Orders on their way at once."""


@dataclass
class Said:
    """What the room said was done: the newest life begun of each agent, and the lives that were ended."""

    begun: dict[str, int] = field(default_factory=dict)
    ended: set[tuple[str, int]] = field(default_factory=set)


class Soak:
    """One run."""

    def __init__(self, room: Room, agents: int, seed: int, say: Callable[[str], None], screen: Terminal | None) -> None:
        self.room, self.count, self.say, self.screen = room, agents, say, screen
        self.dice = random.Random(seed)
        self.said = Said()
        self.happened: Counter[str] = Counter()
        self.orders: set[asyncio.Task[None]] = set()
        self._reach = asyncio.Lock()

    # -- what an operator does

    async def client(self) -> Client:
        """A front end, connected again when its engine was killed."""
        async with self._reach:
            while not self.room.client.connected:
                await self.room.client.close()
                try:
                    await self.room.connect()
                except EngineUnavailable:
                    await asyncio.sleep(0.5)
            return self.room.client

    async def order(self, intent: intents.Intent) -> Result | None:
        """Submit; None when nobody knows what became of it."""
        try:
            client = await self.client()
            outcome = await client.submit(intent, deadline=60)
        except EngineUnavailable:
            return None
        self.happened[f"{type(intent).__name__} {outcome.outcome}"] += 1
        return outcome

    async def spawn(self, host: str, name: str) -> None:
        command = self.dice.choice(COMMANDS)
        self._begun(f"{host}/{name}", await self.order(intents.SpawnAgent(name, "", host, command=command)))

    def _begun(self, id_: str, outcome: Result | None) -> None:
        if outcome and outcome.outcome == "done":
            self.said.begun[id_] = max(self.said.begun.get(id_, 0), outcome.epoch)

    async def reassign(self, agent: Agent) -> None:
        self._begun(agent.id, await self.order(intents.ReassignAgent(agent.id, agent.epoch, "again")))

    async def kill(self, agent: Agent) -> None:
        outcome = await self.order(intents.KillAgent(agent.id, agent.epoch))
        if outcome and outcome.outcome == "done":
            self.said.ended.add((agent.id, agent.epoch))

    async def forget(self, agent: Agent) -> None:
        begun = self.said.begun.pop(agent.id, 0)  # from now on it may be gone, and its epochs begin anew
        self.said.ended = {life for life in self.said.ended if life[0] != agent.id}
        outcome = await self.order(intents.ForgetAgent(agent.id, agent.epoch))
        if outcome and outcome.outcome == "refused" and agent.id not in self.said.begun:
            self.said.begun[agent.id] = begun

    def act(self) -> None:
        """Begin one order, on an agent that is there or one that is missing."""
        if len(self.orders) >= AT_ONCE:
            return
        names = [
            (host, f"a{number}") for host in self.room.hosts for number in range(self.count // len(self.room.hosts))
        ]
        host, name = self.dice.choice(names)
        agent = self.room.client.fleet.agents.get(f"{host}/{name}")
        work: Awaitable[None]
        if agent is None or (agent.state in ENDED and self.dice.random() < 0.8):
            work = self.spawn(host, name)
        else:
            work = self.dice.choice((self.kill, self.reassign, self.reassign, self.forget))(agent)
        task = asyncio.ensure_future(work)
        self.orders.add(task)
        task.add_done_callback(self.orders.discard)

    def press(self) -> None:
        """A key or a new size; a front end that was left is opened again by whoever made it."""
        if self.screen is None or self.screen.exit_status() is not None:
            return
        if self.dice.random() < 0.1:
            self.screen.resize(self.dice.randint(20, 200), self.dice.randint(5, 60))
        self.screen.keys(*self.dice.choices(KEYS, k=3))

    # -- what goes wrong

    def _one(self, host: Host, which: Callable[[Process], object]) -> Process | None:
        found = [process for process in host.processes() if which(process)]
        return self.dice.choice(found) if found else None

    async def kill_one(self, host: Host, what: str, which: Callable[[Process], object]) -> None:
        if process := self._one(host, which):
            process.signal(signal.SIGKILL)
            self.happened[f"killed {what}"] += 1

    async def break_something(self) -> None:
        """One fault on one host, or the engine's end."""
        host = self.dice.choice(list(self.room.hosts.values()))
        fault = self.dice.choices(
            ("node", "runner", "tmux", "agent", "reset", "freeze", "engine"), (4, 5, 1, 3, 4, 1, 2)
        )[0]
        if fault == "node":
            await self.kill_one(host, "a node", lambda process: NODE.search(process.command))
        elif fault == "runner":
            await self.kill_one(host, "a runner", lambda process: RUNNER.search(process.command))
        elif fault == "tmux":
            await self.kill_one(host, "tmux", lambda process: process.name.startswith("tmux: server"))
        elif fault == "agent":
            await self.kill_one(host, "an agent", lambda process: process.name in ("sh", "sleep"))
        elif fault == "reset":
            await asyncio.to_thread(host.kill_connections)
            self.happened["reset"] += 1
        elif fault == "engine":
            with_engine = self.room.engine
            if with_engine > 1:
                self.happened["killed the engine"] += 1
                await self.room.kill_engine()
        else:
            await self.freeze(host)

    async def freeze(self, host: Host) -> None:
        await asyncio.to_thread(host.freeze)
        self.happened["froze"] += 1
        await asyncio.sleep(self.dice.choice((0.5, 3, 16)))
        await asyncio.to_thread(host.thaw)

    # -- the run

    async def run(self, seconds: float, faults: float = 1.5, check: float = 300.0) -> None:
        """Go on for so long: a fault each `faults` seconds, orders in between; look at all each `check` seconds."""
        for host in self.room.hosts:
            each = self.count // len(self.room.hosts)
            for start in range(0, each, AT_ONCE):
                some = range(start, min(start + AT_ONCE, each))
                await asyncio.gather(*(self.spawn(host, f"a{number}") for number in some))
        self.say(f"{len(self.room.client.fleet.agents)} agents are there")
        end, looked = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            for _ in range(self.dice.randint(0, 4)):
                self.act()
                self.press()
            await self.break_something()
            await asyncio.sleep(self.dice.uniform(0.2, 2 * faults - 0.2))
            if time.monotonic() - looked > check:
                await self.settle()
                looked = time.monotonic()
        await self.settle()

    async def settle(self) -> None:
        """Let all orders end, then compare what is shown with what is so."""
        if self.orders:
            await asyncio.wait(self.orders, timeout=240)
        assert not self.orders, "orders without an end"
        await self.client()
        await self.room.up()
        await self.room.in_order(seconds=90)
        for host in self.room.hosts:
            self.check_said(host)
        self.say(f"in order: {dict(sorted(self.happened.items()))}")

    def check_said(self, host: str) -> None:
        """I3: what was said to be done is so."""
        truth = self.room.truth(host)
        newest = dict(sorted(truth.statuses))
        for id_, epoch in self.said.begun.items():
            where, _, name = id_.partition("/")
            assert where != host or newest.get(name, 0) >= epoch, (
                f"{id_} was begun as epoch {epoch}: {newest.get(name)}"
            )
        alive: set[Life] = {*truth.runners, *truth.tagged}
        for id_, epoch in self.said.ended:
            where, _, name = id_.partition("/")
            assert where != host or (name, epoch) not in alive, f"{id_} epoch {epoch} was ended and lives"

    async def end_all(self) -> None:
        """Kill what is left; then nothing may be left."""
        live = [agent for agent in self.room.client.fleet.agents.values() if agent.state not in ENDED]
        for start in range(0, len(live), AT_ONCE):
            await asyncio.gather(*(self.kill(agent) for agent in live[start : start + AT_ONCE]))
        await self.room.in_order(seconds=60)
        for name, host in self.room.hosts.items():
            truth = self.room.truth(name)
            assert (truth.tagged, truth.sessions, dict(truth.runners)) == ({}, [], {}), truth
            assert not sockets_left(host, self.room.place.namespace)
            self.check_said(name)
        self.say(f"nothing is left: {dict(sorted(self.happened.items()))}")


async def nothing_outlives_the_engine(hosts: Sequence[Host]) -> None:
    """Once the engine has ended, its nodes have too."""

    def nodes() -> list[Process]:
        return [process for host in hosts for process in host.processes() if NODE.search(process.command)]

    await wait_for_async(lambda: not nodes(), 20, "the nodes to end")
