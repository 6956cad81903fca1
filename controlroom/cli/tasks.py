"""The verbs of tasks and of the queue, and the one that stops it all."""

import argparse
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from controlroom.cli import output
from controlroom.cli.check_options import check_order, edited_order
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import agent_of, check_profile, host_of, read_text, typed
from controlroom.cli.room import code_of, confirmed, money_zone, order, wait_for, with_room
from controlroom.cli.status import explained, wait_briefly
from controlroom.cli.task_files import read_tasks
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.display import tasks as shown
from controlroom.domain.display.filters import TASK_STATES, empty_term, is_pattern, is_term, problem, task_fits
from controlroom.domain.keys.many import task_plan
from controlroom.domain.model import Fleet
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.edits import change_of, task_named, version
from controlroom.domain.queue.repeat import coming
from controlroom.domain.queue.rules import RULES, wished, written
from controlroom.domain.tasks import Source, Task, TaskChange, TaskState, TaskWish
from controlroom.domain.words import named_some, nearest
from controlroom.text.checks import AS_PROFILE
from controlroom.text.sanitize import redact

_SPAN = re.compile(r"\+?(\d{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class Shown(NamedTuple):
    """A task beside what is said of it."""

    task: Task
    row: shown.TaskRow
    lines: tuple[str, ...] = ()
    text: str | None = None
    next: int = 0
    """When it is done again, as far as that is known."""
    version: str = ""


def moment(text: str, now: float) -> int:
    """A moment to come, in UTC milliseconds: `30m`, `18:30` (today or tomorrow), or ISO. Raises `ValueError`."""
    if span := _SPAN.fullmatch(text):
        return round(1000 * (now + int(span[1]) * _UNITS[span[2]]))
    if clock := _CLOCK.fullmatch(text):
        here = datetime.fromtimestamp(now).astimezone()
        then = here.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0).timestamp()
        return round(1000 * (then if then > now else then + 86_400))
    try:
        return round(1000 * datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time like 30m, 18:30 or 2026-12-01T08:00, not {ascii(text)[:40]}") from None


# --------------------------------------------------------------------------- adding


def add(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Put tasks into the queue; print their ids."""
    given = [bool(args.text), args.file is not None, args.source is not None]
    if sum(given) > 1:
        raise Stop(Exit.USAGE, "say the task once: as TEXT, with --file, or many of them with --from")
    if not any(given) and not args.template:
        raise Stop(Exit.USAGE, "what is to be done? say TEXT, --file F, or --from F")
    if args.source is not None and args.key:
        raise Stop(Exit.USAGE, "--key names one task: in a file each record says its own key")
    common = _wish(args)
    if args.source is not None:
        args.wishes = read_tasks(read_text(args.source, "the tasks"), common)
    else:
        text = read_text(args.file, "the task") if args.file is not None else typed(" ".join(args.text), "the task")
        source = Source.OPERATOR if args.file is None else Source.FILE
        args.wishes = [replace(common, text=text, source=source)]
    return with_room(_add, args)


def _wish(args: argparse.Namespace) -> TaskWish:
    """What all tasks of an addition have in common. Raises `Stop`."""
    return TaskWish(
        "",
        priority=args.priority or 0,
        profile=args.profile or "",
        host=args.host or "",
        model=typed(args.model or "", "the model"),
        cwd=typed(args.cwd or "", "the folder"),
        after=tuple(args.after or ()),
        key=args.key or "",
        max_attempts=args.attempts or 0,
        not_before=args.not_before or 0,
        every=args.every or "",
        labels=tuple(args.label or ()),
        max_cost=args.cost or 0,
        max_hours=args.hours or 0.0,
        checks=check_order(args),
        worktree=args.worktree or "",
        credential=args.credential or "",
        variables=dict(args.var or ()),
    )


async def _add(client: Client, args: argparse.Namespace) -> int:
    for wish in args.wishes:
        check_profile(client.fleet, wish.profile)
        if wish.host:
            host_of(client.fleet, wish.host)
    outcome = await _submitted(client, args.wishes, args.template or "")
    code = code_of(outcome)
    if code is not Exit.DONE:
        raise Stop(code, outcome.reason or "no reason was given")
    ids = outcome.agent.split()
    if args.json:
        await wait_for(client, lambda fleet: all(id_ in fleet.tasks for id_ in ids), 3.0)
        tasks = [client.fleet.tasks[id_] for id_ in ids if id_ in client.fleet.tasks]
        output.json_answer("task add", all_shown(client, tasks))
    else:
        for id_ in ids:
            output.data(id_)
        output.talk(f"{outcome.reason}; why one waits: controlroom why {ids[-1]}")
    return code


PART = 2 * 1024 * 1024
"""Characters of tasks that one request takes: in JSON each may become six bytes, and 8 MB are the most."""


async def _submitted(client: Client, wishes: Sequence[TaskWish], template: str) -> Result:
    """Add all of these or none, in as many requests as it takes."""
    parts: list[list[TaskWish]] = [[]]
    room = PART
    for wish in wishes if template else (replace(wish, variables={}) for wish in wishes):
        size = len(wish.text) + sum(len(name) + len(value) for name, value in wish.variables.items())
        if parts[-1] and size > room:
            parts.append([])
            room = PART
        parts[-1].append(wish)
        room -= size
    addition = secrets.token_hex(8) if len(parts) > 1 else ""
    for number, part in enumerate(parts[:-1]):
        outcome = await client.submit(intents.AddTasks(tuple(part), template, addition, number, more=True))
        if code_of(outcome) is not Exit.DONE:
            return outcome
    return await client.submit(intents.AddTasks(tuple(parts[-1]), template, addition, len(parts) - 1))


# --------------------------------------------------------------------------- looking


def list_(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show the tasks."""
    return with_room(_list, args)


async def _list(client: Client, args: argparse.Namespace) -> int:
    now = await wait_briefly(client)
    fleet = client.fleet
    terms = " ".join(args.task)
    if wrong := problem(terms, TASK_STATES):
        raise Stop(Exit.USAGE, wrong)
    wanted = set(args.state or ()) or {state for state in TaskState if args.all or terms or state.is_open}
    tasks = [task for task in shown.listed(fleet, now) if task.state in wanted]
    tasks = [task for task in tasks if task_fits(task, shown.line(fleet, task, now), terms)]
    if args.json:
        output.json_answer("task list", all_shown(client, tasks))
        return Exit.DONE
    if tasks:
        _table(fleet, tasks, now)
    if line := shown.queue_line(fleet, now):
        output.talk(line)
    elif not fleet.tasks:
        output.talk("no tasks: add one with controlroom task add 'what is to be done'")
    if terms and not tasks:
        output.talk(f"none of {len(fleet.tasks)} tasks fits {ascii(terms)[:90]}")
    return Exit.DONE


def _table(fleet: Fleet, tasks: Iterable[Task], now: int) -> None:
    drawn = [("", "TASK", "STATE", "AGE", "PRIO", "TRIES", "COST", "WHAT", "WHY")]
    for task in tasks:
        row = shown.row(fleet, task, now)
        cells = (row.glyph, row.id, row.state.value, row.age, str(row.priority), str(row.attempts), row.cost or "–")
        drawn.append((*cells, row.title[:40], f"{row.agent}: {row.line}" if row.agent and row.line else row.line))
    output.table(drawn, right=frozenset((3, 4, 5, 6)))


def show(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show all of a task."""
    return with_room(_show, args)


async def _show(client: Client, args: argparse.Namespace) -> int:
    await wait_briefly(client)
    task = _found(client.fleet, args.task)
    answer = await client.task_text(task.id)
    whole = redact(answer.text)
    if args.json:
        seen = _shown(client, task, None if answer.reason else whole)
        output.json_answer("task show", seen._replace(version="" if answer.reason else version(task, answer.text)))
        return Exit.DONE
    now = client.now()
    for line in [*shown.why(client.fleet, task, now), *shown.facts(task, now, money_zone(client.fleet))]:
        output.data(line)
    if not answer.reason:
        output.data(f"version {version(task, answer.text)}")
    output.data("")
    output.data(whole if not answer.reason else f"({answer.reason})")
    return Exit.DONE


def why(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Say why a task waits, or how it ended; of an agent, why its state is what it is; of all, why nothing moves."""
    if bool(args.task) is args.everyone:
        raise Stop(Exit.USAGE, "why what? say a task, an agent, or --all")
    return with_room(_why_all if args.everyone else _why, args)


async def _why_all(client: Client, args: argparse.Namespace) -> int:
    now = await wait_briefly(client)
    line, groups = shown.queue_line(client.fleet, now), shown.alike_waits(client.fleet, now)
    if args.json:
        output.json_answer("why --all", (line, groups))
        return Exit.DONE
    output.data(line or "queue: empty")
    for group in groups:
        tasks = f"{len(group.tasks)} task{'s' * (len(group.tasks) != 1)}: {named_some(group.tasks)}"
        agents = f"to be started: {named_some(group.agents)}"
        output.data("")
        output.data("; ".join([*([tasks] if group.tasks else []), *([agents] if group.agents else [])]))
        for reason in group.lines:
            output.data(f"  {reason}")
    return Exit.DONE


async def _why(client: Client, args: argparse.Namespace) -> int:
    await wait_briefly(client)
    if args.task not in client.fleet.tasks and client.fleet.find(args.task):  # an agent may be called as its task
        args.agent = args.task
        return await explained(client, args)
    if not args.json and (words := shown.restart_words(client.fleet, args.task, client.now())):
        output.data(f"{args.task}: {words}")
        return Exit.DONE
    try:
        task = task_named(client.fleet, args.task)
    except Refusal:
        names = [agent.name for agent in client.fleet.agents.values()]
        near = nearest(args.task[:80], [*client.fleet.tasks, *client.fleet.agents, *names])
        words = f"there is no task and no agent {ascii(args.task)[:90]}{near}; see controlroom task list, or status"
        raise Stop(Exit.NOT_FOUND, words) from None
    if args.json:
        output.json_answer("why", _shown(client, task))
        return Exit.DONE
    for line in shown.why(client.fleet, task, client.now()):
        output.data(line)
    return Exit.DONE


def logs(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Print the log of a task's agent."""
    return with_room(_logs, args)


async def _logs(client: Client, args: argparse.Namespace) -> int:
    from controlroom.cli.logs import print_log

    await wait_briefly(client)
    task = _found(client.fleet, args.task)
    number = args.attempt or len(task.attempts)
    if not task.attempts or number > len(task.attempts):
        raise Stop(Exit.NOT_FOUND, f"{task.id} has had {len(task.attempts)} attempts")
    attempt = task.attempts[number - 1]
    args.epoch = attempt.epoch
    return await print_log(client, agent_of(client.fleet, attempt.id), args)


def _found(fleet: Fleet, name: str) -> Task:
    """A task by its id or key. Raises `Stop`."""
    try:
        return task_named(fleet, name)
    except Refusal as no:
        raise Stop(Exit.NOT_FOUND, str(no)) from None


def _shown(client: Client, task: Task, text: str | None = None, order: Mapping[str, int] | None = None) -> Shown:
    fleet, now = client.fleet, client.now()
    moments = coming(task, now, money_zone(fleet), 1) if task.every and task.state.is_open else ()
    words = tuple(shown.why(fleet, task, now, order=order)[1:])
    return Shown(task, shown.row(fleet, task, now), words, text, next(iter(moments), 0))


def all_shown(client: Client, tasks: Iterable[Task]) -> list[Shown]:
    """Tasks as `--json` has them, with why they wait: the queue is put in order once for all of them."""
    order = {key: place for place, key in enumerate(shown.places(client.fleet, client.now()))}
    return [_shown(client, task, order=order) for task in tasks]


# --------------------------------------------------------------------------- changing


def edit(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Change a waiting task."""
    body = read_text(args.file, "the task") if args.file is not None else None
    args.change = TaskChange(
        args.priority,
        args.profile,
        args.host,
        args.model,
        args.cwd,
        None if args.after is None else tuple(word for word in args.after if word),
        args.attempts,
        args.not_before,
        args.every,
        None if args.label is None else tuple(word for word in args.label if word),
        args.cost,
        args.hours,
        edited_order(args, AS_PROFILE),
        args.worktree,
        args.credential,
        typed(args.to_text, "the task") if args.to_text is not None else body,
    )
    if args.change == TaskChange():
        raise Stop(Exit.USAGE, "what is to change? see controlroom task edit --help")
    return with_room(_edit, args)


async def _edit(client: Client, args: argparse.Namespace) -> int:
    await wait_briefly(client)
    task = _found(client.fleet, args.task)
    change = replace(args.change, checks=edited_order(args, task.checks))
    edit = replace(change_of(task, change), version=args.version or "")
    return await order(client, edit, f"{task.id} is changed")


def move(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Have a task start earlier or later."""
    return with_room(_move, args)


async def _move(client: Client, args: argparse.Namespace) -> int:
    await wait_briefly(client)
    task, before = _found(client.fleet, args.task), _found(client.fleet, args.before) if args.before else None
    intent = intents.MoveTask(task.id, before.id if before else "", args.first)
    return await order(client, intent, f"{task.id} is moved")


def hold(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Keep tasks from starting."""
    return _to_all(args, "task_hold", "is held")


def release(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Let held tasks start."""
    return _to_all(args, "task_release", "may start")


def drop(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Take tasks out of the queue, after asking."""
    return _to_all(args, "task_drop", "is dropped")


def retry(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Do ended tasks again."""
    return _to_all(args, "task_retry", "is tried again")


def _to_all(args: argparse.Namespace, action: str, done: str) -> int:
    """Do one thing to several tasks; a named one that is refused is the exit code, the others are done."""

    async def run(client: Client, args: argparse.Namespace) -> int:
        await wait_briefly(client)
        tasks, named = _found_all(client.fleet, args, action, client.now())
        todo = task_plan(client.fleet, [task.id for task in tasks], action)
        if args.everyone or not named:
            todo = replace(todo, left_out=())
        worst = Exit.DONE
        for task, reason in todo.left_out:
            output.talk(f"{task.id}: {reason.removeprefix(f'{task.id}: ')}")
            worst = max(worst, Exit.REFUSED if task.id in named else Exit.DONE)
        if not todo.targets:
            raise Stop(Exit.REFUSED, "there is nothing left to do it to")
        if action == "task_drop":
            confirmed(f"Drop {', '.join(target.subject.id for target in todo.targets)}?", args.yes)
        for target in todo.targets:
            outcome = await client.submit(target.intent)
            code, id_ = code_of(outcome), target.subject.id
            more = f" ({outcome.reason})" if outcome.reason else ""
            output.talk(f"{id_} {done}{more}" if code is Exit.DONE else f"{id_}: {outcome.reason}")
            worst = max(worst, code)
        return worst

    if args.everyone and any(not is_term(word) for word in args.task):
        raise Stop(Exit.USAGE, "name tasks, or say --all: not both")
    if not args.task and not args.everyone:
        raise Stop(Exit.USAGE, "which tasks? say an id, a key, a pattern in quotes, state:failed, or --all")
    return with_room(run, args)


def _found_all(fleet: Fleet, args: argparse.Namespace, action: str, now: int) -> tuple[list[Task], set[str]]:
    """The tasks that names, patterns and filters mean, and the ids of those that were named. Raises `Stop`."""
    names = [word for word in args.task if not is_term(word)]
    terms = " ".join(word for word in args.task if is_term(word))
    if wrong := empty_term(args.task) or problem(terms, TASK_STATES):
        raise Stop(Exit.USAGE, wrong)
    named: set[str] = set()
    tasks: dict[str, Task] = {}
    for name in names:
        if is_pattern(name):
            fits = (task for task in fleet.tasks.values() if fnmatchcase(task.id, name) or fnmatchcase(task.key, name))
            tasks |= {task.id: task for task in fits}
        else:
            task = _found(fleet, name)
            tasks[task.id] = task
            named.add(task.id)
    if not names:
        tasks = dict(fleet.tasks)
    if action == "task_retry" and args.everyone:
        tasks = {id_: task for id_, task in tasks.items() if task.state is TaskState.FAILED}
    fitting = [task for task in tasks.values() if task_fits(task, shown.line(fleet, task, now), terms)]
    if not fitting:
        raise Stop(
            Exit.NOT_FOUND, f"no task matches {ascii(' '.join(args.task) or '--all')[:90]}; see controlroom task list"
        )
    return sorted(fitting, key=lambda task: task.number), named


# --------------------------------------------------------------------------- the queue, and the halt


def queue_show(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show how the queue stands, and what it keeps to."""
    return with_room(_queue_show, args)


async def _queue_show(client: Client, args: argparse.Namespace) -> int:
    now = await wait_briefly(client)
    fleet = client.fleet
    if args.json:
        output.json_answer("queue show", (fleet, shown.counted(fleet.tasks.values())))
        return Exit.DONE
    output.data(shown.queue_line(fleet, now) or "queue: empty")
    for key in sorted(fleet.queue.restarts):
        output.data(f"{key}: {shown.restart_words(fleet, key, now)}")
    output.table(
        [
            (name, written(name, fleet.queue.rules), "changed" if rule.field in fleet.queue.changed else "")
            for name, rule in RULES.items()
        ]
    )
    return Exit.DONE


def queue_hold(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Start no more tasks."""
    args.intent, args.done = intents.HoldQueue(typed(" ".join(args.reason), "the reason")), "no task starts any more"
    return with_room(_order, args)


def queue_release(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Start tasks again."""
    args.intent, args.done = intents.ReleaseQueue(), "tasks start again"
    return with_room(_order, args)


def queue_set(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Change rules of the queue."""
    try:
        args.intent = intents.SetQueue(dict(wished(name, text) for name, text in args.rules))
    except Refusal as refusal:
        raise Stop(Exit.USAGE, str(refusal)) from None
    args.done = "the rules are changed"
    return with_room(_order, args)


async def _order(client: Client, args: argparse.Namespace) -> int:
    return await order(client, args.intent, args.done)


def halt(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Stop everything, after asking."""
    doing = "End every agent of this room" if args.kill else "Interrupt every agent of this room"
    confirmed(f"{doing}, and start nothing until controlroom resume?", args.yes)
    args.intent = intents.HaltRoom(args.kill, typed(args.reason, "the reason"))
    args.done = "the room is halted, until controlroom resume"
    return with_room(_order, args)


def later(text: str) -> int:
    """Take a moment to come from the command line."""
    try:
        return moment(text, time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
