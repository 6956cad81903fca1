"""What operators do to tasks and the queue: (fleet, wish, now) -> the tasks as they become, or a refusal. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from controlroom.domain.checks import problem
from controlroom.domain.claims import digest
from controlroom.domain.intents import EditTask, MoveTask
from controlroom.domain.lead_rights import check_open_tasks
from controlroom.domain.model import Fleet
from controlroom.domain.preconditions import (
    Refusal,
    check_base,
    check_credential,
    check_size,
    host_named,
    profile_named,
)
from controlroom.domain.queue import repeat
from controlroom.domain.queue.naming import summary, title
from controlroom.domain.tasks import (
    CENT,
    AttemptEnd,
    Origin,
    Source,
    Task,
    TaskChange,
    TaskState,
    TaskWish,
    in_order,
    read_id,
)
from controlroom.domain.words import nearest, way_round
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import redact, sanitize
from controlroom.text.states import AgentKind

_KEY = 200
"""Characters of a key."""

_PATH = 4096
"""Characters of a folder, or of a model's name."""

LATEST = 253_402_300_799_000
"""The last moment of the year 9999, UTC milliseconds."""

MOST_ATTEMPTS = 100
MOST_HOURS = 24 * 366
MOST_COST = 10**12
MOST_PRIORITY = 1_000


@dataclass(frozen=True)
class Added:
    """What became of an addition: its tasks in order, and those of them that are new."""

    tasks: tuple[Task, ...]
    new: Mapping[str, str]
    """The whole texts of the new ones, by id."""


def added(
    fleet: Fleet,
    wishes: Sequence[TaskWish],
    known: Mapping[str, Task],
    first: int,
    who: str,
    now: int,
    lead: str = "",
) -> Added:
    """Add all of these, or none. `known`: tasks by key, ended ones too; `first`: the number of the next task.

    A key that is known is the same task, whatever else is wished of it. Raises `Refusal`.
    """
    by_key = dict(known)
    tasks: list[Task] = []
    texts: dict[str, str] = {}
    for wish in wishes:
        check_wish(fleet, wish)
        task = by_key.get(wish.key) if wish.key else None
        if task is None:
            task = _task(wish, first + len(texts), Origin(who, wish.source, lead), now)
            texts[task.id] = wish.text
            if wish.key:
                by_key[wish.key] = task
        tasks.append(task)
    _check_bound(fleet, len(texts))
    check_open_tasks(fleet, lead, len(texts))
    ids = {task.id for task in tasks}
    linked = [_linked(fleet, task, by_key, ids) if task.id in texts else task for task in tasks]
    check_acyclic([*fleet.tasks.values(), *linked])
    return Added(tuple(linked), texts)


def check_wish(fleet: Fleet, wish: TaskWish) -> None:
    """Check that a task can be carried out as wished. Raises `Refusal`."""
    if not wish.text.strip():
        raise Refusal("the task is empty: say what is to be done")
    check_size("the task", wish.text)
    if not -MOST_PRIORITY <= wish.priority <= MOST_PRIORITY:
        raise Refusal(f"a priority is a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}")
    _check_amounts(wish)
    _check_key(wish.key)
    _check_place(wish)
    if not 0 <= wish.not_before <= LATEST:
        raise Refusal("no task starts after the year 9999")
    if wish.every and (wrong := repeat.problem(wish.every)):
        raise Refusal(f"how often? {wrong}")
    if wish.host:
        host_named(fleet, wish.host)
    check_labels(fleet, wish.labels)
    check_profile(fleet, wish.profile, wish.source)
    check_credential(fleet.profiles.get(wish.profile), wish.credential)


def _check_amounts(wish: TaskWish) -> None:
    """Check how much a task may take, and how it is checked. Raises `Refusal`."""
    if not 0 <= wish.max_attempts <= MOST_ATTEMPTS:
        raise Refusal(f"a task has 1 to {MOST_ATTEMPTS} attempts")
    if not 0 <= wish.max_hours <= MOST_HOURS or 0 < wish.max_cost < CENT or not 0 <= wish.max_cost <= MOST_COST:
        raise Refusal(f"an attempt has at most {MOST_HOURS} hours, and a task costs a cent to a million dollars")
    if wrong := problem(wish.checks):
        raise Refusal(wrong)


def _check_place(wish: TaskWish) -> None:
    """Check what is said of where and with what it is carried out. Raises `Refusal`."""
    for what, value in (("a model", wish.model), ("a folder", wish.cwd)):
        if len(value) > _PATH or not value.isprintable():
            raise Refusal(f"{what} has at most {_PATH} characters, all of them printable")
    check_base(wish.worktree)


def check_labels(fleet: Fleet, labels: Collection[str]) -> None:
    """See that there are hosts with such labels, so that a slip does not wait for ever. Raises `Refusal`."""
    known = sorted({label for host in fleet.hosts.values() for label in host.labels})
    if missing := next((label for label in labels if label not in known), ""):
        there = nearest(missing, known) or (f" (there are {', '.join(known)})" if known else " (none has any)")
        raise Refusal(f"no host has the label {ascii(missing)[:60]}{there}: say it in hosts.NAME.labels")


def _check_key(key: str) -> None:
    """Check that a key names nothing else and may be shown. Raises `Refusal`."""
    if len(key) > _KEY or key != sanitize(key, _KEY):
        raise Refusal(f"a key has at most {_KEY} plain characters")
    if read_id(key):
        raise Refusal(f"key {key} would name a task by its id: put a word before it, like issue-{read_id(key)}")
    if key != redact(key):
        raise Refusal("a key is kept and shown in the open, and this one looks like a secret: choose another")


def check_profile(fleet: Fleet, name: str, source: Source) -> None:
    """Check that a profile carries out tasks from such a source. Raises `Refusal`."""
    profile = profile_named(fleet, name)
    if profile is None:
        return
    if profile.kind is AgentKind.INTERACTIVE:
        raise Refusal(f"profile {name} is interactive, and nobody sits there: a task needs headless or command")
    if source is not Source.OPERATOR and not profile.takes_outside:
        raise Refusal(
            f"profile {name} takes no tasks whose text comes from a file or an agent: others may have written it. "
            f'Choose another profile, or set profiles.{name}.outside = "always"'
        )


def _task(wish: TaskWish, number: int, origin: Origin, now: int) -> Task:
    return Task(
        number,
        title(wish.text),
        TaskState.WAITING,
        since=now,
        added=now,
        text=summary(wish.text),
        place=float(number),
        origin=origin,
        **wish.terms,
    )


def _check_bound(fleet: Fleet, more: int) -> None:
    there = sum(task.state.is_open for task in fleet.tasks.values())
    most = fleet.queue.rules.max_tasks
    if more and there + more > most:
        some = f"{more} tasks do" if more > 1 else "one more does"
        raise Refusal(f"the queue takes {most} open tasks and has {there}: {some} not fit (queue.max_tasks)")


def _linked(fleet: Fleet, task: Task, by_key: Mapping[str, Task], ids: Collection[str]) -> Task:
    """The task with what it comes after by id. `ids`: those of the same addition."""
    return replace(task, after=tuple(_before(fleet, name, by_key, ids) for name in task.after))


def _before(fleet: Fleet, name: str, by_key: Mapping[str, Task], ids: Collection[str] = ()) -> str:
    id_ = f"t{read_id(name)}"
    task = by_key.get(name) or fleet.tasks.get(id_)
    if task is not None and task.state in (TaskState.FAILED, TaskState.DROPPED):
        raise Refusal(f"{task.id} has {task.state}, so nothing can come after it: controlroom task retry {task.id}")
    if task is not None:
        return task.id
    if id_ in ids:
        return id_
    raise Refusal(f"there is no task {ascii(name)[:60]} to come after; see controlroom task list --all")


def check_acyclic(tasks: Iterable[Task]) -> None:
    """Check that no task waits for itself. Raises `Refusal` with the way round."""
    graph = {task.id: task.after for task in tasks}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise Refusal(f"these tasks would wait for each other: {way_round(error.args[1])}") from None


def task_named(fleet: Fleet, name: str) -> Task:
    """A task by its id, or its key. Raises `Refusal`."""
    task = fleet.tasks.get(f"t{read_id(name)}") if read_id(name) else None
    if task is None:
        task = next((one for one in fleet.tasks.values() if one.key and one.key == name), None)
    if task is None:
        raise Refusal(f"there is no task {ascii(name)[:60]}{nearest(name, fleet.tasks)}; see controlroom task list")
    return task


def held(task: Task, who: str, now: int) -> Task:
    """The task, held until a person releases it. Raises `Refusal`."""
    if task.state is TaskState.HELD:
        raise Refusal(f"{task.id} is held already")
    if task.state is not TaskState.WAITING:
        raise Refusal(f"{task.id} is {task.state}: only one that waits can be held")
    return replace(task, state=TaskState.HELD, since=now, reason=f"held by {who}", wait=None)


def released(task: Task, now: int) -> Task:
    """A held task, waiting again. Raises `Refusal`."""
    if task.state is not TaskState.HELD:
        raise Refusal(f"{task.id} is not held: it is {task.state}")
    if task.every and (wrong := repeat.problem(task.every)):
        raise Refusal(f"{task.id} says when it is done again, but {wrong}: controlroom task edit {task.id} --every …")
    not_before = task.not_before if task.every else 0  # its next time
    return replace(task, state=TaskState.WAITING, since=now, reason="", not_before=not_before, wait=None)


def dropped(fleet: Fleet, task: Task, who: str, now: int) -> Task:
    """A task that is not to be done any more. Raises `Refusal`."""
    last = task.last
    agent = fleet.agents.get(last.id) if last else None
    over = last and agent and agent.epoch >= last.epoch and agent.has_ended and not agent.pending
    if task.state is TaskState.RUNNING and not over:
        by = f" by {last.id}: controlroom kill {last.id}, then drop it" if last else ""
        raise Refusal(f"{task.id} is being done{by}")
    if not task.state.is_open:
        raise Refusal(f"{task.id} is {task.state} already")
    attempts = tuple(
        replace(attempt, end=AttemptEnd.KILLED, ended=now) if attempt.is_open else attempt for attempt in task.attempts
    )
    return replace(task, state=TaskState.DROPPED, since=now, reason=f"dropped by {who}", wait=None, attempts=attempts)


def retried(task: Task, now: int) -> Task:
    """An ended task, waiting again; its attempts are counted anew. Raises `Refusal`."""
    if task.state.is_open:
        raise Refusal(f"{task.id} is {task.state}: only one that has ended can be tried again")
    return replace(
        task,
        state=TaskState.WAITING,
        since=now,
        reason="",
        not_before=0,
        wait=None,
        counted_from=len(task.attempts),
    )


_ANOTHER = frozenset({"body", "profile", "host", "labels", "model", "cwd", "worktree"})
"""What an agent that went on in its session would not learn of."""


def version(task: Task, text: str) -> str:
    """Digest of all that can be edited of a task: its terms and its whole text. Another one, and it was edited."""
    return digest(f"{sorted(task.terms.items())!r}\n{text}")[:12]


def change_of(task: Task, change: TaskChange, text: str | None = None) -> EditTask:
    """What changes a task as it was read, with this text where that was: nothing that somebody has changed since."""
    parts = {name: getattr(task, name) for name, value in vars(change).items() if value is not None and name != "body"}
    text_was = digest(text) if change.body is not None and text is not None else ""
    return EditTask(task.id, change, TaskChange(**parts), text_was)


def check_shown(task: Task, edit: EditTask, text: str) -> None:
    """See that what is changed of a task is what a person was shown of it. Raises `Refusal`.

    `text`: the whole text, where one was shown.
    """
    if edit.version and edit.version != version(task, text):
        raise Refusal(f"{task.id} has become another one since version {edit.version}: see controlroom task show")
    was, text_was = edit.was, edit.text_was
    shown = {name: value for name, value in vars(was).items() if value is not None} if was else {}
    others = [_FIELDS.get(name, name) for name, value in shown.items() if getattr(task, name) != value]
    others += ["text"] * bool(text_was and digest(text) != text_was)
    if others:
        raise Refusal(f"{', '.join(others)} of {task.id} has become another one since it was shown: look again")


_FIELDS = {"cwd": "folder", "max_cost": "cost", "max_hours": "hours", "max_attempts": "attempts"}
"""What people call the fields of a task that have other names here."""


def edited(fleet: Fleet, task: Task, change: TaskChange) -> Task:
    """The task with a change made to it. Raises `Refusal`."""
    if task.state not in (TaskState.WAITING, TaskState.HELD):
        raise Refusal(f"{task.id} is {task.state}: only one that waits or is held can be edited")
    parts = {name: value for name, value in vars(change).items() if value is not None and name != "body"}
    if change.after is not None:
        by_key = {one.key: one for one in fleet.tasks.values() if one.key}
        parts["after"] = tuple(_before(fleet, name, by_key) for name in change.after)
    if change.body is not None:
        parts |= {"title": title(change.body), "text": summary(change.body)}
    if _ANOTHER & {name for name, value in vars(change).items() if value is not None}:
        parts["anew_from"] = len(task.attempts)
    changed = replace(task, **parts, wait=None)
    text = task.text if change.body is None else change.body
    check_wish(fleet, TaskWish(text, task.origin.source, **changed.terms))
    check_acyclic([*(one for one in fleet.tasks.values() if one.id != task.id), changed])
    return changed


def moved(fleet: Fleet, task: Task, before: Task | None, *, first: bool = False) -> Task:
    """The task in another place: before another one, else first or last of its priority. Raises `Refusal`."""
    if task.state not in (TaskState.WAITING, TaskState.HELD):
        raise Refusal(f"{task.id} is {task.state}: only one that waits or is held has a place in the queue")
    if before is task:
        raise Refusal(f"{task.id} cannot stand before itself")
    priority = before.priority if before else task.priority
    places = sorted(
        (one.place, one.number)
        for one in fleet.tasks.values()
        if one.state.is_open and one.priority == priority and one.number != task.number
    )
    if before is None:
        place = (places[0][0] - 1 if first else places[-1][0] + 1) if places else task.place
    else:
        earlier = [there for there in places if there < (before.place, before.number)]
        place = (earlier[-1][0] + before.place) / 2 if earlier else before.place - 1
    return replace(task, place=place, priority=priority, wait=None)


def stepped(fleet: Fleet, task: Task, step: int, shown: Sequence[str], now: int) -> MoveTask | EditTask:
    """What has a waiting task start before the one above it (-1), or after the one below it (1). Raises `Refusal`.

    `shown`: the ids of the tasks that a person sees, in their order.
    """
    if task.state is not TaskState.WAITING:
        raise Refusal(f"{task.id} is {task.state}: only one that waits is moved up and down")
    order = in_order((one for one in fleet.tasks.values() if one.state is TaskState.WAITING), fleet.queue, now)
    ids = [one.id for one in order]
    seen = [id_ for id_ in shown if id_ in ids]
    place = seen.index(task.id) + step
    if not 0 <= place < len(seen):
        raise Refusal(f"{task.id} is the {'first' if step < 0 else 'last'} that waits")
    other = fleet.tasks[seen[place]]
    after = next((one for one in order[ids.index(other.id) + 1 :] if one is not task), None)
    before = other if step < 0 else after
    if before is None and other.priority != task.priority:
        return change_of(task, TaskChange(priority=other.priority))
    moved_task = moved(fleet, task, before)
    then = in_order((moved_task if one is task else one for one in order), fleet.queue, now)
    if (then.index(moved_task) < then.index(other)) is not (step < 0):
        raise Refusal(f"{(other if step < 0 else task).id} has waited longer, which counts: set a priority instead")
    return MoveTask(task.id, before.id if before else "")
