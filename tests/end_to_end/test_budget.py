"""Ten agents and a small daily budget: it holds with the engine alive, killed, and out of reach. The hosts say so."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from controlroom.domain.budgets import Budget, Rung, RungAction
from controlroom.domain.intents import InterruptAgent, SetBudget, SpawnAgent
from controlroom.domain.model import LinkState, State
from controlroom.domain.money.budget import BudgetRule
from controlroom.engine.catalogs.price_sheet import load
from controlroom.metering.prices import Sheet, micro
from controlroom.metering.usage import Message
from controlroom.metering.usage_file import from_line
from controlroom.runner.folder import state_folder
from tests.conftest import MakeHosts
from tests.faults.room import Room, room_of
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for_async

SPENDER = Path(__file__).parents[1] / "runner" / "spender.py"
CENT = 10_000
MESSAGE = 5 * CENT
"""What a message of the scripted Claudes costs, and a little that its prompt does."""

STOP = 300 * CENT
AGENTS = [f"a{number}" for number in range(10)]
BUSY = {"pace": 0.5, "output": 2500, "late": 0.2}


class Spent(NamedTuple):
    """What one run has spent, as its host has it."""

    state: str
    micro: int
    dearest: int


def truth(room: Room, host: Host, sheet: Sheet) -> dict[str, list[Spent]]:
    """Read every run out of the files of its host: states, and each message once, wherever it stands."""
    found: dict[str, list[Spent]] = {}
    seen: set[tuple[str, str]] = set()
    state = Path(state_folder({"HOME": str(host.home)}, room.place.namespace))
    for folder in sorted(state.glob("agents/*.*"), key=lambda folder: int(folder.suffix[1:])):
        status = state_of(folder / "status.json")
        costs = [micro(sheet.cost(message).pico) for message in messages(folder) if message.key not in seen]
        seen |= {message.key for message in messages(folder)}
        run = Spent(status, sum(costs), max(costs, default=0))
        found.setdefault(folder.name.rpartition(".")[0], []).append(run)
    return found


def state_of(path: Path) -> str:
    """A run's state; one that has only been claimed has none yet."""
    return str(json.loads(path.read_bytes())["state"]) if path.exists() else ""


def messages(folder: Path) -> Iterator[Message]:
    """Each message of a run's usage file, as its last line has it."""
    path = folder / "usage.jsonl"
    records = [from_line(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    yield from {record.key: record for record in records if isinstance(record, Message)}.values()


def total(runs: dict[str, list[Spent]]) -> int:
    return sum(run.micro for theirs in runs.values() for run in theirs)


def in_flight(runs: dict[str, list[Spent]]) -> int:
    """What a message of each agent may have added."""
    return sum(max(run.dearest for run in theirs) for theirs in runs.values())


def budget(room: Room) -> Budget:
    return room.client.fleet.budgets["day"]


def all_stopped(room: Room, host: Host, sheet: Sheet) -> bool:
    runs = truth(room, host, sheet)
    assert {name: theirs[-1].state for name, theirs in runs.items()} == dict.fromkeys(AGENTS, "paused")
    return True


@asynccontextmanager
async def spenders(host: Host, command: tuple[str, ...] = ()) -> AsyncIterator[tuple[Room, Sheet]]:
    """A room with a budget for the day, and ten agents that spend as fast as they may."""
    made = Room([host])
    made.place.prepare()
    work = json.dumps([*(command or (sys.executable, str(SPENDER), json.dumps(BUSY)))])
    made.place.config.write_text(
        f'local = false\n[hosts.{host.name}]\naddress = "{host.name}"\n'
        f'[profiles.busy]\ncommand = {work}\nenv = {{ ANTHROPIC_API_KEY = "k" }}\n'
    )
    made.place.config.chmod(0o600)
    async with room_of([host]) as room:
        rule = BudgetRule("day", STOP, rungs=(Rung(50, RungAction.NOTIFY), Rung(100, RungAction.PAUSE)))
        assert (await room.client.submit(SetBudget(rule))).ok
        yield room, load(room.place)


async def start(room: Room, task: str = "spend", profile: str = "busy") -> None:
    for name in AGENTS:
        outcome = await room.client.submit(SpawnAgent(name, task, "vm1", profile=profile, cwd="project"))
        assert outcome.ok, outcome.reason


async def some_is_spent(room: Room) -> None:
    await room.until(lambda: (budget(room).spent or 0) > STOP // 6, 60, "a sixth to be spent")


def holds(room: Room, host: Host, sheet: Sheet, least: int) -> None:
    """Not more than the stop line, and a message in flight each; not much less than there was to spend."""
    runs = truth(room, host, sheet)
    assert len(runs) == len(AGENTS)
    assert least <= total(runs) <= STOP + in_flight(runs), runs


@pytest.fixture
def vm1(home: object, ssh_hosts: MakeHosts) -> Host:
    (host,) = ssh_hosts(1)
    (host.home / "project").mkdir()
    return host


@pytest.mark.long
async def test_the_engine_alive(vm1: Host) -> None:
    async with spenders(vm1) as (room, sheet):
        await start(room)

        async def most_have_a_way() -> bool:
            ways = (await room.client.runways()).ways
            assert {way.agent for way in ways} <= {f"vm1/{name}" for name in AGENTS}
            assert all(0 <= way.left <= STOP // 2 and way.until for way in ways)
            return len(ways) > len(AGENTS) // 2

        await wait_for_async(most_have_a_way, 30, "most of them to have a way to go")
        await room.until(lambda: "budget day" in room.client.fleet.alarms, 60, "half of it to be gone")
        await wait_for_async(lambda: all_stopped(room, vm1, sheet), 90, "all to be paused")
        await room.until(lambda: {agent.state for agent in room.client.fleet.agents.values()} == {State.PAUSED})
        holds(room, vm1, sheet, STOP * 8 // 10)
        await room.until(lambda: budget(room).spent == total(truth(room, vm1, sheet)), 30, "all to be booked")
        on_top = in_flight(truth(room, vm1, sheet))
        await room.until(lambda: budget(room).granted <= on_top, 30, "no more to be granted")


async def test_the_engine_killed(vm1: Host) -> None:
    async with spenders(vm1) as (room, sheet):
        await start(room)
        await some_is_spent(room)
        await room.kill_engine()
        await wait_for_async(lambda: all_stopped(room, vm1, sheet), 90, "all to be paused by their runners alone")
        holds(room, vm1, sheet, STOP // 6)
        alone = total(truth(room, vm1, sheet))
        await room.connect()
        await room.up()
        await room.until(lambda: (budget(room).spent or 0) >= alone, 30, "what was spent meanwhile to be booked")
        await wait_for_async(lambda: all_stopped(room, vm1, sheet), 90, "what was left to be spent, too")
        holds(room, vm1, sheet, STOP // 6)


async def test_the_link_cut(vm1: Host) -> None:
    async with spenders(vm1) as (room, sheet):
        await start(room)
        await some_is_spent(room)
        vm1.stop()
        await room.link("vm1", LinkState.LOST, LinkState.CONNECTING)
        await wait_for_async(lambda: all_stopped(room, vm1, sheet), 90, "all to be paused by their runners alone")
        shown, runs = budget(room), truth(room, vm1, sheet)
        holds(room, vm1, sheet, STOP // 6)
        assert total(runs) <= (shown.spent or 0) + shown.granted + in_flight(runs), "home knew what could be spent"
        vm1.start()
        await room.up()
        await room.until(lambda: (budget(room).spent or 0) >= total(runs), 30, "what was spent meanwhile to be booked")
        await wait_for_async(lambda: all_stopped(room, vm1, sheet), 90, "what was left to be spent, too")
        holds(room, vm1, sheet, STOP // 6)


WORK = '[[tool Read {"file_path":"notes.txt"}]]' * 200
"""More than any of ten may spend of the budget: forty messages are a quarter of a dollar."""


async def test_real_claudes_with_the_engine_killed(
    vm1: Host, api: Api, claude_home: Callable[..., Path], claude: Path
) -> None:
    claude_home(vm1.home, api)
    api.configure(first_delay=0.3)
    async with spenders(vm1, (str(claude),)) as (room, sheet):
        await start(room, WORK)
        await some_is_spent(room)
        await room.kill_engine()
        await wait_for_async(lambda: all_stopped(room, vm1, sheet), 90, "all to be paused by their runners alone")
        holds(room, vm1, sheet, STOP // 6)
        await room.connect()


LOOK = json.dumps(
    {"description": "look", "prompt": "[[hang 600]]", "subagent_type": "general-purpose", "run_in_background": False}
)
BELOW = f'[[tool Read {{"file_path":"notes.txt"}}]] [[tools Agent {LOOK} ;; Agent {LOOK}]]'
"""A message, and one that calls two subagents at once, who are never answered."""


async def test_what_may_come_on_top_counts_the_subagents_of_a_real_claude(
    vm1: Host, api: Api, claude_home: Callable[..., Path], claude: Path
) -> None:
    claude_home(vm1.home, api)
    async with spenders(vm1, (str(claude),)) as (room, sheet):

        def may_come_on_top(messages: int) -> bool:
            """So many messages, each as dear as the dearest that was ever paid."""
            (run,) = truth(room, vm1, sheet)["a0"]
            return run.dearest > 0 and budget(room).overshoot == messages * run.dearest

        outcome = await room.client.submit(SpawnAgent("a0", BELOW, "vm1", profile="busy", cwd="project"))
        assert outcome.ok, outcome.reason
        await room.until(lambda: may_come_on_top(3), 60, "a message of the agent and of two subagents")
        await wait_for_async(lambda: len({asked["agent"] for asked in api.requests(main=True)} - {""}) == 2)
        await room.until(lambda: room.agent("vm1/a0").subagents == 2)
        assert (await room.client.submit(InterruptAgent("vm1/a0", 1))).ok
        await room.until(lambda: may_come_on_top(1), 60, "its subagents to be stopped with it")
