"""Charts of a host's figures: what they show, how high, and where the clock stands below them.

A chart is drawn by columns of one cell. Filled is the mean, shaded on top of it the peak; where nothing is known of a
host there is a dot on the ground line, and no height.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import Enum

from controlroom.domain.host_history import Metric, Point, columns
from controlroom.domain.words import percent, size

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_LABEL = 12
"""Cells that a word of the time axis needs, with what keeps it apart from the next."""
_STEPS = tuple(minutes * 60_000 for minutes in (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 10080))
_WARN, _DANGER = 0.7, 0.9
"""Shares of a machine from which a part of a bar is drawn as a warning, and as a danger."""
_LEAST_TRAFFIC = 1024.0
"""Bytes a second that fill a chart at least: a quiet line looks quiet."""


class ChartSpan(str, Enum):
    """What a chart can show, up to now."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "30 days"

    def __str__(self) -> str:
        return self.value

    @property
    def length(self) -> int:
        """Milliseconds."""
        return {"hour": _HOUR, "day": _DAY, "week": 7 * _DAY, "30 days": 30 * _DAY}[self.value]


class Fill(Enum):
    """What a cell of a chart is."""

    EMPTY = "nothing"
    UNKNOWN = "nothing is known of this time"
    CALM = "the mean"
    WARN = "the mean, where it is much"
    DANGER = "the mean, where it is nearly all"
    PEAK = "between the mean and the peak"


TITLES = {
    Metric.CPU: "cpu",
    Metric.MEMORY: "memory",
    Metric.DISK: "disk",
    Metric.NETWORK_IN: "network in",
    Metric.NETWORK_OUT: "network out",
}


@dataclass(frozen=True)
class Chart:
    """One metric over a span, oldest column first."""

    metric: Metric
    columns: Sequence[Point | None]
    top: float
    """The value at the upper edge."""

    @property
    def words(self) -> str:
        """The newest mean, and the highest peak of the span: `12 %, at most 97 %`."""
        known = [point for point in self.columns if point is not None]
        if not known:
            return "not known"
        newest, highest = known[-1].mean, max(point.peak for point in known)
        return f"{value_words(self.metric, newest)}, at most {value_words(self.metric, highest)}"

    def rows(self, height: int) -> list[list[tuple[Fill, str]]]:
        """Draw it in so many lines, top first: runs of one fill."""
        return [self._row(height - 1 - row, height) for row in range(height)]

    def _row(self, row: int, height: int) -> list[tuple[Fill, str]]:
        """Draw one line; 0 is the lowest."""
        runs: list[tuple[Fill, str]] = []
        for point in self.columns:
            fill, sign = self._cell(point, row, height)
            if runs and runs[-1][0] is fill:
                runs[-1] = fill, runs[-1][1] + sign
            else:
                runs.append((fill, sign))
        return runs

    def _cell(self, point: Point | None, row: int, height: int) -> tuple[Fill, str]:
        if point is None:
            return (Fill.UNKNOWN, "·") if row == 0 else (Fill.EMPTY, " ")
        eighths = round(8 * height * min(1.0, max(0.0, point.mean / self.top))) - 8 * row
        if row == 0:
            eighths = max(1, eighths)
        if eighths > 0:
            return self._filled(row, height), " ▁▂▃▄▅▆▇█"[min(8, eighths)]
        return (Fill.PEAK, "░") if point.peak / self.top * height > row + 0.5 else (Fill.EMPTY, " ")

    def _filled(self, row: int, height: int) -> Fill:
        share = (row + 0.5) / height
        if not self.metric.is_share or share < _WARN:
            return Fill.CALM
        return Fill.DANGER if share >= _DANGER else Fill.WARN


def chart(points: Sequence[Point], metric: Metric, since: int, until: int, width: int) -> Chart:
    """Lay out a metric's points on `width` columns. A share of the machine fills the chart at 100 %."""
    laid = columns(points, metric, since, until, width)
    if metric.is_share:
        return Chart(metric, laid, 100.0)
    highest = max((point.peak for point in laid if point is not None), default=0.0)
    return Chart(metric, laid, max(_LEAST_TRAFFIC, highest))


def value_words(metric: Metric, value: float) -> str:
    """Write a value: `42 %`, `1.2M/s`."""
    return percent(value) if metric.is_share else f"{size(round(value))}/s"


def ticks(since: int, until: int, width: int, zone: tzinfo | None) -> list[tuple[int, str]]:
    """Return where the clock stands below `width` columns: (column, `14:00` or `Mon 30`), on round times of `zone`."""
    most = max(1, width // _LABEL)
    step = next((step for step in _STEPS if (until - since) / step <= most), _STEPS[-1])
    marks = []
    moment = _round_time(since, step, zone)
    while (at := round(moment.timestamp() * 1000)) < until:
        if at >= since:
            column = (at - since) * width // (until - since)
            marks.append((column, moment.strftime("%a %d" if step >= _DAY or _is_midnight(moment) else "%H:%M")))
        moment = _next(moment, step)
    return marks


def _is_midnight(moment: datetime) -> bool:
    return moment.hour == moment.minute == 0


def _round_time(at: int, step: int, zone: tzinfo | None) -> datetime:
    """Return the last moment up to `at` at which the step begins, as the wall's clock counts it from midnight."""
    moment = datetime.fromtimestamp(at / 1000, zone)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if step >= _DAY:
        return midnight
    return midnight + timedelta(milliseconds=(moment - midnight) // timedelta(milliseconds=step) * step)


def _next(moment: datetime, step: int) -> datetime:
    return moment + timedelta(milliseconds=step)
