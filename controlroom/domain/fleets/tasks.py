"""What applying a fleet file would change of tasks: those that it has added itself, and no others. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from controlroom.domain.claims import digest
from controlroom.domain.fleet_files import AppliedFleet, FleetFile, FleetTask, TaskMember, TaskStep, is_named
from controlroom.domain.fleets.checking import shown_name
from controlroom.domain.fleets.plans import Act, Change, Drift, Known
from controlroom.domain.model import Fleet
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.edits import check_wish
from controlroom.domain.tasks import Task, TaskChange, TaskState, TaskWish, read_id
from controlroom.domain.words import nearest

COMPARED = (
    *("priority", "profile", "host", "model", "cwd", "after", "max_attempts", "max_cost", "max_hours", "labels"),
    *("every", "worktree", "credential"),
)
"""What a fleet file says of a task beside its text."""

_WORDS = {"cwd": "folder", "max_cost": "cost", "max_hours": "hours", "max_attempts": "attempts"}


def wishes(applied: AppliedFleet) -> tuple[FleetTask, ...]:
    """The tasks of a fleet as it was applied, without their texts."""
    return tuple(FleetTask(member.wish) for member in applied.tasks.values() if member.step is not TaskStep.DROP)


def changes(file: FleetFile, fleet: Fleet, known: Known) -> Iterator[Change]:
    """What becomes of each task of the file, and of those that have gone from it. Raises `Refusal`."""
    applied = fleet.fleets.get(file.name)
    ours = applied.tasks if applied else {}
    keys = {task.wish.key for task in file.tasks}
    for task in file.tasks:
        try:
            yield _task(task, ours.get(task.wish.key), keys, fleet, known)
        except Refusal as no:
            raise Refusal(f"tasks.{shown_name(task.wish.key)}: {no}") from None
    for key, member in ours.items():
        if key not in keys:
            yield _gone(key, member, fleet)


def there(key: str, fleet: Fleet, known: Known) -> Task | None:
    """The task that a key of a fleet file names, as it is by now."""
    task = known.tasks.get(key)
    if task is not None:
        return fleet.tasks.get(task.id, task)
    if (number := read_id(key.removeprefix("task-"))) and (one := fleet.tasks.get(f"t{number}")) is not None:
        return one if is_named(one, key) else None
    return None


def _task(task: FleetTask, member: TaskMember | None, keys: set[str], fleet: Fleet, known: Known) -> Change:
    wish = task.wish
    _check_after(wish, keys, fleet, known)
    now = there(wish.key, fleet, known)
    if now is None:
        if wish.text:
            check_wish(fleet, replace(wish, after=()))
        coming = member is not None and member.step is TaskStep.ADD
        act = Act.NOTHING if coming else Act.ADD
        return _of(wish.key, act, Drift.COMING if coming else Drift.MISSING, "there is none yet")
    others = differences(task, now, member, fleet, known)
    if member is None or member.id != now.id:
        if not others:
            return _of(wish.key, task=now)
        words = f"{now.id} has this key and was not added by this fleet ({', '.join(others)} differ): it is left alone"
        return _of(wish.key, Act.NOTHING, Drift.TAKEN, words, now)
    if member.step not in (TaskStep.NONE, TaskStep.DROP):
        return _of(wish.key, Act.NOTHING, Drift.COMING, f"{member.step} is on its way", now)
    return _of_ours(wish, now, others, member, fleet)


def _of(key: str, act: Act = Act.NOTHING, drift: Drift = Drift.NONE, why: str = "", task: Task | None = None) -> Change:
    last = task.last.host if task and task.last else task.host if task else ""
    return Change(key, act, drift, why, is_task=True, subject=task.id if task else "", host=last)


def _of_ours(wish: TaskWish, now: Task, others: list[str], member: TaskMember, fleet: Fleet) -> Change:
    """A task that this fleet has added."""
    words = ", ".join(others)
    if now.state in (TaskState.WAITING, TaskState.HELD) and others:
        check_wish(fleet, replace(wish, after=(), text=wish.text or now.text))
        is_new = bool(wish.text) and _terms(wish) != _terms(member.wish)
        return _of(wish.key, Act.EDIT, Drift.NONE if is_new else Drift.CHANGED, words, now)
    if now.state is TaskState.HELD:
        return _of(wish.key, Act.NOTHING, Drift.CHANGED, f"held: {now.reason}" if now.reason else "held", now)
    if now.state is TaskState.RUNNING and others:
        return _of(wish.key, Act.NOTHING, Drift.CHANGED, f"{words}: it is at work, and goes on as it began", now)
    if now.state in (TaskState.FAILED, TaskState.DROPPED):
        if others:
            return _of(
                wish.key, Act.NOTHING, Drift.CHANGED, f"{now.state}, and {words} differ: give it another key", now
            )
        drift = Drift.FAILED if now.state is TaskState.FAILED else Drift.ENDED
        return _of(wish.key, Act.RETRY, drift, now.reason or str(now.state), now)
    return _of(wish.key, task=now)


def _terms(wish: TaskWish) -> tuple[Any, ...]:
    return tuple(getattr(wish, name) for name in COMPARED)


def _gone(key: str, member: TaskMember, fleet: Fleet) -> Change:
    """What becomes of a task whose entry has gone from the file."""
    now = fleet.tasks.get(member.id) if member.id else None
    if member.step is TaskStep.DROP:
        return _of(key, Act.NOTHING, Drift.COMING, "it is being dropped", now)
    if now is None or not now.state.is_open:
        return _of(key, Act.UPDATE, Drift.NONE, "it has gone from the file", now)
    ends = f"; {now.last.id} is ended" if now.state is TaskState.RUNNING and now.last else ""
    return _of(key, Act.DROP, Drift.NONE, f"it has gone from the file{ends}", now)


def _check_after(wish: TaskWish, keys: set[str], fleet: Fleet, known: Known) -> None:
    for name in wish.after:
        if name not in keys and there(name, fleet, known) is None and f"t{read_id(name)}" not in fleet.tasks:
            raise Refusal(f"it comes after {ascii(name)[:60]}, and there is no such task{nearest(name, keys)}")


def differences(task: FleetTask, now: Task, member: TaskMember | None, fleet: Fleet, known: Known) -> list[str]:
    """Which fields of a task are not as its entry wants them."""
    wish = task.wish
    others = [name for name in COMPARED if name != "after" and getattr(now, name) != getattr(wish, name)]
    if set(now.after) != {_id(name, fleet, known) for name in wish.after}:
        others.append("after")
    wanted = digest(wish.text) if wish.text else member.digest if member else ""
    others += ["text"] * bool(wanted and known.texts.get(now.id, wanted) != wanted)
    return [_WORDS.get(name, name) for name in others]


def _id(name: str, fleet: Fleet, known: Known) -> str:
    task = there(name, fleet, known)
    return task.id if task else f"t{read_id(name)}" if read_id(name) else name


def edit(wish: TaskWish, now: Task, fleet: Fleet, known: Known, text: str) -> TaskChange:
    """The change that makes a task what its entry wants; `text`: the whole one."""
    parts = {
        name: getattr(wish, name) for name in COMPARED if name != "after" and getattr(now, name) != getattr(wish, name)
    }
    after = tuple(_id(name, fleet, known) for name in wish.after)
    if set(after) != set(now.after):
        parts["after"] = after
    if text and digest(text) != known.texts.get(now.id):
        parts["body"] = text
    return TaskChange(**parts)
