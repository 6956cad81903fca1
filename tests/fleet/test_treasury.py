"""The treasury: what is gone of each budget is shown as soon as it is booked, in the operator's day."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controlroom.domain.budget import LADDER
from controlroom.fleet.home import find_home
from tests.fleet.rooms import Room, room
from tests.fleet.scripted import NOON
from tests.fleet.test_spending import Spender, message
from tests.lab.world import World

HOUR = 3_600_000
CONFIG = """local = false
[hosts.vm1]
address = "ann@vm1"
[money]
time_zone = "Asia/Kathmandu"
[budgets.day]
limit = "200"
[budgets.docs]
limit = "100"
period = "week"
scope = "profile docs"
unit = "covered"
[budgets.tokens]
limit = "4M"
unit = "tokens"
period = "hour"
"""


@pytest.fixture
def host() -> Spender:
    return Spender()


@pytest.fixture
async def here(home: World, host: Spender) -> AsyncIterator[Room]:
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(CONFIG)
    place.config.chmod(0o600)
    async with room(host) as made:
        yield made


async def test_what_is_gone_of_each_budget_is_shown(here: Room, host: Spender) -> None:
    await here.until(lambda: here.engine.fleet.budgets.get("day") and here.engine.fleet.budgets["day"].spent)
    day, docs, tokens = (here.engine.fleet.budgets[name] for name in ("day", "docs", "tokens"))
    assert (day.spent, day.limit, day.stop, day.reached) == (40_000_000, 200_000_000, 190_000_000, 0)
    assert day.ends - day.began == 24 * HOUR
    assert (day.began + 5 * HOUR + HOUR * 3 // 4) % (24 * HOUR) == 0
    assert day.rungs == LADDER
    assert (docs.spent, docs.ends - docs.began) == (0, 7 * 24 * HOUR)
    assert (tokens.spent, tokens.limit, tokens.percent) == (2_000_000, 4_000_000, 50.0)
    host.agents["a1"] = replace(host.agents["a1"], billing="plan")
    host.show()
    await here.until(lambda: here.agent("vm1/a1").billing == "plan")
    host.use(message(3), message(4, at=NOON - 2 * HOUR), message(5, at=NOON - 20 * HOUR))
    await here.until(lambda: here.engine.fleet.budgets["docs"].spent == 60_000_000)
    assert here.engine.fleet.budgets["day"].spent == 40_000_000
    assert here.engine.fleet.budgets["tokens"].spent == 3_000_000
    assert here.engine.fleet.budgets["tokens"].reached == 1
    here.now += HOUR
    host.use(message(6))
    await here.until(lambda: here.engine.fleet.budgets["tokens"].spent == 0)
