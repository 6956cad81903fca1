"""Which agents there are and what their folders say: seen once, then whatever changes.

Changes come through inotify; a pass each second finds what it missed of folders and states, and by turns of logs. Where
there is no inotify, a pass over the living ones each tenth of a second stands in for it.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable

from controlroom.node import agents
from controlroom.node.agents import Entry
from controlroom.node.folder import STATUS, USAGE
from controlroom.node.logs.follow import Follower
from controlroom.node.logs.last_lines import LastLines
from controlroom.node.logs.watch import Inotify
from controlroom.node.outbox import Outbox
from controlroom.node.sights.limits_feed import LimitsFeed
from controlroom.node.sights.sights import Sight
from controlroom.node.sights.usage_feed import UsageFeed
from controlroom.wire.messages import AgentSeen
from controlroom.wire.records import segment_number

QUIET = 0.03
"""Seconds between two looks at what inotify has to say, at least."""

BEAT = 0.07
"""What comes meanwhile waits for the next whole beat of the host's clock, in seconds, and goes home together.

Hosts whose clocks agree speak at the same moments, so that who listens to all of them wakes up once for all.
"""

TURNS = 4
"""Passes in which each log is looked at once, where inotify tells of them anyway."""

PASS = 0.1
"""Seconds between two passes over the living agents where there is no inotify."""


class Observer:
    """Sees the agents of one host and tells what changes."""

    def __init__(
        self,
        state: str,
        outbox: Outbox,
        lines: LastLines,
        follower: Follower,
        usage: UsageFeed,
        *,
        inotify: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives UTC seconds."""
        self._state, self._outbox, self._lines, self._follower, self._usage = state, outbox, lines, follower, usage
        self._limits = LimitsFeed(outbox.send)
        self._parent = os.path.join(state, "agents")
        self.sights: dict[str, Sight] = {}
        self.orphans: dict[str, Entry] = {}
        """Agents whose runners live, and whose folders are gone."""
        self.turnover = 0
        """How often an agent has come or gone: it may have done both between two looks of somebody else."""
        self._by_folder: dict[str, Sight] = {}
        self._told: dict[str, AgentSeen] = {}
        self._clock = clock
        self._inotify: Inotify | None = None
        if inotify:
            with contextlib.suppress(OSError, AttributeError):
                self._inotify = Inotify()
        self._timer: asyncio.TimerHandle | None = None
        self._turn = 0

    def start(self) -> None:
        """Tell all agents there are, then what changes."""
        self._find()
        self._told = {name: sight.seen() for name, sight in self.sights.items()}
        self._outbox.all_agents(list(self._told.values()))
        self._wait()

    def look(self, *, thorough: bool = True) -> None:
        """Look at everything: which agents there are, and each one's files.

        Unless it is `thorough`, logs that inotify tells of are looked at by turns, each at every `TURNS`th call.
        """
        new = self._find()
        self._turn = (self._turn + 1) % TURNS
        for number, (name, sight) in enumerate(list(self.sights.items())):
            if sight.refresh() or name in new:
                self.tell(sight)
            self._usage.touch(sight.entry)
            self._limits.touch(sight.entry)
            if sight.live and (thorough or not self._inotify or name in new or number % TURNS == self._turn):
                self._grown(name)

    def tell(self, sight: Sight) -> None:
        """Tell what is known of an agent unless it has been told. Of one without a folder that is why it is there."""
        if sight.entry.name in self.orphans and not sight.loose:
            return
        seen = sight.seen()
        if self._told.get(seen.name) != seen:
            self._told[seen.name] = seen
            self._outbox.agent(seen)

    def close(self) -> None:
        """See nothing more."""
        if self._timer:
            self._timer.cancel()
        if self._inotify:
            asyncio.get_running_loop().remove_reader(self._inotify.descriptor)
            self._inotify.close()

    def _find(self) -> set[str]:
        """Find new agents and new epochs, whose names are given, and those that are gone."""
        self._watch(self._parent)
        found, new = {**self.orphans, **agents.newest(self._state)}, set()
        for name in self.sights.keys() - found.keys():
            self._lose(self.sights.pop(name))
            self._told.pop(name, None)
            self._outbox.gone(name)
            self.turnover += 1
        for name, entry in found.items():
            known = self.sights.get(name)
            if known is None or known.entry != entry:
                if known:
                    self._lose(known)
                    self._usage.touch(known.entry)
                self._watch(entry.folder)
                self.sights[name] = self._by_folder[entry.folder] = sight = Sight(entry)
                sight.refresh()
                self._lines.add(name, entry.epoch, entry.folder)
                new.add(name)
                self.turnover += 1
        return new

    def _lose(self, sight: Sight) -> None:
        self._lines.remove(sight.entry.name)
        self._by_folder.pop(sight.entry.folder, None)
        self._limits.forget(sight.entry)
        if self._inotify:
            self._inotify.remove(sight.entry.folder)

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
            sight = self._by_folder.get(change.folder)
            if sight is None:
                anew = True
            elif segment_number(change.name):
                self._grown(sight.entry.name)
            elif change.name == USAGE:
                self._usage.touch(sight.entry)
            elif change.name == STATUS and sight.refresh():
                self.tell(sight)
        if anew:
            self.look()

    def _pass(self) -> None:
        for name, sight in list(self.sights.items()):
            if sight.live:
                self._grown(name)
                if sight.refresh():
                    self.tell(sight)
        self._wait()

    def _grown(self, name: str) -> None:
        self._lines.touch(name)
        self._follower.touch(name)


def pause(now: float) -> float:
    """Give the seconds from `now` (UTC seconds) to the next look: `QUIET`, and on to a beat."""
    return QUIET + -(now + QUIET) % BEAT
