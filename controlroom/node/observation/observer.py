"""Which agents there are and what their folders say: seen once, then whatever changes.

Changes come through inotify; a pass each second finds what it missed of folders and states, and by turns of the other
files. Where there is no inotify, a pass over the living ones each tenth of a second stands in for it. A new question
waits for no beat of that: its runner touches the status, and somebody listens for just this.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable

from controlroom.node import agent_folders
from controlroom.node.agent_folders import Entry
from controlroom.node.file_watch import PASS, QUIET, Inotify, pause
from controlroom.node.git.edit_watch import EditWatch
from controlroom.node.git.edits import Worker
from controlroom.node.logs.follow import Follower, LastLines
from controlroom.node.observation.agent_records import AgentRecord
from controlroom.node.observation.usage_feed import LimitsFeed, UsageFeed
from controlroom.node.outbox import Outbox
from controlroom.runner.claude.edits import COMMIT, is_path
from controlroom.runner.folder import EDITS, LIMITS, STATUS, USAGE
from controlroom.text.states import has_ended
from controlroom.wire.messages import AgentSeen
from controlroom.wire.records import segment_number

TURNS = 4
"""Passes in which each log and usage file is looked at once, where inotify tells of them anyway."""


class Observer:
    """Sees the agents of one host and tells what changes."""

    def __init__(
        self,
        state: str,
        outbox: Outbox,
        lines: LastLines,
        follower: Follower,
        usage: UsageFeed,
        edits: EditWatch,
        *,
        inotify: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives UTC seconds."""
        self._state, self._outbox, self._lines, self._follower = state, outbox, lines, follower
        self._usage, self._edits = usage, edits
        self._limits = LimitsFeed(outbox.send)
        self._parent = os.path.join(state, "agents")
        self.records: dict[str, AgentRecord] = {}
        self.orphans: dict[str, Entry] = {}
        """Agents whose runners live, and whose folders are gone."""
        self.turnover = 0
        """How often an agent has come or gone: it may have done both between two looks of somebody else."""
        self._by_folder: dict[str, AgentRecord] = {}
        self._told: dict[str, AgentSeen] = {}
        self._clock = clock
        self._inotify: Inotify | None = None
        if inotify:
            with contextlib.suppress(OSError, AttributeError):
                self._inotify = Inotify()
        self._timer: asyncio.TimerHandle | None = None
        self._touched: Inotify | None = None
        self._ear: asyncio.TimerHandle | None = None
        if self._inotify:
            with contextlib.suppress(OSError):
                self._touched = Inotify(touched=True)
        self._turn = 0

    def start(self) -> None:
        """Report all agents there are, then what changes."""
        self._find()
        self._told = {name: record.seen() for name, record in self.records.items()}
        self._outbox.all_agents(list(self._told.values()))
        self._wait()
        self._listen()

    def look(self, *, thorough: bool = True) -> None:
        """Look at everything: which agents there are, and each one's files.

        Unless it is `thorough`, what inotify tells of anyway is looked at by turns, each agent's files at every
        `TURNS`th call, but for its state.
        """
        new = self._find()
        self._turn = (self._turn + 1) % TURNS
        for number, (name, record) in enumerate(list(self.records.items())):
            if record.refresh() or name in new:
                self.tell(record)
                self._edits.touch(name)
            if thorough or not self._inotify or name in new or number % TURNS == self._turn:
                self._usage.touch(record.entry)
                self._limits.touch(record.entry)
                if record.live:
                    self._grown(name)

    def tell(self, record: AgentRecord) -> None:
        """Report what is known of an agent unless home knows it. Of one without a folder that is why it is there."""
        if record.entry.name in self.orphans and not record.loose:
            return
        status, before = record.seen(), self._told.get(record.entry.name)
        if before is not status and before != status:
            self._told[status.name] = status
            self._outbox.agent(status)

    def workers(self) -> list[Worker]:
        """Who may edit files here."""
        seen = [record.seen() for record in self.records.values() if record.status]
        return [_worker(agent) for agent in seen if agent.cwd.startswith("/") and is_path(agent.cwd)]

    def close(self) -> None:
        """See nothing more."""
        for timer in filter(None, (self._timer, self._ear)):
            timer.cancel()
        for inotify in filter(None, (self._inotify, self._touched)):
            asyncio.get_running_loop().remove_reader(inotify.descriptor)
            inotify.close()

    def _find(self) -> set[str]:
        """Find new agents and new epochs, whose names are given, and those that are gone."""
        self._watch(self._parent)
        there, new = {**self.orphans, **agent_folders.newest(self._state)}, set()
        for name in self.records.keys() - there.keys():
            self._lose(self.records.pop(name))
            self._told.pop(name, None)
            self._outbox.gone(name)
            self.turnover += 1
        for name, entry in there.items():
            before = self.records.get(name)
            if before is None or before.entry != entry:
                if before:
                    self._lose(before)
                    self._usage.touch(before.entry)
                self._watch(entry.folder)
                if self._touched:
                    with contextlib.suppress(OSError):
                        self._touched.add(entry.folder)
                self.records[name] = self._by_folder[entry.folder] = record = AgentRecord(entry)
                record.refresh()
                self._lines.add(name, entry.epoch, entry.folder)
                new.add(name)
                self.turnover += 1
        return new

    def _lose(self, record: AgentRecord) -> None:
        self._lines.remove(record.entry.name)
        self._by_folder.pop(record.entry.folder, None)
        self._limits.forget(record.entry)
        for inotify in filter(None, (self._inotify, self._touched)):
            inotify.remove(record.entry.folder)

    def _watch(self, folder: str) -> None:
        """Watch a folder; when the kernel takes no more watches, do without."""
        if self._inotify:
            try:
                self._inotify.add(folder)
            except FileNotFoundError:
                pass
            except OSError:
                asyncio.get_running_loop().remove_reader(self._inotify.descriptor)
                self._inotify.close()
                self._inotify = None
                self._wait()

    def _wait(self) -> None:
        """Wait for the next change."""
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
        if self._inotify:
            loop.add_reader(self._inotify.descriptor, self._changed)
        else:
            self._timer = loop.call_later(PASS, self._pass)

    def _changed(self) -> None:
        """Take note of what inotify says, then let a little more happen."""
        assert self._inotify
        asyncio.get_running_loop().remove_reader(self._inotify.descriptor)
        self._timer = asyncio.get_running_loop().call_later(pause(self._clock()), self._wait)
        anew = False
        for change in self._inotify.read():
            record = self._by_folder.get(change.folder)
            if record is None:
                anew = True
            elif segment_number(change.name):
                self._grown(record.entry.name)
                self._edits.touch(record.entry.name)
            elif change.name == EDITS:
                self._edits.touch(record.entry.name, called=True)
            elif change.name == USAGE:
                self._usage.touch(record.entry)
            elif change.name == LIMITS:
                self._limits.touch(record.entry)
            elif change.name == STATUS and record.refresh():
                self.tell(record)
        if anew:
            self.look()

    def _listen(self) -> None:
        if self._touched:
            asyncio.get_running_loop().add_reader(self._touched.descriptor, self._asked)

    def _asked(self) -> None:
        """Tell at once of agents that ask something new: somebody may answer it, and they wait meanwhile."""
        assert self._touched
        asyncio.get_running_loop().remove_reader(self._touched.descriptor)
        self._ear = asyncio.get_running_loop().call_later(QUIET, self._listen)
        for change in self._touched.read():
            record = self._by_folder.get(change.folder) if change.name == STATUS else None
            if record is not None:
                record.refresh()
                self.tell(record)

    def _pass(self) -> None:
        for name, record in list(self.records.items()):
            if record.live:
                self._grown(name)
                if record.refresh():
                    self.tell(record)
                    self._edits.touch(name)
        self._wait()

    def _grown(self, name: str) -> None:
        self._lines.touch(name)
        self._follower.touch(name)


def _worker(agent: AgentSeen) -> Worker:
    base = agent.worktree.base if agent.worktree else ""
    ended = _end_of(agent)
    commit = base if COMMIT.fullmatch(base) else ""
    return Worker(agent.name, agent.epoch, agent.cwd, agent.started or agent.since, ended, commit)


def _end_of(agent: AgentSeen) -> int:
    """When an agent has ended; 0: it has not."""
    return (agent.ended or agent.since) if has_ended(agent.state, agent.ended, agent.pid) else 0
