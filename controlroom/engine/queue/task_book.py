"""The tasks of a room: kept in the ledger, shown in the fleet, changed as operators want."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from controlroom.domain import intents
from controlroom.domain.audit import verb_of
from controlroom.domain.claims import digest
from controlroom.domain.events import HostDrained, QueueSeen, TasksSeen
from controlroom.domain.lead_rights import check_open_tasks
from controlroom.domain.model import Fleet, Host
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import attempts, drains, edits, repeat, rules
from controlroom.domain.queue.templates import filled
from controlroom.domain.tasks import Drain, Hold, Queue, QueueRules, Task, TaskState, TaskWish, read_id
from controlroom.domain.words import nearest
from controlroom.engine.config.task_templates import read_template, template_names
from controlroom.engine.ledger import task_tables
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.writer import Keep, LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.text.sanitize import redact, sanitize
from controlroom.text.states import Outcome

TaskIntent = (
    intents.AddTasks
    | intents.EditTask
    | intents.MoveTask
    | intents.HoldTask
    | intents.ReleaseTask
    | intents.DropTask
    | intents.RetryTask
    | intents.HoldQueue
    | intents.ReleaseQueue
    | intents.SetQueue
    | intents.DrainHost
    | intents.ContinueDrain
    | intents.UndrainHost
)
"""What operators want of tasks, of the queue, and of hosts that take nothing new."""


LONGEST_ADDITION = 60_000
"""Milliseconds in which all parts of an addition must come."""

MOST_AT_ONCE, MOST_ADDITIONS = 10_000, 4


class Parts(NamedTuple):
    """What there is of an addition that comes in parts: whose, since when, and how many parts."""

    who: str
    since: int
    number: int = 0
    wishes: Sequence[TaskWish] = ()


REASON = 300
"""Characters that are kept of why somebody holds the queue or halts the room."""


class TaskBook:
    """All tasks of a room. All methods are called on its event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger: Ledger,
        ledger_writer: LedgerWriter,
        rules: QueueRules,
        templates: Mapping[str, str],
        template_folder: Path,
        zone: tzinfo,
    ) -> None:
        """`rules` and `templates` are the config's; `template_folder` holds more of them, as NAME.md.

        `zone`: where the operator's days begin.
        """
        self._store, self._ledger, self._ledger_writer, self._zone = store, ledger, ledger_writer, zone
        self._rules, self._templates, self._template_folder = rules, templates, template_folder
        self._last = 0
        self._parts: dict[str, Parts] = {}
        """Additions of which more is to come, by their name."""
        self._turn = asyncio.Lock()

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""
        return self._store.fleet

    def recall(self, ordered: Mapping[str, int]) -> None:
        """Take up what the ledger holds. `ordered`: epochs of the agents that should exist, by id.

        An attempt whose agent was never ordered never began: the engine ended between the two.
        """
        tasks = task_tables.read_tasks(self._ledger.read(task_tables.OPEN_TASKS))
        ended = task_tables.read_tasks(self._ledger.read(task_tables.ENDED_TASKS))
        held = {task.id for task in ended}
        awaited = {read_id(key) for task in tasks for key in task.after} - {task.number for task in tasks}
        for number in sorted(number for number in awaited if f"t{number}" not in held):
            ended += task_tables.read_tasks(self._ledger.read(task_tables.BY_NUMBER, (number,)))
        ((last,),) = self._ledger.read(task_tables.LAST_TASK)
        self._last = last or 0
        said = self._ledger.read(task_tables.QUEUE)
        self._store.apply(QueueSeen(task_tables.read_queue(said, self._rules)))
        for host, drain in task_tables.read_drains(said).items():
            self._store.apply(HostDrained(host, drain))
        self._store.apply(TasksSeen((*ended, *tasks)))
        now = self._store.clock()
        self.update([again for task in tasks if (again := _never_ordered(task, ordered, self._rules, now)) is not None])

    def update(self, tasks: Sequence[Task], keep: Keep = Keep.STATE) -> "asyncio.Future[str] | None":
        """Show tasks as they have become, and write them down; what is written resolves to why not, "" when it is."""
        if not tasks:
            return None
        self._store.apply(TasksSeen(tuple(tasks), self._outdated()))
        return self._ledger_writer.outbox.put(task_tables.keep_tasks(tasks), keep)

    def show(self, tasks: Sequence[Task], queue: Queue) -> None:
        """Show what tasks wait for now, which the ledger does not keep, and the queue where it is another."""
        if tasks:
            self._store.apply(TasksSeen(tuple(tasks)))
        if queue != self.fleet.queue:
            self._store.apply(QueueSeen(queue))

    def set_queue(self, queue: Queue) -> "asyncio.Future[str]":
        """Replace the queue, and write it down; what is written resolves to why not, "" when it is."""
        self._store.apply(QueueSeen(queue))
        return self._ledger_writer.outbox.put(task_tables.keep_queue(queue), Keep.RECORD)

    def audited(self, intent: intents.Intent, result: Result, who: str) -> Result:
        """Audit what was done to the room at once."""
        self._ledger_writer.audited(who, verb_of(intent), "room", 0, result)
        return result

    def refused(self, intent: intents.Intent, reason: str, who: str) -> Result:
        """Refuse something, and audit that."""
        return self._ledger_writer.refused(intent, reason, who)

    def audited_agent(self, who: str, verb: str, about: str, epoch: int, result: Result) -> Result:
        """Audit what was done to an agent, or decided about it."""
        self._ledger_writer.audited(who, verb, about, epoch, result)
        return result

    def tell(self, task: Task) -> None:
        """Audit what has become of a task: done, failed, held, or waiting for another attempt."""
        about = task.last.id if task.last else ""
        outcome = Outcome.REFUSED if task.state is TaskState.FAILED else Outcome.DONE
        words = f"{about}: {task.reason}" if task.reason else about
        self._ledger_writer.audited("the queue", f"task {task.state}", task.id, 0, Result(outcome, words))

    async def text(self, task: Task) -> str:
        """The whole text of a task. Raises `LedgerProblem`."""
        await self._ledger_writer.outbox.wait_tried()
        rows = await asyncio.to_thread(self._ledger.read, task_tables.TEXT, (task.number,))
        if not rows:
            raise LedgerProblem(f"the ledger has no text of {task.id}")
        return str(rows[0][0])

    async def texts(self, tasks: Iterable[Task]) -> dict[str, str]:
        """The whole texts of several tasks, by id; one that the ledger has not is left out. Raises `LedgerProblem`."""
        await self._ledger_writer.outbox.wait_tried()
        numbers = {task.id: task.number for task in tasks}

        def read() -> dict[str, str]:
            rows = {id_: self._ledger.read(task_tables.TEXT, (number,)) for id_, number in numbers.items()}
            return {id_: str(text[0][0]) for id_, text in rows.items() if text}

        return await asyncio.to_thread(read) if numbers else {}

    async def digests(self, tasks: Iterable[Task]) -> dict[str, str]:
        """The digests of such texts."""
        return {id_: digest(text) for id_, text in (await self.texts(tasks)).items()}

    def _outdated(self) -> tuple[str, ...]:
        """Tasks that ended so long ago that they are not shown any longer."""
        awaited = {key for task in self.fleet.tasks.values() if task.state.is_open for key in task.after}
        ended = [task for task in self.fleet.tasks.values() if not task.state.is_open and task.id not in awaited]
        beyond = len(ended) - task_tables.SHOWN
        if beyond <= 0:
            return ()
        return tuple(task.id for task in sorted(ended, key=lambda task: task.since)[:beyond])

    # ----------------------------------------------------------------------- what operators want

    async def change(self, intent: TaskIntent, who: str) -> Result:
        """Do what an operator wants of tasks or the queue, or refuse it; it is on the disk when this returns."""
        async with self._turn:
            op = self._store.new_id()
            try:
                about, words, problem = await self._change(intent, who)
            except (Refusal, LedgerProblem) as no:
                return self._ledger_writer.refused(intent, str(no), who)
            if problem:
                return self._ledger_writer.refused(intent, problem, who)
            done = Result(Outcome.DONE, words, op=op)
            self._ledger_writer.audited(who, verb_of(intent), about, 0, done)
            return replace(done, agent=about)

    async def _change(self, intent: TaskIntent, who: str) -> tuple[str, str, str]:
        """What it is about, what was done, and why it could not be written. Raises `Refusal`."""
        now = self._store.clock()
        match intent:
            case intents.AddTasks():
                return await self._add(intent, who, now)
            case intents.HoldQueue():
                reason = redact(sanitize(intent.reason, REASON))
                return await self._queue(replace(self.fleet.queue, hold=Hold(who, now, reason)), reason)
            case intents.ReleaseQueue():
                if self.fleet.queue.hold is None:
                    raise Refusal("the queue is not held")
                return await self._queue(replace(self.fleet.queue, hold=None), "")
            case intents.SetQueue():
                queue = rules.changed(self.fleet.queue, self._rules, intent.rules)
                return await self._queue(queue, rules.change_words(queue, intent.rules))
            case intents.DrainHost():
                reason = redact(sanitize(intent.reason, REASON))
                wish = Drain(who, now, reason, intent.move, intent.batch)
                return await self._drained(drains.drained(self.fleet, intent.name, wish))
            case intents.ContinueDrain():
                return await self._drained(drains.continued(self.fleet, intent.name))
            case intents.UndrainHost():
                return await self._drained(drains.undrained(self.fleet, intent.name))
            case _:
                return await self._edit(intent, who, now)

    async def _queue(self, queue: Queue, words: str) -> tuple[str, str, str]:
        written = await self.set_queue(queue)
        return "queue", f"{words}; not on the disk yet: {written}" if written else words, ""

    async def _drained(self, host: Host) -> tuple[str, str, str]:
        written = await self.drain(host.name, host.drain)
        words = host.drain.reason if host.drain else ""
        return host.name, f"{words}; not on the disk yet: {written}" if written else words, ""

    def drain(self, host: str, drain: Drain | None) -> "asyncio.Future[str]":
        """Have a host drained so, and write it down; what is written resolves to why not, "" when it is."""
        self._store.apply(HostDrained(host, drain))
        return self._ledger_writer.outbox.put(task_tables.keep_drains(self.fleet.hosts.values()), Keep.RECORD)

    def show_drain(self, host: str, drain: Drain) -> None:
        """Show what the ledger does not keep of a drain: what it waits for."""
        self._store.apply(HostDrained(host, drain))

    async def _edit(
        self,
        intent: intents.EditTask
        | intents.MoveTask
        | intents.HoldTask
        | intents.ReleaseTask
        | intents.DropTask
        | intents.RetryTask,
        who: str,
        now: int,
    ) -> tuple[str, str, str]:
        task = edits.task_named(self.fleet, intent.task)
        statements = []
        if isinstance(intent, intents.EditTask):
            text = await self.text(task) if intent.text_was or intent.version else ""
            task = edits.task_named(self.fleet, intent.task)  # it may have begun meanwhile
            edits.check_shown(task, intent, text)
        match intent:
            case intents.EditTask():
                changed = edits.edited(self.fleet, task, intent.change)
                if intent.change.every and intent.change.not_before is None:
                    changed = repeat.timed(changed, now, self._zone)
                if intent.change.body is not None:
                    statements = [task_tables.keep_text(task.number, intent.change.body)]
            case intents.MoveTask():
                before = edits.task_named(self.fleet, intent.before) if intent.before else None
                changed = edits.moved(self.fleet, task, before, first=intent.first)
            case intents.HoldTask():
                changed = edits.held(task, who, now)
            case intents.ReleaseTask():
                changed = repeat.on_time(edits.released(task, now), now, self._zone)
            case intents.DropTask():
                changed = edits.dropped(self.fleet, task, who, now)
            case intents.RetryTask():
                check_open_tasks(self.fleet, task.origin.lead, 1)
                changed = edits.retried(task, now)
        self._store.apply(TasksSeen((changed,), self._outdated()))  # at once: the queue may be starting it
        written = await self._ledger_writer.outbox.put([*task_tables.keep_tasks([changed]), *statements], Keep.RECORD)
        return task.id, f"not on the disk yet: {written}" if written else "", ""

    async def _add(self, intent: intents.AddTasks, who: str, now: int) -> tuple[str, str, str]:
        """Add all of these tasks, or none; it names them all, new or not."""
        parts = self._part(intent, who, now)
        if intent.more:
            return "", f"{len(parts)} tasks so far", ""
        wishes = [await self._filled(wish, intent.template) for wish in parts]
        if not wishes:
            raise Refusal("there is no task to add")
        known = await self.known(wishes)
        addition = edits.added(self.fleet, wishes, known, self._last + 1, who, now, intent.lead)
        new = [task for task in addition.tasks if task.id in addition.new]
        self._last += len(addition.new)
        new = [task if task.not_before else repeat.timed(task, now, self._zone) for task in new]
        unique = list({task.id: task for task in new}.values())
        statements = [task_tables.keep_new(task, addition.new[task.id]) for task in unique]
        problem = await self._ledger_writer.outbox.put(statements)
        if not problem:
            self._store.apply(TasksSeen(tuple(unique)))
        return " ".join(task.id for task in addition.tasks), _added_words(len(unique)), problem

    def _part(self, intent: intents.AddTasks, who: str, now: int) -> Sequence[TaskWish]:
        """All that there is of an addition, with this part of it. Raises `Refusal`."""
        if not intent.addition:
            return intent.tasks
        self._parts = {name: part for name, part in self._parts.items() if 0 <= now - part.since < LONGEST_ADDITION}
        parts = self._parts.pop(intent.addition, Parts(who, now))
        if parts.who != who or parts.number != intent.part:
            raise Refusal("parts of this addition are missing, as when they took too long: nothing is added")
        wishes = [*parts.wishes, *intent.tasks]
        if len(wishes) > MOST_AT_ONCE or len(self._parts) >= MOST_ADDITIONS:
            raise Refusal(f"one addition has at most {MOST_AT_ONCE} tasks, and {MOST_ADDITIONS} may be under way")
        if intent.more:
            self._parts[intent.addition] = Parts(who, parts.since, parts.number + 1, wishes)
        return wishes

    async def check(self, wishes: Sequence[TaskWish], who: str) -> None:
        """See that all of these could be added now. Raises `Refusal` and `LedgerProblem`."""
        if wishes:
            known = await self.known(wishes)
            edits.added(self.fleet, wishes, known, self._last + 1, who, self._store.clock())

    async def known(self, wishes: Iterable[TaskWish]) -> dict[str, Task]:
        """The tasks that have one of these keys, ended ones too."""
        keys = {wish.key for wish in wishes if wish.key}
        keys |= {name for wish in wishes for name in wish.after}
        await self._ledger_writer.outbox.wait_tried()

        def read() -> list[Task]:
            rows = [self._ledger.read(task_tables.BY_KEY, (key,)) for key in sorted(keys)]
            return [task for found in rows for task in task_tables.read_tasks(found)]

        tasks = await asyncio.to_thread(read) if keys else []
        return {task.key: self.fleet.tasks.get(task.id, task) for task in tasks}

    async def _filled(self, wish: TaskWish, template: str) -> TaskWish:
        """The wish with the text that its template gives. Raises `Refusal`."""
        if not template:
            return wish
        text = await self.template(template)
        return replace(wish, text=filled(template, text, {"text": wish.text, **wish.variables}))

    async def template(self, template: str) -> str:
        """The text of a template of the room. Raises `Refusal`."""
        text = self._templates.get(template)
        if text is None:
            text = await asyncio.to_thread(read_template, self._template_folder, template)
        if text is None:
            names = sorted({*self._templates, *template_names(self._template_folder)})
            there = nearest(template, names) or (f" (there are {', '.join(names)})" if names else " (there is none)")
            raise Refusal(f"there is no template {ascii(template)[:60]}{there}")
        return text


def _never_ordered(task: Task, ordered: Mapping[str, int], rules: QueueRules, now: int) -> Task | None:
    """The task whose attempt was written down and its agent never ordered; None: it is not so."""
    last = task.last
    if last is None or not last.is_open or ordered.get(last.id, 0) >= last.epoch:
        return None
    return attempts.not_begun(task, "the engine ended before its agent was ordered", rules, now)


def _added_words(count: int) -> str:
    return f"{count} task{'s' * (count != 1)} added" if count else "no task is new: their keys are known"
