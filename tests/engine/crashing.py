"""An engine that is killed at a step of its ledger, and hosts whose truth outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from controlroom.engine import background_tasks
from controlroom.engine.budgets import controller
from controlroom.engine.ledger.ledger import Connect
from controlroom.engine.limits import limit_tracker
from controlroom.wire import messages as wire
from controlroom.wire.codec import decode, encode
from tests.engine.scripted import ScriptedHost


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


Play = Callable[[Path, Connect], Coroutine[None, None, None]]


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


def killed_at_every_step(
    place: Path, patch: pytest.MonkeyPatch, after: bool, play: Play, stride: int = 1
) -> Iterator[tuple[int, Path]]:
    """Play a scenario till it comes to its end, `stride` steps further each time; give the step and what it leaves."""
    for module in (background_tasks, controller, limit_tracker):
        patch.setattr(module, "SOON", 0.005)  # seconds for which an idle engine gathers what happens: none is needed
    step, died = 0, True
    while died:
        step += stride
        folder = place / f"{step}"
        folder.mkdir()
        patch.setenv("CONTROLROOM_HOME", str(folder / "room"))
        died = in_a_child(folder, step, after, play)
        yield step, folder
