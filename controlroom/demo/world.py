"""Where a demo happens: a room in a temporary folder, that takes everything it held with it when it ends.

Config, ledger, sockets, the node's cache, what agents leave on the host and the tmux socket all lie in that folder.
A sweeper, in a session of its own, holds the reading end of a pipe: when our end closes, because the demo is over or
because we died in whatever way, it ends every process of the room and removes the folder.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from controlroom.demo.before import leave_fleet_file, start_script
from controlroom.demo.cast import BUDGETS, CastMember, Pace, config, leave_key, queued
from controlroom.demo.repository import leave_repository
from controlroom.demo.scenes import SCENES

TOKEN = "CONTROLROOM_DEMO"  # noqa: S105 - a mark, not a secret
"""Stands in the environment of every process of a demo, with the demo's folder: what the sweeper looks for."""

SWEEP_SECONDS = 30.0
"""How long the end of a demo may take."""


class NoDemo(Exception):
    """A demo cannot be played here; the text says why, and what to do."""


class World:
    """A demo's room. Use it as a context; when that is left nothing of the room remains.

    `environ`: the environment to start from; `namespace_of`: gives the hash that a room's folder is known by on hosts.
    """

    def __init__(
        self, parts: Sequence[CastMember], environ: Mapping[str, str], namespace_of: Callable[[str], str], pace: Pace
    ) -> None:
        self.parts = parts
        self._pace = pace
        self._outside = dict(environ)
        self._namespace_of = namespace_of
        self._sweeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> World:
        """Build the room. Raises `NoDemo`."""
        if not shutil.which("tmux", path=self._outside.get("PATH")):
            raise NoDemo("the demo needs tmux: install it (Debian: apt-get install tmux), then try again")
        base = "/tmp" if os.path.isdir("/tmp") else None  # noqa: S108 - mkdtemp makes it private; socket paths are short
        try:
            self.folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="controlroom-demo-", dir=base)))
            self._sweeper = self._start_sweeper()
            self._furnish()
        except OSError as error:
            raise NoDemo(f"the demo needs a temporary folder: {error.strerror} ({error.filename})") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the sweeper do its work, and wait for it."""
        if self._sweeper is not None and self._sweeper.stdin is not None:
            self._sweeper.stdin.close()
            self._sweeper.wait(SWEEP_SECONDS)

    @property
    def environ(self) -> dict[str, str]:
        """The environment for everything that is started for this room."""
        places = {
            "XDG_STATE_HOME": "state",
            "XDG_CACHE_HOME": "cache",
            "XDG_CONFIG_HOME": "config",
            "XDG_RUNTIME_DIR": "run",
            "TMUX_TMPDIR": "tmux",
        }
        variables = {key: str(self.folder / name) for key, name in places.items()}
        path = os.pathsep.join(part for part in (_root(), self._outside.get("PYTHONPATH", "")) if part)
        own = {"CONTROLROOM_HOME": str(self.folder), TOKEN: str(self.folder), "PYTHONPATH": path}
        own |= {"HOME": str(self._home), "PYTHONUSERBASE": site.getuserbase()}  # what else the user runs is not shown
        return {**self._outside, **variables, **own}

    @property
    def _home(self) -> Path:
        """The home folder of who has the demo's agents, and had others before."""
        return self.folder / "home"

    def _furnish(self) -> None:
        import tomli_w

        for name in ("state", "cache", "config", "run", "tmux", "home", *self._folders()):
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for login in {SCENES[part.scene].login for part in self.parts}:
            kept = self.folder / "src" / f".{login}" / ".claude.json"
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            kept.write_text(json.dumps({"oauthAccount": {"emailAddress": f"{login}@example.org"}}), "utf-8")
        leave_key(self.folder / "src")
        leave_repository(self.folder / "src" / "docs", self._outside)
        table = config(self.parts, str(self.folder / "src"), _root(), self._pace)
        for name, told in (("config.toml", table), ("budgets.toml", {"budgets": BUDGETS})):
            file = self.folder / name
            file.touch(0o600)
            file.write_text(tomli_w.dumps(told), "utf-8")
        if queued(self.parts):
            leave_fleet_file(self.folder)
            start_script(self.folder, self._home, self.environ)

    def _folders(self) -> Iterable[str]:
        """A folder to work in for each scene, and for each kind of task."""
        names = {part.scene for part in self.parts} | {task.profile for task in queued(self.parts)}
        return sorted(f"src/{name}" for name in names)

    def _start_sweeper(self) -> subprocess.Popen[bytes]:
        """Start it before there is anything to sweep. It lives outside of the room."""
        folder = str(self.folder)
        return subprocess.Popen(
            [sys.executable, "-m", "controlroom.demo.sweep", folder, self._namespace_of(folder)],
            env={**self._outside, "PYTHONPATH": self.environ["PYTHONPATH"]},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _root() -> str:
    """The folder that our package is imported from."""
    return str(Path(__file__).resolve().parent.parent.parent)
