"""Keeps how busy hosts were, how full windows of plans, and how work flowed: looks once a second, writes means.

Means are of five minutes. What happens to tasks and what the API answers is counted as it comes.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial

from controlroom.domain.changes import Changes
from controlroom.domain.figures import DAY, HOUR, Durations, Figures, Hour, at_work, happened, waiting_since
from controlroom.domain.figures import figures as room_figures
from controlroom.domain.history import RATES, ROOM, STEP, Metric, Point, figures, window_use
from controlroom.domain.model import LinkState
from controlroom.domain.money.costs import CostRow
from controlroom.domain.tasks import TaskState
from controlroom.engine.hosts.translate_usage import UsagePiece
from controlroom.engine.ledger.history_tables import (
    SUMS,
    Mean,
    drop_old,
    keep_means,
    points_of,
    points_query,
    sums_of,
)
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import RunKey
from controlroom.engine.ledger.usage_views import costs, hours
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.text.lazy_dataclass import dataclass

MOST_SERIES = 2_000
"""Metrics of hosts and windows in five minutes; windows are named by hosts, which may name any number."""

_REFUSED = {429: Metric.RATE_LIMITED, 529: Metric.OVERLOADED}
"""What refusals are counted as, by their status."""

MOST_PAUSE = 5_000
"""Milliseconds between two looks that count as watched: beyond it this machine slept."""


@dataclass
class _Looks:
    """What was seen of one metric since the last mean."""

    count: int = 0
    total: float = 0.0
    peak: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.peak = max(self.peak, value)


@dataclass
class _Running:
    """The five minutes that are under way."""

    at: int
    looks: dict[tuple[str, Metric], _Looks] = field(default_factory=dict)
    room: dict[Metric, _Looks] = field(default_factory=dict)
    watched: int = 0
    """Milliseconds of them in which this engine looked."""
    count: int = 0
    """Looks at the room."""
    happened: Counter[Metric] = field(default_factory=Counter)
    answers: Durations = field(default_factory=Durations)

    def see(self, subject: str, metric: Metric, value: float) -> None:
        if (subject, metric) not in self.looks and len(self.looks) >= MOST_SERIES:
            return
        self.looks.setdefault((subject, metric), _Looks()).add(value)

    def means(self) -> Iterator[Mean]:
        room = (((ROOM, metric), looks) for metric, looks in self.room.items())
        for (subject, metric), looks in (*room, *self.looks.items()):
            yield Mean(subject, metric, self.at, looks.count, looks.total / looks.count, looks.peak)
        if self.watched:
            mean = partial(Mean, ROOM, at=self.at, looks=self.count)
            for metric in RATES:
                times = self.happened[metric]
                yield mean(metric=metric, mean=times * HOUR / self.watched, peak=times * HOUR / STEP)
        if (usual := self.answers.percentile(50)) is not None:
            slow = self.answers.percentile(95) or usual
            yield Mean(ROOM, Metric.ANSWER, self.at, len(self.answers), usual, slow)


class HistoryRecorder:
    """The figures of all hosts, windows and of the room over time. Of a host that is away nothing is known."""

    def __init__(self, store: FleetStore, writer: LedgerWriter) -> None:
        self._store, self._writer = store, writer
        self._running = _Running(self._step())
        self._dropped = 0
        """The day on which old means were last dropped."""
        self._flow = _Flow(store)

    def start(self) -> None:
        """Count what happens to tasks from now on."""
        self._flow.start()

    def look(self) -> None:
        """Count what each connected host does now, and what is used of each window, once a second."""
        if self._running.at != (step := self._step()):
            self.write()
            self._running = _Running(step)
        for host in self._store.fleet.hosts.values():
            if host.link is LinkState.UP and host.sample is not None:
                for metric, value in figures(host.sample):
                    self._running.see(host.name, metric, value)
        for window in self._store.fleet.headroom.values():
            if (used := window_use(window, self._store.clock())) is not None:
                self._running.see(window.key, Metric.USE, used)
        self._flow.look(self._running)

    def write(self) -> None:
        """Write what was seen since the last mean, and forget what is too old, once a day."""
        means = list(self._running.means())
        self._running = _Running(self._running.at)
        if self._writer.outbox.trouble:
            return  # what waits for a full disk is worth more than figures
        for statement in keep_means(means):
            self._writer.keep([statement])
        if means and self._dropped != (day := self._running.at // DAY):
            self._dropped = day
            self._writer.keep(drop_old(self._running.at))

    def running(self, subject: str) -> tuple[Point, ...]:
        """Return what has been seen of a host, a window or the room in the five minutes that are under way."""
        means = (mean for mean in self._running.means() if mean.subject == subject)
        return tuple(Point(mean.metric, mean.at, mean.mean, mean.peak) for mean in means)

    @property
    def counted(self) -> Mapping[Metric, int]:
        """What has happened since the engine began."""
        return self._flow.counted

    def used(self, used: UsagePiece) -> None:
        """Count how long answers of the API took, and what it refused, as far as that is of the last hour.

        What is told again counts once, as it was told last.
        """
        since = self._store.clock() - HOUR
        for message in used.messages:
            if message.took and message.at > since:
                self._flow.answered(f"{message.id} {message.request}", message.took)
        for refusal in used.refusals:
            if refusal.status in _REFUSED and refusal.at > since:
                self._flow.refused(refusal.id, _REFUSED[refusal.status])

    def figures(self, kept: "FlowKept", day: int) -> Figures:
        """Return how well work flows. `day`: when it began."""
        fleet, now = self._store.fleet, self._store.clock()
        return room_figures(fleet, now, self._hour(kept.means), kept.rows, kept.ran, day)

    def _hour(self, kept: Iterable[Mean]) -> Hour:
        """Return what was seen of the last hour. `kept`: what the ledger has of it."""
        looks: Counter[Metric] = Counter()
        sums: dict[Metric, float] = {}
        peaks: dict[Metric, float] = {}
        for mean in (*kept, *(mean for mean in self._running.means() if mean.subject == ROOM)):
            looks[mean.metric] += mean.looks
            sums[mean.metric] = sums.get(mean.metric, 0.0) + mean.mean * mean.looks
            peaks[mean.metric] = max(peaks.get(mean.metric, 0.0), mean.peak)
        answers = self._flow.answers(self._store.clock())
        return Hour(
            min(HOUR, looks[Metric.AGENTS] * LOOK),
            {metric: sums[metric] / count for metric, count in looks.items()},
            peaks,
            len(answers),
            answers.percentile(50),
            answers.percentile(95),
        )

    def _step(self) -> int:
        return self._store.clock() // STEP * STEP


LOOK = 1_000
"""Milliseconds between two looks."""


class _Flow:
    """How work flows: what happens to tasks, who is at work, and what the API says."""

    def __init__(self, store: FleetStore) -> None:
        self._store = store
        self._tasks = store.fleet.tasks
        """The tasks as they were looked at last."""
        self._changed: set[str] = set()
        self._is_moved = False
        """Whether this machine's clock was set since the last look."""
        self._looked = 0
        self._steps: deque[tuple[int, Durations]] = deque([(0, Durations())], HOUR // STEP)
        """The answers of the last hour, by when their five minutes began."""
        self._told: dict[str, tuple[Durations, int]] = {}
        """Answers that may be told again: what counts them, and as how long."""
        self._happened: Counter[Metric] = Counter()
        self.counted: Counter[Metric] = Counter()
        self._seen: tuple[object, ...] = ()
        self._counts = 0, 0
        self._waits: dict[str, int] = {}
        """Since when each task waits."""
        self._first = NEVER
        """Since when the first of them does."""

    def start(self) -> None:
        self._store.subscribe(self._note)
        self._store.when_clock_set(self._clock_set)
        self._begin()

    def _begin(self) -> None:
        """Take tasks as they are; what has happened to them before does not count."""
        self._tasks = self._store.fleet.tasks
        self._waits = waiting_since(self._store.fleet, NEVER)
        self._first = min(self._waits.values(), default=NEVER)
        self._changed.clear()

    def _note(self, changes: Changes) -> None:
        self._changed |= changes.tasks

    def _clock_set(self, by: int) -> None:
        """All times of tasks are about to be others: nothing has happened to them by that."""
        self._count_changed()
        self._is_moved = True

    def answered(self, key: str, took: int) -> None:
        before = self._told.pop(key, None)
        durations = before[0] if before else self._now()
        if before:
            durations.add(before[1], -1)
        durations.add(took)
        self._remember(key, durations, took)

    def refused(self, key: str, metric: Metric) -> None:
        if key not in self._told:
            self._remember(key, Durations(), 0)
            self._happened[metric] += 1

    def _remember(self, key: str, durations: Durations, took: int) -> None:
        self._told[key] = durations, took
        while len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]

    def _now(self) -> Durations:
        """What counts the answers of these five minutes."""
        if self._steps[-1][0] != (step := self._store.clock() // STEP * STEP):
            self._steps.append((step, Durations()))
        return self._steps[-1][1]

    def answers(self, now: int) -> Durations:
        """Those of the last hour."""
        joined = Durations()
        for at, answers in self._steps:
            if at > now - HOUR:
                joined.join(answers)
        return joined

    def _count_changed(self) -> None:
        """Count what has happened to tasks since the last look."""
        fleet = self._store.fleet
        for key in self._changed:
            task = fleet.tasks.get(key)
            self._happened.update(happened(self._tasks.get(key), task))
            self._waits.pop(key, None)
            if task is not None and task.state is TaskState.WAITING:
                self._waits[key] = max(task.since, task.not_before)
        if self._changed:
            self._first = min(self._waits.values(), default=NEVER)
        self._tasks = fleet.tasks
        self._changed.clear()

    def look(self, running: _Running) -> None:
        """Count what is, and what has happened since the last look."""
        fleet, now = self._store.fleet, self._store.clock()
        if self._is_moved:
            self._is_moved = False
            self._begin()
        self._count_changed()
        seen = fleet.agents, *(host.link for host in fleet.hosts.values())
        if len(seen) != len(self._seen) or any(one is not other for one, other in zip(seen, self._seen, strict=True)):
            self._seen, self._counts = seen, at_work(fleet)
        running.happened.update(self._happened)
        self.counted.update(self._happened)
        self._happened.clear()
        running.answers = self._now()
        for metric, value in (
            (Metric.AGENTS, self._counts[0]),
            (Metric.WORKING, self._counts[1]),
            (Metric.WAITING, len(self._waits)),
            (Metric.OLDEST, max(0, now - self._first)),
        ):
            running.room.setdefault(metric, _Looks()).add(value)
        running.count += 1
        running.watched += min(MOST_PAUSE, max(0, now - self._looked)) if self._looked else LOOK
        self._looked = now


NEVER = 1 << 60

MOST_TOLD = 5_000
"""Answers that are remembered for when they are told again: a message has a line for each of its blocks."""


@dataclass(frozen=True)
class FlowKept:
    """What the ledger knows of how work flows."""

    means: Sequence[Mean]
    """Of the last hour."""
    rows: tuple[CostRow, ...]
    """What profiles have used since the day began."""
    ran: Mapping[str, int]


def flow_kept(ledger: Ledger, now: int, day: int, alive: Mapping[RunKey, int]) -> FlowKept:
    """Read it; `alive` as `known_alive` says it. Blocks; raises `LedgerProblem`."""
    means = sums_of(ledger.read(SUMS, (ROOM, now - HOUR, now)), ROOM)
    return FlowKept(means, costs(ledger, "profile", day, now), hours(ledger, "profile", day, now, alive))


def recorded(
    ledger: Ledger, running: tuple[Point, ...], subject: str, since: int, until: int, points: int
) -> tuple[Point, ...]:
    """Read the figures of a subject in a span, what is under way last. Blocks; raises `LedgerProblem`."""
    kept = points_of(ledger.read(*points_query(subject, since, until, points)))
    return (*kept, *(point for point in running if since <= point.at + STEP and point.at < until))
