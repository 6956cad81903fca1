"""What becomes of a task when its agent does something: an attempt goes on, ends, and is followed by another or not.

What was ordered is known at home and decides: which run carries a task out stands in its attempt. What a host says of
that run is evidence of how it goes. While a host cannot be asked, its attempts stay open: nothing is done twice.
"""

from dataclasses import replace
from itertools import takewhile
from typing import Any

from controlroom.domain.checks import check_words
from controlroom.domain.model import Agent, Fleet, LinkState, State
from controlroom.domain.orders import Order, RunTerms
from controlroom.domain.preconditions import MAX_TASK
from controlroom.domain.tasks import KEPT_OUT, Attempt, AttemptEnd, Halt, QueueRules, Task, TaskState
from controlroom.domain.words import dollars
from controlroom.text.checks import AS_PROFILE, CheckOrder
from controlroom.text.sanitize import sanitize
from controlroom.text.states import Cause

LONGEST_RETRY = 1_800_000
"""Milliseconds between two attempts at most."""

_REASON = 300
"""Characters that are kept of how an attempt ended."""

_ENDS = {
    Cause.NO_LOGIN: AttemptEnd.LOGIN,
    Cause.LOGIN_REFUSED: AttemptEnd.LOGIN,
    Cause.NO_CREDENTIAL: AttemptEnd.NO_CREDENTIAL,
    Cause.OVERLOADED: AttemptEnd.OVERLOADED,
    Cause.ACCOUNT: AttemptEnd.ACCOUNT,
    Cause.SPEND_CAP: AttemptEnd.SPEND_CAP,
    Cause.ORGANISATION: AttemptEnd.ORGANISATION,
    Cause.COST: AttemptEnd.COST,
    Cause.CHECKS: AttemptEnd.CHECKS,
    Cause.OUT_OF_MEMORY: AttemptEnd.CRASHED,
    Cause.REBOOTED: AttemptEnd.CRASHED,
    Cause.RUNNER_KILLED: AttemptEnd.CRASHED,
    Cause.RUNNER_FAILED: AttemptEnd.CRASHED,
    Cause.DISK_FULL: AttemptEnd.CRASHED,
    Cause.NEVER_STARTED: AttemptEnd.NEVER_BEGAN,
}
"""How an attempt ended whose agent failed for a reason that is known."""

REFUSALS = 7
"""Attempts in a row that never began of which a task keeps record: enough for its pauses to have become the longest."""


def begun(task: Task, host: str, agent: str, epoch: int, now: int, session: str = "", credential: str = "") -> Task:
    """The task with a new attempt: written down before its agent is ordered."""
    task = _without_old_refusals(task)
    attempt = Attempt(host, agent, epoch, now, session=session, credential=credential)
    attempts = (*task.attempts, attempt)
    return replace(task, state=TaskState.RUNNING, since=now, attempts=attempts, reason="", wait=None, not_before=0)


def _without_old_refusals(task: Task) -> Task:
    """The task without the oldest of many attempts in a row that never began: a host may refuse for days."""
    refused = len(list(takewhile(lambda attempt: attempt.end is AttemptEnd.NEVER_BEGAN, reversed(task.attempts))))
    if refused < REFUSALS:
        return task
    place = len(task.attempts) - refused
    return replace(
        task,
        attempts=task.attempts[:place] + task.attempts[place + 1 :],
        counted_from=task.counted_from - (place < task.counted_from),
        anew_from=task.anew_from - (place < task.anew_from),
    )


def not_begun(task: Task, reason: str, rules: QueueRules, now: int) -> Task:
    """The task whose newest attempt was refused before it began: it waits on, and that attempt does not count."""
    return _after(task, AttemptEnd.NEVER_BEGAN, reason, rules, now)


def settled(task: Task, fleet: Fleet, now: int) -> Task:
    """The task after what its agent does now; the same one when nothing follows from it."""
    attempt, rules = task.last, fleet.queue.rules
    if task.state is not TaskState.RUNNING or attempt is None or not attempt.is_open:
        return task
    agent = _follow(attempt, fleet)
    if agent is None:
        return _without_agent(task, attempt, fleet, now)
    task = _kept(task, attempt, agent, fleet)
    attempt = task.attempts[-1]
    if agent.epoch > attempt.epoch and agent.ordered is None and not agent.pending:
        strange = f"{attempt.host} shows run {agent.epoch} of {attempt.agent}, which was not ordered here"
        return _ended(task, TaskState.HELD, AttemptEnd.LOST, strange, now)
    if agent.epoch > attempt.epoch:
        return _after(task, AttemptEnd.TAKEN, "its agent was given other work", rules, now)
    if agent.epoch < attempt.epoch and not agent.pending and _is_answered(attempt, fleet, now):
        return _after(task, AttemptEnd.NEVER_BEGAN, f"{attempt.host} has not begun it", rules, now)
    if agent.epoch < attempt.epoch or agent.pending or not agent.has_ended:
        return task
    if attempt.paused or agent.state is State.PAUSED:
        return task
    end = _how(agent, attempt)
    task = replace(task, attempts=(*task.attempts[:-1], replace(attempt, until=agent.limited_until or 0)))
    profile = fleet.profiles.get(task.profile)
    several = profile is not None and len(profile.credentials) > 1  # another may have room at once
    return _after(task, end, _words(agent), rules, now, 0 if several else agent.limited_until or 0)


def _follow(attempt: Attempt, fleet: Fleet) -> Agent | None:
    """The row of the agent that carries out an attempt, also where an operator has moved it to."""
    agent = fleet.agents.get(attempt.id)
    if agent is not None and not (attempt.killed and agent.has_ended):
        return agent
    others = (fleet.agents.get(f"{host}/{attempt.agent}") for host in fleet.hosts if host != attempt.host)
    moved = [other for other in others if other is not None and not other.has_ended and other.ordered is not None]
    return moved[0] if moved else agent


GOES_ON = frozenset({"resume", "retry"})
"""Orders by which the agent of a task goes on with it, or begins it again."""

NOTED = GOES_ON | {"kill", "move", "pause"}
"""Orders about an agent that its task goes by."""


def ordered(task: Task, order: Order, halt: Halt | None = None) -> Task:
    """The task after somebody has ordered something of its agent: that it ends, pauses, or goes on after a pause.

    `halt`: that of the room, as it was then.
    """
    attempt = task.last
    if attempt is None or not attempt.is_open or order.verb not in NOTED:
        return task
    if order.verb in GOES_ON and order.epoch > attempt.epoch:
        followed = replace(attempt, epoch=order.epoch, paused=False)
    elif order.verb == "pause" and order.epoch == attempt.epoch:
        followed = replace(attempt, paused=True)
    elif order.verb in ("kill", "move") and order.epoch == attempt.epoch:
        return killed(task, halt)
    else:
        return task
    return replace(task, attempts=(*task.attempts[:-1], followed))


def killed(task: Task, halt: Halt | None = None) -> Task:
    """The task whose agent was ordered to end for good. `halt`: that of the room, as it was then."""
    last = task.attempts[-1]
    if last.killed:
        return task  # its order was seen before, perhaps by another halt
    ended = replace(last, killed=True, halted=halt is not None and halt.kill)
    return replace(task, attempts=(*task.attempts[:-1], ended))


def resumed(task: Task, order: Order, now: int) -> Task:
    """A task that waits, after somebody has had the agent of its last attempt go on: that is its next attempt."""
    if task.state is not TaskState.WAITING or order.verb not in GOES_ON:
        return task
    own = (task.last,) if order.verb == "retry" else (task.goes_on_from, *task.attempts[task.anew_from :][-1:])
    last = next((one for one in own if one and one.id == order.subject and one.epoch < order.epoch), None)
    if last is None:
        return task
    session = last.session if order.verb == "resume" else ""
    return begun(task, last.host, last.agent, order.epoch, now, session, last.credential)


def _kept(task: Task, attempt: Attempt, agent: Agent, fleet: Fleet) -> Task:
    """The task with what is worth keeping of its agent: where it is, its session, and what it cost."""
    moved = agent.host != attempt.host
    epoch = agent.epoch if moved else attempt.epoch
    same = agent.epoch == epoch
    left = fleet.agents.get(attempt.id) if moved else None
    cost = left.spent if left and left.spent is not None else attempt.spent
    spent = None if moved else attempt.spent
    if same and agent.has_ended and agent.spent is not None:
        spent = agent.spent
    seen: dict[str, Any] = {
        "host": agent.host,
        "epoch": epoch,
        "killed": attempt.killed and not moved,
        "checks": agent.checks if same else attempt.checks,
        "session": (agent.session if same else "") or attempt.session,
        "shown": attempt.shown or (same and bool(agent.started or agent.evidence)),
        "credential": (agent.ordered.credential if same and agent.ordered else "") or attempt.credential,
        "left": {**attempt.left, attempt.id: cost} if moved and cost is not None else attempt.left,
        "spent": spent,
    }
    if all(getattr(attempt, name) == value for name, value in seen.items()):
        return task  # as most are, of all that run, at each look: another record would be made for nothing
    return replace(task, attempts=(*task.attempts[:-1], replace(attempt, **seen)))


def _without_agent(task: Task, attempt: Attempt, fleet: Fleet, now: int) -> Task:
    """The task whose agent no host shows."""
    host = fleet.hosts.get(attempt.host)
    if host is None:
        lost = f"{attempt.host} left the room: nobody knows whether {attempt.agent} ran on"
        return _ended(task, TaskState.FAILED, AttemptEnd.LOST, lost, now)
    if not _is_answered(attempt, fleet, now):
        return task
    lost = f"{attempt.host} does not know its agent {attempt.agent} any more"
    if attempt.shown and not attempt.killed:  # a claim: another one of its task could be at work beside it
        lost += f": see there that nothing of it runs on, then controlroom task release {task.id}"
        return _ended(task, TaskState.HELD, AttemptEnd.LOST, lost, now)
    return _after(task, AttemptEnd.LOST, lost, fleet.queue.rules, now)


def _is_answered(attempt: Attempt, fleet: Fleet, now: int) -> bool:
    """Whether a host would show the run of an attempt by now, if its order had arrived."""
    host = fleet.hosts.get(attempt.host)
    return host is not None and host.link is LinkState.UP and now - attempt.at >= _AWAITED


_AWAITED = 5_000
"""Milliseconds for an order that was just written down to be on its way."""


def _how(agent: Agent, attempt: Attempt) -> AttemptEnd:
    """How the run of an attempt has ended."""
    if agent.state is State.DONE and agent.cause is not Cause.KILLED:
        return AttemptEnd.DONE  # also of one that was ordered to end when it had just ended
    if attempt.killed:
        return AttemptEnd.HALTED if attempt.halted else AttemptEnd.KILLED
    if agent.state is State.LIMITED:
        return AttemptEnd.LIMITED
    if agent.cause in _ENDS:
        return _ENDS[agent.cause]
    return AttemptEnd.FAILED if agent.state is State.FAILED else AttemptEnd.UNKNOWN


def _words(agent: Agent) -> str:
    """How a run ended, as its host says it."""
    if agent.state is State.DONE:
        return ", ".join(done_words(agent))
    return sanitize(agent.detail, _REASON) if agent.detail else str(agent.state)


def done_words(agent: Agent) -> list[str]:
    """What is to be said of a run that is done: checked or not, what it was denied, whether it did anything."""
    checked = check_words(agent.checks) if agent.checks else ""
    words = [checked] if checked else ["nothing changed"] if agent.nothing_changed else []
    return words + [f"{agent.denied} denied"] * bool(agent.denied)


def _after(task: Task, end: AttemptEnd, reason: str, rules: QueueRules, now: int, until: int = 0) -> Task:
    """The task once its newest attempt has ended so: done, failed, held, or waiting for the next."""
    if end is AttemptEnd.DONE:
        return _ended(task, TaskState.DONE, end, reason, now)
    if end is AttemptEnd.KILLED and is_too_dear(task):
        return _ended(task, TaskState.FAILED, AttemptEnd.COST, _cost_words(task), now)
    if end is AttemptEnd.KILLED:
        return _ended(task, TaskState.HELD, end, "its agent was killed", now)
    if end is AttemptEnd.CHECKS:
        return _ended(task, TaskState.FAILED, end, reason, now)
    if end is AttemptEnd.TAKEN:
        return _ended(task, TaskState.FAILED, end, reason, now)
    if task.max_cost and (end is AttemptEnd.COST or (task.spent or 0) >= task.max_cost):
        return _ended(task, TaskState.FAILED, AttemptEnd.COST, _cost_words(task), now)
    again, most = _ended(task, TaskState.WAITING, end, reason, now), task.max_attempts or rules.max_attempts
    if again.failures >= most:
        times = "once" if most == 1 else f"{most} times"
        return replace(again, state=TaskState.FAILED, reason=f"it failed {times}; the last time: {reason or end}")
    return replace(again, not_before=max(until, now + _pause(again, end, rules.retry)))


def run_terms(task: Task) -> RunTerms:
    """What a task says of each of its runs."""
    return RunTerms(task.max_hours, task.cost_left, task.checks)


def terms(fleet: Fleet, agent: Agent) -> RunTerms:
    """What the next run of an agent may take at most, if it goes on with the task that its last one was of."""
    for task in fleet.tasks.values():
        last = task.last if task.state in (TaskState.WAITING, TaskState.RUNNING) else None
        if last is not None and (last.id, last.epoch) == (agent.id, agent.epoch):
            return run_terms(task)
    return RunTerms(checks=checks(fleet, agent))


def checks(fleet: Fleet, agent: Agent) -> CheckOrder:
    """What the newest task of an agent says of its checks, also when that is done; of none: as its profile says.

    A run that has gone on since, as one that resolves a conflict, is proven by what its task is proven by.
    """
    lasts = [(task.last, task.checks) for task in fleet.tasks.values()]
    ours = [(last.epoch, order) for last, order in lasts if last and last.id == agent.id and last.epoch <= agent.epoch]
    return max(ours, key=lambda one: one[0], default=(0, AS_PROFILE))[1]


def is_too_dear(task: Task, agent: Agent | None = None) -> bool:
    """Whether a task has cost what it may. `agent`: that of its attempt which is under way."""
    if not task.max_cost:
        return False
    own = agent.spent if agent is not None and agent.id in {attempt.id for attempt in task.attempts} else None
    readings = task.readings
    if agent is not None and own is not None:
        readings[agent.id] = max(readings.get(agent.id, 0), own)
    return sum(readings.values()) >= task.max_cost


def _cost_words(task: Task) -> str:
    cost = "" if task.spent is None else f"{dollars(task.spent)} of "
    return (
        f"it has cost {cost}at most {dollars(task.max_cost)}: task retry {task.id}, then task edit {task.id} --cost USD"
    )


def _pause(task: Task, end: AttemptEnd, first: int) -> int:
    """Milliseconds until the next attempt: doubled for each one in a row that ended alike."""
    if end is AttemptEnd.HALTED or end in KEPT_OUT:
        return 0  # what holds it is the halt, or its credential
    alike = len(list(takewhile(lambda attempt: attempt.end is end, reversed(task.attempts))))
    return int(min(first << min(alike - 1, 16), LONGEST_RETRY))


def _ended(task: Task, state: TaskState, end: AttemptEnd, reason: str, now: int) -> Task:
    """The task with its newest attempt closed."""
    closed = replace(task.attempts[-1], end=end, ended=now, reason=reason)
    attempts = (*task.attempts[:-1], closed)
    return replace(task, state=state, since=now, attempts=attempts, reason=reason, wait=None, not_before=0)


def told(task: Task, text: str, host: str, *, resumes: bool) -> str:
    """What the agent of the next attempt on `host` is told: the task's whole `text`, or to go on with it.

    What one host said of an attempt is told to no agent on another.
    """
    last = task.goes_on_from if resumes else task.last
    if last is None:
        return text
    why = f" ({last.reason})" if last.reason and last.host == host else ""
    if resumes and last.end is AttemptEnd.CHECKS:
        printed = f"\n\nThe end of what it printed:\n\n{last.checks.output}" if last.checks and why else ""
        words = f": {last.reason.removeprefix('checks failed: ')}" if why else ""
        return f"What you did has not passed its checks{words}. Mend that; they run again when you are done.{printed}"
    if resumes:
        return f"Your last run was ended: {last.end}{why}. Look at what is done already, and go on with your task."
    note = f"(An earlier attempt at this task ended: {last.end}{why}. It may have left traces here.)"
    whole = f"{text}\n\n{note}"
    return whole if len(whole.encode("utf-8", "replace")) <= MAX_TASK else text
