"""A real engine, real links, hosts that tear: whatever happens, never more is spent than the stop line and a message.

Each story is random by its seed: agents work, links are cut, grants and answers are lost, engines end
and come back, agents are ended and begun anew, the budget is raised and lowered, days pass.
"""

from __future__ import annotations

import os
import random

import pytest

from controlroom.domain.budgets import Budget, Rung, RungAction
from controlroom.domain.intents import Intent, KillAgent, ReassignAgent, SetBudget, SpawnAgent
from controlroom.domain.money.budget import BudgetRule
from controlroom.engine import background_tasks
from controlroom.metering.usage import Message
from controlroom.metering.usage_file import from_line
from controlroom.protocol.home import find_home
from tests.engine.granted import CENT, Payer
from tests.engine.rooms import Room, room
from tests.lab.world import World

DOLLAR = 1_000_000
STOP = 10 * DOLLAR
MESSAGE = 5 * CENT
STEPS = 120


def day_of(here: Room) -> Budget:
    return here.engine.store.fleet.budgets["day"]


def spent_since(hosts: list[Payer], began: int) -> int:
    """What hosts have really spent in a period, whatever home knows."""
    lines = [line for host in hosts for run in host.runners.values() for line in run.file.encode().split()]
    records = [record for record in map(from_line, lines) if isinstance(record, Message)]
    return sum(record.usage.output * 20 for record in records if record.at >= began)


async def looked(here: Room) -> None:
    """Let the budget controller look at what has happened."""
    desk = here.engine.budgets
    desk.schedule()
    await here.until(lambda: not desk.behind)


def meets(host: Payer, what: str, dice: random.Random) -> None:
    """Something happens to a host."""
    match what:
        case "work":
            for name in list(host.agents) * dice.randrange(12):
                host.work(name, MESSAGE)
        case "cut":
            host.cut()
            host.reachable = dice.random() < 0.5
        case "deaf":
            host.deaf = not host.deaf
        case "mute":
            host.mute = not host.mute
        case "calm":
            host.reachable, host.deaf, host.mute = True, False, False


def wish(here: Room, host: Payer, dice: random.Random) -> Intent:
    """Somebody wants something."""
    agents = [agent for agent in here.engine.store.fleet.agents.values() if agent.host == host.name]
    limit = dice.choice([STOP // 2, STOP])
    wishes: list[Intent] = [SpawnAgent(f"a{dice.randrange(6)}", "work", host.name)] * 2
    wishes.append(SetBudget(BudgetRule("day", limit, rungs=(Rung(100, RungAction.PAUSE),))))
    if agents:
        agent = dice.choice(agents)
        wishes.append(KillAgent(agent.id, agent.epoch))
        wishes.append(ReassignAgent(agent.id, agent.epoch, "more", keep_session=True))
    return dice.choice(wishes)


async def step(here: Room, hosts: list[Payer], dice: random.Random) -> None:
    host = dice.choice(hosts)
    match dice.choice(["work"] * 8 + ["cut", "deaf", "mute", "calm", "time"] + ["wish"] * 5):
        case "time":
            here.now += dice.choice([60_000, 3_600_000, 6 * 3_600_000])
        case "wish":
            await here.engine.submit(wish(here, host, dice), "ann")
        case what:
            meets(host, what, dice)


@pytest.mark.parametrize("story", [0, 1, 2, *(pytest.param(story, marks=pytest.mark.long) for story in range(3, 20))])
async def test_a_stop_line_is_a_stop_line(home: World, seed: int, story: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_tasks, "SOON", 0.003)
    dice = random.Random(f"{seed}:{story}")
    hosts = [Payer("vm1"), Payer("vm2")]
    place = find_home(os.environ)
    place.prepare()
    tables = "".join(f'[hosts.{host.name}]\naddress = "ann@{host.name}"\n' for host in hosts)
    place.config.write_text(f'local = false\n[money]\ntime_zone = "UTC"\n{tables}')
    place.config.chmod(0o600)
    now = None
    for life in range(3):
        async with room(*hosts, up=life == 0) as here:
            here.now = now or here.now
            for host in hosts:
                host.clock = lambda: here.now
            if life == 0:
                await here.order(SetBudget(BudgetRule("day", STOP, rungs=(Rung(100, RungAction.PAUSE),))))
            for _ in range(STEPS // 3):
                await step(here, hosts, dice)
                if dice.random() < 0.7:
                    await looked(here)
                began = day_of(here).began
                flying = MESSAGE * sum(len(host.agents) for host in hosts)
                assert spent_since(hosts, began) <= STOP + flying, f"story {story} of seed {seed}"
            now = here.now
