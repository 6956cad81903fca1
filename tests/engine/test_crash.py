"""The engine is killed with -9 at every step of its ledger and started again: the truth is looked up, never guessed.

The host is a scripted one whose truth lies in a file, as a real host's outlives the engine.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.domain.model import Fleet, State
from controlroom.engine.ledger.ledger import Connect, connect
from tests.engine.crashing import OnDisk, ended_at_every_step
from tests.engine.rooms import room

pytestmark = [pytest.mark.usefixtures("home"), pytest.mark.timeout(400)]  # seconds; a process for each step


async def scenario(folder: Path, opener: Connect) -> None:
    """What an operator does: two agents, one of them ended, the other given a new task."""
    async with room(OnDisk(folder), opener=opener) as here:
        await here.order(intents.SpawnAgent("a1", "one", "vm1"))
        await here.order(intents.SpawnAgent("a2", "two", "vm1"))
        await here.order(intents.KillAgent("vm1/a1", 1))
        await here.order(intents.ReassignAgent("vm1/a2", 1, "three"))
        await here.engine.wait_idle()


async def look_again(folder: Path) -> Fleet:
    async with room(OnDisk(folder)) as here:
        await here.engine.wait_idle()
        return here.engine.store.fleet


def check(folder: Path, step: int) -> None:
    fleet = asyncio.run(look_again(folder))
    host = OnDisk(folder)
    there = {name: seen.epoch for name, seen in host.agents.items()}
    shown = {agent.name: agent.epoch for agent in fleet.agents.values()}
    told = {agent.name for agent in fleet.agents.values() if "did not get the order" in agent.detail}
    assert {name: epoch for name, epoch in shown.items() if name not in told} == there, (
        f"step {step}: the host's agents"
    )
    assert all(fleet.agents[f"vm1/{name}"].state is State.FAILED for name in told - set(there))
    assert not [agent for agent in fleet.agents.values() if agent.pending], f"step {step}: nothing is left pending"
    database = connect(folder / "room" / "ledger.db")
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    assert database.execute("select * from orders where outcome is null").fetchall() == []
    written = set(database.execute("select agent, epoch from orders where verb in ('spawn', 'reassign')").fetchall())
    known = dict(database.execute("select name, epoch from agents").fetchall())
    database.close()
    asked = host.asked.read_text().splitlines() if host.asked.exists() else []
    started = [tuple(line.split()[1:]) for line in asked if line.startswith("Spawn")]
    assert {(name, int(epoch)) for name, epoch in started} <= written, f"step {step}: written down before it was sent"
    assert len(started) == len(set(started)), f"step {step}: no agent was started twice"
    assert known == shown


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_step_the_engine_comes_back_to_the_truth(
    after: bool, stride: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 0
    for step, folder in ended_at_every_step(tmp_path, monkeypatch, after, scenario, stride):
        check(folder, step)
    assert step > 20, "the scenario has become too short to mean anything"
