"""A scripted host whose runners go by grants: they count, and pause their agents by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from controlroom.metering.prices import micro
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import to_line
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from controlroom.wire.grants import Allowance, Grant, Prices
from controlroom.wire.usage import SendUsage, UsageBooked, UsageOrder, UsagePlace, UsageSeen
from tests.engine.rooms import PRICES
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen

CENT = 10_000
"""Micro-dollars."""


@dataclass
class Runner:
    """One run: what it may spend, what it has spent, and its usage file."""

    grant: Grant | None = None
    spent: int = 0
    file: str = ""
    ended: bool = False

    def may(self) -> bool:
        allowance = self.grant.allowance if self.grant else Allowance()
        return not self.ended and (allowance.billed is None or self.spent < allowance.billed)


class Payer(ScriptedHost):
    """Starts agents with a grant and lets them spend what they may. Its truth is in `runners`."""

    def __init__(self, name: str = "vm1") -> None:
        super().__init__(name)
        self.runners: dict[tuple[str, int], Runner] = {}
        self.grants: list[Grant] = []
        self.prices: list[Prices] = []
        self.deaf = False
        """Grants are lost on the way."""
        self.mute = False
        """Answers are lost on the way."""
        self.messages = 0
        self.clock: Callable[[], int] = lambda: NOON

    @property
    def spent(self) -> int:
        """Micro-dollars that all runs here have spent."""
        return sum(runner.spent for runner in self.runners.values())

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, Prices):
            self.prices.append(message)
        elif isinstance(message, Grant):
            self.heard.append(message)
            if not self.deaf:
                self.granted(channel, message)
        else:
            super().take(channel, message)

    def granted(self, channel: ScriptedChannel, grant: Grant) -> None:
        self.grants.append(grant)
        runner = self.runners[grant.name, grant.epoch]
        refused = "it has ended" if runner.ended else ""
        if not refused:
            runner.grant = grant
            self.look(grant.name)
        if not self.mute:
            channel.say(wire.Reply(grant.id, Outcome.REFUSED if refused else Outcome.DONE, refused))

    def act(self, message: wire.ToNode) -> wire.Reply:
        reply = super().act(message)
        if isinstance(message, wire.Spawn):
            runner = self.runners[message.name, message.epoch] = Runner(message.grant)
            self.agents[message.name] = replace(
                self.agents[message.name],
                billing="api",
                session=f"s-{message.name}",
                started=NOON,
                model="claude-opus-5-5",
                kind=message.spec.kind,
                profile=message.spec.profile,
                grant=message.grant.number if message.grant else 0,
            )
            assert runner.spent == 0
            self.look(message.name)
        elif isinstance(message, wire.Kill):
            self.runners[message.name, message.epoch].ended = True
        return reply

    def look(self, name: str) -> None:
        """What a runner does: say which grant it goes by, and pause the agent when that is used up."""
        agent = self.agents[name]
        runner = self.runners[name, agent.epoch]
        changed = replace(
            agent, grant=runner.grant.number if runner.grant else 0, run_spent=runner.spent if runner.grant else 0
        )
        if not runner.ended and not runner.may():
            runner.ended = True
            changed = replace(changed, state="paused", detail="budget: all of it spent", ended=self.clock())
        self.agents[name] = changed
        self.show()

    def below(self, name: str, subagents: int) -> None:
        """So many subagents of an agent are at work."""
        self.agents[name] = replace(self.agents[name], subagents=subagents)
        self.show()

    def work(self, name: str, micro_dollars: int = 10 * CENT) -> bool:
        """An agent answers one message, if its runner lets it."""
        agent = self.agents[name]
        runner = self.runners[name, agent.epoch]
        if not runner.may():
            return False
        self.messages += 1
        usage = Usage(0, micro_dollars // 20)
        message = Message(f"msg_{self.name}_{self.messages}", f"req_{self.messages}", self.clock(), agent.model, usage)
        runner.spent += micro(PRICES.cost(message).pico)
        start = len(runner.file)
        runner.file += to_line(message).decode()
        for channel in tuple(self.channels):
            self.send_from(channel, name, agent.epoch, start)
        self.look(name)
        return True

    def all_work(self, *names: str) -> bool:
        """Each of some agents answers a message, if it may; False when none may."""
        return sum(self.work(name) for name in names) > 0

    def spend(self, channel: ScriptedChannel, message: UsageOrder) -> None:
        if isinstance(message, SendUsage):
            places = {(place.name, place.epoch): place.offset for place in message.places}
            for name, epoch in self.runners:
                self.send_from(channel, name, epoch, places.get((name, epoch), 0))
        assert isinstance(message, SendUsage | UsageBooked)

    def send_from(self, channel: ScriptedChannel, name: str, epoch: int, start: int) -> None:
        file = self.runners[name, epoch].file
        if start < len(file):
            channel.say(UsageSeen(UsagePlace(name, epoch, start, "a1b2"), len(file), file[start:]))


def running(host: Payer, name: str) -> None:
    """An agent that was there before any budget."""
    host.agents[name] = seen(name, billing="api", model="claude-opus-5-5", started=NOON)
    host.runners[name, 1] = Runner()
