"""How well work flows: figures of now and of the last hour, made of what fleet and ledger know. Pure.

Agents of others count nowhere. Times are UTC milliseconds, durations milliseconds, money is micro-dollars at list
prices. None: not known, or there is none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import field
from math import ceil, log
from statistics import median

from controlroom.domain.history import Metric
from controlroom.domain.model import Fleet, LinkState, State
from controlroom.domain.money.costs import CostRow, per_hour
from controlroom.domain.persistent_tables import hosted
from controlroom.domain.tasks import AttemptEnd, Task, TaskState
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

HOUR, DAY = 3_600_000, 86_400_000


@dataclass(frozen=True)
class Hour:
    """What the engine saw of the last hour: the mean and the peak of each metric of the room."""

    watched: int = 0
    """Milliseconds of it in which it looked."""
    means: Mapping[Metric, float] = field(default_factory=dict)
    peaks: Mapping[Metric, float] = field(default_factory=dict)
    answers: int = 0
    """Answers of the API whose time is known, since this engine began."""
    answer_median: int | None = None
    answer_95: int | None = None


@dataclass(frozen=True)
class Figures:
    """How well work flows now, and flowed in the last hour; money and tokens are of the day."""

    at: int
    waiting: int
    running: int
    held: int
    oldest_wait: int | None
    """For how long the first task that might start has waited. One that is not to start yet does not count."""
    median_wait: int | None
    agents: int
    """Agents that live, as far as is known."""
    working: int
    most_agents: int
    """The queue starts none beyond."""
    watched: int
    """Milliseconds of the last hour that an engine saw. What follows is of those."""
    done: float | None
    """Tasks an hour."""
    failed: float | None
    attempts: float | None
    agents_mean: float | None
    agents_peak: float | None
    working_mean: float | None
    working_peak: float | None
    rate_limited: float | None
    """Refusals with 429 an hour, as transcripts tell them."""
    overloaded: float | None
    """The same with 529."""
    answers: int
    answer_median: int | None
    answer_95: int | None
    task_cost: int | None
    """What a task that was done today has cost on average."""
    tasks_costed: int
    """The tasks that this is of."""
    rows: tuple[CostRow, ...] = ()
    """What profiles have used since the day began."""
    ran: Mapping[str, int] = field(default_factory=dict)
    """For how long the agents of each profile ran in that time, where that is known."""

    @property
    def busy_percent(self) -> float | None:
        """How much of the time in which agents lived they worked."""
        return (
            100 * self.working_mean / self.agents_mean if self.agents_mean and self.working_mean is not None else None
        )

    @property
    def agent_hour_billed(self) -> int | None:
        """What an hour of an agent has cost today of what keys pay; None: nothing, or not known."""
        return self._agent_hour(billed=True)

    @property
    def agent_hour_covered(self) -> int | None:
        """The same of everything else."""
        return self._agent_hour(billed=False)

    def _agent_hour(self, *, billed: bool) -> int | None:
        spent = sum(row.micro for row in self.rows if (row.billing is Payer.API) is billed)
        return per_hour(spent, sum(self.ran.values())) if spent else None


def figures(fleet: Fleet, now: int, hour: Hour, rows: tuple[CostRow, ...], ran: Mapping[str, int], day: int) -> Figures:
    """Work out the figures. `rows` and `ran`: what profiles have used since the `day` began."""
    counts = Counter(task.state for task in fleet.tasks.values())
    waits = sorted(waiting_since(fleet, now).values())
    costs = [task.spent for task in fleet.tasks.values() if task.state is TaskState.DONE and task.since >= day]
    known = [cost for cost in costs if cost is not None]
    agents, working = at_work(fleet)
    means, peaks = hour.means, hour.peaks
    return Figures(
        now,
        counts[TaskState.WAITING],
        counts[TaskState.RUNNING],
        counts[TaskState.HELD],
        now - waits[0] if waits else None,
        now - round(median(waits)) if waits else None,
        agents,
        working,
        fleet.queue.rules.max_agents,
        hour.watched,
        means.get(Metric.DONE),
        means.get(Metric.FAILED),
        means.get(Metric.BEGUN),
        means.get(Metric.AGENTS),
        peaks.get(Metric.AGENTS),
        means.get(Metric.WORKING),
        peaks.get(Metric.WORKING),
        means.get(Metric.RATE_LIMITED),
        means.get(Metric.OVERLOADED),
        hour.answers,
        hour.answer_median,
        hour.answer_95,
        sum(known) // len(known) if known else None,
        len(known),
        rows,
        ran,
    )


def at_work(fleet: Fleet) -> tuple[int, int]:
    """Count the agents that live, and those of them that work; of a host that is away nothing is known."""
    agents, living, working = hosted(fleet.agents), 0, 0
    for host in fleet.hosts.values():
        if host.link is LinkState.UP:
            states = [agent.state for agent in agents.on(host.name).values() if agent.lives]
            living += len(states)
            working += states.count(State.WORKING)
    return living, working


def waiting_since(fleet: Fleet, now: int) -> dict[str, int]:
    """When each task began to wait that is not put off to a later moment."""
    waiting = (task for task in fleet.tasks.values() if task.state is TaskState.WAITING)
    return {task.id: since for task in waiting if (since := max(task.since, task.not_before)) <= now}


def happened(before: Task | None, after: Task | None) -> Iterator[Metric]:
    """Yield what has happened to a task: attempts that began, that it was done, or failed for good."""
    old = {attempt.at: attempt.end for attempt in before.attempts} if before else {}
    for attempt in after.attempts if after else ():
        if attempt.end is not AttemptEnd.NEVER_BEGAN and attempt.at not in old:
            yield Metric.BEGUN
        if attempt.end is AttemptEnd.DONE and old.get(attempt.at) is not AttemptEnd.DONE:
            yield Metric.DONE
    if after is not None and _has_failed(after) and not (before is not None and _has_failed(before)):
        yield Metric.FAILED


def _has_failed(task: Task) -> bool:
    """Whether the last time that it was to be done it was not, and is not tried again."""
    last = task.last
    repeats = bool(task.every) and task.state is TaskState.WAITING and task.counted_from == len(task.attempts)
    return task.state is TaskState.FAILED or (repeats and last is not None and last.end is not AttemptEnd.DONE)


class Durations:
    """How long things took, to a twentieth: their percentiles, in bounded memory."""

    _GROWTH = log(1.05)
    _LONGEST = HOUR

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def __len__(self) -> int:
        return self._counts.total()

    def add(self, took: int, times: int = 1) -> None:
        """Count one that took so many milliseconds; -1 `times` takes it out again."""
        self._counts[ceil(log(max(1, min(took, self._LONGEST))) / self._GROWTH)] += times

    def join(self, others: "Durations") -> None:
        """Count these, too."""
        self._counts.update(others._counts)

    def percentile(self, percent: int) -> int | None:
        """The milliseconds that so many per cent of them took at most; None: there is none."""
        left = ceil(len(self) * percent / 100)
        for step, count in sorted(self._counts.items()):
            left -= count
            if count and left <= 0:
                return round(1.05**step)
        return None
