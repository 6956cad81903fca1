"""Keeps how busy each host was and how full each window of a plan: looks once a second, writes every five minutes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from controlroom.domain.history import STEP, Metric, Point, figures, window_use
from controlroom.domain.model import LinkState
from controlroom.engine.ledger.history_tables import Mean, drop_old, keep_means, points_of, points_query
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore

_DAY = 86_400_000
MOST_SERIES = 2_000
"""Metrics of hosts and windows in five minutes; windows are named by hosts, which may name any number."""


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

    def see(self, subject: str, metric: Metric, value: float) -> None:
        if (subject, metric) not in self.looks and len(self.looks) >= MOST_SERIES:
            return
        self.looks.setdefault((subject, metric), _Looks()).add(value)

    def means(self) -> Iterator[Mean]:
        for (subject, metric), looks in self.looks.items():
            yield Mean(subject, metric, self.at, looks.count, looks.total / looks.count, looks.peak)


class HistoryRecorder:
    """The figures of all hosts and windows over time. Of a host that is not connected nothing is known."""

    def __init__(self, store: FleetStore, writer: LedgerWriter) -> None:
        self._store, self._writer = store, writer
        self._running = _Running(self._step())
        self._dropped = 0
        """The day on which old means were last dropped."""

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

    def write(self) -> None:
        """Write what was seen since the last mean, and forget what is too old, once a day."""
        means, self._running.looks = list(self._running.means()), {}
        if self._writer.outbox.trouble:
            return  # what waits for a full disk is worth more than figures
        for statement in keep_means(means):
            self._writer.keep([statement])
        if means and self._dropped != (day := self._running.at // _DAY):
            self._dropped = day
            self._writer.keep(drop_old(self._running.at))

    def running(self, subject: str) -> tuple[Point, ...]:
        """Return what has been seen of a host or window in the five minutes that are under way."""
        means = (mean for mean in self._running.means() if mean.subject == subject)
        return tuple(Point(mean.metric, mean.at, mean.mean, mean.peak) for mean in means)

    def _step(self) -> int:
        return self._store.clock() // STEP * STEP


def recorded(
    ledger: Ledger, running: tuple[Point, ...], subject: str, since: int, until: int, points: int
) -> tuple[Point, ...]:
    """Read the figures of a host or window in a span, what is under way last. Blocks; raises `LedgerProblem`."""
    kept = points_of(ledger.read(*points_query(subject, since, until, points)))
    return (*kept, *(point for point in running if since <= point.at + STEP and point.at < until))
