"""The engine is killed with -9 at every step of an agent's going on under a runner: never two, and never none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.engine.ledger.ledger import Connect, connect
from tests.engine.crashing import ended_at_every_step
from tests.engine.rooms import room
from tests.engine.strangers import MARK, StrangersOnDisk, other

pytestmark = [pytest.mark.usefixtures("home"), pytest.mark.timeout(400)]  # seconds; a process for each step

ID = "vm1/~agent-1"


async def scenario(folder: Path, opener: Connect) -> None:
    async with room(StrangersOnDisk(folder, other()), opener=opener) as here:
        await here.until(lambda: ID in here.engine.store.fleet.agents)
        await here.order(intents.AdoptAgent(ID, MARK, "api-1", restart=True))
        await here.engine.wait_idle()


async def look_again(folder: Path) -> list[str]:
    async with room(StrangersOnDisk(folder, other())) as here:
        await here.engine.wait_idle()
        return [agent.id for agent in here.engine.store.fleet.agents.values() if agent.pending]


def check(folder: Path, step: int) -> str:
    assert asyncio.run(look_again(folder)) == [], f"step {step}: still on their way"
    host = StrangersOnDisk(folder, other())
    before = [agent.name for agent in host.others.values() if not agent.ended]
    after = [agent.name for agent in host.agents.values() if agent.state == "working"]
    assert len(before) + len(after) == 1, f"step {step}: {before} and {after}"
    asked = host.asked.read_text().splitlines() if host.asked.exists() else []
    assert sum(line.startswith("Spawn") for line in asked) <= 1, f"step {step}: {asked}"
    database = connect(folder / "room" / "ledger.db")
    assert database.execute("select * from orders where outcome is null").fetchall() == []
    database.close()
    kept = folder / "room" / "moves"
    assert not kept.exists() or not [file for file in kept.iterdir() if file.suffix == ".json"], f"step {step}"
    return "".join(before + after)


def test_killed_at_every_step_of_a_restart_one_is_at_work(
    stride: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ended_at_every_step(tmp_path, monkeypatch, True, scenario, stride)
    ends = {check(folder, step) for step, folder in steps}
    assert ends == {"~agent-1", "api-1"}, "the scenario has become too short to mean anything"
