"""The tasks of a queue that wait, in order, kept from one decision to the next. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from controlroom.domain.persistent_tables import Table, changed_keys, table
from controlroom.domain.tasks import Task, TaskState
from controlroom.domain.waits import Wait


class WaitingTasks:
    """The waiting tasks in the order of their places, kept from one decision to the next: only changes are sorted in.

    Two decisions about the same fleet at the same moment are the same, whatever is kept.
    """

    def __init__(self) -> None:
        self._known: Table[Task] = Table()
        self._begin_anew()

    def follow(self, tasks: Mapping[str, Task]) -> None:
        """Have the waiting ones of these tasks, and no others."""
        before, self._known = self._known, table(tasks)
        changed = changed_keys(before, self._known)
        if len(changed) > _SORTED_IN:
            self._begin_anew()
            return
        for key in changed:
            old, new = before.get(key), self._known.get(key)
            if old is not None and old.state is TaskState.WAITING:
                at = bisect_left(self._places, _PLACE(old))
                for column in self._columns():
                    del column[at]
                self._unbind(old)
            if new is not None and new.state is TaskState.WAITING:
                self._put(new)
            self._stale |= self._dependents.get(key, frozenset())

    def _begin_anew(self) -> None:
        self.tasks = sorted(in_state(self._known.values(), TaskState.WAITING), key=_PLACE)
        self._places = [_PLACE(task) for task in self.tasks]
        self.ids = [task.id for task in self.tasks]
        self.kinds = [_kind(task) for task in self.tasks]
        self._ages = [(task.ages_from, task.priority) for task in self.tasks]
        self._bound: dict[str, Task] = {}
        """Those that may wait for something of their own."""
        self._dependents: dict[str, set[str]] = {}
        """Which of them come after a task, by its id."""
        self._timed: set[str] = set()
        """Those that wait for a moment."""
        self._stale: set[str] = set()
        """Those that are others than at the last decision, or come after one that is."""
        self._own: dict[str, Wait] = {}
        for task in self.tasks:
            self._bind(task)

    def _columns(self) -> tuple[list[Any], ...]:
        return self.tasks, self._places, self.ids, self.kinds, self._ages

    def _put(self, task: Task) -> None:
        at = bisect_left(self._places, _PLACE(task))
        cells = task, _PLACE(task), task.id, _kind(task), (task.ages_from, task.priority)
        for column, cell in zip(self._columns(), cells, strict=True):
            column.insert(at, cell)
        self._bind(task)

    def _bind(self, task: Task) -> None:
        if not task.after and not task.not_before:
            return
        self._bound[task.id] = task
        self._stale.add(task.id)
        if task.not_before:
            self._timed.add(task.id)
        for key in task.after:
            self._dependents.setdefault(key, set()).add(task.id)

    def _unbind(self, task: Task) -> None:
        if self._bound.pop(task.id, None) is None:
            return
        self._own.pop(task.id, None)
        self._timed.discard(task.id)
        for key in task.after:
            self._dependents[key].discard(task.id)

    def own_waits(self, own_wait: Callable[[Task], Wait | None]) -> Mapping[str, Wait]:
        """What those wait for that wait for something of their own: thousands may, and few are others than before."""
        for key in self._stale | self._timed:
            task = self._bound.get(key)
            wait = own_wait(task) if task is not None else None
            if wait is None:
                self._own.pop(key, None)
            elif self._own.get(key) != wait:
                self._own[key] = wait
        self._stale.clear()
        return self._own

    def order(self, aging: int, now: int) -> list[int]:
        """Where in the lists those stand that come first, second and so on."""
        by_priority: defaultdict[int, list[int]] = defaultdict(list)
        for index, (since, priority) in enumerate(self._ages):
            by_priority[(now - since) // aging + priority].append(index)
        return [index for priority in sorted(by_priority, reverse=True) for index in by_priority[priority]]


_SORTED_IN = 100
"""Changed tasks that are sorted in one by one; more are sorted together."""

_PLACE = attrgetter("place", "number")

WORK = attrgetter("profile", "host", "labels", "model", "cwd", "worktree", "origin.source", "origin.lead", "credential")
"""What decides where a task may begin: for tasks that are alike in it that is worked out once."""


def _kind(task: Task) -> object:
    """What decides where it may begin, or go on: as the session of one with attempts does, too, that is its id."""
    return task.id if task.attempts else WORK(task)


def in_state(tasks: Iterable[Task], state: TaskState) -> list[Task]:
    """Those of some tasks that are in a state."""
    return [task for task in tasks if task.state is state]
