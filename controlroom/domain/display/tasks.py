"""What is said of tasks and of the queue: why one waits, what another one's attempts came to, for screen and verbs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from math import inf

from controlroom.domain.checks import check_lines, command_words
from controlroom.domain.display.arrange import TaskSort
from controlroom.domain.display.filters import task_fits
from controlroom.domain.display.waits import host_words, in_words, soon_words
from controlroom.domain.figures import Figures
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money import ladder
from controlroom.domain.queue.repeat import coming, cron_of
from controlroom.domain.tasks import Attempt, AttemptEnd, Queue, Source, Task, TaskState, in_order
from controlroom.domain.waits import CredentialWait, Wait, WaitReason
from controlroom.domain.words import age, ago, amount, count, dollars, named_some, seconds, since
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind

_ORDER = (
    TaskState.RUNNING,
    TaskState.WAITING,
    TaskState.HELD,
    TaskState.FAILED,
    TaskState.DONE,
    TaskState.DROPPED,
    TaskState.UNKNOWN,
)

GLYPHS = {
    TaskState.RUNNING: "▸",
    TaskState.WAITING: "·",
    TaskState.HELD: "‖",
    TaskState.FAILED: "✗",
    TaskState.DONE: "✓",
    TaskState.DROPPED: "–",
    TaskState.UNKNOWN: "?",
}


@dataclass(frozen=True)
class TaskRow:
    """A task as lists show it."""

    id: str
    glyph: str
    state: TaskState
    age: str
    """Since when it is so."""
    priority: int
    title: str
    agent: str
    """The id of the agent that carries it out, or last did."""
    attempts: int
    cost: str
    """What its ended attempts cost at list prices, and what they may; empty: neither is known."""
    line: str
    """Why it waits, or how it ended."""
    profile: str = ""
    host: str = ""
    """Where it must run, else where its newest attempt is or was; empty: anywhere."""


_KEYS: Mapping[TaskSort, Callable[[Task], tuple[int | str, ...]]] = {
    TaskSort.PRIORITY: lambda task: (-task.priority,),
    TaskSort.AGE: lambda task: (-task.since, -task.number),
    TaskSort.COST: lambda task: (-(task.spent or 0),),
    TaskSort.NAME: lambda task: (task.title.casefold(),),
}


def rows(fleet: Fleet, now: int) -> list[TaskRow]:
    """All tasks by their turn."""
    return [row(fleet, task, now) for task in listed(fleet, now)]


def listed(fleet: Fleet, now: int, sort: TaskSort = TaskSort.TURN, wanted: str = "") -> list[Task]:
    """The tasks in an order, those that fit a filter."""
    tasks = _by_turn(fleet, now)
    if sort in _KEYS:
        tasks.sort(key=_KEYS[sort])
    return [task for task in tasks if task_fits(task, line(fleet, task, now), wanted)] if wanted else tasks


def _by_turn(fleet: Fleet, now: int) -> list[Task]:
    by_state: dict[TaskState, list[Task]] = {state: [] for state in _ORDER}
    for task in fleet.tasks.values():
        by_state[task.state].append(task)
    waiting = in_order(by_state[TaskState.WAITING], fleet.queue, now)
    ordered: list[Task] = []
    for state in _ORDER:
        if state is TaskState.WAITING:
            ordered += waiting
        else:
            ordered += sorted(by_state[state], key=lambda task: (-task.since, -task.number))
    return ordered


def row(fleet: Fleet, task: Task, now: int) -> TaskRow:
    """One task as lists show it."""
    last = task.last
    return TaskRow(
        task.id,
        GLYPHS[task.state],
        task.state,
        age(now - task.since),
        task.priority,
        task.title,
        last.id if last else "",
        sum(attempt.end is not AttemptEnd.NEVER_BEGAN for attempt in task.attempts),
        cost_words(task),
        line(fleet, task, now),
        task.profile,
        task.host or (last.host if last else ""),
    )


def cost_words(task: Task) -> str:
    """What a task has cost, and what it may at most; empty: neither is known."""
    cost = "" if task.spent is None else dollars(task.spent)
    return f"{cost or '–'}/{dollars(task.max_cost)}" if task.max_cost else cost


def line(fleet: Fleet, task: Task, now: int) -> str:
    """What says most about a task, in a few words."""
    if task.state is TaskState.WAITING:
        again = f"; {ended_words(task.last)}" if task.last and task.last.ended else ""
        return f"{wait_words(task, now)}{again}"
    if task.state is TaskState.RUNNING and task.last is not None:
        agent = fleet.agents.get(task.last.id)
        return agent.last_line if agent and agent.epoch == task.last.epoch else "its agent is on its way"
    return task.reason


def ended_words(attempt: Attempt) -> str:
    """How an attempt ended, in a few words."""
    words = _ENDS.get(attempt.end, str(attempt.end) or "unknown")
    if attempt.end is AttemptEnd.CHECKS:
        return attempt.reason or words
    return f"{words}: {attempt.reason}" if attempt.reason else words


_ENDS = {
    AttemptEnd.OPEN: "under way",
    AttemptEnd.LIMITED: "a limit stopped it",
    AttemptEnd.LOGIN: "its login failed",
    AttemptEnd.NO_CREDENTIAL: "what it logs in with could not be had there",
    AttemptEnd.OVERLOADED: "the API was overloaded",
    AttemptEnd.ACCOUNT: "its account has no credit or may not be used",
    AttemptEnd.SPEND_CAP: "the spend cap of its organisation is reached",
    AttemptEnd.ORGANISATION: "its organisation is disabled or does not let it in",
    AttemptEnd.COST: "it has cost what it may",
    AttemptEnd.CHECKS: "it has not passed its checks",
    AttemptEnd.HALTED: "the halt ended it",
    AttemptEnd.TAKEN: "its agent was given other work",
    AttemptEnd.LOST: "nobody knows how it ended",
    AttemptEnd.NEVER_BEGAN: "it did not begin",
}


def wait_words(task: Task, now: int) -> str:
    """Why a task waits, in one sentence that stands in a row."""
    if task.wait is None:
        return "it is about to be looked at"
    return words_of(task.wait, now)


_WAITS: Mapping[WaitReason, str] = {
    WaitReason.HALTED: "the room is halted by {about}",
    WaitReason.QUEUE_HELD: "the queue is held by {about}",
    WaitReason.NOT_YET: "not to start yet{until}",
    WaitReason.RETRY: "tried again{until}",
    WaitReason.AFTER: "comes after {about}",
    WaitReason.AFTER_FAILED: "comes after {about}, which will not be done: retry that one, or edit this one",
    WaitReason.COST: "it has cost what it may: raise that with task edit --cost",
    WaitReason.FLEET_FULL: "{has} of at most {most} agents are at work",
    WaitReason.PROFILE_FULL: "{has} of at most {most} agents of profile {about} are at work",
    WaitReason.NO_PROFILE: "there is no profile {about}",
    WaitReason.NO_CREDENTIAL: "its profile no longer names the credential chosen for it: choose another with task edit",
    WaitReason.AT_WORK: "its agent {about} is at work, as a person ordered",
    WaitReason.OUTSIDE: "profile {about} takes no tasks from files or agents: choose another with task edit",
    WaitReason.STAGGER: "starts are staggered{until}",
    WaitReason.BUDGET: "{about}",
    WaitReason.LEAD: "{about}",
    WaitReason.LIMIT: "limit {about}: {has} of {most} is used{until}",
    WaitReason.NEW_WINDOW: "limit {about}: {has} % of a new window is used, {most} % are handed out at once{until}",
    WaitReason.LOGIN: "{about}: the login failed, one task tries again{until}",
    WaitReason.LIMITED: "{about}: the API limits its agents, one task tries again{until}",
    WaitReason.OVERLOADED: "{about}: the API is overloaded, one task tries again{until}",
    WaitReason.ACCOUNT: "{about}: its account has no credit or may not be used, one task tries again{until}",
    WaitReason.SPEND_CAP: "{about}: the spend cap of its organisation is reached, one task tries again{until}",
    WaitReason.ORGANISATION: "{about}: its organisation does not let it in, one task tries again{until}",
    WaitReason.PACED: "{about}: after a limit agents start a few at a time{until}",
    WaitReason.BEHIND: "others start first",
}


def words_of(wait: Wait, now: int) -> str:
    """A reason to wait, in words."""
    if wait.reason is WaitReason.NO_HOST:
        return "; ".join(host_words(host, now) for host in wait.hosts) or "the room has no host that may run it"
    if wait.reason is WaitReason.CREDENTIALS:
        each = "; ".join(credential_words(one, now) for one in wait.credentials)
        return f"each credential that it may take is held: {each}"
    return _words(wait, now)


def _words(wait: Wait | CredentialWait, now: int) -> str:
    words = _WAITS.get(wait.reason, str(wait.reason))
    return words.format(about=named_some(wait.about), has=wait.has, most=wait.most, until=in_words(wait.until, now))


def credential_words(wait: CredentialWait, now: int) -> str:
    """Why a credential takes no work now, in words."""
    return f"{wait.name}: {_words(wait, now)}"


def places(fleet: Fleet, now: int) -> list[str]:
    """The ids of the tasks that wait, in the order in which they start."""
    waiting = (task for task in fleet.tasks.values() if task.state is TaskState.WAITING)
    return [task.id for task in in_order(waiting, fleet.queue, now)]


def why(fleet: Fleet, task: Task, now: int, *, verbs: bool = True, order: Mapping[str, int] | None = None) -> list[str]:
    """Say why a task stands where it stands, and what ends that; a line each.

    `verbs`: with what to type for it. `order`: the places of those that wait, where many are asked about.
    """
    lines = [f"{task.id} is {task.state}, {since(now - task.since)}: {task.title}"]
    if task.state is TaskState.WAITING:
        lines += _why_waiting(fleet, task, now, order)
    elif task.state is TaskState.RUNNING and task.last is not None:
        lines.append(f"{task.last.id} carries it out{f': controlroom task logs {task.id} -f' if verbs else ''}")
    elif task.reason:
        lines.append(task.reason)
    if task.state is TaskState.HELD and verbs:
        lines.append(f"to let it start: controlroom task release {task.id}")
    if task.state is TaskState.FAILED and verbs:
        lines.append(f"to have it tried again: controlroom task retry {task.id}")
    if cheaper := _cheaper(fleet, task):
        lines.append(cheaper)
    if task.max_cost or task.max_hours:
        cost = f"it may cost {dollars(task.max_cost)}" if task.max_cost else ""
        hours = f"an attempt may take {task.max_hours:g} h" if task.max_hours else ""
        lines.append(", ".join(filter(None, (cost, hours))))
    for number, attempt in enumerate(task.attempts, 1):
        lines.append(f"attempt {number}: {attempt_words(attempt, now)}")
        lines += [f"  {line}" for line in check_lines(attempt.checks, now)] if attempt.checks else []
    return lines


@dataclass(frozen=True)
class AlikeWaits:
    """What does not move for one reason."""

    reason: WaitReason | None
    """None: it is held, or is about to be looked at."""
    lines: tuple[str, ...]
    """The reason in words, with what comes next."""
    tasks: tuple[str, ...] = ()
    """Ids of tasks, in the order in which they start."""
    agents: tuple[str, ...] = ()
    """Agents that are to start without being asked, as the queue names them."""


def alike_waits(fleet: Fleet, now: int) -> list[AlikeWaits]:
    """Why nothing moves: what waits or is held, in order, alike reasons together."""
    tasks: dict[Wait | str, list[str]] = {}
    agents: dict[Wait | str, list[str]] = {}
    soonest: dict[Wait | str, Wait] = {}
    stands: list[tuple[dict[Wait | str, list[str]], str, Wait | None, str]] = [
        (tasks, task.id, task.wait, task.reason or "about to be looked at")
        for task in _by_turn(fleet, now)
        if task.state in (TaskState.WAITING, TaskState.HELD)
    ]
    stands += [(agents, key, kept.wait, kept.gave_up) for key, kept in sorted(fleet.queue.restarts.items())]
    for ids, id_, wait, words in stands:
        key = words if wait is None else _alike(wait)
        if not key:
            continue
        ids.setdefault(key, []).append(id_)
        if wait is not None and (key not in soonest or _moment(wait, now) < _moment(soonest[key], now)):
            soonest[key] = wait
    groups = []
    for key in dict.fromkeys([*tasks, *agents]):
        wait = soonest.get(key)
        lines = [*_wait_lines(_alike(wait), now)[:-1], _next(wait, now)] if wait else [str(key)]
        both = tuple(tasks.get(key, ())), tuple(agents.get(key, ()))
        groups.append(AlikeWaits(wait.reason if wait else None, tuple(lines), *both))
    return groups


def _alike(wait: Wait) -> Wait:
    """What reasons have in common that differ in their moments alone."""
    return replace(
        wait,
        until=0,
        hosts=tuple(replace(host, until=0) for host in wait.hosts),
        credentials=tuple(replace(one, until=0) for one in wait.credentials),
    )


def _cheaper(fleet: Fleet, task: Task) -> str:
    """That a budget has a waiting task start with a cheaper model, whoever pays; "": none does."""
    profile = fleet.profiles.get(task.profile)
    if task.state is not TaskState.WAITING or (profile is not None and profile.kind is AgentKind.COMMAND):
        return ""
    meant = task.model or (profile.model if profile else "")
    names = [one.name for one in profile.credentials] if profile else []
    payers = [ladder.payer(fleet, task.profile, name) for name in names or [""]]
    each = [ladder.cheaper(fleet, meant, task.host, "", task.profile, payer)[1] for payer in payers]
    return f"it starts with {each[0]}" if all(each) else ""


def attempt_words(attempt: Attempt, now: int) -> str:
    """An attempt in one line: who tried, how that ended, how long it took, what it cost."""
    cost = [dollars(attempt.spent)] if attempt.spent is not None else []
    milliseconds = (attempt.ended or now) - attempt.at if attempt.ended or attempt.is_open else None
    took = [] if milliseconds is None else [age(milliseconds) if milliseconds >= 60_000 else "under 1m"]
    by = [f"credential {attempt.credential}"] if attempt.credential else []
    return " · ".join((f"{attempt.id}, run {attempt.epoch}: {ended_words(attempt)}", *took, *cost, *by))


def _why_waiting(fleet: Fleet, task: Task, now: int, order: Mapping[str, int] | None) -> list[str]:
    wait = task.wait
    if wait is None:
        return [wait_words(task, now)]
    if wait.reason is WaitReason.BEHIND:
        order = order or {key: place for place, key in enumerate(places(fleet, now))}
        ahead = order.get(task.id, 0)
        return [f"{ahead} start first; the first of them: {next(iter(order))}" if ahead else "it is next"]
    return _wait_lines(wait, now)


def _wait_lines(wait: Wait, now: int) -> list[str]:
    if wait.reason is WaitReason.NO_HOST and wait.hosts:
        held = (f"  {credential_words(one, now)}" for one in wait.credentials)
        hosts = (f"  {host_words(host, now)}" for host in wait.hosts)
        return ["no host takes it now:", *hosts, *held, _next(wait, now)]
    if wait.reason is WaitReason.CREDENTIALS:
        each = (f"  {credential_words(one, now)}" for one in wait.credentials)
        return ["each credential that it may take is held:", *each, _next(wait, now)]
    return [words_of(wait, now), _next(wait, now)]


def _next(wait: Wait, now: int) -> str:
    moment = _moment(wait, now)
    return f"next look: {soon_words(round(moment) - now)}" if moment < inf else "next look: when something changes"


def _moment(wait: Wait, now: int) -> float:
    """When what is waited for is looked at again, UTC milliseconds; infinity: when something changes."""
    each = (wait.until, *(host.until for host in wait.hosts), *(one.until for one in wait.credentials))
    return min((moment for moment in each if moment > now), default=inf)


def facts(task: Task, now: int, zone: tzinfo) -> list[str]:
    """What is wished of a task, when it is done again, and what it came to so far; a line each.

    `zone`: where the room's days begin.
    """
    wishes = [
        f"priority {task.priority}",
        f"profile {task.profile}" if task.profile else "",
        f"credential {task.credential}" if task.credential else "",
        f"model {task.model}" if task.model else "",
        f"on {task.host}" if task.host else "",
        f"label {', '.join(task.labels)}" if task.labels else "",
        f"in {task.cwd}" if task.cwd else "",
        f"in a worktree from {task.worktree}" if task.worktree else "",
        f"at most {dollars(task.max_cost)}" if task.max_cost else "",
        f"at most {task.max_hours:g} h an attempt" if task.max_hours else "",
        f"after {named_some(task.after)}" if task.after else "",
        f"checked by {' and '.join(command_words(task.checks))}" if task.checks.commands else "",
        f"key {task.key}" if task.key else "",
    ]
    source = {Source.OPERATOR: "", Source.AGENT: ", an agent"}
    outside = source.get(task.origin.source, ", read from a file")
    came = [
        f"{len(task.attempts)} attempt{'' if len(task.attempts) == 1 else 's'}" if task.attempts else "not tried yet",
        f"cost {dollars(task.spent)}" if task.spent is not None else "",
        f"given by {task.origin.who}{outside}" if task.origin.who else outside.removeprefix(", "),
    ]
    lines = [" · ".join(part for part in parts if part) for parts in (wishes, came)]
    return [lines[0], repeat_words(task, now, zone), lines[1]] if task.every else lines


def repeat_words(task: Task, now: int, zone: tzinfo) -> str:
    """How often a task is done, and its next times as far as they are known."""
    cron = cron_of(task.every)
    here = cron.zone if cron and cron.zone else zone
    moments = [f"{datetime.fromtimestamp(at / 1000, here):%a %Y-%m-%d %H:%M}" for at in coming(task, now, zone)]
    if not task.state.is_open:
        return f"repeated: {task.every}"
    return f"repeated: {task.every} · next: {', '.join(moments) or f'{task.every} after it has ended'}"


def task_of(fleet: Fleet, agent: Agent) -> Task | None:
    """The task that an agent's run carries out, or last did."""
    for task in fleet.tasks.values():
        last = task.last
        if last is not None and last.agent == agent.name and last.host == agent.host and last.epoch == agent.epoch:
            return task
    return None


def restart_words(fleet: Fleet, key: str, now: int) -> str:
    """What comes next of an agent that is started without being asked, by its key in the queue; empty: nothing."""
    kept = fleet.queue.restarts.get(key)
    if kept is None:
        return ""
    if kept.gave_up:
        id_ = key if "/" in key else f"{kept.host}/{key}"
        return f"given up {ago(now - kept.since)}: {kept.gave_up}; to begin it again: controlroom retry {id_}"
    count = len(kept.starts)
    times = f"; started {'once' if count == 1 else f'{count} times'} without being asked lately" if count else ""
    if kept.starting:
        return f"it is being started{times}"
    refused = f"its start was refused: {kept.refused}; " if kept.refused and kept.not_before else ""
    if kept.wait is not None:
        words = _RETRIED.format(until=in_words(kept.wait.until, now)) if kept.wait.reason is WaitReason.RETRY else ""
        return f"to be started: {refused}{words or words_of(kept.wait, now)}{times}"
    return times.removeprefix("; ")


_RETRIED = "not yet{until}"


def queue_line(fleet: Fleet, now: int) -> str:
    """The queue in one line, for the first screen: how many wait, and why nothing moves; empty: there is no task."""
    queue, counts = fleet.queue, counted(fleet.tasks.values())
    if queue.halt is not None:
        reason = f" ({queue.halt.reason})" if queue.halt.reason else ""
        return f"HALTED by {queue.halt.who}, {ago(now - queue.halt.at)}{reason}: nothing starts or goes on"
    waiting, running, held = counts[TaskState.WAITING], counts[TaskState.RUNNING], counts[TaskState.HELD]
    if not waiting + running + held and queue.hold is None:
        return ""
    parts = [f"{waiting} waiting", f"{running} running", *([f"{held} held"] if held else [])]
    return f"queue: {', '.join(parts)}{_stands(queue, waiting, now)}"


def _stands(queue: Queue, waiting: int, now: int) -> str:
    if queue.hold is not None:
        return f"; held by {queue.hold.who}{f' ({queue.hold.reason})' if queue.hold.reason else ''}"
    return f"; {words_of(queue.blocked, now)}" if waiting and queue.blocked is not None else ""


def flow_lines(figures: Figures) -> list[str]:
    """How well work flows: a line each for agents, tasks, money and the API. What is not known is left out."""
    busy = figures.busy_percent
    agents = [
        f"{figures.agents} agents live, {figures.working} work",
        f"at most {amount(figures.agents_peak)} in the last hour" if figures.agents_peak is not None else "",
        f"busy {busy:.0f}%" if busy is not None else "",
    ]
    tasks = [
        f"{_often(figures.done, figures)} tasks done{_span(figures)}"
        if figures.done is not None
        else "tasks an hour: not known yet",
        f"{_often(figures.failed, figures)} failed" if figures.failed else "",
        f"{figures.waiting} wait" if figures.waiting else "none waits",
        f"longest wait {seconds(figures.oldest_wait)}" if figures.oldest_wait is not None else "",
        f"median wait {seconds(figures.median_wait)}" if figures.median_wait is not None else "",
    ]
    money = [
        f"an agent's hour {dollars(cost)}" if (cost := figures.agent_hour_billed) is not None else "",
        f"covered ≈{dollars(cost)} an agent's hour" if (cost := figures.agent_hour_covered) is not None else "",
        f"a finished task {dollars(figures.task_cost)}" if figures.task_cost is not None else "",
    ]
    api = [
        f"the API answers in {seconds(figures.answer_median)}" if figures.answer_median is not None else "",
        f"95 of 100 within {seconds(figures.answer_95)}" if figures.answer_95 is not None else "",
        f"{_often(figures.rate_limited, figures)} times 429{_span(figures)}" if figures.rate_limited else "",
        f"{_often(figures.overloaded, figures)} times 529{_span(figures)}" if figures.overloaded else "",
    ]
    return [line for parts in (agents, tasks, money, api) if (line := " · ".join(part for part in parts if part))]


_NEARLY_AN_HOUR = 3_000_000


def _often(rate: float, figures: Figures) -> str:
    """How often something happened, of which the rate is so much an hour: less than an hour is not made one."""
    is_whole = figures.watched >= _NEARLY_AN_HOUR
    return amount(rate) if is_whole else count(round(rate * figures.watched / 3_600_000))


def _span(figures: Figures) -> str:
    """The time in which it happened."""
    return " an hour" if figures.watched >= _NEARLY_AN_HOUR else f" in {age(max(60_000, figures.watched))}"


def counted(tasks: Iterable[Task]) -> dict[TaskState, int]:
    """How many tasks are in each state."""
    counts = dict.fromkeys(TaskState, 0)
    for task in tasks:
        counts[task.state] += 1
    return counts
