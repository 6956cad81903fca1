"""Use that cannot be true: set aside with an alarm, counted as far as it may be, and settled by a person."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from controlroom.domain.intents import SetBudget, SettleUsage
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.orders import Result
from controlroom.engine.ledger.ledger import check
from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Report, to_line
from controlroom.text.states import Outcome
from controlroom.wire.usage import UsagePlace, UsageSeen
from tests.engine.budgeted import Spender, message
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON
from tests.lab.world import World

MINUTE = 60_000
RUN = "0123456789abcde"


def forged(number: int, tokens: int = 10**12) -> Message:
    return message(number)._replace(usage=Usage(tokens))


@pytest.fixture
def host() -> Spender:
    made = Spender()
    made.file = ""
    return made


@pytest.fixture
async def here(home: World, host: Spender) -> AsyncIterator[Room]:
    async with room(host) as made:
        yield made


def alarms(here: Room) -> list[str]:
    return [alarm.text for about, alarm in here.engine.store.fleet.alarms.items() if about.startswith("doubt ")]


async def spent(here: Room, micro: int) -> None:
    await here.until(lambda: here.agent("vm1/a1").spent == micro, f"{micro} is spent")


async def test_one_forged_line_counts_as_one_message_until_it_is_struck(here: Room, host: Spender) -> None:
    host.use(message(1, output=50_000))
    await spent(here, 1_000_000)
    host.use(forged(2))
    await spent(here, 5_000_000)
    await here.until(lambda: alarms(here))
    assert "vm1/a1: " in alarms(here)[0]
    assert "$4.00 of it counts until somebody has looked" in alarms(here)[0]
    (claim,) = here.engine.spending.doubted
    assert (claim.tokens, claim.counted_micro) == (10**12, 4_000_000)
    assert check(here.ledger) == []

    assert await here.order(SettleUsage(claim.id, accept=False)) == Result(Outcome.DONE)
    await spent(here, 1_000_000)
    await here.until(lambda: not alarms(here))
    assert check(here.ledger) == []
    await here.engine.wait_idle()
    (line,) = here.ledger.audit(text="ledger strike")
    assert (line.who, line.target, line.outcome) == ("ann (test)", "vm1/a1", "done")
    assert "number 1: " in line.reason


async def test_a_budget_is_free_again_when_the_line_is_struck(here: Room, host: Spender) -> None:
    assert await here.order(SetBudget(BudgetRule("day", 3_000_000))) == Result(Outcome.DONE)
    host.use(forged(2))
    await here.until(lambda: here.engine.store.fleet.budgets["day"].spent == 4_000_000)
    assert await here.order(SettleUsage(1, accept=False)) == Result(Outcome.DONE)
    await here.until(lambda: here.engine.store.fleet.budgets["day"].spent == 0)


async def test_what_was_struck_stays_struck_whoever_sends_it_again(home: World, host: Spender) -> None:
    async with room(host) as first:
        host.use(forged(2))
        await first.until(lambda: alarms(first))
        assert await first.order(SettleUsage(1, accept=False)) == Result(Outcome.DONE)
        host.use(forged(2), forged(2, 10**13), message(3, output=50_000))
        await spent(first, 1_000_000)
        assert not alarms(first)
    async with room(host) as second:
        host.use(forged(2), message(4, output=50_000))
        await spent(second, 2_000_000)
        assert not alarms(second)


async def test_what_is_open_is_told_by_the_next_engine(home: World, host: Spender) -> None:
    async with room(host) as first:
        host.use(forged(2))
        await first.until(lambda: alarms(first))
    async with room(host) as second:
        await second.until(lambda: alarms(second))
        assert await second.order(SettleUsage(1, accept=False)) == Result(Outcome.DONE)
        await spent(second, 0)


async def test_what_is_accepted_counts_as_claimed(here: Room, host: Spender) -> None:
    host.use(forged(2, 10_000_000))
    await spent(here, 4_000_000)
    await here.until(lambda: alarms(here))
    assert await here.order(SettleUsage(1, accept=True)) == Result(Outcome.DONE)
    await spent(here, 40_000_000)
    assert check(here.ledger) == []
    settled = await here.order(SettleUsage(1, accept=False))
    assert (settled.outcome, settled.reason.startswith("1: it was accepted already")) == ("refused", True)


async def test_what_no_message_can_hold_can_only_be_struck(here: Room, host: Spender) -> None:
    host.use(forged(2))
    await here.until(lambda: alarms(here))
    refused = await here.order(SettleUsage(1, accept=True))
    assert (refused.outcome, refused.reason) == ("refused", "1: no message can have used that much: strike it")
    assert (await here.order(SettleUsage(7, accept=True))).outcome == "refused"


@pytest.mark.parametrize("forged_first", [False, True])
async def test_nobody_gets_rid_of_a_bill_by_forging_over_it(here: Room, host: Spender, forged_first: bool) -> None:
    lines = [message(2, output=50_000), forged(2)]
    for line in reversed(lines) if forged_first else lines:
        host.use(line)
        await here.until(lambda: host.booked and host.booked[-1].offset == len(host.file))
    await spent(here, 4_000_000)
    await here.until(lambda: alarms(here))
    assert await here.order(SettleUsage(1, accept=False)) == Result(Outcome.DONE)
    await spent(here, 1_000_000)
    assert check(here.ledger) == []


async def test_many_lines_at_once_count_as_far_as_the_time_allows(here: Room, host: Spender) -> None:
    await here.engine.wait_idle()
    here.now += 10 * MINUTE
    host.use(message(1, output=1_000, at=here.now))
    await here.until(lambda: host.booked and host.booked[-1].offset == len(host.file))
    started = here.agent("vm1/a1").spent or 0
    here.now += MINUTE
    for number in range(2, 42):
        host.use(message(number, output=1_000_000, at=here.now))
        await here.until(lambda: host.booked[-1].offset == len(host.file))
    await here.engine.wait_idle()
    await here.until(lambda: alarms(here))
    counted = (here.agent("vm1/a1").spent or 0) - started
    assert 0 < counted <= 20 * (4_000_000 + 200_000 * 12), "40 million tokens were claimed: $800"
    for one in here.engine.spending.doubted:
        assert await here.order(SettleUsage(one.id, accept=False)) == Result(Outcome.DONE)
    await here.until(lambda: not alarms(here))
    assert check(here.ledger) == []


async def test_what_claude_reports_beyond_its_messages_is_bounded_too(here: Room, host: Spender) -> None:
    start = len(host.file)
    host.file += to_line(Report(RUN, 5_000 * DOLLAR, NOON)).decode()
    for channel in tuple(host.channels):
        host.send_from(channel, start)
    await here.until(lambda: alarms(here))
    (claim,) = here.engine.spending.doubted
    assert claim.claimed_micro == 5_000_000_000
    await spent(here, claim.counted_micro)
    assert claim.counted_micro < 1_000_000_000
    assert await here.order(SettleUsage(claim.id, accept=False)) == Result(Outcome.DONE)
    await spent(here, 0)
    assert check(here.ledger) == []
    host.use(message(3, output=50_000)._replace(run=RUN))
    await spent(here, 1_000_000)


async def test_a_file_that_was_emptied_is_told(here: Room, host: Spender) -> None:
    host.use(message(1, output=50_000))
    await spent(here, 1_000_000)
    for channel in tuple(host.channels):
        channel.say(UsageSeen(UsagePlace("a1", 1, 0), 0, "", lost=True))
    await here.until(lambda: "lost vm1/a1" in here.engine.store.fleet.alarms)
    assert "emptied, cut short or replaced" in here.engine.store.fleet.alarms["lost vm1/a1"].text
    await here.until(lambda: host.booked[-1] == UsagePlace("a1", 1, 0))
    assert here.agent("vm1/a1").spent == 1_000_000, "what is booked stays"


async def test_lines_that_cannot_be_read_are_told(here: Room, host: Spender) -> None:
    start = len(host.file)
    host.file += "not json\n"
    for channel in tuple(host.channels):
        host.send_from(channel, start)
    await here.until(lambda: "usage vm1/a1" in here.engine.store.fleet.alarms)
    assert "1 lines of its usage cannot be read" in here.engine.store.fleet.alarms["usage vm1/a1"].text
