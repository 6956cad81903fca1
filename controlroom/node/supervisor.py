"""Looking after agents once a second: what other sources say of each, and what to do for one whose runner is dead."""

import asyncio
import contextlib
import os
import time
from collections.abc import Coroutine
from typing import Any

from controlroom.node.agent_folders import Entry
from controlroom.node.ending import DEATHS, end_by_force, find_runner, record_death
from controlroom.node.host import now
from controlroom.node.observation.agent_records import AgentRecord, Panes, SessionFiles, StateClaim, by_process, by_tmux
from controlroom.node.observation.figures import Member
from controlroom.node.observation.observer import Observer
from controlroom.node.observation.processes import ProcessSnapshot, stop_words
from controlroom.node.owner import Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.runner_client import runner_lives, runner_pid
from controlroom.node.spawn import START_DEADLINE, begins, sweep_environment
from controlroom.node.tmux_server import TmuxError
from controlroom.runner.folder import agent_folder
from controlroom.text.states import AgentKind, Cause, State

_YOUNG = 2.0
"""Seconds in which a folder may have been made and not been taken yet by who made it."""

_LINGERS = 3
"""Looks in a row at a runner that should not be there any more, after which that is told: it may just be leaving."""

_MISSED = 2
"""Looks in a row without a runner after which it is dead."""


class Supervisor:
    """Compares sources, and buries agents whose runner was killed: their tree is ended, their status written."""

    def __init__(self, place: Place, observer: Observer, ownership: Ownership, turns: Turns) -> None:
        self._place, self._observer = place, observer
        self._ownership, self._turns = ownership, turns
        self._sessions = SessionFiles()
        self._panes: Panes | None = None
        self._asked_at = -1
        """The turnover of agents when tmux was asked last."""
        self._burials: dict[str, asyncio.Task[None]] = {}
        self._runners: dict[Entry, tuple[int, int]] = {}
        """The process of each runner that was seen alive, and when that was started."""
        self._lingers: dict[Entry, int] = {}
        """How often in a row a runner was there whose agent has ended, or has no folder."""

    @property
    def live(self) -> list[AgentRecord]:
        """The agents whose processes may run."""
        return [record for record in self._observer.records.values() if record.live]

    @property
    def wants_processes(self) -> bool:
        """Whether there is a runner to be looked for among the processes."""
        return bool(self._runners or (self._panes and self._panes.panes))

    @property
    def wants_tmux(self) -> bool:
        """Whether tmux is to be asked: for what lives, for what may, and when agents have come or gone."""
        return bool(self.live or self.wants_processes or self._asked_at != self._observer.turnover)

    def members(self) -> list[Member]:
        """The agents whose processes are to be counted."""
        return [
            Member(*record.entry, roots=(record.runner, record.status.pid if record.status else 0))
            for record in self.live
        ]

    async def set_up_tmux(self) -> None:
        """Set up a tmux server of ours that an earlier version started as this one does, where we may act."""
        if self._ownership.mine():
            with contextlib.suppress(TmuxError):
                await self._place.tmux.set_up()

    async def ask_tmux(self) -> None:
        """Ask tmux for its panes; remember when it cannot be asked. Who has left one leaves it as large as it was."""
        at, self._asked_at = time.monotonic(), self._observer.turnover
        try:
            panes = await self._place.tmux.panes()
            self._panes = Panes(at, panes)
            for pane in (panes or {}).values():
                if pane.left and self._ownership.mine():
                    await self._place.tmux.give_size_back(pane.session)
        except TmuxError as error:
            self._panes = Panes(at, problem=str(error))

    def check(self, look: ProcessSnapshot) -> None:
        """Compare what all sources say about every agent."""
        self._sessions.prune(look)
        for record in list(self._observer.records.values()):
            if record.live:
                self._check_live(record, look)
            elif not record.status and not record.problem and record.entry.name not in self._observer.orphans:
                self._check_unborn(record, look)
        self._check_loose(look)

    async def close(self) -> None:
        """Let burials that have begun be finished."""
        await asyncio.gather(*self._burials.values(), return_exceptions=True)

    def _check_live(self, record: AgentRecord, look: ProcessSnapshot) -> None:
        rebooted = bool(record.boot and self._place.boot_id and record.boot != self._place.boot_id)
        runner = not rebooted and runner_lives(record.entry.folder)
        record.missed = 0 if runner else record.missed + 1
        if runner and not look.lives(record.runner):
            record.runner = max(0, runner_pid(record.entry.folder))
        if rebooted or record.missed >= _MISSED:
            record.refresh()
            if record.live:
                self._found_dead(record, Cause.REBOOTED if rebooted else Cause.RUNNER_KILLED, certain=rebooted)
        if runner and look.lives(record.runner):
            self._runners[record.entry] = record.runner, look.table[record.runner].start
        self._compare(record, look, runner=runner)
        self._observer.tell(record)

    def _check_loose(self, look: ProcessSnapshot) -> None:
        """See which runners live whose agents say that they have ended, or have no folder any more.

        An agent can write what it likes into its folder, and remove it; what runs must be seen and ended all the same.
        """
        alive = self._alive(look)
        self._lingers = {entry: self._lingers.get(entry, 0) + 1 for entry in alive if not self._is_as_told(entry)}
        late = {entry: alive[entry] for entry, count in self._lingers.items() if count >= _LINGERS}
        before = self._observer.orphans
        self._observer.orphans = {entry.name: entry for entry in late if not os.path.isdir(entry.folder)}
        for record in list(self._observer.records.values()):
            words = _loose_words(record, late[record.entry]) if record.entry in late else ""
            stays = words or record.status or os.path.isdir(record.entry.folder)  # else it goes with its runner
            if stays and (record.let_loose(words, now()) or record.entry.name in before):
                self._observer.tell(record)

    def _alive(self, look: ProcessSnapshot) -> dict[Entry, int]:
        """Return the runners that live: those that were seen before, and those of tmux's panes."""
        self._runners = {
            entry: (pid, start)
            for entry, (pid, start) in self._runners.items()
            if look.lives(pid) and look.table[pid].start == start
        }
        panes = (self._panes and self._panes.panes) or {}
        in_panes = {
            Entry(name, pane.epoch, agent_folder(self._place.state, name, pane.epoch)): pane.pid
            for name, pane in panes.items()
            if look.lives(pane.pid)
        }
        return {**in_panes, **{entry: pid for entry, (pid, _) in self._runners.items()}}

    def _is_as_told(self, entry: Entry) -> bool:
        """Return whether an agent whose runner lives is shown as one that may."""
        record = self._observer.records.get(entry.name)
        if record is None or (record.entry == entry and record.entry.name in self._observer.orphans):
            return False
        return (
            record.entry != entry or record.live or bool(record.problem) or (not record.status and _may_begin(record))
        )

    def _compare(self, record: AgentRecord, look: ProcessSnapshot, *, runner: bool) -> None:
        status, at = record.status, now()
        if status is None or not record.live:
            return
        parts = (look.table[pid] for pid in (record.runner, status.pid) if pid in look.table)
        record.stop("; ".join(words for part in parts if (words := stop_words(part))), at)
        record.hear("process", by_process(status, look, runner=runner), at)
        if self._panes and self._panes.at > record.met:
            record.hear("tmux", by_tmux(status, self._panes), at)
        if status.kind != AgentKind.COMMAND and status.pid:
            record.hear("session file", self._sessions.said(status.pid, look), at)

    def _check_unborn(self, record: AgentRecord, look: ProcessSnapshot) -> None:
        """Look at a folder without a status: its agent is being started, or was and was killed, unless its runner lives
        and only the file is gone."""
        folder = record.entry.folder
        if record.entry in self._alive(look):
            return
        if runner_lives(folder):
            if look.lives(pid := runner_pid(folder)):
                self._runners[record.entry] = pid, look.table[pid].start
            return
        with contextlib.suppress(OSError):
            age = time.time() - os.stat(folder).st_mtime
            if age > 2 * START_DEADLINE and not record.verdict:
                why = Cause.RUNNER_KILLED if record.met else Cause.NEVER_STARTED
                record.verdict, record.verdict_at = why, now()
                self._observer.tell(record)
            if not 0 <= age < _YOUNG and self._ownership.mine():
                self._begin_burial(record, self._bury_unborn(record))

    async def _bury_unborn(self, record: AgentRecord) -> None:
        """Sweep what is left of a start whose node was killed, and write down that it came to nothing."""
        entry = record.entry
        async with self._turns.of(entry.name):
            beginning = begins(entry.folder)
            if beginning is None:
                return
            try:
                if await find_runner(entry, self._place.tmux) or record.refresh():
                    return
                await end_by_force(entry, self._place.namespace, self._place.tmux)
                sweep_environment(entry.folder)
                why = Cause.RUNNER_KILLED if record.met else Cause.NEVER_STARTED
                with contextlib.suppress(OSError):
                    await record_death(entry, State.FAILED, DEATHS[why], now(), why)
            finally:
                os.close(beginning)
        self._observer.look()

    def _begin_burial(self, record: AgentRecord, work: Coroutine[Any, Any, None]) -> None:
        name = record.entry.name
        if name in self._burials:
            work.close()
            return
        self._burials[name] = task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._burials.pop(name, None))

    def _found_dead(self, record: AgentRecord, why: Cause, *, certain: bool) -> None:
        """Bury an agent if that is ours to do; else tell only what is certain, the rest stands as evidence."""
        if self._ownership.mine():
            self._begin_burial(record, self._bury(record, why))
        elif certain and not record.verdict:
            record.verdict, record.verdict_at = why, now()

    async def _bury(self, record: AgentRecord, why: Cause) -> None:
        """End what is left of an agent's tree, and write its last status."""
        async with self._turns.of(record.entry.name):
            record.refresh()
            if not record.live or (why is Cause.RUNNER_KILLED and runner_lives(record.entry.folder)):
                return
            left = ""
            if why is not Cause.REBOOTED:
                left = await end_by_force(record.entry, self._place.namespace, self._place.tmux)
            if left:
                record.hear("process", StateClaim(State.WORKING.value, f"its runner is gone, but not {left}"), now())
                return
            with contextlib.suppress(OSError):
                await record_death(record.entry, State.FAILED, DEATHS[why], now(), why)
        self._observer.look()


def _may_begin(record: AgentRecord) -> bool:
    """Whether an agent without a status may still be starting: it never had one, and its folder is new."""
    try:
        return not record.met and 0 <= time.time() - os.stat(record.entry.folder).st_mtime < 2 * START_DEADLINE
    except OSError:
        return False


def _loose_words(record: AgentRecord, runner: int) -> str:
    """Return how an agent cannot be as its folder says."""
    if record.status is None and os.path.isdir(record.entry.folder):
        return f"its status.json is gone, and its runner (process {runner}) still runs"
    if record.status is None:
        return f"its folder is gone, and its runner (process {runner}) still runs: kill it"
    return f"it says that it has ended ({record.status.state}), and its runner (process {runner}) still runs: kill it"
