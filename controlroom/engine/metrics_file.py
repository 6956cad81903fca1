"""Writes the figures of a room into a file in the OpenMetrics format, again and again, for a collector that reads it.

`prometheus_client` makes the text; it is loaded when the first file is written, and not where none is wished.
"""

import asyncio
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from controlroom.domain import events
from controlroom.domain.exposition import Family, families
from controlroom.domain.gauges import Alarm
from controlroom.engine.atomic_file import replace_file
from controlroom.engine.background_tasks import Debouncer
from controlroom.engine.budgets.spending import Spending
from controlroom.engine.config.config import MetricsPlace
from controlroom.engine.history import HistoryRecorder, flow_kept
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.run_tables import known_alive
from controlroom.engine.store import FleetStore
from controlroom.text.lazy_dataclass import dataclass

PREFIX = "controlroom_"


class MetricsFile:
    """Keeps the file new. All methods are called on the event loop."""

    def __init__(
        self, place: MetricsPlace, store: FleetStore, ledger: Ledger, history: HistoryRecorder, spending: Spending
    ) -> None:
        self._place, self._store, self._ledger = place, store, ledger
        self._history, self._spending = history, spending
        self._rounds = Debouncer(self._round, "metrics", again=place.interval)

    def start(self) -> None:
        """Write it now, and then again and again."""
        self._rounds.want()

    def close(self) -> None:
        """Write it no more; what was written last stays."""
        self._rounds.close()

    async def _round(self) -> float:
        store, day = self._store, self._spending.day_began()
        alive = known_alive(store.fleet, store.clock())
        try:
            kept = await asyncio.to_thread(flow_kept, self._ledger, store.clock(), day, alive)
            made = families(store.fleet, self._history.figures(kept, day), self._history.counted)
            await asyncio.to_thread(_write, self._place, made)
        except (LedgerProblem, OSError, ImportError) as problem:
            self._say(problem)
        else:
            self._say(None)
        return self._place.interval

    def _say(self, problem: Exception | None) -> None:
        """Raise the alarm that there is no new file, or end it."""
        standing = self._store.fleet.alarms.get(ABOUT)
        why = problem
        if isinstance(problem, OSError):
            why = OSError(problem.strerror or str(problem))
        elif isinstance(problem, ImportError):
            why = ImportError("pip install 'controlroom[metrics]'")
        text = f"the metrics file {self._place.path} is not written: {why}" if problem else ""
        if text != (standing.text if standing else ""):
            since = standing.since if standing else self._store.clock()
            self._store.apply(events.Alarmed(ABOUT, Alarm(text, since=since) if text else None))


ABOUT = "metrics"
"""The alarm."""


def _write(place: MetricsPlace, made: Iterable[Family]) -> None:
    replace_file(place.path, exposition(made), place.mode)


def exposition(made: Iterable[Family]) -> bytes:
    """Write families in the OpenMetrics format. Only counters and gauges: node exporter knows no others."""
    core: Any = import_module("prometheus_client.metrics_core")
    text: Any = import_module("prometheus_client.openmetrics.exposition")

    def collected() -> Iterator[Any]:
        for family in made:
            kind = core.CounterMetricFamily if family.counts else core.GaugeMetricFamily
            metric = kind(f"{PREFIX}{family.name}", family.says, labels=family.labels)
            for labels, value in family.samples.items():
                metric.add_metric(labels, value)
            yield metric

    return bytes(text.generate_latest(_Registry(collected)))


@dataclass(frozen=True)
class _Registry:
    """What `prometheus_client` collects from."""

    collect: Any
