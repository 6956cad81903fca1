"""The engine is killed with -9 at every step of its ledger and started again: the truth is looked up, never guessed.

The host is a scripted one whose truth lies in a file, as a real host's outlives the engine.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.domain.model import Fleet, State
from controlroom.engine import background_tasks
from controlroom.engine.budgets import controller
from controlroom.engine.ledger.ledger import Connect, connect
from controlroom.engine.limits import limit_tracker
from controlroom.wire import messages as wire
from controlroom.wire.codec import decode, encode
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedHost

pytestmark = [pytest.mark.usefixtures("home"), pytest.mark.timeout(400)]  # seconds; a process for each step


class OnDisk(ScriptedHost):
    """A host whose agents lie in a file, and what it was asked in another."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file, self.asked = folder / "agents.json", folder / "asked"
        if self.file.exists():
            seen = json.loads(self.file.read_text())
            self.agents = {name: decode(wire.AgentSeen, value) for name, value in seen.items()}

    def act(self, message: wire.ToNode) -> wire.Reply:
        with open(self.asked, "a") as asked:
            asked.write(f"{type(message).__name__} {getattr(message, 'name', '')} {getattr(message, 'epoch', '')}\n")
        reply = super().act(message)
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(encode(self.agents)))
        beside.replace(self.file)
        return reply


class Killed:
    """Opens a ledger that takes its process with it at one statement, before or after it is carried out.

    Of a transaction only its begin and its commit count: whatever is in it, the disk has none of it before the commit.
    """

    def __init__(self, step: int, after: bool) -> None:
        self.step, self.after = step, after

    def __call__(self, path: Path) -> sqlite3.Connection:
        killed = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                inside = self.in_transaction and not sql.startswith("commit")
                killed.step -= not inside
                now = killed.step == 0 and not inside
                if now and not killed.after:
                    os.kill(os.getpid(), signal.SIGKILL)
                cursor = super().execute(sql, *values)  # type: ignore[arg-type]
                if now:
                    os.kill(os.getpid(), signal.SIGKILL)
                return cursor

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)


async def scenario(folder: Path, opener: Connect) -> None:
    """What an operator does: two agents, one of them ended, the other given a new task."""
    async with room(OnDisk(folder), opener=opener) as here:
        await here.order(intents.SpawnAgent("a1", "one", "vm1"))
        await here.order(intents.SpawnAgent("a2", "two", "vm1"))
        await here.order(intents.KillAgent("vm1/a1", 1))
        await here.order(intents.ReassignAgent("vm1/a2", 1, "three"))
        await here.engine.wait_idle()


Play = Callable[[Path, Connect], Coroutine[None, None, None]]


async def look_again(folder: Path) -> Fleet:
    async with room(OnDisk(folder)) as here:
        await here.engine.wait_idle()
        return here.engine.store.fleet


def in_a_child(folder: Path, step: int, after: bool, play: Play) -> bool:
    """Play a scenario in a process that dies at a step; False when it came to its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(play(folder, Killed(step, after)))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), f"step {step}: the engine failed by itself"
    return status != 0


def killed_at_every_step(place: Path, patch: pytest.MonkeyPatch, after: bool, play: Play) -> Iterator[tuple[int, Path]]:
    """Play a scenario till it comes to its end, a step further each time; give the step and what it leaves."""
    for module in (background_tasks, controller, limit_tracker):
        patch.setattr(module, "SOON", 0.005)  # seconds for which an idle engine gathers what happens: none is needed
    step, died = 0, True
    while died:
        step += 1
        folder = place / f"{step}"
        folder.mkdir()
        patch.setenv("CONTROLROOM_HOME", str(folder / "room"))
        died = in_a_child(folder, step, after, play)
        yield step, folder


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
    after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 0
    for step, folder in killed_at_every_step(tmp_path, monkeypatch, after, scenario):
        check(folder, step)
    assert step > 20, "the scenario has become too short to mean anything"
