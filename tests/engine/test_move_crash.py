"""The engine is killed with -9 at every step of a move and started again: one agent lives in the end, never two."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.engine.ledger.ledger import Connect, connect
from controlroom.wire import messages as wire
from controlroom.wire.codec import decode, encode
from controlroom.wire.inquiries import ReadSpec, SpecRead
from controlroom.wire.spec import AgentSpec
from tests.engine.crashing import OnDisk, ended_at_every_step
from tests.engine.rooms import room

pytestmark = [pytest.mark.usefixtures("home"), pytest.mark.timeout(400)]  # seconds; a process for each step

TASK = "two\nlines"


class Remembering(OnDisk):
    """A host on disk that also remembers how its agents were to be run."""

    def __init__(self, name: str, folder: Path) -> None:
        place = folder / name
        place.mkdir(exist_ok=True)
        super().__init__(place)
        self.name = name

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, wire.Spawn):
            (self.file.parent / f"{message.name}.{message.epoch}").write_text(
                json.dumps({"spec": encode(message.spec), "task": message.task})
            )
        return super().act(message)

    def read_spec(self, asked: ReadSpec) -> SpecRead:
        told = json.loads((self.file.parent / f"{asked.name}.{asked.epoch}").read_text())
        return SpecRead(asked.id, decode(AgentSpec, told["spec"]), told["task"])

    @property
    def live(self) -> list[str]:
        return [f"{self.name}/{seen.name}" for seen in self.agents.values() if seen.state == "working"]


def hosts(folder: Path) -> tuple[Remembering, Remembering]:
    return Remembering("vm1", folder), Remembering("vm2", folder)


async def scenario(folder: Path, opener: Connect) -> None:
    async with room(*hosts(folder), opener=opener) as here:
        await here.order(intents.SpawnAgent("a1", TASK, "vm1"))
        await here.order(intents.ReassignAgent("vm1/a1", 1, "", host="vm2"))
        await here.engine.wait_idle()


async def look_again(folder: Path) -> list[str]:
    async with room(*hosts(folder)) as here:
        await here.engine.wait_idle()
        pending = [agent.id for agent in here.engine.store.fleet.agents.values() if agent.pending]
        return [f"pending: {one}" for one in pending]


def check(folder: Path, step: int) -> str:
    assert asyncio.run(look_again(folder)) == [], f"step {step}"
    vm1, vm2 = hosts(folder)
    asked = [host.asked.read_text().splitlines() if host.asked.exists() else [] for host in (vm1, vm2)]
    live = vm1.live + vm2.live
    begun = any(line.startswith("Spawn") for line in asked[0])
    assert len(live) == begun, f"step {step}: {live}, asked {asked}"
    if vm2.live:
        assert any(line.startswith("Kill") for line in asked[0]), f"step {step}: ended before it was started elsewhere"
        assert json.loads((vm2.file.parent / "a1.1").read_text())["task"] == TASK
    database = connect(folder / "room" / "ledger.db")
    assert database.execute("select * from orders where outcome is null").fetchall() == []
    database.close()
    kept = folder / "room" / "moves"
    assert not kept.exists() or not [file for file in kept.iterdir() if file.suffix == ".json"], f"step {step}"
    return "".join(live)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_step_of_a_move_one_agent_lives(
    after: bool, stride: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ended_at_every_step(tmp_path, monkeypatch, after, scenario, stride)
    ends = {check(folder, step) for step, folder in steps}
    assert ends == {"", "vm1/a1", "vm2/a1"}, "the scenario has become too short to mean anything"
