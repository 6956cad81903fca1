"""Who plays what, what pays for it, and what waits in the queue: the first parts show every state, the rest is work."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from controlroom.demo.scenes import SCENES

KEYED = ("docs", "api", "infra")
"""Scenes whose agents pay with a key."""

BUDGETS = {"hour": {"limit": "3", "period": "hour"}, "day": {"limit": "20"}}
"""Budgets of the room as `budget set` would keep them: dollars that are billed, with the usual ladder."""

API = {
    "ceilings": {
        "sonnet-5-5": {"requests": 50, "input": 30_000, "output": 8_000},
        "opus-5-5": {"requests": 50, "input": 30_000, "output": 8_000},
    },
    "buffer": {"requests": 45},
}
"""What the key's account is let through in a minute, and where the demo's operator wants it to end."""

_KEY = "key"


def leave_key(work: Path) -> None:
    """Leave a key that opens nothing in the folder `work`."""
    key = work / _KEY
    key.touch(0o600)
    key.write_text("a-key-of-the-demo\n", "utf-8")


def credential(scene: str, work: str) -> str | dict[str, str]:
    """What an agent pays with, as a profile's `credential`."""
    return {"file": f"{work}/{_KEY}"} if scene in KEYED else "plan"


_FIRST = (
    "docs", "api", "web", "tests", "seed", "fix", "perf", "lint",
    "infra", "native", "audit", "access", "backup", "migrate",
)  # fmt: skip
_WORK = ("api", "web", "docs", "lint", "access")
"""Scenes that go on for as long as the demo does: whoever comes after the first plays one of these."""


class CastMember(NamedTuple):
    """One agent of the demo. Its profile has its name."""

    name: str
    scene: str
    seed: int

    @property
    def task(self) -> str:
        """What it is told to do; a command is told nothing."""
        return SCENES[self.scene].task

    @property
    def interrupted_after(self) -> float:
        """Seconds of work after which somebody interrupts it; 0: nobody does."""
        return SCENES[self.scene].interrupted_after


class QueuedTask(NamedTuple):
    """One task of the demo's queue."""

    text: str
    scene: str
    priority: int = 0
    after: str = ""
    """The key of the task that must be done first."""
    key: str = ""

    @property
    def profile(self) -> str:
        """The profile that carries it out, and the folder that this works in."""
        return f"{self.scene}-task"


TASKS = (
    QueuedTask("Fix issue 231: a birthday in the spring is a day early.", "fix", 5, key="issue-231"),
    QueuedTask("Are there updates among our dependencies that cannot wait?", "audit", 3),
    QueuedTask("The C parser dies on empty input. Fix it.", "native", 2),
    QueuedTask("Say in the release notes what became of issue 231.", "docs", 1, after="issue-231"),
    QueuedTask("Add cursor pagination to the routes for invoices and exports.", "api"),
    QueuedTask("Make the forms usable at 360 pixels.", "web"),
    QueuedTask("Read all pages again for words that nobody uses.", "docs", -1),
)
"""What waits in the queue: some end soon, one fails, some go on for as long as the demo does."""

_CAREFUL = CastMember("careful", "api", 200)
_CARE = {"max_hours": 8, "max_memory_mb": 2048, "max_processes": 60, "quiet_minutes": 20}
"""The profile for those that are taken over, and its limits."""

_SHORT = ("seed", "fix", "native", "audit", "backup", "migrate")
"""Scenes that end by themselves."""

_TASKS_AT_ONCE, _QUEUE_FROM = 2, 8


class Pace(NamedTuple):
    """How the scenes are played: a factor on every pause, and (for pictures) after how many beats they stand still."""

    factor: float = 1.0
    beats: int | None = None


NATURAL = Pace()


def cast(agents: int, seed: int = 0) -> list[CastMember]:
    """So many parts, always the same ones for the same numbers."""
    return [CastMember(name, scene, seed + at) for at, (name, scene) in zip(range(agents), _parts(), strict=False)]


def _parts() -> Iterator[tuple[str, str]]:
    for scene in _FIRST:
        yield SCENES[scene].names[0], scene
    for number in count(10):
        for scene in _WORK:
            yield f"{scene}-{number}", scene


def config(parts: Sequence[CastMember], work: str, root: str, pace: Pace) -> dict[str, Any]:
    """The config of the demo's room: a profile for each part, and for each kind of task.

    `work`: the folder that holds a folder to work in for each scene; `root`: where our package is imported from.
    """
    return {
        "adopt": bool(queued(parts)),
        "limits": {"memory_per_agent_mb": 0},
        "api": API,
        "queue": {
            "max_agents": sum(part.scene not in _SHORT for part in parts) + _TASKS_AT_ONCE,
            "stagger_seconds": 2,
            "retry_seconds": 5,
            "memory_percent": 100,
            "min_disk_mb": 0,
        },
        "profiles": {
            **{part.name: _profile(part, part.scene, work, root, pace) for part in parts},
            **{part.name: _profile(part, part.name, work, root, pace) for part in _played(queued(parts))},
            **(
                {_CAREFUL.name: {**_profile(_CAREFUL, _CAREFUL.scene, work, root, pace), **_CARE}}
                if queued(parts)
                else {}
            ),
        },
    }


def queued(parts: Sequence[CastMember]) -> Sequence[QueuedTask]:
    """What waits in the queue beside these parts: a demo of a few agents has none."""
    return TASKS if len(parts) >= _QUEUE_FROM else ()


def _played(tasks: Sequence[QueuedTask]) -> list[CastMember]:
    """A part for each profile that carries out tasks."""
    return [CastMember(f"{scene}-task", scene, 100) for scene in dict.fromkeys(task.scene for task in tasks)]


def _profile(part: CastMember, folder: str, work: str, root: str, pace: Pace) -> dict[str, Any]:
    scene = SCENES[part.scene]
    profile: dict[str, Any] = {
        "kind": scene.kind,
        "command": _command(part, pace),
        "cwd": f"{work}/{folder}",
        "env": {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1", "CLAUDE_CONFIG_DIR": f"{work}/.{scene.login}"},
        "credential": credential(part.scene, work),
    }
    return {**profile, "model": scene.model} if scene.model else profile


def _command(part: CastMember, pace: Pace) -> list[str]:
    command = [sys.executable, "-m", "controlroom.demo.agent", part.scene, "--seed", str(part.seed)]
    command += ["--pace", f"{pace.factor:g}"]
    return command if pace.beats is None else [*command, "--beats", str(pace.beats)]
