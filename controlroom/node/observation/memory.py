"""How much memory a tree of processes takes, when pages that several of them share are counted once.

What forks share is resident in each: a program of 200 MB with 300 children seems to take gigabytes. Linux tells each
process's proportional share (`/proc/PID/smaps_rollup`, PSS), for which the kernel walks all of its pages: some 20 µs
for each MB. So it is asked only of trees in which processes seem to be forks, a few at a time, and now and then.
"""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controlroom.node.observation.processes import Process

AGAIN = 30.0
"""Seconds after which a process is asked again."""

SOON, GROWN = 10.0, 0.2
"""Seconds after which it is asked again when its resident memory has changed by such a share, or others have come or
gone in its tree: what they shared is then another's."""

BUDGET, FIRST = 0.02, 0.1
"""Seconds of CPU that may go into asking at one look: again, and for the first time."""

MANY = 8
"""Processes of a tree that are taken to share something, whatever they are called."""

_LIMIT = 4096

Key = tuple[int, int]


class Memory(NamedTuple):
    """Bytes that a tree takes. `bound`: at most; pages that are shared may be counted more than once."""

    size: int
    bound: bool


class _Reading(NamedTuple):
    pss: int | None
    """None: it cannot be read."""
    rss: int
    at: float
    tree: int
    """Tells by which processes the tree was made up."""


class Shares:
    """Proportional shares of processes, from one look at them to the next."""

    def __init__(self, budget: float = BUDGET, first: float = FIRST) -> None:
        self._budget, self._first = budget, first
        self._known: dict[Key, _Reading] = {}

    def refresh(self, trees: Iterable[Sequence[Process]], at: float) -> None:
        """Ask what is due, the longest unasked first. `at`: seconds on a clock that never jumps."""
        wanted = {
            _key(process): (process, made_up)
            for tree in trees
            if _forks(tree)
            for made_up in [hash(frozenset(map(_key, tree)))]
            for process in tree
        }
        self._known = {key: reading for key, reading in self._known.items() if key in wanted}
        due = [key for key, (process, made_up) in wanted.items() if self._is_due(key, process, made_up, at)]
        began = time.thread_time()
        for key in sorted(due, key=lambda key: self._known[key].at if key in self._known else float("-inf")):
            process, made_up = wanted[key]
            budget = self._budget if key in self._known else self._first
            self._known[key] = _Reading(_pss(key[0]), process.rss, at, made_up)
            if time.thread_time() - began > budget:
                break

    def of(self, tree: Sequence[Process]) -> Memory:
        """Give what the living processes of a tree take."""
        if not _forks(tree):
            return Memory(sum(process.rss for process in tree), bound=False)
        parts = [self._part(process) for process in tree]
        return Memory(sum(part.size for part in parts), any(part.bound for part in parts))

    def _part(self, process: Process) -> Memory:
        reading = self._known.get(_key(process))
        if reading is None or reading.pss is None:
            return Memory(process.rss, bound=True)
        since = max(0, process.rss - reading.rss)  # what it has taken since is its own, as far as is known
        return Memory(min(process.rss, reading.pss + since), bound=False)

    def _is_due(self, key: Key, process: Process, made_up: int, at: float) -> bool:
        reading = self._known.get(key)
        if reading is None:
            return True
        changed = reading.tree != made_up or abs(process.rss - reading.rss) > GROWN * reading.rss
        return at - reading.at >= (SOON if changed and reading.pss is not None else AGAIN)


def _forks(tree: Sequence[Process]) -> bool:
    """Tell whether processes of a tree may share more than libraries: a fork is called as what it comes from."""
    names = [process.name for process in tree if process.name]
    return len(tree) >= MANY or len(set(names)) < len(names)


def _key(process: Process) -> Key:
    return process.pid, process.start


def _pss(pid: int) -> int | None:
    """Read the proportional share of a process; None when it is no more, is another user's, or nothing tells."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as file:
            lines = file.read(_LIMIT).splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
