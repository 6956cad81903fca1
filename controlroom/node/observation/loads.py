"""What each agent's whole process tree uses: memory, CPU, number of processes.

A tree is what descends from the runner or carries the agent's tag. A process once seen in a tree stays in it, so a
child that its parent left behind is still counted.
"""

import os
from typing import NamedTuple

from controlroom.node.observation.memory import Shares
from controlroom.node.observation.processes import TICKS, Look, Process, marks_of
from controlroom.runner.folder import place, tag
from controlroom.wire.messages import AgentLoad

Key = tuple[int, int]
"""A process for ever: its pid, and when it started."""


Marks = tuple[str, str]
"""What an agent's processes carry in their environment: its tag, and the place of its folder."""


class Member(NamedTuple):
    """An agent whose tree is counted, and the pids known to belong to it (0: none)."""

    name: str
    epoch: int
    folder: str
    roots: tuple[int, ...]


class Loads:
    """Counts trees from one look at the processes to the next."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._at = 0.0
        self._shares = Shares()
        self._most = 100.0 * (os.cpu_count() or 1)
        self._trees: dict[tuple[str, int], dict[Key, int]] = {}
        self._told: dict[tuple[str, int], AgentLoad] = {}
        self._looked_at: set[Key] = set()
        self._marked: dict[Key, Marks] = {}
        self._by_marks: dict[Marks, list[int]] = {}

    def changed(self, members: list[Member], look: Look, at: float) -> list[AgentLoad]:
        """Give the loads that changed noticeably. `at`: seconds on a clock that never jumps."""
        self._find_marked(look)
        seconds, self._at = at - self._at, at
        trees, changed = {}, []
        found = [(member, self._tree(member, look)) for member in members]
        self._shares.refresh((_living(tree) for _, tree in found), at)
        for member, tree in found:
            key = member.name, member.epoch
            load = self._load(member, tree, seconds)
            trees[key] = {(process.pid, process.start): process.used for process in tree}
            if _differs(self._told.get(key), load):
                self._told[key] = load
                changed.append(load)
        self._trees = trees
        self._told = {key: load for key, load in self._told.items() if key in trees}
        return changed

    def _tree(self, member: Member, look: Look) -> list[Process]:
        key, marks = (member.name, member.epoch), self._marks(member)
        known = [pid for pid, start in self._trees.get(key, ()) if _started(look, pid) == start]
        tagged = self._by_marks.get(marks, ())
        return [look.table[pid] for pid in look.below([*member.roots, *known, *tagged])]

    def _load(self, member: Member, tree: list[Process], seconds: float) -> AgentLoad:
        before = self._trees.get((member.name, member.epoch))
        used = sum(process.used for process in tree)
        share = 0.0
        if before is not None and seconds > 0:
            share = 100 * max(0, used - sum(before.values())) / TICKS / seconds
        living = _living(tree)
        memory, cpu = self._shares.of(living), round(min(share, self._most), 1)
        return AgentLoad(member.name, member.epoch, memory.size, cpu, len(living), memory.bound)

    def _find_marked(self, look: Look) -> None:
        """Read the marks of every process that was not there before: each one's environment is read once."""
        there = {(process.pid, process.start) for process in look.table.values()}
        new = there - self._looked_at
        self._looked_at = there
        self._marked = {key: marks for key, marks in self._marked.items() if key in there}
        self._marked |= {key: marks for key in new if (marks := marks_of(key[0]))[0]}
        self._by_marks = {}
        for (pid, _), marks in self._marked.items():
            self._by_marks.setdefault(marks, []).append(pid)

    def _marks(self, member: Member) -> Marks:
        return tag(self._namespace, member.name, member.epoch), place(member.folder)


def _living(tree: list[Process]) -> list[Process]:
    return [process for process in tree if not process.zombie]


def _started(look: Look, pid: int) -> int:
    return look.table[pid].start if pid in look.table else -1


def _differs(told: AgentLoad | None, load: AgentLoad) -> bool:
    """Tell whether a load differs by what a person could notice: 1 % of memory, half a per cent of CPU."""
    if told is None or (told.processes, told.rss_bound) != (load.processes, load.rss_bound):
        return True
    return abs(load.rss - told.rss) >= 0.01 * told.rss > 0 or abs(load.cpu_percent - told.cpu_percent) >= 0.5
