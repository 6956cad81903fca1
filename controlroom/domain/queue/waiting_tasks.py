"""The tasks of a queue that wait, in order, kept from one decision to the next. Pure."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter

from controlroom.domain.persistent_tables import Table, changed_keys, table
from controlroom.domain.tasks import Task, TaskState, urgency
from controlroom.domain.waits import Wait

Rank = tuple[int, float, int]


class WaitingTasks:
    """The waiting tasks in the order in which they start, kept from one decision to the next: changes are sorted in.

    Two decisions about the same fleet at the same moment are the same, whatever is kept.
    """

    def __init__(self) -> None:
        self._known: Table[Task] = Table()
        self._aging, self._now = 0, 0
        self._begin_anew(0, 0)

    def __bool__(self) -> bool:
        return bool(self.ids or self._bound)

    def task(self, index: int) -> Task:
        """The task that stands at a place of the lists."""
        return self._known[self.ids[index]]

    def follow(self, tasks: Mapping[str, Task], aging: int, now: int) -> None:
        """Have the waiting ones of these tasks, and no others, as they stand at a moment."""
        before, self._known = self._known, table(tasks)
        changed = changed_keys(before, self._known)
        many_kinds = len(self._numbers) > 2 * len(self._known) + _SORTED_IN
        if len(changed) > _SORTED_IN or aging != self._aging or many_kinds:
            self._begin_anew(aging, now)
            return
        earlier, self._now = self._now, now
        for key in changed:
            old = before.get(key)
            if old is not None and old.state is TaskState.WAITING:
                self._leave(key, old)
                self._unbind(old)
        self._pass_time(earlier)
        for key in changed:
            new = self._known.get(key)
            if new is not None and new.state is TaskState.WAITING and not self._bind(new):
                self._join(new)
            self._stale |= self._dependents.get(key, frozenset())

    def _begin_anew(self, aging: int, now: int) -> None:
        self._aging, self._now = aging, now
        self._numbers: dict[object, int] = {}
        """A number for each kind of task: all of one are alike in what decides where they may begin."""
        self._bound: dict[str, Task] = {}
        """Those that may wait for something of their own."""
        self._dependents: dict[str, set[str]] = {}
        """Which of them come after a task, by its id."""
        self._timed: list[tuple[int, str]] = []
        """Those that wait for a moment, by that."""
        self._stale: set[str] = set()
        """Those that are others than at the last decision, or come after one that is, or whose moment has come."""
        self._own: dict[str, Wait] = {}
        self._arrange([task for task in in_state(self._known.values(), TaskState.WAITING) if not self._bind(task)])

    # ----------------------------------------------------------------------- those that wait for nothing of their own

    def _arrange(self, ready: Iterable[Task]) -> None:
        """Sort all that wait for nothing of their own."""
        rows = sorted((self._ranked(task), task.id, self._kind(task)) for task in ready)
        self._ranks = [rank for rank, _, _ in rows]
        self.ids = [key for _, key, _ in rows]
        self.kinds: list[int | str] = [kind for _, _, kind in rows]
        self._rank = dict(zip(self.ids, self._ranks, strict=True))
        self._phases = sorted(map(self._phase, map(self._known.__getitem__, self.ids)))

    def _join(self, task: Task) -> None:
        rank = self._rank[task.id] = self._ranked(task)
        at = bisect_left(self._ranks, rank)
        self._ranks.insert(at, rank)
        self.ids.insert(at, task.id)
        self.kinds.insert(at, self._kind(task))
        insort(self._phases, self._phase(task))

    def _leave(self, key: str, task: Task) -> None:
        rank = self._rank.pop(key, None)
        if rank is None:
            return
        at = bisect_left(self._ranks, rank)
        del self._ranks[at], self.ids[at], self.kinds[at]
        del self._phases[bisect_left(self._phases, self._phase(task))]

    def _ranked(self, task: Task) -> Rank:
        return -urgency(task, self._aging, self._now), task.place, task.number

    def _phase(self, task: Task) -> tuple[int, str]:
        """At which part of each step of aging a task becomes more urgent."""
        return task.ages_from % self._aging if self._aging else 0, task.id

    def _kind(self, task: Task) -> int | str:
        """What decides where it may begin, or go on: as the session of one with attempts does, too, that is its id."""
        return task.id if task.attempts else self._numbers.setdefault(WORK(task), len(self._numbers))

    def _pass_time(self, earlier: int) -> None:
        """Sort those anew that are more urgent than at an earlier moment, or less: the clock may have been set."""
        first, last = sorted((earlier, self._now))
        self._stale.update(_between(self._timed, first + 1, last + 1))
        aging = self._aging
        if not aging or first == last:
            return
        begins, ends = first % aging + 1, last % aging + 1
        if last - first >= aging:
            others: list[str] = [*self.ids]
        elif begins <= ends:
            others = _between(self._phases, begins, ends)
        else:
            others = _between(self._phases, begins, aging) + _between(self._phases, 0, ends)
        if len(others) > _SORTED_IN:
            self._arrange(map(self._known.__getitem__, self.ids))
            return
        for task in map(self._known.__getitem__, others):
            self._leave(task.id, task)
            self._join(task)

    # ----------------------------------------------------------------------- those that wait for something of their own

    def _bind(self, task: Task) -> bool:
        """Note a task that may wait for something of its own; False: it cannot."""
        if not task.after and not task.not_before and not (task.max_cost and task.attempts):
            return False
        self._bound[task.id] = task
        self._stale.add(task.id)
        if task.not_before:
            insort(self._timed, (task.not_before, task.id))
        for key in task.after:
            self._dependents.setdefault(key, set()).add(task.id)
        return True

    def _unbind(self, task: Task) -> None:
        if self._bound.pop(task.id, None) is None:
            return
        self._own.pop(task.id, None)
        if task.not_before:
            del self._timed[bisect_left(self._timed, (task.not_before, task.id))]
        for key in task.after:
            self._dependents[key].discard(task.id)

    def own_waits(self, own_wait: Callable[[Task], Wait | None]) -> Mapping[str, Wait]:
        """What those wait for that wait for something of their own: thousands may, and few are others than before."""
        joining: list[Task] = []
        for task in [self._bound[key] for key in self._stale if key in self._bound]:
            wait = own_wait(task)
            if wait is None:
                self._own.pop(task.id, None)
                if task.id not in self._rank:
                    joining.append(task)
                continue
            self._leave(task.id, task)
            if self._own.get(task.id) != wait:
                self._own[task.id] = wait
        self._stale.clear()
        if len(joining) > _SORTED_IN:
            self._arrange([*map(self._known.__getitem__, self.ids), *joining])
        else:
            for task in joining:
                self._join(task)
        return self._own

    @property
    def next_moment(self) -> int:
        """The first moment after this one that any of them waits for; 0: there is none."""
        at = bisect_left(self._timed, (self._now + 1,))
        return self._timed[at][0] if at < len(self._timed) else 0


_SORTED_IN = 100
"""Changed tasks that are sorted in one by one; more are sorted together."""

WORK = attrgetter("profile", "host", "labels", "model", "cwd", "worktree", "origin.source", "origin.lead", "credential")
"""What decides where a task may begin: for tasks that are alike in it that is worked out once."""


def _between(keys: list[tuple[int, str]], first: int, end: int) -> list[str]:
    """What is kept under the numbers from one up to another."""
    return [key for _, key in keys[bisect_left(keys, (first,)) : bisect_left(keys, (end,))]]


def in_state(tasks: Iterable[Task], state: TaskState) -> list[Task]:
    """Those of some tasks that are in a state."""
    return [task for task in tasks if task.state is state]
