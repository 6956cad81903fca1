"""What other sources than its runner say about an agent's state: its process, tmux, Claude's session file.

A source that disagrees is listed, never hidden.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from controlroom.node.observation.processes import LINUX, Look, Process, environment, folder, program, stop_words
from controlroom.node.tmux.server import Pane
from controlroom.runner.claude import settings
from controlroom.runner.files import read_regular
from controlroom.text.states import State
from controlroom.wire.lines import PeerError, from_line
from controlroom.wire.messages import AgentSeen

SESSION_STATES = {"busy": State.WORKING, "idle": State.IDLE, "waiting": State.WAITING, "shell": State.WORKING}
"""Words of `sessions/<pid>.json`; `shell`: a background command still runs (Claude Code 2.1.330, observed)."""

_CANDIDATES = 8
_LIMIT = 256 * 1024


class Said(NamedTuple):
    """What one source says: a state word ("": it agrees with whatever the runner says), and what was seen."""

    state: str
    value: str


class Panes(NamedTuple):
    """What tmux said when it was last asked: its panes by session name, None when no server runs, and why it could
    not be asked. `at`: when that was, in seconds on a clock that never jumps.
    """

    at: float
    panes: Mapping[str, Pane] | None = None
    problem: str = ""


def by_process(seen: AgentSeen, look: Look, *, runner: bool) -> Said:
    """Say what the processes show of a live agent; `runner`: whether its runner lives."""
    if not runner:
        return Said(State.FAILED.value, "its runner is gone")
    if not seen.pid:
        return Said("", "its runner lives")
    if look.lives(seen.pid):
        stopped = stop_words(look.table[seen.pid])
        return Said(State.PAUSED.value if stopped else "", stopped or f"process {seen.pid} lives")
    return Said(State.FAILED.value, f"process {seen.pid} is gone")


def by_tmux(seen: AgentSeen, found: Panes) -> Said:
    """Say what tmux knows of a live agent."""
    if found.problem:
        return Said(State.UNKNOWN.value, f"cannot be reached: {found.problem}"[:300])
    if found.panes is None:
        return Said(State.FAILED.value, "no tmux server runs")
    pane = found.panes.get(seen.name)
    if pane is None:
        return Said(State.FAILED.value, "its session is gone")
    if pane.epoch != seen.epoch:
        return Said(State.FAILED.value, f"its session is that of epoch {pane.epoch}")
    return Said("", f"session {pane.session}, process {pane.pid}")


class SessionFiles:
    """Claude's session files, found through the environment of the processes that write them."""

    def __init__(self) -> None:
        self._folders: dict[tuple[int, int], str] = {}

    def said(self, pid: int, look: Look) -> Said | None:
        """Say what the session file of `pid`, or of what it started, shows; None when there is none."""
        below = look.below([pid])
        for candidate in sorted(below, key=lambda one: (one != pid, one))[:_CANDIDATES]:
            said = self._read(look.table[candidate])
            if said:
                return said
        return None

    def prune(self, look: Look) -> None:
        """Forget processes that are no more."""
        self._folders = {key: folder for key, folder in self._folders.items() if key[0] in look.table}

    def _read(self, process: Process) -> Said | None:
        pid, key = process.pid, (process.pid, process.start)
        if key not in self._folders:
            self._folders[key] = sessions_folder(pid)
        try:
            value = from_line(read_regular(os.path.join(self._folders[key], f"{pid}.json"), _LIMIT))
        except FileNotFoundError:
            return None
        except (OSError, PeerError) as error:
            return Said(State.UNKNOWN.value, f"cannot be read: {error}"[:300])
        if LINUX and str(value.get("procStart", process.start)) != str(process.start):
            return Said(State.UNKNOWN.value, "stale: of an earlier process")
        status, waiting = value.get("status"), value.get("waitingFor")
        if not isinstance(status, str):
            return None
        words = f"{status}: {waiting}" if isinstance(waiting, str) and status == "waiting" else status
        return Said(SESSION_STATES.get(status, State.UNKNOWN).value, words[:300])


def sessions_folder(pid: int) -> str:
    """Give the folder where the Claude that runs as `pid` keeps its session file, by its environment and settings."""
    runs = program(pid)
    arguments = runs.argv[1:] if runs else ()
    return os.path.join(settings.config_folder(environment(pid), folder(pid) or "/", arguments), "sessions")
