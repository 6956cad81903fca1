"""Looking after agents once a second: what other sources say of each, and what to do for one whose runner is dead."""

import asyncio
import contextlib
import os
import time
from collections.abc import Coroutine
from typing import Any

from controlroom.meter.states import State
from controlroom.node.ask import runner_lives, runner_pid
from controlroom.node.ending import end_by_force, find_runner, record_death, record_end
from controlroom.node.host import now
from controlroom.node.owner import Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.sights.evidence import Panes, Said, SessionFiles, by_process, by_tmux
from controlroom.node.sights.loads import Member
from controlroom.node.sights.observe import Observer
from controlroom.node.sights.processes import Look, stop_words
from controlroom.node.sights.sights import Sight
from controlroom.node.tending.spawn import START_DEADLINE, begins, sweep_environment
from controlroom.node.tmux.server import TmuxError

REBOOTED, KILLED, UNBORN = "the host was rebooted", "its runner was killed", "its runner never came up"
"""What is written of an agent whose runner did not say how it ended."""

_YOUNG = 2.0
"""Seconds in which a folder may have been made and not been taken yet by who made it."""

_MISSED = 2
"""Looks in a row without a runner after which it is dead."""


class Vigil:
    """Compares sources, and buries agents whose runner was killed: their tree is ended, their status written."""

    def __init__(self, place: Place, observer: Observer, ownership: Ownership, turns: Turns) -> None:
        self._place, self._observer = place, observer
        self._ownership, self._turns = ownership, turns
        self._sessions = SessionFiles()
        self._panes: Panes | None = None
        self._burials: dict[str, asyncio.Task[None]] = {}

    @property
    def live(self) -> list[Sight]:
        """The agents whose processes may run."""
        return [sight for sight in self._observer.sights.values() if sight.live]

    def members(self) -> list[Member]:
        """The agents whose processes are to be counted."""
        return [
            Member(*sight.entry, roots=(sight.runner, sight.status.pid if sight.status else 0)) for sight in self.live
        ]

    async def set_up_tmux(self) -> None:
        """Give a server of ours that runs since an earlier version the set-up of this one, where we may act."""
        if self._ownership.mine():
            with contextlib.suppress(TmuxError):
                await self._place.tmux.set_up()

    async def ask_tmux(self) -> None:
        """Ask tmux for its panes; remember when it cannot be asked. Who has left one leaves it as large as it was."""
        at = time.monotonic()
        try:
            panes = await self._place.tmux.panes()
            self._panes = Panes(at, panes)
            for pane in (panes or {}).values():
                if pane.left and self._ownership.mine():
                    await self._place.tmux.give_size_back(pane.session)
        except TmuxError as error:
            self._panes = Panes(at, problem=str(error))

    def check(self, look: Look) -> None:
        """Compare what all sources say about every agent."""
        self._sessions.prune(look)
        for sight in list(self._observer.sights.values()):
            if sight.live:
                self._check_live(sight, look)
            elif not sight.status and not sight.problem:
                self._check_unborn(sight)

    async def close(self) -> None:
        """Let burials that have begun be finished."""
        await asyncio.gather(*self._burials.values(), return_exceptions=True)

    def _check_live(self, sight: Sight, look: Look) -> None:
        rebooted = bool(sight.boot and self._place.boot_id and sight.boot != self._place.boot_id)
        runner = not rebooted and runner_lives(sight.entry.folder)
        sight.missed = 0 if runner else sight.missed + 1
        if runner and not look.lives(sight.runner):
            sight.runner = max(0, runner_pid(sight.entry.folder))
        if rebooted or sight.missed >= _MISSED:
            sight.refresh()
            if sight.live:
                self._found_dead(sight, REBOOTED if rebooted else KILLED, certain=rebooted)
        self._compare(sight, look, runner=runner)
        self._observer.tell(sight)

    def _compare(self, sight: Sight, look: Look, *, runner: bool) -> None:
        seen, at = sight.status, now()
        if seen is None or not sight.live:
            return
        parts = (look.table[pid] for pid in (sight.runner, seen.pid) if pid in look.table)
        sight.stop("; ".join(words for part in parts if (words := stop_words(part))), at)
        sight.hear("process", by_process(seen, look, runner=runner), at)
        if self._panes and self._panes.at > sight.met:
            sight.hear("tmux", by_tmux(seen, self._panes), at)
        if seen.kind != "command" and seen.pid:
            sight.hear("session file", self._sessions.said(seen.pid, look), at)

    def _check_unborn(self, sight: Sight) -> None:
        """A folder without a status: somebody is starting it, or was and was killed."""
        with contextlib.suppress(OSError):
            age = time.time() - os.stat(sight.entry.folder).st_mtime
            if age > 2 * START_DEADLINE and not sight.verdict:
                sight.verdict, sight.verdict_at = UNBORN, now()
                self._observer.tell(sight)
            if not 0 <= age < _YOUNG and self._ownership.mine():
                self._begin_burial(sight, self._bury_unborn(sight))

    async def _bury_unborn(self, sight: Sight) -> None:
        """Sweep what is left of a start whose node was killed, and write down that it came to nothing."""
        entry = sight.entry
        async with self._turns.of(entry.name):
            beginning = begins(entry.folder)
            if beginning is None:
                return
            try:
                if await find_runner(entry, self._place.tmux) or sight.refresh():
                    return
                await end_by_force(entry, self._place.namespace, self._place.tmux)
                sweep_environment(entry.folder)
                with contextlib.suppress(OSError):
                    record_end(entry, State.FAILED, UNBORN, now())
            finally:
                os.close(beginning)
        self._observer.look()

    def _begin_burial(self, sight: Sight, work: Coroutine[Any, Any, None]) -> None:
        name = sight.entry.name
        if name in self._burials:
            work.close()
            return
        self._burials[name] = task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._burials.pop(name, None))

    def _found_dead(self, sight: Sight, why: str, *, certain: bool) -> None:
        """Bury an agent if that is ours to do; else tell only what is certain, the rest stands as evidence."""
        if self._ownership.mine():
            self._begin_burial(sight, self._bury(sight, why))
        elif certain and not sight.verdict:
            sight.verdict, sight.verdict_at = why, now()

    async def _bury(self, sight: Sight, why: str) -> None:
        """End what is left of an agent's tree, and write its last status."""
        async with self._turns.of(sight.entry.name):
            sight.refresh()
            if not sight.live or (why == KILLED and runner_lives(sight.entry.folder)):
                return
            left = ""
            if why != REBOOTED:
                left = await end_by_force(sight.entry, self._place.namespace, self._place.tmux)
            if left:
                sight.hear("process", Said(State.WORKING.value, f"its runner is gone, but not {left}"), now())
                return
            with contextlib.suppress(OSError):
                await record_death(sight.entry, State.FAILED, why, now())
        self._observer.look()
