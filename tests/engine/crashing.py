"""An engine that is killed or told to end at a step of its ledger, and hosts whose truth outlives it."""

from __future__ import annotations

import asyncio
import itertools
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


TOLD = 3
"""The exit code of an engine that was told to end, and did."""

ENDINGS = signal.SIGKILL, signal.SIGTERM
"""How engines end in the middle of something, in turns: killed, or told to, as `controlroom stop` and a reboot do."""


class Ending:
    """Opens a ledger that ends its process at one statement by a signal, before or after it is carried out.

    Of a transaction only its begin and its commit count: whatever is in it, the disk has none of it before the commit.
    """

    def __init__(self, step: int, after: bool, number: signal.Signals = signal.SIGKILL) -> None:
        self.step, self.after, self.number = step, after, number

    def __call__(self, path: Path) -> sqlite3.Connection:
        ending = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                inside = self.in_transaction and not sql.startswith("commit")
                ending.step -= not inside
                now = ending.step == 0 and not inside
                if now and not ending.after:
                    os.kill(os.getpid(), ending.number)
                cursor = super().execute(sql, *values)  # type: ignore[arg-type]
                if now and ending.after:
                    os.kill(os.getpid(), ending.number)
                return cursor

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)


Play = Callable[[Path, Connect], Coroutine[None, None, None]]


async def until_told(playing: Coroutine[None, None, None]) -> int:
    """Play until SIGTERM comes: rooms are then closed as an engine is that is told to end."""
    task = asyncio.ensure_future(playing)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.wait([task])
    if task.cancelled():
        return TOLD
    task.result()
    return 0


def in_a_child(playing: Coroutine[None, None, None], what: str) -> bool:
    """Play a scenario in a process that may be killed or told to end; False when it came to its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = asyncio.run(until_told(playing))
        finally:
            os._exit(code)
    playing.close()
    _, status = os.waitpid(child, 0)
    ended = status == signal.SIGKILL or os.waitstatus_to_exitcode(status) == TOLD
    assert ended or status == 0, f"{what}: the engine failed by itself"
    return ended


def ended_at_every_step(
    place: Path, patch: pytest.MonkeyPatch, after: bool, play: Play, stride: int
) -> Iterator[tuple[int, Path]]:
    """Play a scenario till it comes to its end, `stride` steps further each time; give the step and what it leaves.

    At every second step the engine is killed, at the others it is told to end.
    """
    for module in (background_tasks, controller, limit_tracker):
        patch.setattr(module, "SOON", 0.005)  # seconds for which an idle engine gathers what happens: none is needed
    step, ended = 0, True
    endings = itertools.cycle(ENDINGS)
    while ended:
        step += stride
        folder = place / f"{step}"
        folder.mkdir()
        patch.setenv("CONTROLROOM_HOME", str(folder / "room"))
        number = next(endings)
        ended = in_a_child(play(folder, Ending(step, after, number)), f"step {step}, {number.name}")
        yield step, folder
