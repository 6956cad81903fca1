"""A room with budgets, and agents that spend in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from controlroom.domain.budgets import Budget
from controlroom.domain.intents import SpawnAgent
from controlroom.domain.orders import Result
from controlroom.metering.prices import Sheet
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import to_line
from controlroom.protocol.home import find_home
from controlroom.wire.usage import SendUsage, UsageBooked, UsageOrder, UsagePlace, UsageSeen
from tests.engine.rooms import PRICES, Room, room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen


def message(number: int, output: int = 1_000_000, at: int = NOON, model: str = "claude-opus-5-5") -> Message:
    """Twenty dollars."""
    return Message(f"msg_{number}", f"req_{number}", at, model, Usage(0, output))


def lines(*messages: Message) -> str:
    return b"".join(map(to_line, messages)).decode()


class Spender(ScriptedHost):
    """A host with one agent that has used something; sends its file as a node does."""

    def __init__(self) -> None:
        super().__init__("vm1")
        self.agents["a1"] = seen("a1", cwd="/project", profile="docs", billing="api")
        self.file = lines(message(1), message(2))
        self.asked: list[SendUsage] = []
        self.booked: list[UsagePlace] = []

    def spend(self, channel: ScriptedChannel, message: UsageOrder) -> None:
        if isinstance(message, UsageBooked):
            self.booked.append(message.place)
            return
        self.asked.append(message)
        self.send_from(channel, next((place.offset for place in message.places if place.name == "a1"), 0))

    def send_from(self, channel: ScriptedChannel, start: int) -> None:
        if start < len(self.file):
            place = UsagePlace("a1", 1, start, "a1b2")
            channel.say(UsageSeen(place, len(self.file), self.file[start:]))

    def use(self, *messages: Message) -> None:
        """The agent uses more, and the node sends it."""
        start = len(self.file)
        self.file += lines(*messages)
        for channel in tuple(self.channels):
            self.send_from(channel, start)


HOUR = 3_600_000

DOLLAR = 1_000_000

HEAD = 'local = false\n[hosts.vm1]\naddress = "ann@vm1"\n[money]\ntime_zone = "Asia/Kathmandu"\n'

DAY = '[budgets.day]\nlimit = "10"\nladder = [{ at = 100, do = "pause" }]\n'


@asynccontextmanager
async def budgeted(
    host: ScriptedHost, config: str, prices: Callable[[], Sheet] = lambda: PRICES
) -> AsyncIterator[Room]:
    """A room with these budgets."""
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(HEAD + config)
    place.config.chmod(0o600)
    async with room(host, prices=prices) as made:
        yield made


def budget(here: Room, name: str = "day") -> Budget:
    return here.engine.store.fleet.budgets[name]


async def spawn(here: Room, name: str, profile: str = "") -> Result:
    return await here.order(SpawnAgent(name, "write", host="vm1", profile=profile))
