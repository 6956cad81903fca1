"""Figures of hosts, windows and the room over time: five-minute means and peaks in the ledger, thirty days of them.

Values are whole, in the units of their metric: shares in hundredths of a per cent, traffic in bytes a second.
"""

# ruff: noqa: S608 - only our own words go into these
from collections.abc import Iterable, Iterator
from typing import Any

from controlroom.domain.history import KEPT, STEP, Metric, Point, width_of
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.lazy_dataclass import dataclass

_DAY = 86_400_000

HISTORY_TABLES = (
    """create table history (
    subject text not null, metric text not null, at integer not null, looks integer not null, mean integer not null,
    peak integer not null, primary key (subject, metric, at)) without rowid""",
)
"""`looks`: how often the subject (a host, a window by its key, the room) was looked at in five minutes."""

_KEPT_MEAN = "(mean * looks + excluded.mean * excluded.looks) / (looks + excluded.looks)"
_KEEP = f"""insert into history values (?, ?, ?, ?, ?, ?) on conflict do update set
    mean = {_KEPT_MEAN}, peak = max(peak, excluded.peak), looks = looks + excluded.looks"""
_READ = """select metric, ? + (at - ?) / ? * ? as start, sum(1.0 * mean * looks) / sum(looks), max(peak) from history
    where subject = ? and at > ? and at < ? group by metric, start order by metric, start"""


@dataclass(frozen=True)
class Mean:
    """What was seen of one metric of a subject in the five minutes from `at` on; `looks`: how often."""

    subject: str
    metric: Metric
    at: int
    looks: int
    mean: float
    peak: float

    @property
    def whole(self) -> tuple[int, int]:
        """Both values as they are kept."""
        units = self.metric.units
        return round(self.mean * units), round(self.peak * units)


def keep_means(means: Iterable[Mean]) -> list[Statement]:
    """Write means; what was kept of the same five minutes before is joined with them."""
    return [(_KEEP, (seen.subject, seen.metric.value, seen.at, seen.looks, *seen.whole)) for seen in means]


def drop_old(now: int) -> list[Statement]:
    """Forget what is older than thirty days, no more than a day at a time: this machine's clock may be wrong."""
    return [("delete from history where at < ? and at < (select min(at) from history) + ?", (now - KEPT, _DAY))]


def points_query(subject: str, since: int, until: int, points: int) -> tuple[str, tuple[int | str, ...]]:
    """Return the query for a span of a subject, in at most so many points of each metric; for `points_of`."""
    width, first = width_of(since, until, points), since // STEP * STEP
    return _READ, (first, first, width, width, subject, since - STEP, until)


def points_of(rows: Iterable[tuple[str, int, int, int]]) -> tuple[Point, ...]:
    """Make points of the rows that were read; metrics of a newer version are left out."""
    return tuple(Point(metric, at, mean / metric.units, peak / metric.units) for metric, at, mean, peak in _known(rows))


SUMS = """select metric, max(at), sum(looks), sum(1.0 * mean * looks) / sum(looks), max(peak) from history
    where subject = ? and at > ? and at <= ? group by metric"""


def sums_of(rows: Iterable[tuple[str, int, int, float, int]], subject: str) -> list[Mean]:
    """Make one mean of each metric of the rows that `SUMS` read."""
    return [
        Mean(subject, metric, at, looks, mean / metric.units, peak / metric.units)
        for metric, at, looks, mean, peak in _known(rows)
    ]


def _known(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Rows with their metrics; those of a newer version are left out."""
    names = {str(metric): metric for metric in Metric}
    return ((names[name], *rest) for name, *rest in rows if name in names)


_MEANS = "select at, mean from history where subject = ? and metric = ? and at >= ? order by at"


def means_query(subject: str, metric: Metric, since: int) -> tuple[str, tuple[int | str, ...]]:
    """Return the query for the means of a metric since a moment; for `means_of`."""
    return _MEANS, (subject, metric.value, since)


def means_of(rows: Iterable[tuple[int, int]], metric: Metric) -> list[tuple[int, float]]:
    """Make means of the rows that were read, oldest first, each with when it began."""
    return [(at, mean / metric.units) for at, mean in rows]
