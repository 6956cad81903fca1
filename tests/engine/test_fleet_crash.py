"""The engine is killed with -9 at steps of its ledger while a fleet file is applied: it comes right, and once.

Every third step, every one with --long.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.domain.fleet_files import AgentEntry, AgentWish, FleetFile, FleetTask
from controlroom.domain.tasks import Source, TaskWish
from controlroom.engine.ledger.ledger import Connect
from controlroom.text.host_sample import HostSample
from tests.engine.crashing import OnDisk, ended_at_every_step
from tests.engine.rooms import room
from tests.engine.scripted import GIB, NOON, ScriptedChannel

pytestmark = [pytest.mark.usefixtures("home"), pytest.mark.timeout(400)]  # seconds; a process for each step

CONFIG = """
local = false
[queue]
stagger_seconds = 0
[profiles.docs]
[hosts.vm1]
address = "ann@vm1"
"""


class Roomy(OnDisk):
    """It says what memory it has."""

    def tell_all(self, channel: ScriptedChannel) -> None:
        channel.say(HostSample(NOON, memory_used=GIB, memory_total=4 * GIB, disk_free=100 * GIB))
        super().tell_all(channel)


def file_of(*texts: str, tasks: int = 0) -> FleetFile:
    agents = tuple(AgentWish(AgentEntry(f"a{number}", "docs"), text) for number, text in enumerate(texts, 1))
    added = tuple(
        FleetTask(TaskWish(text=f"task {number}", key=f"k{number}", source=Source.FILE)) for number in range(tasks)
    )
    return FleetFile("site", agents, added)


FIRST, SECOND = file_of("one", "two", tasks=1), file_of("one", "two, anew")


async def scenario(folder: Path, opener: Connect) -> None:
    """A file is applied, then another state of it: one agent begins anew, and the task goes."""
    config = folder / "room" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    if not config.exists():
        config.write_text(CONFIG)
        config.chmod(0o600)
    async with room(Roomy(folder), opener=opener) as here:
        for file in (FIRST, SECOND):
            await here.order(intents.ApplyFleet(file))
            await here.engine.wait_idle()


async def look_again(folder: Path) -> tuple[list[str], list[str]]:
    """Begin anew, and say what is at work and what is not as it was applied; nothing is done about it by a person."""
    async with room(Roomy(folder)) as here:
        await here.engine.wait_idle()
        if not here.engine.store.fleet.fleets:
            return [], []  # it was killed before anything was on the disk
        drift = await here.engine.fleets.drifted("site")
        live = [agent.name for agent in here.engine.store.fleet.agents.values() if agent.lives]
        return sorted(live), [f"{change.name} {change.drift} {change.why}" for change in drift.changes]


def check(folder: Path, step: int) -> int:
    """See that all is as it was applied; the number of agents at work."""
    live, drift = asyncio.run(look_again(folder))
    host = Roomy(folder)
    asked = host.asked.read_text().splitlines() if host.asked.exists() else []
    starts = [line for line in asked if line.startswith("Spawn")]
    assert drift == [], f"step {step}"
    assert live in ([], ["a1", "a2"], ["a1", "a2", "task-0-t1"]), f"step {step}"
    assert len(starts) == len(set(starts)), f"step {step}: no run was started twice"
    unchanged = [line for line in starts if line.startswith("Spawn a1 ")]
    assert len(unchanged) == bool(live), f"step {step}: what does not change is begun once"
    return len(live)


def test_killed_at_any_step_a_fleet_file_is_seen_through_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    steps = ended_at_every_step(tmp_path, monkeypatch, True, scenario, stride)
    counts = [check(folder, step) for step, folder in steps if (folder / "room" / "config.toml").exists()]
    assert set(counts) == {0, 2, 3}, "the scenario has become too short to mean anything"
