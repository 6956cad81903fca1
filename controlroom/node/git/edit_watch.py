"""Looks at what agents edit, soon after they may have edited something, and tells home what is another than before.

A call of a tool that edits has it looked at within a quarter of a second, anything else that an agent writes into its
log within `CALM` seconds. Looks come one after the other, in a thread; where they take long they come less often, so
that all of them together take no more than their share of a core. An agent that does nothing is not looked at; one that
has ended is now and then, until it has edited nothing that is not merged or dropped.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from controlroom.node import agent_folders
from controlroom.node.git.edits import Worker, edits_of, home_of
from controlroom.runner.claude.edits import COMMIT, MOST_EDITED, note, read_notes
from controlroom.runner.files import read_piece
from controlroom.runner.folder import EDITS, WORKTREE, agent_folder
from controlroom.runner.git import GitFailed, opened
from controlroom.runner.worktree import record
from controlroom.text.lazy_dataclass import dataclass
from controlroom.wire.edits import AgentEdits

PROMPT, CALM, SELDOM = 0.2, 3.0, 60.0
"""Seconds between two looks at an agent: after a call that edits, while it says anything, and once it has ended."""

SHARE = 4.0
"""So many times as long as a look took there is none after it, unless calls wait for one."""

_NEVER = float("inf")
_PIECE = 256 * 1024
_LONGEST_PIECES = 32


@dataclass
class _Watched:
    """One agent, and how it was seen last. Times are of a clock that never jumps."""

    worker: Worker
    due: float = 0.0
    """When it is to be looked at next; `_NEVER`: once it does something."""
    called: bool = False
    """An edit of its own tools is yet to be looked at."""
    looked: float = float("-inf")
    took: float = 0.0
    """Seconds of that look."""
    top: str = ""
    """The working tree that it works in."""
    told: AgentEdits | None = None
    merged: str = ""
    """The commit up to which what it has committed was accepted."""
    calls: set[str] = field(default_factory=set)
    read: dict[str, int] = field(default_factory=dict)
    """How far the notes of its runs were read, by file."""

    @property
    def pause(self) -> float:
        """How long after a look there is none: the longer it took, the longer."""
        return max(PROMPT, 2 * self.took) if self.called else max(CALM, 5 * self.took)


class EditWatch:
    """What the agents of one host edit."""

    def __init__(
        self, state: str, send: Callable[[AgentEdits], None], environ: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        """`clock` never jumps, in seconds."""
        self._state, self._send, self._environ, self._clock = state, send, environ, clock
        self._agents: dict[str, _Watched] = {}
        self._rests_until = 0.0
        """Until then nothing is looked at but what calls have edited."""
        self._wakes = asyncio.Event()

    def take(self, workers: Iterable[Worker]) -> None:
        """Have these agents and no others, as they are by now."""
        before, self._agents = self._agents, {}
        for worker in workers:
            watched = before.get(worker.name)
            if watched is None or watched.worker.epoch != worker.epoch:
                watched = _Watched(worker)
            elif watched.worker != worker:
                is_news = watched.worker.calls != worker.calls
                watched.worker = worker
                self._hasten(watched, called=is_news)
            self._agents[worker.name] = watched
        if before.keys() != self._agents.keys():
            self._wakes.set()

    def touch(self, name: str, *, called: bool = False) -> None:
        """An agent has done something; `called`: a call of its own tools has edited something."""
        if (watched := self._agents.get(name)) is not None:
            self._hasten(watched, called=called)

    def acted(self) -> None:
        """An order was carried out: work that had ended may have been merged or dropped by it."""
        for watched in self._agents.values():
            if watched.worker.ended and watched.told is not None and watched.told.repositories:
                self._hasten(watched, called=False)

    async def merged(self, name: str, head: str) -> None:
        """What an agent has committed up to `head` was accepted ("": all of it): it is edited no more."""
        watched = self._agents.get(name)
        if watched is not None and watched.worker.epoch:
            await asyncio.to_thread(self._note_merged, watched.worker, head)
            self.touch(name, called=True)

    def _note_merged(self, worker: Worker, head: str) -> None:
        with contextlib.suppress(OSError, GitFailed):
            if not head:
                with opened(worker.cwd, self._environ) as repository:
                    head = repository.text("rev-parse", "HEAD")
            if COMMIT.fullmatch(head):
                note(os.path.join(agent_folder(self._state, worker.name, worker.epoch), EDITS), merged=head)

    def _hasten(self, watched: _Watched, *, called: bool) -> None:
        watched.called |= called
        due = watched.looked + watched.pause
        if due < watched.due:
            watched.due = due
            self._wakes.set()

    async def run(self) -> None:
        """Look, whenever there is something to look at."""
        while True:
            self._wakes.clear()
            watched = min(self._agents.values(), key=self._turn, default=None)
            left = SELDOM if watched is None else self._turn(watched) - self._clock()
            if watched is None or left > 0:
                await self._pause(min(left, SELDOM))
                continue
            took = await self._look(watched)
            self._rests_until = self._clock() + took * SHARE

    def _turn(self, watched: _Watched) -> float:
        """When it is an agent's turn to be looked at."""
        return watched.due if watched.called else max(watched.due, self._rests_until)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wakes.wait(), seconds)
        except asyncio.TimeoutError:
            return

    async def _look(self, watched: _Watched) -> float:
        """Look at one agent, tell of it when it is another than before, and say how many seconds that took."""
        began, watched.called, watched.due = self._clock(), False, _NEVER
        others = [other for other in self._agents.values() if other is not watched and not other.worker.ended]
        watched.top, seen = await asyncio.to_thread(self._seen, watched, {other.top for other in others})
        watched.looked = now = self._clock()
        watched.took = now - began
        if self._agents.get(watched.worker.name) is watched and seen != watched.told:
            watched.told = seen
            self._send(seen)
        if watched.due < _NEVER:  # it did something meanwhile
            watched.due = now + watched.pause
        elif watched.worker.ended and seen.repositories:
            watched.due = now + SELDOM
        return watched.took

    def _seen(self, watched: _Watched, tops: set[str]) -> tuple[str, AgentEdits]:
        """Look, in a thread: files may lie on any disk."""
        worker = watched.worker
        if worker.epoch:
            self._read_notes(watched)
        place = home_of(worker.cwd) if worker.cwd else None
        top = place.top if place else os.path.realpath(worker.cwd) if worker.cwd else ""
        if worker.base:
            worker = worker._replace(began=self._ready(worker, top) or worker.began)
        worker = worker._replace(merged=watched.merged)
        calls = worker.calls | watched.calls
        return top, edits_of(worker._replace(calls=frozenset(calls)), self._environ, tops.__contains__)

    def _ready(self, worker: Worker, top: str) -> int:
        """When the worktree at `top` was ready for an agent's first run in it, UTC ms; 0: not known."""
        made = record.read(os.path.dirname(top))
        if made is None or made.path != top:
            return 0
        prepared = os.path.join(agent_folder(self._state, worker.name, made.epoch), WORKTREE)
        try:
            return os.stat(prepared, follow_symlinks=False).st_mtime_ns // 1_000_000
        except OSError:  # that run was forgotten
            return made.made

    def _read_notes(self, watched: _Watched) -> None:
        """Read what the runners of an agent's runs have noted since the last look."""
        for entry in agent_folders.epochs(self._state, watched.worker.name):
            path = os.path.join(entry.folder, EDITS)
            for _ in range(_LONGEST_PIECES):
                offset = watched.read.get(path, 0)
                data = read_piece(path, offset, _PIECE)
                end = data.rfind(b"\n") + 1
                if not end:
                    break
                watched.read[path] = offset + end
                for found in read_notes(data[:end]):
                    watched.merged = found.merged or watched.merged
                    watched.calls.update([found.path] if found.path and len(watched.calls) < MOST_EDITED else [])
