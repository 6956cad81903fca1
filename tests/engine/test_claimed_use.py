"""Use that only a host claims: bound by what was granted, ordered and known at home, whatever runs a host invents."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from controlroom.domain.intents import SettleUsage
from controlroom.domain.model import LinkState
from controlroom.domain.orders import Result
from controlroom.engine.ledger.ledger import check
from controlroom.metering.prices import DOLLAR as PICO
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Record, Report, to_line
from controlroom.text.states import Outcome
from controlroom.wire.usage import SendUsage, UsageBooked, UsageOrder, UsagePlace, UsageSeen
from tests.engine.budgeted import DAY, DOLLAR, HOUR, budget, budgeted, spawn
from tests.engine.granted import Payer, running
from tests.engine.rooms import Room
from tests.engine.scripted import NOON, ScriptedChannel
from tests.lab.world import World

BIG = DAY.replace('"10"', '"2000"')
TOKENS = '[budgets.day]\nlimit = "10000M"\nunit = "tokens"\n'
CAP = 100 * DOLLAR
MINUTE = 60_000


def dollars(name: str, at: int, amount: int = 20) -> Message:
    """A message that costs so many dollars."""
    return Message(f"msg_{name}", f"req_{name}", at, "claude-opus-5-5", Usage(0, amount * 50_000))


class Liar(Payer):
    """Tells of whatever runs it likes, honest or not."""

    def __init__(self, name: str = "vm1") -> None:
        super().__init__(name)
        self.files: dict[tuple[str, int], tuple[str, str]] = {}
        self.told: dict[tuple[str, int], int] = {}

    def claim(self, name: str, epoch: int, *records: Record, session: str = "", billing: str = "api") -> None:
        """Tell of use."""
        text, _ = self.files.get((name, epoch), ("", ""))
        self.files[name, epoch] = text + b"".join(map(to_line, records)).decode(), session
        self.billing = billing
        for channel in tuple(self.channels):
            self._tell(channel, name, epoch)

    def _tell(self, channel: ScriptedChannel, name: str, epoch: int) -> None:
        start, (text, session) = self.told.get((name, epoch), 0), self.files[name, epoch]
        if start < len(text):
            place = UsagePlace(name, epoch, start, "a1b2")
            channel.say(UsageSeen(place, len(text), text[start:], session, self.billing))

    def spend(self, channel: ScriptedChannel, message: UsageOrder) -> None:
        if isinstance(message, UsageBooked):
            self.told[message.place.name, message.place.epoch] = message.place.offset
        else:
            assert isinstance(message, SendUsage)
            for name, epoch in self.files:
                self._tell(channel, name, epoch)

    @property
    def is_booked(self) -> bool:
        """Whether all that it told is."""
        return all(self.told.get(key) == len(text) for key, (text, _) in self.files.items())


@asynccontextmanager
async def claiming(host: Liar, config: str) -> AsyncIterator[Room]:
    """A room whose host has the room's clock."""
    async with budgeted(host, config) as made:
        host.clock = lambda: made.now
        yield made


def doubts(here: Room) -> dict[str, str]:
    return {about: alarm.text for about, alarm in here.engine.store.fleet.alarms.items() if about.startswith("doubt ")}


async def advised(command: str) -> None:
    """Do what an alarm advises, as a person does."""
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", "controlroom", *command.split()[1:])
    assert await running.wait() == 0


async def booked(here: Room, host: Liar) -> None:
    await here.until(lambda: host.is_booked, "all that was told is booked")
    await here.engine.wait_idle()


def epochs_of_nobody(host: Liar, here: Room) -> None:
    for epoch in range(1, 41):
        host.claim("ghost", epoch, *(dollars(f"{epoch}_{number}", here.now) for number in range(4)))


def epochs_of_one_that_was_ordered(host: Liar, here: Room) -> None:
    for epoch in range(2, 42):
        host.claim("a1", epoch, *(dollars(f"{epoch}_{number}", here.now) for number in range(4)))


def agents(host: Liar, here: Room) -> None:
    for number in range(40):
        running(host, f"g{number}")
        host.claim(f"g{number}", 1, *(dollars(f"{number}_{part}", here.now) for part in range(4)))
    host.show()


def adopted(host: Liar, here: Room) -> None:
    for number in range(40):
        session = f"{number:08}-2222"
        messages = (dollars(f"{number}_{part}", here.now) for part in range(4))
        host.claim(f"~work{number}", number + 1, *messages, session=session)


def old_dates(host: Liar, here: Room) -> None:
    for epoch in range(1, 41):
        host.claim("ghost", epoch, dollars(f"{epoch}", here.now - HOUR * 24 * 6, 1), dollars(f"{epoch}b", here.now))


def small_messages(host: Liar, here: Room) -> None:
    for epoch in range(1, 41):
        host.claim("ghost", epoch, *(dollars(f"{epoch}_{number}", here.now, 1) for number in range(60)))


def reports(host: Liar, here: Room) -> None:
    for epoch in range(1, 41):
        host.claim("ghost", epoch, Report(f"{epoch:015x}", 18 * PICO, here.now))


WAYS: Sequence[Callable[[Liar, Room], None]] = (
    epochs_of_nobody,
    epochs_of_one_that_was_ordered,
    agents,
    adopted,
    old_dates,
    small_messages,
    reports,
)
"""Ways to invent runs: each claims a fortune."""


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_invented_runs_take_no_more_of_a_budget_than_one_host_may_claim(
    home: World, way: Callable[[Liar, Room], None]
) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        here.now += HOUR * 3 // 2
        here.engine.budgets.schedule()
        await here.engine.wait_idle()
        way(host, here)
        await booked(here, host)
        assert 0 < (budget(here).spent or 0) <= CAP
        assert host.work("a1"), "what was ordered goes on"
        (about,) = doubts(here)
        assert about in ("doubt vm1", "doubt vm1/ghost", "doubt vm1/a1")
        assert "controlroom ledger strike vm1" in doubts(here)[about]
        assert check(here.ledger) == []

        assert await here.order(SettleUsage(0, accept=False, of="vm1")) == Result(Outcome.DONE)
        await here.until(lambda: not doubts(here))
        assert check(here.ledger) == []
        assert {one.settled for one in here.engine.spending.doubted} == {"struck"}


async def test_what_was_set_aside_of_a_host_can_be_accepted_at_once(home: World) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        for epoch in (1, 2, 3):
            host.claim("ghost", epoch, *(dollars(f"{epoch}_{number}", here.now) for number in range(3)))
        await booked(here, host)
        await here.until(lambda: budget(here).spent == CAP)
        await here.until(lambda: doubts(here))
        await advised(doubts(here)["doubt vm1/ghost"].rpartition("or ")[2])
        await here.until(lambda: budget(here).spent == 180 * DOLLAR and not doubts(here))
        refused = await here.order(SettleUsage(0, accept=True, of="vm1"))
        assert refused.reason == "vm1: nothing of that name is set aside; see: controlroom ledger doubted"
        await here.engine.wait_idle()
        (line,) = here.ledger.audit(text="ledger accept vm1/ghost")
        assert line.reason.startswith("4 of vm1/ghost: $80.00 claimed, $0.00 counted")


async def test_the_next_hour_has_room_again_and_the_next_engine_knows_what_was_claimed(home: World) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        host.claim("ghost", 1, *(dollars(f"{number}", here.now) for number in range(4)))
        await here.until(lambda: budget(here).spent == 80 * DOLLAR)
    async with claiming(host, BIG) as here:
        host.claim("ghost", 2, *(dollars(f"{number}b", here.now) for number in range(4)))
        await booked(here, host)
        await here.until(lambda: budget(here).spent == CAP)
        here.now += HOUR
        here.engine.budgets.schedule()
        await here.engine.wait_idle()
        host.claim("ghost", 3, *(dollars(f"{number}c", here.now) for number in range(4)))
        await booked(here, host)
        await here.until(lambda: budget(here).spent == CAP + 80 * DOLLAR)


async def test_tokens_that_cost_little_are_bound_as_well(home: World) -> None:
    host = Liar()
    async with claiming(host, TOKENS) as here:
        for epoch in range(1, 21):
            lines = (
                Message(f"m{epoch}_{number}", "", here.now, "claude-opus-5-5", Usage(0, 0, 0, 0, 1_000_000))
                for number in range(60)
            )
            host.claim("ghost", epoch, *lines)
        await booked(here, host)
        await here.until(lambda: 0 < (budget(here).spent or 0) <= 500_000_000)


# --------------------------------------------------------------------------- what was granted


async def test_a_granted_run_cannot_have_spent_much_more_than_it_was_granted(home: World) -> None:
    host = Liar()
    async with claiming(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        grant = host.runners["a1", 1].grant
        assert grant is not None
        top = grant.allowance.billed or 0
        host.claim("a1", 1, *(dollars(f"{number}", here.now) for number in range(40)))
        await booked(here, host)
        await here.until(lambda: doubts(here))
        raised = max(given.allowance.billed or 0 for given in [grant, *host.grants])
        assert top <= (budget(here).spent or 0) <= 2 * raised + 5 * DOLLAR
        assert check(here.ledger) == []
    async with claiming(host, DAY) as here:
        before = budget(here).spent or 0
        host.claim("a1", 1, dollars("more", here.now))
        await booked(here, host)
        assert (budget(here).spent or 0) - before <= 2 * raised + 5 * DOLLAR, "the next engine knows the ceiling"


async def test_runs_that_have_ended_long_ago_have_no_bounds_of_their_own(home: World) -> None:
    host = Liar()
    async with claiming(host, "") as here:
        for number in range(10):
            assert await spawn(here, f"a{number}") == Result(Outcome.DONE)
        for number in range(10):
            host.agents[f"a{number}"] = replace(host.agents[f"a{number}"], state="done", ended=NOON)
        host.show()
        await here.until(lambda: all(here.agent(f"vm1/a{number}").has_ended for number in range(10)))
        here.now += 3 * HOUR
        await here.engine.wait_idle()
        for number in range(10):
            host.claim(f"a{number}", 1, *(dollars(f"{number}_{part}", NOON) for part in range(10)))
        await booked(here, host)
        spent = sum(here.agent(f"vm1/a{number}").spent or 0 for number in range(10))
        assert 0 < spent <= CAP


async def test_what_ended_runs_say_to_have_cost_holds_nothing_of_a_budget(home: World) -> None:
    host = Liar()
    names = [f"g{number}" for number in range(40)]
    async with claiming(host, DAY) as here:
        for name in names:
            running(host, name)
        host.show()
        await here.until(lambda: len(host.grants) >= len(names))
        for name in names:
            host.agents[name] = replace(host.agents[name], state="done", ended=NOON, run_spent=10**12)
        host.show()
        await here.until(lambda: all(here.agent(f"vm1/{name}").has_ended for name in names))
        here.engine.budgets.schedule()
        await here.engine.wait_idle()
        assert budget(here).granted <= 5 * DOLLAR
        assert await spawn(here, "a1") == Result(Outcome.DONE)


# --------------------------------------------------------------------------- honest hosts


async def test_an_honest_backlog_after_a_long_time_away_is_not_doubted(home: World) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        here.now += HOUR
        host.cut()
        host.reachable = False
        await here.until(lambda: here.link("vm1") is not LinkState.UP)
        began = here.now
        here.now += 60 * HOUR
        for agent in range(8):
            lines = [dollars(f"{agent}_{hour}", began + hour * HOUR + agent, 1) for hour in range(60)]
            host.claim(f"~work{agent}", agent + 1, *lines, session=f"{agent:08}-2222")
        host.reachable = True
        await here.up()
        await booked(here, host)
        assert doubts(here) == {}
        rows = here.ledger.read("select count(*), sum(pico) from usage where flags & 64 = 0")
        assert rows == [(480, 480 * PICO)]


async def test_many_agents_that_were_ordered_are_not_bound_as_one(home: World) -> None:
    host = Liar()
    async with claiming(host, "") as here:
        for number in range(12):
            assert await spawn(here, f"a{number}") == Result(Outcome.DONE)
            host.claim(f"a{number}", 1, *(dollars(f"{number}_{part}", here.now) for part in range(2)))
        await booked(here, host)
        await here.until(lambda: sum(here.agent(f"vm1/a{number}").spent or 0 for number in range(12)) == 480 * DOLLAR)
        assert doubts(here) == {}


async def test_a_transcript_that_is_read_anew_is_not_doubted(home: World) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        lines = [dollars(f"{number}", here.now) for number in range(4)]
        host.claim("~work", 7, *lines, session="11111111-2222")
        await booked(here, host)
        here.now += HOUR
        host.told.clear()
        host.cut()
        await here.until(lambda: host.told and host.is_booked)
        await here.engine.wait_idle()
        assert doubts(here) == {}
        assert here.ledger.read("select sum(messages) from spend") == [(4,)]


# --------------------------------------------------------------------------- more than anybody can look at


async def test_a_host_with_too_much_set_aside_waits_and_its_orders_go_on(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlroom.engine.budgets.doubts.MOST_OPEN", 20)
    host = Liar()
    async with claiming(host, BIG) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        host.claim("ghost", 1, *(dollars(f"{number}", here.now) for number in range(40)))
        await booked(here, host)
        await here.until(lambda: "nothing more" in "".join(doubts(here).values()))
        host.claim("ghost", 2, dollars("b", here.now))
        host.claim("a1", 1, dollars("own", here.now, 1))
        await here.until(lambda: here.agent("vm1/a1").spent == DOLLAR)
        assert not host.is_booked
        assert await here.order(SettleUsage(0, accept=False, of="vm1")) == Result(Outcome.DONE)
        await booked(here, host)


async def test_what_was_ordered_waits_too_once_twice_as_much_is_set_aside(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlroom.engine.budgets.doubts.MOST_OPEN", 10)
    host = Liar()
    async with claiming(host, DAY) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        host.claim("a1", 1, *(dollars(f"{number}", here.now) for number in range(40)))
        await booked(here, host)
        assert len(here.engine.spending.doubted) >= 20
        host.claim("a1", 1, dollars("more", here.now))
        await here.engine.wait_idle()
        assert not host.is_booked
        assert await here.order(SettleUsage(0, accept=False, of="vm1/a1")) == Result(Outcome.DONE)
        await booked(here, host)


# --------------------------------------------------------------------------- dates


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_host_that_reconnects_hourly_dates_nothing_out_of_the_day(home: World, ordered: bool) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        if ordered:
            assert await spawn(here, "a1") == Result(Outcome.DONE)
        else:
            host.claim("a1", 1, dollars("first", NOON, 1))
            await booked(here, host)
        for _ in range(30):
            here.now += HOUR - MINUTE
            host.cut()
            await here.until(lambda: here.link("vm1") is not LinkState.UP)
            await here.up()
            here.now += MINUTE
        here.engine.budgets.schedule()
        await here.until(lambda: budget(here).began > NOON)
        host.claim("a1", 1, dollars("late", NOON + 1, 2))
        await booked(here, host)
        await here.until(lambda: budget(here).spent == 2 * DOLLAR)


async def test_a_host_that_never_stays_cannot_date_back_for_ever(home: World) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        for _ in range(30):
            here.now += MINUTE
            host.cut()
            await here.until(lambda: here.link("vm1") is not LinkState.UP)
            await here.up()
            here.now += 24 * HOUR // 30
        here.engine.budgets.schedule()
        await here.until(lambda: budget(here).began > NOON)
        host.claim("ghost", 1, dollars("late", NOON + 1, 2))
        await booked(here, host)
        await here.until(lambda: budget(here).spent == 2 * DOLLAR)


async def test_what_was_used_while_the_link_was_lost_keeps_its_date(home: World) -> None:
    host = Liar()
    async with claiming(host, BIG) as here:
        assert await spawn(here, "a1") == Result(Outcome.DONE)
        host.cut()
        host.reachable = False
        await here.until(lambda: here.link("vm1") is not LinkState.UP)
        here.now += 30 * HOUR
        host.claim("a1", 1, dollars("then", NOON + HOUR, 2))
        host.reachable = True
        await here.up()
        await booked(here, host)
        assert here.ledger.read("select at from usage") == [(NOON + HOUR,)]
        assert budget(here).spent == 0
