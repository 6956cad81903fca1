"""What a node holds about each agent: its status file as last read, and what other sources say of its state beside it.

Those are its process, tmux and Claude's session file. A source that disagrees is listed, never hidden.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import field, replace

from controlroom.node import agent_folders
from controlroom.node.agent_folders import Entry, is_live
from controlroom.node.ending import DEATHS, ended, from_order
from controlroom.node.observation.processes import (
    LINUX,
    Process,
    ProcessSnapshot,
    environment,
    folder,
    program,
    stop_words,
)
from controlroom.node.tmux_server import Pane
from controlroom.runner.claude import settings
from controlroom.runner.files import read_regular
from controlroom.runner.folder import STATUS
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import Cause, State
from controlroom.wire.lines import PeerError, from_line
from controlroom.wire.messages import AgentSeen, EvidenceSeen

SESSION_STATES = {"busy": State.WORKING, "idle": State.IDLE, "waiting": State.WAITING, "shell": State.WORKING}
"""Words of `sessions/<pid>.json`; `shell`: a background command still runs (Claude Code 2.1.330, observed)."""

_CANDIDATES = 8
_LIMIT = 256 * 1024


class StateClaim(NamedTuple):
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


def by_process(seen: AgentSeen, look: ProcessSnapshot, *, runner: bool) -> StateClaim:
    """Return what the processes show of a live agent; `runner`: whether its runner lives."""
    if not runner:
        return StateClaim(State.FAILED.value, "its runner is gone")
    if not seen.pid:
        return StateClaim("", "its runner lives")
    if look.lives(seen.pid):
        stopped = stop_words(look.table[seen.pid])
        return StateClaim(State.PAUSED.value if stopped else "", stopped or f"process {seen.pid} lives")
    return StateClaim(State.FAILED.value, f"process {seen.pid} is gone")


def by_tmux(seen: AgentSeen, found: Panes) -> StateClaim:
    """Return what tmux knows of a live agent."""
    if found.problem:
        return StateClaim(State.UNKNOWN.value, f"cannot be reached: {found.problem}"[:300])
    if found.panes is None:
        return StateClaim(State.FAILED.value, "no tmux server runs")
    pane = found.panes.get(seen.name)
    if pane is None:
        return StateClaim(State.FAILED.value, "its session is gone")
    if pane.epoch != seen.epoch:
        return StateClaim(State.FAILED.value, f"its session is that of run {pane.epoch}")
    return StateClaim("", f"session {pane.session}, process {pane.pid}")


class SessionFiles:
    """Claude's session files, found through the environment of the processes that write them."""

    def __init__(self) -> None:
        self._folders: dict[tuple[int, int], str] = {}

    def said(self, pid: int, look: ProcessSnapshot) -> StateClaim | None:
        """Return what the session file of `pid`, or of what it started, shows; None when there is none."""
        below = look.below([pid])
        for candidate in sorted(below, key=lambda one: (one != pid, one))[:_CANDIDATES]:
            session = self._read(look.table[candidate])
            if session:
                return session
        return None

    def prune(self, look: ProcessSnapshot) -> None:
        """Forget processes that are no more."""
        self._folders = {key: folder for key, folder in self._folders.items() if key[0] in look.table}

    def _read(self, process: Process) -> StateClaim | None:
        pid, key = process.pid, (process.pid, process.start)
        if key not in self._folders:
            self._folders[key] = sessions_folder(pid)
        try:
            value = from_line(read_regular(os.path.join(self._folders[key], f"{pid}.json"), _LIMIT))
        except FileNotFoundError:
            return None
        except (OSError, PeerError) as error:
            return StateClaim(State.UNKNOWN.value, f"cannot be read: {error}"[:300])
        if LINUX and str(value.get("procStart", process.start)) != str(process.start):
            return StateClaim(State.UNKNOWN.value, "stale: of an earlier process")
        status, waiting = value.get("status"), value.get("waitingFor")
        if not isinstance(status, str):
            return None
        words = f"{status}: {waiting}" if isinstance(waiting, str) and status == "waiting" else status
        return StateClaim(SESSION_STATES.get(status, State.UNKNOWN).value, words[:300])


def sessions_folder(pid: int) -> str:
    """Return the folder where the Claude that runs as `pid` keeps its session file, by its environment and settings."""
    runs = program(pid)
    arguments = runs.argv[1:] if runs else ()
    return os.path.join(settings.config_folder(environment(pid), folder(pid) or "/", arguments), "sessions")


@dataclass
class AgentRecord:
    """The newest epoch of one agent, as it is seen now."""

    entry: Entry
    boot: str = ""
    """The boot that the agent was started in."""
    status: AgentSeen | None = None
    problem: str = ""
    """Why the status cannot be used."""
    verdict: Cause | None = None
    """Why the agent has ended, though its status does not say so."""
    verdict_at: int = 0
    runner: int = 0
    """The runner's pid, 0 when it is not known."""
    met: float = 0.0
    """When its status was first seen, in seconds on a clock that never jumps."""
    stopped: str = ""
    """What keeps its process, or its runner, from running."""
    stopped_at: int = 0
    """When that was seen first, UTC ms."""
    loose: str = ""
    """Why it cannot be as its folder says: its runner lives, though it says that it has ended, or nothing any more."""
    loose_at: int = 0
    missed: int = 0
    """How often in a row the runner was looked for and not found."""
    _signature: tuple[int, ...] | None = None
    _claims: dict[str, tuple[StateClaim, int]] = field(default_factory=dict)
    _seen: AgentSeen | None = None
    _facts: tuple[object, ...] = ()
    """What `_seen` was put together from."""

    @property
    def live(self) -> bool:
        """Whether its process may run, as far as its status says."""
        return not self.problem and is_live(self.status)

    def refresh(self) -> bool:
        """Read the status again when it was replaced; return whether it was."""
        signature = agent_folders.signature(os.path.join(self.entry.folder, STATUS))
        if signature == self._signature or (not signature and self._signature is None):
            return False
        self._signature = signature
        try:
            self.status, self.problem = agent_folders.read_status(self.entry), ""
        except PeerError as error:
            self.status, self.problem = None, str(error)
        self.met = self.met or time.monotonic()
        if not self.boot:
            boot = agent_folders.read_order(self.entry).get("boot")
            self.boot = boot if isinstance(boot, str) else ""
        if not self.live:
            self._claims.clear()
        return True

    def stop(self, words: str, at: int) -> None:
        """Take what keeps it from running, "" for nothing."""
        self.stopped_at = 0 if not words else self.stopped_at or at
        self.stopped = words

    def let_loose(self, words: str, at: int) -> bool:
        """Take why it cannot be as its folder says, "" for nothing; return whether that is new."""
        before, self.loose = self.loose, words
        self.loose_at = 0 if not words else self.loose_at or at
        return words != before

    def hear(self, source: str, claim: StateClaim | None, at: int) -> None:
        """Take what a source says; its time stays that of the first time it said so."""
        if claim is None:
            self._claims.pop(source, None)
        elif source not in self._claims or self._claims[source][0] != claim:
            self._claims[source] = claim, at

    def seen(self) -> AgentSeen:
        """Put together what is known of the agent; while nothing of it changes this is the same object."""
        loose, stopped = (self.loose, self.loose_at), (self.stopped, self.stopped_at)
        facts = (self.status, self.problem, self.verdict, self.verdict_at, loose, stopped, *self._claims.items())
        if not self._seen or not self.status or facts != self._facts:
            self._seen, self._facts = self._put_together(), facts
        return self._seen

    def _put_together(self) -> AgentSeen:
        record = self.status or from_order(self.entry)
        if self.loose:
            state, at = State.UNKNOWN.value, self.loose_at
            record = replace(record, state=state, since=at, ended=0, question=None, detail=self.loose[:500])
        elif self.problem:
            detail = f"its status.json cannot be used: {self.problem}"[:500]
            record = replace(record, state=State.UNKNOWN.value, detail=detail)
        elif self.verdict and (self.live or not self.status):
            record = ended(record, State.FAILED, DEATHS[self.verdict], self.verdict_at, self.verdict)
        elif self.stopped and self.live:
            record = replace(record, state=State.PAUSED.value, since=self.stopped_at, detail=self.stopped[:500])
        beside = tuple(
            EvidenceSeen(source, claim.state or record.state, claim.value, at)
            for source, (claim, at) in self._claims.items()
        )
        return replace(record, evidence=record.evidence + beside)
