"""What was noted by a clock that has been set since: every moment moves with it, so that ages stay what they were.

What the calendar says, as the periods of budgets, and what others say by their own clocks, as when a plan's window
begins anew, stays. Times are milliseconds.
"""

from dataclasses import replace

from controlroom.domain.changes import Draft
from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, Host
from controlroom.domain.questions import Question
from controlroom.domain.tasks import Attempt, Drain, Queue, Restarts, Task


def later(at: int, by: int) -> int:
    """Move a moment; 0, which is none, stays 0."""
    return max(1, at + by) if at else 0


def moved(draft: Draft, by: int) -> None:
    """Move all that was noted in a fleet."""
    for name, host in [*draft.fleet.hosts.items()]:
        draft.hosts.put(name, _host(host, by))
    for key, agent in [*draft.fleet.agents.items()]:
        draft.agents.put(key, _agent(agent, by))
    for about, alarm in [*draft.fleet.alarms.items()]:
        draft.alarms.put(about, alarm_moved(alarm, by))
    for key, task in [*draft.fleet.tasks.items()]:
        draft.tasks.put(key, _task(task, by))
    draft.set_room(queue=_queue(draft.fleet.queue, by))
    for key, gauge in [*draft.fleet.headroom.items()]:
        draft.headroom.put(key, replace(gauge, at=later(gauge.at, by)))


def alarm_moved(alarm: Alarm, by: int) -> Alarm:
    """Move since when something is to be told."""
    return replace(alarm, since=later(alarm.since, by))


def _host(host: Host, by: int) -> Host:
    return replace(
        host,
        since=later(host.since, by),
        seen=later(host.seen, by),
        sample=host.sample and replace(host.sample, at=later(host.sample.at, by)),
        question=_question(host.question, by),
        drain=host.drain and _drain(host.drain, by),
    )


def _drain(drain: Drain, by: int) -> Drain:
    return replace(
        drain,
        at=later(drain.at, by),
        leaving=tuple(replace(one, at=later(one.at, by)) for one in drain.leaving),
        stopped=later(drain.stopped, by),
        emptied=later(drain.emptied, by),
    )


def _agent(agent: Agent, by: int) -> Agent:
    return replace(
        agent,
        since=later(agent.since, by),
        started=later(agent.started, by),
        ended=later(agent.ended, by),
        last_line_at=later(agent.last_line_at, by),
        limited_until=agent.limited_until and later(agent.limited_until, by),
        question=_question(agent.question, by),
        evidence=tuple(replace(one, at=later(one.at, by)) for one in agent.evidence),
        pending=agent.pending and replace(agent.pending, at=later(agent.pending.at, by)),
        adoption=agent.adoption and replace(agent.adoption, at=later(agent.adoption.at, by)),
    )


def _task(task: Task, by: int) -> Task:
    """What a person said, as when a task may start, is a time of the calendar: it stays."""
    return replace(
        task,
        since=later(task.since, by),
        added=later(task.added, by),
        not_before=later(task.not_before, by) if task.attempts[task.counted_from :] else task.not_before,
        attempts=tuple(_attempt(attempt, by) for attempt in task.attempts),
        wait=None,
    )


def _attempt(attempt: Attempt, by: int) -> Attempt:
    return replace(attempt, at=later(attempt.at, by), ended=later(attempt.ended, by))


def _queue(queue: Queue, by: int) -> Queue:
    return replace(
        queue,
        last_start=later(queue.last_start, by),
        hold=queue.hold and replace(queue.hold, at=later(queue.hold.at, by)),
        halt=queue.halt and replace(queue.halt, at=later(queue.halt.at, by)),
        preflights={host: replace(seen, at=later(seen.at, by)) for host, seen in queue.preflights.items()},
        restarts={key: _restarts(kept, by) for key, kept in queue.restarts.items()},
    )


def _restarts(kept: Restarts, by: int) -> Restarts:
    return replace(
        kept,
        starts=tuple(later(at, by) for at in kept.starts),
        since=later(kept.since, by),
        not_before=later(kept.not_before, by),
        wait=None,
    )


def _question(question: Question | None, by: int) -> Question | None:
    return None if question is None else replace(question, asked=later(question.asked, by))
