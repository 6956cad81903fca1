"""A fleet whose hosts are drained, in which moves take their time and some fail: one seed is one story.

What hosts really run (`running`) and what the engine knows (`fleet`) are two things.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from controlroom.domain import events, intents
from controlroom.domain.decide import Decision, decide
from controlroom.domain.intents import MoveOn
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.orders import Result
from controlroom.domain.queue import drains
from controlroom.domain.reduce import reduce
from controlroom.domain.tasks import Drain
from controlroom.text.states import Cause, Outcome
from tests.domain.worlds import GIB, NOON, agent, fleet, host

SECOND = 1_000


@dataclass
class Way:
    """A move that is on its way."""

    effect: MoveOn
    op: int
    steps: int = 0

    @property
    def old(self) -> str:
        return f"{self.effect.end.host}/{self.effect.end.name}"

    @property
    def new(self) -> str:
        return f"{self.effect.start.host}/{self.effect.start.name}"


class Yard:
    """vm1 is drained, and others have room. `fails`: the share of moves that do not succeed."""

    def __init__(self, seed: int, agents: int, batch: int, fails: float, hosts: int = 3, reboots: float = 0.0) -> None:
        self.random, self.now, self.op, self.fails, self.reboots = Random(seed), NOON, 0, fails, reboots
        rows = [agent(f"a{number}") for number in range(agents)]
        roomy = [host(f"vm{number}", free=3 * GIB + GIB // 2) for number in range(2, hosts + 1)]
        made = fleet(*rows, hosts=(host("vm1", free=0), *roomy))
        rules = replace(made.queue.rules, max_agents=1000)
        self.fleet: Fleet = replace(made, queue=replace(made.queue, rules=rules))
        self.running: dict[str, str] = {row.name: "vm1" for row in rows}
        """Where each agent really runs; one that has ended for good is missing."""
        self.ways: list[Way] = []
        self.refused: dict[str, str] = {}
        self.batches: list[int] = []
        self.doomed: set[str] = set()
        """Agents that have failed on their way."""
        self.rebooted: set[str] = set()
        """Agents that a reboot has ended where they were."""
        self.apply(events.HostDrained("vm1", Drain("ann", NOON, move=True, batch=batch)))

    def apply(self, event: events.Event) -> None:
        self.fleet = reduce(self.fleet, event)

    @property
    def vm1(self) -> Host:
        return self.fleet.hosts["vm1"]

    @property
    def drain(self) -> Drain:
        assert self.vm1.drain is not None
        return self.vm1.drain

    def up(self, name: str) -> bool:
        return self.fleet.hosts[name].link is LinkState.UP

    # -- the engine

    def round(self) -> None:
        """What the engine does when something has happened."""
        self.settle()
        forming: set[str] = set()
        while (leave := drains.next_leave(self.fleet, self.now, forming).leave) is not None:
            first = not forming
            if first:
                assert not self.ways, "the next batch begins while one of the last is on its way"
                self.batches.append(0)
            assert not self.drain.stopped, "agents leave though the drain stands still"
            forming.add("vm1")
            self.batches[-1] += 1
            assert self.batches[-1] <= self.drain.batch
            self.apply(events.HostDrained("vm1", drains.left(self.fleet, self.drain, leave, self.now, first=first)))
            if self.random.random() < 0.02:
                self.restart()  # it was never ordered
                return
            self.order(leave)
        self.settle()

    def settle(self) -> None:
        drain = drains.settled(self.fleet, self.vm1, self.now, self.refused, {way.old for way in self.ways})
        self.apply(events.HostDrained("vm1", drain))

    def order(self, leave: drains.Leave) -> None:
        self.op += 1
        intent = intents.ReassignAgent(leave.agent.id, leave.agent.epoch, "", host=leave.host)
        decision = decide(self.fleet, intent, self.op, self.now, "ann, by host drain")
        assert isinstance(decision, Decision), decision
        assert isinstance(decision.effect, MoveOn)
        for event in decision.events:
            self.apply(event)
        self.ways.append(Way(decision.effect, self.op))

    def restart(self) -> None:
        """The engine ends and starts again: it knows what stands in the ledger."""
        self.refused = {}

    # -- the hosts

    def show(self, name: str, on: str, state: State, epoch: int, **more: object) -> None:
        row = agent(name, on=on, state=state, epoch=epoch, since=self.now, started=self.now, **more)
        self.apply(events.AgentsObserved(on, (row,), self.now))

    def pass_time(self) -> None:
        """Each move may come a step further: it ends there, it is ordered here, it is at work."""
        self.now += self.random.randrange(1, 10) * SECOND
        for way in [way for way in self.ways if self.random.random() < 0.5]:
            start, name = way.effect.start, way.effect.end.name
            if not self.up("vm1" if way.steps == 0 else start.host):
                continue
            if way.steps == 0:
                if self.random.random() < self.fails / 2:
                    self.conclude(way, Result(Outcome.REFUSED, f"{name} was not moved: the disk of vm1 is full"))
                    continue
                at = self.running.pop(name, None)
                assert at == "vm1" or (at is None and name in self.rebooted), at
                if at is not None:
                    self.show(name, "vm1", State.DONE, way.effect.end.epoch, ended=self.now, detail="moved")
            elif way.steps == 1:
                assert name not in self.running, f"{name} would run twice"
                self.running[name] = start.host
                self.show(name, start.host, State.STARTING, start.epoch)
            else:
                if self.random.random() < self.fails / 2:
                    del self.running[name]
                    self.show(name, start.host, State.FAILED, start.epoch, ended=self.now, detail="exit code 1")
                else:
                    self.show(name, start.host, State.WORKING, start.epoch)
                self.conclude(way, Result(Outcome.DONE))
            way.steps += 1

    def conclude(self, way: Way, result: Result) -> None:
        self.ways.remove(way)
        for subject in (way.old, way.new):
            self.apply(events.Concluded(way.op, subject, result, self.now))
        if not result.ok:
            self.refused[way.old] = result.reason
            self.apply(events.AgentsObserved(way.effect.start.host, (), self.now, gone=(way.effect.start.name,)))

    def reboot(self) -> None:
        """The drained host loses power and is back: what ran there has ended."""
        for name in [name for name, at in self.running.items() if at == "vm1"]:
            del self.running[name]
            self.rebooted.add(name)
            self.show(name, "vm1", State.FAILED, 1, ended=self.now, cause=Cause.REBOOTED)

    def something_happens(self) -> None:
        name = self.random.choice([*self.fleet.hosts])
        link = LinkState.LOST if self.up(name) else LinkState.UP
        self.apply(events.LinkChanged(name, link, self.now))
        if self.random.random() < 0.2:
            self.restart()
        if self.up("vm1") and self.random.random() < self.reboots:
            self.reboot()

    def mend(self) -> None:
        for name in self.fleet.hosts:
            self.apply(events.LinkChanged(name, LinkState.UP, self.now))

    def seen(self, state: State) -> list[Agent]:
        return [row for row in self.fleet.agents.values() if row.state is state]
